"""A run told in order of time: words, chapters and the calm between them, and the tables."""

from __future__ import annotations

from typing import Any

import pytest
from dosebench.report.case_history import (
    LINES_MAX,
    YEAR_MS,
    CaseHistory,
    Chapter,
    format_drug,
    format_length,
    format_moment,
    format_volume,
    name_of,
    write_history,
)
from dosebench.simulation.scenario_result import AlarmSpan, ScenarioResult, Verdict
from journals import named
from programs import example
from scenario_runs import DAY_MS, HOUR_MS, done, sample, scenario_run


def told(run: ScenarioResult) -> CaseHistory:
    return write_history(run, "Baclofen", "c5.toml")


def loud(run: ScenarioResult) -> list[Chapter]:
    return [chapter for chapter in told(run).chapters if not chapter.quiet]


def lines(run: ScenarioResult) -> list[str]:
    return [line.text for chapter in loud(run) for line in chapter.lines]


# Words


@pytest.mark.parametrize(
    ("days", "at_ms", "starts_at_ms", "text"),
    [
        (1, 90_000, 0, "minute 1.5"),
        (2, 90_000, 60_000, "minute 2.5"),
        (3, 0, 60_000, "day 0, 08:00"),
        (3, 40 * HOUR_MS + 90 * 60_000, 0, "day 2, 01:30"),
    ],
)
def test_moments(days: float, at_ms: int, starts_at_ms: int, text: str) -> None:
    assert format_moment(at_ms, scenario_run(days, starts_at_ms=starts_at_ms)) == text


@pytest.mark.parametrize(
    ("nl", "text"), [(999_999, "1e+03 uL"), (1e6, "1 mL"), (250, "0.25 uL"), (-2e6, "-2 mL"), (0, "0 uL")]
)
def test_volumes(nl: float, text: str) -> None:
    assert format_volume(nl) == text


@pytest.mark.parametrize(("ug", "text"), [(9_999, "9999 ug"), (10_000, "10 mg"), (0.5, "0.5 ug"), (-10_000, "-10 mg")])
def test_amounts_of_drug(ug: float, text: str) -> None:
    assert format_drug(ug) == text


def test_other_words() -> None:
    assert name_of("over_infusion") == "over infusion"
    assert format_length(HOUR_MS + 0.4) == format_length(HOUR_MS)


# Chapters


def test_a_run_without_incident_is_one_calm() -> None:
    (only,) = told(scenario_run()).chapters
    assert only.quiet
    assert (only.from_ms, only.to_ms) == (0, 10 * DAY_MS)
    assert "16000 steps" in only.lines[0].text
    assert "4 mL" in only.lines[0].text


def test_the_header_names_what_was_run() -> None:
    history = told(scenario_run())
    header = dict(history.header)
    assert (history.title, header["scenario"]) == ("A case", "A case (a.toml)")
    assert header["regimen"] == "Baclofen (c5.toml)"
    assert "0.2.0" in header["firmware"]
    assert "2026-01-01 08:00" in header["watched"]
    assert told(scenario_run(title="")).title == "Baclofen"


def test_events_that_are_near_are_one_chapter_with_calm_around_it() -> None:
    acts = [done("stop", DAY_MS), done("start", DAY_MS + 5 * 60_000), done("stop", 5 * DAY_MS)]
    chapters = told(scenario_run(acts=acts)).chapters
    assert [(chapter.quiet, chapter.title) for chapter in chapters] == [
        (True, "calm"),
        (False, "stopped"),
        (True, "calm"),
        (False, "stopped"),
        (True, "calm"),
    ]
    assert [len(chapter.lines) for chapter in chapters] == [1, 2, 1, 1, 1]
    assert chapters[0].to_ms == chapters[1].from_ms == DAY_MS
    assert chapters[1].to_ms == chapters[2].from_ms == DAY_MS + 5 * 60_000


def test_usual_acts_are_counted_in_the_calm_and_told_where_time_is_short() -> None:
    acts = [done("patient_bolus", hour * HOUR_MS, table={"patient_bolus": True}, steps=20) for hour in (30, 60)]
    (only,) = told(scenario_run(acts=acts)).chapters
    assert "2 patient bolus" in only.lines[0].text
    short = loud(scenario_run(1, acts=[done("patient_bolus", HOUR_MS, table={"patient_bolus": True}, steps=20)]))
    assert [chapter.title for chapter in short] == ["patient bolus"]
    assert "10 ug (20 steps)" in short[0].lines[0].text


def test_a_pump_that_stands_still_is_said() -> None:
    samples = [sample(at_ms, steps=0) for at_ms in range(0, 10 * DAY_MS + 1, DAY_MS)]
    (only,) = told(scenario_run(samples=samples)).chapters
    assert "stands still" in only.lines[0].text


def test_what_comes_over_and_over_is_counted() -> None:
    acts = [done("stop", DAY_MS + at) for at in range(LINES_MAX + 5)]
    (chapter,) = loud(scenario_run(acts=acts))
    assert len(chapter.lines) == LINES_MAX + 1
    assert chapter.lines[-1].text.startswith("5 more")


