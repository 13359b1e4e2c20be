"""What a pump or a drug does not allow, or allows only once a person has confirmed it.

Each rule is a function of `Facts` that yields problems; a rule whose figures are unknown yields nothing. An error
refuses, a warning is shown; both name the key, the line, the figure, the limit and where the limit comes from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from dosebench_protocol.messages import COUNT_MAX, FRACTION_MAX

from dosebench import units
from dosebench.drugs import DoseFigure, PercentFigure
from dosebench.facts import Facts
from dosebench.program import ROUNDING_STEPS_MAX, rounding_steps, window_steps
from dosebench.tomlfile import Key, Problem
from dosebench.units import DAY_MS, HOUR_MS


@dataclass(frozen=True)
class Finding:
    """A problem and whether it refuses."""

    problem: Problem
    is_error: bool


Rule = Callable[[Facts], Iterator[Finding]]


def findings(facts: Facts, rules: tuple[Rule, ...]) -> Iterator[Finding]:
    """What all `rules` find."""
    for rule in rules:
        yield from rule(facts)


def error(facts: Facts, key: str, message: str, code: str) -> Finding:
    """A finding that refuses; `key` is a dotted path."""
    return Finding(facts.document.file.problem(_path(key), message, code), True)


def warning(facts: Facts, key: str, message: str, code: str, *, confirm: bool = True) -> Finding:
    """A finding that is shown, and that a person must confirm unless `confirm` is false; `key` is a dotted path."""
    return Finding(facts.document.file.problem(_path(key), message, code, needs_confirm=confirm), False)


def _path(key: str) -> Key:
    return tuple(key.split(".")) if key else ()


def volume_rate(rate: Fraction) -> str:
    """A rate as text, in mL/day."""
    return units.show(rate, "mL/day")


def zeros(facts: Facts) -> Iterator[Finding]:
    """Figures that must be above zero."""
    content = facts.document.content
    bolus = content.bolus
    figures = (
        ("drug.concentration", content.drug.concentration),
        ("reservoir.filled", content.reservoir.filled),
        ("bolus.max", bolus.max if bolus else None),
        ("limits.per_hour", content.limits.per_hour),
        ("limits.per_day", content.limits.per_day),
    )
    for key, quantity in figures:
        if quantity is not None and quantity.value == 0:
            yield error(facts, key, "must be above zero", "zero")


def rate_range(facts: Facts) -> Iterator[Finding]:
    """Basal and minimum rate within what the pump can do."""
    content, profile = facts.document.content, facts.profile
    if profile is None:
        return
    rates = []
    if content.therapy.mode == "continuous" and facts.rate is not None:
        rates.append(("therapy.dose", facts.rate))
    if content.therapy.minimum is not None and facts.minimum is not None:
        rates.append(("therapy.minimum", facts.minimum))
    for key, rate in rates:
        if rate < profile.delivery.rate_min:
            message = f"is below the lowest rate of {profile.name}, {_both(facts, profile.delivery.rate_min)}"
            yield error(facts, key, f"{_both(facts, rate)} {message}", "rate-below-minimum")
        if rate > profile.delivery.rate_max:
            message = f"is above the highest rate of {profile.name}, {_both(facts, profile.delivery.rate_max)}"
            yield error(facts, key, f"{_both(facts, rate)} {message}", "rate-above-maximum")


def _both(facts: Facts, rate: Fraction) -> str:
    """A rate as volume and, where the concentration is known, as dose."""
    if facts.concentration is None:
        return volume_rate(rate)
    return f"{facts.dose(rate * facts.concentration * DAY_MS)} ({volume_rate(rate)})"


def basal_below_hard_cap(facts: Facts) -> Iterator[Finding]:
    """A basal that the pump's own caps would stop: one step is spared, because caps are kept in whole nanograms."""
    profile, fraction = facts.profile, facts.fraction
    if profile is None or fraction is None or facts.rate is None:
        return
    for name, span_ms, cap in (("hour", HOUR_MS, profile.caps.hour), ("day", DAY_MS, profile.caps.day)):
        if window_steps(fraction, span_ms) + 1 > profile.steps(cap):
            most = units.show(cap, "mL")
            message = (
                f"{_both(facts, facts.rate)} needs all or more of what {profile.name} lets through in a {name}, {most}"
            )
            yield error(facts, "therapy.dose", message, "above-hard-cap")


def unused_dose(facts: Facts) -> Iterator[Finding]:
    """A dose that the mode does not deliver."""
    therapy = facts.document.content.therapy
    if therapy.dose is not None and therapy.mode in ("minimum_rate", "stopped"):
        message = f'is not delivered in mode "{therapy.mode}"'
        yield warning(facts, "therapy.dose", message, "dose-unused", confirm=False)


