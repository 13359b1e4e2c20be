"""The coming days of a program: rate over time, boluses, and what adds up, as a perfect pump would deliver them.

It is the exact reference that runs here, from a start by the local clock; nothing is simulated and no limit but the
reservoir's levels is looked at.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from dosebench.base import units
from dosebench.base.errors import DosebenchError
from dosebench.base.units import DAY_MS, HOUR_MS
from dosebench.therapy.program import Program
from dosebench.therapy.reference_pump import ReferencePump

CALENDAR_START: Final = datetime.datetime(2000, 1, 1)
"""Where the pump's calendar begins."""

DAYS_MAX: Final = 366
"""Longest forecast, in days."""


@dataclass(frozen=True)
class ForecastRate:
    """From `t_ms` on the basal runs at `nl` per ms, which holds `ng` per ms."""

    t_ms: int
    nl: Fraction
    ng: Fraction


@dataclass(frozen=True)
class ForecastBolus:
    """A bolus that begins at `t_ms`; `kind` as in `reference_pump.Kind`. It holds `nl` and `ng`."""

    t_ms: int
    kind: str
    nl: Fraction
    ng: Fraction


@dataclass(frozen=True)
class Total:
    """What has been delivered at `t_ms`, in nL and ng; straight lines lie between two of these."""

    t_ms: int
    nl: Fraction
    ng: Fraction


@dataclass(frozen=True)
class Forecast:
    """The coming days. Times are in ms after `start`, volumes in nL, drug in ng.

    Attributes:
        drug: Name of the drug.
        start: Local time at which delivery starts.
        length_ms: Length of the forecast.
        rates: The basal wherever it changes.
        boluses: Boluses in order of time.
        totals: What adds up, wherever any rate changes, and at the end.
        low_ms, empty_ms: When the reservoir reaches its levels; None where that is after its end.
        bridge_ms: When the bridge is through; None where there is none or it is not.
    """

    drug: str
    start: datetime.datetime
    length_ms: int
    rates: tuple[ForecastRate, ...]
    boluses: tuple[ForecastBolus, ...]
    totals: tuple[Total, ...]
    low_ms: int | None
    empty_ms: int | None
    bridge_ms: int | None

    def local_time(self, t_ms: int) -> datetime.datetime:
        """Local time at `t_ms`."""
        return self.start + datetime.timedelta(milliseconds=t_ms)

    def to_json(self) -> dict[str, Any]:
        """The forecast as JSON values: local times in ISO 8601, doses in ug, volumes in mL."""
        return {
            "drug": self.drug,
            "start": self.start.isoformat(),
            "end": self.local_time(self.length_ms).isoformat(),
            "rates": [
                {
                    "at": self._format_time(rate.t_ms),
                    "ug_per_h": _to_ug(rate.ng * HOUR_MS),
                    "ml_per_day": _to_ml(rate.nl * DAY_MS),
                }
                for rate in self.rates
            ],
            "boluses": [
                {
                    "at": self._format_time(bolus.t_ms),
                    "kind": bolus.kind,
                    "ug": _to_ug(bolus.ng),
                    "ml": _to_ml(bolus.nl),
                }
                for bolus in self.boluses
            ],
            "totals": [
                {"at": self._format_time(total.t_ms), "ug": _to_ug(total.ng), "ml": _to_ml(total.nl)}
                for total in self.totals
            ],
            "reservoir_low": self._format_time(self.low_ms),
            "reservoir_empty": self._format_time(self.empty_ms),
            "bridge_through": self._format_time(self.bridge_ms),
        }

    def _format_time(self, t_ms: int | None) -> str | None:
        return None if t_ms is None else self.local_time(t_ms).isoformat()


def _to_ug(ng: Fraction) -> float:
    return float(units.in_unit(ng, "ug"))


def _to_ml(nl: Fraction) -> float:
    return float(units.in_unit(nl, "mL"))


