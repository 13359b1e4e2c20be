"""Entries that look like the slips behind published recalls: mg for ug, per hour for per day, minutes for hours.

A slip is suspected where the entry as written is unusual and the same number in a neighbouring unit would be usual, or
where the new total is an exact-looking multiple of the old one. Large multiples upwards are refused, the rest must be
confirmed; a reservoir that would be empty in no time is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Final

from dosebench.base import units
from dosebench.base.units import DAY_MS, HOUR_MS, MINUTE_MS, Quantity
from dosebench.regimen.facts import Facts
from dosebench.regimen.findings import Finding, Rule, make_error, make_warning

_MASS_UNITS: Final = ("ng", "ug", "mg")
_TIME_UNITS: Final = ("min", "h", "day")
_CLOCK_UNITS: Final = ("s", "min", "h", "day")

FACTORS: Final = (
    (24, "24 times: per hour in place of per day, or hours in place of days"),
    (60, "60 times: per minute in place of per hour, or minutes in place of hours"),
    (1000, "1000 times: mg in place of ug"),
    (1440, "1440 times: per minute in place of per day"),
)
"""Ratios of a new to an old daily total that are typical of a slip, and what slip that is (R14, R63)."""

RATIO_TOLERANCE: Final = Fraction(2, 100)
"""How near to one of `FACTORS` a ratio is taken for it."""

RATIO_CONFIRM: Final = 2
"""A total that grows or shrinks by more than this needs confirmation, whatever the drug."""

SHORT_LOCKOUT_MS: Final = 5 * MINUTE_MS
"""A lockout below this is asked about: five minutes is the shortest that patient-controlled pumps are usually given."""

LONG_BOLUS_MS: Final = 4 * HOUR_MS
"""A bolus that takes longer than this is asked about (chosen)."""


def dose_unit(facts: Facts) -> Iterator[Finding]:
    """A largest day outside of the usual range that would be usual in a neighbouring unit."""
    daily, rates = facts.basal.day_ng, [rate for rate in facts.basal.rates if rate.written is not None]
    if facts.drug is None or not daily or not rates or rates[0].written is None:
        return
    limits = facts.drug.dose
    least = min(limits.usual_min.value, limits.soft_min.value if limits.soft_min else limits.usual_min.value)
    usual = range_of(least * DAY_MS, limits.usual_max.value * DAY_MS)
    written = _stated_largest(facts)
    if usual(daily) or written is None or written.dimension is not units.MASS_RATE or not written.value:
        return
    meant = [other for other in _similar_quantities(written) if usual(daily * other.value / written.value)]
    if meant:
        guess = " or ".join(f'"{other.text}"' for other in meant)
        message = (
            f'"{written.text}" is {facts.format_dose(daily)}, which is unusual for {facts.drug.name}; was '
            f'{guess} meant?'
        )
        yield make_warning(facts, facts.basal.key, message, "slip-unit")


def range_of(least: Fraction, most: Fraction) -> Callable[[Fraction], bool]:
    """Whether a figure lies between two others."""
    return lambda figure: least <= figure <= most


def _stated_largest(facts: Facts) -> Quantity | None:
    """The largest rate as it was written."""
    known = [rate for rate in facts.basal.rates if rate.written is not None]
    largest = max(known, key=lambda rate: (rate.nl or 0, rate.ng or 0), default=None)
    return largest.written if largest else None


def concentration_unit(facts: Facts) -> Iterator[Finding]:
    """A concentration that is no vial's, but would be in a neighbouring unit."""
    written = facts.document.content.drug.concentration
    if written is None or facts.drug is None or not written.value or facts.drug.is_vial_strength(written.value):
        return
    meant = [other for other in _similar_quantities(written) if facts.drug.is_vial_strength(other.value)]
    if meant:
        message = f'"{written.text}" is no vial of {facts.drug.name}, but "{meant[0].text}" is; was that meant?'
        yield make_warning(facts, "drug.concentration", message, "slip-concentration")


def _similar_quantities(quantity: Quantity) -> list[Quantity]:
    """The same number with one part of its unit exchanged: another mass, or another time."""
    number, unit = units.split_quantity(quantity.text)
    mass, per, last = re.split(r"(\s*/\s*|\s+per\s+)", unit, maxsplit=1)
    swapped = [f"{number} {other}{per}{last}" for other in _MASS_UNITS]
    if quantity.dimension is units.MASS_RATE:
        swapped += [f"{number} {mass}{per}{other}" for other in _TIME_UNITS]
    parsed = [units.parse_quantity(text, quantity.dimension) for text in swapped]
    return [other for other in parsed if other.value != quantity.value]


def total_ratio(facts: Facts) -> Iterator[Finding]:
    """A daily total that is a typical multiple of the one it replaces."""
    if facts.previous is None or not facts.previous.daily_ng or not facts.daily_ng:
        return
    old, new = facts.previous.daily_ng, facts.daily_ng
    ratio = new / old
    totals = f"{facts.format_dose(new)} replaces {facts.format_dose(old)}"
    for factor, meaning in FACTORS:
        if abs(ratio / factor - 1) <= RATIO_TOLERANCE:
            message = f"{totals}: {meaning}? Refused; if it is meant, go there by a step in between"
            yield make_error(facts, facts.basal.key, message, "slip-ratio")
            return
        if abs(ratio * factor - 1) <= RATIO_TOLERANCE:
            yield make_warning(facts, facts.basal.key, f"{totals}: one part in {meaning}?", "slip-ratio")
            return
    if not Fraction(1, RATIO_CONFIRM) <= ratio <= RATIO_CONFIRM:
        message = f"{totals}: {units.format_decimal(ratio, 3)} times as much"
        yield make_warning(facts, facts.basal.key, message, "ratio")


