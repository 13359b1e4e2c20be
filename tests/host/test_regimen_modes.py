"""Regimens of every mode: their figures, their mistakes, and what passes the check is taken by the pump."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from dosebench.base.units import DAY_MS, MINUTE_MS
from dosebench.profile import load
from dosebench.regimen.check import check_regimen
from dosebench.regimen.drugs import DrugLibrary
from dosebench.regimen.summary import summarize_check
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from regimens import BACLOFEN, EXAMPLES, HEAD, ZICONOTIDE, Bench, codes, figures, places

RESERVOIR = '[reservoir]\nfilled = "{filled}"\n'
FLEX = '[therapy]\nmode = "flex"\n'
DAY_AND_NIGHT = 'steps = [{ at = "00:00", rate = "10 ug/h" }, { at = "06:00", rate = "20 ug/h" }]\n'
PATIENT = '[patient_bolus]\ndose = "10 ug"\nover = "10 min"\nlockout = "2 h"\nper_day = 4\n'
PERIODIC = '[periodic_bolus]\ndose = "10 ug"\nevery = "6 h"\nover = "10 min"\n'
CATHETER = '[catheter]\nvolume = "0.2 mL"\npump_path = "0.14 mL"\ntable_version = 3\n'
MANY_STEPS = (
    "steps = [" + ", ".join(f'{{ at = "{m // 60:02}:{m % 60:02}", rate = "10 ug/h" }}' for m in range(49)) + "]"
)
MANY_RATES = "".join(
    f"[[therapy.pattern]]\ndays = {days}\nsteps = ["
    + ", ".join(f'{{ at = "{at:02}:00", rate = "{10 + 24 * number + at} ug/h" }}' for at in range(24))
    + "]\n"
    for number, days in enumerate(('["mon"]', '["tue"]', '["wed", "thu", "fri", "sat", "sun"]'))
)


def flex(patterns: str) -> str:
    return (HEAD + RESERVOIR).format(**BACLOFEN) + FLEX + patterns


def pattern(days: str, steps: str = DAY_AND_NIGHT) -> str:
    return f"[[therapy.pattern]]\ndays = {days}\n{steps}"


def titration(steps: str, more: str = "", drug: dict[str, str] = BACLOFEN) -> str:
    head = (HEAD + RESERVOIR).format(**drug)
    return f'{head}[therapy]\nmode = "titration"\n[titration]\nsteps = [{steps}]\n{more}'


def step(after: str, dose: str) -> str:
    return f'{{ after = "{after}", dose = "{dose}" }},'


# Flex


ONE_HIGH_HOUR = (
    'steps = [{ at = "00:00", rate = "10 ug/h" }, { at = "08:00", rate = "100 ug/h" }, '
    '{ at = "09:00", rate = "10 ug/h" }]\n'
)
"""A day of 330 ug. By its largest rate alone a day would be 2410 ug; a clock that is set at will may make 638 of it."""


def test_one_high_hour_a_day_does_not_count_as_a_high_day(bench: Bench, pump: SimpleNamespace) -> None:
    device = pump.Profile(load.load_profile("implant-40").device_config())
    text = flex("[[therapy.pattern]]\n" + ONE_HIGH_HOUR + '[limits]\nper_day = "{} ug"\n')
    passed = bench.check(text.replace("{}", "640"))
    assert passed.program is not None
    assert pump.Therapy(passed.program.encode_program()).check(device) == (0, 0)
    assert places(bench.check(text.replace("{}", "637"))) == [("limits.per_day", "cap-below-basal")]


def test_default_caps_of_a_flex_regimen_leave_room_for_its_clock(bench: Bench, pump: SimpleNamespace) -> None:
    device = pump.Profile(load.load_profile("implant-40").device_config())
    result = bench.check(flex("[[therapy.pattern]]\n" + ONE_HIGH_HOUR))
    assert result.program is not None
    assert pump.Therapy(result.program.encode_program()).check(device) == (0, 0)
    assert 638 <= figures(result)["limits"]["per_day_ug"] < 641


def test_flex_example(library: DrugLibrary) -> None:
    result = check_regimen(EXAMPLES / "flex-weekdays.toml", library)
    found = figures(result)
    assert not result.warnings
    assert (found["daily_dose_ug"], found["weekly_dose_ug"], found["largest_hour_ug"]) == (502.5, 3352.5, 30)
    assert [(item["name"], item["daily_dose_ug"]) for item in found["patterns"]] == [
        ("workday", 502.5),
        ("weekend", 420),
    ]
    assert found["patterns"][1]["steps"][1] == {"at": "08:00", "rate_ug_per_h": 20}
    assert (found["reading"]["daily_dose_ng"], found["reading"]["weekly_dose_ng"]) == (502_500, 3_352_500)
    assert found["rounding_steps_10y"] == 0
    assert len(found["rounding"]) == 8
    assert len(found["rates"]["table"]) == 4
    assert result.program is not None
    assert result.program.weekdays == bytes([0, 0, 0, 0, 0, 1, 1])


def test_a_single_pattern_is_for_every_day(bench: Bench) -> None:
    found = figures(bench.check(flex("[[therapy.pattern]]\n" + DAY_AND_NIGHT)))
    assert found["patterns"][0]["days"] == ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    assert found["daily_dose_ug"] == 420


ALL = '["mon", "tue", "wed", "thu", "fri", "sat", "sun"]'


@pytest.mark.parametrize(
    ("patterns", "place", "words"),
    [
        (
            pattern('["mon", "tue", "wed", "thu", "fri", "sat"]'),
            ("therapy.pattern", "pattern-days"),
            "no pattern for sun",
        ),
        (pattern(ALL) + pattern('["sun"]'), ("therapy.pattern[1].days", "pattern-days"), '"sun" is in pattern 1'),
        (pattern(ALL) + pattern("[]"), ("therapy.pattern[1].days", "pattern-days"), "names no day"),
        (
            pattern(ALL) + "[[therapy.pattern]]\n" + DAY_AND_NIGHT,
            ("therapy.pattern[1].days", "pattern-days"),
            "name its",
        ),
        (pattern('["mon", "Sunday"]'), ("therapy.pattern[0].days[1]", "value"), 'did you mean "sun"?'),
        (pattern(ALL) * 8, ("therapy.pattern", "pattern-days"), "1 to 7 day patterns, these are 8"),
        ("pattern = []\n", ("therapy.pattern", "pattern-days"), "these are 0"),
        (
            pattern(ALL, DAY_AND_NIGHT.replace("00:00", "01:00")),
            ("therapy.pattern[0].steps[0].at", "pattern-order"),
            '"00:00"',
        ),
        (
            pattern(ALL, DAY_AND_NIGHT.replace("06:00", "00:00")),
            ("therapy.pattern[0].steps[1].at", "pattern-order"),
            "not after",
        ),
        (pattern(ALL, DAY_AND_NIGHT.replace("06:00", "24:00")), ("therapy.pattern[0].steps[1].at", "value"), "23:59"),
        (pattern(ALL, MANY_STEPS), ("therapy.pattern[0].steps", "pattern-order"), "this one 49"),
        (MANY_RATES, ("therapy.pattern", "rates-count"), "72 different rates"),
        (
            pattern(ALL, DAY_AND_NIGHT.replace('"20 ug/h"', '"2 ug/h"')),
            ("therapy.pattern[0].steps[1].rate", "rate-below-minimum"),
            "48 ug/day",
        ),
    ],
)
def test_mistakes_in_patterns(bench: Bench, patterns: str, place: tuple[str, str], words: str) -> None:
    result = bench.check(flex(patterns))
    assert [
        problem for problem in result.errors if (problem.key, problem.code) == place and words in problem.message
    ], [str(problem) for problem in result.errors]
    json.dumps(summarize_check(result), allow_nan=False)


def test_ten_mistakes_in_the_new_tables_at_once(bench: Bench) -> None:
    result = bench.check(
        flex(
            pattern(
                '["mon", "thus"]', 'steps = [{ at = "0:00", rate = "10 ug" }, { att = "06:00", rate = "20 ug/h" }]\n'
            )
            + '[patient_bolus]\ndose = "10 ug"\nover = "10 mins"\nlockout = 2\nper_day = 25\n'
            + '[[limits.cap]]\nwindow = "49 h"\ndose = "1 mg/day"\n[bridge]\n'
        )
    )
    assert len(result.errors) == 11
    assert len({problem.line for problem in result.errors}) == 8
    assert places(result)[0] == ("catheter", "missing")


# Titration


def test_titration_example(library: DrugLibrary) -> None:
    result = check_regimen(EXAMPLES / "titration-morphine.toml", library)
    found = figures(result)
    assert [row["after_days"] for row in found["titration"]] == [0, 3, 6, 9]
    assert found["daily_dose_ug"] == 720
    assert found["reading"]["weekly_dose_ng"] == 7 * 720_000
    assert result.program is not None
    assert result.program.change_permille_max == 250


@pytest.mark.parametrize(
    ("steps", "more", "place"),
    [
        (step("1 day", "300 ug/day"), "", ("titration.steps[0].after", "titration-order")),
        (
            step("0 days", "300 ug/day") + step("36 h", "330 ug/day"),
            "",
            ("titration.steps[1].after", "titration-order"),
        ),
        (step("0 days", "300 ug/day") + step("0 h", "330 ug/day"), "", ("titration.steps[1].after", "titration-order")),
        (
            step("0 days", "300 ug/day") + step("256 days", "330 ug/day"),
            "",
            ("titration.steps[1].after", "titration-order"),
        ),
        ("", "", ("titration.steps", "titration-order")),
        (
            step("0 days", "300 ug/day") + step("3 days", "391 ug/day"),
            "",
            ("titration.steps[1].dose", "titration-change"),
        ),
        (
            step("0 days", "300 ug/day") + step("3 days", "331 ug/day"),
            'change_max = "10 %"',
            ("titration.steps[1].dose", "titration-change"),
        ),
        (step("0 days", "300 ug/day"), 'change_max = "0 %"', ("titration.change_max", "zero")),
        (step("0 days", "300 ug/day"), 'change_max = "0.05 %"', ("titration.change_max", "titration-change")),
        (step("0 days", "300 ug/day"), 'change_max = "20"', ("titration.change_max", "value")),
    ],
)
def test_mistakes_in_a_titration(bench: Bench, steps: str, more: str, place: tuple[str, str]) -> None:
    assert place in places(bench.check(titration(steps, more)))


@pytest.mark.requirement("R12")
def test_each_step_of_a_titration_is_held_against_the_drug_library(bench: Bench) -> None:
    asked = bench.check(titration(step("0 days", "300 ug/day") + step("3 days", "450 ug/day"), 'change_max = "50 %"'))
    assert [(p.key, p.code) for p in asked.needs_confirm] == [("titration.steps[1].dose", "change-soft-percent")]
    down = bench.check(titration(step("0 days", "300 ug/day") + step("3 days", "200 ug/day")))
    assert codes(down.needs_confirm) == ["change-soft-percent"]
    hard = titration(step("0 days", "2.4 ug/day") + step("3 days", "5.0 ug/day"), "", ZICONOTIDE)
    assert places(bench.check(hard)) == [("titration.steps[1].dose", "change-hard-max")]
    above = titration(step("0 days", "18 ug/day") + step("3 days", "20 ug/day"), "", ZICONOTIDE)
    assert ("titration.steps[1].dose", "dose-hard-max") in places(bench.check(above))
    first = bench.check(
        titration(step("0 days", "300 ug/day") + step("9 days", "380 ug/day")), titration(step("0 h", "200 ug/day"))
    )
    assert [p.key for p in first.needs_confirm if p.code == "change-soft-percent"] == ["titration.steps[0].dose"]


# Boluses


def test_patient_bolus_example(library: DrugLibrary) -> None:
    result = check_regimen(EXAMPLES / "patient-bolus.toml", library)
    found = figures(result)
    assert not result.warnings
    assert (found["daily_dose_ug"], found["patient_bolus"]["daily_ug"], found["periodic_bolus"]["daily_ug"]) == (
        4400,
        800,
        400,
    )
    assert found["refill"]["due_days"] == 73.0, "every patient bolus taken"
    assert found["reading"]["refill_days"] == 73
    assert [cap["minutes"] for cap in found["reading"]["caps"]] == [60, 1440, 240]


@pytest.mark.parametrize(
    ("extra", "place"),
    [
        (PATIENT.replace('"2 h"', '"9 min"'), ("patient_bolus.lockout", "patient-lockout")),
        (PATIENT.replace('"2 h"', '"25 h"'), ("patient_bolus.lockout", "patient-lockout")),
        (PATIENT.replace("= 4", "= 25"), ("patient_bolus.per_day", "value")),
        (PATIENT.replace('"10 ug"', '"0.4 ug"'), ("patient_bolus.dose", "bolus-size")),
        (PATIENT.replace('"10 ug"', '"0.6 mL"'), ("patient_bolus.dose", "bolus-size")),
        (PATIENT.replace('"10 min"', '"10 s"'), ("patient_bolus.over", "bolus-rate")),
        (PATIENT.replace('"10 min"', '"0.5 ms"'), ("patient_bolus.over", "duration")),
        (PATIENT.replace('"10 min"', '"7 days"'), ("patient_bolus.over", "duration")),
        (PATIENT.replace('"10 min"', '"0 s"'), ("patient_bolus.over", "zero")),
        (PERIODIC.replace('"6 h"', '"25 h"'), ("periodic_bolus.every", "periodic-period")),
        (PERIODIC.replace('"6 h"', '"10 min"'), ("periodic_bolus.every", "periodic-period")),
        (
            PERIODIC.replace('"10 min"', '"15 s"').replace('"6 h"', '"59 s"'),
            ("periodic_bolus.every", "periodic-period"),
        ),
        (PERIODIC.replace('"10 ug"', '"0 ug"'), ("periodic_bolus.dose", "zero")),
        (PERIODIC + '[limits]\nper_day = "840 ug"', ("limits.per_day", "cap-below-basal")),
        (PATIENT + '[limits]\nper_hour = "40 ug"', ("limits.per_hour", "cap-below-bolus")),
        ('[square_bolus]\nmax = "0.6 mL"', ("square_bolus.max", "bolus-size")),
        ("[priming]\n", ("catheter", "missing")),
        (CATHETER.replace("0.14", "0.31") + "[priming]", ("catheter.volume", "bolus-size")),
        (CATHETER + '[priming]\nrate = "25 mL/day"', ("priming.rate", "bolus-rate")),
        (CATHETER.replace("= 3", "= 0"), ("catheter.table_version", "value")),
        (CATHETER.replace('"0.2 mL"', '"0 mL"'), ("catheter.volume", "zero")),
        ('[[limits.cap]]\nwindow = "49 h"\ndose = "2 mg"', ("limits.cap[0].window", "cap-window")),
        ('[[limits.cap]]\nwindow = "90 s"\ndose = "2 mg"', ("limits.cap[0].window", "cap-window")),
        (
            '[limits]\nper_day = "1 mg"\n[[limits.cap]]\nwindow = "24 h"\ndose = "1 mg"',
            ("limits.cap[0].window", "cap-window"),
        ),
        ('[[limits.cap]]\nwindow = "4 h"\ndose = "0 mg"', ("limits.cap[0].dose", "zero")),
        ('[[limits.cap]]\nwindow = "4 h"\ndose = "133 ug"', ("limits.cap[0].dose", "cap-below-basal")),
        ('[[limits.cap]]\nwindow = "4 h"\ndose = "4.1 mL"', ("limits.cap[0].dose", "cap-above-hard")),
        (
            "".join(f'[[limits.cap]]\nwindow = "{hours} h"\ndose = "2 mg"\n' for hours in (2, 3, 4)),
            ("limits.cap", "cap-window"),
        ),
        ('[limits]\non_cap = "keep"', ("limits.on_cap", "value")),
    ],
)
def test_mistakes_in_boluses_and_caps(bench: Bench, extra: str, place: tuple[str, str]) -> None:
    result = bench.dose(BACLOFEN, "800 ug/day", extra)
    assert place in places(result), [str(problem) for problem in result.errors]


def test_a_cap_of_an_hour_in_the_list_replaces_the_default(bench: Bench) -> None:
    limits = figures(bench.dose(BACLOFEN, "800 ug/day", '[[limits.cap]]\nwindow = "1 h"\ndose = "90 ug"'))["limits"]
    assert (limits["per_hour_ug"], limits["per_hour_is_default"]) == (90, False)
    assert [cap["minutes"] for cap in limits["caps"]] == [1440, 60]


@pytest.mark.requirement("R5")
def test_default_caps_leave_room_for_all_boluses_that_are_ordered(bench: Bench) -> None:
    extra = PATIENT + PERIODIC + '[bolus]\nmax = "50 ug"\n[square_bolus]\nmax = "40 ug"'
    limits = figures(bench.dose(BACLOFEN, "600 ug/day", extra))["limits"]
    assert limits["per_hour_ug"] == 3 * 25 + 50 + 40 + 10 + 10 + 2 * 0.5
    assert limits["per_day_ug"] == 1.25 * 600 + 50 + 40 + 4 * 10 + 5 * 10 + 2 * 0.5


@pytest.mark.requirement("R12")
@pytest.mark.requirement("R22")
@pytest.mark.parametrize(
    ("dose", "extra", "key", "code"),
    [
        ("1990 ug/day", PERIODIC, "therapy.dose", "dose-hard-max"),
        ("1990 ug/day", PATIENT, "patient_bolus.per_day", "patient-hard-max"),
        ("1990 ug/day", '[square_bolus]\nmax = "50 ug"', "square_bolus.max", "square-hard-max"),
    ],
)
def test_boluses_count_against_the_drugs_hard_maximum(bench: Bench, dose: str, extra: str, key: str, code: str) -> None:
    assert (key, code) in places(bench.dose(BACLOFEN, dose, extra))
    softer = bench.dose(BACLOFEN, dose.replace("1990", "990"), extra)
    assert softer.ok
    assert code.replace("hard", "soft") in codes(softer.needs_confirm)


def test_tables_of_another_mode_are_not_delivered(bench: Bench) -> None:
    unused = "[[therapy.pattern]]\n" + DAY_AND_NIGHT + f"[titration]\nsteps = [{step('0 days', '300 ug/day')}]"
    result = bench.dose(BACLOFEN, "800 ug/day", unused)
    assert [(p.key, p.code) for p in result.warnings] == [
        ("therapy.pattern", "dose-unused"),
        ("titration", "dose-unused"),
    ]
    assert result.program == bench.dose(BACLOFEN, "800 ug/day").program


# Slips


@pytest.mark.requirement("C6")
@pytest.mark.requirement("R14")
def test_c6_minutes_for_hours(library: DrugLibrary) -> None:
    result = check_regimen(EXAMPLES / "c6-slip.toml", library)
    assert codes(result.errors) == ["dose-hard-max", "cap-below-basal", "cap-below-basal"]
    (slip,) = result.warnings
    assert slip.code == "slip-time"
    assert '"6 min" makes 240 boluses and 2400 ug a day, "6 h" would make 4 boluses and 40 ug a day' in slip.message


@pytest.mark.requirement("C6")
def test_c6_the_pump_refuses_by_its_daily_cap(bench: Bench, pump: SimpleNamespace) -> None:
    text = (EXAMPLES / "c6-slip.toml").read_text(encoding="utf-8").replace('"6 min"', '"6 h"')
    meant = bench.check(text)
    assert meant.program is not None
    device = pump.Profile(load.load_profile("implant-40").device_config())
    assert pump.Therapy(meant.program.encode_program()).check(device) == (0, 0)
    slip = replace(meant.program, periodic_ms=6 * MINUTE_MS)
    reason = pump.Therapy(slip.encode_program()).check(device)
    assert reason == (47, 0), "cap_below_basal"


@pytest.mark.parametrize(
    ("extra", "key", "meant"),
    [
        (PERIODIC.replace('"6 h"', '"12 min"'), "periodic_bolus.every", '"12 h"'),
        (PATIENT.replace('"2 h"', '"2 min"').replace('"10 min"', '"90 s"'), "patient_bolus.lockout", '"2 h"'),
        (PATIENT.replace('"2 h"', '"30 h"'), "patient_bolus.lockout", '"30 min"'),
        (PATIENT.replace('"10 min"', '"10 h"').replace('"2 h"', '"12 h"'), "patient_bolus.over", '"10 min"'),
        (PERIODIC.replace('"10 min"', '"10 s"'), "periodic_bolus.over", '"10 min"'),
    ],
)
def test_time_slips(bench: Bench, extra: str, key: str, meant: str) -> None:
    result = bench.dose(BACLOFEN, "800 ug/day", extra)
    (slip,) = [problem for problem in result.warnings if problem.code == "slip-time"]
    assert (slip.key, slip.needs_confirm) == (key, True)
    assert meant in slip.message


def test_usual_times_are_no_slips(bench: Bench) -> None:
    extra = PATIENT + PERIODIC
    for old, new in (("", ""), ('"2 h"', '"15 min"'), ('"6 h"', '"90 min"'), ('"10 min"', '"1 min"')):
        assert "slip-time" not in codes(bench.dose(BACLOFEN, "800 ug/day", extra.replace(old, new)).warnings)


@pytest.mark.requirement("R63")
def test_a_flex_day_in_a_neighbouring_unit(bench: Bench) -> None:
    result = bench.check(flex("[[therapy.pattern]]\n" + DAY_AND_NIGHT.replace("ug/h", "ug/min").replace('"2', '"1')))
    (slip,) = [problem for problem in result.warnings if problem.code == "slip-unit"]
    assert '"10 ug/h"' in slip.message
    assert slip.key == "therapy.pattern[0].steps"


def test_patient_boluses_count_for_a_reservoir_that_lasts_less_than_a_day(bench: Bench) -> None:
    drug = BACLOFEN | {"concentration": "500 ug/mL", "filled": "4 mL"}
    many = PATIENT.replace("= 4", "= 24").replace('"10 ug"', '"20 ug"').replace('"2 h"', '"30 min"')
    assert "reservoir-short" not in codes(bench.dose(drug, "1400 ug/day").errors)
    assert "reservoir-short" in codes(bench.dose(drug, "1400 ug/day", many).errors)


# Whatever the file says


def nl_per_day(data: st.DataObject, name: str) -> str:
    """A basal rate, mostly one that the pump can do."""
    pump = load.load_profile(name)
    step_nl = int(pump.delivery.step_volume)
    least, most = (int(pump.count_steps(rate * DAY_MS)) for rate in (pump.delivery.rate_min, pump.caps.day / DAY_MS))
    steps = data.draw(st.integers(least, most // 3) | st.sampled_from([least - 1, least, most]))
    return f'"{steps * step_nl} nL/day"'


def draw_basal(data: st.DataObject, name: str) -> str:
    mode = data.draw(st.sampled_from(["continuous", "flex", "titration", "minimum_rate", "stopped"]))
    text = f'[therapy]\nmode = "{mode}"\n'
    if mode == "continuous":
        text += f"dose = {nl_per_day(data, name)}\n"
    if mode == "flex":
        days = data.draw(st.lists(st.integers(0, 2), min_size=7, max_size=7))
        for number in sorted(set(days)):
            names = [
                day
                for day, used in zip(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), days, strict=True)
                if used == number
            ]
            hours = data.draw(st.lists(st.integers(1, 23), max_size=3, unique=True).map(sorted))
            steps = [f'{{ at = "{hour:02}:00", rate = {nl_per_day(data, name)} }}' for hour in [0, *hours]]
            text += f"[[therapy.pattern]]\ndays = {json.dumps(names)}\nsteps = [{', '.join(steps)}]\n"
    if mode == "titration":
        days = data.draw(st.lists(st.integers(1, 255), max_size=4, unique=True).map(sorted))
        steps = [f'{{ after = "{day} days", dose = {nl_per_day(data, name)} }}' for day in [0, *days]]
        text += f"[titration]\nsteps = [{', '.join(steps)}]\n"
        text += data.draw(st.sampled_from(["", 'change_max = "50 %"\n', 'change_max = "6000 %"\n']))
    return text


def draw_extras(data: st.DataObject, name: str) -> str:
    pump = load.load_profile(name)
    step_nl, most = int(pump.delivery.step_volume), int(pump.count_steps(pump.caps.bolus))
    sizes = (st.integers(1, 20) | st.sampled_from([most, most + 1])).map(lambda steps: f"{steps * step_nl} nL")
    minutes = st.sampled_from([1, 2, 10, 30, 60, 120, 360, 1440])
    some = st.booleans()
    text = ""
    if data.draw(some):
        text += f'[bolus]\nmax = "{data.draw(sizes)}"\n'
    if data.draw(some):
        text += f'[square_bolus]\nmax = "{data.draw(sizes)}"\n'
    if data.draw(some):
        text += f'[patient_bolus]\ndose = "{data.draw(sizes)}"\nover = "{data.draw(minutes)} min"\n'
        text += f'lockout = "{data.draw(minutes)} min"\nper_day = {data.draw(st.integers(1, 24))}\n'
    if data.draw(some):
        text += f'[periodic_bolus]\ndose = "{data.draw(sizes)}"\nover = "{data.draw(minutes)} min"\n'
        text += f'every = "{data.draw(minutes)} min"\n'
    if data.draw(some):
        text += f'[catheter]\nvolume = "{data.draw(sizes)}"\npump_path = "{step_nl} nL"\ntable_version = 1\n'
        text += data.draw(st.sampled_from(["", "[priming]\n"]))
        text += data.draw(st.sampled_from(["", '[bridge]\nprevious_concentration = "1000 ug/mL"\n']))
    return text


@pytest.mark.requirement("R12")
@pytest.mark.requirement("R57")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400, deadline=None)
@given(data=st.data())
def test_what_passes_the_check_is_taken_by_the_pump(bench: Bench, pump: SimpleNamespace, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(load.builtin_names()))
    filled = int(load.load_profile(name).reservoir.capacity)
    text = f'format = 1\nprofile = "{name}"\n[drug]\nname = "unlisted"\nconcentration = "2000 ug/mL"\n'
    text += f'[reservoir]\nfilled = "{filled} nL"\n' + draw_basal(data, name) + draw_extras(data, name)
    cap = data.draw(st.none() | st.tuples(st.sampled_from([1, 30, 60, 240, 2880]), st.integers(1, 100)))
    text += f'[[limits.cap]]\nwindow = "{cap[0]} min"\ndose = "{cap[1] * filled // 200} nL"\n' if cap else ""
    result = bench.check(text)
    json.dumps(summarize_check(result), allow_nan=False)
    if result.program is not None:
        device = pump.Profile(load.load_profile(name).device_config())
        assert pump.Therapy(result.program.encode_program()).check(device) == (0, 0), text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    name=st.sampled_from(["flex-weekdays", "titration-morphine", "patient-bolus", "c7-bridge"]),
    at=st.integers(0, 1500),
    put=st.text(max_size=6) | st.sampled_from(["]", "0", "[[limits.cap]]\n", '"', "sun"]),
    cut=st.integers(0, 8),
)
def test_any_damage_gives_an_answer(bench: Bench, name: str, at: int, put: str, cut: int) -> None:
    text: Any = (EXAMPLES / f"{name}.toml").read_text(encoding="utf-8")
    result = bench.check(text[:at] + put + text[at + cut :])
    assert result.ok == (not result.errors)
    json.dumps(summarize_check(result), allow_nan=False)
