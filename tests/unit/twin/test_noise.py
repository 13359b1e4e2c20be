"""Noise that is decided by its numbers."""

from __future__ import annotations

import statistics

import pytest
from dosebench.twin import noise


def test_noise_is_normal_enough_and_decided_by_its_numbers() -> None:
    values = [noise.normal_deviate(1, 2, at) for at in range(20_000)]
    assert statistics.mean(values) == pytest.approx(0, abs=0.03)
    assert statistics.stdev(values) == pytest.approx(1, abs=0.02)
    assert sum(abs(value) > 2 for value in values) / len(values) == pytest.approx(0.0455, abs=0.006)
    assert statistics.correlation(values[:-1], values[1:]) == pytest.approx(0, abs=0.03)
    assert noise.normal_deviate(1, 2, 3) == values[3]
    assert (
        len({noise.random_bits(*numbers) for numbers in ((1, 2, 3, 4), (1, 2, 3, 5), (1, 2, 4, 4), (1, 3, 3, 4))}) == 4
    )
