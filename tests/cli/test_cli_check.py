"""`dosebench check`."""

from __future__ import annotations

from pathlib import Path

import pytest
from commandline import EXAMPLES, Run
from dosebench.base import toml_file
from dosebench.base.file_kinds import KINDS, of_another_kind
from dosebench.profile import load
from dosebench.regimen import drugs

REGIMEN = EXAMPLES / "c5-baclofen-800.toml"
BENCH = EXAMPLES / "benches" / "pico-tmc2209-syringe.toml"
SCENARIO = EXAMPLES / "scenarios" / "fast-life.toml"
PROFILE = Path(load.__file__).parent / "library" / "implant-40.toml"
DRUG = Path(drugs.__file__).parent / "library" / "baclofen.toml"


@pytest.mark.requirement("C5")
def test_a_good_regimen(run: Run, c5: Path) -> None:
    ran = run("check", c5)
    assert ran.code == 0
    assert "daily dose     800 ug" in ran.out
    assert "day 95 after filling, limited by volume" in ran.out
    assert ran.out.endswith("good\n")


@pytest.mark.requirement("C5")
def test_its_figures_as_json(run: Run, c5: Path) -> None:
    report = run("check", c5, "--json").json
    assert report["daily_dose_ug"] == 800
    assert report["daily_volume_ml"] == 0.4
    assert report["refill"]["due_days"] == 95
    assert report["refill"]["limited_by"] == "volume"
    assert report["errors"] == report["warnings"] == []


def test_every_mistake_is_named_with_its_line(run: Run) -> None:
    ran = run("check", EXAMPLES / "mistakes.toml")
    assert ran.code == 1
    assert "10 mistakes; nothing would be programmed" in ran.out
    assert "mistakes.toml:16: error:" in ran.out
    report = run("check", EXAMPLES / "mistakes.toml", "--json")
    assert report.code == 1
    assert len(report.json["errors"]) == 10


def test_a_file_that_is_not_toml(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "note.toml"
    file.write_text("take two a day\n")
    ran = run("check", file)
    assert ran.code == 1
    assert "note.toml:1: error:" in ran.out


@pytest.mark.parametrize(
    ("command", "file", "told"),
    [
        (("check",), BENCH, "a bench file, not a regimen: `dosebench bench check FILE` reads it"),
        (("check",), PROFILE, "a pump profile, not a regimen: `dosebench longevity FILE` reads it"),
        (("check",), DRUG, "a drug file, not a regimen: `dosebench check REGIMEN --drugs DIRECTORY` reads it"),
        (("check",), SCENARIO, "a scenario, not a regimen: `dosebench simulate REGIMEN --scenario FILE` reads it"),
        (("bench", "check"), REGIMEN, "a regimen, not a bench file: `dosebench check FILE` reads it"),
        (("bench", "check"), PROFILE, "a pump profile, not a bench file"),
        (("simulate", REGIMEN, "--scenario"), REGIMEN, "a regimen, not a scenario"),
    ],
    ids=lambda value: value.stem if isinstance(value, Path) else value[0].partition(",")[0],
)
def test_a_file_of_another_kind_is_one_mistake_with_its_own_command(
    run: Run, command: tuple[object, ...], file: Path, told: str
) -> None:
    ran = run(*command, file)
    assert ran.code == 1
    assert f"{file.name}:1: error: this is {told}" in ran.out + ran.err
    assert "1 mistake" in ran.out + ran.err
    assert "unknown key" not in ran.out + ran.err


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_file_is_taken_for_another(kind: str) -> None:
    examples = {
        "regimen": EXAMPLES.glob("*.toml"),
        "bench": (EXAMPLES / "benches").glob("*.toml"),
        "scenario": (EXAMPLES / "scenarios").glob("*.toml"),
        "profile": PROFILE.parent.glob("*.toml"),
        "drug": DRUG.parent.glob("*.toml"),
    }
    for path in examples[kind]:
        file = toml_file.read_toml(path)
        assert [name for name in KINDS if of_another_kind(file, name) is None] == [kind], path


def test_a_file_that_does_not_exist_is_wrong_usage(run: Run) -> None:
    ran = run("check", "nowhere.toml")
    assert ran.code == 2
    assert "'nowhere.toml' does not exist" in ran.err


def test_an_impossible_dose(run: Run, c5: Path, tmp_path: Path) -> None:
    file = tmp_path / "much.toml"
    file.write_text(c5.read_text().replace("800 ug/day", "800 mg/day"))
    ran = run("check", file)
    assert ran.code == 1
    assert ": error:" in ran.out


def test_an_unknown_unit_names_the_nearest(run: Run, c5: Path, tmp_path: Path) -> None:
    file = tmp_path / "unit.toml"
    file.write_text(c5.read_text().replace("800 ug/day", "800 uq/day"))
    ran = run("check", file)
    assert ran.code == 1
    assert "unknown unit 'uq'; did you mean" in ran.out


def test_a_warning_that_needs_it_is_confirmed_by_an_option(run: Run, c5: Path) -> None:
    change = ("check", EXAMPLES / "c2-baclofen-674.toml", "--previous", c5)
    ran = run(*change)
    assert ran.code == 1
    assert ": confirm:" in ran.out
    assert "before" in ran.out
    assert run(*change, "--confirm").code == 0


def test_a_drug_library_of_ones_own(run: Run, c5: Path, tmp_path: Path) -> None:
    assert run("check", c5, "--drugs", tmp_path).code == 0
