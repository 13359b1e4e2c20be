"""Quantities with units, exactly: "800 ug/day" becomes a fraction of nanograms per millisecond.

Every number goes from its text to a `Fraction`; no float is on the way, so 0.1 mL is a tenth of a millilitre. Units are
a closed list of our own in a `pint` registry, the names that pump regimens use: "mcg" and "ug" are known, while a slip
such as "Mg" is refused and not read as megagram. `pint` is imported when the first quantity is read, because importing
it takes longer than starting the command line.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Final

from dosebench.base.errors import DosebenchError

if TYPE_CHECKING:
    import pint

QUANTITY_CHARS_MAX: Final = 60
"""Longest quantity text that is read, in characters."""

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
DAY_MINUTES: Final = 1440

_EXPONENT_MAX: Final = 12
"""Largest power of ten in a number's text: "1e999999999" must not cost a gigabyte."""

_DEFINITIONS: Final = (
    "nanogram = [mass] = ng",
    "microgram = 1000 * ng = ug = mcg = µg = μg",
    "milligram = 1000000 * ng = mg",
    "gram = 1000000000 * ng = g",
    "nanoliter = [volume] = nL = nl = nanolitre",
    "microliter = 1000 * nL = uL = ul = µL = μL = microlitre",
    "milliliter = 1000000 * nL = mL = ml = millilitre",
    "liter = 1000000000 * nL = L = l = litre",
    "millisecond = [time] = ms",
    "second = 1000 * ms = s = sec",
    "minute = 60000 * ms = min",
    "hour = 3600000 * ms = h = hr",
    "day = 86400000 * ms = d",
    "week = 604800000 * ms",
    "millivolt = [voltage] = mV",
    "volt = 1000 * mV = V",
    "microampere_hour = [charge] = uAh",
    "milliampere_hour = 1000 * uAh = mAh",
    "ampere_hour = 1000000 * uAh = Ah",
    "microampere = microampere_hour / hour = uA",
    "milliampere = 1000 * uA = mA",
    "ohm = millivolt / milliampere",
    "pascal = [pressure] = Pa",
    "kilopascal = 1000 * Pa = kPa",
    "millikelvin = [temperature] = mK",
    "kelvin = 1000 * mK = K",
)


class UnitError(DosebenchError, ValueError):
    """A text that is not a quantity of the kind that was asked for. Also a `ValueError`, as pydantic expects."""


@dataclass(frozen=True)
class Dimension:
    """A kind of quantity.

    Attributes:
        name: What it is called in messages.
        base: Unit in which its exact value is kept.
        example: A text that would be right.
    """

    name: str
    base: str
    example: str


MASS: Final = Dimension("drug mass", "ng", "50 ug")
VOLUME: Final = Dimension("volume", "nL", "40 mL")
DURATION: Final = Dimension("duration", "ms", "30 min")
MASS_RATE: Final = Dimension("drug per time", "ng/ms", "800 ug/day")
VOLUME_RATE: Final = Dimension("volume per time", "nL/ms", "0.4 mL/day")
CONCENTRATION: Final = Dimension("concentration", "ng/nL", "2000 ug/mL")
VOLTAGE: Final = Dimension("voltage", "mV", "3000 mV")
CHARGE: Final = Dimension("charge", "uAh", "1200 mAh")
CURRENT: Final = Dimension("current", "uAh/ms", "6 uA")
RESISTANCE: Final = Dimension("resistance", "mV*ms/uAh", "15 ohm")
PRESSURE: Final = Dimension("pressure", "Pa", "20 kPa")
COMPLIANCE: Final = Dimension("compliance", "nL/Pa", "250 nL/kPa")
TEMPERATURE: Final = Dimension("temperature", "mK", "310.15 K")
"""Absolute, in kelvin: 0 degrees Celsius are 273.15 K."""
SHARE: Final = Dimension("percentage", "%", "20 %")
"""A share of something else; its value is a plain number: 20 % is a fifth."""

