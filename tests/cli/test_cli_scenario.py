"""`dosebench simulate --scenario`: cases from the command line, mistakes with their lines, the case history."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from commandline import EXAMPLES, Run

SCENARIOS = EXAMPLES / "scenarios"
HEAD = 'format = 1\nlength = "2 h"\n'


def write(tmp_path: Path, text: str) -> Path:
    """A scenario file of two hours."""
    file = tmp_path / "scenario.toml"
    file.write_text(HEAD + text)
    return file


@pytest.mark.parametrize(
    ("scenario", "regimen"),
    [
        pytest.param("c8", "c8-external", marks=pytest.mark.requirement("C8")),
        pytest.param("c9", "c8-external", marks=pytest.mark.requirement("C9")),
        pytest.param("c10", "c10-external-low", marks=pytest.mark.requirement("C10")),
        pytest.param("c11", "c11-external-lockout", marks=pytest.mark.requirement("C11")),
    ],
)
def test_cases_run_from_the_command_line(run: Run, scenario: str, regimen: str) -> None:
    file = SCENARIOS / f"{scenario}.toml"
    ran = run("simulate", EXAMPLES / f"{regimen}.toml", "--scenario", file, "--runtime", "cpython", "--json")
    assert (ran.code, ran.json["faults"]) == (0, [])
    assert len(ran.json["expectations"]) >= 6
    assert ran.json["max_deviation_steps"] <= ran.json["limit_steps"]
    # The file says itself how it is run.
    line = f"dosebench simulate examples/{regimen}.toml --scenario examples/scenarios/{scenario}.toml"
    assert line in file.read_text()


def test_the_scenario_of_the_page_goes_as_it_says(run: Run, c5: Path, tmp_path: Path) -> None:
    page = (EXAMPLES.parent / "docs" / "SCENARIOS.md").read_text()
    file = tmp_path / "afternoon.toml"
    file.write_text(page.split("```toml\n")[1].split("```")[0])
    ran = run("simulate", c5, "--scenario", file, "--runtime", "cpython", "--json")
    assert (ran.code, ran.json["faults"]) == (0, [])
    assert [row["met"] for row in ran.json["expectations"]] == [True, True]


@pytest.mark.requirement("C8")
def test_c8_fails_where_the_cap_is_another(run: Run, tmp_path: Path) -> None:
    regimen = tmp_path / "loose.toml"
    regimen.write_text((EXAMPLES / "c8-external.toml").read_text().replace("26.5 mL", "27.5 mL"))
    ran = run("simulate", regimen, "--scenario", SCENARIOS / "c8.toml", "--runtime", "cpython", "--json")
    assert ran.code == 1
    unmet = [row["expected"] for row in ran.json["expectations"] if not row["met"]]
    assert "the alarm dose_cap within 2 min" in unmet
    assert any("expected the alarm dose_cap within 2 min" in fault for fault in ran.json["faults"])


def test_every_mistake_of_a_file_is_told_with_its_line(run: Run, c5: Path, tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """
[[event]]
at = "10 minutos"
patient_bolus = true

[[event]]
at = "20 min"
fault = "oclusion"

[[event]]
at = "3 h"
stop = true

[[event]]
at = "30 min"
bolus = "50 ug"
refill = "40 mL"

[[event]]
at = "40 min"
square = "50 ug"

[[event]]
at = "50 min"
patient_bollus = true

[[event]]
at = "55 min"
within = "5 min"
expect_alarm = "dose_capp"

[[event]]
bolus = "50 ug"
expect = "refused: lokout"

[[event]]
at = "60 min"
program = "nowhere.toml"

