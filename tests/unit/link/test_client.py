"""The client: what each of its calls sends, in which units, and what the end of it leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from dosebench.link.client import EPOCH, PumpClient, program_hash
from dosebench.link.command_ids import MemoryIds
from dosebench.link.exchange import TRIES, RefusedError, SilentError
from dosebench_protocol.records import UNKNOWN_STEPS
from dosebench_protocol.tables import CHUNK_BYTES_MAX
from hypothesis import given
from hypothesis import strategies as st
from scripted_pump import DEVICE, PROGRAM, OneKey, Refusal, ScriptedPump


def client_of(pump: ScriptedPump, ids: MemoryIds | None = None) -> PumpClient:
    client = PumpClient(pump, ids or MemoryIds(b"host"), OneKey())
    client.connect()
    return client


NAMED: dict[str, Any] = {"program_hash": program_hash(PROGRAM)[:8]}
"""The program that a dose is computed from, as the dose names it."""
STEP: dict[str, Any] = {"step_nl_num": 0, "step_nl_den": 0}
"""The step volume that a refill names: what the pump says."""

COMMANDS: list[tuple[str, Callable[[PumpClient], Any], dict[str, Any]]] = [
    ("start", lambda client: client.start_delivery(), {}),
    ("bolus", lambda client: client.give_bolus(40), {"steps": 40, "ng": 500} | NAMED),
    ("bolus_cancel", lambda client: client.bolus_cancel(), {}),
    ("patient_bolus", lambda client: client.patient_bolus(), {}),
    ("square_bolus", lambda one: one.square_bolus(9, 60_000), NAMED | {"steps": 9, "duration_ms": 60_000, "ng": 112}),
    ("square_cancel", lambda client: client.square_cancel(), {}),
    ("prime_arm", lambda client: client.prime_arm(12, 3), {"steps": 12, "path_version": 3}),
    ("prime", lambda client: client.give_priming(12), {"steps": 12, "ng": 150} | NAMED),
    ("patency", lambda client: client.test_patency(5), {"steps": 5}),
    ("refill", lambda client: client.record_refill(8_000, 20), {"steps": 8_000, "withdrawn_steps": 20} | STEP),
    ("refill", lambda client: client.record_refill(8_000), {"steps": 8_000, "withdrawn_steps": UNKNOWN_STEPS} | STEP),
    ("refill", lambda client: client.record_refill(8_000, 0), {"steps": 8_000, "withdrawn_steps": 0} | STEP),
    ("implant", lambda client: client.record_implant(date(2000, 1, 2)), {"local_days": 1}),
    ("alarm_clear", lambda client: client.alarm_clear(["occlusion", "leak"]), {"alarms": ("occlusion", "leak")}),
    ("alarm_silence", lambda client: client.alarm_silence(60_000), {"ms": 60_000}),
]


@pytest.mark.parametrize(("name", "call", "wanted"), COMMANDS, ids=lambda one: one if isinstance(one, str) else "")
def test_each_command_sends_its_message_once(
    name: str, call: Callable[[PumpClient], Any], wanted: dict[str, Any]
) -> None:
    pump = ScriptedPump()
    assert call(client_of(pump))["reason"] == "done"
    assert [asked for asked in pump.names() if asked not in ("program_read", "status")] == [
        "hello",
        "session_open",
        name,
    ]
    fields = dict(pump.asked[-1][1])
    assert fields.pop("counter") == 1
    assert fields == wanted


@given(st.datetimes(datetime(2000, 1, 1), datetime(2090, 12, 31)))
def test_the_clock_is_set_in_whole_days_and_the_rest_in_ms(local: datetime) -> None:
    pump = ScriptedPump()
    client_of(pump).set_clock(local)
    fields = pump.asked[-1][1]
    assert 0 <= fields["local_ms"] < 86_400_000
    told = EPOCH + timedelta(days=fields["local_days"], milliseconds=fields["local_ms"])
    assert timedelta(0) <= local - told < timedelta(milliseconds=1)


def test_a_time_with_a_zone_is_a_local_time() -> None:
    pump = ScriptedPump()
    client_of(pump).set_clock(datetime(2000, 1, 1, 6, tzinfo=UTC))
    assert pump.asked[-1][1]["local_ms"] == 6 * 3_600_000


# Programming


def test_a_hash_names_a_therapy() -> None:
    assert program_hash(b"abc") == sha256(b"abc").digest()[:16]


@pytest.mark.parametrize("length", [1, CHUNK_BYTES_MAX, CHUNK_BYTES_MAX + 1, 3 * CHUNK_BYTES_MAX])
def test_a_therapy_is_staged_in_chunks_and_read_back(length: int) -> None:
    program = bytes(at % 250 for at in range(length))
    pump = ScriptedPump()
    client = client_of(pump)
    assert client.stage_program(program)["mode"] == "stopped"
    begin, *chunks, verify = pump.asked[2:]
    assert begin == ("program_begin", {"length": length, "program_hash": program_hash(program)})
    assert b"".join(fields["data"] for _, fields in chunks) == program
    assert [fields["offset"] for _, fields in chunks] == list(range(0, length, CHUNK_BYTES_MAX))
    assert verify == ("program_verify", {})
    client.commit_program(program)
    assert pump.asked[-1][0] == "program_commit"
    assert pump.asked[-1][1]["program_hash"] == program_hash(program)
    client.abort_stage()
    assert pump.names()[-1] == "program_abort"


def test_a_therapy_that_the_pump_does_not_accept_is_not_committed() -> None:
    pump = ScriptedPump(answers={"program_verify": Refusal("rate_above_maximum")})
    with pytest.raises(RefusedError) as caught:
        client_of(pump).stage_program(b"program")
    assert caught.value.reason == "rate_above_maximum"
    assert "program_commit" not in pump.names()


# Stop


def test_stop_needs_no_key_and_no_session() -> None:
    pump = ScriptedPump()
    client = PumpClient(pump, MemoryIds(b"host"), OneKey({}))
    client.connect()
    client.stop_delivery()
    assert pump.asked[1:] == [("stop", {})]


def test_stop_goes_through_an_open_session_with_an_id_that_is_settled_before_it_is_sent() -> None:
    pump, ids = ScriptedPump(lost_replies={"stop": TRIES}), MemoryIds(b"host")
    client = client_of(pump, ids)
    client.open_session("operator")
    client.stop_delivery()
    counters = [fields.get("counter") for name, fields in pump.asked if name == "stop"]
    assert counters == [1] * TRIES + [None], "a silent session is no reason not to stop"
    assert ids.open_commands(DEVICE + b"pair") == []
    assert client.session is None


def test_a_refused_stop_in_a_session_is_repeated_without_one() -> None:
    pump = ScriptedPump()
    client = client_of(pump)
    client.open_session("operator")
    pump.answers["stop"] = [Refusal("busy")]
    assert client.stop_delivery()["reason"] == "done"
    assert [fields.get("counter") for name, fields in pump.asked if name == "stop"] == [1, None]


def test_stop_waits_for_no_unknown_outcome() -> None:
    pump, ids = ScriptedPump(), MemoryIds(b"host")
    ids.next_id(DEVICE + b"pair", "bolus", 0)
    client = client_of(pump, ids)
    client.stop_delivery()
    assert "outcome" not in pump.names()
    assert len(ids.open_commands(DEVICE + b"pair")) == 1


def test_a_pump_that_does_not_answer_a_stop_is_silent() -> None:
    with pytest.raises(SilentError):
        client_of(ScriptedPump(lost_replies={"stop": TRIES})).stop_delivery()


# The end


def test_closing_says_goodbye_and_closes_the_port() -> None:
    pump = ScriptedPump()
    with client_of(pump) as client:
        client.open_session("operator")
    assert pump.names()[-1] == "session_close"
    assert not pump.is_open


def test_closing_without_a_session_says_nothing() -> None:
    pump = ScriptedPump()
    client_of(pump).close()
    assert pump.names() == ["hello"]
    assert not pump.is_open


def test_a_goodbye_that_fails_closes_the_port_all_the_same() -> None:
    pump = ScriptedPump()
    client = client_of(pump)
    client.open_session("operator")
    pump.answers["session_close"] = Refusal("busy")
    client.close()
    assert not pump.is_open
    assert client.session is None
