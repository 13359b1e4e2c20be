"""How long journal and fault ring reach back at the default profile (R55)."""

from __future__ import annotations

import pytest
from pumpside import pump

SLOTS = 102
DAYS = 4


@pytest.mark.requirement("R55")
def test_the_routine_journal_holds_thirty_days_of_leases_and_patient_boluses() -> None:
    with pump() as side:
        bolus = {"patient_steps": 10, "patient_num": 1, "patient_den": 9_000, "patient_lockout_ms": 600_000}
        side.program(basal_den=54_000, patient_per_day=24, **bolus)
        side.start()
        side.twin.advance_time(3_600)
        before = side.client.read_memory()
        for _ in range(24 * DAYS):
            side.client.patient_bolus()
            side.twin.advance_time(3_600)
        after = side.client.read_memory()
        a_day = (after["routine_next"] - before["routine_next"]) / DAYS
        assert a_day > 24 * 4
        days = (after["routine_sectors"] - 1) * SLOTS / a_day
        print(f"{a_day:.1f} records a day, {days:.1f} days")
        assert days >= 30
        assert (after["fault_sectors"] - 1) * SLOTS >= 1_000
