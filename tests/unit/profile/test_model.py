"""Figures that a profile derives."""

from __future__ import annotations

from fractions import Fraction

import pytest
from dosebench.profile import load


@pytest.mark.requirement("C15")
def test_external_pulses() -> None:
    coarse, fine = load.load_profile("external-mlh"), load.load_profile("external-mlh-fine")
    per_hour = Fraction(1_000_000, 3_600_000)
    assert 1 / coarse.count_steps(20 * per_hour) == 18_000
    assert 1 / fine.count_steps(1 * per_hour) == 180_000
    assert coarse.count_steps(coarse.delivery.rate_max) == Fraction(1, 6000)
    assert 2 * coarse.delivery.step_time <= 1000, "52 priming pulses at one a second"
