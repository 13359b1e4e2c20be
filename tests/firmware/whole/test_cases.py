"""Published cases on the simulated pump, from the regimen files of examples/ to its steps and refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from dosebench.link.client import RefusedError
from dosebench.regimen.check import check_regimen
from dosebench.therapy.program import Cap, Program
from pumpside import PumpSide, pump, therapy

EXAMPLES = Path(__file__).parents[3] / "examples"
MINUTE = 60_000
DAY_S = 86_400


def program(name: str, previous: str | None = None) -> Program:
    """The program of an example."""
    before = EXAMPLES / f"{previous}.toml" if previous else None
    made = check_regimen(EXAMPLES / f"{name}.toml", previous=before).program
    assert made is not None
    return made


def load(side: PumpSide, wanted: Program) -> dict[str, Any]:
    """Program the pump; the pump's own reading is what the host reads too."""
    reading = side.client.stage_program(wanted.encode_program())
    side.client.commit_program(wanted.encode_program())
    return reading


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(RefusedError) as caught:
        act()
    return caught.value.reason


class Clocked:
    """A pump that is started at minute 60 of a case."""

    def __init__(self, side: PumpSide) -> None:
        self.side = side
        outcome = side.client.start_delivery()
        record = side.records(outcome["record"])[0]
        self.zero_ms = record.day * 86_400_000 + record.ms - 60 * MINUTE

    @property
    def minute(self) -> float:
        return (self.side.pump_ms - self.zero_ms) / MINUTE

    def until(self, minute: float) -> None:
        self.side.twin.advance_us((self.zero_ms + round(minute * MINUTE)) * 1000)

    def steps(self) -> list[float]:
        """Minutes of every step."""
        return [(at - self.zero_ms) / MINUTE for at in self.side.twin.step_times_ms()]

    def alarm_minute(self, name: str) -> float:
        """When an alarm was raised."""
        for record in self.side.records():
            if record.kind == "alarm_raised" and name == record.alarm:
                return (record.day * 86_400_000 + record.ms - self.zero_ms) / MINUTE
        raise AssertionError(f"{name} was never raised")


def windows_ml(steps: list[float], minutes: int) -> float:
    """Most mL of 0.1 mL pulses in any window."""
    return max(sum(1 for at in steps if end - minutes < at <= end) for end in steps) / 10


@pytest.mark.requirement("C8")
@pytest.mark.requirement("R5")
def test_c8_boluses_and_basal_reach_the_cap_together() -> None:
    with pump(profile="external-mlh") as side:
        load(side, program("c8-external"))
        case = Clocked(side)
        for minute in (100, 140, 180):
            case.until(minute)
            side.client.patient_bolus()
        case.until(294)
        assert "dose_cap" not in side.client.read_status()["alarms"]
        case.until(301)
        # 23.5 mL of basal since minute 60 and 3 mL of boluses; the pump steps once a minute.
        assert 294 <= case.alarm_minute("dose_cap") <= 296
        assert not [at for at in case.steps() if 295.6 < at < 300]
        case.until(480)
        steps = case.steps()
        assert windows_ml(steps, 240) <= 26.5
        later = [at for at in steps if at > 302]
        assert later
        # The fallback is 1 mL/h, a step every six minutes.
        assert min(b - a for a, b in pairwise(later)) >= 5.9
        boluses_alone = sum(1 for at in steps if 300 < at <= 340)
        assert boluses_alone <= 7


@pytest.mark.requirement("C9")
def test_c9_a_patient_bolus_that_does_not_fit_is_refused_whole() -> None:
    with pump(profile="external-mlh") as side:
        load(side, program("c8-external"))
        case = Clocked(side)
        for minute in (300, 340):
            case.until(minute)
            side.client.patient_bolus()
        case.until(380)
        before = side.twin.plant.read_encoder()
        in_window = sum(1 for at in case.steps() if at > 140) / 10
        assert in_window == pytest.approx(26.0, abs=0.11)
        assert refused(side.client.patient_bolus) == "bolus_over_cap"
        side.twin.advance_time(30)
        assert side.twin.plant.read_encoder() - before <= 1
        status = side.client.read_status()
        assert "dose_cap" in status["alarms"]
        assert Fraction(status["rate_num"], status["rate_den"]) == Fraction(10, 60 * MINUTE)
        assert side.records()[-1].kind == "refused"


