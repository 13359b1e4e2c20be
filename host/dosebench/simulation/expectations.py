"""What a scenario expects, held against what happened: each expectation becomes a verdict in words."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from dosebench.base import units
from dosebench.simulation.scenario_file import RATES, Event, EventTable
from dosebench.simulation.scenario_result import AlarmSpan, Verdict
from dosebench.therapy.program import Program


@dataclass(frozen=True)
class Seen:
    """The pump at the moment of an expectation, `at_ms` after the start of delivery.

    Attributes:
        delivery: What the pump says that it does.
        rate: The basal rate that it says it runs at, in steps per ms.
        steps: Motor steps since the start.
        program: The therapy in force: what a step is worth.
    """

    at_ms: int
    delivery: str
    rate: Fraction
    steps: int
    program: Program


def of_outcome(event: Event, at_ms: int, outcome: str) -> Iterator[Verdict]:
    """Whether an act came out as asked. Where nothing is asked no act may be refused, but that of a patient."""
    asked = event.table.expect
    if asked is None and (event.act == "patient_bolus" or not outcome.startswith("refused")):
        return
    met = asked is not None and (outcome == asked or (asked == "refused" and outcome.startswith("refused")))
    name = event.act.replace("_", " ")
    yield Verdict(at_ms, event.line, f"the {name} to be {asked or 'done'}", met, f"it was {outcome}")


def looks_at_pump(table: EventTable) -> bool:
    """Whether an event expects something of the pump's state, which `of_state` judges."""
    return not (table.expect_state is None and table.expect_rate is None and table.expect_delivered is None)


def of_state(event: Event, seen: Seen) -> Iterator[Verdict]:
    """Whether the pump is as asked: its state, its rate exactly, and what it delivered to a step.

    A `tolerance` of the file makes that as wide as it says: a rate the one, an amount the other.
    """
    table = event.table
    if table.expect_state is not None:
        met = seen.delivery == table.expect_state
        yield Verdict(seen.at_ms, event.line, f"the pump to be {table.expect_state}", met, f"it is {seen.delivery}")
    if table.expect_rate is not None:
        yield _of_amount(event, "a rate of", table.expect_rate, seen, (seen.rate, Fraction(0)))
    if table.expect_delivered is not None:
        yield _of_amount(event, "delivered:", table.expect_delivered, seen, (Fraction(seen.steps), Fraction(1)))


def _of_amount(
    event: Event, what: str, asked: units.Quantity, seen: Seen, found: tuple[Fraction, Fraction]
) -> Verdict:
    """`found` is in steps, or steps per ms: the amount, and how far off it may be where the file does not say."""
    steps, usual = found
    within, tolerance = usual, event.table.tolerance
    if tolerance is not None and (tolerance.dimension in RATES) == (asked.dimension in RATES):
        within = tolerance.value / _step_worth(tolerance, seen.program)
    worth = _step_worth(asked, seen.program)
    met = abs(steps - asked.value / worth) <= within
    shown = units.format_amount(steps * worth, units.split_quantity(asked.text)[1])
    return Verdict(seen.at_ms, event.line, f"{what} {asked.text}", met, f"it is {shown}")


def _step_worth(amount: units.Quantity, program: Program) -> Fraction:
    """What a step is in the base unit of an amount: ng of drug, or nL."""
    return program.step_ng if amount.dimension in (units.MASS, units.MASS_RATE) else program.step_nl


def of_alarms(events: Sequence[Event], alarms: Sequence[AlarmSpan]) -> list[Verdict]:
    """Whether each alarm that an event expects was raised, in its time after the event."""
    verdicts = []
    for event in events:
        name = event.table.expect_alarm
        if name is None:
            continue
        within = event.table.within or 0
        times = [span.from_ms for span in alarms if span.name == name]
        place = bisect_left(times, event.at_ms)
        asked = f"the alarm {name}" + (f" within {units.show_span(within)}" if within else "")
        if place == len(times):
            verdicts.append(Verdict(event.at_ms, event.line, asked, False, "it never came after that"))
            continue
        late = times[place] - event.at_ms
        verdicts.append(
            Verdict(event.at_ms, event.line, asked, late <= within, f"it came after {units.show_span(late)}")
        )
    return verdicts
