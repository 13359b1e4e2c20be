"""A calibration enters a bench file and every other line stays."""

from __future__ import annotations

import tomllib
from fractions import Fraction
from pathlib import Path

import pytest
from benches import PERISTALTIC, step
from dosebench.base import toml_file
from dosebench.base.errors import DosebenchError
from dosebench.bench.edit import edit_text, write_calibration
from dosebench.bench.file import load_bench


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
    text = (
        PERISTALTIC.read_text()
        + '[calibration]\nstep_volume = "0.26 uL"   # by hand\n'
        + (
            '[[calibration.history]]\nmeasured = "2026-02-01T08:00:00"\nstep_volume = "0.26 uL"\nuncertainty = "1 nL"\n'
            'spread = "1 nL"\nbefore = "0.25 uL"\nruns = 3\nsteps = 30\nmethod = "volume"\n'
        )
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