def minimum_above_basal(facts: Facts) -> Iterator[Finding]:
    """A fallback that is faster than the therapy."""
    therapy = facts.document.content.therapy
    if therapy.mode != "continuous" or therapy.minimum is None or facts.minimum is None:
        return
    if facts.rate and facts.minimum > facts.rate:
        message = f"the minimum rate, {volume_rate(facts.minimum)}, is above the dose, {volume_rate(facts.rate)}"
        yield error(facts, "therapy.minimum", message, "minimum-above-dose")


def reservoir_levels(facts: Facts) -> Iterator[Finding]:
    """A reservoir that holds what is filled in, and levels in their order."""
    if facts.filled is not None and facts.profile is not None and facts.filled > facts.profile.reservoir.capacity:
        capacity = units.show(facts.profile.reservoir.capacity, "mL")
        message = f"{units.show(facts.filled, 'mL')} is more than {facts.profile.name} holds, {capacity}"
        yield error(facts, "reservoir.filled", message, "reservoir-size")
    if facts.filled and facts.low is not None and not _is_below(facts, facts.low, facts.filled):
        message = f"the low alarm, at {units.show(facts.low, 'mL')}, is not below the filling, "
        yield error(facts, "reservoir.low", message + units.show(facts.filled, "mL"), "level-order")
    if facts.low is not None and facts.empty is not None and facts.empty >= facts.low:
        message = f"empty, at {units.show(facts.empty, 'mL')}, is not below low, at {units.show(facts.low, 'mL')}"
        yield error(facts, "reservoir.empty", message, "level-order")


def _is_below(facts: Facts, level: Fraction, content: Fraction) -> bool:
    """Whether a level is below a content, in the whole steps that the pump stores where the pump is known."""
    if facts.profile is None:
        return level < content
    return math.ceil(facts.profile.steps(level)) < math.floor(facts.profile.steps(content))


def bolus_size(facts: Facts) -> Iterator[Finding]:
    """A clinician bolus that the pump can give."""
    profile, bolus_nl = facts.profile, facts.bolus_nl
    if profile is None or not bolus_nl:
        return
    if bolus_nl < profile.delivery.step_volume:
        message = (
            f"{units.show(bolus_nl, 'uL')} is less than one step, {units.show(profile.delivery.step_volume, 'uL')}"
        )
        yield error(facts, "bolus.max", message, "bolus-size")
    if bolus_nl > profile.caps.bolus:
        message = f"{units.show(bolus_nl, 'mL')} is above the largest bolus of {profile.name}, "
        yield error(facts, "bolus.max", message + units.show(profile.caps.bolus, "mL"), "bolus-size")


def bolus_speed(facts: Facts) -> Iterator[Finding]:
    """A bolus rate that the pump can do."""
    profile, rate = facts.profile, facts.bolus_rate
    if profile is None or rate is None or "bolus" not in facts.document.file.data:
        return
    if not profile.delivery.rate_min <= rate <= profile.delivery.rate_max:
        limits = f"{volume_rate(profile.delivery.rate_min)} to {volume_rate(profile.delivery.rate_max)}"
        message = f"{volume_rate(rate)} is outside of what {profile.name} can do, {limits}"
        yield error(facts, "bolus.rate", message, "bolus-rate")


def caps_against_basal(facts: Facts) -> Iterator[Finding]:
    """Caps of the file that the basal itself, or a bolus on top of it, would run into."""
    if facts.step_ng is None or facts.fraction is None or facts.bolus_ng is None:
        return
    windows = (("per_hour", HOUR_MS, facts.hour_cap, 2), ("per_day", DAY_MS, facts.day_cap, Fraction(25, 24)))
    for name, span_ms, cap, reset_share in windows:
        if not cap or ("limits", name) not in facts.document.file.lines:
            continue
        basal = facts.fraction * span_ms * facts.step_ng
        needed = window_steps(facts.fraction, span_ms) * facts.step_ng
        key, shown = f"limits.{name}", facts.mass(cap)
        if math.floor(cap) < needed:
            message = f"{shown} is below the {facts.mass(needed)} that the pump may count of the basal alone"
            yield error(facts, key, message, "cap-below-basal")
        elif facts.bolus_ng > cap - basal:
            message = f"{shown} leaves no room for the largest bolus on top of the basal's {facts.mass(basal)}"
            yield error(facts, key, message, "cap-below-bolus")
        elif cap < basal * reset_share:
            message = f"{shown} is near the basal's {facts.mass(basal)}: after a reset, an hour of basal may count as "
            message += "delivered that was not, and the pump will then pause"
            yield warning(facts, key, message, "cap-tight", confirm=False)


