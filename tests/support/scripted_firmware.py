"""Twins whose firmware is a function of the test."""

from __future__ import annotations

from collections.abc import Callable

from dosebench.twin.bus import WORDS, Op
from dosebench.twin.machine import Machine
from dosebench.twin.persistent import profile_settings
from dosebench.twin.runtimes import Runtime, RuntimeName
from dosebench.twin.twin import Twin

Turn = Callable[[Machine], int]


def ask(machine: Machine, op: Op, a: int = 0, b: int = 0, payload: bytes = b"") -> int:
    """One call over the bench bus; the reply's value."""
    return int(WORDS.unpack(machine.handle_operation(op, a, b, 0, payload)[0])[3])


class Script(Runtime):
    """A firmware of the test's own: `turn` is one run of its loop and returns how long it sleeps, in milliseconds."""

    name: RuntimeName = "cpython"

    def __init__(self, machine: Machine, turn: Turn) -> None:
        self._machine = machine
        self._turn = turn
        self._waiting = False

    def run_turn(self) -> int:
        if self._waiting:
            self._machine.wait_reply()
        self._waiting = True
        return self._turn(self._machine)

    def cut_power(self) -> None:
        pass


def scripted(turn: Turn) -> tuple[Twin, list[tuple[int, int]]]:
    """A twin that runs `turn`, and the log of its boots: time in ms, reset cause."""
    twin = Twin(profile_settings("implant-40", "cpython", 0))
    boots: list[tuple[int, int]] = []

    def boot() -> Runtime:
        boots.append((twin.machine.now_us // 1000, twin.machine.reset_cause))
        return Script(twin.machine, turn)

    twin.booter = boot
    twin.start_firmware(boot(), "power_on")
    return twin, boots


def echo(machine: Machine) -> int:
    """A firmware that sends back what it hears, and sleeps for a minute when it hears nothing."""
    words, heard = machine.handle_operation(Op.UART_READ, 100, 0, 0, b"")
    assert words
    if heard:
        ask(machine, Op.UART_WRITE, payload=heard)
    return 60_000
