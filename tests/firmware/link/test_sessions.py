"""Who may say what: sessions, roles, nonces, back-off, and what a session never does to the therapy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from dosebench.link.client import NotGenuineError, NotPairedError, RolledBackError, SessionRefusedError
from dosebench.link.command_ids import MemoryIds
from dosebench.twin.runtimes import RuntimeName
from dosebench_protocol import codec
from dosebench_protocol.auth import AuthError, Session, device_nonce, session_id
from dosebench_protocol.codec import KEYED_ROLES, MESSAGES
from dosebench_protocol.frame import Frame
from dosebench_protocol.tables import COUNT_MAX, OFFER_MS, SESSION_IDLE_MS
from hypothesis import given, settings
from hypothesis import strategies as st
from pumpside import therapy
from sessions import BOOT_S, RUNTIMES, Keys, Line, client_of, line, set_running

NOBODY = "nobody"
SENDERS = (NOBODY, *KEYED_ROLES)
ANYONE = {"hello", "session_open", "status", "program_read", "stop", "journal_info", "journal_read"}
ANYONE |= {"selftest", "counters", "sensors", "service", "memory", "fault_info", "fault_read"}
ANYONE |= {"journal_stream", "telemetry_table", "telemetry_subscribe"}
OPERATOR = {"session_close", "start", "bolus", "bolus_cancel", "refill", "alarm_clear", "patient_bolus"}
OPERATOR |= {"outcome", "square_bolus", "square_cancel", "clock_set", "alarm_silence", "patency"}
PROGRAMMER = {"program_begin", "program_chunk", "program_verify", "program_commit", "program_abort"}
PROGRAMMER |= {"prime_arm", "prime", "implant", "dose_windows_set"}
ALLOWED = {
    NOBODY: ANYONE,
    "operator": ANYONE | OPERATOR,
    "programmer": ANYONE | OPERATOR | PROGRAMMER,
    "service": ANYONE | OPERATOR | PROGRAMMER,
}
"""Who may send what, written down by hand: the schema's table is held against it."""
NEVER = ("no_session", "role", "unpaired")

FROZEN: dict[str, Callable[[Frame], Frame]] = {
    "plain": lambda stop: stop,
    "more bytes": lambda stop: replace(stop, body=b"what a later version says"),
    "old version": lambda stop: replace(stop, version=1),
    "later version": lambda stop: replace(stop, version=9),
    "any device": lambda stop: replace(stop, device=bytes(4)),
}
"""A STOP without a session, as any host of any version may send it."""

FIELDS: dict[str, dict[str, Any]] = {
    "hello": {"protocol_min": 1, "protocol_max": 1},
    "session_open": {"role": "operator", "host": b"host", "nonce": bytes(16)},
    "program_begin": {"length": 100, "program_hash": bytes(16)},
    "program_chunk": {"offset": 0, "data": b"abc"},
    "program_read": {"offset": 0},
    "program_commit": {"program_hash": bytes(16)},
    "bolus": {"steps": 1},
    "dose_windows_set": {"rows": [{"drug": 0, "minutes": 60, "ng": 1, "age_minutes": 1}]},
    "refill": {"steps": 1000},
    "alarm_clear": {"alarms": []},
    "square_bolus": {"steps": 1, "duration_ms": 60_000},
    "prime_arm": {"steps": 1, "path_version": 1},
    "prime": {"steps": 1},
    "alarm_silence": {"ms": 1000},
    "implant": {"local_days": 9000},
    "patency": {"steps": 1},
    "fault_read": {"first": 0, "count": 1},
    "journal_stream": {"stream": 0, "first": 0, "until": 1, "coding": "delta", "chain": bytes(8)},
    "telemetry_subscribe": {"checksum": bytes(4), "fields": 0, "period_ms": 1000, "lasts_ms": 1000},
    "clock_set": {"local_days": 9000, "local_ms": 0},
    "journal_read": {"first": 0, "count": 1},
}


def fields_of(message: codec.Message, counter: int) -> dict[str, Any]:
    command = {"counter": counter} if message.changes_state or message.name == "outcome" else {}
    return command | FIELDS.get(message.name, {})


# Roles


def test_the_table_by_hand_knows_every_message() -> None:
    assert {message.name for message in MESSAGES} == ALLOWED["service"]