def caps_against_hard(facts: Facts) -> Iterator[Finding]:
    """Caps of the file that are above the pump's own, or above what it can count."""
    if facts.profile is None or facts.concentration is None:
        return
    windows = (
        ("per_hour", facts.hour_cap, facts.profile.caps.hour),
        ("per_day", facts.day_cap, facts.profile.caps.day),
    )
    for name, cap, hard_nl in windows:
        if cap is None or ("limits", name) not in facts.document.file.lines:
            continue
        most = min(hard_nl * facts.concentration, Fraction(COUNT_MAX))
        if cap > most:
            message = f"{facts.mass(cap)} is above what {facts.profile.name} can be given, {facts.mass(most)}"
            yield error(facts, f"limits.{name}", message, "cap-above-hard")


def countable(facts: Facts) -> Iterator[Finding]:
    """Figures that fit the whole numbers of the pump."""
    if facts.step_ng is not None and max(facts.step_ng.numerator, facts.step_ng.denominator) > FRACTION_MAX:
        yield error(facts, "drug.concentration", "has more digits than the pump can hold; round it", "digits")
    if facts.step_ng is not None and 0 < facts.step_ng < 1:
        message = (
            f"leaves {units.show(facts.step_ng, 'ng', 3)} in a motor step; the pump counts drug in whole nanograms"
        )
        yield error(facts, "drug.concentration", message, "count")
    if facts.daily_ng is not None and facts.daily_ng > COUNT_MAX:
        message = f"{facts.dose(facts.daily_ng)} is more than the pump can count, {facts.dose(Fraction(COUNT_MAX))}"
        yield error(facts, "therapy.dose", message, "count")


def rounding(facts: Facts) -> Iterator[Finding]:
    """A rate whose fraction costs more than a thousandth of a step in ten years."""
    if facts.profile is None or facts.rate is None or facts.fraction is None:
        return
    lost = rounding_steps(facts.profile.steps(facts.rate), facts.fraction)
    if abs(lost) >= ROUNDING_STEPS_MAX:
        message = f"as the pump's fraction this dose is off by {units.decimal(lost, 2)} steps in ten years"
        yield warning(facts, "therapy.dose", message, "rounding", confirm=False)


def drug_known(facts: Facts) -> Iterator[Finding]:
    """A drug that the library has."""
    name = facts.document.content.drug.name
    if name is not None and facts.drug is None:
        yield warning(facts, "drug.name", f'"{name}" is not in the drug library: no limit was checked', "drug-unknown")


def drug_concentration(facts: Facts) -> Iterator[Finding]:
    """Limits of the concentration."""
    if facts.drug is None or facts.concentration is None:
        return
    limits = facts.drug.concentration
    text = units.show(facts.concentration, f"{facts.drug.unit}/mL")
    if limits.hard_max and facts.concentration > limits.hard_max.value:
        most = units.show(limits.hard_max.value, f"{facts.drug.unit}/mL")
        message = f"{text} is above the hard maximum of {most} ({limits.hard_max.source})"
        yield error(facts, "drug.concentration", message, "concentration-hard-max")
    elif limits.soft_max and facts.concentration > limits.soft_max.value:
        most = units.show(limits.soft_max.value, f"{facts.drug.unit}/mL")
        message = f"{text} is above {most} ({limits.soft_max.source})"
        yield warning(facts, "drug.concentration", message, "concentration-soft-max")


def drug_dose(facts: Facts) -> Iterator[Finding]:
    """Limits of the daily dose."""
    if facts.drug is None or not facts.daily_ng:
        return
    limits, dose = facts.drug.dose, facts.dose(facts.daily_ng)
    if _above(facts.daily_ng, limits.hard_max):
        message = f"{dose} is above the hard maximum of {_limit(facts, limits.hard_max)}"
        yield error(facts, "therapy.dose", message, "dose-hard-max")
    elif limits.soft_max and _above(facts.daily_ng, limits.soft_max):
        message = f"{dose} is above {_limit(facts, limits.soft_max)}"
        yield warning(facts, "therapy.dose", message, "dose-soft-max")
    if limits.soft_min and facts.daily_ng < limits.soft_min.value * DAY_MS:
        message = f"{dose} is below {_limit(facts, limits.soft_min)}"
        yield warning(facts, "therapy.dose", message, "dose-soft-min")
    is_first = facts.previous is None and facts.document.content.reservoir.first_fill
    if is_first and limits.start_max and _above(facts.daily_ng, limits.start_max):
        message = f"{dose} is above the usual start of {_limit(facts, limits.start_max)}"
        yield warning(facts, "therapy.dose", message, "dose-start-max")


