"""Entries that look like the slips behind published recalls: mg for ug, per hour for per day, minutes for hours.

A slip is suspected where the entry as written is unusual and the same number in a neighbouring unit would be usual, or
where the new total is an exact-looking multiple of the old one. Large multiples upwards are refused, the rest must be
confirmed; a reservoir that would be empty in no time is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from dosebench import units
from dosebench.facts import Facts
from dosebench.rules import Finding, Rule, error, warning
from dosebench.units import DAY_MS, Quantity

_MASS_UNITS: Final = ("ng", "ug", "mg")
_TIME_UNITS: Final = ("min", "h", "day")

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


def dose_unit(facts: Facts) -> Iterator[Finding]:
    """A daily dose outside of the usual range whose number would be usual in a neighbouring unit."""
    dose = facts.document.content.therapy.dose
    if dose is None or facts.drug is None or dose.dimension is not units.MASS_RATE or not dose.value:
        return
    limits = facts.drug.dose
    least = min(limits.usual_min.value, limits.soft_min.value if limits.soft_min else limits.usual_min.value)
    if least <= dose.value <= limits.usual_max.value:
        return
    meant = [other for other in _neighbours(dose) if least <= other.value <= limits.usual_max.value]
    if meant:
        daily = facts.dose(dose.value * DAY_MS)
        guess = " or ".join(f'"{other.text}"' for other in meant)
        message = f'"{dose.text}" is {daily}, which is unusual for {facts.drug.name}; was {guess} meant?'
        yield warning(facts, "therapy.dose", message, "slip-unit")


def concentration_unit(facts: Facts) -> Iterator[Finding]:
    """A concentration that is no vial's, but would be in a neighbouring unit."""
    written = facts.document.content.drug.concentration
    if written is None or facts.drug is None or not written.value or facts.drug.is_vial_strength(written.value):
        return
    meant = [other for other in _neighbours(written) if facts.drug.is_vial_strength(other.value)]
    if meant:
        message = f'"{written.text}" is no vial of {facts.drug.name}, but "{meant[0].text}" is; was that meant?'
        yield warning(facts, "drug.concentration", message, "slip-concentration")


def _neighbours(quantity: Quantity) -> list[Quantity]:
    """The same number with one part of its unit exchanged: another mass, or another time."""
    number, unit = units.split(quantity.text)
    mass, per, last = re.split(r"(\s*/\s*|\s+per\s+)", unit, maxsplit=1)
    swapped = [f"{number} {other}{per}{last}" for other in _MASS_UNITS]
    if quantity.dimension is units.MASS_RATE:
        swapped += [f"{number} {mass}{per}{other}" for other in _TIME_UNITS]
    parsed = [units.parse(text, quantity.dimension) for text in swapped]
    return [other for other in parsed if other.value != quantity.value]


def total_ratio(facts: Facts) -> Iterator[Finding]:
    """A daily total that is a typical multiple of the one it replaces."""
    if facts.previous is None or not facts.previous.daily_ng or not facts.daily_ng:
        return
    old, new = facts.previous.daily_ng, facts.daily_ng
    ratio = new / old
    totals = f"{facts.dose(new)} replaces {facts.dose(old)}"
    for factor, meaning in FACTORS:
        if abs(ratio / factor - 1) <= RATIO_TOLERANCE:
            message = f"{totals}: {meaning}? Refused; if it is meant, go there by a step in between"
            yield error(facts, "therapy.dose", message, "slip-ratio")
            return
        if abs(ratio * factor - 1) <= RATIO_TOLERANCE:
            yield warning(facts, "therapy.dose", f"{totals}: one part in {meaning}?", "slip-ratio")
            return
    if not Fraction(1, RATIO_CONFIRM) <= ratio <= RATIO_CONFIRM:
        message = f"{totals}: {units.decimal(ratio, 3)} times as much"
        yield warning(facts, "therapy.dose", message, "ratio")


def reservoir_time(facts: Facts) -> Iterator[Finding]:
    """A reservoir that the basal empties sooner than a pump of this kind is ever meant to be refilled."""
    if facts.profile is None or not facts.rate or facts.filled is None or facts.empty is None:
        return
    lasts_ms = (facts.filled - facts.empty) / facts.rate
    if 0 < lasts_ms < facts.profile.reservoir.lasts_min:
        least = units.show(facts.profile.reservoir.lasts_min, "h")
        message = f"would be empty after {units.show(lasts_ms, 'h', 3)}; at least {least} are expected of this pump"
        yield error(facts, "reservoir.filled", message, "reservoir-short")


def bolus_above_day(facts: Facts) -> Iterator[Finding]:
    """A single bolus that is worth more than a whole day of the basal."""
    if facts.bolus_ng is None or not facts.daily_ng or facts.bolus_ng <= facts.daily_ng:
        return
    message = f"one bolus of {facts.mass(facts.bolus_ng)} is more than a day's basal, {facts.mass(facts.daily_ng)}"
    yield warning(facts, "bolus.max", message, "bolus-above-day")


SLIP_RULES: Final[tuple[Rule, ...]] = (dose_unit, concentration_unit, total_ratio, reservoir_time, bolus_above_day)
"""Rules about slips."""
