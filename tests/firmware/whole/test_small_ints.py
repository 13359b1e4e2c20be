"""Years of dosing in integers that refuse to leave the small ints of a 32-bit port."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Any

import pump.dosing.plan
import pump.guard.guard
import pytest
from dosebench.therapy.program import from_bytes
from dosebench.therapy.reference_pump import ReferencePump
from pump.dosing.plan import Plan
from pump.dosing.schedule import Schedule
from pump.dosing.therapy import Therapy
from pump.guard.guard import Guard
from pumpside import DAY_MS, therapy
from small import SmallInt

DAYS = 3_652 if os.environ.get("DOSEBENCH_LONG") else 8 if os.environ.get("DOSEBENCH_HYPOTHESIS") == "mutation" else 40
"""Ten years in `make campaign`, each weekday for a mutant of `make mutation`."""

FLEX: dict[str, Any] = {
    "mode": "flex",
    "rates": [{"num": 311, "den": 100_000_007}, {"num": 173, "den": 52_000_003}, {"num": 1, "den": 449_999}],
    "flex": [{"pattern": day, "minute": 30 * at, "rate": (at + day) % 3} for day in (0, 1) for at in range(48)],
    "weekdays": bytes([0, 1, 0, 1, 1, 0, 1]),
    "periodic_steps": 3,
    "periodic_num": 1,
    "periodic_den": 5_003,
    "periodic_ms": 21_600_001,
}


def _list(_: str, values: Any = ()) -> list[SmallInt]:
    return [SmallInt(value) for value in values]


def _zeros(_: str, data: bytes) -> list[SmallInt]:
    return [SmallInt(0)] * (len(data) // 2)


@pytest.fixture(autouse=True)
def no_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays would turn the watched integers into plain ones."""
    monkeypatch.setattr(pump.dosing.plan, "array", _list)
    monkeypatch.setattr(pump.guard.guard, "array", _zeros)


class Dosing:
    """The dosing path without a board: plan, schedule and guard, from event to event."""

    def __init__(self, program: bytes) -> None:
        decoded = Therapy(program)
        for name, value in vars(decoded).items():
            if isinstance(value, int):
                setattr(decoded, name, SmallInt(value))
        self.plan, self.schedule, self.guard = Plan(), Schedule(), Guard(SmallInt(4_000), SmallInt(24_000))
        self.guard.adopt_program(program)
        self.guard.set_enabled(True)
        self.plan.load_therapy(decoded, SmallInt(0), SmallInt(0))
        self.schedule.set_periodic(
            decoded.periodic_steps,
            decoded.periodic_num,
            decoded.periodic_den,
            decoded.periodic_ms,
            decoded.periodic_ms,
        )
        self.schedule.running = True
        self.made = 0

    def step(self, ms_max: int) -> int:
        """Go to the next event, at most `ms_max`; return how long that took."""
        schedule, plan, guard = self.schedule, self.plan, self.guard
        if plan.num != schedule.basal.num or plan.den != schedule.basal.den:
            schedule.basal.retune(plan.num, plan.den)
        wait = SmallInt(min(schedule.next_ms(), plan.next_ms(True), ms_max))
        schedule.clear_due()
        schedule.advance(wait)
        plan.advance(wait, True)
        guard.advance(wait)
        guard.set_allowance(SmallInt(100))
        due = schedule.basal_due + schedule.bolus_due
        if due:
            assert guard.permit_steps(due) == due
            guard.count_moved(due)
            self.made += due
            schedule.bolus_left -= schedule.bolus_due
        return int(wait)


@pytest.mark.requirement("R1")
def test_years_of_flex_stay_exact_and_small() -> None:
    program = therapy(**FLEX)
    dosing, ideal = Dosing(program), ReferencePump()
    dosing.plan.set_local_time(SmallInt(9_500), SmallInt(3_600_000))
    ideal.commit_program(0, from_bytes(program))
    ideal.set_clock(0, 9_500, 3_600_000)
    ideal.start_delivery(0)
    now = 0
    for day in range(1, DAYS + 1):
        while now < day * DAY_MS:
            now += dosing.step(day * DAY_MS - now)
        if day % 97 == 0 or day == DAYS:
            ideal.advance_to(now)
            assert dosing.made == ideal.made
            basal = dosing.made - ideal.bolus_ideal
            assert abs(basal - ideal.basal_ideal) <= Fraction(1, 2) + (Fraction(1, 2) if ideal.running_bolus else 0)
