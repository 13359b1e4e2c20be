"""Fractions that the pump can count in."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from dosebench.base.units import DAY_MS
from dosebench.therapy import fractions
from dosebench.therapy.fractions import ProgramError, best_fraction, best_fraction_within
from hypothesis import given
from hypothesis import strategies as st

LIMIT = 1 << 29


@given(st.fractions(min_value=Fraction(1, LIMIT), max_value=LIMIT), st.integers(1, LIMIT))
def test_best_fraction_fits_and_no_other_is_nearer(value: Fraction, other_den: int) -> None:
    near = best_fraction(value)
    assert 0 < near.numerator <= LIMIT
    assert near.denominator <= LIMIT
    # Below one the value itself is approximated, above one its reciprocal.
    wanted, got = (value, near) if value < 1 else (1 / value, 1 / near)
    other = Fraction(round(wanted * other_den), other_den)
    assert abs(got - wanted) <= abs(other - wanted)


@given(st.fractions(min_value=Fraction(1, 10**6), max_value=10**3), st.integers(1, LIMIT), st.integers(1, LIMIT))
def test_best_fraction_never_crosses_a_limit_that_fits(value: Fraction, num: int, den: int) -> None:
    limit = Fraction(num, den)
    if value >= limit:
        assert best_fraction(value) >= limit
    if value <= limit:
        assert best_fraction(value) <= limit


@given(st.integers(0, LIMIT), st.integers(1, LIMIT))
def test_best_fraction_keeps_what_fits(num: int, den: int) -> None:
    assert best_fraction(Fraction(num, den)) == Fraction(num, den)


@pytest.mark.parametrize("value", [Fraction(-1, 3), Fraction(1, 1 << 40), Fraction(1 << 40)])
def test_best_fraction_refuses_what_cannot_be(value: Fraction) -> None:
    with pytest.raises(ProgramError, match="cannot be written"):
        best_fraction(value)


def test_rounding_is_in_steps_over_ten_years() -> None:
    assert fractions.rounding_steps(Fraction(1, 54_000), Fraction(1, 54_000)) == 0
    ten_years_ms = 36525 * DAY_MS // 10
    assert fractions.rounding_steps(Fraction(0), Fraction(1, ten_years_ms)) == 1


@given(st.fractions(min_value=Fraction(1, 10**6), max_value=Fraction(999, 1000)), st.integers(1, LIMIT))
def test_best_fraction_within_is_the_largest_that_fits(limit: Fraction, den: int) -> None:
    near = best_fraction_within(Fraction(1), limit)
    assert near <= limit
    assert max(near.numerator, near.denominator) <= LIMIT
    assert Fraction(math.floor(limit * den), den) <= near
    assert best_fraction_within(near, limit) == near