def forecast_delivery(
    program: Program, start: datetime.datetime, days: Fraction | int, *, patient: bool = False
) -> Forecast:
    """The forecast of a program that is put in force and started at `start`, with a reservoir as it says.

    Args:
        program: The program.
        start: Local time; the calendar of the pump shows the same.
        days: How many days to forecast, above 0 and at most 366.
        patient: Whether every patient bolus is taken as soon as it may be.

    Raises:
        DosebenchError: `days` is out of range, or `start` is before the pump's calendar, 2000-01-01.
    """
    if not 0 < days <= DAYS_MAX:
        raise DosebenchError(f"a plan is for more than 0 and at most {DAYS_MAX} days")
    if start < CALENDAR_START:
        raise DosebenchError("the pump's calendar begins on 2000-01-01")
    return _Forecaster(program, start, int(days * DAY_MS), patient).run_forecast()


class _Forecaster:
    """Steps a perfect pump from change to change and notes what it does."""

    def __init__(self, program: Program, start: datetime.datetime, length_ms: int, patient: bool) -> None:
        self.program = program
        self.start = start
        self.length_ms = length_ms
        self.patient = patient
        self.pump = ReferencePump()
        self.rates: list[ForecastRate] = []
        self.totals = [Total(0, Fraction(0), Fraction(0))]
        self.bridge_ms: int | None = None

    def run_forecast(self) -> Forecast:
        since = self.start - CALENDAR_START
        self.pump.commit_program(0, self.program)
        self.pump.set_clock(0, since.days, since.seconds * 1000 + since.microseconds // 1000)
        self.pump.start_delivery(0)
        while self.pump.now_ms < self.length_ms:
            self._note_rate()
            self._advance_to_event()
        return Forecast(
            drug=self.program.drug.name.decode(errors="replace"),
            start=self.start,
            length_ms=self.length_ms,
            rates=tuple(self.rates),
            boluses=self._list_boluses(),
            totals=tuple(self.totals),
            low_ms=self._time_of_step(self.program.reservoir_steps - self.program.low_steps),
            empty_ms=self._time_of_step(self.program.reservoir_steps - self.program.empty_steps),
            bridge_ms=self.bridge_ms,
        )

    def _step_worth(self) -> Fraction:
        """Drug in a step that is made now."""
        return self.program.bridge_ng if self.pump.bridge_left else self.program.step_ng

    def _note_rate(self) -> None:
        nl = self.pump.basal_rate * self.program.step_nl
        ng = self.pump.basal_rate * self._step_worth()
        if not self.rates or (self.rates[-1].nl, self.rates[-1].ng) != (nl, ng):
            self.rates.append(ForecastRate(self.pump.now_ms, nl, ng))

    def _advance_to_event(self) -> None:
        until = self.length_ms
        if self.patient and self.program.patient_steps and not self.pump.ask_patient_bolus(self.pump.now_ms):
            wait_ms = self.pump.patient_wait_ms
            until = min(until, self.pump.now_ms + wait_ms) if wait_ms else until
        worth, had_bridge = self._step_worth(), self.pump.bridge_left > 0
        self.pump.advance_to_change(until)
        if had_bridge and not self.pump.bridge_left:
            self.bridge_ms = self.pump.now_ms
        before, steps = self.totals[-1], self.pump.ideal_steps(self.pump.now_ms)
        nl = steps * self.program.step_nl
        self.totals.append(Total(self.pump.now_ms, nl, before.ng + (nl - before.nl) / self.program.step_nl * worth))

    def _list_boluses(self) -> tuple[ForecastBolus, ...]:
        boluses = []
        for item in self.pump.given:
            in_bridge = self.program.bridge_steps and (self.bridge_ms is None or item.t_ms < self.bridge_ms)
            worth = self.program.bridge_ng if in_bridge else self.program.step_ng
            nl, ng = item.steps * self.program.step_nl, item.steps * worth
            boluses.append(ForecastBolus(item.t_ms, item.kind, nl, ng))
        return tuple(boluses)

    def _time_of_step(self, steps: int) -> int | None:
        """When so many steps have been delivered; to the millisecond, rounded up."""
        wanted = steps * self.program.step_nl
        for before, after in zip(self.totals, self.totals[1:], strict=False):
            if after.nl >= wanted > before.nl:
                slope = (after.nl - before.nl) / (after.t_ms - before.t_ms)
                return before.t_ms + -((before.nl - wanted) // slope)
        return None