[[event]]
at = "70 min"
fault = "stall"
expect = "done"
""",
    )
    ran = run("simulate", c5, "--scenario", file)
    assert ran.code == 1
    lines = {int(match[1]): match[2] for match in re.finditer(r"toml:(\d+): error: (.*)", ran.out)}
    expected = {
        5: "minutos",
        10: 'did you mean "occlusion"?',
        13: "after the scenario has ended",
        16: "an event has one act, not bolus and refill",
        21: 'over = "4 h"',
        27: 'did you mean "patient_bolus"?',
        32: 'did you mean "dose_cap"?',
        34: "missing: when it happens",
        36: 'did you mean "lockout"?',
        38: "cannot read",
        45: "cannot refuse fault",
    }
    assert {line: lines.get(line, "") for line, words in expected.items() if words not in lines.get(line, "")} == {}
    assert "nothing was run" in ran.out
    as_json = run("simulate", c5, "--scenario", file, "--json").json
    assert as_json["ok"] is False
    assert {row["line"] for row in as_json["errors"]} >= set(expected)


@pytest.mark.parametrize(
    "arguments",
    [("--days", "3"), ("--patient-every", "6 h")],
)
def test_a_scenario_says_itself_how_long_it_is(run: Run, arguments: tuple[str, str]) -> None:
    words = ("simulate", EXAMPLES / "c8-external.toml", "--scenario", SCENARIOS / "c8.toml", *arguments)
    assert run(*words).code == 2


def test_a_report_needs_a_scenario_and_a_format(run: Run, c5: Path, tmp_path: Path) -> None:
    assert run("simulate", c5, "--report", tmp_path / "a.html").code == 2
    file = write(tmp_path, '[[event]]\nat = "1 h"\nnote = "nothing"\n')
    ran = run("simulate", c5, "--scenario", file, "--report", tmp_path / "a.pdf")
    assert ran.code == 1
    assert ".html or .md" in ran.err


@pytest.mark.requirement("R46")
def test_what_a_stall_disturbs_is_not_called_as_ordered(run: Run, c5: Path, tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """
[[event]]
at = "10 min"
fault = "stall"
for = "20 min"
expect_alarm = "motor_stall"
within = "5 min"

[[event]]
at = "40 min"
clear = "all"

[[event]]
at = "40 min"
start = true
""",
    )
    ran = run("simulate", c5, "--scenario", file, "--runtime", "cpython", "--json")
    assert (ran.code, ran.json["faults"]) == (0, [])
    (gap,) = ran.json["not_judged"]
    assert gap["why"] == "stall"
    assert (gap["from_day"] * 1440, gap["to_day"] * 1440) == (pytest.approx(10, abs=0.1), pytest.approx(30, abs=0.1))
    # Before and after it, every step is exact again.
    assert ran.json["max_deviation_exact"] == "1/2"
    text = run("simulate", c5, "--scenario", file, "--runtime", "cpython").out
    assert "except 20 min in 1 part" in " ".join(text.replace("│", " ").split())


@pytest.mark.requirement("R1")
def test_each_loss_of_power_begins_an_exact_stretch(run: Run, c5: Path, tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """
alarms = ["clock_unknown"]

[[event]]
at = "31 min"
every = "65 min"
brown_out = "1500 ms"
""",
    )
    ran = run("simulate", c5, "--scenario", file, "--runtime", "cpython", "--json")
    assert (ran.code, ran.json["faults"]) == (0, [])
    assert len(ran.json["resets"]) == 2
    assert ran.json["max_deviation_exact"] == "1/2"
    assert all(0 <= reset["unsure_steps"] <= 67 for reset in ran.json["resets"])


@pytest.mark.requirement("R58")
def test_resets_without_time_between_them_end_in_safe_state(run: Run, c5: Path, tmp_path: Path) -> None:
    """Pump time stands still without power and goes back to the last record: five cuts within a lease are a burst."""
    file = write(
        tmp_path,
        """
alarms = ["clock_unknown"]

[[event]]
at = "31 min"
every = "10 min"
until = "71 min"
brown_out = "1 s"

[[event]]
at = "30 min"
expect_alarm = "resets_repeated"
within = "42 min"