_DIMENSIONS: Final = (
    *(MASS, VOLUME, DURATION, MASS_RATE, VOLUME_RATE, CONCENTRATION, VOLTAGE, CHARGE),
    *(CURRENT, RESISTANCE, PRESSURE, COMPLIANCE, TEMPERATURE),
)

_QUANTITY: Final = re.compile(r"([^A-Za-z%µμ]*(?:(?<=[0-9])[eE][+-]?[0-9]+)?)\s*(.*)", re.DOTALL)
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_UNIT: Final = re.compile(r"[A-Za-zµμ_]+( ?(/| per ) ?[A-Za-zµμ_]+)*")


@dataclass(frozen=True)
class Quantity:
    """An exact quantity: `value` is in the base unit of its `dimension`; `text` is what was read."""

    value: Fraction
    dimension: Dimension
    text: str


def parse_quantity(text: object, *dimensions: Dimension) -> Quantity:
    """Read a quantity.

    Args:
        text: What the file holds, such as "2000 ug/mL". Anything but a string is refused with the reason.
        dimensions: The kinds that are right here; at least one.

    Returns:
        The quantity, exact, zero or positive, in the base unit of the one of `dimensions` that it has.

    Raises:
        UnitError: No unit, an unknown one, one of another dimension, a number that is none, or a negative one.
    """
    if not isinstance(text, str):
        raise UnitError(_missing_unit(text, dimensions[0]))
    number_text, unit_text = split_quantity(text)
    if not unit_text:
        raise UnitError(_missing_unit(text, dimensions[0]))
    number = _parse_number(number_text, text)
    if number < 0:
        raise UnitError(f'"{text}" is negative; give zero or more')
    factor, dimension = _find_unit(unit_text)
    if dimension not in dimensions:
        raise UnitError(_wrong_dimension(text, dimension, dimensions))
    assert dimension is not None
    return Quantity(number * factor, dimension, text)


def parse_value(text: object, *dimensions: Dimension) -> Fraction:
    """The exact value of `parse_quantity(text, *dimensions)`, in the base unit of its dimension."""
    return parse_quantity(text, *dimensions).value


def format_amount(amount: Fraction, unit: str, digits: int = 6) -> str:
    """Write an exact value for people, such as "1.19 ug/day".

    Args:
        amount: Value in the base unit of the dimension of `unit`.
        unit: Unit to write it in.
        digits: Significant digits, 1 to 28; the rest is rounded half to even.
    """
    return f"{format_decimal(amount / _find_unit(unit)[0], digits)} {unit}"


def show_time(ms: Fraction | int) -> str:
    """Write a time for people, in the largest of s, min, h and day that it reaches, to three digits."""
    lengths = (("day", DAY_MS), ("h", HOUR_MS), ("min", MINUTE_MS), ("s", 1000))
    return format_amount(Fraction(ms), next((unit for unit, length in lengths if ms >= length), "ms"), 3)


def show_span(ms: Fraction | int) -> str:
    """Write a length of time for a sentence: as `show_time`, but "1.5 days", and "6.9 years" from two years on."""
    if ms >= 730 * DAY_MS:
        return f"{format_decimal(Fraction(ms) / DAY_MS / Fraction(1461, 4), 3)} years"
    text = show_time(ms)
    return f"{text}s" if text.endswith(" day") and text != "1 day" else text


def format_decimal(number: Fraction, digits: int = 6) -> str:
    """Write `number` as a plain decimal with at most `digits` significant digits and no trailing zeros."""
    quotient = Context(prec=digits).divide(Decimal(number.numerator), Decimal(number.denominator))
    text = f"{quotient:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def in_unit(amount: Fraction, unit: str) -> Fraction:
    """The exact number that `amount`, in the base unit of its dimension, is in `unit`."""
    return amount / _find_unit(unit)[0]


