"""What a regimen file says of the basal, in any mode: its rates, its largest day, and what it starts with.

What cannot be known because of a mistake is None, so that one mistake does not hide the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final

from dosebench.base.toml_file import Key
from dosebench.base.units import DAY_MINUTES, DAY_MS, MINUTE_MS, Quantity
from dosebench.profile.model import Profile
from dosebench.regimen.amounts import as_mass, as_volume
from dosebench.regimen.document import Document
from dosebench.regimen.order import Pattern, PatternStep, RampStep
from dosebench.regimen.schema import WEEKDAYS, PatternTable

ALL_WEEK: Final = tuple(range(len(WEEKDAYS)))


@dataclass(frozen=True)
class BasalRate:
    """A rate that the file states: its key, what was written (None for a default), and nL/ms and ng/ms."""

    key: Key
    written: Quantity | None
    nl: Fraction | None
    ng: Fraction | None


@dataclass(frozen=True)
class Basal:
    """The basal of a regimen.

    Attributes:
        rates: Every rate that the mode may run at.
        day_nl, day_ng: Its largest calendar day, in nL and ng.
        week_ng: Monday to Sunday, in ng; of a titration seven of its largest day.
        start_ng: Dose per time with which it begins, in ng/ms: of a flex regimen its mean, of a titration its first.
        key: Where that largest day is stated.
        patterns, ramp: As in the order; None while something in them is wrong, empty in the other modes.
    """

    rates: tuple[BasalRate, ...]
    day_nl: Fraction | None
    day_ng: Fraction | None
    week_ng: Fraction | None
    start_ng: Fraction | None
    key: Key
    patterns: tuple[Pattern, ...] | None = ()
    ramp: tuple[RampStep, ...] | None = ()

    @property
    def largest(self) -> Fraction | None:
        """Its largest rate in nL/ms; None where any rate is unknown."""
        rates = [rate.nl for rate in self.rates]
        known = [rate for rate in rates if rate is not None]
        return None if len(known) < len(rates) else max(known, default=Fraction(0))

    @property
    def smallest(self) -> Fraction | None:
        """Its smallest rate in nL/ms; None where none is known."""
        return min((rate.nl for rate in self.rates if rate.nl is not None), default=None)


def minimum_rate(document: Document, profile: Profile | None, concentration: Fraction | None) -> Fraction | None:
    """The fallback rate in nL/ms: what the file says, else the pump's lowest."""
    if document.states("therapy", "minimum"):
        return as_volume(document.content.therapy.minimum, concentration)
    return profile.delivery.rate_min if profile else None


def derive_basal(document: Document, profile: Profile | None, concentration: Fraction | None) -> Basal:
    """The basal of the mode that the file names."""
    therapy = document.content.therapy
    if therapy.mode == "flex":
        return _derive_flex(document, concentration)
    if therapy.mode == "titration":
        return _derive_titration(document, concentration)
    if therapy.mode == "continuous":
        return _constant_basal(_state_rate(("therapy", "dose"), therapy.dose, concentration))
    if therapy.mode == "minimum_rate":
        nl = minimum_rate(document, profile, concentration)
        ng = nl * concentration if nl is not None and concentration is not None else None
        key = ("therapy", "minimum") if document.states("therapy", "minimum") else ("therapy", "mode")
        return _constant_basal(BasalRate(key, therapy.minimum, nl, ng))
    nothing = Fraction(0) if therapy.mode == "stopped" else None
    return Basal((), nothing, nothing, nothing, nothing, ("therapy", "mode"))


def _state_rate(key: Key, written: Quantity | None, concentration: Fraction | None) -> BasalRate:
    return BasalRate(key, written, as_volume(written, concentration), as_mass(written, concentration))


def _constant_basal(rate: BasalRate) -> Basal:
    nl, ng = _scale_rate(rate.nl, DAY_MS), _scale_rate(rate.ng, DAY_MS)
    return Basal((rate,), nl, ng, _scale_rate(ng, len(WEEKDAYS)), rate.ng, rate.key)


def _scale_rate(value: Fraction | None, factor: int) -> Fraction | None:
    return None if value is None else value * factor


# Titration


