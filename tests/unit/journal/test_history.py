"""Volumes of a journal in which the pump was calibrated."""

from __future__ import annotations

from fractions import Fraction

import pytest
from dosebench.journal.history import History, Point
from dosebench.therapy.expected_delivery import Expected


def _history(*points: Point) -> History:
    return History(Expected(), points, None, (), 0, ())


def test_a_step_counts_as_what_it_was_when_it_was_made() -> None:
    old, new = Fraction(250), Fraction(260)
    history = _history(Point(0, 5, 5, old), Point(1, 15, 15, old), Point(2, 15, 20, new), Point(3, 35, 40, new))
    assert [delivered for delivered, _ in history.volumes_nl()] == [0, 2500, 2500, 2500 + 20 * 260]


@pytest.mark.parametrize("step_nl", [None, Fraction(250)])
def test_what_nobody_knows_is_no_volume(step_nl: Fraction | None) -> None:
    history = _history(Point(0, 0, 0, step_nl), Point(1, 4, 4, step_nl))
    assert history.volumes_nl()[-1][0] == (0 if step_nl is None else 1000)
