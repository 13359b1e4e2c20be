"""What the pump tests about itself, and the watchdog behind its supervisor (R50, R51, R56, R66)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from dosebench.link.client import RefusedError
from dosebench.twin.bus import Op
from dosebench.twin.machine import Machine
from dosebench.twin.runtimes import RUNTIMES
from pumpside import PumpSide, pump

HOUR_S = 3_600
WATCHDOG_MS = 300_000
BOOT_S_MAX = 70
"""R50."""
NOT_FITTED = ("watchdog", "tone")
"""In this file's pumps, unless a test gives one a watchdog; no board reads its tone back."""


def results(side: PumpSide) -> dict[str, str]:
    return {row["test"]: row["result"] for row in side.client.read_selftest()["results"]}


def running(side: PumpSide) -> PumpSide:
    side.program()
    side.start()
    return side


def firmware(side: PumpSide) -> Any:
    """The pump's own objects, on CPython."""
    runtime = side.twin._runtime
    return runtime.pump  # type: ignore[union-attr]


def assert_safe(side: PumpSide, test: str) -> None:
    """The test failed by its name, nothing moves, and nobody starts the pump."""
    status = side.client.read_status()
    assert (status["delivery"], "selftest_failed" in status["alarms"]) == ("safe", True)
    assert [name for name, result in results(side).items() if result == "failed"] == [test]
    made = side.twin.plant.read_encoder()
    side.twin.advance_time(HOUR_S)
    assert side.twin.plant.read_encoder() == made
    for call in (side.client.start_delivery, lambda: side.client.alarm_clear(["selftest_failed"])):
        with pytest.raises(RefusedError) as caught:
            call()
        assert caught.value.reason in ("safe_state", "alarm_present")


@pytest.mark.requirement("R50")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_test_is_named_and_a_sound_pump_passes(runtime: Any) -> None:
    with pump(runtime) as side:
        running(side)
        side.twin.advance_time(2 * HOUR_S)
        told = side.client.read_selftest()
        assert told["boot_ms"] <= BOOT_S_MAX * 1000
        assert told["retest_ms"] <= HOUR_S * 1000
        found = results(side)
        assert all(found[name] == "not_fitted" for name in NOT_FITTED)
        assert {name for name, result in found.items() if result == "passed"} == set(found) - set(NOT_FITTED)
        assert side.client.read_status()["alarms"] == ()


@pytest.mark.requirement("R50")
@pytest.mark.requirement("R66")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_code_that_is_not_what_was_flashed_never_doses(runtime: Any) -> None:
    with pump(runtime) as side:
        running(side)
        side.twin.machine.code_flipped = True
        side.reset()
        assert_safe(side, "code")
        side.twin.machine.code_flipped = False
        side.reset()
        side.client.alarm_clear(["selftest_failed"])
        side.client.start_delivery()
        assert side.client.read_status()["delivery"] == "running"


@pytest.mark.requirement("R50")
@pytest.mark.requirement("R66")
def test_code_that_changes_while_the_pump_runs_is_found_within_the_hour() -> None:
    with pump() as side:
        running(side)
        side.twin.advance_time(1_000)
        side.twin.machine.code_flipped = True
        side.twin.advance_time(HOUR_S + 60)
        assert_safe(side, "code")


@pytest.mark.requirement("R50")
@pytest.mark.requirement("R66")
def test_a_driver_that_stays_on_is_found_at_the_boot() -> None:
    with pump() as side:
        running(side)
        side.twin.set_fault("driver_stuck")
        side.reset()
        assert_safe(side, "driver")


@pytest.mark.requirement("R56")
@pytest.mark.requirement("R66")
def test_a_program_that_changes_in_memory_is_found_within_the_hour() -> None:
    with pump() as side:
        running(side)
        store = firmware(side).store
        store.program = store.program[:30] + bytes([store.program[30] ^ 1]) + store.program[31:]
        side.twin.advance_time(HOUR_S + 60)
        assert_safe(side, "memory")


# The watchdog


@pytest.mark.requirement("R51")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_watchdog_is_proven_once_for_each_power_on(runtime: Any) -> None:
    with pump(runtime, watchdog_ms=WATCHDOG_MS) as side:
        running(side)
        assert results(side)["watchdog"] == "passed"
        kinds = [record.kind for record in side.records()]
        at = kinds.index("watchdog_test")
        assert kinds[at + 1] == "boot"
        assert side.records()[at + 1].fields["reset_cause"] == "watchdog"
        assert kinds.count("watchdog_test") == 1
        assert side.client.hello_reply["reset_cause"] == "power_on", "the proof does not hide the cause"
        assert side.client.read_status()["boot_count"] == 1
        side.twin.power_cycle(cause="software")
        side.client.connect()
        assert [record.kind for record in side.records()].count("watchdog_test") == 1
        side.reset()
        assert [record.kind for record in side.records()].count("watchdog_test") == 2
        assert (results(side)["watchdog"], side.client.read_status()["delivery"]) == ("passed", "running")


@pytest.mark.requirement("R51")
@pytest.mark.requirement("R66")
def test_a_watchdog_that_does_not_bite_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    handle = Machine.handle_operation

    def deaf(machine: Machine, op: int, a: int, *rest: Any) -> tuple[bytes, bytes]:
        return handle(machine, op, 0 if op == Op.WATCHDOG else a, *rest)

    monkeypatch.setattr(Machine, "handle_operation", deaf)
    with pump(watchdog_ms=WATCHDOG_MS) as side:
        side.program()
        assert_safe(side, "watchdog")


def silent_task(task: int) -> Callable[[Any], None]:
    """Make one task of the firmware stop reporting."""

    def hush(supervisor: Any) -> None:
        report = supervisor.report
        supervisor.report = lambda told: None if told == task else report(told)

    return hush


@pytest.mark.requirement("R51")
@pytest.mark.requirement("R66")
@pytest.mark.parametrize("task", [1, 2, 4, 8])
def test_a_task_that_no_longer_reports_resets_the_pump_in_time(task: int) -> None:
    with pump(watchdog_ms=WATCHDOG_MS) as side:
        running(side)
        side.twin.advance_time(HOUR_S)
        assert side.client.read_status()["boot_count"] == 1, "a sound pump is never bitten"
        silent_task(task)(firmware(side).supervisor)
        side.twin.advance_time(WATCHDOG_MS / 1000 + 1)
        side.client.connect()
        status = side.client.read_status()
        assert (status["boot_count"], side.client.hello_reply["reset_cause"]) == (2, "watchdog")
        assert (status["delivery"], status["alarms"]) == ("running", ())


@pytest.mark.requirement("R51")
def test_feeding_the_watchdog_costs_no_wake_of_its_own() -> None:
    with pump(watchdog_ms=WATCHDOG_MS) as side:
        running(side)
        side.twin.advance_time(24 * HOUR_S)
        counted = side.client.read_counters()
        assert counted["wakes_watchdog"] == 0
        assert counted["up_minutes"] == 24 * 60
        assert counted["wakes_delivery"] <= 1.01 * counted["steps"] + 1
        assert counted["wakes_sensors"] <= 24 * 20 + 1
