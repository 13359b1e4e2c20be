"""Discharge curves of cells."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import pytest
from dosebench.profile.schema import CellName
from dosebench.twin.battery import CURVES, voltage_left


def test_a_profile_can_name_each_cell() -> None:
    assert get_args(CellName) == tuple(CURVES)


@pytest.mark.parametrize("cell", CURVES)
def test_a_discharge_curve_sinks_from_fresh_to_empty(cell: str) -> None:
    left = [voltage_left(cell, depth / 1_000) for depth in range(1_001)]
    assert (left[0], left[-1]) == (1, 0)
    assert all(before > after for before, after in pairwise(left))


def test_lithium_is_flat_and_then_falls_and_alkaline_sinks_all_the_way() -> None:
    lithium, alkaline = ([voltage_left(cell, depth) for depth in (0.1, 0.5, 0.8, 0.97)] for cell in list(CURVES)[1:])
    assert lithium[0] - lithium[2] < 0.1 < lithium[2] - lithium[3]
    assert alkaline[0] - alkaline[2] > 0.4
