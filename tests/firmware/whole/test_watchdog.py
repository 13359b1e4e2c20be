"""The firmware and the watchdog of its board, on every runtime."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from dosebench.link.client import PumpClient
from dosebench.link.ports import open_port
from dosebench.profile.device_config import seal_config
from dosebench.twin import persistent
from dosebench.twin.bus import Op
from dosebench.twin.machine import Machine
from dosebench.twin.persistent import profile_settings
from dosebench.twin.runtimes import RUNTIMES, RuntimeName
from dosebench.twin.serial_port import Serial
from dosebench.twin.twin import Twin
from scripted_firmware import ask, scripted


def unwatched(runtime: RuntimeName) -> Twin:
    """The project's firmware on a board without a watchdog: the test arms one itself."""
    settings = profile_settings("implant-40", runtime, 0)
    settings.config = seal_config(settings.config | {"watchdog_ms": 0})
    return Twin(settings).power_on()


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
