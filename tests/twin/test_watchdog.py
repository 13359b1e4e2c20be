"""The watchdog resets a board that does not feed it; and what else the bench bus offers the firmware."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dosebench.image.source import code_hash
from dosebench.link.client import PumpClient
from dosebench.link.ports import open_port
from dosebench.profile.device_config import seal_config
from dosebench.profile.load import load_profile
from dosebench.twin import persistent
from dosebench.twin.bus import WORDS, Op
from dosebench.twin.machine import READS_PER_RUN_MAX, Machine, SpinError
from dosebench.twin.persistent import profile_settings
from dosebench.twin.runtimes import RUNTIMES, Runtime, RuntimeName
from dosebench.twin.serial_port import Serial
from dosebench.twin.twin import Twin
from hypothesis import given
from hypothesis import strategies as st

Turn = Callable[[Machine], int]


def ask(machine: Machine, op: Op, a: int = 0, b: int = 0, payload: bytes = b"") -> int:
    """One call over the bench bus; the reply's value."""
    return int(WORDS.unpack(machine.handle_operation(op, a, b, 0, payload)[0])[3])


class Script(Runtime):
    """A firmware of the test's own: `turn` is one run of its loop and returns how long it sleeps, in milliseconds."""

    name: RuntimeName = "cpython"

    def __init__(self, machine: Machine, turn: Turn) -> None:
        self._machine = machine
        self._turn = turn
        self._waiting = False

    def run_turn(self) -> int:
        if self._waiting:
            self._machine.wait_reply()
        self._waiting = True
        return self._turn(self._machine)

    def cut_power(self) -> None:
        pass


