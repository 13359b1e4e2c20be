"""What the pump does and refuses, command by command and fault by fault."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from dosebench.link.client import RefusedError
from pumpside import PumpSide, computed, pump, therapy


def refused(act: Callable[[], object]) -> str:
    """Name of the reason for which the pump refuses an act."""
    with pytest.raises(RefusedError) as caught:
        act()
    return caught.value.reason


def delivering(side: PumpSide) -> bool:
    """Whether steps come within ten minutes."""
    before = side.twin.plant.read_encoder()
    side.twin.advance_time(600)
    return side.twin.plant.read_encoder() > before


def test_nothing_moves_before_it_is_told_to() -> None:
    with pump() as side:
        assert refused(side.client.start_delivery) == "not_programmed"
        side.program()
        assert not delivering(side)
        assert refused(lambda: side.client.give_bolus(5)) == "not_running"
        side.start()
        assert delivering(side)
        assert refused(side.client.start_delivery) == "already_running"


def test_the_first_therapy_says_what_the_reservoir_holds_and_later_ones_do_not() -> None:
    with pump() as side:
        side.program(reservoir_steps=100_000)
        assert side.client.read_status()["reservoir_steps"] == 100_000
        side.program(reservoir_steps=120_000)
        assert side.client.read_status()["reservoir_steps"] == 100_000
        side.client.record_refill(110_000)
        assert side.client.read_status()["reservoir_steps"] == 110_000
        assert refused(lambda: side.client.record_refill(160_001)) == "reservoir_size"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": 9}, "therapy_format"),
        ({"mode": 9}, "therapy_mode"),
        ({"basal_den": 0}, "therapy_fraction"),
        ({"basal_num": (1 << 29) + 1}, "therapy_fraction"),
        ({"basal_den": 450_001}, "rate_below_minimum"),
        ({"basal_den": 899}, "rate_above_maximum"),
        ({"minimum_den": 450_001}, "rate_below_minimum"),
        ({"bolus_den": 899}, "bolus_rate"),
        ({"bolus_steps_max": 2_001}, "bolus_size"),
        ({"step_nl_num": 251}, "step_volume"),
        ({"reservoir_steps": 160_001}, "reservoir_size"),
        ({"low_steps": 3_999}, "level_order"),
        ({"low_steps": 160_000}, "level_order"),
        ({"hour_ng_max": 0}, "cap_missing"),
        ({"hour_ng_max": 2_000_500}, "cap_above_hard"),
        ({"day_ng_max": 12_000_500}, "cap_above_hard"),
        ({"hour_ng_max": 33_000}, "cap_below_basal"),
        ({"day_ng_max": 800_000}, "cap_below_basal"),
    ],
)
def test_the_pump_checks_every_program_by_itself(changes: dict[str, int], reason: str) -> None:
    with pump() as side:
        side.program()
        side.start()
        assert refused(lambda: side.client.stage_program(therapy(**changes))) == reason
        assert side.client.read_program() == (1, therapy())
        assert delivering(side)


@pytest.mark.requirement("R54")
@pytest.mark.requirement("C13")
def test_an_abandoned_stage_is_dropped_and_the_old_therapy_runs_on() -> None:
    with pump() as side:
        side.program()
        side.start()
        side.client.stage_program(therapy(basal_den=60_000))
        assert side.client.read_status()["staged_bytes"] > 0
        side.twin.advance_time(121)
        status = side.client.read_status()
        assert (status["staged_bytes"], status["generation"], status["delivery"]) == (0, 1, "running")
        assert side.records()[-1].kind == "stage_dropped"
        assert refused(lambda: side.client.commit_program(therapy(basal_den=60_000))) == "no_stage"


@pytest.mark.requirement("R6")
def test_a_bolus_is_cut_when_the_cap_is_reached_and_the_basal_waits_for_room() -> None:
    with pump() as side:
        side.program(hour_ng_max=50_000)
        side.start()
        side.bolus(90)
        side.twin.advance_time(3_600)
        hour = [at for at in side.twin.step_times_ms() if at > side.pump_ms - 3_600_000]
        assert len(hour) <= 100
        status = side.client.read_status()
        assert status["bolus_left_steps"] == 0
        assert "dose_cap" in status["alarms"]
        ends = [record for record in side.records() if record.kind == "bolus_end"]
        assert len(ends) == 1
        assert 30 <= ends[0].delivered_low_steps < 90
        times = side.twin.step_times_ms()
        windows = [sum(1 for at in times if end - 3_600_000 < at <= end) for end in times]
        assert max(windows) <= 100


@pytest.mark.requirement("R21")
@pytest.mark.parametrize(
    ("on_low", "rate"), [("keep", (1, 54_000)), ("minimum_rate", (1, 450_000)), ("stop", (0, 54_000))]
)
def test_a_low_reservoir_alarms_and_does_what_the_therapy_says(on_low: str, rate: tuple[int, int]) -> None:
    with pump() as side:
        side.program(on_low=on_low)
        side.refill(8_100)
        side.start()
        side.twin.advance_time(5_300)
        assert side.client.read_status()["alarms"] == ()
        side.twin.advance_time(200)
        status = side.client.read_status()
        assert status["alarms"] == ("reservoir_low",)
        assert (status["rate_num"], status["rate_den"]) == rate
        side.refill(100_000)
        status = side.client.read_status()
        assert (status["alarms"], status["rate_den"]) == ((), 54_000)


@pytest.mark.requirement("R21")
@pytest.mark.requirement("R10")
def test_an_empty_reservoir_stops_the_pump() -> None:
    with pump() as side:
        side.program()
        side.refill(4_050)
        side.start()
        side.twin.advance_time(3_600)
        status = side.client.read_status()
        assert (status["delivery"], status["stop_reason"]) == ("stopped", "reservoir_empty")
        assert set(status["alarms"]) == {"reservoir_low", "reservoir_empty"}
        assert status["reservoir_steps"] == 4_000
        assert side.twin.plant.read_encoder() == 50
        assert refused(side.client.start_delivery) == "reservoir_empty"


@pytest.mark.requirement("R46")
def test_a_stalled_motor_ends_in_the_safe_state_within_three_steps() -> None:
    with pump() as side:
        side.program()
        side.start()
        side.twin.advance_time(3_600)
        moved = side.twin.plant.read_encoder()
        side.twin.plant.faults.stall = True
        side.twin.advance_time(3 * 54 + 1)
        status = side.client.read_status()
        assert (status["delivery"], status["stop_reason"]) == ("safe", "fault")
        assert "motor_stall" in status["alarms"]
        assert status["low_steps"] == moved
        assert status["high_steps"] == moved + 3
        assert refused(side.client.start_delivery) == "safe_state"
        side.twin.plant.faults.stall = False
        side.client.alarm_clear(["motor_stall"])
        assert side.client.read_status()["delivery"] == "stopped"
        side.client.start_delivery()
        assert delivering(side)


@pytest.mark.requirement("R46")
def test_motion_that_nothing_commanded_ends_in_the_safe_state() -> None:
    with pump() as side:
        side.program()
        side.start()
        side.twin.advance_time(600)
        side.twin.plant.faults.runaway = 4
        side.twin.advance_time(60)
        status = side.client.read_status()
        assert status["delivery"] == "safe"
        assert "motor_runaway" in status["alarms"]
        assert status["low_steps"] == side.twin.plant.read_encoder()


@pytest.mark.requirement("R60")
@pytest.mark.requirement("R61")
def test_a_repeated_command_is_answered_and_not_repeated() -> None:
    with pump() as side:
        side.program()
        side.start()
        first = side.client.give_bolus(10)
        ask = side.client._ask_question
        again = ask("bolus", counter=first["counter"], steps=10, **computed(therapy(), 10))
        assert again == first
        assert refused(lambda: ask("start", counter=first["counter"])) == "counter_used"
        assert refused(lambda: ask("start", counter=first["counter"] - 1)) == "counter_old"
        side.twin.advance_time(3_600)
        boluses = [record for record in side.records() if record.kind == "bolus"]
        assert len(boluses) == 1


def test_stop_stops_whatever_its_counter_says() -> None:
    with pump() as side:
        side.program()
        side.start()
        side.client.give_bolus(100)
        assert refused(lambda: side.client._ask_question("stop", counter=1)) == "counter_old"
        assert not delivering(side)
        assert side.client.read_status()["delivery"] == "stopped"
        side.twin.power_cycle()
        side.client.connect()
        assert side.client.read_status()["delivery"] == "stopped"


@pytest.mark.requirement("R58")
def test_a_lost_clock_is_said_and_the_basal_goes_on() -> None:
    from datetime import datetime  # noqa: PLC0415

    with pump() as side:
        side.program()
        side.start()
        side.client.set_clock(datetime(2026, 2, 28, 23, 59, 50))
        side.twin.advance_time(20)
        status = side.client.read_status()
        assert (status["clock_known"], status["local_days"]) == (1, (datetime(2026, 3, 1) - datetime(2000, 1, 1)).days)
        side.twin.power_cycle()
        side.client.connect()
        status = side.client.read_status()
        assert (status["clock_known"], status["alarms"], status["delivery"]) == (0, ("clock_unknown",), "running")
        side.client.set_clock(datetime(2026, 3, 1))
        assert side.client.read_status()["alarms"] == ()


def test_time_between_steps_survives_the_wrap_of_the_tick_counter() -> None:
    with pump() as side:
        side.program(basal_den=450_000)
        side.start()
        side.twin.advance_time(30 * 86_400)
        assert abs(side.deviation()) <= 1 / 2
        assert side.client.read_status()["day"] == 30


@pytest.mark.requirement("R7")
@pytest.mark.parametrize("other", ["minimum", "bridge"])
def test_a_square_bolus_leaves_room_for_the_fallback_and_a_bridge(other: str) -> None:
    # 86400 of the 96000 steps a day are taken; 500 steps in an hour would be 12000 a day.
    bridge = {"bridge_steps": 10, "bridge_num": 1, "bridge_den": 9_000, "bridge_ng_num": 500, "bridge_ng_den": 1}
    with pump() as side:
        side.program()
        side.program(**(bridge | {f"{other}_den": 1_000}))
        side.start()
        assert refused(lambda: side.client.square_bolus(500, 3_600_000)) == "square_rate"
        side.client.square_bolus(500, 4_500_000)
