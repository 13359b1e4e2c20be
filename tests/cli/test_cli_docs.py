"""docs/CLI.md says what the commands do: every option, and exactly the JSON keys that they print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from commandline import EXAMPLES, Run
from dosebench.cli import main
from unixboard import UnixBoard

PAGE = Path(__file__).parents[2] / "docs" / "CLI.md"
SECTIONS = dict(re.findall(r"^## dosebench ([a-z ]+)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE))


def _documented(name: str) -> set[str]:
    rows = re.findall(r"^\| (`.*?) \| ", SECTIONS[name], re.MULTILINE)
    return {key for row in rows for key in re.findall(r"`(\w+)`", row)}


def _leaves(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for child, leaf in command.commands.items():
            yield from _leaves(f"{name} {child}", leaf)
    else:
        yield name, command


def _commands() -> dict[str, click.Command]:
    context = click.Context(main.cli)
    found = {}
    for name in main.COMMANDS:
        command = main.cli.get_command(context, name)
        assert command is not None
        found.update(_leaves(name, command))
    return found


def test_every_command_has_a_section_and_no_other() -> None:
    assert list(SECTIONS)
    assert set(SECTIONS) == set(_commands())


@pytest.mark.parametrize(("name", "command"), _commands().items())
def test_every_option_is_in_its_section(name: str, command: click.Command) -> None:
    usage = re.findall(r"`(dosebench [^`]*)`", SECTIONS[name])
    given = set(re.findall(r"--?[a-z][a-z-]*", " ".join(usage)))
    have = {word for parameter in command.params for word in (*parameter.opts, *parameter.secondary_opts)}
    options = {word for word in have if word.startswith("--")}
    assert options <= given | set(re.findall(r"--[a-z-]+", SECTIONS[name]))
    assert {word for word in given if word.startswith("--")} <= options


@pytest.mark.parametrize("name", main.COMMANDS)
def test_the_list_of_commands_says_what_the_command_says(name: str) -> None:
    """The one-line help of the lazy group and the first sentence of the command's own agree in their first word."""
    command = main.cli.get_command(click.Context(main.cli), name)
    assert command is not None
    assert command.help is not None
    assert main.COMMANDS[name][1].split()[0] == command.help.split()[0]


def _scenario(regimen: str, scenario: str) -> tuple[object, ...]:
    return EXAMPLES / f"{regimen}.toml", "--scenario", EXAMPLES / "scenarios" / f"{scenario}.toml"


def _with_a_board(port: str, bench: Path, out: Path) -> dict[str, list[tuple[object, ...]]]:
    return {
        "flash": [("flash", "--port", port, "--bench", bench, "--dry-run"), ("flash", "--list")],
        "unflash": [("unflash", "--port", port, "--yes")],
        "bundle": [("bundle", "-p", "sim://bench", "--output", out / "report.zip")],
    }


@pytest.fixture
def board(tmp_path: Path) -> Iterator[UnixBoard]:
    """A board without a pump."""
    made = UnixBoard(tmp_path)
    yield made
    made.close()


def test_exactly_the_documented_keys_are_printed(run: Run, c5: Path, tmp_path: Path, board: UnixBoard) -> None:
    port, primed, low = ("-p", "sim://bench"), ("-p", "sim://primed"), ("-p", "sim://low")
    assert run("program", EXAMPLES / "c7-bridge-before.toml", "--yes", *primed).code == 0
    assert run("program", c5, "--yes", *low).code == 0
    assert run("refill", "2 mL", *low).code == 0
    bench, runs = EXAMPLES / "benches" / "pico-a4988-peristaltic.toml", tmp_path / "runs.csv"
    runs.write_text("steps,mass_mg\n200,50\n200,51\n200,50\n")
    produced: dict[str, set[str]] = {}
    device = run("status", *port, "--json").json["device_id"]
    lines = {
        "check": [("check", c5)],
        "plan": [("plan", c5, "--days", 0.1)],
        "diff": [("diff", c5, c5)],
        "longevity": [("longevity", c5)],
        "simulate": [
            ("simulate", c5, "--days", 0.02, "--runtime", "cpython"),
            ("simulate", *_scenario("c11-external-lockout", "c11"), "--runtime", "cpython"),
        ],
        "demo": [("demo", "--days", 0.02, "--runtime", "cpython", "--out", tmp_path)],
        "program": [("program", c5, "--yes", *port)],
        "status": [("status", *port)],
        "start": [("start", *port)],
        "bolus": [("bolus", "25 ug", *port), ("bolus", "--cancel", *port)],
        "prime": [("prime", "--arm", "0.2 mL", *primed), ("prime", "0.2 mL", *primed)],
        "patency": [("patency", *low)],
        "sensors": [("sensors", *port)],
        "why": [("why", *low)],
        "refill": [("refill", "40 mL", "--withdrawn", "39 mL", *port)],
        "implant": [("implant", *port)],
        "alarms": [("alarms", *port)],
        "silence": [("silence", "1 min", *low)],
        "clear": [("clear", *port)],
        "selftest": [("selftest", *port)],
        "clock": [("clock", *port)],
        "stop": [("stop", *port)],
        "log pull": [("log", "pull", *port)],
        "log show": [("log", "show")],
        "log verify": [("log", "verify")],
        "plot": [("plot", "--out", tmp_path / "a.png")],
        "pair": [
            ("pair", *port),
            ("pair", "--list"),
            ("pair", "--accept-journal", *port),
            ("pair", "--forget", device),
        ],
        "bench check": [("bench", "check", bench)],
        "bench list": [("bench", "list")],
        "calibrate": [("calibrate", bench, "--from-csv", runs)],
        "sim": [
            ("sim", "bench", "--advance", "1 s"),
            ("sim", "bench", "--flash", bench),
            ("sim", "--list"),
            ("sim", "--faults"),
            ("sim", "--stop", "bench"),
            ("sim", "--remove", "bench"),
        ],
        "watch": [("watch", "--count", 1, *port), ("watch", "--fields", *port)],
        "sniff": [("sniff", "--listen", "--for", "0.1 s", "--out", tmp_path / "a.pcap", *port)],
        "doctor": [("doctor",)],
    } | _with_a_board(board.port, bench, tmp_path)
    for name, calls in lines.items():
        produced[name] = set()
        for words in calls:
            ran = run(*words, "--json")
            assert ran.code == (words[0] == "why"), (words, ran)
            produced[name] |= set(ran.json)
    produced["sim"] |= {"port", "url", "runtime", "speed"}
    assert {name: sorted(keys) for name, keys in produced.items()} == {
        name: sorted(_documented(name)) for name in SECTIONS
    }
