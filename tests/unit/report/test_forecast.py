"""The figure of a forecast."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import pytest
from dosebench.regimen.check import check_regimen
from dosebench.regimen.drugs import DrugLibrary
from dosebench.report.forecast import draw_forecast
from dosebench.therapy.forecast import forecast_delivery
from dosebench.therapy.program import Program
from regimens import EXAMPLES

MONDAY = datetime.datetime(2024, 1, 1)


def example(library: DrugLibrary, name: str) -> Program:
    result = check_regimen(EXAMPLES / f"{name}.toml", library)
    assert result.program is not None
    return result.program


@pytest.mark.parametrize("name", ["flex-weekdays", "titration-morphine", "patient-bolus", "c7-bridge"])
def test_a_figure_is_drawn(library: DrugLibrary, tmp_path: Path, name: str) -> None:
    program = example(library, name)
    path = tmp_path / "plans" / f"{name}.png"
    draw_forecast(forecast_delivery(program, MONDAY, 5, patient=True), path, "Title")
    assert path.read_bytes().startswith(b"\x89PNG")
    draw_forecast(forecast_delivery(replace(program, mode="stopped"), MONDAY, 1), tmp_path / "stopped.svg")
    assert (tmp_path / "stopped.svg").stat().st_size > 1000
