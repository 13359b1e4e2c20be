"""What a pump does not allow: rates, levels, caps and whole numbers; the rules of single modes are in `modes`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from dosebench_protocol.tables import CAP_MINUTES_MAX, COUNT_MAX, FRACTION_MAX, GUARD_CAPS_MAX

from dosebench.base import units
from dosebench.base.toml_file import Key
from dosebench.base.units import DAY_MS, HOUR_MS, MINUTE_MS, Quantity, show_time
from dosebench.profile.model import Profile
from dosebench.regimen.facts import CapFact, Facts
from dosebench.regimen.findings import Finding, Rule, dose_and_volume, make_error, make_warning, volume_rate
from dosebench.therapy.cap_windows import window_steps
from dosebench.therapy.fractions import ROUNDING_STEPS_MAX, rounding_steps

FIXED_MODES: Final = ("minimum_rate", "stopped")


def check_zeros(facts: Facts) -> Iterator[Finding]:
    """Figures that must be above zero."""
    content = facts.document.content
    tables = {
        "drug": (content.drug, ("concentration",)),
        "reservoir": (content.reservoir, ("filled",)),
        "catheter": (content.catheter, ("volume", "pump_path")),
        "bolus": (content.bolus, ("max",)),
        "square_bolus": (content.square_bolus, ("max",)),
        "patient_bolus": (content.patient_bolus, ("dose", "over", "lockout")),
        "periodic_bolus": (content.periodic_bolus, ("dose", "over", "every")),
        "bridge": (content.bridge, ("previous_concentration",)),
        "titration": (content.titration, ("change_max",)),
        "limits": (content.limits, ("per_hour", "per_day")),
    }
    for table, (values, names) in tables.items():
        for name in names:
            yield from _check_zero(facts, (table, name), getattr(values, name, None))
    for at, cap in enumerate(content.limits.cap or []):
        yield from _check_zero(facts, ("limits", "cap", at, "dose"), cap.dose)


def _check_zero(facts: Facts, key: Key, quantity: Quantity | None) -> Iterator[Finding]:
    if quantity is not None and quantity.value == 0:
        yield make_error(facts, key, "must be above zero", "zero")


def rate_range(facts: Facts) -> Iterator[Finding]:
    """Basal and minimum rate within what the pump can do."""
    therapy, profile = facts.document.content.therapy, facts.profile
    if profile is None:
        return
    rates = [(rate.key, rate.nl) for rate in facts.basal.rates if therapy.mode not in FIXED_MODES]
    if therapy.minimum is not None:
        rates.append((("therapy", "minimum"), facts.minimum))
    for key, rate in rates:
        if rate is not None and rate < profile.delivery.rate_min:
            message = f"is below the lowest rate of {profile.name}, "
            message += dose_and_volume(facts, profile.delivery.rate_min)
            yield make_error(facts, key, f"{dose_and_volume(facts, rate)} {message}", "rate-below-minimum")
        if rate is not None and rate > profile.delivery.rate_max:
            message = f"is above the highest rate of {profile.name}, "
            message += dose_and_volume(facts, profile.delivery.rate_max)
            yield make_error(facts, key, f"{dose_and_volume(facts, rate)} {message}", "rate-above-maximum")


def basal_below_hard_cap(facts: Facts) -> Iterator[Finding]:
    """What the pump's own caps would stop: one step is spared, because caps are kept in whole nanograms."""
    profile = facts.profile
    if profile is None or facts.rate is None:
        return
    for name, span_ms, cap in (("hour", HOUR_MS, profile.caps.hour), ("day", DAY_MS, profile.caps.day)):
        steps = facts.window_steps(span_ms)
        if steps is not None and steps + 1 > profile.count_steps(cap):
            message = f"{dose_and_volume(facts, facts.rate)}{_format_periodic(facts)} needs all or more of what "
            message += f"{profile.name} lets through in a {name}, {units.format_amount(cap, 'mL')}"
            yield make_error(facts, facts.basal.key, message, "above-hard-cap")


def _format_periodic(facts: Facts) -> str:
    return " with its periodic boluses" if facts.boluses.periodic else ""


def unused_dose(facts: Facts) -> Iterator[Finding]:
    """A dose that the mode does not deliver."""
    content = facts.document.content
    mode = content.therapy.mode
    stated: tuple[tuple[str, object, str], ...] = (
        ("therapy.dose", content.therapy.dose, "continuous"),
        ("therapy.pattern", content.therapy.pattern, "flex"),
        ("titration", content.titration, "titration"),
    )
    for key, value, needed in stated:
        if value is not None and mode is not None and mode != needed:
            yield make_warning(facts, key, f'is not delivered in mode "{mode}"', "dose-unused", confirm=False)


