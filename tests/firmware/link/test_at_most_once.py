"""Command ids: nothing twice over retries, resets, many hosts and lost processes; and the host finds out the truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from dosebench.link.client import (
    EarlierCommandError,
    PumpClient,
    RefusedError,
    RolledBackError,
    SilentError,
    UnknownOutcomeError,
)
from dosebench.link.command_ids import MemoryIds
from dosebench.twin.runtimes import RuntimeName
from dosebench.twin.serial_port import Serial
from dosebench_protocol import codec
from dosebench_protocol.frame import Frame, decode, encode
from dosebench_protocol.tables import COUNT_MAX
from sessions import BOOT_S, RUNTIMES, Keys, Line, client_of, line, set_running

HOSTS = 8
"""Hosts whose newest result a pump keeps (`HOSTS_MAX` of the ledger)."""


SHORT = {"flash_sectors": 8, "fault_sectors": 2}
"""A journal of four sectors, so that it is soon overwritten."""


def host_id(number: int) -> bytes:
    return (0x01000000 + number).to_bytes(4, "little")


class Deaf:
    """A port on which, while `mute` is set, nothing that the pump says is heard; `lost` drops what the host says."""

    def __init__(self, port: Serial) -> None:
        self._port = port
        self.mute = False
        self.lost = False
        self.on_write: Callable[[], None] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def write(self, data: bytes) -> int:
        if self.on_write is not None:
            self.on_write()
        return len(data) if self.lost else int(self._port.write(data))

    def read(self, size: int = 1) -> bytes:
        data = bytes(self._port.read(size))
        return b"" if self.mute else data


def deaf_client(pump: Line, ids: MemoryIds) -> tuple[Deaf, PumpClient]:
    port = Deaf(Serial(twin=pump.twin, baudrate=pump.twin.machine.baud, timeout=0.1))
    return port, client_of(pump.twin, ids, Keys(), port)


def unanswered_bolus(pump: Line) -> tuple[MemoryIds, Deaf, PumpClient]:
    """A host whose bolus of 4 steps the pump carried out, and whose port is deaf to the answer."""
    set_running(pump.twin)
    ids = MemoryIds(b"host")
    port, client = deaf_client(pump, ids)
    client.record_refill(100_000)
    port.mute = True
    with pytest.raises(UnknownOutcomeError):
        client.give_bolus(4)
    return ids, port, client


def boluses(pump: Line) -> list[int]:
    """Steps of every bolus that the pump ever accepted."""
    return [record.fields["steps"] for record in pump.records() if record.kind == "bolus"]


# On the pump


@pytest.mark.requirement("R61")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_two_hosts_do_not_put_each_other_out_of_mind(runtime: RuntimeName) -> None:
    """Whatever strangers ask and stop, and however often the journal begins a new sector."""
    with line(runtime) as pump:
        for counter in range(1, 90):
            for host in (b"one ", b"two "):
                session = pump.open(host=host)
                frame = pump.sealed(session, "refill", counter=counter, steps=1000 + counter)
                assert pump.reason(frame) == "done"
                pump.ask(session, "session_close")
            pump.reason(pump.frame("stop"))
        for host in (b"one ", b"two "):
            session = pump.open(host=host)
            known = pump.ask(session, "outcome", counter=89)
            assert (known["reason"], known["accepted"]) == ("done", 1089)
            assert pump.ask(session, "refill", counter=40, steps=7)["reason"] == "counter_old"
            pump.ask(session, "session_close")


@pytest.mark.requirement("R61")
@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_host_that_was_forgotten_cannot_repeat_anything(runtime: RuntimeName, reset: bool) -> None:
    with line(runtime) as pump:
        set_running(pump.twin)
        hosts = [host_id(number) for number in range(2 * HOSTS)]
        for number, host in enumerate(hosts):
            session = pump.open(host=host)
            assert pump.ask(session, "refill", counter=5 + number, steps=10_000)["reason"] == "done"
            pump.ask(session, "session_close")
        if reset:
            pump.reset()
        for number, host in enumerate(hosts[:HOSTS]):
            session = pump.open(host=host)
            for counter in range(1, 6 + number):
                refused = pump.ask(session, "refill", counter=counter, steps=10_000)
                assert refused["reason"] == "counter_old"
            # The pump does not know any more, and says so: it does not say "never".
            assert pump.ask(session, "outcome", counter=5 + number)["reason"] == "counter_old"
            pump.ask(session, "session_close")
        # Its session tells it from where it may go on.
        ids = MemoryIds(hosts[0])
        assert client_of(pump.twin, ids).record_refill(9_000)["counter"] > 5 + HOSTS - 1


@pytest.mark.requirement("R61")
def test_the_floor_outlives_the_records_that_made_it() -> None:
    with line(**SHORT) as pump:
        for number in range(HOSTS + 1):
            session = pump.open(host=host_id(number))
            pump.ask(session, "refill", counter=1000, steps=10_000)
            pump.ask(session, "session_close")
        session = pump.open(host=b"busy")
        counter = 1000
        while pump.status()["journal_first"] < 60:
            counter += 1
            assert pump.ask(session, "refill", counter=counter, steps=10_000)["reason"] == "done"
        pump.reset()
        session = pump.open(host=host_id(0))
        known = pump.ask(session, "refill", counter=1000, steps=1)
        assert (known["reason"], known["detail"]) == ("counter_old", 1000)


@pytest.mark.requirement("R61")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_counter_serves_one_content(runtime: RuntimeName) -> None:
    with line(runtime) as pump:
        set_running(pump.twin)
        session = pump.open(host=b"host")
        first = pump.ask(session, "bolus", counter=9, steps=2)
        assert pump.ask(session, "bolus", counter=9, steps=2) == first
        for name, fields in (("bolus", {"steps": 3}), ("refill", {"steps": 2}), ("bolus_cancel", {})):
            assert pump.ask(session, name, counter=9, **fields)["reason"] == "counter_used"
        assert boluses(pump) == [2]


def test_a_counter_that_is_too_large_burns_nothing() -> None:
    with line() as pump:
        session = pump.open(host=b"host")
        assert pump.reason(pump.sealed(session, "refill", counter=COUNT_MAX + 1, steps=5)) == "malformed"
        assert pump.ask(session, "refill", counter=1, steps=5)["reason"] == "done"


# On the host


@pytest.mark.requirement("R60")
@pytest.mark.requirement("R61")
def test_the_id_is_durable_before_the_command_is_sent() -> None:
    with line() as pump:
        ids = MemoryIds()
        port, client = deaf_client(pump, ids)
        client.record_refill(1000)
        seen = []
        port.on_write = lambda: seen.append((ids.counter, [one.name for one in ids.open_commands(client._pump)]))
        client.record_refill(900)
        assert seen == [(2, ["refill"])]
        assert ids.open_commands(client._pump) == []


def go_deaf_after_the_offer(port: Deaf) -> None:
    """From now on the pump hears one more frame of the host, the one that asks for a session."""
    written: list[int] = []

    def count() -> None:
        written.append(1)
        port.lost = len(written) > 1

    port.on_write = count


def hear_again(port: Deaf) -> None:
    port.on_write, port.lost = None, False


def refills_of_another_host(pump: Line, count: int) -> None:
    other = pump.open(host=b"else")
    for counter in range(1, count + 1):
        assert pump.ask(other, "refill", counter=counter, steps=700)["reason"] == "done"
    pump.ask(other, "session_close")


def test_a_line_that_fails_while_the_journal_is_looked_at_is_no_journal_that_went_back() -> None:
    with line() as pump:
        ids = MemoryIds()
        _, before = deaf_client(pump, ids)
        before.record_refill(1000)
        before.close()
        refills_of_another_host(pump, 1)
        port, client = deaf_client(pump, ids)
        go_deaf_after_the_offer(port)
        with pytest.raises(SilentError):
            client.record_refill(900)
        hear_again(port)
        assert client.record_refill(900)["accepted"] == 900


def test_a_journal_that_went_back_is_noticed_though_the_first_look_failed() -> None:
    with line() as pump:
        port, client = deaf_client(pump, MemoryIds())
        client.record_refill(1000)
        old = bytes(pump.twin.flash.data)
        for _ in range(30):
            client.record_refill(900)
        client._end_session()
        pump.twin.power_off()
        pump.twin.flash.data[:] = old
        pump.twin.power_on()
        pump.twin.advance_time(BOOT_S)
        refills_of_another_host(pump, 59)
        go_deaf_after_the_offer(port)
        with pytest.raises(SilentError):
            client.record_refill(900)
        hear_again(port)
        with pytest.raises(RolledBackError):
            client.record_refill(900)


@pytest.mark.requirement("R60")
@pytest.mark.parametrize("heard", [True, False], ids=["it was carried out", "it never arrived"])
def test_nothing_is_dosed_while_an_outcome_is_unknown(heard: bool) -> None:
    with line() as pump:
        set_running(pump.twin)
        port, client = deaf_client(pump, MemoryIds(b"host"))
        client.record_refill(100_000)
        port.mute, port.lost = True, not heard
        with pytest.raises(UnknownOutcomeError, match="not known whether"):
            client.give_bolus(4)
        for _ in range(2):
            # Still deaf: it may ask, and it may stop; it may not dose.
            with pytest.raises((UnknownOutcomeError, SilentError)):
                client.give_bolus(4)
        assert boluses(pump) == ([4] if heard else [])
        port.mute = port.lost = False
        with pytest.raises(EarlierCommandError) as told:
            client.give_bolus(4)
        assert [one.carried_out for one in told.value.outcomes] == [heard]
        assert ("was carried out" in str(told.value)) is heard
        assert ("was never carried out" in str(told.value)) is not heard
        assert boluses(pump) == ([4] if heard else [])
        # Now it is known; what is given now is meant.
        pump.twin.advance_time(60)
        client.give_bolus(1)
        assert boluses(pump) == ([4, 1] if heard else [1])


@pytest.mark.requirement("R60")
@pytest.mark.requirement("R61")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_new_process_asks_what_became_of_the_last_command_of_the_old_one(runtime: RuntimeName) -> None:
    with line(runtime) as pump:
        ids, _, _ = unanswered_bolus(pump)
        pump.reset()
        fresh = client_of(pump.twin, ids, Keys())
        told = fresh.resolve_commands()
        assert [(one.command, one.carried_out) for one in told] == [("bolus", True)]
        assert pump.records(told[0].record or 0)[0].kind in ("bolus", "host_done")
        assert fresh.resolve_commands() == ()


@pytest.mark.requirement("R60")
def test_an_old_command_is_looked_up_in_the_journal() -> None:
    """Another process of the same host has commanded since: the pump itself knows the newer result only."""
    with line() as pump:
        ids, port, client = unanswered_bolus(pump)
        other = MemoryIds(b"host", counter=ids.counter)
        client_of(pump.twin, other, Keys()).record_refill(90_000)
        port.mute = False
        (told,) = client.resolve_commands()
        assert (told.carried_out, told.reason) == (True, "done")
        record = pump.records(told.record or 0)[0]
        assert (record.kind, record.fields["steps"]) == ("bolus", 4)


@pytest.mark.requirement("R60")
def test_what_the_journal_has_overwritten_is_called_unknown_and_said_once() -> None:
    with line(**SHORT) as pump:
        ids, port, client = unanswered_bolus(pump)
        sent = max(record.sequence for record in pump.records() if record.kind == "bolus")
        other = client_of(pump.twin, MemoryIds(b"host", counter=ids.counter), Keys())
        while other.journal_info()["first"] <= sent:
            other.record_refill(100_000)
        port.mute = False
        with pytest.raises(EarlierCommandError, match="not in the pump's journal any more") as told:
            client.give_bolus(4)
        assert [one.carried_out for one in told.value.outcomes] == [None]
        assert client.record_refill(90_000)["accepted"] == 90_000


@pytest.mark.requirement("R61")
def test_a_late_frame_comes_too_late_once_the_pump_was_asked() -> None:
    """The line holds a command back until the host has been told that it never arrived."""
    with line() as pump:
        set_running(pump.twin)
        session = pump.open(host=b"host")
        late = pump.sealed(session, "bolus", counter=5, steps=4)
        assert pump.ask(session, "outcome", counter=5)["reason"] == "outcome_unknown"
        assert pump.reason(late) == "replayed"
        assert boluses(pump) == []


def test_a_host_whose_counters_went_back_goes_on_above_what_the_pump_knows() -> None:
    with line() as pump:
        client_of(pump.twin, MemoryIds(b"host", counter=500), Keys()).record_refill(1000)
        restored = client_of(pump.twin, MemoryIds(b"host"), Keys())
        assert restored.record_refill(900)["counter"] == 502


def test_a_refusal_of_the_pump_settles_the_command() -> None:
    with line() as pump:
        ids = MemoryIds(b"host")
        client = client_of(pump.twin, ids, Keys())
        with pytest.raises(RefusedError, match="no therapy"):
            client.start_delivery()
        assert ids.open_commands(client._pump) == []


@pytest.mark.requirement("R60")
def test_a_forged_refusal_is_not_believed() -> None:
    """Somebody on the line answers in the pump's place, without a tag."""
    with line() as pump:
        set_running(pump.twin)
        port = Forger(Serial(twin=pump.twin, baudrate=pump.twin.machine.baud, timeout=0.1))
        client = client_of(pump.twin, MemoryIds(b"host"), Keys(), port)
        client.record_refill(100_000)
        port.forging = True
        assert client.give_bolus(4)["accepted"] == 4
        assert boluses(pump) == [4]


class Forger(Deaf):
    """Answers every command at once with a refusal, before the pump does."""

    forging = False
    _made = b""

    def write(self, data: bytes) -> int:
        if self.forging:
            asked = decode(bytes(data).strip(b"\x00"))
            body = codec.encode_reply("rejected", type=asked.type, reason="bolus_over_cap", detail=0)
            self._made += encode(Frame(0xFF, asked.device, asked.session, asked.sequence, body))
        return super().write(data)

    def read(self, size: int = 1) -> bytes:
        made, self._made = self._made, b""
        return made or super().read(size)
