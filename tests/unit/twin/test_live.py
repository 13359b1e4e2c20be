"""A twin in real time: speed, bytes both ways, baud rates, and a reader that does not read."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest
from dosebench.link.endpoint import UNREAD_BYTES_MAX, Endpoint
from dosebench.twin.bus import Op
from dosebench.twin.live import TURN_S, Live
from dosebench.twin.machine import Machine
from dosebench.twin.twin import Twin
from scripted_firmware import ask, echo, scripted


@dataclass
class Ends(Endpoint):
    """An endpoint in memory; `wait` lets the real clock of the test move by `turn_s`."""

    clock: Clock
    turn_s: float = 0.01
    incoming: list[bytes] = field(default_factory=list)
    outgoing: bytes = b""
    room: int = 1 << 20
    rate: int | None = None
    waits: list[float] = field(default_factory=list)

    def receive_bytes(self, seconds: float) -> bytes:
        self.waits.append(seconds)
        self.clock.now += self.turn_s
        return self.incoming.pop(0) if self.incoming else b""

    def send_bytes(self, data: bytes) -> int:
        taken = data[: self.room]
        self.outgoing += taken
        self.room -= len(taken)
        return len(taken)

    def read_baud(self) -> int | None:
        return self.rate

    def close(self) -> None:
        pass


@dataclass
class Clock:
    now: float = 50.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    return made


def turns(live: Live, count: int) -> None:
    left = iter(range(count))
    live.run_until(lambda: next(left, None) is not None)


def echoing() -> Twin:
    return scripted(echo)[0]


@pytest.mark.parametrize("speed", [1.0, 60.0, 0.5])
def test_virtual_time_follows_the_wall_clock_at_its_speed(clock: Clock, speed: float) -> None:
    twin = echoing()
    turns(Live(twin, Ends(clock), speed), 101)
    assert twin.now_s == pytest.approx(speed * 1.0)


def test_a_twin_that_cannot_keep_up_runs_as_fast_as_it_can(clock: Clock) -> None:
    twin = echoing()
    turns(Live(twin, Ends(clock, turn_s=10)), 11)
    assert twin.now_s == pytest.approx(10 * TURN_S)


def test_bytes_go_in_and_come_out(clock: Clock) -> None:
    ends = Ends(clock, incoming=[b"hello", b"", b"again"])
    turns(Live(echoing(), ends), 20)
    assert ends.outgoing == b"helloagain"


def test_while_bytes_flow_it_looks_more_often(clock: Clock) -> None:
    ends = Ends(clock, incoming=[b"", b"", b"x"])
    turns(Live(echoing(), ends), 80)
    quiet, busy = ends.waits[0], min(ends.waits)
    assert busy < quiet
    assert ends.waits[:3] == [quiet] * 3
    assert ends.waits[3] == busy
    assert ends.waits[-1] == quiet


def test_what_nobody_reads_is_held_and_then_lost(clock: Clock) -> None:
    def chatty(machine: Machine) -> int:
        ask(machine, Op.UART_WRITE, payload=bytes(1_000))
        return 90

    twin, _ = scripted(chatty)
    ends = Ends(clock, turn_s=TURN_S, room=0)
    live = Live(twin, ends, 20)
    turns(live, 8)
    assert len(live._unread) == UNREAD_BYTES_MAX
    ends.room = 1 << 20
    turns(live, 1)
    assert len(ends.outgoing) >= UNREAD_BYTES_MAX


def test_another_baud_rate_makes_nonsense_both_ways(clock: Clock) -> None:
    ends = Ends(clock, incoming=[b"hello" * 10], rate=9_600)
    turns(Live(echoing(), ends), 20)
    assert b"hello" not in ends.outgoing
    good = Ends(clock, incoming=[b"hello"], rate=115_200)
    turns(Live(echoing(), good), 20)
    assert good.outgoing == b"hello"