@pytest.mark.requirement("C10")
@pytest.mark.requirement("R21")
def test_c10_low_then_empty() -> None:
    with pump(profile="external-mlh") as side:
        load(side, program("c10-external-low"))
        case = Clocked(side)
        case.until(200)
        assert case.alarm_minute("reservoir_low") == pytest.approx(120, abs=1)
        assert case.alarm_minute("reservoir_empty") == pytest.approx(150, abs=6)
        status = side.client.read_status()
        assert (status["delivery"], status["stop_reason"]) == ("stopped", "reservoir_empty")
        assert side.twin.plant.read_encoder() == 65


@pytest.mark.requirement("C11")
@pytest.mark.requirement("R4")
def test_c11_a_second_bolus_within_the_lockout_is_refused() -> None:
    with pump(profile="external-mlh") as side:
        load(side, program("c11-external-lockout"))
        case = Clocked(side)
        case.until(120)
        side.client.patient_bolus()
        case.until(123)
        before = len([at for at in case.steps() if at > 120])
        assert refused(side.client.patient_bolus) == "lockout"
        assert side.records()[-1].kind == "refused"
        case.until(149)
        extra = len([at for at in case.steps() if at > 120]) - before
        assert extra == pytest.approx(26, abs=1)
        case.until(150.1)
        side.client.patient_bolus()


@pytest.mark.requirement("C7")
@pytest.mark.requirement("R13")
def test_c7_a_bridge_delivers_the_dose_while_the_old_drug_leaves_the_path() -> None:
    with pump() as side:
        load(side, program("c7-bridge-before"))
        side.client.start_delivery()
        side.twin.advance_time(DAY_S)
        wanted = program("c7-bridge", "c7-bridge-before")
        reading = load(side, wanted)
        assert reading["bridge_ms"] == pytest.approx(13.6 * 3_600_000)
        before = side.twin.plant.read_encoder()
        side.twin.advance_time(13.5 * 3_600)
        assert side.client.read_status()["bridge_left_steps"] > 0
        side.twin.advance_time(0.2 * 3_600)
        # 0.340 mL of old drug in 1360 steps of 0.25 uL, at 0.6 mL/day.
        assert side.twin.plant.read_encoder() - before == pytest.approx(1_360, abs=12)
        status = side.client.read_status()
        assert status["bridge_left_steps"] == 0
        assert status["alarms"] == ()
        assert Fraction(status["rate_num"], status["rate_den"]) * DAY_S * 1000 == 600
        # 12.5 ug an hour throughout: 170 ug of old drug at 0.125 ug a step, then 0.5 ug a step.
        side.twin.advance_time(10.3 * 3_600)
        bridge, after = 1_360 * Fraction(1, 8), side.twin.plant.read_encoder() - before - 1_360
        assert float(bridge + after * Fraction(1, 2)) == pytest.approx(300, abs=1)


@pytest.mark.requirement("R13")
def test_c7_a_bridge_survives_a_reset() -> None:
    with pump() as side:
        load(side, program("c7-bridge-before"))
        side.client.start_delivery()
        # Room for what the open lease may have delivered before the reset, and for an hour told at its end.
        roomy = (Cap(60, 60_000), Cap(1440, 400_000))
        load(side, replace(program("c7-bridge", "c7-bridge-before"), caps=roomy))
        side.twin.advance_time(5 * 3_600)
        left = side.client.read_status()["bridge_left_steps"]
        side.reset()
        status = side.client.read_status()
        # What the open lease may have delivered counts as delivered.
        assert left - 101 <= status["bridge_left_steps"] <= left
        assert Fraction(status["rate_num"], status["rate_den"]) * DAY_S * 1000 == 2_400
        side.twin.advance_time(9 * 3_600)
        assert side.client.read_status()["bridge_left_steps"] == 0


@pytest.mark.requirement("C15")
@pytest.mark.parametrize(
    ("name", "profile", "apart_s"), [("coarse", "external-mlh", 18), ("fine", "external-mlh-fine", 180)]
)
def test_c15_pulses_come_at_the_published_intervals(name: str, profile: str, apart_s: int) -> None:
    with pump(profile=profile) as side:
        load(side, program(f"c15-pulses-{name}"))
        side.client.start_delivery()
        side.twin.advance_time(20 * apart_s)
        times = side.twin.step_times_ms()
        assert len(times) == 20
        assert {b - a for a, b in pairwise(times)} == {apart_s * 1000}


