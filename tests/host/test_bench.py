"""Bench files: every mistake with its key and line, the motion of a step, and what the board is told."""

from __future__ import annotations

import hashlib
import itertools
import json
import tomllib
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
from dosebench.base import toml_file
from dosebench.base.errors import DosebenchError
from dosebench.bench import pages
from dosebench.bench.drawing import draw_bench
from dosebench.bench.edit import edit_text, write_calibration
from dosebench.bench.file import Bench, BenchError, flatten_values, from_file, load_bench, sealed_bench
from dosebench.bench.pins import BOARDS
from dosebench.bench.rules import pin_uses
from dosebench.bench.schema import CalibrationStep
from dosebench.profile.calibrated import calibrate_profile
from dosebench.profile.load import load_profile
from dosebench.profile.model import ProfileError

BENCHES = sorted((Path(__file__).parents[2] / "examples" / "benches").glob("*.toml"))
SYRINGE = next(path for path in BENCHES if "syringe" in path.name)
PERISTALTIC = next(path for path in BENCHES if "a4988" in path.name)
DC = next(path for path in BENCHES if "esp32" in path.name)
GEARED = next(path for path in BENCHES if "28byj" in path.name)
SOLENOID = next(path for path in BENCHES if "solenoid" in path.name)


def changed(path: Path, *changes: tuple[str, str], name: str = "bench.toml") -> Bench:
    """The bench of a file in whose text each old part is replaced by its new one."""
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return from_file(toml_file.parse_toml(text, name))


def mistakes(path: Path, *changes: tuple[str, str]) -> list[tuple[str, str]]:
    """(key, code) of every mistake in that file."""
    with pytest.raises(BenchError) as error:
        changed(path, *changes)
    return [(problem.key, problem.code) for problem in error.value.problems]


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


def test_what_a_step_is_made_of() -> None:
    # Bore 19.1 mm, lead 1 mm, 12800 pulses a turn: pi / 4 * 364.81 mm2 * 1 mm / 12800 = 22.385 nL.
    syringe = load_bench(SYRINGE).motion
    assert float(syringe.unit_nl) == pytest.approx(22.3847, rel=1e-4)
    assert syringe.units == 11
    assert syringe.time_ms == 11
    peristaltic = load_bench(PERISTALTIC).motion
    assert (peristaltic.units, peristaltic.volume_nl, peristaltic.encoder_counts) == (16, 250, 2)
    dc = load_bench(DC).motion
    assert (dc.units, dc.volume_nl, dc.time_ms) == (132, 100_000, 450)
    geared = load_bench(GEARED)
    assert geared.motion.units == 16
    assert geared.motion.relative_error(Fraction(250)) == Fraction(16 * 64_000, 4_076) / 250 - 1
    assert load_bench(SOLENOID).motion.time_ms == 260


def test_what_the_board_is_told_of_its_motor() -> None:
    told = {path.stem: load_bench(path).device_json()["motor"] for path in BENCHES}
    assert told[SYRINGE.stem] == {
        **{"kind": "step_dir", "step": 2, "dir": 3, "enable": 4, "enable_on": 0, "forward": 1},
        **{"pulses": 11, "pulse_us": 1000},
    }
    assert told[GEARED.stem] == {"kind": "unipolar", "coils": [2, 3, 4, 5], "half_steps": 16, "half_step_ms": 2}
    assert told[DC.stem] == {"kind": "dc", "pin": 25, "on": 1, "counts": 132}
    assert told[SOLENOID.stem] == {"kind": "solenoid", "pin": 2, "on": 1, "on_ms": 60, "off_ms": 200}


def test_a_load_cell_shows_the_voltages_of_the_profiles_level() -> None:
    cell = load_bench(SYRINGE).device_json()["hx711"]
    level = load_profile("implant-20").sensors.level
    assert level is not None
    for raw, mv in ((84_000, level.low_output), (484_000, level.high_output)):
        assert (raw - cell["offset"]) * cell["num"] / cell["den"] == pytest.approx(float(mv), abs=1)


