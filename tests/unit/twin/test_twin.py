"""The twin: power, resets, the course of virtual time, and settings that decide a run."""

from __future__ import annotations

import os

import pytest
from dosebench.twin.bus import Op
from dosebench.twin.machine import Machine
from dosebench.twin.persistent import profile_settings
from dosebench.twin.twin import IDLE_RUNS_MAX, RESET_CAUSES, Twin, TwinError, derived_keys, one_core
from dosebench_protocol.codec import KEYED_ROLES
from dosebench_protocol.tables import ENUMS, KEY_BYTES
from scripted_firmware import Script, echo, scripted


def made(**changes: object) -> Twin:
    settings = profile_settings("implant-40", "cpython", 0)
    for name, value in changes.items():
        setattr(settings, name, value)
    return Twin(settings)


def test_the_seed_names_the_board_where_nothing_else_does() -> None:
    assert made().machine.device_id == bytes.fromhex("db000000")
    assert made(seed=0x123456).machine.device_id == bytes.fromhex("db123456")
    assert made(device_id=b"mine").machine.device_id == b"mine"


def test_keys_follow_from_the_id_unless_they_are_given() -> None:
    keys = derived_keys(b"mine")
    assert set(keys) == set(KEYED_ROLES)
    assert {len(key) for key in keys.values()} == {KEY_BYTES}
    assert len(set(keys.values())) == 3
    assert keys == derived_keys(b"mine") != derived_keys(b"your")
    assert made(device_id=b"mine").machine.keys == keys
    assert made(keys={}).machine.keys == {}


def test_causes_of_a_reset_are_those_of_the_protocol() -> None:
    assert {name: ENUMS["ResetCause"][name] for name in RESET_CAUSES} == RESET_CAUSES


# Power


def test_power_is_switched_on_once_and_off_at_will() -> None:
    twin, boots = scripted(echo)
    assert twin.powered
    with pytest.raises(TwinError, match="powered already"):
        twin.power_on()
    twin.power_off()
    twin.power_off()
    assert not twin.powered
    twin.advance_time(10)
    twin.power_on("software")
    assert [at_ms for at_ms, _ in boots] == [0, 10_000]
    assert twin.machine.reset_cause == RESET_CAUSES["software"]


def test_a_power_cycle_lets_time_pass_in_the_dark() -> None:
    twin, boots = scripted(echo)
    twin.advance_time(5)
    twin.power_cycle(2.5)
    assert twin.now_s == 7.5
    assert len(boots) == 2
    assert twin.machine.reset_cause == RESET_CAUSES["brown_out"]


def test_a_pump_that_has_booted_is_commissioned() -> None:
    twin = made()
    assert not twin.machine.config["commissioned"]
    twin.start_firmware(Script(twin.machine, echo), "power_on")
    assert twin.machine.config["commissioned"]


def test_the_end_of_a_block_cuts_the_power() -> None:
    with scripted(echo)[0] as twin:
        assert twin.powered
    assert not twin.powered


# Time


def test_time_stands_still_unless_it_is_advanced() -> None:
    twin, _ = scripted(echo)
    assert twin.now_s == 0
    twin.advance_time(1.5)
    twin.advance_us(1_600_000)
    assert (twin.now_s, twin.machine.now_us) == (1.6, 1_600_000)


def test_the_firmware_wakes_when_it_asked_to_and_when_a_byte_comes() -> None:
    woken: list[int] = []

    def turn(machine: Machine) -> int:
        woken.append(machine.now_us // 1000)
        machine.handle_operation(Op.UART_READ, 100, 0, 0, b"")
        return 1_000

    twin, _ = scripted(turn)
    twin.advance_time(2.5)
    assert woken == [0, 1_000, 2_000]
    assert twin.wake_us == 3_000_000
    twin.host_write(b"x")
    twin.advance_time(0.3)
    assert woken == [0, 1_000, 2_000, 2_501], "at the next millisecond"


def test_time_stops_where_it_is_told_to() -> None:
    twin, _ = scripted(echo)
    line = twin.machine.to_host
    twin.host_write(b"x")
    twin.advance_us(10_000_000, stop=lambda: line.count_arrived(twin.machine.now_us) > 0)
    assert twin.now_s < 0.01
    assert twin.host_read(10) == b"x"


def test_a_firmware_that_never_waits_is_an_error() -> None:
    runs: list[int] = []

    def spin(machine: Machine) -> int:
        runs.append(machine.now_us)
        return 0

    with pytest.raises(TwinError, match="spins"):
        scripted(spin)
    assert len(runs) == IDLE_RUNS_MAX + 1


def test_a_hung_firmware_runs_no_more_until_the_power_is_cut() -> None:
    runs: list[int] = []

    def turn(machine: Machine) -> int:
        runs.append(machine.now_us)
        return 100

    twin, _ = scripted(turn)
    twin.set_fault("hang")
    twin.advance_time(10)
    assert len(runs) == 1
    twin.set_fault("hang", "off")
    twin.advance_time(1)
    assert len(runs) > 10


def test_a_planned_cut_ends_the_firmware_at_that_operation_and_time_goes_on() -> None:
    def turn(machine: Machine) -> int:
        machine.handle_operation(Op.FLASH_WRITE, 0, 0, 0, b"\x00")
        return 1_000

    twin, _ = scripted(turn)
    assert twin.flash_operations == 1
    twin.cut_at(3, "before")
    twin.advance_time(10)
    assert not twin.powered
    assert twin.now_s == pytest.approx(10, abs=0.01)
    assert twin.flash_operations == 4, "operations count from 0, and the one that was cut counts too"


def test_the_motors_steps_are_seen_by_the_bench() -> None:
    def turn(machine: Machine) -> int:
        machine.handle_operation(Op.MOTOR, 2, 100, 600, b"")
        return 60_000

    twin, _ = scripted(turn)
    twin.advance_time(61)
    times = twin.step_times_ms()
    assert len(times) == 4
    assert times == sorted(times)
    assert twin.plant.read_encoder() == 4


def test_one_core_is_given_back() -> None:
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("no affinity here")
    before = os.sched_getaffinity(0)
    with one_core():
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before
