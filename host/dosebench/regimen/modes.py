"""What a pump does not allow in single modes: day patterns, titration, boluses, priming and the bridge."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Final

from dosebench_protocol.tables import FLEX_STEPS_MAX, PATTERNS_MAX, RATES_MAX, TITRATION_STEPS_MAX

from dosebench.base import units
from dosebench.base.toml_file import Key
from dosebench.base.units import DAY_MS, HOUR_MS, MINUTE_MS, Quantity, show_time
from dosebench.regimen.amounts import SPAN_MS_MAX, exact_ms
from dosebench.regimen.basal import pattern_days
from dosebench.regimen.boluses import previous_concentration
from dosebench.regimen.facts import Facts
from dosebench.regimen.findings import Finding, Rule, make_error, make_warning, volume_rate
from dosebench.regimen.order import PatientBolus, PeriodicBolus
from dosebench.regimen.schema import WEEKDAYS, PatternTable
from dosebench.therapy.cap_windows import window_steps

TITRATION_DAYS_MAX: Final = 255
"""Latest step of a titration, in days of delivery."""

PERIOD_MS_MIN: Final = MINUTE_MS
PERIOD_MS_MAX: Final = DAY_MS
"""A periodic bolus comes at most once a minute and at least once a day, so that a day's total always shows it."""

LOCKOUT_MS_MAX: Final = DAY_MS

# Flex


def check_patterns(facts: Facts) -> Iterator[Finding]:
    """Day patterns: each weekday in one of them, steps from 00:00 on in order, and no more than the pump holds."""
    content = facts.document.content
    tables = content.therapy.pattern
    if tables is None or content.therapy.mode != "flex":
        return
    if not 1 <= len(tables) <= PATTERNS_MAX:
        message = f"the pump holds 1 to {PATTERNS_MAX} day patterns, these are {len(tables)}"
        yield make_error(facts, "therapy.pattern", message, "pattern-days")
    yield from _check_weekdays(facts, len(tables))
    for at, table in enumerate(tables):
        yield from _pattern_steps(facts, ("therapy", "pattern", at, "steps"), table)
    different = {rate.nl for rate in facts.basal.rates}
    if len(different) > RATES_MAX:
        message = f"these are {len(different)} different rates; the pump holds {RATES_MAX}"
        yield make_error(facts, "therapy.pattern", message, "rates-count")


def _check_weekdays(facts: Facts, count: int) -> Iterator[Finding]:
    seen: dict[int, int] = {}
    unsure = False
    for at in range(count):
        key: Key = ("therapy", "pattern", at, "days")
        days = pattern_days(facts.document, at)
        unsure = unsure or (days is None and facts.document.states(*key))
        if days is None and not facts.document.states(*key):
            yield make_error(facts, key, "name its days, because there are several patterns", "pattern-days")
        if days == ():
            yield make_error(facts, key, "names no day", "pattern-days")
        for day in days or ():
            if day in seen:
                message = f'"{WEEKDAYS[day]}" is in pattern {seen[day] + 1} already'
                yield make_error(facts, key, message, "pattern-days")
            seen.setdefault(day, at)
    missing = [name for day, name in enumerate(WEEKDAYS) if day not in seen]
    if missing and count and not unsure:
        yield make_error(facts, "therapy.pattern", f"no pattern for {', '.join(missing)}", "pattern-days")


def _pattern_steps(facts: Facts, key: Key, table: PatternTable) -> Iterator[Finding]:
    steps = table.steps
    if steps is None:
        return
    if not 1 <= len(steps) <= FLEX_STEPS_MAX:
        yield make_error(
            facts, key, f"a pattern has 1 to {FLEX_STEPS_MAX} steps, this one {len(steps)}", "pattern-order"
        )
    if steps and steps[0].at:
        yield make_error(facts, (*key, 0, "at"), 'the first step of a day is at "00:00"', "pattern-order")
    for place, (a, b) in enumerate(pairwise(steps), 1):
        if a.at is not None and b.at is not None and a.at >= b.at:
            message = f"{_format_minute(b.at)} is not after the step before it, {_format_minute(a.at)}"
            yield make_error(facts, (*key, place, "at"), message, "pattern-order")