def test_a_load_cell_may_count_backwards_and_stays_in_small_ints() -> None:
    cell = changed(
        SYRINGE, ("empty = 84000", "empty = 8000000"), ("full = 484000", "full = -8000000")
    ).device_json()["hx711"]
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


@pytest.mark.parametrize(
    ("path", "old", "new", "key", "code"),
    [
        (SYRINGE, "step = 2", "step = 40", "motor.step", "pin-missing"),
        (SYRINGE, "step = 2", "step = 25", "motor.step", "pin-taken"),
        (SYRINGE, "step = 2", "step = 4", "motor.enable", "pin-twice"),
        (SYRINGE, "pin = 27", "pin = 9", "sensors.pressure.pin", "pin-adc"),
        (DC, "pin = 25", "pin = 34", "motor.pin", "pin-input-only"),
        (DC, "pin = 25", "pin = 6", "motor.pin", "pin-taken"),
        (SYRINGE, "tx = 0", "tx = 8", "port.tx", "uart-pin"),
        (DC, "id = 2", "id = 0", "port.id", "uart"),
        (SYRINGE, "divider = 2 ", "divider = 1 ", "sensors.battery.divider", "voltage"),
        (SYRINGE, "[sensors.pressure]\npin = 27\n", "", "sensors.pressure", "sensor-missing"),
        (SYRINGE, "[tone]", "[sensors.air]\npin = 22\n\n[tone]", "sensors.air", "sensor-unknown"),
        (PERISTALTIC, 'without = ["level"]', 'without = ["level", "flow"]', "sensors.without", "sensor-without"),
        (SYRINGE, "full = 484000", "full = 84000", "sensors.level.full", "load-cell"),
        (SYRINGE, 'lead = "1 mm"', 'lead = "8 mm"', "mechanics", "step-volume"),
        (SYRINGE, 'pulse = "1 ms"', 'pulse = "10 ms"', "motor", "step-time"),
        (SYRINGE, 'pulse = "1 ms"', 'pulse = "0.0001 ms"', "motor.pulse", "whole"),
        (SYRINGE, 'pulse = "1 ms"', 'pulse = "0.003 ms"', "motor.pulse", "whole"),
        (GEARED, 'half_step = "2 ms"', 'half_step = "2.5 ms"', "motor.half_step", "whole"),
        (SOLENOID, 'off_time = "200 ms"', 'off_time = "0 ms"', "motor.off_time", "whole"),
        (PERISTALTIC, "counts_per_turn = 400", "counts_per_turn = 300", "encoder.counts_per_turn", "encoder"),
        (PERISTALTIC, "counts_per_turn = 400", "counts_per_turn = 100", "encoder.counts_per_turn", "encoder"),
        (PERISTALTIC, "b = 7\n", "", "encoder.b", "encoder"),
        (SOLENOID, 'stroke = "50 uL"', 'stroke = "49 uL"', "", ""),
        (SOLENOID, 'stroke = "50 uL"', 'stroke = "25 uL"', "mechanics.stroke", "step-volume"),
        (SOLENOID, 'kind = "stroke"\nstroke', 'kind = "rotary"\nturn_volume', "mechanics.kind", "mechanics"),
        (PERISTALTIC, "[tone]", '[sleep]\nslice = "1 s"\nlisten = "1 s"\n\n[tone]', "sleep.slice", "sleep"),
        (SYRINGE, "[tone]", '[sleep]\nslice = "1 s"\n\n[tone]', "sleep.listen", "sleep"),
        (SYRINGE, "[tone]", '[sleep]\nslice = "9 s"\nlisten = "1 s"\n\n[tone]', "sleep.slice", "sleep"),
        (SYRINGE, "[tone]", '[storage]\nkind = "partition"\nlabel = "x"\n\n[tone]', "storage.kind", "storage"),
        (DC, 'label = "dosebench"\n', "", "storage.label", "storage"),
        (SYRINGE, 'board = "pico"', 'board = "pico3"', "board", "board"),
        (SYRINGE, 'profile = "implant-20"', 'profile = "implant-21"', "profile", "profile"),
        (SYRINGE, "enable_on", "enabel_on", "motor.enabel_on", "unknown-key"),
        (SYRINGE, 'kind = "step_dir"', 'kind = "stepper"', "motor.kind", "value"),
        (SYRINGE, 'bore = "19.1 mm"', 'bore = "19.1"', "mechanics.bore", "value"),
        (SYRINGE, "clock = 11\n", "", "sensors.level.clock", "missing"),
    ],
)
def test_a_mistake_is_named_with_its_key(path: Path, old: str, new: str, key: str, code: str) -> None:
    if not code:
        assert changed(path, (old, new)).motion.relative_error(Fraction(50_000)) == Fraction(-1, 50)
        return
    assert (key, code) in mistakes(path, (old, new))


