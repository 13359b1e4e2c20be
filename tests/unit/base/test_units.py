"""Quantities: exact, and refused with a sentence that helps."""

from __future__ import annotations

from fractions import Fraction

import pytest
from dosebench.base import units
from dosebench.base.units import UnitError
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("50 ug", units.MASS, Fraction(50_000)),
        ("50ug", units.MASS, Fraction(50_000)),
        ("0.1 mg", units.MASS, Fraction(100_000)),
        ("1e3 ng", units.MASS, Fraction(1000)),
        ("0.25 uL", units.VOLUME, Fraction(250)),
        ("40 ml", units.VOLUME, Fraction(40_000_000)),
        ("30 min", units.DURATION, Fraction(1_800_000)),
        ("14 days", units.DURATION, Fraction(14 * 86_400_000)),
        ("800 ug/day", units.MASS_RATE, Fraction(800_000, 86_400_000)),
        ("800 mcg per day", units.MASS_RATE, Fraction(800_000, 86_400_000)),
        ("800 µg/d", units.MASS_RATE, Fraction(800_000, 86_400_000)),
        ("800 μg / day", units.MASS_RATE, Fraction(800_000, 86_400_000)),
        ("0.1 mg/h", units.MASS_RATE, Fraction(100_000, 3_600_000)),
        ("0.4 mL/day", units.VOLUME_RATE, Fraction(400_000, 86_400_000)),
        ("2002 ug/mL", units.CONCENTRATION, Fraction(2002, 1000)),
        ("3.6 V", units.VOLTAGE, Fraction(3600)),
        ("1.2 Ah", units.CHARGE, Fraction(1_200_000)),
        ("36 uA", units.CURRENT, Fraction(1, 100_000)),
        ("3 mA", units.CURRENT, Fraction(1, 1_200)),
        ("20 kPa", units.PRESSURE, Fraction(20_000)),
        ("250 nL/kPa", units.COMPLIANCE, Fraction(1, 4)),
        ("310.15 K", units.TEMPERATURE, Fraction(310_150)),
        ("12.5 %", units.SHARE, Fraction(1, 8)),
        ("20%", units.SHARE, Fraction(1, 5)),
    ],
)
def test_quantity_is_exact(text: str, dimension: units.Dimension, value: Fraction) -> None:
    quantity = units.parse_quantity(text, dimension)
    assert quantity.value == value
    assert quantity.dimension is dimension
    assert quantity.text == text


def test_a_resistance_is_a_voltage_by_a_current() -> None:
    volts, amperes = units.parse_value("45 mV", units.VOLTAGE), units.parse_value("3 mA", units.CURRENT)
    assert units.parse_value("15 ohm", units.RESISTANCE) == volts / amperes
    assert units.in_unit(volts / amperes, "ohm") == 15


@pytest.mark.parametrize(
    ("given_text", "words"),
    [
        ("800 ugg/day", "unknown unit 'ugg'; did you mean 'ug'?"),
        ("800 Mg/day", "unknown unit 'Mg'; did you mean 'mg'?"),
        ("800 ug/dya", "unknown unit 'dya'; did you mean 'day'?"),
        ("3 U/day", "unknown unit 'U'"),
        ("800", 'no unit; give a unit, e.g. "800 ug/day"'),
        (800, 'no unit; give a unit, e.g. "800 ug/day"'),
        (True, "no unit"),
        (None, "no unit"),
        ("", "empty"),
        ("-800 ug/day", "is negative"),
        ("nan ug/day", "not a finite number"),
        ("-inf ug/day", "not a finite number"),
        ("lots of ug/day", "does not start with a number"),
        ("1,5 mg/day", "comma"),
        (".5 mg/day", 'write "0.5 mg/day"'),
        ("1 2 ug/day", "is not a number"),
        ("0x10 ug/day", "is not a unit"),
        ("1/2 mg/day", "is not a number"),
        ("1e999999999 ug/day", "exponent"),
        ("9" * 61 + " ug/day", "at most 60 characters"),
        ("800 ug", "is a drug mass; give a drug per time"),
        ("800 %", "is a percentage; give a drug per time"),
        ("800 ug/mL/day", "unit that is not used here"),
        ("800 ug*day", "is not a unit"),
        ("800 ug//day", "is not a unit"),
        ("800 ug/", "is not a unit"),
        ("800 __import__('os')", "is not a number"),
        ("800 mss/day", "unknown unit 'mss'; did you mean 'ms'?"),
    ],
)
def test_refusal_says_what_to_write(given_text: object, words: str) -> None:
    with pytest.raises(UnitError) as caught:
        units.parse_quantity(given_text, units.MASS_RATE)
    assert words in str(caught.value)


def test_two_dimensions_are_told_apart() -> None:
    assert units.parse_quantity("6 mL/h", units.MASS_RATE, units.VOLUME_RATE).dimension is units.VOLUME_RATE
    with pytest.raises(UnitError, match=r"drug per time .* or a volume per time"):
        units.parse_quantity("6 mL", units.MASS_RATE, units.VOLUME_RATE)


@given(st.decimals(min_value=0, max_value=10**9, allow_nan=False, allow_infinity=False, places=9))
def test_number_text_never_passes_through_a_float(number: object) -> None:
    text = f"{number:f}"
    assert units.parse_value(f"{text} ng", units.MASS) == Fraction(text)


@given(st.text(max_size=70))
def test_any_text_gives_a_quantity_or_a_unit_error(text: str) -> None:
    try:
        quantity = units.parse_quantity(text, units.MASS, units.VOLUME)
    except UnitError:
        return
    assert quantity.value >= 0


@pytest.mark.parametrize(
    ("amount", "unit", "text"),
    [
        (Fraction(119, 100) * 1000 / 86_400_000, "ug/day", "1.19 ug/day"),
        (Fraction(1_000_000), "mL", "1 mL"),
        (Fraction(100), "ng", "100 ng"),
        (Fraction(1000, 3), "ng", "333.333 ng"),
        (Fraction(0), "ng", "0 ng"),
    ],
)
def test_show(amount: Fraction, unit: str, text: str) -> None:
    assert units.format_amount(amount, unit) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [(5, "5 ms"), (1500, "1.5 s"), (90_000, "1.5 min"), (48_960_000, "13.6 h"), (90 * 3_600_000, "3.75 day")],
)
def test_show_time(ms: int, text: str) -> None:
    assert units.show_time(ms) == text