@pytest.mark.requirement("C15")
@pytest.mark.requirement("R9")
def test_c15_fifty_two_priming_pulses_at_one_a_second() -> None:
    wanted = program("c15-pulses-fine")
    with pump(profile="external-mlh-fine") as side:
        load(side, wanted)
        assert refused(lambda: side.client.give_priming(52)) == "priming_not_armed"
        side.client.prime_arm(52, wanted.path_version)
        side.client.give_priming(52)
        side.twin.advance_time(60)
        times = side.twin.step_times_ms()
        assert len(times) == 52
        assert times[-1] - times[0] == 51_000
        assert all(row["ng"] == 0 for row in side.client.read_status()["window_ng"])


@pytest.mark.requirement("R9")
def test_priming_takes_two_acts_of_the_same_volume_within_a_minute() -> None:
    prime = {"prime_steps_max": 100, "prime_num": 1, "prime_den": 2_000, "path_version": 3}
    with pump() as side:
        side.program(**prime)
        client = side.client
        assert refused(lambda: client.prime_arm(101, 3)) == "priming_volume"
        assert refused(lambda: client.prime_arm(50, 2)) == "priming_path"
        client.prime_arm(50, 3)
        assert refused(lambda: client.give_priming(51)) == "priming_volume"
        client.prime_arm(50, 3)
        side.twin.advance_time(61)
        assert refused(lambda: client.give_priming(50)) == "priming_not_armed"
        side.start()
        assert refused(lambda: client.prime_arm(50, 3)) == "still_running"
        assert side.twin.plant.read_encoder() <= 1
        stored = [record.fields for record in side.records() if record.kind == "prime_arm"]
        assert {fields["path_version"] for fields in stored} == {3}


@pytest.mark.requirement("C1")
def test_c1_the_pump_refuses_a_rate_below_its_lowest() -> None:
    with pump() as side:
        load(side, program("c1-ziconotide-1.2"))
        slower = therapy(basal_num=119, basal_den=450_000 * 120)
        assert refused(lambda: side.client.stage_program(slower)) == "rate_below_minimum"


@pytest.mark.requirement("C6")
@pytest.mark.requirement("R14")
def test_c6_six_minutes_instead_of_six_hours_are_refused_by_the_pump_too() -> None:
    every_six_hours = {"periodic_steps": 100, "periodic_num": 1, "periodic_den": 3_000, "periodic_ms": 6 * 3_600_000}
    with pump() as side:
        caps = {"hour_ng_max": 150_000, "day_ng_max": 1_200_000}
        side.program(**every_six_hours, **caps)
        slip = therapy(**(every_six_hours | caps | {"periodic_ms": 6 * MINUTE}))
        assert refused(lambda: side.client.stage_program(slip)) == "cap_below_basal"
        hard = therapy(**(every_six_hours | {"periodic_ms": 6 * MINUTE, "hour_ng_max": 2_000_000}))
        assert refused(lambda: side.client.stage_program(hard)) == "cap_below_basal"


FLEX = {
    "mode": "flex",
    "rates": [{"num": 1, "den": 50_000 + 500 * hour} for hour in range(24)],
    "flex": [{"pattern": 0, "minute": 60 * hour, "rate": hour} for hour in range(24)],
}


