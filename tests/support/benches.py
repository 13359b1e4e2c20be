"""The example benches, and what becomes of one when its text is changed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from dosebench.base import toml_file
from dosebench.bench.file import Bench, BenchError, from_file
from dosebench.bench.schema import CalibrationStep

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


def step(volume: int | Fraction, before: int | Fraction = 250) -> CalibrationStep:
    return CalibrationStep.model_validate(
        {
            **{"measured": "2026-03-01T08:00:00", "step_volume": f"{float(volume)} nL", "uncertainty": "0.3 nL"},
            **{"before": f"{float(before)} nL", "spread": "0.2 nL", "runs": 5, "steps": 1000, "method": "mass"},
        }
    )
