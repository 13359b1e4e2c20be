"""Bench files: what the board and the pump are told, and mistakes with their lines."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from benches import BENCHES, DC, GEARED, PERISTALTIC, SYRINGE, changed, step
from dosebench.bench.edit import write_calibration
from dosebench.bench.file import BenchError, flatten_values, load_bench, sealed_bench
from dosebench.bench.rules import pin_uses
from dosebench.profile.calibrated import calibrate_profile
from dosebench.profile.load import load_profile
from dosebench.profile.model import ProfileError


@pytest.mark.parametrize("path", BENCHES, ids=lambda path: path.stem)
def test_the_examples_are_right(path: Path) -> None:
    bench = load_bench(path)
    assert bench.tables.name == path.stem
    assert bench.tables.parts
    told = json.loads(json.dumps(bench.device_json()))
    assert told == bench.device_json()
    assert told == load_bench(path).device_json()
    assert set(told) == {
        *("format", "family", "name", "checksum", "port", "motor", "sense", "encoder", "flow", "adc", "hx711"),
        *("tone", "sleep", "storage"),
    }
    pins = [value for key, value in flatten_values(told) if key.split(".")[-1] in ("pin", "a", "b") or ".coils." in key]
    assert set(pins) <= {use.pin for use in pin_uses(bench.tables)}


def test_the_examples_cover_what_a_drawer_holds() -> None:
    benches = [load_bench(path) for path in BENCHES]
    assert {bench.tables.motor.kind for bench in benches} == {"step_dir", "unipolar", "dc", "solenoid"}
    assert {bench.board.family for bench in benches} == {"rp2", "esp32"}
    assert any(bench.device_json()["hx711"] for bench in benches)


def test_a_load_cell_shows_the_voltages_of_the_profiles_level() -> None:
    cell = load_bench(SYRINGE).device_json()["hx711"]
    level = load_profile("implant-20").sensors.level
    assert level is not None
    for raw, mv in ((84_000, level.low_output), (484_000, level.high_output)):
        assert (raw - cell["offset"]) * cell["num"] / cell["den"] == pytest.approx(float(mv), abs=1)


def test_a_load_cell_may_count_backwards_and_stays_in_small_ints() -> None:
    cell = changed(SYRINGE, ("empty = 84000", "empty = 8000000"), ("full = 484000", "full = -8000000")).device_json()[
        "hx711"
    ]
    assert (8_000_000 - cell["offset"]) * cell["num"] / cell["den"] == pytest.approx(500, abs=1)
    assert abs(cell["num"]) * (1 << 24) < 1 << 30


def test_the_seal_is_the_one_of_settings_over_the_leaves(pump: SimpleNamespace) -> None:
    told = load_bench(PERISTALTIC).device_json()
    leaves = dict(flatten_values({key: value for key, value in told.items() if key != "checksum"}))
    assert leaves["adc.battery.num"] == 2
    assert leaves["flow"] is None
    # The firmware's own rule, over the same leaves.
    assert told["checksum"] == pump.checksum(leaves)
    assert sealed_bench(told) == told
    text = "".join(f"{name}={leaves[name]};" for name in sorted(leaves))
    assert told["checksum"] == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_a_list_and_every_change_are_in_the_seal() -> None:
    before = load_bench(GEARED).device_json()
    swapped = changed(GEARED, ("coils = [2, 3, 4, 5]", "coils = [3, 2, 4, 5]")).device_json()
    assert before["checksum"] != swapped["checksum"]


def test_settings_lack_what_the_bench_does_without(pump: SimpleNamespace) -> None:
    bench = load_bench(GEARED)
    config, whole = bench.device_config(), bench.nominal.device_config()
    assert set(whole) - set(config) == {
        *("level_low_mv", "level_high_mv", "level_low", "level_high"),
        *("pressure_low_mv", "pressure_high_mv", "pressure_low_pa", "pressure_high_pa"),
    }
    assert config["checksum"] == pump.checksum(config)
    without = ("[sensors.battery]", '[sensors]\nwithout = ["flow"]\n\n[sensors.battery]')
    flow = changed(DC, ("[sensors.flow]\npin = 23\n", ""), without)
    assert not any(name.startswith("flow") for name in flow.device_config())


def test_all_mistakes_come_at_once_with_their_lines() -> None:
    with pytest.raises(BenchError) as error:
        changed(SYRINGE, ("step = 2", "step = 23"), ("pin = 28", "pin = 5"), ("tx = 0", "tx = 2"))
    text = SYRINGE.read_text().splitlines()
    lines = {problem.key: text[problem.line - 1].split("=")[0].strip() for problem in error.value.problems}
    assert lines == {"port.tx": "tx", "motor.step": "step", "sensors.temperature.pin": "pin"}


def test_an_unknown_key_names_those_of_its_kind_of_motor() -> None:
    with pytest.raises(BenchError, match='did you mean "half_step"'):
        changed(GEARED, ('half_step = "2 ms"', 'half_stp = "2 ms"'))


@pytest.mark.parametrize("divider", ["1.555", "2.16", "9.7", "3"])
def test_a_divider_stays_in_the_small_ints_of_a_board(divider: str) -> None:
    told = changed(GEARED, ("divider = 2", f"divider = {divider}")).device_json()["adc"]["battery"]
    assert told["num"] / told["den"] == pytest.approx(float(divider), rel=5e-3)
    assert 4_095 * 3_300 * told["num"] < 1 << 30


def test_a_calibrated_pump_counts_everything_in_its_own_steps(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    path.write_text(PERISTALTIC.read_text())
    bench = write_calibration(load_bench(path), step(Fraction("261.2")))
    config: dict[str, Any] = dict(bench.device_config())
    assert Fraction(config["step_nl_num"], config["step_nl_den"]) == Fraction("261.2")
    caps, delivery = bench.nominal.caps, bench.nominal.delivery
    assert config["hard_hour_steps"] == int(caps.hour / Fraction("261.2"))
    assert Fraction(config["rate_max_num"], config["rate_max_den"]) * Fraction("261.2") == delivery.rate_max
    # How the board moves a step is the same: the volume of it is what was measured.
    assert bench.device_json() == load_bench(PERISTALTIC).device_json()


def test_a_step_with_which_the_pump_cannot_work_is_refused() -> None:
    with pytest.raises(ProfileError, match="ms between two steps"):
        calibrate_profile(load_profile("implant-40"), Fraction(100))