def test_all_mistakes_come_at_once_with_their_lines() -> None:
    with pytest.raises(BenchError) as error:
        changed(SYRINGE, ("step = 2", "step = 23"), ("pin = 28", "pin = 5"), ("tx = 0", "tx = 2"))
    text = SYRINGE.read_text().splitlines()
    lines = {problem.key: text[problem.line - 1].split("=")[0].strip() for problem in error.value.problems}
    assert lines == {"port.tx": "tx", "motor.step": "step", "sensors.temperature.pin": "pin"}


def test_an_unknown_key_names_those_of_its_kind_of_motor() -> None:
    with pytest.raises(BenchError, match='did you mean "half_step"'):
        changed(GEARED, ('half_step = "2 ms"', 'half_stp = "2 ms"'))


@pytest.mark.parametrize(
    ("path", "old", "new", "key", "code"),
    [
        (DC, "pin = 25", "pin = 12", "motor.pin", "pin-doubtful"),
        (DC, "a = 27", "a = 36", "encoder.a", "pin-pull"),
        (DC, "pin = 35", "pin = 13", "sensors.air.pin", "pin-adc-shared"),
        (GEARED, 'half_step = "2 ms"', 'half_step = "1 ms"', "motor", "start-rate"),
        (PERISTALTIC, "microsteps = 16", "microsteps = 16 ", "", ""),
        (SYRINGE, "dir = 3", "dir = 5", "motor", "open-loop"),
    ],
)
def test_what_is_worth_a_second_look(path: Path, old: str, new: str, key: str, code: str) -> None:
    found = [(problem.key, problem.code) for problem in changed(path, (old, new)).warnings]
    assert (key, code) in found if code else not found


@pytest.mark.parametrize("name", BOARDS)
def test_no_pin_of_a_board_is_free_and_taken(name: str) -> None:
    board = BOARDS[name]
    assert not board.header & set(board.taken)
    assert board.adc <= board.header | set(board.taken)
    assert board.inputs <= board.header
    assert set(board.doubtful) <= board.header
    for tx, rx in board.uarts.values():
        assert not tx & rx


@pytest.mark.parametrize("divider", ["1.555", "2.16", "9.7", "3"])
def test_a_divider_stays_in_the_small_ints_of_a_board(divider: str) -> None:
    told = changed(GEARED, ("divider = 2", f"divider = {divider}")).device_json()["adc"]["battery"]
    assert told["num"] / told["den"] == pytest.approx(float(divider), rel=5e-3)
    assert 4_095 * 3_300 * told["num"] < 1 << 30


# What is drawn and written of the examples


def test_the_pages_are_those_of_the_files() -> None:
    directory = Path(__file__).parents[2] / "docs" / "boards"
    made = pages.generate_pages()
    assert {path.name for path in directory.iterdir()} == set(made)
    for name, text in made.items():
        assert (directory / name).read_text(encoding="utf-8") == text, f"docs/boards/{name}: run `make gen`"


