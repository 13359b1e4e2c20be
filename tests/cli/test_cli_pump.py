"""A simulated pump by hand: every command, on `sim://bench`, which is kept between them."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest
from commandline import EXAMPLES, Run
from dosebench.link.client import PumpClient, RefusedError
from dosebench.therapy.program import Program, Reading
from dosebench.twin.persistent import open_url

BENCH = "sim://bench"


def _status(run: Run) -> dict[str, object]:
    report: dict[str, object] = run("status", "-p", BENCH, "--json").json
    return report


def test_status_of_a_new_pump(run: Run) -> None:
    ran = run("status", "--port", BENCH)
    assert ran.code == 0
    assert "not programmed: run `dosebench program FILE`" in ran.out
    assert "not set: run `dosebench clock --set now`" in ran.out


def test_programming_shows_the_pumps_own_reading(run: Run, c5: Path) -> None:
    ran = run("program", c5, "-p", BENCH, "--yes")
    assert ran.code == 0
    assert "The pump's own reading, equal to this host's: baclofen, continuous, 800 ug a day in 0.4 mL" in ran.out
    assert "The pump does not deliver yet: run `dosebench start`." in ran.out
    state = _status(run)
    assert (state["delivery"], state["drug"], state["staged_bytes"]) == ("stopped", "baclofen", 0)
    assert state["local_time"] is not None


def test_without_a_terminal_a_person_must_have_said_yes(run: Run, c5: Path) -> None:
    ran = run("program", c5, "-p", BENCH)
    assert ran.code == 2
    assert "this is no terminal: give --yes" in ran.err
    assert _status(run)["delivery"] == "unprogrammed"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """A terminal at which somebody answers with what is in the list."""
    answers: list[bool] = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(click, "confirm", lambda *_, **__: answers.pop(0))
    return answers


def test_a_no_leaves_nothing_behind(run: Run, programmed: str, terminal: list[bool]) -> None:
    before = _status(run)
    terminal.extend([True, False])
    ran = run("program", EXAMPLES / "c2-baclofen-674.toml", "-p", programmed)
    assert ran.code == 1
    assert ran.err == "error: not confirmed: the pump keeps what it had\n"
    after = _status(run)
    assert after["staged_bytes"] == 0
    assert after["therapy_id"] == before["therapy_id"]
    assert after["delivery"] == "running"


def test_a_yes_programs(run: Run, programmed: str, terminal: list[bool]) -> None:
    terminal.extend([True, True])
    ran = run("program", EXAMPLES / "c2-baclofen-674.toml", "-p", programmed)
    assert ran.code == 0
    assert "0.842 x" in ran.out
    assert _status(run)["daily_dose_ug"] == pytest.approx(673.7)


def test_a_warning_must_be_confirmed_by_name(run: Run, programmed: str) -> None:
    ran = run("program", EXAMPLES / "c2-baclofen-674.toml", "-p", programmed, "--yes")
    assert ran.code == 1
    assert "this must be confirmed by name" in ran.err
    assert "give --confirm" in ran.err
    assert run("program", EXAMPLES / "c2-baclofen-674.toml", "-p", programmed, "--yes", "--confirm").code == 0


def test_a_regimen_with_mistakes_never_reaches_the_pump(run: Run) -> None:
    ran = run("program", EXAMPLES / "mistakes.toml", "-p", BENCH, "--yes")
    assert ran.code == 1
    assert "10 mistakes" in ran.out


def test_a_pump_that_reads_it_differently_is_refused(
    run: Run, c5: Path, programmed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Program.expected_reading

    def other(program: Program) -> Reading:
        return replace(own(program), daily_steps=1)

    monkeypatch.setattr(Program, "expected_reading", other)
    ran = run("program", c5, "-p", programmed, "--yes")
    assert ran.code == 1
    assert "host and pump read the program differently: daily_steps" in ran.err
    assert _status(run)["staged_bytes"] == 0


def test_an_interrupt_while_confirming_drops_the_stage(
    run: Run, programmed: str, c5: Path, terminal: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    del terminal

    def interrupt(*_: object, **__: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(click, "confirm", interrupt)
    assert run("program", c5, "-p", programmed).code == 130
    assert _status(run)["staged_bytes"] == 0
    assert "stage_dropped" in run("log", "pull", "-p", programmed).out + run("log", "show").out


def test_a_stage_that_timed_out_while_a_person_read_is_sent_again(
    run: Run, c5: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, refusals = PumpClient.commit_program, [RefusedError("no_stage")]

    def once(client: PumpClient, program: bytes) -> dict[str, object]:
        if refusals:
            client.abort_stage()
            raise refusals.pop()
        return commit(client, program)

    monkeypatch.setattr(PumpClient, "commit_program", once)
    assert run("program", c5, "-p", BENCH, "--yes").code == 0
    assert not refusals


def test_start_and_stop(run: Run, c5: Path) -> None:
    assert run("start", "-p", BENCH).err.startswith("error: the pump has no therapy")
    run("program", c5, "-p", BENCH, "--yes")
    assert run("start", "-p", BENCH).out.startswith("The pump delivers.")
    again = run("start", "-p", BENCH)
    assert (again.code, again.err) == (1, "error: the pump delivers already\n")
    assert run("stop", "-p", BENCH).out.startswith("The pump is stopped.")
    assert run("stop", "-p", BENCH).code == 0
    assert _status(run)["delivery"] == "stopped"


def test_time_passes_when_it_is_told_to(run: Run, programmed: str) -> None:
    ran = run("sim", "bench", "--advance", "2 h", "--json")
    assert ran.json["advanced_s"] == 7200
    assert ran.json["steps"] == 133
    assert _status(run)["delivered_steps_low"] == 133
    del programmed


@pytest.mark.parametrize(
    ("dose", "steps"), [("25 ug", 50), ("50 steps", 50), ("0.0125 mL", 50), ("0.9 ug", 1), ("25000 ng", 50)]
)
def test_a_bolus_in_any_unit(run: Run, programmed: str, dose: str, steps: int) -> None:
    ran = run("bolus", dose, "-p", programmed, "--json")
    assert ran.json["steps"] == ran.json["accepted"] == steps
    run("sim", "bench", "--advance", "1 h")
    assert _status(run)["delivered_steps_low"] in (steps + 66, steps + 67)


@pytest.mark.parametrize(
    ("dose", "message"),
    [
        ("25", "'25' has no unit"),
        ("25 uq", "unknown unit 'uq'; did you mean"),
        ("25 mL/day", "is a volume per time; give a drug mass"),
        ("0.1 ug", "0.1 ug is less than one motor step (0.5 ug)"),
        ("60 ug", "the bolus is larger than the therapy allows at once"),
    ],
)
def test_a_bolus_that_cannot_be(run: Run, programmed: str, dose: str, message: str) -> None:
    ran = run("bolus", dose, "-p", programmed)
    assert ran.code == 1
    assert message in ran.err


def test_a_bolus_is_cancelled(run: Run, programmed: str) -> None:
    assert run("bolus", "--cancel", "-p", programmed).err == "error: no bolus is running\n"
    run("bolus", "25 ug", "-p", programmed)
    run("sim", "bench", "--advance", "3 min")
    ran = run("bolus", "--cancel", "-p", programmed, "--json")
    assert 0 < ran.json["steps_not_delivered"] < 50
    assert run("bolus", "-p", programmed).code == 2
    assert run("bolus", "5 ug", "--cancel", "-p", programmed).code == 2


def test_a_bolus_needs_a_therapy(run: Run) -> None:
    assert "the pump has no therapy" in run("bolus", "5 ug", "-p", BENCH).err


def test_refill(run: Run, programmed: str) -> None:
    ran = run("refill", "20 mL", "-p", programmed, "--json")
    assert (ran.json["steps"], ran.json["volume_ml"]) == (80_000, 20)
    assert _status(run)["reservoir_ml"] == pytest.approx(20, abs=0.001)
    assert run("refill", "1000 steps", "-p", programmed).out.startswith("The reservoir holds 0.25 mL (1000 steps).")
    too_much = run("refill", "50 mL", "-p", programmed)
    assert too_much.err == "error: the volume is more than this pump's reservoir holds\n"


def fill(name: str, steps: int) -> None:
    """Fill the true reservoir of a named board."""
    twin, release = open_url(f"sim://{name}")
    twin.plant.refill_reservoir(steps * twin.plant.settings.step_nl)
    release()


@pytest.mark.requirement("C5")
@pytest.mark.requirement("R22")
@pytest.mark.requirement("R25")
def test_a_refill_says_how_long_it_lasts_and_when_the_next_is_due(run: Run, programmed: str) -> None:
    run("clock", "--set", "2028-01-01T08:00", "-p", programmed)
    ran = run("refill", "40 mL", "-p", programmed, "--json")
    # 0.4 mL a day: 38 mL to the low level, 39 mL to the empty one (case C5).
    assert (ran.json["refill_days"], ran.json["refill_limit"]) == (95, "volume")
    assert ran.json["refill_date"] == "2028-04-05"
    assert ran.json["lasts_days"] == pytest.approx(97.5, abs=0.01)
    assert ran.json["check"] is None
    text = run("refill", "40 mL", "-p", programmed).out
    assert "The reservoir is empty in 97.5 days at this rate." in text
    assert "Refill it by day 95, 2028-04-05, limited by volume." in text


@pytest.mark.requirement("R23")
@pytest.mark.requirement("R24")
def test_what_was_withdrawn_is_held_against_the_steps(run: Run, programmed: str) -> None:
    run("sim", "bench", "--advance", "10 days")
    fill("bench", 160_000)
    ran = run("refill", "40 mL", "--withdrawn", "36.1 mL", "-p", programmed, "--json")
    check = ran.json["check"]
    assert check["expected_ml"] == pytest.approx(36, abs=0.001)
    assert (check["withdrawn_ml"], check["flag"], check["ratio"]) == (36.1, "agrees", 0.975)
    text = run("refill", "40 mL", "--withdrawn", "40 mL", "-p", programmed).out
    assert "too little was delivered since the last refill to tell" in text
    run("sim", "bench", "--advance", "10 days")
    fill("bench", 160_000)
    text = run("refill", "40 mL", "--withdrawn", "39 mL", "-p", programmed).out
    assert "Withdrawn 39 mL, expected 36 mL, 25 % of what the steps say: too little was delivered" in text
    assert _status(run)["alarms"] == ["refill_mismatch"]
    assert _status(run)["delivery"] == "running"
    run("stop", "-p", programmed)
    assert run("start", "-p", programmed).code == 1
    run("clear", "-p", programmed)
    assert run("start", "-p", programmed).code == 0


@pytest.mark.requirement("R25")
def test_starts_and_boluses_say_how_long_the_reservoir_lasts(run: Run, programmed: str) -> None:
    run("stop", "-p", programmed)
    assert "The reservoir is empty in 97.5 days at this rate." in run("start", "-p", programmed).out
    assert "The reservoir is empty in 97.5 days" in run("bolus", "25 ug", "-p", programmed).out
    assert run("status", "-p", programmed).out.count("empty in 97.5 days") == 1


@pytest.mark.requirement("R20")
def test_the_measured_content_stands_beside_the_counted_one(run: Run, programmed: str) -> None:
    assert _status(run)["measured_ml"] == pytest.approx(40, abs=0.1)
    fill("bench", 80_000)
    run("sim", "bench", "--advance", "1 h")
    assert _status(run)["measured_ml"] == pytest.approx(20, abs=0.1)
    assert _status(run)["reservoir_ml"] == pytest.approx(40, abs=0.1)
    assert "mL (20 mL measured)" in run("status", "-p", programmed).out
    assert _status(run)["alarms"] == ["reservoir_disagrees"]


@pytest.mark.requirement("R31")
@pytest.mark.requirement("C16")
def test_the_date_of_implant_and_what_follows(run: Run, programmed: str) -> None:
    assert run("implant", "-p", programmed).out == "No date of implant was stated.\n"
    run("clock", "--set", "2023-06-01T12:00", "-p", programmed)
    text = "Implanted 2017-01-15. Its service life reaches to 2024-01-15. Service ends on 2024-01-15.\n"
    assert run("implant", "2017-01-15", "-p", programmed).out == text
    assert run("implant", "2017-01-16", "-p", programmed).code == 1
    twin, release = open_url("sim://bench")
    twin.set_fault("battery_offset", -700)
    release()
    run("sim", "bench", "--advance", "10 min")
    found = run("implant", "-p", programmed, "--json").json
    assert found["replacement_date"] == "2023-06-01"
    assert (found["replacement_left_days"], found["service_ends"], found["ended"]) == (89, "2023-08-30", False)


def test_refill_before_the_first_therapy_takes_the_profile(run: Run) -> None:
    assert run("refill", "40 mL", "-p", BENCH, "--json").json["steps"] == 160_000


def test_alarms_are_cleared(run: Run, programmed: str) -> None:
    assert run("clear", "-p", programmed).out == "No alarm is on.\n"
    fill("bench", 8_001)
    run("refill", "8001 steps", "-p", programmed)
    run("sim", "bench", "--advance", "10 min")
    assert _status(run)["alarms"] == ["reservoir_low"]
    assert run("clear", "no_such", "-p", programmed).code == 2
    still_there = run("clear", "reservoir_low", "-p", programmed)
    assert (still_there.code, still_there.out.split(":")[0]) == (1, "The cause is still there")
    run("refill", "40 mL", "-p", programmed)
    assert _status(run)["alarms"] == []
    fill("bench", 4_001)
    run("refill", "4001 steps", "-p", programmed)
    run("sim", "bench", "--advance", "10 min")
    assert _status(run)["alarms"] == ["reservoir_empty", "reservoir_low"]
    run("refill", "9000 steps", "-p", programmed)
    assert _status(run)["alarms"] == []


def test_clock(run: Run, programmed: str) -> None:
    ran = run("clock", "--set", "2028-02-29T23:59", "-p", programmed, "--json")
    assert ran.json["local_time"].startswith("2028-02-29T23:59:00")
    run("sim", "bench", "--advance", "2 min")
    assert run("clock", "-p", programmed).out.startswith("2028-03-01 00:01:00")
    assert run("clock", "--set", "tomorrow", "-p", programmed).code == 2
    assert run("clock", "--set", "1999-01-01", "-p", programmed).code == 2
    assert run("clock", "--set", "now", "-p", programmed).code == 0


def test_the_clock_of_a_new_pump_is_not_set(run: Run) -> None:
    assert run("clock", "-p", BENCH).out == "not set: run `dosebench clock --set now`\n"


def test_the_port_comes_from_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOSEBENCH_PORT", BENCH)
    assert run("status").code == 0