[[event]]
at = "90 min"
expect_state = "safe"
""",
    )
    ran = run("simulate", c5, "--scenario", file, "--runtime", "cpython", "--json")
    assert (ran.code, ran.json["faults"]) == (0, [])
    assert ran.json["max_deviation_exact"] == "1/2"


def test_an_alarm_that_nobody_expected_is_a_fault(run: Run, c5: Path, tmp_path: Path) -> None:
    file = write(tmp_path, '[[event]]\nat = "1 h"\nbrown_out = "1 s"\n')
    ran = run("simulate", c5, "--scenario", file, "--runtime", "cpython", "--json")
    assert ran.code == 1
    assert ran.json["unexpected_alarms"] == ["clock_unknown"]
    assert ran.json["faults"] == ["the alarm clock_unknown on day 0 is not expected by the scenario"]


def test_a_refusal_that_nobody_expected_is_a_fault(run: Run, c5: Path, tmp_path: Path) -> None:
    file = write(tmp_path, '[[event]]\nat = "1 h"\nstart = true\n')
    ran = run("simulate", c5, "--scenario", file, "--runtime", "cpython", "--json")
    assert ran.code == 1
    assert "expected the start to be done, but it was refused: already_running" in ran.json["faults"][0]


@pytest.mark.requirement("R13")
@pytest.mark.parametrize(("tolerance", "met"), [("698 ug/day", False), ("700 ug/day", True)])
def test_a_rate_is_as_near_as_a_rate_says(run: Run, c5: Path, tmp_path: Path, tolerance: str, met: bool) -> None:
    file = write(
        tmp_path, f'[[event]]\nat = "1 h"\nexpect_rate = "100 ug/day"\ntolerance = "{tolerance}"\n'
    )
    ran = run("simulate", c5, "--scenario", file, "--runtime", "cpython", "--json")
    assert [row["met"] for row in ran.json["expectations"]] == [met]


@pytest.mark.parametrize(
    ("expected", "tolerance"), [('expect_rate = "100 ug/day"', "1 ug"), ('expect_delivered = "1 mL"', "1 ug/day")]
)
def test_a_tolerance_of_another_kind_is_a_mistake(
    run: Run, c5: Path, tmp_path: Path, expected: str, tolerance: str
) -> None:
    file = write(tmp_path, f'[[event]]\nat = "1 h"\n{expected}\ntolerance = "{tolerance}"\n')
    ran = run("simulate", c5, "--scenario", file, "--json")
    assert ran.code == 1
    (error,) = ran.json["errors"]
    assert error["line"] == 6
    assert f"is no tolerance of {expected.split(maxsplit=1)[0]}" in error["message"]


def test_a_change_of_therapy_is_checked_against_the_one_before(run: Run, tmp_path: Path) -> None:
    other = tmp_path / "more.toml"
    other.write_text((EXAMPLES / "c5-baclofen-800.toml").read_text().replace("800 ug/day", "880 ug/day"))
    file = write(tmp_path, '[[event]]\nat = "1 h"\nprogram = "more.toml"\n')
    ran = run("simulate", EXAMPLES / "c5-baclofen-800.toml", "--scenario", file, "--runtime", "cpython", "--json")
    assert (ran.code, ran.json["faults"]) == (0, [])
    assert ran.json["steps"] == pytest.approx(1600 / 24 + 1760 / 24, abs=1)
    assert ran.json["max_deviation_exact"] == "1/2"
    other.write_text(other.read_text().replace("880 ug/day", "880"))
    assert "more.toml has" in run("simulate", EXAMPLES / "c5-baclofen-800.toml", "--scenario", file).out


def test_a_scenario_is_the_same_on_every_runtime(run: Run, c5: Path, tmp_path: Path) -> None:
    file = write(
        tmp_path,
        'alarms = ["clock_unknown"]\n[[event]]\nat = "20 min"\nbolus = "25 ug"\n'
        '[[event]]\nat = "22 min"\nbrown_out = "1 s"\n[[event]]\nat = "40 min"\nset_clock = true\n',
    )
    hashes = set()
    for runtime in ("unix", "wasm", "cpython"):
        ran = run("simulate", c5, "--scenario", file, "--runtime", runtime, "--json")
        assert ran.code == 0, ran.out
        hashes.add(ran.json["journal_hash"])
    assert len(hashes) == 1


@pytest.mark.requirement("R20")
@pytest.mark.requirement("R23")
@pytest.mark.requirement("R31")
def test_a_fast_life_reads_like_a_case_history(run: Run, tmp_path: Path) -> None:
    words = ("simulate", EXAMPLES / "fast-life.toml", "--scenario", SCENARIOS / "fast-life.toml")
    files = ("--log", tmp_path / "a.jsonl", "--figure", tmp_path / "a.svg", "--report", tmp_path / "a.html")
    ran = run(*words, "--runtime", "cpython", *files, "--json")
    assert (ran.code, ran.json["faults"]) == (0, [])
    titles = [chapter["title"] for chapter in ran.json["chapters"] if not chapter["quiet"]]
    assert any("brown-out" in title for title in titles)
    assert any("reservoir disagrees" in title for title in titles)
    assert any("end of service" in title for title in titles)
    page = (tmp_path / "a.html").read_text()
    assert page.count("<svg") >= 1
    assert "never for use on people" in page
    assert "charge left [%]" in page
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == ran.json["journal_records"]
    assert "pressure [kPa]" in (tmp_path / "a.svg").read_text()
    assert [refill["flag"] for refill in ran.json["refills"]].count("too much") == 1
    json.dumps(ran.json)