def minimum_above_basal(facts: Facts) -> Iterator[Finding]:
    """A fallback that is faster than the therapy ever is."""
    therapy, smallest = facts.document.content.therapy, facts.basal.smallest
    if therapy.mode in FIXED_MODES or therapy.minimum is None or facts.minimum is None or not smallest:
        return
    if facts.minimum > smallest:
        message = f"the minimum rate, {volume_rate(facts.minimum)}, is above the dose, {volume_rate(smallest)}"
        yield make_error(facts, "therapy.minimum", message, "minimum-above-dose")


def reservoir_levels(facts: Facts) -> Iterator[Finding]:
    """A reservoir that holds what is filled in, and levels in their order."""
    if facts.filled is not None and facts.profile is not None and facts.filled > facts.profile.reservoir.capacity:
        capacity = units.format_amount(facts.profile.reservoir.capacity, "mL")
        message = f"{units.format_amount(facts.filled, 'mL')} is more than {facts.profile.name} holds, {capacity}"
        yield make_error(facts, "reservoir.filled", message, "reservoir-size")
    if facts.filled and facts.low is not None and not _is_below(facts, facts.low, facts.filled):
        message = f"the low alarm, at {units.format_amount(facts.low, 'mL')}, is not below the filling, "
        yield make_error(facts, "reservoir.low", message + units.format_amount(facts.filled, "mL"), "level-order")
    if facts.low is not None and facts.empty is not None and facts.empty >= facts.low:
        message = (
            f"empty, at {units.format_amount(facts.empty, 'mL')}, is not below low, at "
            f"{units.format_amount(facts.low, 'mL')}"
        )
        yield make_error(facts, "reservoir.empty", message, "level-order")


def _is_below(facts: Facts, level: Fraction, content: Fraction) -> bool:
    """Whether a level is below a content, in the whole steps that the pump stores where the pump is known."""
    if facts.profile is None:
        return level < content
    return math.ceil(facts.profile.count_steps(level)) < math.floor(facts.profile.count_steps(content))


# Caps


def cap_windows(facts: Facts) -> Iterator[Finding]:
    """Windows that the pump has, each once, and no more caps than it can hold."""
    seen: list[int] = []
    for cap in facts.caps:
        if cap.key is not None and cap.window_ms is not None:
            yield from _cap_window(facts, cap, seen)
        seen += [cap.minutes] if cap.minutes else []
    if len(facts.caps) > GUARD_CAPS_MAX:
        message = f"makes {len(facts.caps)} caps with those of an hour and of 24 hours; the pump holds {GUARD_CAPS_MAX}"
        yield make_error(facts, "limits.cap", message, "cap-window")


def _cap_window(facts: Facts, cap: CapFact, seen: list[int]) -> Iterator[Finding]:
    key = _window_key(cap)
    if cap.minutes is None or not 1 <= cap.minutes <= CAP_MINUTES_MAX:
        message = f"a window is 1 to {CAP_MINUTES_MAX} whole minutes, this is {show_time(cap.window_ms or 0)}"
        yield make_error(facts, key, message, "cap-window")
    elif cap.minutes in seen:
        yield make_error(facts, key, f"there is another cap of {show_time(cap.minutes * MINUTE_MS)}", "cap-window")


def _window_key(cap: CapFact) -> Key:
    assert cap.key is not None
    return (*cap.key, "window") if len(cap.key) == 3 else cap.key


def _cap_key(cap: CapFact) -> Key:
    assert cap.key is not None
    return (*cap.key, "dose") if len(cap.key) == 3 else cap.key


def caps_against_basal(facts: Facts) -> Iterator[Finding]:
    """Caps of the file that the basal itself, or a bolus on top of it, would run into."""
    for cap in facts.caps:
        if cap.key is not None and cap.ng and cap.minutes and cap.minutes <= CAP_MINUTES_MAX:
            yield from _cap_against_basal(facts, cap, cap.ng, cap.minutes * MINUTE_MS)