def test_an_expectation_that_was_not_met_makes_a_chapter() -> None:
    bad = Verdict(DAY_MS, 4, "the alarm leak", False, "it never came after that")
    run = scenario_run(verdicts=[Verdict(DAY_MS, 3, "x", True, "y"), bad])
    (chapter,) = loud(run)
    assert [line.kind for line in chapter.lines] == ["wrong"]
    assert "the alarm leak" in chapter.lines[0].text


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (done("fault", DAY_MS, table={"fault": "occlusion=20", "for": "2 h"}), ["occlusion = 20", "for 2 h"]),
        (done("mend", DAY_MS, faults=["occlusion"], held_nl=5_000.0), ["occlusion", "5 uL"]),
        (done("mend", DAY_MS, faults=[], held_nl=0.0), ["nothing was broken"]),
        (done("clear", DAY_MS, alarms=["leak", "over_infusion"]), ["leak, over infusion"]),
        (done("clear", DAY_MS, alarms=[]), ["all alarms"]),
        (done("silence", DAY_MS, table={"silence": "2 min"}), ["2 min"]),
        (done("set_clock", DAY_MS, local_time="2026-03-29T03:00:00"), ["2026-03-29 03:00:00"]),
        (
            done("program", DAY_MS, table={"program": "x.toml"}, before_ug=800.0, after_ug=700.0),
            ["700 ug", "800 ug", "x.toml"],
        ),
        (done("brown_out", DAY_MS, off_ms=60_000), ["1 min"]),
        (done("bolus", DAY_MS, "refused: lockout", table={"bolus": "20 ug"}), ["refuses", "lockout"]),
    ],
)
def test_each_act_is_told(act: Any, words: list[str]) -> None:
    # A stop beside it, so that acts without a chapter of their own have one.
    text = " ".join(lines(scenario_run(acts=[done("stop", DAY_MS), act])))
    for word in words:
        assert word in text


@pytest.mark.parametrize(
    ("details", "words"),
    [
        ({"withdrawn_nl": None, "truly_nl": 20e6}, ["20 mL", "37.5 mL were expected"]),
        ({"withdrawn_nl": 5e6, "truly_nl": 20e6}, ["5 mL were withdrawn"]),
        ({"withdrawn_nl": None, "truly_nl": 19e6}, ["in truth it holds 19 mL"]),
    ],
)
def test_a_refill_is_told(details: dict[str, Any], words: list[str]) -> None:
    act = done("refill", HOUR_MS, table={"refill": "20 mL"}, expected_nl=37.5e6, filled_nl=20e6, **details)
    text = " ".join(lines(scenario_run(1, acts=[act])))
    assert all(word in text for word in words)
    assert ("truth" in text) == (details["truly_nl"] != 20e6)


def test_a_note_is_told_with_its_act_but_not_again_with_its_mend() -> None:
    table = {"fault": "stall", "note": "A cable is loose."}
    acts = [done("fault", DAY_MS, table=table), done("mend", DAY_MS + 1, table=table, faults=["stall"], held_nl=0.0)]
    assert lines(scenario_run(acts=acts)).count("A cable is loose.") == 1


def test_a_restart_says_how_long_it_stood_still_and_what_was_missed() -> None:
    records = [(DAY_MS, named("stop", DAY_MS)), (2 * DAY_MS, named("start", 2 * DAY_MS))]
    run = scenario_run(acts=[done("stop", DAY_MS), done("start", 2 * DAY_MS + 500)], records=records)
    text = " ".join(lines(run))
    assert "800 ug were missed" in text


# The pump's own records


def test_an_alarm_after_a_fault_is_told_with_the_time_since_it() -> None:
    acts = [done("fault", DAY_MS, table={"fault": "leak=0.5"})]
    records = [
        (DAY_MS + HOUR_MS, named("alarm_raised", DAY_MS + HOUR_MS, alarm="leak", priority="medium")),
        (DAY_MS + 2 * HOUR_MS, named("alarm_ended", alarm="leak")),
    ]
    text = lines(scenario_run(2, acts=acts, records=records))
    assert "1 h after leak = 0.5" in text[1]
    assert any("leak" in line for line in text[2:])
    alone = lines(
        scenario_run(records=[(DAY_MS, named("alarm_raised", alarm="battery_low", priority="low"))], acts=acts)
    )
    assert not any("after leak" in line for line in alone)


def test_an_alarm_that_gives_way_is_told() -> None:
    run = scenario_run(records=[(DAY_MS, named("alarm_displaced", alarm="battery_low", by_alarm="leak"))])
    (text,) = lines(run)
    assert "battery low gives way" in text


def test_a_reset_says_between_what_counts_the_truth_lies() -> None:
    run = scenario_run(
        acts=[done("brown_out", DAY_MS, off_ms=60_000)],
        records=[(DAY_MS, named("boot", DAY_MS, reset_cause="brown_out", low_steps=1_590, high_steps=1_600))],
    )
    assert any("1590 to 1600" in line and "5 ug" in line for line in lines(run))
    (reset,) = told(run).resets
    assert (reset.cause, reset.unsure_steps, reset.unsure_ug) == ("brown out", 10, 5.0)


