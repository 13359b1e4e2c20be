"""Amounts that may be written as drug or as volume."""

from __future__ import annotations

from fractions import Fraction

import pytest
from dosebench.base import units
from dosebench.regimen.amounts import SPAN_MS_MAX, as_mass, as_volume, exact_ms
from dosebench_protocol.tables import FRACTION_MAX
from hypothesis import given
from hypothesis import strategies as st

TWO = Fraction(2)
"""2000 ug/mL, in ng/nL."""


def quantity(text: str) -> units.Quantity:
    return units.parse_quantity(text, units.MASS, units.VOLUME, units.MASS_RATE, units.VOLUME_RATE)


@pytest.mark.parametrize(
    ("text", "mass", "volume"),
    [
        ("10 ug", 10_000, 5_000),
        ("10 uL", 20_000, 10_000),
        ("86.4 ug/day", Fraction(1, 1000), Fraction(1, 2000)),
        ("86.4 uL/day", Fraction(2, 1000), Fraction(1, 1000)),
        ("0 ug", 0, 0),
    ],
)
def test_drug_and_volume_follow_from_each_other(text: str, mass: Fraction, volume: Fraction) -> None:
    assert as_mass(quantity(text), TWO) == mass
    assert as_volume(quantity(text), TWO) == volume


@pytest.mark.parametrize("concentration", [None, Fraction(0)])
def test_without_a_concentration_only_what_was_written_is_known(concentration: Fraction | None) -> None:
    assert as_volume(quantity("10 uL"), concentration) == 10_000
    assert as_volume(quantity("10 ug"), concentration) is None
    assert as_mass(quantity("10 ug"), concentration) == 10_000
    assert as_mass(quantity("10 uL"), concentration) is None


def test_what_was_not_written_is_not_known() -> None:
    assert as_volume(None, TWO) is None
    assert as_mass(None, TWO) is None
    assert exact_ms(None) is None


@given(st.fractions(Fraction(1, 1000), 1000), st.integers(0, 10**9))
def test_there_and_back_is_exact(concentration: Fraction, ng: int) -> None:
    drug = quantity(f"{ng} ng")
    volume = as_volume(drug, concentration)
    assert volume is not None
    assert volume * concentration == as_mass(drug, concentration) == ng


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1 ms", 1),
        ("0.5 ms", None),
        ("0 ms", None),
        ("10 min", 600_000),
        (f"{SPAN_MS_MAX} ms", SPAN_MS_MAX),
        (f"{SPAN_MS_MAX + 1} ms", None),
        ("1.0005 s", None),
    ],
)
def test_a_duration_is_whole_milliseconds_that_the_pump_can_hold(text: str, ms: int | None) -> None:
    assert exact_ms(units.parse_quantity(text, units.DURATION)) == ms
    assert SPAN_MS_MAX == FRACTION_MAX
