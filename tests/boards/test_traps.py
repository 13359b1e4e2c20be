"""Traps of chips, each by its name: what MicroPython's sources and issues say goes wrong, and does not here."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import fakemachine
import pytest
from chippump import running, settings
from dosebench.image.source import firmware_dir
from dosebench.twin.runtimes import list_available
from dosebench.twin.twin import one_core
from fakemachine import BENCH, FAMILIES, FakeMachine, board_twin, words

BOTH = pytest.mark.parametrize("family", FAMILIES)


def trap(family: str, name: str, advance_s: float = 0.0, **bench: Any) -> dict[str, list[str]]:
    """What the script of a trap says: words by the first of each line."""
    twin = board_twin(settings(), family, "traps.py", trap=name, **bench)
    with one_core():
        twin.power_on()
        twin.advance_time(advance_s)
        said = {line[0]: line[1:] for line in words(twin)}
        twin.close()
    return said


@BOTH
def test_a_soft_reset_leaves_pins_as_they_were(family: str) -> None:
    said = trap(family, "soft_reset")
    assert said["before"] == ["True"]
    # The very first pin that is driven is the driver's: off.
    assert said["first"] == [str(BENCH["motor"]["enable"]), str(1 - BENCH["motor"]["enable_on"])]
    assert said["after"] == ["False", "False", "0"]


@BOTH
def test_ctrl_c_is_data_once_the_board_is_made(family: str) -> None:
    assert trap(family, "kbd_intr") == {"before": [], "after": ["-1"]}


@pytest.mark.requirement("R52")
@BOTH
def test_an_activation_ends_though_the_program_has_died(family: str) -> None:
    said = trap(family, "dead", 30)
    assert said["train"] == ["16", "0"]
    assert said["held"] == ["1"]
    assert said["let"] == ["go", "0", "1"]


@BOTH
def test_a_motor_that_is_switched_off_within_a_step_stops_there(family: str) -> None:
    said = trap(family, "stop", 5)
    before, after, level = (int(word) for word in said["stopped"])
    assert 0 < before == after < 16
    assert level == 0
    assert said["again"] == ["16"]


@BOTH
def test_the_watchdog_is_not_fed_beyond_the_pumps_own_deadline(family: str) -> None:
    twin = board_twin(settings(), family, "traps.py", trap="feeding")
    with one_core():
        twin.power_on()
        twin.advance_time(13)
        assert len(twin.machine.boots_us) == 1
        twin.advance_time(7.5)
        assert len(twin.machine.boots_us) == 2
        assert twin.machine.reset_cause == 3
        twin.close()


@pytest.mark.requirement("R51")
@BOTH
def test_the_watchdog_bites_a_program_that_hangs_and_the_pump_goes_on(family: str) -> None:
    twin = board_twin(settings(), family)
    with running(twin) as client:
        twin.advance_time(600)
        made = len(twin.plant.steps_us)
        boots = len(twin.machine.boots_us)
        twin.set_fault("hang")
        # The hardware's time-out on RP2, the pump's own five minutes on ESP32.
        twin.advance_time(9 if family == "rp2" else 301)
        assert len(twin.machine.boots_us) == boots + 1
        client.connect()
        assert client.hello_reply["reset_cause"] == "watchdog"
        assert client.read_status()["delivery"] == "running"
        twin.advance_time(540)
        assert len(twin.plant.steps_us) >= made + 9


def test_a_boot_that_takes_long_is_no_bite_that_failed_to_come() -> None:
    # On files the first boot takes half a second and more before the proof of the watchdog even begins.
    twin = board_twin(settings(), "rp2")
    with running(twin) as client:
        first, second = twin.machine.boots_us
        assert second - first > 400_000
        results = {row["test"]: row["result"] for row in client.read_selftest()["results"]}
        assert results["watchdog"] == "passed"


def test_bytes_that_come_while_flash_is_written_overrun_the_uart_and_nothing_else() -> None:
    twin = board_twin(settings(), "rp2")
    with running(twin) as client:
        send, lost = twin.host_write, twin.machine.to_device.lost

        def send_with_noise(data: bytes) -> None:
            # Half a second of line behind each frame: it comes while the frame's record is written.
            send(data + bytes(range(1, 256)) * 20 + b"\0")

        twin.host_write = send_with_noise  # type: ignore[method-assign]
        client.stop_delivery()
        client.start_delivery()
        twin.host_write = send  # type: ignore[method-assign]
        assert twin.machine.to_device.lost > lost + 100
        twin.advance_time(3_600)
        status = client.read_status()
        assert status["bad_frames"] > 0
        assert status["low_steps"] == status["high_steps"] == len(twin.plant.steps_us) > 60


def test_no_board_asks_for_a_time_of_day() -> None:
    # Epochs are 1970 or 2000, and seconds since 2000 pass 2^30 in January 2034.
    banned = {"time", "time_ns", "localtime", "gmtime", "mktime", "RTC"}
    for path in sorted(firmware_dir().rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                assert node.attr not in banned, f"{path.name}:{node.lineno}"


def test_files_that_a_boot_code_has_formatted_away_are_noticed() -> None:
    twin = board_twin(settings(), "rp2")
    with running(twin) as client:
        twin.advance_time(600)
        machine = twin.machine
        assert isinstance(machine, FakeMachine)
        machine.files.clear()
        twin.power_cycle()
        twin.advance_time(5)
        client.connect()
        status = client.read_status()
        assert status["delivery"] == "safe"
        assert "therapy_lost" in status["alarms"]


def test_a_full_file_system_stops_the_pump_with_its_alarm() -> None:
    twin = board_twin(settings(), "rp2")
    with running(twin) as client:
        machine = twin.machine
        assert isinstance(machine, FakeMachine)
        machine.files_max = sum(map(len, machine.files.values())) + 200
        twin.advance_time(6 * 3_600)
        status = client.read_status()
        assert status["delivery"] == "safe"
        assert "flash_failed" in status["alarms"]
        assert status["low_steps"] <= len(twin.plant.steps_us) <= status["high_steps"]


@pytest.mark.parametrize("when", ["before", "torn", "after"])
@BOTH
def test_power_fails_within_a_write(family: str, when: Any) -> None:
    twin = board_twin(settings("unix"), family, runtime="unix")
    with running(twin) as client:
        for _ in range(3):
            twin.cut_at(twin.flash_operations, when)
            twin.advance_time(3_700)
            assert not twin.powered
            twin.power_on("brown_out")
            twin.advance_time(5)
            client.connect()
            status = client.read_status()
            assert status["delivery"] == "running"
            assert status["low_steps"] <= len(twin.plant.steps_us) <= status["high_steps"]


@BOTH
def test_light_sleep_hears_in_its_windows(family: str) -> None:
    twin = board_twin(settings("unix"), family, runtime="unix", sleep={"slice_ms": 2_000, "listen_ms": 300})
    with running(twin) as client:
        twin.advance_time(600)
        asked = twin.now_s
        client.stop_delivery()
        # Said again and again, STOP is heard in the first window: a slice and a window, and the client's patience.
        assert twin.now_s - asked < 10
        assert client.read_status()["delivery"] == "stopped"
        client.start_delivery()
        twin.advance_time(3_600)
        assert client.read_status()["low_steps"] == len(twin.plant.steps_us) > 60


@BOTH
def test_ticks_turn_round_in_a_long_silence(family: str) -> None:
    said = trap(family, "silence", 11 * 86_400, sleep={"slice_ms": 1_000_000, "listen_ms": 300})
    busy_ms, slept_hours = map(int, said["silence"])
    # Two frames of 93 ms, of which one is the buffer's; and the receiver slept to the end.
    assert 80 <= busy_ms <= 110
    assert slept_hours >= 190


@BOTH
def test_a_load_cell_stands_for_the_level(family: str) -> None:
    adc = {name: given for name, given in BENCH["adc"].items() if name != "level"}
    scale = {"sensor": "level", "data": 10, "clock": 11, "offset": -8_388, "num": 1, "den": 100}
    first, second = map(int, trap(family, "scale", adc=adc, hx711=scale)["scale"])
    assert abs(first - 2_500) <= 20
    assert abs(second - 2_500) <= 20


@BOTH
def test_tones_end_by_themselves(family: str) -> None:
    pattern, passed = trap(family, "tone", 20)["tone"]
    # Every half second, before the board's next look: a second; two, with one between.
    assert pattern == "111000000" "111001100"
    assert 9_000 <= int(passed) <= 9_010


@pytest.mark.parametrize(("broken", "says"), [({"checksum": "0" * 16}, "checksum"), ({"format": 2}, "format")])
@BOTH
def test_a_bench_that_is_not_whole_moves_no_pin(
    family: str, broken: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal = fakemachine.sealed_bench
    monkeypatch.setattr(fakemachine, "sealed_bench", lambda bench: seal(bench) | broken)
    said = trap(family, "bench")
    assert says in " ".join(said["refused"])
    assert said["pins"] == ["0"]


@BOTH
def test_a_bench_of_another_family_is_refused(family: str) -> None:
    said = trap(family, "bench")
    assert said["made"] == []
    assert " ".join(said["other"]).startswith(f"bench.json is for {family}, this is stm32")


def test_what_comes_over_usb_is_data() -> None:
    if not list_available()["unix"]:
        pytest.skip("the unix MicroPython is not installed here")
    probe = Path(__file__).with_name("usb_probe.py")
    argv = ["micropython", str(probe), str(firmware_dir())]
    command = [sys.executable, "-c", f"import sys, micropython_unix as m; sys.argv = {argv!r}; m.main()"]
    sent = bytes(range(256)) * 3
    done = subprocess.run(command, input=sent, capture_output=True, timeout=30, check=False)
    assert done.stdout == sent, done.stderr
