"""The machine resets a firmware that does not feed the watchdog; and what else the bench bus offers."""

from __future__ import annotations

import json

import pytest
from dosebench.image.source import code_hash
from dosebench.profile.load import load_profile
from dosebench.twin.bus import Op
from dosebench.twin.machine import READS_PER_RUN_MAX, Machine, SpinError
from dosebench.twin.persistent import profile_settings
from dosebench.twin.twin import Twin
from hypothesis import given
from hypothesis import strategies as st
from scripted_firmware import ask, scripted


@pytest.mark.requirement("R51")
def test_a_board_that_feeds_its_watchdog_is_left_alone() -> None:
    def turn(machine: Machine) -> int:
        ask(machine, Op.WATCHDOG, 8_000)
        return 7_999

    twin, boots = scripted(turn)
    twin.advance_time(3_600)
    assert len(boots) == 1


@pytest.mark.requirement("R51")
def test_a_board_that_sleeps_past_its_deadline_is_reset_at_it() -> None:
    def turn(machine: Machine) -> int:
        ask(machine, Op.WATCHDOG, 8_000)
        return 60_000

    twin, boots = scripted(turn)
    twin.advance_time(20)
    assert boots[1:] == [(8_000, 3), (16_000, 3)]
    assert twin.machine.reset_cause == 3


def test_a_feed_at_the_deadline_is_in_time() -> None:
    def turn(machine: Machine) -> int:
        ask(machine, Op.WATCHDOG, 8_000)
        return 8_000

    assert len(scripted(turn)[1]) == 1
    twin, boots = scripted(turn)
    twin.advance_time(100)
    assert len(boots) == 1


def test_zero_disarms_it_on_a_bench() -> None:
    def turn(machine: Machine) -> int:
        ask(machine, Op.WATCHDOG, 1_000)
        ask(machine, Op.WATCHDOG, 0)
        return 60_000

    twin, boots = scripted(turn)
    twin.advance_time(600)
    assert len(boots) == 1


def test_a_loop_of_reads_is_bitten_or_named() -> None:
    def armed(machine: Machine) -> int:
        if machine.reset_cause == 3:
            return 1_000_000
        ask(machine, Op.WATCHDOG, 1_000)
        while True:
            ask(machine, Op.FLASH_READ, b=1)

    def unarmed(machine: Machine) -> int:
        while True:
            ask(machine, Op.FLASH_READ, b=1)

    _, boots = scripted(armed)
    assert boots[1:] == [(1_000, 3)]
    with pytest.raises(SpinError, match="reads flash without an end"):
        scripted(unarmed)
    assert READS_PER_RUN_MAX > 20 * 62 * 102, "a boot that reads the journal of the default profile many times"


def test_a_board_that_is_bitten_at_every_boot_does_not_hold_up_the_bench() -> None:
    def turn(machine: Machine) -> int:
        ask(machine, Op.WATCHDOG, 10)
        while True:
            ask(machine, Op.FLASH_ERASE)

    twin, boots = scripted(turn)
    twin.advance_time(10)
    assert len(boots) == pytest.approx(10 / 0.045, abs=4)


def test_the_driver_is_on_only_by_a_fault() -> None:
    machine = Twin(profile_settings("implant-40", "cpython", 0)).machine
    machine.handle_operation(Op.MOTOR, 1, 100, 600, b"")
    assert ask(machine, Op.DRIVER) == 0
    machine.plant.set_fault("driver_stuck", None, machine.now_us)
    ask(machine, Op.MOTOR_OFF)
    assert ask(machine, Op.DRIVER) == 1


def test_the_code_hash_is_that_of_the_flashed_code_until_a_bit_flips() -> None:
    machine = Twin(profile_settings("implant-40", "cpython", 0)).machine
    told = json.loads(machine.handle_operation(Op.HELLO, 0, 0, 0, b"")[1])
    assert machine.handle_operation(Op.CODE, 0, 0, 0, b"")[1].hex() == told["code_hash"] == code_hash().hex()
    machine.code_flipped = True
    assert machine.plant.faults.list_present() == {"code_flip": True}
    held = machine.handle_operation(Op.CODE, 0, 0, 0, b"")[1]
    assert (int.from_bytes(held) ^ int.from_bytes(code_hash())).bit_count() == 1


@pytest.mark.parametrize("profile", ["implant-40", "external-mlh"])
def test_what_hello_tells_fits_the_firmwares_buffer(profile: str) -> None:
    machine = Twin(profile_settings(profile, "cpython", 0)).machine
    assert set(machine.config) == set(load_profile(profile).device_config())
    assert len(machine.handle_operation(Op.HELLO, 0, 0, 0, b"")[1]) < 4_096


@given(st.integers(-300, 300), st.integers(0, 10**12), st.integers(0, 10**7))
def test_a_clock_that_drifts_keeps_its_ticks_apart(ppm: int, at_us: int, delay_ms: int) -> None:
    machine = Twin(profile_settings("implant-40", "cpython", 0)).machine
    machine.plant.settings.clock_ppm = ppm
    machine.now_us = at_us
    before = machine.read_ticks()
    machine.now_us = machine.wake_at_us(delay_ms)
    assert (machine.read_ticks() - before) & 0x3FFFFFFF == delay_ms
    machine.now_us -= 1
    assert delay_ms == 0 or (machine.read_ticks() - before) & 0x3FFFFFFF == delay_ms - 1
    assert machine.tick_after_us(at_us) >= at_us
    assert machine.tick_after_us(machine.tick_after_us(at_us)) == machine.tick_after_us(at_us)
