"""Every mistake in a bench file is named with its key, and so is what deserves a second look."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from benches import DC, GEARED, PERISTALTIC, SOLENOID, SYRINGE, changed, mistakes, step
from dosebench.bench.edit import write_calibration
from dosebench.bench.file import BenchError, load_bench


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


def test_a_calibration_far_off_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    path.write_text(PERISTALTIC.read_text())
    with pytest.raises(BenchError, match="20 % off"):
        write_calibration(load_bench(path), step(301))
    assert path.read_text() == PERISTALTIC.read_text()
