"""Every way to dose, by hand: boluses of all kinds, priming, flex, bridge, plan and diff."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from commandline import EXAMPLES, Run
from dosebench.base.units import DAY_MS
from dosebench.cli.status import flex_step
from dosebench.regimen.check import load_regimen
from dosebench.simulation.days import BolusOrder, patient_orders, simulate_days
from dosebench.therapy.program import Cap, Program

BENCH = "sim://bench"
HALF = Fraction(1, 2)


def _program(name: str) -> Program:
    program = load_regimen(EXAMPLES / f"{name}.toml").program
    assert program is not None
    return program


def _running(run: Run, name: str, clock: str = "2026-03-06T06:00") -> None:
    """`sim://bench` delivers an example from that local time on."""
    assert run("program", EXAMPLES / f"{name}.toml", "-p", BENCH, "--yes", "--confirm").code == 0
    assert run("clock", "--set", clock, "-p", BENCH).code == 0
    assert run("start", "-p", BENCH).code == 0


def _status(run: Run) -> dict[str, Any]:
    report: dict[str, Any] = run("status", "-p", BENCH, "--json").json
    return report


# Boluses


@pytest.mark.requirement("C11")
def test_the_patient_asks(run: Run) -> None:
    _running(run, "patient-bolus")
    ran = run("bolus", "--patient", "-p", BENCH)
    assert ran.out == (
        "Accepted: 200 ug morphine (80 steps) over 15 min. The reservoir is empty in 97.5 days at this rate.\n"
    )
    locked = run("bolus", "--patient", "-p", BENCH)
    assert (locked.code, "too short a time ago" in locked.err) == (1, True)
    shown = run("status", "-p", BENCH).out
    assert "patient    3 boluses left in 24 h, locked for 180 min" in shown
    assert "bolus      patient, 200 ug to go (80 steps)" in shown
    run("sim", "bench", "--advance", "3 h")
    state = _status(run)
    assert (state["lockout_left_s"], state["patient_left"], state["bolus_kind"]) == (0, 3, "none")
    assert run("bolus", "--patient", "-p", BENCH).code == 0


def test_a_square_bolus(run: Run) -> None:
    _running(run, "patient-bolus")
    ran = run("bolus", "0.4 mg", "--square", "--over", "4 h", "-p", BENCH, "--json")
    assert (ran.json["steps"], ran.json["dose_ug"], ran.json["minutes"]) == (160, 400, 240)
    run("sim", "bench", "--advance", "1 h")
    assert _status(run)["square_left_steps"] == pytest.approx(120, abs=1)
    run("bolus", "--patient", "-p", BENCH)
    assert "waiting for the other one" in run("status", "-p", BENCH).out
    run("sim", "bench", "--advance", "10 min")
    assert _status(run)["square_left_steps"] == pytest.approx(120, abs=1)
    ended = run("bolus", "--cancel", "--square", "-p", BENCH, "--json")
    assert ended.json["steps_not_delivered"] == pytest.approx(120, abs=1)
    assert run("bolus", "--cancel", "--square", "-p", BENCH).err.startswith("error: no square bolus is under way")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("5 ug", "--patient"),
        ("--patient", "--cancel"),
        ("--patient", "--square"),
        ("5 ug", "--square"),
        ("5 ug", "--over", "4 h"),
        ("--cancel", "--square", "--over", "4 h"),
    ],
)
def test_options_of_a_bolus_that_do_not_fit(run: Run, words: tuple[str, ...]) -> None:
    assert run("bolus", *words, "-p", BENCH).code == 2


def test_priming_takes_two_acts(run: Run) -> None:
    assert run("program", EXAMPLES / "c7-bridge-before.toml", "-p", BENCH, "--yes", "--confirm").code == 0
    alone = run("prime", "0.34 mL", "-p", BENCH)
    assert (alone.code, "no priming is armed" in alone.err) == (1, True)
    armed = run("prime", "--arm", "0.34 mL", "-p", BENCH)
    assert armed.out.startswith("Armed for a minute: 0.34 mL (1360 steps), path table version 3.")
    assert _status(run)["delivered_steps_high"] == 0
    assert run("prime", "0.2 mL", "-p", BENCH).err.startswith("error: the volume is not the one that was armed")
    primed = run("prime", "0.34 mL", "-p", BENCH, "--json")
    assert (primed.json["armed"], primed.json["steps"], primed.json["path_version"]) == (False, 1360, 3)
    run("sim", "bench", "--advance", f"{primed.json['minutes'] + 1} min")
    state = _status(run)
    assert (state["delivered_steps_low"], state["delivery"]) == (1360, "stopped")
    assert [window["dose_ug"] for window in state["windows"]] == [0] * len(state["windows"])


# What runs


def test_status_names_the_flex_step(run: Run) -> None:
    _running(run, "flex-weekdays")
    state = _status(run)
    assert state["flex_step"] == {"pattern": 1, "at": "05:30"}
    assert "running, flex, pattern 1 since 05:30" in run("status", "-p", BENCH).out
    run("clock", "--set", "2026-03-06T16:30", "-p", BENCH)
    assert "s from the calendar" in run("status", "-p", BENCH).out
    run("sim", "bench", "--advance", "12 h")
    assert _status(run)["pattern_lag_s"] == 0


@pytest.mark.parametrize("lag_ms", [0, 3_600_000])
def test_the_step_while_the_pattern_is_behind(lag_ms: int) -> None:
    rates = [{"num": 1, "den": 10}, {"num": 1, "den": 20}]
    steps = [{"pattern": 0, "minute": 0, "rate": 0}, {"pattern": 0, "minute": 600, "rate": 1}]
    therapy = {"weekdays": bytes(7), "rates": rates, "flex": steps}
    state = {"clock_known": 1, "local_days": 9000, "local_ms": 38_000_000, "rate_num": 1}
    state["rate_den"] = 10 if lag_ms else 20
    begun = {"pattern": 1, "at": "00:00" if lag_ms else "10:00"}
    assert flex_step(state | {"pattern_lag_ms": lag_ms}, therapy) == begun
    assert flex_step(state | {"pattern_lag_ms": lag_ms, "rate_den": 99}, therapy) is None
    assert flex_step(state | {"clock_known": 0}, therapy) is None


def test_a_bridge_is_shown_until_it_is_through(run: Run) -> None:
    _running(run, "c7-bridge-before")
    assert run("program", EXAMPLES / "c7-bridge.toml", "-p", BENCH, "--yes", "--confirm").code == 0
    assert "bridge     0.34 mL of the old solution still to go" in run("status", "-p", BENCH).out
    state = _status(run)
    assert (state["daily_volume_ml"], state["daily_dose_ug"]) == (pytest.approx(0.6), pytest.approx(300))
    run("sim", "bench", "--advance", "14 h")
    state = _status(run)
    assert (state["bridge_left_steps"], state["daily_volume_ml"]) == (0, pytest.approx(0.15))


def test_a_bolus_in_a_bridge_says_what_it_holds(run: Run, tmp_path: Path) -> None:
    bridged = tmp_path / "bridge.toml"
    bolus = '[square_bolus]\nmax = "40 ug"\n\n[bridge]'
    bridged.write_text((EXAMPLES / "c7-bridge.toml").read_text().replace("[bridge]", bolus))
    _running(run, "c7-bridge-before")
    assert run("program", bridged, "-p", BENCH, "--yes", "--confirm").code == 0
    ran = run("bolus", "20 ug", "--square", "--over", "1 h", "-p", BENCH)
    assert ran.out == (
        "Accepted: 5 ug baclofen (40 steps) over 60 min. The reservoir is empty in 65 days at this rate. "
        "The bridge is not through: 40 steps of old drug.\n"
    )


def test_windows_say_what_room_there_is(run: Run, programmed: str) -> None:
    run("sim", "bench", "--advance", "2 h")
    windows = _status(run)["windows"]
    assert [window["minutes"] for window in windows] == [60, 1440]
    for window in windows:
        assert window["room_ug"] == pytest.approx(window["cap_ug"] - window["dose_ug"])
    assert "last 24 h  66.5 ug of at most 1051 ug: room for" in run("status", "-p", programmed).out


# Simulations


@pytest.mark.requirement("R1")
@pytest.mark.parametrize("name", ["flex-weekdays", "titration-morphine", "c7-bridge", "c10-external-low"])
def test_every_mode_alone_keeps_to_half_a_step(name: str) -> None:
    result = simulate_days(_program(name), load_regimen(EXAMPLES / f"{name}.toml").profile_name, 5, "cpython")
    assert result.list_faults() == []
    assert result.limit == HALF
    assert result.max_deviation <= HALF


@pytest.mark.requirement("R10")
def test_all_boluses_in_one_run() -> None:
    program = _program("patient-bolus")
    orders = [*patient_orders(7_200_000, 2), BolusOrder(40_000_000, 200, "square", 14_400_000)]
    result = simulate_days(
        program, "implant-40", 2, "cpython", boluses=sorted(orders, key=lambda order: order.after_ms)
    )
    assert result.list_faults() == []
    assert result.boluses == {"clinician": 0, "patient": 8, "periodic": 4, "square": 1, "refused": 15}
    assert {refused.reason for refused in result.refused} == {"lockout", "patient_count"}
    assert HALF < result.max_deviation <= result.limit < 3


def _capped(room_steps: int) -> Program:
    """A patient bolus of 80 steps, and a cap of an hour with room for so many above the basal."""
    program = replace(_program("patient-bolus"), periodic_steps=0)
    ng = (program.window_steps(3_600_000) + room_steps) * program.step_ng
    return replace(program, caps=(Cap(60, int(ng)), *[cap for cap in program.caps if cap.minutes != 60]))


def test_a_patient_bolus_that_the_cap_forbids_is_expected() -> None:
    result = simulate_days(_capped(20), "implant-40", 1, "cpython", boluses=list(patient_orders(21_600_000, 1)))
    assert {refused.reason for refused in result.refused} == {"bolus_over_cap"}
    assert [name for name, _ in result.alarms] == ["dose_cap"]
    assert result.list_faults() == []
    assert len(result.step_times_ms) < 0.5 * DAY_MS * result.program.rate


def test_steps_that_a_cap_held_back_are_a_fault() -> None:
    result = simulate_days(
        _capped(80), "implant-40", 0.2, "cpython", boluses=[BolusOrder(3_000_000, 120, "square", 600_000)]
    )
    assert "a dose cap was reached, and drug was held back" in result.list_faults()


def test_a_pump_that_gives_what_it_should_refuse_is_found() -> None:
    program = _program("patient-bolus")
    result = simulate_days(program, "implant-40", 0.5, "cpython", boluses=list(patient_orders(14_400_000, 0.5)))
    assert result.disagreements == []
    bad = replace(result, disagreements=["the patient bolus 5.0 min after the start should have been refused"])
    assert bad.list_faults() == bad.disagreements


def test_a_patient_every_so_often(run: Run) -> None:
    line = ("simulate", EXAMPLES / "patient-bolus.toml", "--days", 1, "--runtime", "cpython")
    ran = run(*line, "--patient-every", "7 h", "--json")
    assert ran.code == 0
    assert ran.json["boluses"]["patient"] == 3
    assert "2 patient, 2 periodic" in run(*line, "--patient-every", "8 h").out
    assert run(*line, "--patient-every", "10 s").code == 2


@pytest.mark.parametrize("name", ["flex-weekdays", "patient-bolus"])
def test_a_pulled_journal_of_any_mode_is_as_expected(run: Run, name: str, tmp_path: Path) -> None:
    _running(run, name)
    run("sim", "bench", "--advance", "9 h")
    run("bolus", *(("--patient",) if name == "patient-bolus" else ("25 ug",)), "-p", BENCH)
    run("sim", "bench", "--advance", "20 h")
    run("clock", "--set", "2026-03-07T12:00", "-p", BENCH)
    run("sim", "--stop", "bench")
    run("sim", "bench", "--advance", "6 h")
    run("clock", "--set", "2026-03-07T19:00", "-p", BENCH)
    run("sim", "bench", "--advance", "12 h")
    run("stop", "-p", BENCH)
    run("log", "pull", "-p", BENCH)
    ran = run("plot", "--out", tmp_path / "a.png", "--json")
    low, high = _status(run)["delivered_steps_low"], _status(run)["delivered_steps_high"]
    assert ran.json["delivered_steps"] == low
    # After the loss of power the count is an interval, and the expected count lies in it.
    assert low - 2 <= ran.json["expected_steps"] <= high + 2


# Plan and diff


def test_a_plan_of_the_coming_days(run: Run, tmp_path: Path) -> None:
    figure = tmp_path / "plan.png"
    line = ("plan", EXAMPLES / "flex-weekdays.toml", "--days", 2, "--from", "2026-03-06T12:00")
    ran = run(*line, "--figure", figure, "--json")
    assert ran.code == 0
    assert ran.json["start"] == "2026-03-06T12:00:00"
    assert datetime.fromisoformat(ran.json["end"]) == datetime(2026, 3, 8, 12)
    assert figure.read_bytes().startswith(b"\x89PNG")
    shown = run(*line).out
    assert "Fri 2026-03-06 12:00  basal 20 ug/h = 0.24 mL/day" in shown
    assert shown.endswith(f"in 2 days: {ran.json['totals'][-1]['ug']:g} ug in {ran.json['totals'][-1]['ml']:g} mL\n")


def test_a_plan_with_every_patient_bolus(run: Run) -> None:
    line = ("plan", EXAMPLES / "patient-bolus.toml", "--days", 1, "--from", "2026-03-06T12:00", "--json")
    assert {bolus["kind"] for bolus in run(*line).json["boluses"]} == {"periodic"}
    kinds = [bolus["kind"] for bolus in run(*line, "--patient").json["boluses"]]
    assert kinds.count("patient") == 4


def test_a_plan_of_a_regimen_with_mistakes(run: Run) -> None:
    assert run("plan", EXAMPLES / "mistakes.toml").code == 1
    assert len(run("plan", EXAMPLES / "mistakes.toml", "--json").json["errors"]) == 10
    assert run("plan", EXAMPLES / "flex-weekdays.toml", "--days", "400").code == 2
    assert run("plan", EXAMPLES / "flex-weekdays.toml", "--from", "tomorrow").code == 2


def test_two_regimens_side_by_side(run: Run, c5: Path) -> None:
    ran = run("diff", c5, EXAMPLES / "c2-baclofen-674.toml")
    assert ran.code == 0
    assert "c5-baclofen-800.toml" in ran.out
    assert "0.842 x" in ran.out
    report = run("diff", c5, c5, "--json").json
    assert report["same"] is True
    assert {row["name"] for row in report["review"] if row["changed"]} <= {"refill_date"}


def test_a_regimen_beside_what_the_pump_has(run: Run, programmed: str) -> None:
    ran = run("diff", "device", EXAMPLES / "c2-baclofen-674.toml", "-p", programmed, "--json")
    daily = next(row for row in ran.json["review"] if row["name"] == "daily_dose_ug")
    assert (daily["old"], daily["new"]) == ("800 ug", "673.7 ug")
    assert run("diff", "device", "device", "-p", programmed).code == 2
    missing = run("diff", "device", "nowhere.toml", "-p", programmed)
    assert (missing.code, missing.err.splitlines()[0]) == (1, "error: there is no regimen file nowhere.toml")
    assert run("diff", "device", EXAMPLES / "mistakes.toml", "-p", programmed).code == 1
