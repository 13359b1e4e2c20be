"""What the drug library does not allow, or allows only once a person has confirmed it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Final

from dosebench.base import units
from dosebench.base.toml_file import Key
from dosebench.base.units import DAY_MS
from dosebench.regimen.drugs import DoseFigure, Drug, PercentFigure
from dosebench.regimen.facts import Facts
from dosebench.regimen.findings import Finding, Rule, make_error, make_warning


def drug_known(facts: Facts) -> Iterator[Finding]:
    """A drug that the library has."""
    name = facts.document.content.drug.name
    if name is not None and facts.drug is None:
        yield make_warning(
            facts, "drug.name", f'"{name}" is not in the drug library: no limit was checked', "drug-unknown"
        )


def drug_concentration(facts: Facts) -> Iterator[Finding]:
    """Limits of the concentration."""
    if facts.drug is None or facts.concentration is None:
        return
    limits = facts.drug.concentration
    text = units.format_amount(facts.concentration, f"{facts.drug.unit}/mL")
    if limits.hard_max and facts.concentration > limits.hard_max.value:
        most = units.format_amount(limits.hard_max.value, f"{facts.drug.unit}/mL")
        message = f"{text} is above the hard maximum of {most} ({limits.hard_max.source})"
        yield make_error(facts, "drug.concentration", message, "concentration-hard-max")
    elif limits.soft_max and facts.concentration > limits.soft_max.value:
        most = units.format_amount(limits.soft_max.value, f"{facts.drug.unit}/mL")
        message = f"{text} is above {most} ({limits.soft_max.source})"
        yield make_warning(facts, "drug.concentration", message, "concentration-soft-max")


def drug_dose(facts: Facts) -> Iterator[Finding]:
    """Limits of the daily dose: of the largest day with its periodic boluses, and of the first one of a new pump."""
    if facts.drug is None or not facts.daily_ng:
        return
    limits, dose, key = facts.drug.dose, facts.format_dose(facts.daily_ng), facts.basal.key
    if _is_above(facts.daily_ng, limits.hard_max):
        message = f"{dose} is above the hard maximum of {_format_limit(facts, limits.hard_max)}"
        yield make_error(facts, key, message, "dose-hard-max")
    elif limits.soft_max and _is_above(facts.daily_ng, limits.soft_max):
        message = f"{dose} is above {_format_limit(facts, limits.soft_max)}"
        yield make_warning(facts, key, message, "dose-soft-max")
    if limits.soft_min and facts.daily_ng < limits.soft_min.value * DAY_MS:
        message = f"{dose} is below {_format_limit(facts, limits.soft_min)}"
        yield make_warning(facts, key, message, "dose-soft-min")
    start, is_first = facts.start_ng, facts.previous is None and facts.document.content.reservoir.first_fill
    if start is not None and is_first and limits.start_max and _is_above(start, limits.start_max):
        message = f"{facts.format_dose(start)} is above the usual start of {_format_limit(facts, limits.start_max)}"
        yield make_warning(facts, key, message, "dose-start-max")


def drug_boluses(facts: Facts) -> Iterator[Finding]:
    """Boluses that, with the basal, pass what a day may bring: a largest one, or all that a patient may ask for."""
    if facts.drug is None or facts.daily_ng is None or facts.concentration is None:
        return
    extras = facts.boluses
    amounts = (
        ("bolus", "bolus.max", extras.max_nl),
        ("square", "square_bolus.max", extras.square_nl),
        ("patient", "patient_bolus.per_day", extras.patient_day_nl),
    )
    for name, key, volume in amounts:
        if volume:
            yield from _on_top(facts, facts.drug, name, key, facts.daily_ng + volume * facts.concentration)


def _on_top(facts: Facts, drug: Drug, name: str, key: str, total_ng: Fraction) -> Iterator[Finding]:
    limits, daily_ng = drug.dose, facts.daily_ng or Fraction(0)
    total = f"with the day's basal this makes {facts.format_dose(total_ng)}, above"
    if _is_above(total_ng, limits.hard_max) and not _is_above(daily_ng, limits.hard_max):
        message = f"{total} the hard maximum of {_format_limit(facts, limits.hard_max)}"
        yield make_error(facts, key, message, f"{name}-hard-max")
    elif limits.soft_max and _is_above(total_ng, limits.soft_max) and not _is_above(daily_ng, limits.soft_max):
        yield make_warning(facts, key, f"{total} {_format_limit(facts, limits.soft_max)}", f"{name}-soft-max")


def drug_change(facts: Facts) -> Iterator[Finding]:
    """Limits of the change from the therapy that is replaced, where it is of the same drug, to what comes first."""
    if not facts.same_drug or facts.previous is None or facts.start_ng is None:
        return
    key = facts.basal.rates[0].key if facts.basal.ramp and facts.basal.rates else facts.basal.key
    yield from _check_change(facts, key, (facts.previous.daily_ng, facts.start_ng), bounded=False)


def drug_titration(facts: Facts) -> Iterator[Finding]:
    """Limits of every change within a titration."""
    if not facts.basal.ramp:
        return
    for old, new in pairwise(facts.basal.rates):
        if old.ng is not None and new.ng is not None:
            # Without a bound of its own, a larger rise than usual is an error already.
            bounded = not facts.document.states("titration", "change_max")
            yield from _check_change(facts, new.key, (old.ng * DAY_MS, new.ng * DAY_MS), bounded=bounded)


def _check_change(facts: Facts, key: Key, doses: tuple[Fraction, Fraction], *, bounded: bool) -> Iterator[Finding]:
    if facts.drug is None:
        return
    limits, (old, new) = facts.drug.change, doses
    step = f"the step from {facts.format_dose(old)} to {facts.format_dose(new)}"
    if limits.hard_up and _is_above(new - old, limits.hard_up):
        message = f"{step} is larger than {_format_limit(facts, limits.hard_up)}"
        yield make_error(facts, key, message, "change-hard-max")
    elif limits.soft_up and _is_above(new - old, limits.soft_up):
        message = f"{step} is larger than {_format_limit(facts, limits.soft_up)}"
        yield make_warning(facts, key, message, "change-soft-max")
    for limit, change in ((limits.soft_up_percent, new - old), (limits.soft_down_percent, old - new)):
        expected = bounded and limit is limits.soft_up_percent
        if old and limit and not expected and change * 100 > old * limit.value:
            message = f"{step} is {_format_percent(old, new)}; usual is at most {_percent_limit(limit)}"
            yield make_warning(facts, key, message, "change-soft-percent")


def drug_replaced(facts: Facts) -> Iterator[Finding]:
    """Another drug or another concentration than the pump holds now (R13)."""
    if facts.previous is None or facts.document.content.drug.name is None:
        return
    if not facts.same_drug:
        message = f'the pump runs "{facts.previous.drug}" now: what is left of it in pump and catheter comes first'
        yield make_warning(facts, "drug.name", message, "drug-changed")
    elif facts.concentration is not None and facts.concentration != facts.previous.concentration:
        unit = f"{facts.drug.unit if facts.drug else 'ug'}/mL"
        old, new = (
            units.format_amount(facts.previous.concentration, unit),
            units.format_amount(facts.concentration, unit),
        )
        message = f"changes from {old} to {new}"
        if facts.bridge is None:
            message += ": until the old solution has left pump and catheter, the dose is wrong"
        yield make_warning(facts, "drug.concentration", message, "concentration-changed")


def _is_above(daily_ng: Fraction, limit: DoseFigure) -> bool:
    return daily_ng > limit.value * DAY_MS


def _format_limit(facts: Facts, limit: DoseFigure) -> str:
    return f"{facts.format_dose(limit.value * DAY_MS)} ({limit.source})"


def _format_percent(old: Fraction, new: Fraction) -> str:
    return f"{units.format_decimal((new - old) / old * 100, 3)} %"


def _percent_limit(limit: PercentFigure) -> str:
    return f"{limit.value} % ({limit.source})"


DRUG_RULES: Final[tuple[Rule, ...]] = (
    drug_known,
    drug_concentration,
    drug_dose,
    drug_boluses,
    drug_change,
    drug_titration,
    drug_replaced,
)
"""Rules about the drug."""