def _cap_against_basal(facts: Facts, cap: CapFact, cap_ng: Fraction, span_ms: int) -> Iterator[Finding]:
    steps, largest, profile = facts.window_steps(span_ms), _largest_bolus_ng(facts), facts.profile
    if facts.step_ng is None or facts.fraction is None or steps is None or largest is None or profile is None:
        return
    days = math.ceil(Fraction(span_ms, DAY_MS))
    basal = min(facts.fraction * span_ms * facts.step_ng, days * (facts.basal.day_ng or Fraction(0)))
    needed = max(steps * facts.step_ng, _bridge_ng(facts, profile, span_ms))
    key, shown = _cap_key(cap), facts.format_mass(cap_ng)
    if math.floor(cap_ng) < needed:
        what = "the basal and its periodic boluses" if facts.boluses.periodic else "the basal"
        message = f"{shown} is below the {facts.format_mass(needed)} that the pump may count of {what} alone"
        yield make_error(facts, key, message, "cap-below-basal")
    elif largest > cap_ng - basal:
        message = f"{shown} leaves no room for the largest bolus on top of the basal's {facts.format_mass(basal)}"
        yield make_error(facts, key, message, "cap-below-bolus")
    elif cap_ng < basal * (1 + profile.delivery.lease / span_ms):
        message = (
            f"{shown} is near the basal's {facts.format_mass(basal)}: after a reset, an hour of basal may count as "
        )
        message += "delivered that was not, and the pump will then pause"
        yield make_warning(facts, key, message, "cap-tight", confirm=False)


def _largest_bolus_ng(facts: Facts) -> Fraction | None:
    if facts.bolus_ng is None or facts.concentration is None:
        return None
    patient = facts.boluses.patient.volume if facts.boluses.patient else Fraction(0)
    return max(facts.bolus_ng, patient * facts.concentration)


def _bridge_ng(facts: Facts, profile: Profile, span_ms: int) -> Fraction:
    """What the pump may count of the bridge, in ng, rounded up by a step of the new drug at either end."""
    fraction = facts.fraction_of(facts.bridge.rate) if facts.bridge else None
    if facts.bridge is None or fraction is None or facts.step_ng is None:
        return Fraction(0)
    held_ng = profile.delivery.step_volume * facts.bridge.concentration
    return window_steps(fraction, span_ms) * held_ng + 2 * facts.step_ng


def caps_against_hard(facts: Facts) -> Iterator[Finding]:
    """Caps of the file that are above the pump's own, or above what it can count."""
    profile = facts.profile
    if profile is None or facts.concentration is None:
        return
    for cap in facts.caps:
        if cap.key is None or cap.ng is None or cap.window_ms is None:
            continue
        hours, days = math.ceil(cap.window_ms / HOUR_MS), math.ceil(cap.window_ms / DAY_MS)
        hard_nl = min(hours * profile.caps.hour, days * profile.caps.day)
        most = min(hard_nl * facts.concentration, Fraction(COUNT_MAX))
        if cap.ng > most:
            message = (
                f"{facts.format_mass(cap.ng)} is above what {profile.name} can be given, {facts.format_mass(most)}"
            )
            yield make_error(facts, _cap_key(cap), message, "cap-above-hard")


# Whole numbers


def check_counts(facts: Facts) -> Iterator[Finding]:
    """Figures that fit the whole numbers of the pump."""
    if facts.step_ng is not None and max(facts.step_ng.numerator, facts.step_ng.denominator) > FRACTION_MAX:
        yield make_error(facts, "drug.concentration", "has more digits than the pump can hold; round it", "digits")
    if facts.step_ng is not None and 0 < facts.step_ng < 1:
        message = (
            f"leaves {units.format_amount(facts.step_ng, 'ng', 3)} in a motor step; the pump counts drug in "
            f"whole nanograms"
        )
        yield make_error(facts, "drug.concentration", message, "count")
    if facts.daily_ng is not None and facts.daily_ng > COUNT_MAX:
        message = (
            f"{facts.format_dose(facts.daily_ng)} is more than the pump can count, "
            f"{facts.format_dose(Fraction(COUNT_MAX))}"
        )
        yield make_error(facts, facts.basal.key, message, "count")


def check_rounding(facts: Facts) -> Iterator[Finding]:
    """A rate whose fraction costs more than a thousandth of a step in ten years."""
    if facts.profile is None:
        return
    for rate in facts.basal.rates:
        fraction = facts.fraction_of(rate.nl) if rate.nl is not None else None
        if rate.nl is None or fraction is None:
            continue
        lost = rounding_steps(facts.profile.count_steps(rate.nl), fraction)
        if abs(lost) >= ROUNDING_STEPS_MAX:
            message = f"as the pump's fraction this dose is off by {units.format_decimal(lost, 2)} steps in ten years"
            yield make_warning(facts, rate.key, message, "rounding", confirm=False)


PUMP_RULES: Final[tuple[Rule, ...]] = (
    check_zeros,
    rate_range,
    basal_below_hard_cap,
    unused_dose,
    minimum_above_basal,
    reservoir_levels,
    cap_windows,
    caps_against_basal,
    caps_against_hard,
    check_counts,
    check_rounding,
)
"""Rules about every pump and mode."""
