"""A pump that was calibrated: its steps hold another volume than those that it counted, and than its therapy's."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from dosebench.link.client import RefusedError
from dosebench.profile.calibrated import calibrate_profile
from dosebench.profile.device_config import seal_config
from dosebench.profile.load import load_profile
from dosebench.twin.runtimes import RUNTIMES, RuntimeName
from pump.guard.guard import Guard
from pumpside import PumpSide, pump

OLD, NEW = Fraction(250), Fraction(1306, 5)
"""Step volumes in nL: of the profile, and as measured: 261.2 nL."""
ON_NEW: dict[str, Any] = {"step_nl_num": 1306, "step_nl_den": 5, "step_ng_num": 2612, "step_ng_den": 5}
"""The therapy of the tests, of the same concentration, for the new step."""
SMALL = {"flash_sectors": 6, "fault_sectors": 2}


def flashed(side: PumpSide, step_nl: Fraction, **config: int) -> None:
    """Flash the settings of a pump with that step volume, and let it boot."""
    settings = (
        dict(calibrate_profile(load_profile("implant-40"), step_nl).device_config()) | {"watchdog_ms": 0} | config
    )
    side.twin.power_off()
    side.twin.machine.config = seal_config(settings)
    side.twin.power_on()
    if side.twin.powered:
        side.client.connect()


def kinds(side: PumpSide) -> list[str]:
    return [record.kind for record in side.records()]


def calibrations(side: PumpSide) -> list[dict[str, Any]]:
    return [record.fields for record in side.records() if record.kind == "calibration"]


@pytest.mark.requirement("R13", "R53")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_therapy_for_other_steps_is_not_delivered(runtime: RuntimeName) -> None:
    with pump(runtime) as side:
        side.program()
        side.start()
        side.twin.advance_time(3_600)
        content = side.client.read_status()["reservoir_steps"]
        flashed(side, NEW)
        steps = side.twin.plant.read_encoder()
        side.twin.advance_time(7_200)
        status = side.client.read_status()
        assert status["delivery"] == "stopped"
        assert "therapy_unfit" in status["alarms"]
        assert side.twin.plant.read_encoder() == steps
        # The open lease of the boot counts as delivered; what is left is counted in the new steps.
        (told,) = calibrations(side)
        assert (told["step_nl_num"], told["step_nl_den"], told["carried_on"]) == (1306, 5, False)
        assert content - 66 <= Fraction(status["reservoir_steps"] + 1) * NEW / OLD
        assert status["reservoir_steps"] <= content * OLD / NEW
        for refused in (side.client.start_delivery, lambda: side.client.alarm_clear(["therapy_unfit"])):
            with pytest.raises(RefusedError):
                refused()


@pytest.mark.requirement("R13")
def test_programming_it_again_ends_that() -> None:
    with pump() as side:
        side.program()
        flashed(side, NEW)
        with pytest.raises(RefusedError) as refused:
            side.program()
        assert refused.value.reason == "step_volume"
        side.program(**ON_NEW, reservoir_steps=150_000)
        assert "therapy_unfit" not in side.client.read_status()["alarms"]
        side.start()
        side.twin.advance_time(3_600)
        assert side.client.read_status()["delivery"] == "running"


def test_the_old_settings_bring_the_old_therapy_back() -> None:
    with pump() as side:
        side.program()
        side.start()
        before = side.client.read_status()["reservoir_steps"]
        flashed(side, NEW)
        flashed(side, OLD)
        status = side.client.read_status()
        assert "therapy_unfit" not in status["alarms"]
        # It waits for a person, as after any alarm that stopped it; each way rounds to whole steps, downwards.
        assert status["delivery"] == "stopped"
        assert before - 66 - 3 <= status["reservoir_steps"] <= before
        side.start()


def test_settings_that_leave_the_step_alone_recount_nothing() -> None:
    with pump() as side:
        side.program()
        flashed(side, OLD, sense_ms=60_000)
        assert "calibration" not in kinds(side)
        assert side.client.read_status()["alarms"] == ()


def test_other_settings_that_refuse_the_therapy_stop_it_too() -> None:
    with pump() as side:
        side.program()
        side.start()
        flashed(side, OLD, bolus_steps_max=100)
        assert "therapy_unfit" in side.client.read_status()["alarms"]
        assert "calibration" not in kinds(side)


@pytest.mark.parametrize("when", ["before", "torn", "after"])
@pytest.mark.parametrize("at", range(4))
def test_the_content_is_recounted_once_whenever_the_power_fails(at: int, when: str) -> None:
    with pump() as side:
        side.program()
        side.start()
        side.stop()
        content = side.client.read_status()["reservoir_steps"]
        side.twin.cut_at(side.twin.flash_operations + at, when)
        flashed(side, NEW)
        assert not side.twin.powered
        flashed(side, NEW)
        status = side.client.read_status()
        assert status["reservoir_steps"] == content * OLD // NEW
        assert "therapy_unfit" in status["alarms"]


def test_a_full_journal_carries_it_on() -> None:
    with pump(**SMALL) as side:
        side.program()
        flashed(side, NEW, **SMALL)
        content = side.client.read_status()["reservoir_steps"]
        last = side.records()[-1].sequence
        while side.client.journal_info()["first"] <= last:
            for _ in range(20):
                side.client.record_refill(content)
        assert all(told["carried_on"] for told in calibrations(side))
        assert calibrations(side)
        flashed(side, NEW, **SMALL)
        assert side.client.read_status()["reservoir_steps"] == content


@pytest.mark.requirement("R23")
def test_a_refill_after_it_is_held_against_the_new_steps_alone() -> None:
    with pump() as side:
        side.program()
        side.start()
        side.twin.advance_time(5 * 86_400)
        side.stop()
        flashed(side, NEW)
        side.program(**ON_NEW, reservoir_steps=150_000, basal_den=9_000)
        content = side.client.read_status()["reservoir_steps"]
        side.start()
        side.twin.advance_time(86_400)
        side.stop()
        given = side.client.read_status()["low_steps"] - next(
            record.fields["low_steps"] for record in reversed(side.records()) if record.kind == "start"
        )
        assert given > 9_000
        side.client.record_refill(153_000, content - given)
        check = next(record.fields for record in side.records() if record.kind == "refill_check")
        assert check["delivered_low_steps"] == given
        assert check["flag"] == "agrees"


@pytest.mark.requirement("R17")
def test_the_windows_keep_the_drug_that_was_delivered() -> None:
    with pump() as side:
        side.program()
        side.start()
        side.bolus(400)
        side.twin.advance_time(3_601)
        side.stop()
        flashed(side, NEW)
        before = side.client.read_status()["window_ng"]
        assert before[1]["ng"] > 200_000
        side.program(**ON_NEW, reservoir_steps=150_000)
        after = side.client.read_status()["window_ng"]
        for old, new in zip(before, after, strict=True):
            # Never less, and at most a step more in each place of a window that holds any.
            assert old["ng"] <= new["ng"] <= old["ng"] + 60 * 523


@pytest.mark.requirement("R14")
def test_the_pumps_own_windows_hold_the_volume_that_was_delivered() -> None:
    guard = Guard(4_000, 24_000)
    guard.replay_steps(0, 1_000)
    guard.change_step((250, 1), (1306, 5))
    assert guard._hour.sum == guard._day.sum == -(-1_000 * 250 * 5 // 1306)
    guard.change_step((1306, 5), (200, 1))
    assert guard._hour.sum >= 1_250


def test_a_bridge_that_was_under_way_does_not_lock_the_pump() -> None:
    with pump() as side:
        side.program()
        bridge = {"bridge_steps": 200, "bridge_num": 1, "bridge_den": 54_000, "bridge_ng_num": 500, "bridge_ng_den": 1}
        side.program(step_ng_num=1_000, **bridge)
        side.start()
        assert side.client.read_status()["bridge_left_steps"]
        flashed(side, NEW)
        side.program(**ON_NEW, reservoir_steps=150_000)
        assert side.client.read_status()["bridge_left_steps"] == 0
        side.start()


@pytest.mark.requirement("R14")
def test_what_was_delivered_before_it_leaves_no_more_room_than_its_volume_does() -> None:
    with pump() as side:
        side.program(bolus_den=1_200)
        side.start()
        side.client.give_bolus(400)
        side.twin.advance_time(600)
        side.stop()
        low = side.client.read_status()["low_steps"]
        # 400 steps of 250 nL are 500 of 200 nL: of 600 that an hour may hold, 100 are left, less what the basal gave.
        flashed(side, Fraction(200), hard_hour_steps=600)
        old = -(-low * 250 // 200)
        side.program(
            **{"step_nl_num": 200, "step_ng_num": 4_000, "bolus_den": 1_200, "minimum_den": 360_000},
            hour_ng_max=600 * 4_000,
            day_ng_max=2_000 * 4_000,
        )
        side.start()
        side.client.give_bolus(300)
        side.twin.advance_time(600)
        assert "dose_cap" in side.client.read_status()["alarms"]
        assert side.client.read_status()["low_steps"] - low <= 600 - old
        assert side.client.read_status()["low_steps"] - low >= 600 - old - 5
