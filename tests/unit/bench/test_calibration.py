"""The volume of a step from weighings: densities, coverage, and that the truth lies within the uncertainty."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from dosebench.bench.calibration import (
    CalibrationError,
    Run,
    coverage_factor,
    evaluate_runs,
    from_csv,
    measured_nl,
    volume_nl,
    water_density,
)


@pytest.mark.parametrize(
    ("celsius", "kg_per_m3"), [(4, 999.9750), (10, 999.7026), (20, 998.2071), (25, 997.0479), (30, 995.6502)]
)
def test_water_is_as_dense_as_the_tables_say(celsius: float, kg_per_m3: float) -> None:
    # Another source than that of the formula: CRC Handbook of Chemistry and Physics, standard density of water.
    assert 1000 * water_density(celsius) == pytest.approx(kg_per_m3, abs=2e-3)


def test_the_factor_from_mass_to_volume_is_that_of_the_standard() -> None:
    # ISO 8655-6, annex A: Z is 1.0029 uL/mg at 20 degrees Celsius and 1013 hPa, and 1.0040 at 25.
    assert volume_nl(1, 20) / 1000 == pytest.approx(1.0029, abs=1e-4)
    assert volume_nl(1, 25) / 1000 == pytest.approx(1.0040, abs=1e-4)


def test_water_that_is_none_is_refused() -> None:
    for celsius in (-0.1, 40.1):
        with pytest.raises(CalibrationError):
            water_density(celsius)


def test_mean_spread_and_uncertainty_by_hand() -> None:
    runs = [Run(100, 25_000), Run(100, 25_100), Run(100, 24_900), Run(100, 25_000)]
    found = evaluate_runs(runs, weighed=False)
    assert (found.runs, found.steps, found.step_nl) == (4, 400, 250)
    assert found.spread_nl == pytest.approx(math.sqrt(2 / 3))
    # s / sqrt(4) with three degrees of freedom.
    assert found.uncertainty_nl == pytest.approx(3.31 * math.sqrt(2 / 3) / 2)


def test_runs_that_agree_are_no_better_than_the_instrument() -> None:
    same = [Run(100, 25_000)] * 5
    assert evaluate_runs(same, weighed=False).uncertainty_nl == 0
    # Half a digit of 100 nL each way, twice, over 100 steps; no spread, so twice that.
    assert evaluate_runs(same, 100, weighed=False).uncertainty_nl == pytest.approx(2 * 100 / math.sqrt(6) / 100)
    assert evaluate_runs(same, weighed=True).uncertainty_nl == pytest.approx(2 * 250 * 2.1e-4 * 0.5 / math.sqrt(3))


def test_coverage_rounds_to_the_strict_side() -> None:
    assert coverage_factor(1) == 13.97
    assert coverage_factor(4.9) == coverage_factor(4) == 2.87
    assert coverage_factor(24) == coverage_factor(20)
    assert coverage_factor(math.inf) == 2


@pytest.mark.requirement("R1")
def test_the_truth_lies_within_the_uncertainty_as_often_as_it_says() -> None:
    chance = random.Random(1)
    hits = 0
    for _ in range(2_000):
        truth = chance.uniform(200, 300)
        runs = [Run(200, 200 * truth + chance.gauss(0, 100)) for _ in range(5)]
        found = evaluate_runs(runs, weighed=False)
        hits += abs(found.step_nl - truth) <= found.uncertainty_nl
    assert 0.94 <= hits / 2_000 <= 0.97


@pytest.mark.parametrize("runs", [[Run(1, 1.0)] * 2, [Run(1, 1.0)] * 51, [Run(1, 0.0)] * 3, [Run(0, 1.0)] * 3])
def test_what_measures_nothing_is_refused(runs: list[Run]) -> None:
    with pytest.raises(CalibrationError):
        evaluate_runs(runs)


def test_what_somebody_reads() -> None:
    assert measured_nl("52 uL", 20) == (52_000, "volume")
    assert measured_nl("52.3 mg", 20) == (pytest.approx(52_450, rel=1e-3), "mass")


def test_runs_from_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("steps,mass_mg,celsius\n200,50,20\n200,50,\n200,50,30\n")
    runs, method = from_csv(path, 25)
    assert method == "mass"
    assert [run.volume_nl for run in runs] == [volume_nl(50, 20), volume_nl(50, 25), volume_nl(50, 30)]
    path.write_text("volume_ul,steps\n50,200\n")
    assert from_csv(path, 20) == ([Run(200, 50_000)], "volume")


@pytest.mark.parametrize(
    "text",
    [
        *("", "mass_mg\n1\n", "steps,mass_mg,volume_ul\n1,1,1\n", "steps,mass_mg\n1\n"),
        *("steps,mass_mg\n1,2 mg\n", "steps,mass_mg\n0,2\n", "steps,mass_mg\n1,nan\n"),
    ],
)
def test_a_table_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(text)
    with pytest.raises(CalibrationError):
        from_csv(path, 20)
