"""The motion of a step, and what the board is told of its motor."""

from __future__ import annotations

from fractions import Fraction

import pytest
from benches import BENCHES, DC, GEARED, PERISTALTIC, SOLENOID, SYRINGE
from dosebench.bench.file import load_bench


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
