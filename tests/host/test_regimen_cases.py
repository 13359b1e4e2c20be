"""Published cases of the modes that came later: bridge, external pumps, and the review of all of them."""

from __future__ import annotations

import datetime
from fractions import Fraction
from types import SimpleNamespace

import pytest
from dosebench.base.units import DAY_MS, HOUR_MS, MINUTE_MS
from dosebench.profile import load
from dosebench.regimen import review
from dosebench.regimen.check import check_regimen
from dosebench.regimen.drugs import DrugLibrary
from dosebench.therapy.program import Program
from dosebench.therapy.reference_pump import ReferencePump
from regimens import EXAMPLES, Bench, codes, figures, places

# Bridge


@pytest.mark.requirement("C7")
@pytest.mark.requirement("R13")
def test_c7_bridge(library: DrugLibrary, pump: SimpleNamespace) -> None:
    result = check_regimen(EXAMPLES / "c7-bridge.toml", library, EXAMPLES / "c7-bridge-before.toml")
    found = figures(result)
    assert found["bridge"] == {
        "volume_ml": 0.34,
        "previous_concentration_ug_per_ml": 500,
        "previous_drug_ug": 170,
        "rate_ml_per_day": 0.6,
        "hours": 13.6,
    }
    assert codes(result.needs_confirm) == ["concentration-changed", "bridge"]
    assert "0.34 mL of the old solution, 170 ug, run first: 0.6 mL/day for 13.6 h, then 0.15 mL/day" in str(
        result.warnings[1]
    )
    program = result.program
    assert program is not None
    assert (program.bridge_steps, program.path_version) == (1360, 3)
    assert program.bridge_ng == 125
    assert program.bridge_rate * program.step_nl * DAY_MS == 600_000
    device = pump.Profile(load.load_profile("implant-40").device_config())
    assert pump.Therapy(program.encode_program()).check(device) == (0, 0)


@pytest.mark.requirement("C7")
def test_c7_without_a_bridge(bench: Bench, library: DrugLibrary) -> None:
    text = (EXAMPLES / "c7-bridge.toml").read_text(encoding="utf-8")
    path = bench.write(text[: text.index("[bridge]")])
    result = check_regimen(path, library, EXAMPLES / "c7-bridge-before.toml")
    (told,) = [problem for problem in result.needs_confirm if problem.code == "no-bridge"]
    assert "75 ug/day flow for 54.4 h" in told.message


@pytest.mark.requirement("R13")
@pytest.mark.parametrize(
    ("change", "previous", "place"),
    [
        (('previous_concentration = "500 ug/mL"', ""), False, ("bridge", "bridge-unknown")),
        (('"500 ug/mL"', '"400 ug/mL"'), True, ("bridge.previous_concentration", "bridge-unknown")),
        (('"500 ug/mL"', '"0 ug/mL"'), False, ("bridge.previous_concentration", "zero")),
        (('"500 ug/mL"', '"7 ug/mL"'), False, ("bridge", "bridge-rate")),
        (('"500 ug/mL"', '"20000 ug/mL"'), False, ("bridge", "bridge-rate")),
        (('mode = "continuous"', 'mode = "stopped"'), False, ("bridge", "bridge-mode")),
        (('"0.200 mL"', '"40 mL"'), False, ("catheter.volume", "bridge-rate")),
        (("table_version = 3", ""), False, ("catheter.table_version", "missing")),
        (('name = "baclofen"', 'name = "morphine"'), True, ("bridge", "bridge-unknown")),
    ],
)
def test_mistakes_in_a_bridge(bench: Bench, change: tuple[str, str], previous: bool, place: tuple[str, str]) -> None:
    text = (EXAMPLES / "c7-bridge.toml").read_text(encoding="utf-8")
    before = (EXAMPLES / "c7-bridge-before.toml").read_text(encoding="utf-8") if previous else None
    result = bench.check(text.replace(*change), before)
    assert place in places(result), [str(problem) for problem in result.errors]


@pytest.mark.requirement("R13")
def test_the_same_file_again_makes_no_second_bridge(bench: Bench) -> None:
    text = (EXAMPLES / "c7-bridge.toml").read_text(encoding="utf-8").replace('previous_concentration = "500 ug/mL"', "")
    first = bench.check(text, (EXAMPLES / "c7-bridge-before.toml").read_text(encoding="utf-8"))
    assert first.program is not None
    assert first.program.bridge_steps == 1360
    again = check_regimen(bench.write(text), bench.library, first.program)
    assert codes(again.warnings) == ["bridge-unused"]
    assert again.program is not None
    assert again.program.bridge_steps == 0


def test_boluses_in_a_bridge_are_told(bench: Bench) -> None:
    text = (EXAMPLES / "c7-bridge.toml").read_text(encoding="utf-8") + '[bolus]\nmax = "50 ug"\n'
    (told,) = [problem for problem in bench.check(text).needs_confirm if problem.code == "bridge-bolus"]
    assert "holds 0.25 times its dose" in told.message


# External pumps