@pytest.mark.requirement("R62")
@pytest.mark.requirement("R14")
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("sender", SENDERS)
def test_every_message_from_every_sender(runtime: RuntimeName, sender: str) -> None:
    """A role may send what its row says and nothing else, and what it may not changes nothing. Service may send no more
    than the programmer: nothing on the line raises a hard cap."""
    with line(runtime) as pump:
        for counter, message in enumerate(MESSAGES, 1):
            session = None if sender == NOBODY else pump.open(sender)
            frame = pump.frame(message.name, **fields_of(message, counter))
            before = pump.status()
            reason = pump.reason(frame if session is None else session.seal(frame))
            if message.name in ALLOWED[sender]:
                assert reason not in NEVER, (sender, message.name)
                continue
            assert reason == ("no_session" if sender == NOBODY else "role"), (sender, message.name)
            written = pump.records(before["journal_next"])
            assert {record.kind for record in written} <= {"distrusted"}


@pytest.mark.requirement("R62")
@pytest.mark.parametrize("sender", SENDERS)
def test_a_type_that_the_table_does_not_know_is_denied(sender: str) -> None:
    known = {message.type for message in MESSAGES}
    with line() as pump:
        session = None if sender == NOBODY else pump.open(sender)
        for number in sorted(set(range(256)) - known):
            pump.sequence += 1
            frame = Frame(number, pump.device, sequence=pump.sequence, body=bytes(40))
            assert pump.reason(frame if session is None else session.seal(frame)) == "unknown_type"


def test_roles_without_a_key_open_nothing() -> None:
    with line() as pump:
        for number in (0, 1, 5, 255):
            body = bytes([number]) + b"host" + bytes(16)
            pump.sequence += 1
            assert pump.reason(Frame(0x02, pump.device, sequence=pump.sequence, body=body)) == "role"
    with line(keys={"operator": bytes(32)}) as pump:
        assert pump.reason(pump.frame("session_open", role="service", host=b"host", nonce=bytes(16))) == "role"
        pump.open("operator")


# Both sides prove that they have the key


@pytest.mark.requirement("R62")
def test_a_host_with_another_key_changes_nothing() -> None:
    with line() as pump:
        session = pump.offer(key=b"\x55" * 32)
        assert pump.reason(pump.sealed(session, "refill", counter=1, steps=500)) == "bad_tag"
        status = pump.status()
        assert (status["reservoir_known"], status["session_role"], status["bad_tags"]) == (0, "none", 1)


def test_a_host_with_the_key_of_a_lesser_role_opens_no_greater_one() -> None:
    with line() as pump:
        session = pump.offer("programmer", key=pump.twin.machine.keys["operator"])
        assert pump.reason(pump.sealed(session, "program_abort")) == "bad_tag"


def test_the_client_knows_a_pump_that_does_not_have_the_key() -> None:
    with line() as pump:
        client = client_of(pump.twin, MemoryIds(), Keys(operator=bytes(32)))
        before = pump.status()["journal_next"]
        with pytest.raises(NotGenuineError, match="does not have the key"):
            client.record_refill(500)
        assert pump.status()["journal_next"] == before


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_unpaired_pump_takes_questions_and_stop(runtime: RuntimeName) -> None:
    with line(runtime, keys={}) as pump:
        assert pump.status()["paired"] == 0
        assert pump.reason(pump.frame("refill", counter=1, steps=500)) == "unpaired"
        assert pump.reason(pump.frame("session_open", role="operator", host=b"host", nonce=bytes(16))) == "unpaired"
        assert pump.reason(pump.frame("stop")) == "done"
        client = client_of(pump.twin, MemoryIds(), Keys())
        with pytest.raises(NotPairedError, match="no keys"):
            client.record_refill(500)
        assert client.stop_delivery()["reason"] == "done"


# Numbers


@pytest.mark.requirement("R62")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_number_is_taken_once(runtime: RuntimeName) -> None:
    with line(runtime) as pump:
        session = pump.open()
        frame = pump.sealed(session, "refill", counter=1, steps=500)
        assert pump.reason(frame) == "done"
        pump.ask(session, "refill", counter=2, steps=600)
        for _ in range(3):
            assert pump.reason(frame) == "replayed"
        status = pump.status()
        assert (status["reservoir_steps"], status["replays"]) == (600, 3)


def test_numbers_may_leave_gaps_and_never_go_back() -> None:
    with line() as pump:
        session = pump.open()
        pump.sequence = 1000
        pump.ask(session, "status")
        for number in (1, 999, 1001):
            pump.sequence = number - 1
            assert pump.reason(pump.sealed(session, "status")) == "replayed"
        pump.sequence = COUNT_MAX - 1
        pump.ask(session, "status")
        pump.sequence = COUNT_MAX
        with pytest.raises(AuthError, match="sequence number"):
            pump.sealed(session, "status")


