"""Two hosts, one pump, and a line that loses, repeats, delays, changes and cuts, with resets at any flash operation.

Each command takes effect at most once, each host ends up knowing what became of its commands, and nothing but a stop
that was asked for stops the therapy.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from typing import Any

import pytest
from dosebench.base.errors import DosebenchError
from dosebench.link.client import CommandOutcome, EarlierCommandError, PumpClient
from dosebench.link.command_ids import MemoryIds
from dosebench.profile.device_config import seal_config
from dosebench.twin.persistent import profile_settings
from dosebench.twin.serial_port import Serial
from dosebench.twin.twin import Twin
from dosebench_protocol.codec import by_name
from dosebench_protocol.frame import DELIMITER, FrameError, decode
from dosebench_protocol.records import Record
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from pumpside import therapy
from sessions import BOOT_S, Keys, Line, client_of

FATES = ["pass", "lose", "twice", "flip", "cut", "hold"]
COMMANDS = {
    "start": "start",
    "stop": "stop",
    "bolus": "bolus",
    "bolus_cancel": "bolus_cancel",
    "refill": "refill",
    "clock": "clock_set",
    "alarm_cleared": "alarm_clear",
    "commit": "program_commit",
}
"""Journal record of each command -> its message."""
EXAMPLES, STEPS = (600, 60) if os.environ.get("DOSEBENCH_LONG") else (40, 30)


MANY_RESETS = 1_000_000


class HostileLine:
    """A port that does to each frame, in either direction, what is next in its list of fates; then lets all pass."""

    def __init__(self, port: Serial) -> None:
        self._port = port
        self.to_pump: deque[str] = deque()
        self.to_host: deque[str] = deque()
        self._held: dict[str, list[bytes]] = {"to_pump": [], "to_host": []}
        self._rest = b""
        self.sent: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def mend(self) -> None:
        """Let all pass from here on; what is held back comes late, before the next frame."""
        self.to_pump.clear()
        self.to_host.clear()

    def write(self, data: bytes) -> int:
        for piece in bytes(data).split(DELIMITER):
            if piece:
                self.sent.append(piece + DELIMITER)
                self._port.write(b"".join(self._fate("to_pump", self.to_pump, DELIMITER + piece + DELIMITER)))
        return len(data)

    def read(self, size: int = 1) -> bytes:
        data = self._rest + bytes(self._port.read(size))
        *whole, self._rest = data.split(DELIMITER)
        return b"".join(b"".join(self._fate("to_host", self.to_host, piece + DELIMITER)) for piece in whole if piece)

    def _fate(self, way: str, fates: deque[str], piece: bytes) -> list[bytes]:
        fate = fates.popleft() if fates else "pass"
        if fate == "hold":
            self._held[way].append(piece)
            return []
        late, self._held[way] = self._held[way], []
        half = len(piece) // 2
        made = {
            "pass": [piece],
            "lose": [],
            "twice": [piece, piece],
            "flip": [piece[:half], bytes([piece[half] ^ 0x10 or 1]), piece[half + 1 :]],
            "cut": [piece[:half]],
        }[fate]
        # What was held back arrives behind what was sent after it.
        return made + late


class Ids(MemoryIds):
    """Command ids that keep account of what was given out."""

    def __init__(self, host: bytes) -> None:
        super().__init__(host)
        self.given: dict[int, str] = {}

    def next_id(self, pump: bytes, name: str, above: int) -> tuple[bytes, int]:
        """As of `MemoryIds`."""
        host, counter = super().next_id(pump, name, above)
        assert counter not in self.given
        self.given[counter] = name
        return host, counter


class Host:
    """One host: what it remembers outlives its processes."""

    def __init__(self, twin: Twin, name: bytes) -> None:
        self.twin = twin
        self.ids = Ids(name)
        self.known: dict[int, bool] = {}
        self.port = HostileLine(Serial(twin=twin, baudrate=twin.machine.baud, timeout=0.1))
        self.client: PumpClient | None = None

    def connected(self) -> PumpClient:
        if self.client is None:
            self.client = client_of(self.twin, self.ids, Keys(), self.port)
        return self.client

    def learn(self, counter: int, carried_out: bool) -> None:
        assert self.known.setdefault(counter, carried_out) == carried_out, "the host was told two different things"

    def learn_all(self, told: tuple[CommandOutcome, ...]) -> None:
        for one in told:
            assert one.carried_out is not None
            self.learn(one.counter, one.carried_out)


class HostileLineMachine(RuleBasedStateMachine):
    """What may happen, in any order."""

    def __init__(self) -> None:
        super().__init__()
        made = profile_settings("implant-40", "cpython", 3)
        # The safe state after many resets in a short time (R58) is another test's.
        made.config = seal_config(made.config | {"resets_max": MANY_RESETS})
        self.twin = Twin(made)
        self.hosts = [Host(self.twin, name) for name in (b"one ", b"two ")]
        self.pump = self.twin.machine.device_id + Keys().pairing
        self.stops = 0

    @initialize()
    def begin(self) -> None:
        self.twin.power_on()
        client = client_of(self.twin, MemoryIds(b"setp"), Keys())
        client.stage_program(therapy())
        client.commit_program(therapy())
        client.record_refill(160_000)
        client.start_delivery()
        client.close()
        self.first = self.records()

    def teardown(self) -> None:
        try:
            if hasattr(self, "first"):
                self.judge()
        finally:
            self.twin.close()

    # The world

    @rule(seconds=st.sampled_from([0.2, 5.0, 60.0, 125.0, 3600.0]))
    def time_passes(self, seconds: float) -> None:
        self.twin.advance_time(seconds)

    @rule()
    def power_fails(self) -> None:
        self.twin.power_off()
        self.twin.flash.cut = None
        self.twin.power_on("brown_out")

    @rule(ahead=st.integers(0, 12), when=st.sampled_from(["before", "torn", "after"]))
    def power_will_fail(self, ahead: int, when: Any) -> None:
        self.twin.cut_at(self.twin.flash_operations + ahead, when)

    @precondition(lambda self: not self.twin.powered)
    @rule()
    def power_comes_back(self) -> None:
        self.twin.flash.cut = None
        self.twin.power_on("brown_out")

    @rule(
        who=st.integers(0, 1),
        out=st.lists(st.sampled_from(FATES), max_size=12),
        back=st.lists(st.sampled_from(FATES), max_size=12),
    )
    def line_is_bad(self, who: int, out: list[str], back: list[str]) -> None:
        self.hosts[who].port.to_pump.extend(out)
        self.hosts[who].port.to_host.extend(back)

    @rule(who=st.integers(0, 1), picks=st.lists(st.integers(0, 200), min_size=1, max_size=6))
    def frames_come_again(self, who: int, picks: list[int]) -> None:
        """An attacker sends what was sent before; not the stops, which would stop."""
        sent = self.hosts[who].port.sent
        for pick in picks:
            if sent and not is_stop(sent[pick % len(sent)]):
                self.twin.host_write(DELIMITER + sent[pick % len(sent)])

    # The hosts

    @rule(who=st.integers(0, 1))
    def process_dies(self, who: int) -> None:
        self.hosts[who].client = None

    @rule(who=st.integers(0, 1), steps=st.integers(1, 3))
    def bolus(self, who: int, steps: int) -> None:
        self.command(who, "give_bolus", steps)

    @rule(who=st.integers(0, 1), name=st.sampled_from(["start_delivery", "bolus_cancel"]))
    def plain_command(self, who: int, name: str) -> None:
        self.command(who, name)

    @rule(who=st.integers(0, 1))
    def refill(self, who: int) -> None:
        self.command(who, "record_refill", 160_000)

    def command(self, who: int, name: str, *arguments: int) -> None:
        host = self.hosts[who]
        before = host.ids.counter
        try:
            client = host.connected()
            outcome = getattr(client, name)(*arguments)
            host.learn(outcome["counter"], True)
            assert not arguments or outcome["accepted"] == arguments[0]
        except EarlierCommandError as told:
            host.learn_all(told.outcomes)
            assert host.ids.counter == before, "a command was sent while another one was unknown"
        except DosebenchError:
            if host.ids.counter > before and not host.ids.open_commands(self.pump):
                # Refused, or never carried out: it was told so.
                host.learn(host.ids.counter, False)
            # Else nothing was heard, or too little: the host does not know, and asks before the next command.
            host.client = None

    @rule(who=st.integers(0, 1))
    def stop(self, who: int) -> None:
        host = self.hosts[who]
        self.stops += 1
        try:
            host.connected().stop_delivery()
        except DosebenchError:
            host.client = None
            return
        line = self.quiet()
        assert line.status()["delivery"] == "stopped"

    @rule(who=st.integers(0, 1))
    def line_is_mended(self, who: int) -> None:
        """Whatever happened: on a good line the host finds out everything."""
        self.find_out(self.hosts[who])

    # Judging

    def quiet(self) -> Line:
        """The line of somebody who only looks; the pump has power and has heard everything."""
        if not self.twin.powered:
            self.power_comes_back()
        self.twin.flash.cut = None
        self.twin.advance_time(BOOT_S)
        self.twin.machine.to_host.clear_bytes()
        line = Line(self.twin)
        line.sequence = 1 << 20
        return line

    def records(self) -> list[Record]:
        return self.quiet().records()

    def find_out(self, host: Host) -> None:
        self.quiet()
        host.port.mend()
        # The other host's session ends by itself.
        self.twin.advance_time(130)
        host.client = None
        host.learn_all(host.connected().resolve_commands())
        assert host.ids.open_commands(self.pump) == []
        host.client._end_session()
        host.client = None

    def judge(self) -> None:
        for host in self.hosts:
            self.find_out(host)
        records = self.records()
        assert records[: len(self.first)] == self.first
        later = records[len(self.first) :]
        done = Counter((r.fields["host"], r.fields["counter"], COMMANDS[r.kind]) for r in later if is_command(r))
        assert max(done.values(), default=1) == 1, done
        for host in self.hosts:
            mine = {counter: name for who, counter, name in done if who == host.ids.host}
            # Everything that took effect was asked for, and is what was asked for.
            assert mine.items() <= host.ids.given.items()
            # The host knows the truth about every command, stops apart: those may be given again at will.
            asked = {counter for counter, name in host.ids.given.items() if name != "stop"}
            assert {counter: counter in mine for counter in asked} == {c: host.known[c] for c in asked}
        self.judge_therapy(records)

    def judge_therapy(self, records: list[Record]) -> None:
        line = self.quiet()
        status = line.status()
        stopped = [record for record in records if record.kind == "stop"]
        assert len(stopped) <= self.stops * 2
        last = next(record.kind for record in reversed(records) if record.kind in ("start", "stop"))
        assert status["delivery"] == ("running" if last == "start" else "stopped")
        assert status["generation"] == 1
        assert status["low_steps"] <= self.twin.plant.read_encoder() <= status["high_steps"]


def is_stop(frame: bytes) -> bool:
    try:
        return decode(frame[:-1]).type == by_name("stop").type
    except FrameError:
        return False


def is_command(record: Record) -> bool:
    return record.kind in COMMANDS and record.fields["role"] != "none"


@pytest.mark.requirement("R54")
@pytest.mark.requirement("R60")
@pytest.mark.requirement("R61")
@pytest.mark.requirement("R64")
def test_two_hosts_on_a_hostile_line() -> None:
    run_state_machine_as_test(
        HostileLineMachine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
