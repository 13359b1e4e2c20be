"""Alarms as such: what is on, how urgent it is, what sounds, and what a repeated or long one becomes (R40 to R44, R58).

Each alarm of this file has the four tests of the guide words (R66): raised when it should be, not when it should not,
in time, and ended when it should be. Those of reservoir, battery, catheter and flow have files of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from dosebench.link.client import RefusedError
from dosebench.twin.runtimes import RUNTIMES
from dosebench_protocol.alarms import ALARMS, TRAITS, ordered, trait_bytes
from dosebench_protocol.records import decode_records
from dosebench_protocol.tables import ENUMS
from pumpside import PumpSide, pump

HOUR_S = 3_600
NON_CRITICAL, CRITICAL = 1, 2
TONE_S = 3_600
"""`tone_repeat` of the implant profiles; `tone_repeat_high` is 600 s."""


def on(side: PumpSide) -> tuple[str, ...]:
    return tuple(ordered(side.client.read_status()["alarms"]))


def refused(call: Any, *arguments: Any) -> str:
    with pytest.raises(RefusedError) as caught:
        call(*arguments)
    return caught.value.reason


def tones(side: PumpSide) -> list[tuple[float, int]]:
    """(seconds, pattern) of every tone."""
    return [(at / 1e6, pattern) for at, pattern in side.twin.plant.tones]


def stall(side: PumpSide, seconds: float = 600) -> None:
    """Hold the motor until the pump has noticed, then let go of it."""
    side.twin.plant.faults.stall = True
    side.twin.advance_time(seconds)
    side.twin.plant.faults.stall = False


def cleared_and_started(side: PumpSide) -> None:
    side.client.alarm_clear(["motor_stall"])
    side.client.start_delivery()


# The table


def test_the_firmware_has_the_table() -> None:
    with pump():
        from pump import wire  # noqa: PLC0415

    assert {name: getattr(wire, f"ALARM_{name.upper()}") for name in ENUMS["Alarm"]} == ENUMS["Alarm"]
    assert trait_bytes() == wire.ALARM_TRAITS
    assert len(wire.ALARM_TRAITS) == len(ALARMS) + 1
    assert {name: getattr(wire, f"TRAIT_{name}") for name in TRAITS} == TRAITS


def test_an_alarm_that_the_firmware_does_not_know_is_urgent_and_stops_nothing() -> None:
    with pump():
        from pump import wire  # noqa: PLC0415

    for number in (len(wire.ALARM_TRAITS), 255):
        assert wire.alarm_traits(number) == TRAITS["PRIORITY"] | TRAITS["NEEDS_CLEARING"]


@pytest.mark.requirement("R40")
def test_every_alarm_names_cause_and_remedy() -> None:
    for name, row in ALARMS.items():
        assert row.cause.endswith("."), name
        assert row.remedy.endswith("."), name
        assert row.rules, name


# Annunciation


@pytest.mark.requirement("R40")
def test_the_most_urgent_is_annunciated_and_none_below_is_lost() -> None:
    with pump() as side:
        side.program()
        side.refill(8_010)
        side.start()
        side.twin.advance_time(HOUR_S)
        assert side.client.read_status()["priority"] == "low"
        stall(side)
        status = side.client.read_status()
        assert (on(side), status["priority"]) == (("motor_stall", "reservoir_low"), "high")
        side.client.alarm_clear(["motor_stall"])
        assert (on(side), side.client.read_status()["priority"]) == (("reservoir_low",), "low")


@pytest.mark.requirement("R40")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_alarms_survive_a_reset(runtime: Any) -> None:
    with pump(runtime) as side:
        side.client.set_clock(datetime(2026, 3, 1))
        side.program()
        side.refill(8_010)
        side.start()
        side.twin.advance_time(HOUR_S)
        stall(side)
        assert on(side) == ("motor_stall", "reservoir_low")
        heard = len(tones(side))
        side.reset()
        # The reset adds one of its own: nobody knows how long the power was off.
        assert on(side) == ("motor_stall", "reservoir_low", "clock_unknown")
        assert len(tones(side)) > heard, "a pump that was reset is loud again"


@pytest.mark.requirement("R41")
def test_tones_are_distinct_and_repeated() -> None:
    with pump() as side:
        side.program()
        side.refill(8_010)
        side.start()
        side.twin.advance_time(4 * HOUR_S)
        heard = tones(side)
        assert {pattern for _, pattern in heard} == {NON_CRITICAL}
        gaps = [later - earlier for (earlier, _), (later, _) in pairwise(heard)]
        assert gaps == pytest.approx([TONE_S] * 3, abs=1)
        stall(side, 1_800)
        later = tones(side)[len(heard) :]
        assert {pattern for _, pattern in later} == {CRITICAL}
        assert len(later) >= 2


@pytest.mark.requirement("R41")
def test_nothing_sounds_without_an_alarm() -> None:
    with pump() as side:
        side.program()
        side.start()
        side.twin.advance_time(7 * 24 * HOUR_S)
        assert tones(side) == []


@pytest.mark.requirement("R42")
def test_a_silence_ends_by_itself() -> None:
    with pump(tone_high_ms=10_000) as side:
        side.program()
        side.start()
        stall(side)
        side.client.alarm_silence(120_000)
        begun = side.twin.now_s
        heard = len(tones(side))
        side.twin.advance_time(119)
        assert len(tones(side)) == heard
        side.twin.advance_time(10)
        assert tones(side)[heard][0] - begun == pytest.approx(120, abs=1)


@pytest.mark.requirement("R42")
def test_no_silence_is_longer_than_two_minutes_while_it_is_urgent() -> None:
    with pump() as side:
        assert refused(side.client.alarm_silence, 1_000) == "no_alarm"
        side.program()
        side.start()
        stall(side)
        for ms in (0, 120_001, 1 << 29):
            assert refused(side.client.alarm_silence, ms) == "silence_time"
        side.client.alarm_silence(120_000)
        assert 0 < side.client.read_status()["silenced_ms"] <= 120_000


@pytest.mark.requirement("R42")
def test_a_new_alarm_ends_a_silence() -> None:
    with pump() as side:
        side.program()
        side.refill(8_010)
        side.start()
        side.twin.advance_time(HOUR_S)
        side.client.alarm_silence(24 * HOUR_S * 1000)
        stall(side)
        assert tones(side)[-1][1] == CRITICAL
        assert side.client.read_status()["silenced_ms"] == 0


# Stopped for long (R43)


@pytest.mark.requirement("R43")
@pytest.mark.requirement("R66")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_pump_that_is_stopped_too_long_says_so_and_then_urgently(runtime: Any) -> None:
    with pump(runtime) as side:
        side.program()
        side.start()
        side.stop()
        side.twin.advance_time(HOUR_S - 10)
        assert on(side) == ()
        side.twin.advance_time(20)
        assert (on(side), side.client.read_status()["priority"]) == (("pump_stopped",), "low")
        side.twin.advance_time(47 * HOUR_S - 60)
        assert side.client.read_status()["priority"] == "low"
        side.twin.advance_time(60)
        assert side.client.read_status()["priority"] == "high"
        assert tones(side)[-1][1] == CRITICAL
        assert refused(side.client.alarm_clear, ["pump_stopped"]) == "alarm_present"
        side.client.start_delivery()
        assert on(side) == ()
        raised = [record for record in side.records() if record.kind == "alarm_raised"]
        assert [record.fields["priority"] for record in raised] == ["low", "high"]


@pytest.mark.requirement("R43")
def test_a_reset_costs_the_time_that_it_has_been_stopped_an_hour_at_most() -> None:
    with pump() as side:
        side.program()
        side.start()
        side.stop()
        for _ in range(4):
            side.twin.advance_time(10 * HOUR_S + 1_000)
            side.reset()
        side.twin.advance_time(8 * HOUR_S - 4_000)
        assert side.client.read_status()["priority"] == "low"
        side.twin.advance_time(4 * HOUR_S)
        assert side.client.read_status()["priority"] == "high"


@pytest.mark.requirement("R43")
def test_a_pump_without_a_therapy_or_at_work_is_not_stopped() -> None:
    with pump() as side:
        side.twin.advance_time(3 * HOUR_S)
        assert on(side) == ()
        side.program()
        side.start()
        side.twin.advance_time(3 * HOUR_S)
        assert on(side) == ()


# The same alarm again and again (R44)


@pytest.mark.requirement("R44")
@pytest.mark.requirement("R66")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_third_stall_within_ten_minutes_is_one_too_many(runtime: Any) -> None:
    with pump(runtime) as side:
        side.program(basal_den=9_000)
        side.start()
        for _ in range(2):
            stall(side, 60)
            assert on(side) == ("motor_stall",)
            cleared_and_started(side)
        stall(side, 60)
        assert on(side) == ("motor_stall", "alarm_repeated")
        side.client.alarm_clear(["motor_stall"])
        assert refused(side.client.start_delivery) == "safe_state"
        side.client.alarm_clear(["alarm_repeated"])
        side.client.start_delivery()


@pytest.mark.requirement("R44")
def test_stalls_that_are_far_apart_or_of_two_kinds_are_not_repeated() -> None:
    with pump() as side:
        side.program(basal_den=9_000)
        side.start()
        for _ in range(4):
            stall(side, 60)
            cleared_and_started(side)
            side.twin.advance_time(300)
        assert "alarm_repeated" not in on(side)
        stall(side, 60)
        cleared_and_started(side)
        side.twin.plant.faults.runaway = 5
        side.twin.advance_time(60)
        assert on(side) == ("motor_runaway",)


# Resets (R58)


@pytest.mark.requirement("R58")
@pytest.mark.requirement("R66")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_repeated_resets_end_in_the_safe_state(runtime: Any) -> None:
    with pump(runtime) as side:
        side.program()
        side.start()
        for _ in range(3):
            side.reset()
        assert side.client.read_status()["delivery"] == "running"
        side.reset()
        status = side.client.read_status()
        assert (status["delivery"], "resets_repeated" in status["alarms"]) == ("safe", True)
        made = side.twin.plant.read_encoder()
        side.twin.advance_time(HOUR_S)
        assert side.twin.plant.read_encoder() == made
        side.client.alarm_clear(["resets_repeated"])
        side.client.start_delivery()
        assert side.client.read_status()["delivery"] == "running"


@pytest.mark.requirement("R58")
def test_resets_that_are_far_apart_are_none_of_them() -> None:
    with pump() as side:
        side.program()
        side.start()
        for _ in range(8):
            side.twin.advance_time(610)
            side.reset()
        assert "resets_repeated" not in on(side)


@pytest.mark.requirement("R58")
def test_an_unknown_clock_is_said_and_ends_when_it_is_set() -> None:
    with pump() as side:
        side.client.set_clock(datetime(2026, 3, 1))
        assert on(side) == ()
        side.reset()
        assert on(side) == ("clock_unknown",)
        assert refused(side.client.alarm_clear, ["clock_unknown"]) == "alarm_present"
        side.client.set_clock(datetime(2026, 3, 1))
        assert on(side) == ()


# Motor (R46, R11)


@dataclass(frozen=True)
class Motor:
    alarm: str
    fault: str
    value: Any


MOTOR = [Motor("motor_stall", "stall", True), Motor("motor_runaway", "runaway", 5)]


@pytest.mark.requirement("R46")
@pytest.mark.requirement("R66")
@pytest.mark.parametrize("case", MOTOR, ids=lambda case: case.alarm)
def test_a_motor_fault_stops_the_pump_until_somebody_clears_it(case: Motor) -> None:
    with pump() as side:
        side.program()
        side.start()
        side.twin.advance_time(HOUR_S)
        side.twin.plant.faults.set_fault(case.fault, case.value)
        side.twin.advance_time(4 * 54)
        assert on(side) == (case.alarm,)
        assert side.client.read_status()["delivery"] == "safe"
        side.twin.plant.faults.set_fault("none")
        made = side.twin.plant.read_encoder()
        side.twin.advance_time(HOUR_S // 2)
        assert side.twin.plant.read_encoder() == made
        assert refused(side.client.start_delivery) == "safe_state"
        side.client.alarm_clear([case.alarm])
        assert (on(side), side.client.read_status()["delivery"]) == ((), "stopped")
        side.client.start_delivery()
        side.twin.advance_time(HOUR_S)
        assert side.twin.plant.read_encoder() - made in (66, 67)


# A detail of the record


def test_a_record_says_how_urgent_an_alarm_was() -> None:
    with pump() as side:
        side.program()
        side.start()
        stall(side)
        record = next(record for record in side.records() if record.kind == "alarm_raised")
        assert record.fields["priority"] == "high"
        assert decode_records(b"".join(side.client.read_journal()))[-1].sequence >= record.sequence
