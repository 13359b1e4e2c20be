"""Alarms of memory and dose by the four guide words (R66): raised, not raised, in time, ended when they should be."""

from __future__ import annotations

from typing import Any

import pytest
from dosebench.link.client import RefusedError
from dosebench.profile.parts import SECTOR_BYTES
from dosebench.twin.flash import Flash
from pumpside import PumpSide, pump, therapy

HOUR_S = 3_600
DAY_S = 24 * HOUR_S


def on(side: PumpSide) -> set[str]:
    return set(side.client.read_status()["alarms"]) - {"pump_stopped", "clock_unknown"}


def running(side: PumpSide, **changes: Any) -> PumpSide:
    side.program(**changes)
    side.start()
    side.twin.advance_time(HOUR_S / 2)
    return side


def refused(call: Any, *arguments: Any) -> str:
    with pytest.raises(RefusedError) as caught:
        call(*arguments)
    return caught.value.reason


def assert_stands(side: PumpSide) -> None:
    made = side.twin.plant.read_encoder()
    side.twin.advance_time(HOUR_S)
    assert side.twin.plant.read_encoder() == made


@pytest.mark.requirement("R66")
def test_a_week_without_a_fault_raises_none_of_them() -> None:
    with pump() as side:
        running(side)
        for _ in range(7):
            side.twin.advance_time(DAY_S)
            side.reset()
        assert on(side) == set()


# therapy_lost


@pytest.mark.requirement("R53")
@pytest.mark.requirement("R66")
def test_a_therapy_that_is_lost_is_said_at_the_boot_and_ends_with_a_new_one() -> None:
    with pump() as side:
        running(side)
        side.twin.power_off()
        for copy in (0, 1):
            side.twin.flash.data[copy * SECTOR_BYTES + 60] ^= 5
        side.twin.power_on("brown_out")
        side.client.connect()
        assert on(side) == {"therapy_lost"}
        assert_stands(side)
        assert refused(side.client.alarm_clear, ["therapy_lost"]) == "alarm_present"
        side.program()
        side.client.alarm_clear(["therapy_lost"])
        side.client.start_delivery()
        assert on(side) == set()


@pytest.mark.requirement("R53")
@pytest.mark.requirement("R66")
@pytest.mark.parametrize("copy", [0, 1])
def test_one_copy_that_is_lost_is_no_alarm(copy: int) -> None:
    with pump() as side:
        running(side)
        side.twin.power_off()
        side.twin.flash.data[copy * SECTOR_BYTES + 60] ^= 5
        side.twin.power_on("brown_out")
        side.client.connect()
        assert "therapy_lost" not in on(side)
        assert side.client.read_status()["delivery"] == "running"


# journal_damaged


@pytest.mark.requirement("R55")
@pytest.mark.requirement("R66")
def test_a_damaged_record_is_said_at_the_boot_and_can_be_cleared() -> None:
    with pump() as side:
        running(side)
        side.twin.advance_time(4 * HOUR_S)
        side.twin.power_off()
        second_record = 2 * SECTOR_BYTES + 32 + 40
        side.twin.flash.data[second_record + 12] ^= 0x11
        side.twin.power_on("brown_out")
        side.client.connect()
        assert "journal_damaged" in on(side)
        side.client.alarm_clear(["journal_damaged"])
        assert "journal_damaged" not in on(side)
        side.twin.advance_time(HOUR_S)
        assert "journal_damaged" not in on(side)


@pytest.mark.requirement("R66")
def test_a_record_that_a_cut_tore_is_no_damage() -> None:
    with pump() as side:
        running(side)
        side.twin.cut_at(side.twin.flash_operations, "torn")
        side.twin.advance_time(2 * HOUR_S)
        assert not side.twin.powered
        side.twin.power_on("brown_out")
        side.client.connect()
        assert "journal_damaged" not in on(side)


# flash_failed


@pytest.mark.requirement("R53")
@pytest.mark.requirement("R66")
def test_flash_that_takes_nothing_stops_the_pump_with_the_next_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    with pump() as side:
        running(side)
        with monkeypatch.context() as broken:
            broken.setattr(Flash, "write", lambda _flash, _address, _data: 400)
            side.twin.advance_time(HOUR_S + 120)
            status = side.client.read_status()
            assert ("flash_failed" in status["alarms"], status["delivery"]) == (True, "safe")
            assert_stands(side)
        side.reset()
        assert side.client.read_status()["delivery"] == "running", (
            "nothing could be written about it: the lease runs on"
        )


