"""The case history as a page and as Markdown: verdict, what was judged, tables, and a summary."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from dosebench.base.errors import DosebenchError
from dosebench.report.case_history import CaseHistory, format_length, write_history
from dosebench.report.case_page import (
    NEVER,
    ROWS_MAX,
    build_tables,
    check_path,
    render_html,
    render_markdown,
    state_judged,
    state_verdict,
    summary_rows,
    write_report,
)
from dosebench.simulation.deviation import Stretch
from dosebench.simulation.scenario_result import AlarmSpan, ScenarioResult, Verdict
from scenario_runs import DAY_MS, HOUR_MS, done, sample, scenario_run


def told(run: ScenarioResult | None = None) -> CaseHistory:
    return write_history(run or scenario_run(), "Baclofen", "c5.toml")


@pytest.mark.parametrize("name", ["x.html", "x.md"])
def test_formats(tmp_path: Path, name: str) -> None:
    path = tmp_path / "deep" / name
    write_report(told(), path)
    assert NEVER in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["x.pdf", "x", "x.HTML"])
def test_other_formats_are_refused_before_anything_is_run(name: str) -> None:
    with pytest.raises(DosebenchError, match=r"\.html or \.md"):
        check_path(Path(name))


def test_the_page_needs_no_other_file_and_escapes_what_it_is_given() -> None:
    acts = [done("stop", DAY_MS, table={"note": "x < y & z"})]
    text = render_html(told(scenario_run(title="A <b>case</b>", acts=acts)))
    assert text.count("<svg") >= 1
    assert "A &lt;b&gt;case&lt;/b&gt;" in text
    assert "x &lt; y &amp; z" in text
    assert "<b>case" not in text
    assert 'src="http' not in text
    assert 'href="http' not in text


def test_markdown_has_every_part_in_its_order() -> None:
    run = scenario_run(
        acts=[done("stop", DAY_MS)], verdicts=[Verdict(HOUR_MS, 9, "the alarm leak", False, "it never came")]
    )
    text = render_markdown(told(run))
    places = [
        text.index(part) for part in ("# A case", NEVER, "- scenario:", "NOT as the scenario says", "## The case")
    ]
    assert places == sorted(places)
    assert "### day 1, 08:00: stopped" in text
    assert "| day 0, 09:00 | the alarm leak | it never came | NO |" in text
    assert "## Alarms\n\nNone.\n" in text


def test_tables_of_markdown_are_whole() -> None:
    for block in render_markdown(told(scenario_run(alarms=[AlarmSpan("leak", 5, 9, "ended")]))).split("\n\n"):
        if block.startswith("|"):
            assert len({row.count("|") for row in block.splitlines()}) == 1


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        ([], "no expectations in the file"),
        ([Verdict(0, 1, "x", True, "y")], "1 expectation met"),
        ([Verdict(0, 1, "x", True, "y")] * 2, "2 expectations met"),
        ([Verdict(0, 1, "x", False, "y")], "NOT as the scenario says"),
    ],
)
def test_the_verdict(verdicts: list[Verdict], words: str) -> None:
    assert words in state_verdict(scenario_run(verdicts=verdicts))


def test_what_was_judged_is_never_more_than_is_true() -> None:
    assert state_judged(scenario_run()).endswith("(0.5 steps off at most, 0.5 allowed).")
    parts = [Stretch(0, 5, Fraction(1, 4)), Stretch(5, 5 + HOUR_MS, None, "dose_cap"), Stretch(9, 9, None, "leak")]
    text = state_judged(scenario_run(stretches=parts))
    assert "except 1 h in 1 part (dose cap)" in text
    assert "A stop by a fault" in text
    text = state_judged(scenario_run(stretches=[*parts[1:], *parts[1:]]))
    assert "in 2 parts (dose cap)" in text
    assert "2 stops by a fault" in text


def test_faults_with_which_the_tip_is_not_what_the_steps_say() -> None:
    acts = [
        done("fault", 1, table={"fault": ["leak=0.5", "level_stuck"]}),
        done("fault", 2, table={"fault": "leak=0.4"}),
    ]
    text = state_judged(scenario_run(acts=acts))
    assert "with leak what left" in text
    assert "level" not in text


def test_a_table_that_is_too_long_is_cut_and_says_so() -> None:
    verdicts = [Verdict(at, 1, "x", True, "y") for at in range(ROWS_MAX + 3)]
    table = next(iter(build_tables(told(scenario_run(verdicts=verdicts)))))
    assert (table.title, len(table.rows)) == ("Expectations", ROWS_MAX)
    assert table.note.startswith("3 more")
    assert next(iter(build_tables(told()))).note == ""


def rows_of(run: ScenarioResult, title: str) -> list[tuple[str, ...]]:
    return next(table.rows for table in build_tables(told(run)) if table.title == title)


def test_rows_of_alarms_say_how_they_ended() -> None:
    alarms = [
        AlarmSpan("leak", DAY_MS, DAY_MS + HOUR_MS, "ended"),
        AlarmSpan("leak", 2 * DAY_MS, 2 * DAY_MS + HOUR_MS, "cleared"),
        AlarmSpan("leak", 3 * DAY_MS, 3 * DAY_MS + HOUR_MS, "displaced"),
        AlarmSpan("battery_low", 9 * DAY_MS, None, "on"),
    ]
    rows = rows_of(scenario_run(alarms=alarms), "Alarms")
    assert [row[0] for row in rows] == ["day 1, 08:00", "day 2, 08:00", "day 3, 08:00", "day 9, 08:00"]
    assert [row[3] for row in rows] == ["1 h", "1 h", "1 h", format_length(DAY_MS)]
    assert [row[4] for row in rows] == ["ended by itself", "cleared", "displaced", "still on"]


def test_rows_of_years_have_shares_of_what_was_ordered() -> None:
    (row,) = rows_of(scenario_run(), "Delivered")
    assert row == ("1", "10", "8000 ug", "8000 ug", "100.00 %", "8000 ug", "100.00 %")
    assert len(rows_of(scenario_run(400), "Delivered by year")) == 2


def test_boluses_have_a_table_only_where_there_are_some() -> None:
    assert "Boluses" not in [table.title for table in build_tables(told())]
    acts = [done("bolus", 1, table={"bolus": "20 ug"}, steps=40)]
    assert rows_of(scenario_run(acts=acts), "Boluses") == [("clinician bolus", "1", "0")]


def test_numbers_are_in_columns_of_numbers() -> None:
    acts = [
        done(
            "refill",
            DAY_MS,
            table={"refill": "40 mL"},
            expected_nl=37e6,
            withdrawn_nl=None,
            filled_nl=4e7,
            truly_nl=4e7,
        )
    ]
    for table in build_tables(told(scenario_run(acts=acts))):
        assert all(0 <= place < len(table.columns) for place in table.numbers)
        assert all(len(row) == len(table.columns) for row in table.rows)


def test_the_summary_of_a_terminal() -> None:
    alarms = [AlarmSpan("leak", 5, 9, "ended"), AlarmSpan("leak", 50, 90, "ended")]
    verdicts = [Verdict(0, 1, "x", True, "y"), Verdict(0, 1, "x", False, "y")]
    rows = dict(summary_rows(told(scenario_run(alarms=alarms, verdicts=verdicts, journal_whole=False))))
    assert (rows["ordered"], rows["by the steps"], rows["at the tip"]) == ("8000 ug", "8000 ug", "8000 ug")
    assert (rows["expectations"], rows["alarms"], rows["refills"]) == ("1 of 2 met", "leak", "none")
    assert "BROKEN" in rows["journal"]
    assert dict(summary_rows(told()))["alarms"] == "none"
    half = [sample(at_ms, delivered_nl=125.0 * sample(at_ms).steps) for at_ms in range(0, 10 * DAY_MS + 1, DAY_MS)]
    assert dict(summary_rows(told(scenario_run(samples=half))))["at the tip"] == "4000 ug"