def test_the_reset_that_proves_the_watchdog_is_none() -> None:
    records = [
        (DAY_MS, named("watchdog_test")),
        (DAY_MS, named("boot", reset_cause="watchdog", low_steps=5, high_steps=9)),
        (2 * DAY_MS, named("boot", reset_cause="watchdog", low_steps=5, high_steps=12)),
    ]
    run = scenario_run(records=records, acts=[done("stop", DAY_MS), done("stop", 2 * DAY_MS)])
    (reset,) = told(run).resets
    assert (reset.at_ms, reset.unsure_steps) == (2 * DAY_MS, 3), "what was unsure before is not lost again"
    assert sum("starts (watchdog)" in line for line in lines(run)) == 1


@pytest.mark.parametrize(("count", "words"), [(1, "1 step that came due was"), (3, "3 steps that came due were")])
def test_steps_that_were_missed(count: int, words: str) -> None:
    records = [(DAY_MS, named("missed", missed_now_steps=count))]
    assert any(words in line for line in lines(scenario_run(records=records, acts=[done("stop", DAY_MS)])))


# Tables


def test_years_are_what_was_ordered_stepped_and_left_the_tip() -> None:
    run = scenario_run(400)
    first, second = told(run).years
    assert (first.number, first.days, second.number, second.days) == (1, 365, 2, 35)
    assert first.ordered_ug == pytest.approx(365 * 800)
    assert first.stepped_ug == pytest.approx(365 * 800, rel=1e-6)
    assert first.tip_ug == pytest.approx(first.stepped_ug)
    assert second.ordered_ug == pytest.approx(35 * 800)
    assert YEAR_MS == 365 * DAY_MS


def test_accepted_boluses_and_later_therapies_count_as_ordered() -> None:
    acts = [
        done("bolus", DAY_MS, table={"bolus": "20 ug"}, steps=40),
        done("bolus", DAY_MS, "refused: lockout", table={"bolus": "20 ug"}),
    ]
    programs = [(0, example()), (5 * DAY_MS, example("c7-bridge"))]
    (year,) = told(scenario_run(acts=acts, programs=programs)).years
    wanted = 5 * 800 + 20 + 5 * float(example("c7-bridge").daily_ng / 1000)
    assert year.ordered_ug == pytest.approx(wanted)


def test_what_leaked_was_stepped_and_not_at_the_tip() -> None:
    samples = [sample(at_ms, delivered_nl=125.0 * sample(at_ms).steps) for at_ms in range(0, 10 * DAY_MS + 1, DAY_MS)]
    (year,) = told(scenario_run(samples=samples)).years
    assert year.tip_ug == pytest.approx(year.stepped_ug / 2)


def test_refills_have_the_pumps_own_finding() -> None:
    table = {"refill": "40 mL"}
    details = {"expected_nl": 37e6, "withdrawn_nl": 36e6, "filled_nl": 40e6, "truly_nl": 40e6}
    acts = [
        done("refill", DAY_MS, table=table, **details),
        done("refill", 3 * DAY_MS, table=table, **details | {"withdrawn_nl": None}),
        done("refill", 4 * DAY_MS, "refused: busy", table=table),
    ]
    check = named("refill_check", ratio_permille=1_100)
    first, second = told(scenario_run(acts=acts, records=[(DAY_MS + 100, check)])).refills
    assert (first.withdrawn_ml, first.ratio, first.filled_ml) == (36.0, 1.1, 40.0)
    assert (second.withdrawn_ml, second.ratio, second.flag) == (None, None, "not withdrawn")


def test_dates_of_service() -> None:
    alarms = [
        AlarmSpan("elective_replacement", 10 * DAY_MS, None, "on"),
        AlarmSpan("end_of_service", 100 * DAY_MS, None, "on"),
    ]
    dates = dict(told(scenario_run(200, alarms=alarms)).dates)
    assert dates["implant and start"] == "2026-01-01"
    assert dates["elective replacement indicator"] == "2026-01-11 08:00 (day 10)"
    assert dates["90 days after it"] == "2026-04-11"
    assert dates["end of service"] == "2026-04-11 08:00 (day 100)"


def test_boluses_are_counted_given_and_refused() -> None:
    acts = [
        done("bolus", 1, table={"bolus": "20 ug"}, steps=40),
        done("bolus", 2, "refused: lockout", table={"bolus": "20 ug"}),
        done("patient_bolus", 3, table={"patient_bolus": True}, steps=20),
    ]
    assert told(scenario_run(acts=acts)).boluses == [("patient bolus", 1, 0), ("clinician bolus", 1, 1)]
    assert told(scenario_run()).boluses == []


def test_charges_are_shares_of_a_fresh_battery_largest_first() -> None:
    assert told(scenario_run()).charges == [("motor", 0.7, 700 / 1_200_000), ("idle", 0.3, 300 / 1_200_000)]