@pytest.mark.requirement("R53")
@pytest.mark.parametrize("command", ["start", "bolus", "square_bolus", "refill", "commit"])
def test_a_command_whose_record_the_flash_rejects_has_no_effect(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pump() as side:
        running(side)
        if command in ("start", "refill", "commit"):
            side.client.stop_delivery()
        data = therapy(basal_num=2, basal_den=54_000)
        side.client.stage_program(data)
        before = side.client.read_status()
        program = side.twin._runtime.pump.store.program  # type: ignore[union-attr]
        write = Flash.write

        def write_program_only(flash: Flash, address: int, data: bytes) -> int:
            return write(flash, address, data) if address < 2 * 4096 else 400

        acts = {
            "start": side.client.start_delivery,
            "bolus": lambda: side.client.give_bolus(20),
            "square_bolus": lambda: side.client.square_bolus(20, 3_600_000),
            "refill": lambda: side.client.record_refill(90_000),
            "commit": lambda: side.client.commit_program(data),
        }
        with monkeypatch.context() as broken:
            broken.setattr(Flash, "write", write_program_only)
            assert refused(acts[command]) == "flash_failed"
            after = side.client.read_status()
            assert ("flash_failed" in after["alarms"], after["delivery"]) == (True, "safe")
            for name in ("generation", "reservoir_steps", "bolus_left_steps", "square_left_steps"):
                assert after[name] == (0 if name.endswith("left_steps") else before[name]), name
            assert side.twin._runtime.pump.store.program == program  # type: ignore[union-attr]
            assert_stands(side)


@pytest.mark.requirement("R53")
def test_a_stop_whose_record_the_flash_rejects_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    with pump() as side:
        running(side)
        monkeypatch.setattr(Flash, "write", lambda _flash, _address, _data: 400)
        side.client.stop_delivery()
        assert side.client.read_status()["delivery"] == "safe"
        assert_stands(side)


# guard_disagrees


@pytest.mark.requirement("R57")
@pytest.mark.requirement("R66")
def test_a_guard_without_a_lease_lets_nothing_move_and_says_so() -> None:
    with pump() as side:
        running(side)
        made = side.twin.plant.read_encoder()
        guard = side.twin._runtime.pump.delivery.guard  # type: ignore[union-attr]
        guard.set_allowance(0)
        guard.set_enabled(False)
        side.twin.advance_time(2 * 54)
        assert "guard_disagrees" in on(side)
        assert side.client.read_status()["delivery"] == "safe"
        assert side.twin.plant.read_encoder() == made
        assert refused(side.client.start_delivery) == "safe_state"
        side.client.alarm_clear(["guard_disagrees"])
        side.client.start_delivery()
        side.twin.advance_time(HOUR_S)
        assert side.twin.plant.read_encoder() > made


# dose_cap and missed_volume


@pytest.mark.requirement("R5")
@pytest.mark.requirement("R66")
def test_a_cap_that_is_reached_falls_back_until_it_is_cleared() -> None:
    # 66.7 steps an hour of basal under a cap of 80: a bolus of 20 is cut, and the minimum rate runs.
    with pump() as side:
        running(side, hour_ng_max=80 * 500)
        side.twin.advance_time(HOUR_S)
        assert on(side) == set()
        side.client.give_bolus(20)
        side.twin.advance_time(HOUR_S)
        assert on(side) == {"dose_cap"}
        status = side.client.read_status()
        assert (status["rate_num"], status["rate_den"]) == (1, 450_000)
        held = next(row for row in side.client.read_status()["window_ng"] if row["minutes"] == 60)
        assert held["ng"] <= held["ng_max"]
        side.client.alarm_clear(["dose_cap"])
        side.twin.advance_time(2 * HOUR_S)
        assert on(side) == set()
        status = side.client.read_status()
        assert (status["rate_num"], status["rate_den"]) == (1, 54_000)


@pytest.mark.requirement("R15")
@pytest.mark.requirement("R66")
def test_what_a_board_that_stood_still_did_not_deliver_is_missed_and_never_caught_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pump() as side:
        running(side)
        write = Flash.write
        with monkeypatch.context() as slow:
            # A lease takes three minutes of flash: three steps come due meanwhile, and one is made.
            slow.setattr(Flash, "write", lambda flash, address, data: write(flash, address, data) + 180_000_000)
            side.twin.advance_time(HOUR_S)
        status = side.client.read_status()
        assert "missed_volume" in status["alarms"]
        assert status["missed_steps"] >= 2
        made, missed = side.twin.plant.read_encoder(), status["missed_steps"]
        side.twin.advance_time(HOUR_S)
        assert side.twin.plant.read_encoder() - made in (66, 67), "not caught up"
        assert side.client.read_status()["missed_steps"] == missed
        side.client.alarm_clear(["missed_volume"])
        assert on(side) == set()


@pytest.mark.requirement("R15")
@pytest.mark.requirement("R10")
def test_the_step_that_an_occlusion_stops_is_missed() -> None:
    with pump() as side:
        running(side)
        side.twin.advance_time(HOUR_S)
        side.twin.set_fault("occlusion")
        side.twin.advance_time(HOUR_S)
        status = side.client.read_status()
        assert {"occlusion", "missed_volume"} <= set(status["alarms"])
        assert status["missed_steps"] == 1