def test_a_tag_holds_for_one_pump_only() -> None:
    """Two pumps with the same keys: a frame to one is nothing to the other, whatever its header says."""
    with line(seed=1) as one, line(seed=2) as other:
        other.twin.machine.keys = one.twin.machine.keys
        other.reset()
        session = one.open()
        other.open()
        frame = one.sealed(session, "refill", counter=1, steps=500)
        assert other.reason(frame) == "wrong_device"
        named = Frame(frame.type, other.device, frame.session, 50_000, frame.body, frame.tag)
        assert other.reason(named) == "no_session"
        assert other.status()["reservoir_known"] == 0


# Nonces


@pytest.mark.requirement("R62")
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("noise", [bytes(16), b"\xff" * 16])
def test_a_stuck_random_generator_still_gives_fresh_sessions(runtime: RuntimeName, noise: bytes) -> None:
    with line(runtime) as pump:
        pump.twin.machine.random_bytes = lambda count: noise[:count]
        seen: list[tuple[int, bytes, bytes]] = []
        frames = []
        for _ in range(3):
            for _ in range(4):
                session = pump.offer()
                seen.append((session.challenge.boot_count, session.challenge.device_nonce, session.id))
                frames.append(pump.sealed(session, "refill", counter=1, steps=1))
            pump.reset()
        assert len({nonce for _, nonce, _ in seen}) == len({name for _, _, name in seen}) == 12
        assert [boot for boot, _, _ in seen] == sorted(boot for boot, _, _ in seen)
        # None of the sessions that were offered before opens anything now.
        assert {pump.reason(frame) for frame in frames} == {"no_session"}


counts = st.integers(0, COUNT_MAX)


@given(st.lists(st.tuples(counts, counts), unique=True, min_size=2, max_size=30), st.binary(min_size=16, max_size=16))
@settings(max_examples=100, deadline=None)
def test_nonces_differ_wherever_one_of_the_counts_does(pairs: list[tuple[int, int]], noise: bytes) -> None:
    nonces = [device_nonce(bytes(32), b"pump", boot, session, noise) for boot, session in pairs]
    assert len(set(nonces)) == len(pairs)


def test_a_session_has_a_name() -> None:
    assert session_id(bytes(16)) != bytes(4)
    assert session_id(b"abcdefgh") == b"abcd"


def test_the_firmware_draws_its_nonce_as_the_protocol_says() -> None:
    with line() as pump:
        pump.twin.machine.random_bytes = lambda count: bytes(range(count))
        key = pump.twin.machine.keys["operator"]
        for count in (1, 2):
            challenge = pump.offer("operator").challenge
            assert challenge.device_nonce == device_nonce(key, pump.device, 1, count, bytes(range(16)))


# Back-off


def guess(pump: Line, session: Session) -> str:
    frame = pump.sealed(session, "refill", counter=99, steps=1)
    return pump.reason(Frame(frame.type, frame.device, frame.session, frame.sequence, frame.body, bytes(16)))


@pytest.mark.requirement("R62")
def test_after_bad_tags_sessions_are_held_up_longer_and_longer_and_nothing_else_is() -> None:
    with line() as pump:
        set_running(pump.twin)
        session = pump.open()
        held = []
        for _ in range(12):
            assert guess(pump, session) == "bad_tag"
            reply = pump.answer(pump.frame("session_open", role="operator", host=b"host", nonce=bytes(16)))
            refused = codec.decode_frame(reply)
            held.append(refused.fields["detail"] if refused.name == "rejected" else 0)
        assert held[:2] == [0, 0]
        assert all(later >= earlier for earlier, later in pairwise(held[:9]))
        assert 50_000 < held[-1] <= 60_000
        # The open session, questions and stop are not held up.
        pump.ask(session, "bolus", counter=100, steps=1)
        assert pump.status()["delivery"] == "running"
        assert pump.reason(pump.frame("stop")) == "done"
        assert pump.status()["delivery"] == "stopped"


def test_the_back_off_ends_by_itself() -> None:
    with line() as pump:
        session = pump.offer()
        for _ in range(20):
            guess(pump, session)
        pump.twin.advance_time(60)
        pump.open()


@pytest.mark.requirement("C18")
def test_bad_tags_move_no_step() -> None:
    def steps(attack: bool) -> list[int]:
        with line() as pump:
            set_running(pump.twin)
            session = pump.offer()
            for _ in range(300):
                before = pump.twin.machine.now_us
                if attack:
                    guess(pump, session)
                pump.twin.advance_us(before + 2_000_000)
            return pump.twin.step_times_ms()

    quiet, attacked = steps(attack=False), steps(attack=True)
    assert len(quiet) > 10
    assert attacked == quiet