def drug_bolus(facts: Facts) -> Iterator[Finding]:
    """A largest bolus that, on top of the basal, passes what a day may bring."""
    if facts.drug is None or facts.daily_ng is None or not facts.bolus_ng:
        return
    total, limits = facts.daily_ng + facts.bolus_ng, facts.drug.dose
    if _above(total, limits.hard_max) and not _above(facts.daily_ng, limits.hard_max):
        message = f"with the day's basal this makes {facts.dose(total)}, above the hard maximum of "
        yield error(facts, "bolus.max", message + _limit(facts, limits.hard_max), "bolus-hard-max")
    elif limits.soft_max and _above(total, limits.soft_max) and not _above(facts.daily_ng, limits.soft_max):
        message = f"with the day's basal this makes {facts.dose(total)}, above {_limit(facts, limits.soft_max)}"
        yield warning(facts, "bolus.max", message, "bolus-soft-max")


def drug_change(facts: Facts) -> Iterator[Finding]:
    """Limits of the change from the therapy that is replaced, where it is of the same drug."""
    if not _same_drug(facts) or facts.drug is None or facts.previous is None or facts.daily_ng is None:
        return
    limits, old, new = facts.drug.change, facts.previous.daily_ng, facts.daily_ng
    step = f"the step from {facts.dose(old)} to {facts.dose(new)}"
    if limits.hard_up and _above(new - old, limits.hard_up):
        message = f"{step} is larger than {_limit(facts, limits.hard_up)}"
        yield error(facts, "therapy.dose", message, "change-hard-max")
    elif limits.soft_up and _above(new - old, limits.soft_up):
        message = f"{step} is larger than {_limit(facts, limits.soft_up)}"
        yield warning(facts, "therapy.dose", message, "change-soft-max")
    for limit, change in ((limits.soft_up_percent, new - old), (limits.soft_down_percent, old - new)):
        if old and limit and change * 100 > old * limit.value:
            message = f"{step} is {_percent(old, new)}; usual is at most {_percent_limit(limit)}"
            yield warning(facts, "therapy.dose", message, "change-soft-percent")


def drug_replaced(facts: Facts) -> Iterator[Finding]:
    """Another drug or another concentration than the pump holds now (R13)."""
    if facts.previous is None or facts.document.content.drug.name is None:
        return
    if not _same_drug(facts):
        message = f'the pump runs "{facts.previous.drug}" now: what is left of it in pump and catheter comes first'
        yield warning(facts, "drug.name", message, "drug-changed")
    elif facts.concentration is not None and facts.concentration != facts.previous.concentration:
        unit = f"{facts.drug.unit if facts.drug else 'ug'}/mL"
        old, new = units.show(facts.previous.concentration, unit), units.show(facts.concentration, unit)
        message = f"changes from {old} to {new}: until the old solution has left pump and catheter, the dose is wrong"
        yield warning(facts, "drug.concentration", message, "concentration-changed")


def _same_drug(facts: Facts) -> bool:
    name, previous = facts.document.content.drug.name, facts.previous
    if name is None or previous is None:
        return False
    known = {name.lower()} | ({facts.drug.name, *facts.drug.aliases} if facts.drug else set())
    return previous.drug.lower() in known


def _above(daily_ng: Fraction, limit: DoseFigure) -> bool:
    return daily_ng > limit.value * DAY_MS


def _limit(facts: Facts, limit: DoseFigure) -> str:
    return f"{facts.dose(limit.value * DAY_MS)} ({limit.source})"


def _percent(old: Fraction, new: Fraction) -> str:
    return f"{units.decimal((new - old) / old * 100, 3)} %"


def _percent_limit(limit: PercentFigure) -> str:
    return f"{limit.value} % ({limit.source})"


PUMP_RULES: Final[tuple[Rule, ...]] = (
    zeros,
    rate_range,
    basal_below_hard_cap,
    unused_dose,
    minimum_above_basal,
    reservoir_levels,
    bolus_size,
    bolus_speed,
    caps_against_basal,
    caps_against_hard,
    countable,
    rounding,
)
"""Rules about the pump."""

DRUG_RULES: Final[tuple[Rule, ...]] = (
    drug_known,
    drug_concentration,
    drug_dose,
    drug_bolus,
    drug_change,
    drug_replaced,
)
"""Rules about the drug."""
