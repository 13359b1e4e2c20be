"""`dosebench why`: one sentence for each thing that can hold a pump back (R40)."""

from __future__ import annotations

from pathlib import Path

import pytest
from commandline import EXAMPLES, Run

BENCH = "sim://bench"


def why(run: Run) -> tuple[int, list[str], str]:
    ran = run("why", "-p", BENCH, "--json")
    return ran.code, [row["reason"] for row in ran.json["reasons"]], ran.json["sentence"]


def advance(run: Run, span: str, *words: str) -> None:
    assert run("sim", "bench", *words, "--advance", span).code == 0


@pytest.mark.requirement("R40")
def test_a_pump_from_the_box_to_delivery(run: Run, c5: Path) -> None:
    run("status", "-p", BENCH)
    assert why(run)[1] == ["not_programmed"]
    run("program", c5, "-p", BENCH, "--yes")
    assert why(run)[:2] == (1, ["never_started"])
    run("start", "-p", BENCH)
    assert why(run) == (0, [], "The pump delivers what was asked.")
    run("stop", "-p", BENCH)
    advance(run, "3 h")
    code, names, sentence = why(run)
    assert (code, names) == (1, ["command"])
    assert sentence == "The pump was stopped by a command 3.0 h ago: run `dosebench start`."


@pytest.mark.requirement("R40")
def test_a_fault_and_what_comes_after_it(run: Run, programmed: str) -> None:
    run("start", "-p", programmed)
    advance(run, "1 h", "--fault", "stall")
    _, names, sentence = why(run)
    assert names == ["motor_stall"]
    assert "is in its safe state because of the alarm motor_stall: the encoder saw fewer steps" in sentence
    advance(run, "1 min", "--fault", "none")
    run("clear", "-p", programmed)
    assert why(run)[1] == ["fault"]


@pytest.mark.requirement("R40")
def test_a_reservoir_that_is_low_and_then_empty(run: Run, programmed: str) -> None:
    run("start", "-p", programmed)
    run("refill", "4010 steps", "-p", programmed)
    advance(run, "2 h")
    code, names, sentence = why(run)
    assert (code, names[0]) == (1, "reservoir_empty")
    assert "Refill it" in sentence


@pytest.mark.requirement("R40")
def test_a_flex_pump_that_lost_its_clock(run: Run) -> None:
    run("program", EXAMPLES / "flex-weekdays.toml", "-p", BENCH, "--yes")
    run("start", "-p", BENCH)
    assert why(run)[0] == 0
    run("sim", "--stop", "bench")
    assert why(run)[1] == ["clock_unknown"]
    run("clock", "--set", "now", "-p", BENCH)
    assert "clock_unknown" not in why(run)[1]


@pytest.mark.requirement("R40")
def test_a_bridge_says_so(run: Run) -> None:
    run("program", EXAMPLES / "c7-bridge-before.toml", "-p", BENCH, "--yes")
    run("start", "-p", BENCH)
    run("program", EXAMPLES / "c7-bridge.toml", "-p", BENCH, "--yes", "--confirm")
    assert why(run)[1] == ["bridge"]


def test_what_else_holds_it_back_is_said_in_sentences(run: Run, programmed: str) -> None:
    run("refill", "4010 steps", "-p", programmed)
    advance(run, "2 h")
    ran = run("why", "-p", programmed)
    first, *others = ran.out.splitlines()
    assert first.startswith("The pump is stopped because of the alarm reservoir_empty: ")
    assert others
    assert all(line.startswith("Besides: ") and line.endswith(".") and len(line.split()) > 6 for line in others)
    assert others[-1].startswith("Besides: the reservoir was empty ")


def test_it_is_said_in_plain_words(run: Run, programmed: str) -> None:
    ran = run("why", "-p", programmed)
    assert (ran.code, ran.out.count("\n")) == (0, 1)