# One session at a time, and its end


def test_another_host_waits_for_the_end_of_a_session() -> None:
    with line() as pump:
        mine = pump.open(host=b"mine")
        refused = pump.answer(pump.frame("session_open", role="operator", host=b"your", nonce=bytes(16)))
        fields = codec.decode_frame(refused).fields
        assert fields["reason"] == "session_busy"
        assert SESSION_IDLE_MS - 5_000 < fields["detail"] <= SESSION_IDLE_MS
        pump.ask(mine, "session_close")
        pump.open(host=b"your")


def test_the_client_says_who_is_in_the_way() -> None:
    with line() as pump:
        first = client_of(pump.twin, MemoryIds(b"mine"))
        first.record_refill(500)
        second = client_of(pump.twin, MemoryIds(b"your"))
        with pytest.raises(SessionRefusedError, match="another host has a session"):
            second.record_refill(600)
        first._end_session()
        assert second.record_refill(600)["accepted"] == 600


def test_the_same_host_takes_its_session_over() -> None:
    """After a crash of the host: nobody has to wait for a time-out."""
    with line() as pump:
        old = pump.open()
        new = pump.open()
        assert pump.reason(pump.sealed(old, "status")) == "no_session"
        pump.ask(new, "status")


def test_an_offer_that_nobody_takes_leaves_the_open_session_alone() -> None:
    with line() as pump:
        session = pump.open()
        late = pump.offer()
        pump.ask(session, "status")
        pump.twin.advance_time(OFFER_MS / 1000)
        assert pump.reason(pump.sealed(late, "status")) == "no_session"
        pump.ask(session, "status")


@pytest.mark.requirement("R64")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_forgotten_session_ends_and_the_therapy_goes_on(runtime: RuntimeName) -> None:
    with line(runtime) as pump:
        set_running(pump.twin)
        session = pump.open(host=b"mine")
        data = therapy(basal_den=50_000)
        pump.ask(session, "program_begin", length=len(data), program_hash=bytes(16))
        pump.twin.advance_time(SESSION_IDLE_MS / 1000)
        status = pump.status()
        assert (status["session_role"], status["session_left_ms"]) == ("none", 0)
        assert (status["staged_bytes"], status["delivery"], status["generation"]) == (0, "running", 1)
        assert pump.reason(pump.sealed(session, "status")) == "no_session"
        pump.open(host=b"your")


@pytest.mark.requirement("C19")
@pytest.mark.requirement("R64")
def test_a_session_left_open_with_an_alarm_changes_nothing() -> None:
    def lived(leave_open: bool) -> tuple[list[int], list[str]]:
        with line() as pump:
            set_running(pump.twin, on_low="minimum_rate")
            session = pump.open()
            low = therapy_low(pump)
            pump.ask(session, "refill", counter=1, steps=low + 20)
            if not leave_open:
                pump.ask(session, "session_close")
            pump.twin.advance_us(2_000_000)
            pump.twin.advance_us(86_400_000_000)
            status = pump.status()
            assert "reservoir_low" in status["alarms"]
            kinds = [record.kind for record in pump.records() if record.kind != "lease"]
            return pump.twin.step_times_ms(), kinds

    assert lived(leave_open=True) == lived(leave_open=False)


def therapy_low(pump: Line) -> int:
    data = codec.parse_reply("program_read", pump.answer(pump.frame("program_read", offset=0)))["data"]
    return int(codec.decode_struct("program", data)["low_steps"])


def test_what_a_session_staged_is_not_the_next_ones_to_commit() -> None:
    with line() as pump:
        session = pump.open(host=b"mine")
        client = client_of(pump.twin, MemoryIds(b"mine"))
        data = therapy()
        client.stage_program(data)
        client._end_session()
        session = pump.open(host=b"your")
        kinds = [record.kind for record in pump.records()]
        assert kinds[-1] == "stage_dropped"
        known = pump.ask(session, "program_commit", counter=1, program_hash=bytes(16))
        assert known["reason"] == "no_stage"


def test_a_reset_ends_the_session() -> None:
    with line() as pump:
        session = pump.open()
        pump.reset()
        assert pump.reason(pump.sealed(session, "status")) == "no_session"


# Stop