def scripted(turn: Turn) -> tuple[Twin, list[tuple[int, int]]]:
    """A twin that runs `turn`, and the log of its boots: time in ms, reset cause."""
    twin = Twin(profile_settings("implant-40", "cpython", 0))
    boots: list[tuple[int, int]] = []

    def boot() -> Runtime:
        boots.append((twin.machine.now_us // 1000, twin.machine.reset_cause))
        return Script(twin.machine, turn)

    twin.booter = boot
    twin.start_firmware(boot(), "power_on")
    return twin, boots


def unwatched(runtime: RuntimeName) -> Twin:
    """The project's firmware on a board without a watchdog: the test arms one itself."""
    settings = profile_settings("implant-40", runtime, 0)
    settings.config = seal_config(settings.config | {"watchdog_ms": 0})
    return Twin(settings).power_on()


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


@pytest.mark.parametrize("op", [Op.FLASH_WRITE, Op.FLASH_ERASE])
def test_a_loop_of_flash_operations_is_bitten(op: Op) -> None:
    def turn(machine: Machine) -> int:
        if machine.reset_cause == 3:
            return 1_000_000
        ask(machine, Op.WATCHDOG, 1_000)
        while True:
            ask(machine, op, payload=b"\x00" if op == Op.FLASH_WRITE else b"")

    twin, boots = scripted(turn)
    twin.advance_time(5)
    assert [cause for _, cause in boots[1:]] == [3]
    assert boots[1][0] in range(1_000, 1_046)


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


def test_a_motor_that_runs_past_the_deadline_is_stopped_by_the_reset() -> None:
    def turn(machine: Machine) -> int:
        if machine.reset_cause == 3:
            return 1_000_000
        ask(machine, Op.WATCHDOG, 250)
        machine.handle_operation(Op.MOTOR, 10, 100, 10_000, b"")
        return 0

    twin, boots = scripted(turn)
    assert boots[1:] == [(300, 3)]
    assert twin.plant.read_encoder() == 3


def test_a_board_that_is_bitten_at_every_boot_does_not_hold_up_the_bench() -> None:
    def turn(machine: Machine) -> int:
        ask(machine, Op.WATCHDOG, 10)
        while True:
            ask(machine, Op.FLASH_ERASE)

    twin, boots = scripted(turn)
    twin.advance_time(10)
    assert len(boots) == pytest.approx(10 / 0.045, abs=4)


@pytest.mark.requirement("R51")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_firmware_boots_anew_after_a_bite(runtime: RuntimeName) -> None:
    with unwatched(runtime) as twin:
        ask(twin.machine, Op.WATCHDOG, 60_000)
        twin.set_fault("hang")
        twin.advance_time(59.9)
        assert twin.plant.faults.hang
        twin.advance_time(0.2)
        assert not twin.plant.faults.hang
        assert twin.machine.watchdog_us is None
        hello = PumpClient(Serial(twin=twin, baudrate=115_200, timeout=2)).connect()
        assert (hello["boot_count"], hello["reset_cause"]) == (2, "watchdog")


def test_a_board_that_hangs_without_a_watchdog_hangs_until_the_power_is_cut() -> None:
    with unwatched("cpython") as twin:
        twin.advance_time(10)
        wakes = twin.plant.wakes
        twin.set_fault("hang")
        twin.advance_time(86_400)
        assert twin.plant.wakes == wakes
        twin.set_fault("hang", "off")
        twin.power_cycle()
        twin.advance_time(600)
        assert twin.plant.wakes > wakes


# A kept board


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Simulations of a test live in its own directory, and end with it."""
    monkeypatch.setenv("DOSEBENCH_STATE", str(tmp_path))
    yield tmp_path
    for name in persistent.list_names():
        persistent.remove_twin(name)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_kept_board_is_bitten_keeps_its_faults_and_goes_on(state: Path, runtime: str) -> None:
    with open_port(f"sim://bench?runtime={runtime}") as port:
        boots = PumpClient(port).connect()["boot_count"]
        port.twin.set_fault("occlusion", 20)
        port.twin.set_fault("level_stuck")
    with open_port("sim://bench") as port:
        assert port.twin.plant.faults.list_present() == {"occlusion": 20, "level_stuck": True}
        port.twin.set_fault("hang")
        port.twin.advance_time(3_700)
    with open_port("sim://bench") as port:
        hello = PumpClient(port).connect()
        assert (hello["boot_count"], hello["reset_cause"]) == (boots + 1, "watchdog")
        port.twin.power_cycle()
        assert PumpClient(port).connect()["boot_count"] > boots + 1
    kept = json.loads((state / "sims" / "bench" / "twin.json").read_text())
    assert kept["plant"]["faults"]["occlusion"] == 20


def test_a_simulation_of_another_release_is_refused(state: Path) -> None:
    with open_port("sim://bench?runtime=cpython"):
        pass
    file = state / "sims" / "bench" / "twin.json"
    file.write_text(file.read_text().replace(f'"format": {persistent._FORMAT}', '"format": 2'))
    with pytest.raises(persistent.SimError, match="made by another release"):
        persistent.open_url("sim://bench")


# What else the bus offers


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


def test_the_board_of_the_firmware_speaks_all_of_it() -> None:
    twin = Twin(profile_settings("external-mlh", "cpython", 0)).power_on()
    board = twin._runtime.pump.board  # type: ignore[union-attr]
    held = bytearray(16)
    board.code_hash(held)
    assert bytes(held).hex() == board.flashed_hash
    assert not board.driver_on()
    assert [board.adc(channel) > 0 for channel in range(5)] == [True, False, True, True, True]
    twin.plant.make_step(twin.machine.now_us)
    assert board.flow_count() == 16
    board.watchdog(5_000)
    assert twin.machine.watchdog_us == twin.machine.now_us + 5_000_000


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


def test_a_fast_clock_doses_faster() -> None:
    settings = profile_settings("implant-40", "cpython", 0)
    settings.plant.clock_ppm = 20_000
    with Twin(settings).power_on() as twin:
        client = PumpClient(Serial(twin=twin, baudrate=115_200, timeout=2))
        client.connect()
        twin.advance_time(90_000)
        status = client.read_status()
        assert status["day"] * 86_400 + status["ms"] / 1000 == pytest.approx(91_800, abs=5)


def test_all_runtimes_leave_the_plant_in_the_same_state() -> None:
    def run(runtime: RuntimeName) -> object:
        with Twin(profile_settings("implant-40", runtime, 4)).power_on() as twin:
            # No host: hello names the runtime, so its reply takes longer on one than on another.
            twin.set_fault("free_flow", 2)
            twin.advance_time(1_000)
            twin.power_cycle()
            twin.advance_time(1_000)
            return twin.plant.save_state(), twin.machine.now_us, bytes(twin.flash.data)

    first, *others = (run(runtime) for runtime in RUNTIMES)
    assert others == [first, first]