@pytest.mark.parametrize("path", BENCHES, ids=lambda path: path.stem)
def test_every_pin_is_in_the_drawing_once(path: Path) -> None:
    bench = load_bench(path)
    root = ElementTree.fromstring(draw_bench(bench))
    texts = [element.text or "" for element in root if element.tag.endswith("text")]
    for use in pin_uses(bench.tables):
        label = bench.board.label_pin(use.pin)
        assert len([text for text in texts if text.split(" ")[0] == label]) == 1, label
    assert any("never for people" in text for text in texts)


@pytest.mark.parametrize("path", BENCHES, ids=lambda path: path.stem)
def test_nothing_drawn_lies_outside_or_on_another_part(path: Path) -> None:
    root = ElementTree.fromstring(draw_bench(load_bench(path)))
    boxes = [
        [float(element.get(name) or 0) for name in ("x", "y", "width", "height")]
        for element in root
        if element.tag.endswith("rect") and element.get("rx")
    ]
    width, height = float(root.get("width") or 0), float(root.get("height") or 0)
    assert all(x >= 0 and y >= 0 and x + w <= width and y + h <= height for x, y, w, h in boxes)
    for (x, y, w, h), (x2, y2, w2, h2) in itertools.combinations(boxes, 2):
        assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


# Calibration


def step(volume: int | Fraction, before: int | Fraction = 250) -> CalibrationStep:
    return CalibrationStep.model_validate(
        {
            **{"measured": "2026-03-01T08:00:00", "step_volume": f"{float(volume)} nL", "uncertainty": "0.3 nL"},
            **{"before": f"{float(before)} nL", "spread": "0.2 nL", "runs": 5, "steps": 1000, "method": "mass"},
        }
    )


def test_a_calibration_is_added_and_every_other_line_stays(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    path.write_text(PERISTALTIC.read_text())
    bench = write_calibration(load_bench(path), step(Fraction("261.2")))
    again = write_calibration(bench, step(Fraction("262.05"), Fraction("261.2")))
    assert again.step_nl == Fraction("262.05")
    assert again.tables.calibration is not None
    assert [one.step_volume for one in again.tables.calibration.history] == [Fraction("261.2"), Fraction("262.05")]
    assert path.read_text().startswith(PERISTALTIC.read_text().rstrip())
    assert tomllib.loads(path.read_text())["calibration"]["step_volume"] == "0.26205 uL"
    assert list(tmp_path.iterdir()) == [path]


def test_a_comment_beside_the_measured_step_stays() -> None:
    text = PERISTALTIC.read_text() + '[calibration]\nstep_volume = "0.26 uL"   # by hand\n' + (
        '[[calibration.history]]\nmeasured = "2026-02-01T08:00:00"\nstep_volume = "0.26 uL"\nuncertainty = "1 nL"\n'
        'spread = "1 nL"\nbefore = "0.25 uL"\nruns = 3\nsteps = 30\nmethod = "volume"\n'
    )
    made = edit_text(text, toml_file.parse_toml(text, "x"), step(255))
    assert 'step_volume = "0.255 uL"   # by hand\n' in made
    assert len(tomllib.loads(made)["calibration"]["history"]) == 2


def test_a_file_that_was_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    path.write_text(PERISTALTIC.read_text())
    bench = load_bench(path)
    path.write_text(PERISTALTIC.read_text().replace("step = 2", "step = 9"))
    before = path.read_text()
    with pytest.raises(DosebenchError, match="changed meanwhile"):
        write_calibration(bench, step(255))
    assert path.read_text() == before


def test_a_calibration_far_off_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    path.write_text(PERISTALTIC.read_text())
    with pytest.raises(BenchError, match="20 % off"):
        write_calibration(load_bench(path), step(301))
    assert path.read_text() == PERISTALTIC.read_text()


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