@pytest.mark.requirement("R62")
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("how", [*FROZEN, "old session", "wrong tag", "no body", "huge counter"])
def test_stop_is_taken_however_wrong_the_rest_is(runtime: RuntimeName, how: str) -> None:
    with line(runtime) as pump:
        old = pump.open()
        set_running(pump.twin, host=b"host")
        session = pump.open(host=b"host") if how in ("no body", "huge counter") else old
        plain = pump.frame("stop")
        frame = FROZEN.get(how, lambda frame: frame)(plain)
        if how == "wrong tag":
            frame = replace(plain, session=bytes(4), tag=bytes(16))
        elif how == "huge counter":
            frame = pump.sealed(session, "stop", counter=0xFFFFFFFF)
        elif how not in FROZEN:
            frame = session.seal(plain)
        assert pump.reason(frame) == ("malformed" if session is not old else "done")
        assert pump.status()["delivery"] == "stopped"
        pump.reset()
        assert pump.status()["delivery"] == "stopped"


@pytest.mark.requirement("R61")
def test_a_stop_without_a_session_belongs_to_no_host() -> None:
    with line() as pump:
        set_running(pump.twin, host=b"host")
        reply = codec.parse_reply("stop", pump.answer(pump.frame("stop")))
        assert (reply["reason"], reply["counter"], reply["accepted"]) == ("done", 0, 0)
        stop = next(record for record in pump.records() if record.kind == "stop")
        assert (stop.role, stop.host, stop.counter, stop.sequence) == ("none", bytes(4), 0, reply["record"])
        session = pump.open(host=b"host")
        assert pump.ask(session, "start", counter=50)["reason"] == "done"


def test_a_flood_of_stops_wears_no_flash() -> None:
    with line() as pump:
        set_running(pump.twin)
        pump.reason(pump.frame("stop"))
        before = pump.status()["journal_next"]
        for _ in range(58):
            assert pump.reason(pump.frame("stop")) == "done"
        assert pump.status()["journal_next"] == before


def test_a_message_of_another_version_is_refused_unless_it_is_a_stop() -> None:
    with line() as pump:
        for version in (1, 3):
            assert pump.reason(replace(pump.frame("status"), version=version)) == "wrong_version"
        assert pump.reason(replace(pump.frame("status"), device=bytes(4))) == "wrong_device"
        assert pump.reason(replace(pump.frame("stop"), device=b"\x01\x02\x03\x04")) == "wrong_device"


def test_nothing_is_carried_over_from_a_replaced_pump_yet() -> None:
    with line() as pump:
        session = pump.open()
        rows = [{"drug": 0, "minutes": 60, "ng": 5_000, "age_minutes": 3}]
        for _ in range(2):
            assert pump.ask(session, "dose_windows_set", counter=1, rows=rows)["reason"] == "not_supported"
        assert [record.kind for record in pump.records()][-1] == "refused"


# The journal's head


@pytest.mark.parametrize("loss", ["set back", "replaced"])
def test_a_journal_that_goes_back_is_noticed_before_anything_is_sent(loss: str) -> None:
    with line() as pump:
        ids = MemoryIds()
        client = client_of(pump.twin, ids, Keys())
        client.record_refill(1000)
        old = bytes(pump.twin.flash.data)
        for _ in range(30):
            client.record_refill(900)
        client._end_session()
        pump.twin.power_off()
        pump.twin.flash.data[:] = old
        pump.twin.power_on()
        pump.twin.advance_time(BOOT_S)
        if loss == "replaced":
            # Other records in place of the ones that were seen, and more of them.
            other = pump.open(host=b"else")
            for counter in range(1, 60):
                pump.ask(other, "refill", counter=counter, steps=700)
            pump.ask(other, "session_close")
        client = client_of(pump.twin, ids, Keys())
        before = pump.status()["journal_next"]
        for _ in range(2):
            with pytest.raises(RolledBackError) as noticed:
                client.record_refill(600)
            assert noticed.value.exit_code == 3
        client.close()
        assert pump.status()["journal_next"] == before
        assert client_of(pump.twin, ids, Keys()).stop_delivery()["reason"] == "done"
        # With new keys it is another pump.
        assert client_of(pump.twin, ids, Keys(b"anew")).record_refill(600)["accepted"] == 600


def test_a_journal_that_goes_on_is_believed_over_resets_and_full_rings() -> None:
    with line() as pump:
        ids = MemoryIds()
        for turn in range(6):
            client = client_of(pump.twin, ids, Keys())
            for _ in range(120):
                client.record_refill(1000 + turn)
            client.close()
            pump.reset()
        assert ids.known_head(pump.device + b"pair") is not None