def _format_minute(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


# Titration


def titration_order(facts: Facts) -> Iterator[Finding]:
    """Steps of a titration: the first after 0 days, then after more and more whole days."""
    table = facts.document.content.titration
    if table is None or table.steps is None or facts.document.content.therapy.mode != "titration":
        return
    key: Key = ("titration", "steps")
    if not 1 <= len(table.steps) <= TITRATION_STEPS_MAX:
        message = f"a titration has 1 to {TITRATION_STEPS_MAX} steps, this one {len(table.steps)}"
        yield make_error(facts, key, message, "titration-order")
    before: Fraction | None = None
    for at, step in enumerate(table.steps):
        if step.after is None:
            before = None
            continue
        day = step.after.value / DAY_MS
        if day.denominator != 1 or day > TITRATION_DAYS_MAX:
            message = f"steps come after whole days, 0 to {TITRATION_DAYS_MAX}"
            yield make_error(facts, (*key, at, "after"), message, "titration-order")
        if at == 0 and day != 0:
            yield make_error(facts, (*key, at, "after"), 'the first step is after "0 days"', "titration-order")
        if before is not None and day <= before:
            yield make_error(facts, (*key, at, "after"), "is not later than the step before it", "titration-order")
        before = day


def titration_change(facts: Facts) -> Iterator[Finding]:
    """Steps that rise more than the file, or the drug library, bounds them to: the pump refuses those too."""
    bound = facts.change_permille
    if facts.document.content.therapy.mode != "titration" or facts.change_max is None or not facts.change_max:
        return
    said = facts.document.states("titration", "change_max")
    if not 1 <= bound <= 65535:
        yield make_error(facts, "titration.change_max", 'is from "0.1 %" to "6553.5 %"', "titration-change")
        return
    for old, new in pairwise(facts.basal.rates):
        if not old.nl or new.nl is None or new.nl * 1000 <= old.nl * (1000 + bound):
            continue
        rise = units.format_decimal((new.nl / old.nl - 1) * 100, 3)
        most = f"{units.format_decimal(Fraction(bound, 10))} %"
        reason = f"titration.change_max allows {most}"
        if not said:
            reason = f"{most} is usual for this drug, and more needs titration.change_max"
        yield make_error(facts, new.key, f"rises by {rise} % over the step before; {reason}", "titration-change")


# Boluses


def check_durations(facts: Facts) -> Iterator[Finding]:
    """Times of boluses in whole milliseconds that the pump can hold."""
    content = facts.document.content
    tables = {"patient_bolus": (content.patient_bolus, "lockout"), "periodic_bolus": (content.periodic_bolus, "every")}
    for name, (table, other) in tables.items():
        for key in ("over", other):
            quantity: Quantity | None = getattr(table, key, None)
            if quantity is not None and quantity.value and exact_ms(quantity) is None:
                message = f'"{quantity.text}" is not 1 ms to {show_time(SPAN_MS_MAX)} in whole milliseconds'
                yield make_error(facts, (name, key), message, "duration")


def bolus_size(facts: Facts) -> Iterator[Finding]:
    """Boluses that are at least a step and at most what the pump gives at once."""
    profile, extras = facts.profile, facts.boluses
    if profile is None:
        return
    sizes = {
        "bolus.max": extras.max_nl,
        "square_bolus.max": extras.square_nl,
        "patient_bolus.dose": extras.patient.volume if extras.patient else None,
        "periodic_bolus.dose": extras.periodic.volume if extras.periodic else None,
        "catheter.volume": extras.priming.volume if extras.priming else None,
    }
    for key, volume in sizes.items():
        if volume and volume < profile.delivery.step_volume:
            step = units.format_amount(profile.delivery.step_volume, "uL")
            message = f"{units.format_amount(volume, 'uL')} is less than one step, {step}"
            yield make_error(facts, key, message, "bolus-size")
        if volume and volume > profile.caps.bolus:
            what = "priming of " if key == "catheter.volume" else ""
            message = f"{what}{units.format_amount(volume, 'mL')} is above the largest bolus of {profile.name}, "
            yield make_error(facts, key, message + units.format_amount(profile.caps.bolus, "mL"), "bolus-size")


def bolus_speed(facts: Facts) -> Iterator[Finding]:
    """Boluses that go as fast as the pump can at most, and what the basal leaves of that (R7)."""
    profile, limit = facts.profile, facts.bolus_limit
    if profile is None:
        return
    slowest, fastest = profile.delivery.rate_min, profile.delivery.rate_max
    for key, rate in _asked_rates(facts).items():
        too_slow = rate < slowest and key == "bolus.rate"
        if too_slow or rate > fastest:
            limits = f"{volume_rate(slowest)} to {volume_rate(fastest)}"
            message = f"{volume_rate(rate)} is outside of what {profile.name} can do, {limits}"
            yield make_error(facts, key, message, "bolus-rate")
        elif limit is None or key == "priming.rate":
            continue
        elif limit < profile.count_steps(slowest):
            message = f"the basal leaves nothing of the pump's highest rate, {volume_rate(fastest)}, to a bolus"
            yield make_error(facts, key, message, "bolus-rate")
        elif profile.count_steps(rate) > limit:
            used = limit * profile.delivery.step_volume
            message = (
                f"runs at {volume_rate(used)}, what the largest basal leaves of the pump's highest rate, in place of "
            )
            message += f"{volume_rate(rate)}: it takes {units.format_decimal(rate / used, 4)} times as long"
            yield make_warning(facts, key, message, "bolus-limited", confirm=False)


def _asked_rates(facts: Facts) -> dict[str, Fraction]:
    """Rates in nL/ms at which boluses of the file are to run, by the key that says so."""
    extras = facts.boluses
    rates = {
        "bolus.rate": extras.rate if facts.document.states("bolus") else None,
        "patient_bolus.over": extras.patient.volume / extras.patient.over_ms if extras.patient else None,
        "periodic_bolus.over": extras.periodic.volume / extras.periodic.over_ms if extras.periodic else None,
        "priming.rate": extras.priming.rate if extras.priming else None,
    }
    return {key: rate for key, rate in rates.items() if rate is not None}


def patient_bolus(facts: Facts) -> Iterator[Finding]:
    """A lockout that outlasts the bolus, and that is no longer than a day."""
    bolus = facts.boluses.patient
    if bolus is None:
        return
    takes = _bolus_ms(facts, bolus)
    if takes is not None and bolus.lockout_ms < takes:
        message = f"{show_time(bolus.lockout_ms)} is shorter than the bolus, which takes {show_time(takes)}"
        yield make_error(facts, "patient_bolus.lockout", message, "patient-lockout")
    if bolus.lockout_ms > LOCKOUT_MS_MAX:
        message = f"{show_time(bolus.lockout_ms)} is more than the pump can hold, {show_time(LOCKOUT_MS_MAX)}"
        yield make_error(facts, "patient_bolus.lockout", message, "patient-lockout")


def periodic_bolus(facts: Facts) -> Iterator[Finding]:
    """A period that outlasts the bolus, from a minute to a day."""
    bolus = facts.boluses.periodic
    if bolus is None:
        return
    takes = _bolus_ms(facts, bolus)
    if not PERIOD_MS_MIN <= bolus.every_ms <= PERIOD_MS_MAX:
        limits = f"{show_time(PERIOD_MS_MIN)} to {show_time(PERIOD_MS_MAX)}"
        yield make_error(facts, "periodic_bolus.every", f"a period is from {limits}", "periodic-period")
    elif takes is not None and bolus.every_ms <= takes:
        message = f"{show_time(bolus.every_ms)} is not longer than the bolus, which takes {show_time(takes)}"
        yield make_error(facts, "periodic_bolus.every", message, "periodic-period")


def _bolus_ms(facts: Facts, bolus: PatientBolus | PeriodicBolus) -> Fraction | None:
    """How long a bolus takes, with the rate that is left to it."""
    if facts.profile is None:
        return None
    steps = math.floor(facts.profile.count_steps(bolus.volume))
    limit = facts.bolus_limit
    asked = Fraction(bolus.over_ms)
    return asked if not limit or limit <= 0 else max(asked, steps / limit)


# Bridge


def bridge_known(facts: Facts) -> Iterator[Finding]:
    """A bridge whose old drug and concentration are known and do not contradict the therapy in force."""
    document, before = facts.document, facts.previous
    if document.content.bridge is None:
        return
    held = previous_concentration(document, before.concentration if before else None)
    if facts.document.content.therapy.mode == "stopped":
        yield make_error(facts, "bridge", 'mode "stopped" delivers nothing that a bridge could lead to', "bridge-mode")
    if before is not None and not facts.same_drug:
        message = f'pump path and catheter hold another drug, "{before.drug}": a bridge cannot lead from it'
        yield make_error(facts, "bridge", message, "bridge-unknown")
    elif held is None and not document.states("bridge", "previous_concentration"):
        message = "what do pump path and catheter still hold? Say it as previous_concentration, or check this file "
        message += "against the therapy in force"
        yield make_error(facts, "bridge", message, "bridge-unknown")
    elif held is not None and before is not None and held != before.concentration:
        message = f"the therapy in force has {units.format_amount(before.concentration, f'{facts.unit}/mL')}"
        yield make_error(facts, "bridge.previous_concentration", message, "bridge-unknown")
    elif held is not None and held == facts.concentration:
        message = "old and new concentration are the same: no bridge runs"
        yield make_warning(facts, "bridge", message, "bridge-unused", confirm=False)


def bridge_rate(facts: Facts) -> Iterator[Finding]:
    """A bridge that the pump can run: within its rates, its own caps, and what it can count."""
    bridge, profile = facts.bridge, facts.profile
    if bridge is None or profile is None:
        return
    fraction = facts.fraction_of(bridge.rate)
    if fraction is None:
        limits = f"{volume_rate(profile.delivery.rate_min)} to {volume_rate(profile.delivery.rate_max)}"
        message = f"needs {volume_rate(bridge.rate)} of the old solution; {profile.name} can do {limits}"
        yield make_error(facts, "bridge", message, "bridge-rate")
        return
    for span_ms, cap in ((HOUR_MS, profile.caps.hour), (DAY_MS, profile.caps.day)):
        if window_steps(fraction, span_ms) > profile.count_steps(cap):
            message = f"needs {volume_rate(bridge.rate)} of the old solution, more than {profile.name} lets through in "
            yield make_error(
                facts, "bridge", f"{message}{show_time(span_ms)}, {units.format_amount(cap, 'mL')}", "bridge-rate"
            )
    if bridge.volume < profile.delivery.step_volume or bridge.volume > profile.reservoir.capacity:
        message = f"{units.format_amount(bridge.volume, 'mL')} of path and catheter cannot be bridged by {profile.name}"
        yield make_error(facts, "catheter.volume", message, "bridge-rate")
    worth = profile.delivery.step_volume * bridge.concentration
    if max(worth.numerator, worth.denominator) > SPAN_MS_MAX:
        message = "has more digits than the pump can hold; round it"
        yield make_error(facts, "bridge.previous_concentration", message, "digits")


def check_bridge(facts: Facts) -> Iterator[Finding]:
    """What a bridge will do, which a person confirms; and boluses that hold old drug meanwhile."""
    bridge = facts.bridge
    if bridge is None or facts.concentration is None or facts.basal.start_ng is None:
        return
    old_ng = bridge.volume * bridge.concentration
    after = volume_rate(facts.basal.start_ng / facts.concentration)
    message = (
        f"{units.format_amount(bridge.volume, 'mL')} of the old solution, {facts.format_mass(old_ng)}, run first: "
    )
    message += (
        f"{volume_rate(bridge.rate)} for {units.format_amount(bridge.volume / bridge.rate, 'h', 4)}, then {after}"
    )
    yield make_warning(facts, "bridge", message, "bridge")
    extras = facts.boluses
    if extras.max_nl or extras.square_nl or extras.patient or extras.periodic:
        share = units.format_decimal(bridge.concentration / facts.concentration, 3)
        message = f"until then a bolus, which is given by volume, holds {share} times its dose"
        yield make_warning(facts, "bridge", message, "bridge-bolus")


def check_unbridged(facts: Facts) -> Iterator[Finding]:
    """What a change of concentration does without a bridge, as far as pump path and catheter are known (C7)."""
    before, path = facts.previous, facts.boluses.path_nl
    if before is None or not path or facts.concentration is None or facts.bridge or not facts.basal.start_ng:
        return
    if before.concentration == facts.concentration or facts.document.content.bridge is not None:
        return
    rate = facts.basal.start_ng / facts.concentration
    message = f"without a [bridge], {facts.format_dose(rate * before.concentration * DAY_MS)} flow for "
    message += units.format_amount(path / rate, "h", 4)
    yield make_warning(facts, "catheter", message, "no-bridge")


MODE_RULES: Final[tuple[Rule, ...]] = (
    check_patterns,
    titration_order,
    titration_change,
    check_durations,
    bolus_size,
    bolus_speed,
    patient_bolus,
    periodic_bolus,
    bridge_known,
    bridge_rate,
    check_bridge,
    check_unbridged,
)
"""Rules about single modes."""