def runs(side: PumpSide, seconds: int) -> list[tuple[int, int]]:
    """(step of the flex pattern, how many minutes it ran), in order, looking once a minute."""
    seen: list[tuple[int, int]] = []
    for _ in range(seconds // 60):
        side.twin.advance_time(60)
        status = side.client.read_status()
        hour = (status["rate_den"] - 50_000) // 500
        if seen and seen[-1][0] == hour:
            seen[-1] = (hour, seen[-1][1] + 1)
        else:
            seen.append((hour, 1))
    return seen


@pytest.mark.requirement("C20")
@pytest.mark.requirement("R65")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (datetime(2026, 3, 29, 2, 0), datetime(2026, 3, 29, 3, 0)),
        (datetime(2026, 10, 25, 3, 0), datetime(2026, 10, 25, 2, 0)),
        (datetime(2028, 2, 29, 12, 30), datetime(2028, 2, 29, 11, 30)),
    ],
)
def test_c20_each_flex_step_comes_once_when_the_clock_changes(before: datetime, after: datetime) -> None:
    with pump() as side:
        side.program(**FLEX)
        side.client.set_clock(before.replace(hour=before.hour - 2, minute=30))
        side.client.start_delivery()
        first = runs(side, (before.hour * 60 + before.minute - (before.hour - 2) * 60 - 30) * 60)
        side.client.set_clock(after)
        rest = runs(side, 30 * 3_600)
        hours = [hour for hour, _ in first[:-1]] + [hour for hour, _ in rest]
        if first[-1][0] != rest[0][0]:
            hours.insert(len(first) - 1, first[-1][0])
        # In order, one after the other: none twice, none left out.
        assert all((a + 1) % 24 == b for a, b in pairwise(hours)), hours
        assert side.client.read_status()["pattern_lag_ms"] == 0
        local = side.client.read_status()["local_ms"] // 3_600_000
        assert local == hours[-1]


@pytest.mark.requirement("C20")
def test_c20_the_leap_day_is_a_day_of_its_own() -> None:
    with pump() as side:
        side.program(**FLEX)
        side.client.set_clock(datetime(2028, 2, 28, 23, 0))
        side.client.start_delivery()
        side.twin.advance_time(2 * DAY_S)
        status = side.client.read_status()
        days = (datetime(2028, 3, 1) - datetime(2000, 1, 1)).days
        assert (status["local_days"], status["local_ms"] // 3_600_000) == (days, 23)


@pytest.mark.requirement("R58")
def test_a_flex_pattern_waits_at_its_minimum_until_the_clock_is_known() -> None:
    with pump() as side:
        side.program(**FLEX)
        side.client.set_clock(datetime(2026, 1, 5, 10, 0))
        side.client.start_delivery()
        assert side.client.read_status()["rate_den"] == 55_000
        side.reset()
        status = side.client.read_status()
        assert (status["clock_known"], status["rate_den"], status["alarms"]) == (0, 450_000, ("clock_unknown",))
        side.client.set_clock(datetime(2026, 1, 5, 12, 0))
        status = side.client.read_status()
        assert (status["rate_den"], status["alarms"]) == (56_000, ())


@pytest.mark.requirement("R16")
def test_a_commit_a_clock_change_and_a_reset_unlock_no_patient_bolus() -> None:
    patient = {"patient_steps": 10, "patient_num": 1, "patient_den": 2_000, "patient_lockout_ms": 3_600_000}
    with pump() as side:
        side.program(**patient, patient_per_day=2)
        side.start()
        side.client.patient_bolus()
        side.twin.advance_time(1_800)
        side.program(**patient, patient_per_day=2)
        side.client.set_clock(datetime(2026, 5, 5, 23, 59))
        assert refused(side.client.patient_bolus) == "lockout"
        side.reset()
        assert refused(side.client.patient_bolus) == "lockout"
        side.twin.advance_time(1_900)
        side.client.patient_bolus()
        side.twin.advance_time(3_700)
        assert refused(side.client.patient_bolus) == "patient_count"
        side.reset()
        assert refused(side.client.patient_bolus) == "patient_count"
        side.twin.advance_time(DAY_S)
        side.client.patient_bolus()


@pytest.mark.requirement("R7")
def test_a_square_bolus_waits_for_a_patient_bolus_and_goes_on() -> None:
    patient = {"patient_steps": 60, "patient_num": 1, "patient_den": 10_000, "patient_lockout_ms": 900_000}
    with pump() as side:
        side.program(mode="stopped", **patient, patient_per_day=4)
        side.start()
        side.client.square_bolus(60, 3_600_000)
        assert refused(lambda: side.client.square_bolus(5, 600_000)) == "square_running"
        side.twin.advance_time(1_800)
        assert side.twin.plant.read_encoder() == 30
        side.client.patient_bolus()
        side.twin.advance_time(596)
        assert side.client.read_status()["square_left_steps"] == 30
        assert side.twin.plant.read_encoder() == 90
        side.twin.advance_time(1_900)
        assert side.twin.plant.read_encoder() == 120
        ends = [record.kind for record in side.records() if record.kind in ("bolus_end", "square_end")]
        assert ends == ["bolus_end", "square_end"]