def external(library: DrugLibrary, name: str) -> Program:
    result = check_regimen(EXAMPLES / f"{name}.toml", library)
    assert result.program is not None
    return result.program


@pytest.mark.requirement("C8")
@pytest.mark.requirement("R7")
def test_c8_the_cap_is_reached_at_295_minutes(library: DrugLibrary) -> None:
    program = external(library, "c8-external")
    assert program.patient_rate * program.step_nl == Fraction(54_000_000, HOUR_MS)
    warnings = check_regimen(EXAMPLES / "c8-external.toml", library).warnings
    (told,) = [problem for problem in warnings if problem.code == "bolus-limited"]
    assert told.message.startswith("runs at 54 mL/h, what the largest basal leaves")
    assert told.message.endswith("in place of 60 mL/h: it takes 1.111 times as long")
    perfect = ReferencePump()
    perfect.commit_program(0, program)
    perfect.start_delivery(60 * MINUTE_MS)
    assert [perfect.ask_patient_bolus(at * MINUTE_MS) for at in (100, 140, 180)] == [True, True, True]
    cap = next(cap.ng for cap in program.caps if cap.minutes == 240)
    at_cap = perfect.ideal_steps(295 * MINUTE_MS) * program.step_ng
    assert at_cap == cap == 26_500_000
    assert 1 / program.rate == MINUTE_MS, "a step is a minute: within one step of 295 min"


@pytest.mark.requirement("C9")
def test_c9_the_third_bolus_does_not_fit(library: DrugLibrary) -> None:
    program = external(library, "c8-external")
    perfect = ReferencePump()
    perfect.commit_program(0, program)
    perfect.start_delivery(60 * MINUTE_MS)
    assert perfect.ask_patient_bolus(300 * MINUTE_MS)
    assert perfect.ask_patient_bolus(340 * MINUTE_MS)
    window = perfect.ideal_steps(380 * MINUTE_MS) - perfect.ideal_steps(140 * MINUTE_MS)
    assert window * program.step_nl == 26_000_000
    assert window * program.step_ng + program.patient_steps * program.step_ng > 26_500_000


@pytest.mark.requirement("C10")
def test_c10_low_and_empty(library: DrugLibrary) -> None:
    program = external(library, "c10-external-low")
    assert program.on_low == "minimum_rate"
    start, low, empty = (at * MINUTE_MS for at in (60, 120, 150))
    perfect = ReferencePump()
    perfect.commit_program(0, program)
    perfect.start_delivery(start)
    assert program.reservoir_steps - perfect.ideal_steps(low) == program.low_steps
    perfect.limit_basal(low, "minimum_rate")
    assert program.reservoir_steps - perfect.ideal_steps(empty) == program.empty_steps


@pytest.mark.requirement("C11")
@pytest.mark.requirement("R4")
def test_c11_lockout(library: DrugLibrary) -> None:
    perfect = ReferencePump()
    perfect.commit_program(0, external(library, "c11-external-lockout"))
    perfect.start_delivery(60 * MINUTE_MS)
    assert perfect.ask_patient_bolus(120 * MINUTE_MS)
    assert not perfect.ask_patient_bolus(123 * MINUTE_MS)
    assert [item.steps for item in perfect.given] == [10]


@pytest.mark.requirement("C15")
def test_c15_pulses(library: DrugLibrary) -> None:
    coarse, fine = external(library, "c15-pulses-coarse"), external(library, "c15-pulses-fine")
    assert 1 / coarse.rate == 18_000
    assert 1 / fine.rate == 180_000
    assert fine.prime_steps_max == 52
    assert 1 / fine.prime_rate == 1000


# Review


@pytest.mark.requirement("R63")
def test_review_of_the_new_modes(library: DrugLibrary) -> None:
    old, new = external(library, "c5-baclofen-800"), external(library, "flex-weekdays")
    rows = {row.name: row for row in review.compare_programs(old, new, datetime.date(2026, 1, 1)).rows}
    assert rows["schedule"].new.startswith("mon tue wed thu fri (502.5 ug): 00:00 15 ug/h, 05:30 30 ug/h")
    assert rows["weekly_dose_ug"].ratio == pytest.approx(3352.5 / 5600)
    assert "bridge" not in rows
    bridge = {row.name: row for row in review.compare_programs(old, external(library, "c7-bridge")).rows}["bridge"]
    assert bridge.new == "0.34 mL of 500 ug/mL at 0.6 mL/day for 13.6 h"
    ramp = {row.name: row for row in review.compare_programs(None, external(library, "titration-morphine")).rows}[
        "schedule"
    ]
    assert ramp.new == "400 ug/day after 0 d, 500 ug/day after 3 d, 600 ug/day after 6 d, 720 ug/day after 9 d"
    rows = {row.name: row for row in review.compare_programs(old, external(library, "patient-bolus")).rows}
    assert rows["patient_bolus"].new == "200 ug over 15 min, lockout 3 h, 4 a day"
    assert rows["periodic_bolus"].new == "200 ug over 30 min, every 12 h"
    assert rows["other_caps"].new == "1600 ug in any 4 h"
    assert rows["patient_dose_ug"].new == "800 ug"
