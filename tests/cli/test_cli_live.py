"""`dosebench sim`: named boards, and boards on a PTY and on a TCP port that other programs use."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commandline import Run

Serve = Callable[..., tuple[str, "subprocess.Popen[str]"]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start `dosebench sim ...` as a process of its own; returns its port and the process."""
    processes = []

    def start(*arguments: object) -> tuple[str, subprocess.Popen[str]]:
        words = [sys.executable, "-c", "import sys; from dosebench.cli.main import main; sys.exit(main())", "sim"]
        process = subprocess.Popen(
            [*words, *map(str, arguments), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout is not None
        return json.loads(process.stdout.readline())["port"], process

    yield start
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)
        process.communicate()


def _ends_cleanly(process: subprocess.Popen[str], by: signal.Signals) -> None:
    process.send_signal(by)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")


def test_a_board_on_a_pty(serve: Serve, run: Run, c5: Path, tmp_path: Path) -> None:
    link = tmp_path / "pump"
    # A session of two minutes is then 2.4 s long: a host on a busy machine must not lose it between two frames.
    port, process = serve("--pty", "--speed", 50, "--link", link)
    assert os.readlink(link) == port
    assert run("program", c5, "--port", link, "--yes", "--start").code == 0
    assert run("bolus", "25 ug", "--port", port).code == 0
    assert run("status", "--port", port, "--json").json["delivery"] == "running"
    assert run("log", "pull", "--port", port, "--json").json["pulled"] > 8
    assert run("stop", "--port", port).code == 0
    _ends_cleanly(process, signal.SIGINT)
    assert not link.is_symlink()


def test_a_pty_of_another_baud_rate_is_not_understood(serve: Serve, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dosebench.link.exchange.REPLY_S", 1.0)
    port, _ = serve("--baud", 9600)
    assert run("status", "--port", port).code == 1
    assert run("status", "--port", port, "--baud", 9600).code == 0


def test_a_named_board_on_a_tcp_port(serve: Serve, run: Run, c5: Path) -> None:
    port, process = serve("bench", "--tcp", 0, "--speed", 50)
    assert port.startswith("socket://127.0.0.1:")
    assert run("program", c5, "--port", port, "--yes", "--start").code == 0
    assert "in use by another program" in run("status", "--port", "sim://bench").err
    number = port.rsplit(":", 1)[1]
    taken = run("sim", "other", "--tcp", number)
    assert taken.code == 1
    assert "choose another --tcp PORT" in taken.err
    _ends_cleanly(process, signal.SIGTERM)
    assert run("status", "--port", "sim://bench", "--json").json["delivery"] == "running"
    assert "nothing listens" in run("status", "--port", port).err


def test_a_link_never_replaces_a_file(run: Run, tmp_path: Path) -> None:
    precious = tmp_path / "thesis.tex"
    precious.write_text("")
    ran = run("sim", "--link", precious)
    assert ran.code == 1
    assert "exists and is no link" in ran.err
    assert precious.exists()


def test_named_boards_are_listed_stopped_and_forgotten(run: Run) -> None:
    assert run("sim", "--list").out == "no named simulations\n"
    run("status", "--port", "sim://bench")
    assert run("sim", "--list", "--json").json == {"simulations": ["bench"]}
    assert run("sim", "--stop", "bench", "--json").json == {"stopped": "bench", "ran": True}
    assert run("sim", "--stop", "bench", "--json").json == {"stopped": "bench", "ran": False}
    assert run("status", "--port", "sim://bench", "--json").json["boot_count"] == 2
    assert run("sim", "--remove", "bench").code == 0
    missing = run("sim", "--remove", "bench")
    assert missing.code == 1
    assert "`dosebench sim --list` shows which there are" in missing.err


def test_a_board_loses_its_power_while_it_delivers(run: Run, programmed: str) -> None:
    run("sim", "bench", "--advance", "90 min")
    run("sim", "--stop", "bench")
    state = run("status", "--port", programmed, "--json").json
    assert state["delivery"] == "running"
    assert state["delivered_steps_low"] < 100 < state["delivered_steps_high"]


def test_options_of_a_new_board(run: Run) -> None:
    assert run("sim", "small", "--profile", "implant-20", "--runtime", "cpython", "--advance", "1 s").code == 0
    state = run("status", "--port", "sim://small", "--json").json
    assert state["profile"] == "implant-20"
    assert state["runtime"].startswith("cpython")
    other = run("sim", "small", "--profile", "implant-40-x", "--advance", "1 s")
    assert other.code == 1
    assert "was made with profile implant-20" in other.err
    assert run("sim", "new", "--profile", "implant-99", "--advance", "1 s").code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--advance", "1 h"),
        ("--list", "--remove", "x"),
        ("bench", "--tcp", "0", "--pty"),
        ("bench", "--advance", "1 h", "--pty"),
        ("bench", "--speed", "0"),
        ("bench", "--tcp", "99999"),
    ],
)
def test_wrong_usage(run: Run, arguments: tuple[str, ...]) -> None:
    assert run("sim", *arguments).code == 2


def test_a_duration_has_a_unit(run: Run) -> None:
    ran = run("sim", "bench", "--advance", "2")
    assert ran.code == 1
    assert "'2' has no unit" in ran.err
