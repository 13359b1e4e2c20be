"""Regimens of every mode: their figures, their mistakes, and what passes the check is accepted by the pump."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from dosebench.base.units import DAY_MS
from dosebench.profile import load
from dosebench.regimen import modes
from dosebench.regimen.check import check_regimen
from dosebench.regimen.drugs import DrugLibrary
from dosebench.regimen.findings import Rule
from dosebench.regimen.summary import summarize_check
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from regimen_texts import (
    CATHETER,
    DAY_AND_NIGHT,
    MANY_RATES,
    MANY_STEPS,
    PATIENT,
    PERIODIC,
    flex,
    pattern,
    step,
    titration,
)
from regimens import BACLOFEN, EXAMPLES, Bench, figures, places
from rules import Rules, name_of, order


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
            "".join(f'[[limits.cap]]\nwindow = "{hours} h"\ndose = "2 mg"\n' for hours in range(2, 9)),
            ("limits.cap", "cap-window"),
        ),
        ('[limits]\non_cap = "keep"', ("limits.on_cap", "value")),
    ],
)
def test_mistakes_in_boluses_and_caps(bench: Bench, extra: str, place: tuple[str, str]) -> None:
    result = bench.dose(BACLOFEN, "800 ug/day", extra)
    assert place in places(result), [str(problem) for problem in result.errors]


def test_tables_of_another_mode_are_not_delivered(bench: Bench) -> None:
    unused = "[[therapy.pattern]]\n" + DAY_AND_NIGHT + f"[titration]\nsteps = [{step('0 days', '300 ug/day')}]"
    result = bench.dose(BACLOFEN, "800 ug/day", unused)
    assert [(p.key, p.code) for p in result.warnings] == [
        ("therapy.pattern", "dose-unused"),
        ("titration", "dose-unused"),
    ]
    assert result.program == bench.dose(BACLOFEN, "800 ug/day").program


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


# Each rule alone, on a drug with round limits


def ramp(*steps: tuple[str, str]) -> str:
    rows = ", ".join(f'{{ after = "{after}", dose = "{dose}" }}' for after, dose in steps)
    return f"[titration]\nsteps = [{rows}]\n"


def ramped(*steps: tuple[str, str], more: str = "") -> str:
    return order(ramp(*steps) + more, mode="titration")


def days(*names: str, steps: str = 'steps = [{ at = "00:00", rate = "10 ug/h" }]') -> str:
    said = "" if names == ("",) else f"days = {json.dumps(list(names))}\n"
    return f"[[therapy.pattern]]\n{said}{steps}\n"


def flexed(*tables: str) -> str:
    return order("".join(tables), mode="flex")


def at(*times: str) -> str:
    return "steps = [" + ", ".join(f'{{ at = "{time}", rate = "10 ug/h" }}' for time in times) + "]"


def bridged(concentration: str = '"2000 ug/mL"', **more: str) -> str:
    said = f"previous_concentration = {concentration}\n" if concentration else ""
    return order(CATHETER + "[bridge]\n" + said, **more)


WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OTHER_DRUG = order(drug="other")
RULES_OF_MODES: list[tuple[Rule, str, str | None, list[str]]] = [
    (modes.check_patterns, flexed(days("")), None, []),
    (modes.check_patterns, flexed(days(*WEEK[:5]), days(*WEEK[5:])), None, []),
    (modes.check_patterns, order(days("mon")), None, []),
    (modes.check_patterns, flexed(days(*WEEK[:6])), None, ["therapy.pattern: pattern-days refuses"]),
    (modes.check_patterns, flexed(days(*WEEK), days("mon")), None, ["therapy.pattern[1].days: pattern-days refuses"]),
    (modes.check_patterns, flexed(days(*WEEK), days("")), None, ["therapy.pattern[1].days: pattern-days refuses"]),
    (modes.check_patterns, flexed(days(*WEEK), days()), None, ["therapy.pattern[1].days: pattern-days refuses"]),
    (modes.check_patterns, flexed(days("", steps=at("00:00", "06:00", "23:59"))), None, []),
    (
        modes.check_patterns,
        flexed(days("", steps=at("00:01"))),
        None,
        ["therapy.pattern[0].steps[0].at: pattern-order refuses"],
    ),
    (
        modes.check_patterns,
        flexed(days("", steps=at("00:00", "06:00", "06:00"))),
        None,
        ["therapy.pattern[0].steps[2].at: pattern-order refuses"],
    ),
    (
        modes.check_patterns,
        flexed(days("", steps="steps = []")),
        None,
        ["therapy.pattern[0].steps: pattern-order refuses"],
    ),
    (
        modes.check_patterns,
        flexed(days("", steps=MANY_STEPS)),
        None,
        ["therapy.pattern[0].steps: pattern-order refuses"],
    ),
    (modes.check_patterns, order(MANY_RATES, mode="flex"), None, ["therapy.pattern: rates-count refuses"]),
    (modes.titration_order, ramped(("0 days", "100 ug/day"), ("255 days", "110 ug/day")), None, []),
    (
        modes.titration_order,
        ramped(("0 days", "100 ug/day"), ("256 days", "110 ug/day")),
        None,
        ["titration.steps[1].after: titration-order refuses"],
    ),
    (
        modes.titration_order,
        ramped(("0 days", "100 ug/day"), ("36 h", "110 ug/day")),
        None,
        ["titration.steps[1].after: titration-order refuses"],
    ),
    (
        modes.titration_order,
        ramped(("1 day", "100 ug/day")),
        None,
        ["titration.steps[0].after: titration-order refuses"],
    ),
    (
        modes.titration_order,
        ramped(("0 days", "100 ug/day"), ("3 days", "110 ug/day"), ("3 days", "120 ug/day")),
        None,
        ["titration.steps[2].after: titration-order refuses"],
    ),
    (modes.titration_order, ramped(), None, ["titration.steps: titration-order refuses"]),
    (
        modes.titration_order,
        ramped(*((f"{day} days", "100 ug/day") for day in range(65))),
        None,
        ["titration.steps: titration-order refuses"],
    ),
    (modes.titration_order, ramped(*((f"{day} days", "100 ug/day") for day in range(64))), None, []),
    # 30 % of the drug library, or what the file says.
    (modes.titration_change, ramped(("0 days", "100 ug/day"), ("3 days", "130 ug/day")), None, []),
    (
        modes.titration_change,
        ramped(("0 days", "100 ug/day"), ("3 days", "130.1 ug/day")),
        None,
        ["titration.steps[1].dose: titration-change refuses"],
    ),
    (
        modes.titration_change,
        ramped(("0 days", "100 ug/day"), ("3 days", "150 ug/day"), more='change_max = "50 %"\n'),
        None,
        [],
    ),
    (
        modes.titration_change,
        ramped(("0 days", "100 ug/day"), more='change_max = "0.09 %"\n'),
        None,
        ["titration.change_max: titration-change refuses"],
    ),
    (
        modes.titration_change,
        ramped(("0 days", "100 ug/day"), more='change_max = "6553.6 %"\n'),
        None,
        ["titration.change_max: titration-change refuses"],
    ),
    (modes.check_durations, order(PATIENT + PERIODIC), None, []),
    (modes.check_durations, order(PATIENT.replace("10 min", "0.5 ms")), None, ["patient_bolus.over: duration refuses"]),
    (modes.check_durations, order(PERIODIC.replace("6 h", "7 days")), None, ["periodic_bolus.every: duration refuses"]),
    # A step is 0.25 ug, the largest bolus 0.5 mL.
    (modes.bolus_size, order('[bolus]\nmax = "0.25 ug"\n'), None, []),
    (modes.bolus_size, order('[bolus]\nmax = "0.24 ug"\n'), None, ["bolus.max: bolus-size refuses"]),
    (modes.bolus_size, order('[square_bolus]\nmax = "500 ug"\n'), None, []),
    (modes.bolus_size, order('[square_bolus]\nmax = "501 ug"\n'), None, ["square_bolus.max: bolus-size refuses"]),
    (modes.bolus_size, order(PATIENT.replace("10 ug", "501 ug")), None, ["patient_bolus.dose: bolus-size refuses"]),
    (modes.bolus_size, order(PERIODIC.replace("10 ug", "0.1 ug")), None, ["periodic_bolus.dose: bolus-size refuses"]),
    (modes.bolus_size, order(CATHETER.replace("0.2", "0.36") + "[priming]\n"), None, []),
    (
        modes.bolus_size,
        order(CATHETER.replace("0.2", "0.37") + "[priming]\n"),
        None,
        ["catheter.volume: bolus-size refuses"],
    ),
    # From 0.048 to 24 mL a day.
    (modes.bolus_speed, order('[bolus]\nmax = "10 ug"\nrate = "23.8 mg/day"\n'), None, []),
    (
        modes.bolus_speed,
        order('[bolus]\nmax = "10 ug"\nrate = "23.9 mg/day"\n'),
        None,
        ["bolus.rate: bolus-limited tells"],
    ),
    (
        modes.bolus_speed,
        order('[bolus]\nmax = "10 ug"\nrate = "24.1 mg/day"\n'),
        None,
        ["bolus.rate: bolus-rate refuses"],
    ),
    (
        modes.bolus_speed,
        order('[bolus]\nmax = "10 ug"\nrate = "47 ug/day"\n'),
        None,
        ["bolus.rate: bolus-rate refuses"],
    ),
    (modes.bolus_speed, order(PATIENT.replace("10 min", "30 s")), None, ["patient_bolus.over: bolus-rate refuses"]),
    (
        modes.bolus_speed,
        order(PERIODIC, dose="23.97 mg/day"),
        None,
        ["periodic_bolus.over: bolus-rate refuses"],
    ),
    (
        modes.bolus_speed,
        order(CATHETER + '[priming]\nrate = "24.1 mg/day"\n'),
        None,
        ["priming.rate: bolus-rate refuses"],
    ),
    (modes.bolus_speed, order(CATHETER + '[priming]\nrate = "23.9 mg/day"\n'), None, []),
    (modes.patient_bolus, order(PATIENT.replace("2 h", "10 min")), None, []),
    (
        modes.patient_bolus,
        order(PATIENT.replace("2 h", "599 s")),
        None,
        ["patient_bolus.lockout: patient-lockout refuses"],
    ),
    (modes.patient_bolus, order(PATIENT.replace("2 h", "24 h")), None, []),
    (
        modes.patient_bolus,
        order(PATIENT.replace("2 h", "1441 min")),
        None,
        ["patient_bolus.lockout: patient-lockout refuses"],
    ),
    (modes.periodic_bolus, order(PERIODIC.replace("6 h", "24 h")), None, []),
    (
        modes.periodic_bolus,
        order(PERIODIC.replace("6 h", "1441 min")),
        None,
        ["periodic_bolus.every: periodic-period refuses"],
    ),
    (
        modes.periodic_bolus,
        order(PERIODIC.replace("6 h", "59 s")),
        None,
        ["periodic_bolus.every: periodic-period refuses"],
    ),
    (
        modes.periodic_bolus,
        order(PERIODIC.replace("6 h", "10 min")),
        None,
        ["periodic_bolus.every: periodic-period refuses"],
    ),
    (modes.periodic_bolus, order(PERIODIC.replace("6 h", "601 s")), None, []),
    (modes.bridge_known, bridged(), None, []),
    (modes.bridge_known, bridged(""), order(concentration="2000 ug/mL"), []),
    (modes.bridge_known, bridged(""), None, ["bridge: bridge-unknown refuses"]),
    (modes.bridge_known, bridged(), OTHER_DRUG, ["bridge: bridge-unknown refuses"]),
    (
        modes.bridge_known,
        bridged(),
        order(concentration="500 ug/mL"),
        ["bridge.previous_concentration: bridge-unknown refuses"],
    ),
    (modes.bridge_known, bridged('"1000 ug/mL"'), None, ["bridge: bridge-unused tells"]),
    (modes.bridge_known, bridged(mode="stopped"), None, ["bridge: bridge-mode refuses"]),
    (modes.bridge_rate, bridged(), None, []),
    (modes.bridge_rate, bridged(dose="95 ug/day"), None, ["bridge: bridge-rate refuses"]),
    (modes.bridge_rate, bridged(dose="96 ug/day"), None, []),
    (modes.bridge_rate, bridged('"500 ug/mL"', dose="3 mg/day"), None, ["bridge: bridge-rate refuses"]),
    (
        modes.bridge_rate,
        bridged().replace("0.2 mL", "39.9 mL"),
        None,
        ["catheter.volume: bridge-rate refuses"],
    ),
    (
        modes.bridge_rate,
        bridged('"2000.0000001 ug/mL"'),
        None,
        ["bridge.previous_concentration: digits refuses"],
    ),
    (modes.check_bridge, order(), None, []),
    (modes.check_bridge, bridged(), None, ["bridge: bridge asks"]),
    (
        modes.check_bridge,
        bridged() + '[bolus]\nmax = "10 ug"\n',
        None,
        ["bridge: bridge asks", "bridge: bridge-bolus asks"],
    ),
    (modes.check_unbridged, order(CATHETER), order(), []),
    (modes.check_unbridged, order(CATHETER), order(concentration="2000 ug/mL"), ["catheter: no-bridge asks"]),
    (modes.check_unbridged, order(), order(concentration="2000 ug/mL"), []),
    (modes.check_unbridged, bridged(""), order(concentration="2000 ug/mL"), []),
]


@pytest.mark.parametrize(("rule", "text", "before", "wanted"), RULES_OF_MODES, ids=name_of)
def test_a_rule_about_modes(rules: Rules, rule: Rule, text: str, before: str | None, wanted: list[str]) -> None:
    assert rules.found(rule, text, before) == wanted


def test_every_rule_about_modes_is_tried_alone_with_and_without_a_finding() -> None:
    assert {rule for rule, _, _, wanted in RULES_OF_MODES if wanted} == set(modes.MODE_RULES)
    assert {rule for rule, _, _, wanted in RULES_OF_MODES if not wanted} == set(modes.MODE_RULES)