def _derive_titration(document: Document, concentration: Fraction | None) -> Basal:
    table = document.content.titration
    steps = (table.steps if table else None) or []
    rates = tuple(
        _state_rate(("titration", "steps", at, "dose"), step.dose, concentration) for at, step in enumerate(steps)
    )
    days = [step.after.value / DAY_MS if step.after else None for step in steps]
    whole = [int(day) for day in days if day is not None and day.denominator == 1]
    if not rates or len(whole) < len(days) or not is_rising(whole):
        return Basal(rates, None, None, None, rates[0].ng if rates else None, ("titration", "steps"), ramp=None)
    ramp = [RampStep(day, rate.nl) for day, rate in zip(whole, rates, strict=True) if rate.nl is not None]
    largest = max(rates, key=lambda rate: (rate.nl or 0, rate.ng or 0))
    day_nl, day_ng = _scale_rate(largest.nl, DAY_MS), _scale_rate(largest.ng, DAY_MS)
    return Basal(
        rates,
        day_nl,
        day_ng,
        _scale_rate(day_ng, len(WEEKDAYS)),
        rates[0].ng,
        largest.key,
        ramp=tuple(ramp) if len(ramp) == len(rates) else None,
    )


def is_rising(numbers: Sequence[int]) -> bool:
    """Whether the first is zero and each is above the one before."""
    return list(numbers[:1]) == [0] and all(a < b for a, b in pairwise(numbers))


# Flex


def _derive_flex(document: Document, concentration: Fraction | None) -> Basal:
    tables = document.content.therapy.pattern or []
    rates = [_pattern_rates(at, table, concentration) for at, table in enumerate(tables)]
    every = tuple(rate for pattern in rates for rate in pattern)
    key: Key = ("therapy", "pattern")
    days = weekday_patterns(document)
    starts = [pattern_starts(table) for table in tables]
    if days is None or None in starts:
        return Basal(every, None, None, None, None, key, patterns=None)
    minutes = [start for start in starts if start is not None]
    volumes = [_sum_day(start, [rate.nl for rate in own]) for start, own in zip(minutes, rates, strict=True)]
    doses = [_sum_day(start, [rate.ng for rate in own]) for start, own in zip(minutes, rates, strict=True)]
    largest = max(range(len(tables)), key=lambda at: (volumes[at] or 0, doses[at] or 0))
    known = [dose for dose in doses if dose is not None]
    week = sum((known[at] for at in days), Fraction(0)) if len(known) == len(doses) else None
    return Basal(
        every,
        volumes[largest] if None not in volumes else None,
        doses[largest] if week is not None else None,
        week,
        None if week is None else week / (len(WEEKDAYS) * DAY_MS),
        (*key, largest, "steps"),
        patterns=_derive_patterns(days, minutes, rates),
    )


def _pattern_rates(at: int, table: PatternTable, concentration: Fraction | None) -> list[BasalRate]:
    return [
        _state_rate(("therapy", "pattern", at, "steps", place, "rate"), step.rate, concentration)
        for place, step in enumerate(table.steps or [])
    ]


def pattern_days(document: Document, at: int) -> tuple[int, ...] | None:
    """Weekdays of a pattern: those that it names, or all where it is the only one; None where that is wrong."""
    tables = document.content.therapy.pattern or []
    days = tables[at].days
    if days is not None:
        return tuple(sorted(set(days)))
    return ALL_WEEK if len(tables) == 1 and not document.states("therapy", "pattern", at, "days") else None


def weekday_patterns(document: Document) -> tuple[int, ...] | None:
    """Number of the pattern of Monday to Sunday; None where a weekday is in none or in two of them."""
    patterns: dict[int, int] = {}
    for at in range(len(document.content.therapy.pattern or [])):
        days = pattern_days(document, at)
        if days is None or any(day in patterns for day in days):
            return None
        patterns |= dict.fromkeys(days, at)
    return tuple(patterns[day] for day in ALL_WEEK) if len(patterns) == len(ALL_WEEK) else None


def pattern_starts(table: PatternTable) -> list[int] | None:
    """Minutes at which the steps of a pattern begin; None where one is wrong, or their order is."""
    minutes = [step.at for step in table.steps or []]
    known = [minute for minute in minutes if minute is not None]
    return known if len(known) == len(minutes) and is_rising(known) else None


def _derive_patterns(
    days: Sequence[int], starts: Sequence[Sequence[int]], rates: Sequence[Sequence[BasalRate]]
) -> tuple[Pattern, ...] | None:
    patterns = []
    for at, (minutes, own) in enumerate(zip(starts, rates, strict=True)):
        steps = [PatternStep(m, rate.nl) for m, rate in zip(minutes, own, strict=True) if rate.nl is not None]
        if len(steps) < len(own):
            return None
        patterns.append(Pattern(tuple(day for day in ALL_WEEK if days[day] == at), tuple(steps)))
    return tuple(patterns)


def _sum_day(starts: Sequence[int], rates: Sequence[Fraction | None]) -> Fraction | None:
    """What a day of a pattern delivers, of rates that begin at those minutes; None where one is unknown."""
    total = Fraction(0)
    for rate, start, end in zip(rates, starts, [*starts[1:], DAY_MINUTES], strict=True):
        if rate is None:
            return None
        total += rate * (end - start) * MINUTE_MS
    return total