def split_quantity(text: str) -> tuple[str, str]:
    """The number and the unit of a quantity's text, neither of them checked; `UnitError` where it is too long."""
    if len(text) > QUANTITY_CHARS_MAX:
        raise UnitError(f"a quantity has at most {QUANTITY_CHARS_MAX} characters, this one has {len(text)}")
    match = _QUANTITY.fullmatch(text.strip())
    assert match is not None
    return match[1].strip(), match[2].strip()


def _parse_number(number_text: str, text: str) -> Fraction:
    if not _NUMBER.fullmatch(number_text):
        raise UnitError(_bad_number(number_text, text))
    exponent = re.search(r"[eE]([+-]?[0-9]+)", number_text)
    if exponent and abs(int(exponent[1])) > _EXPONENT_MAX:
        raise UnitError(f'"{text}" has an exponent beyond {_EXPONENT_MAX}')
    return Fraction(number_text)


def _bad_number(number_text: str, text: str) -> str:
    if "," in number_text:
        return f'"{text}" has a comma; write the decimal point as "." and leave out thousands separators'
    if number_text.startswith(".") and _NUMBER.fullmatch("0" + number_text):
        return f'"{text}" starts with a point; write "0{text.strip()}" so that the point cannot be overlooked'
    if re.match(r"[+-]?(nan|inf)", text.strip(), re.IGNORECASE):
        return f'"{text}" is not a finite number'
    if not number_text:
        return f'"{text}" does not start with a number'
    return f'"{number_text}" in "{text}" is not a number'


def _missing_unit(text: object, dimension: Dimension) -> str:
    if isinstance(text, str) and not text.strip():
        return f'empty; give a {dimension.name}, e.g. "{dimension.example}"'
    return f'{text!r} has no unit; give a unit, e.g. "{dimension.example}"'


def _wrong_dimension(text: str, dimension: Dimension | None, wanted: tuple[Dimension, ...]) -> str:
    kind = f"is a {dimension.name}" if dimension else "has a unit that is not used here"
    names = " or ".join(f'a {d.name} (e.g. "{d.example}")' for d in wanted)
    return f'"{text}" {kind}; give {names}'


@cache
def _load_registry() -> pint.UnitRegistry[Fraction]:
    import pint  # noqa: PLC0415

    registry: pint.UnitRegistry[Fraction] = pint.UnitRegistry(None, non_int_type=Fraction)
    for definition in _DEFINITIONS:
        registry.define(definition)
    return registry


@cache
def _find_unit(unit_text: str) -> tuple[Fraction, Dimension | None]:
    """Factor to the base unit, and the dimension (None if it is none of ours)."""
    unit_text = re.sub(r"\s+", " ", unit_text)
    if unit_text == SHARE.base:
        return Fraction(1, 100), SHARE
    if not _UNIT.fullmatch(unit_text):
        raise UnitError(f'"{unit_text}" is not a unit; write it like "ug/mL" or "ug/day"')
    for name in re.split(r" ?/ ?| per ", unit_text):
        _check_unit_name(name)
    registry = _load_registry()
    number, base = registry.get_base_units(registry.parse_units(unit_text.replace(" per ", "/")))
    factor = Fraction(str(number))
    for dimension in _DIMENSIONS:
        if registry.parse_units(dimension.base) == base:
            return factor, dimension
    return factor, None


def _check_unit_name(name: str) -> None:
    """Refuse a name that is not of our list; words may have an "s" for the plural, symbols such as "ms" may not."""
    if name in _NAMES or (len(name) > 3 and name.removesuffix("s") in _NAMES):
        return
    near = [n for n in _NAMES if n.lower() == name.lower()] or difflib.get_close_matches(name, _NAMES, n=1, cutoff=0.5)
    guess = f"; did you mean '{near[0]}'?" if near else f"; known are {', '.join(_COMMON)}"
    raise UnitError(f"unknown unit '{name}'{guess}")


_COMMON: Final = ("ng", "ug", "mg", "nL", "uL", "mL", "s", "min", "h", "day")
_NAMES: Final = tuple(n for definition in _DEFINITIONS for n in definition.split(" = ") if re.fullmatch(r"\w+", n))
