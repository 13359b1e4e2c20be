"""Wrong input gets an error that says what to do, and code 1."""

from __future__ import annotations

import os
import pty
import termios
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
from commandline import EXAMPLES, Run
from dosebench.journal.store import Store
from dosebench.link import client, exchange, ports, queries
from dosebench_protocol.tables import PROTOCOL_VERSION


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that waits a twentieth of a second for a reply: these pumps never answer."""
    monkeypatch.setattr(exchange, "REPLY_S", 0.05)


@pytest.fixture
def silent_port() -> Iterator[str]:
    """A pseudo-terminal at which nobody answers."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    yield os.ttyname(slave)
    os.close(master)
    os.close(slave)


def test_no_port(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "list_candidates", list)
    ran = run("status")
    assert ran.code == 1
    assert ran.err.startswith("error: no port: no board is plugged in\nhint: give --port")


def test_several_boards(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "list_candidates", lambda: [("/dev/a", "1", "Pico"), ("/dev/b", "", "ESP32")])
    ran = run("status")
    assert ran.code == 1
    assert ran.err == "error: several boards are plugged in: /dev/a (1), /dev/b (ESP32)\nhint: choose one with --port\n"


def test_a_port_that_does_not_exist(run: Run) -> None:
    ran = run("status", "--port", "/dev/no-such-port")
    assert ran.code == 1
    assert ran.err.startswith("error: there is no port /dev/no-such-port\nhint: ")


def test_a_port_that_goes_away_while_it_is_opened(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def go_away(*_: object, **__: object) -> None:
        raise termios.error(5, "Input/output error")

    monkeypatch.setattr(serial, "serial_for_url", go_away)
    ran = run("status", "--port", "/dev/ttyACM0")
    assert ran.code == 1
    assert ran.err.startswith("error: could not open /dev/ttyACM0: ")


def test_a_simulation_that_is_in_use(run: Run) -> None:
    with client.PumpClient(ports.open_port("sim://bench")):
        ran = run("status", "--port", "sim://bench")
    assert ran.code == 1
    assert ran.err.startswith("error: sim://bench is in use by another program\nhint: ")


def test_a_device_that_is_in_use(run: Run, silent_port: str) -> None:
    with client.PumpClient(ports.open_port(silent_port)):
        ran = run("status", "--port", silent_port)
    assert ran.code == 1
    assert "is in use by another program" in ran.err


@pytest.mark.usefixtures("impatient")
def test_a_silent_device(run: Run, silent_port: str) -> None:
    ran = run("status", "--port", silent_port)
    assert ran.code == 1
    assert f"no answer to hello from {silent_port}" in ran.err
    assert "hint: is the pump powered" in ran.err


@pytest.mark.usefixtures("impatient")
def test_something_else_answers(run: Run) -> None:
    ran = run("status", "--port", "loop://")
    assert ran.code == 1
    assert "that are no frames" in ran.err


def test_a_wrong_baud_rate(run: Run) -> None:
    ran = run("status", "--port", "sim://bench", "--baud", "9600")
    assert ran.code == 1
    assert "baud rate" in ran.err


def test_a_baud_rate_that_is_none(run: Run) -> None:
    assert run("status", "--port", "sim://bench", "--baud", "0").code == 2


def test_another_schema(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "SCHEMA_HASH", bytes(8))
    ran = run("status", "--port", "sim://bench", "--json")
    assert ran.code == 1
    assert ran.json["error"]["type"] == "MismatchError"
    assert f"this host speaks protocol {PROTOCOL_VERSION} and schema 0000000000000000" in ran.json["error"]["message"]
    assert "put the same release on both sides" in ran.json["error"]["hint"]


def test_a_refusal_carries_the_pumps_reason(run: Run) -> None:
    error = run("start", "--port", "sim://bench", "--json").json["error"]
    assert (error["type"], error["reason"]) == ("RefusedError", "not_programmed")


@pytest.mark.usefixtures("impatient")
def test_the_last_frames_are_shown_on_demand(run: Run, silent_port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOSEBENCH_TRACE", "1")
    assert "> hello seq 1" in run("status", "--port", silent_port).err


@pytest.mark.parametrize("url", ["sim://a b", "sim://x?colour=red", "sim://x?seed=two", "sim://x?runtime=jython"])
def test_a_simulation_that_cannot_be(run: Run, url: str) -> None:
    assert run("status", "--port", url).code == 1


def test_a_store_of_a_later_release(run: Run, state: Path) -> None:
    with Store.open() as store:
        store._db.execute("PRAGMA user_version = 99")
    ran = run("start", "--port", "sim://bench")
    assert ran.code == 1
    assert "has version 99; this dosebench knows up to 3" in ran.err
    del state


def test_a_store_that_is_none(run: Run, state: Path) -> None:
    state.mkdir()
    (state / "dosebench.sqlite3").write_bytes(b"not a database" * 100)
    ran = run("start", "--port", "sim://bench")
    assert ran.code == 1
    assert "cannot be used" in ran.err


def test_a_pump_is_stopped_whatever_is_wrong_with_the_store(run: Run, state: Path, c5: Path) -> None:
    assert run("program", c5, "--port", "sim://bench", "--yes", "--start").code == 0
    for broken in (b"not a database" * 100, b""):
        (state / "dosebench.sqlite3").write_bytes(broken)
        ran = run("stop", "--port", "sim://bench", "--json")
        assert ran.code == 0
        assert run("status", "--port", "sim://bench", "--json").json["delivery"] == "stopped"


@pytest.mark.parametrize("option", ["--log", "--figure", "--report"])
def test_a_place_that_cannot_be_written_is_named(run: Run, tmp_path: Path, option: str) -> None:
    (tmp_path / "taken").write_text("a file where a directory is wanted")
    scenario = ("--scenario", EXAMPLES / "scenarios" / "c11.toml") if option == "--report" else ()
    regimen = EXAMPLES / ("c8-external.toml" if scenario else "c5-baclofen-800.toml")
    length = () if scenario else ("--days", 0.01)
    name = "x.html" if scenario else "x.svg"
    ran = run("simulate", regimen, *scenario, *length, "--runtime", "cpython", option, tmp_path / "taken" / name)
    assert ran.code == 1
    assert ran.err.startswith(f"error: {tmp_path / 'taken'}")