def reservoir_time(facts: Facts) -> Iterator[Finding]:
    """A reservoir that is empty sooner than a pump of this kind is ever meant to be refilled, every bolus taken."""
    if facts.profile is None or not facts.most_daily_nl or facts.filled is None or facts.empty is None:
        return
    lasts_ms = (facts.filled - facts.empty) / facts.most_daily_nl * DAY_MS
    if 0 < lasts_ms < facts.profile.reservoir.lasts_min:
        least = units.format_amount(facts.profile.reservoir.lasts_min, "h")
        message = (
            f"would be empty after {units.format_amount(lasts_ms, 'h', 3)}; at least {least} are expected of this pump"
        )
        yield make_error(facts, "reservoir.filled", message, "reservoir-short")


def bolus_above_day(facts: Facts) -> Iterator[Finding]:
    """A single bolus that is worth more than a whole day of the basal."""
    if not facts.basal.day_ng or facts.concentration is None:
        return
    extras = facts.boluses
    amounts = {
        "bolus.max": extras.max_nl,
        "square_bolus.max": extras.square_nl,
        "patient_bolus.dose": extras.patient.volume if extras.patient else None,
        "periodic_bolus.dose": extras.periodic.volume if extras.periodic else None,
    }
    for key, volume in amounts.items():
        if volume and volume * facts.concentration > facts.basal.day_ng:
            one, day = facts.format_mass(volume * facts.concentration), facts.format_mass(facts.basal.day_ng)
            yield make_warning(facts, key, f"one bolus of {one} is more than a day's basal, {day}", "bolus-above-day")


# Minutes and hours


def period_unit(facts: Facts) -> Iterator[Finding]:
    """A period below an hour that would be a usual one in the next longer unit: both totals are shown (C6)."""
    table, bolus = facts.document.content.periodic_bolus, facts.boluses.periodic
    if table is None or bolus is None or table.every is None or bolus.every_ms >= HOUR_MS:
        return
    meant = _longer_unit(table.every)
    if meant is None or meant.value > DAY_MS:
        return
    message = f'"{table.every.text}" makes {_format_totals(facts, bolus.volume, bolus.every_ms)}, '
    message += f'"{meant.text}" would make {_format_totals(facts, bolus.volume, int(meant.value))}; was that meant?'
    yield make_warning(facts, "periodic_bolus.every", message, "slip-time")


def _format_totals(facts: Facts, volume: Fraction, every_ms: int) -> str:
    count = DAY_MS // every_ms
    total = count * volume
    shown = facts.format_mass(total * facts.concentration) if facts.concentration else units.format_amount(total, "mL")
    return f"{count} boluses and {shown} a day"


def lockout_unit(facts: Facts) -> Iterator[Finding]:
    """A lockout that is very short, or longer than a day, and usual in a neighbouring unit."""
    table = facts.document.content.patient_bolus
    if table is None or table.lockout is None or not table.lockout.value:
        return
    lockout = table.lockout
    if lockout.value < SHORT_LOCKOUT_MS:
        meant = _longer_unit(lockout)
    else:
        meant = _shorter_unit(lockout) if lockout.value > DAY_MS else None
    if meant is not None and SHORT_LOCKOUT_MS <= meant.value <= DAY_MS:
        message = f'"{lockout.text}" between two boluses is unusual; was "{meant.text}" meant?'
        yield make_warning(facts, "patient_bolus.lockout", message, "slip-time")


def duration_unit(facts: Facts) -> Iterator[Finding]:
    """A bolus that takes very long or very short, and a usual time in a neighbouring unit."""
    content = facts.document.content
    for name, table in (("patient_bolus", content.patient_bolus), ("periodic_bolus", content.periodic_bolus)):
        if table is None or table.over is None or not table.over.value:
            continue
        over = table.over
        meant = _shorter_unit(over) if over.value > LONG_BOLUS_MS else None
        if over.value < MINUTE_MS:
            meant = _longer_unit(over)
        if meant is not None and MINUTE_MS <= meant.value <= LONG_BOLUS_MS:
            message = f'"{over.text}" for a bolus is unusual; was "{meant.text}" meant?'
            yield make_warning(facts, (name, "over"), message, "slip-time")


def _longer_unit(quantity: Quantity) -> Quantity | None:
    return _in_neighbour(quantity, 1)


def _shorter_unit(quantity: Quantity) -> Quantity | None:
    return _in_neighbour(quantity, -1)


def _in_neighbour(quantity: Quantity, places: int) -> Quantity | None:
    """The same number in the next longer or shorter unit of time; None where there is none."""
    number, unit = units.split_quantity(quantity.text)
    length = units.parse_value(f"1 {unit}", units.DURATION)
    lengths = [units.parse_value(f"1 {name}", units.DURATION) for name in _CLOCK_UNITS]
    at = lengths.index(length) + places if length in lengths else -1
    return units.parse_quantity(f"{number} {_CLOCK_UNITS[at]}", units.DURATION) if 0 <= at < len(_CLOCK_UNITS) else None


SLIP_RULES: Final[tuple[Rule, ...]] = (
    dose_unit,
    concentration_unit,
    total_ratio,
    reservoir_time,
    bolus_above_day,
    period_unit,
    lockout_unit,
    duration_unit,
)
"""Rules about slips."""
