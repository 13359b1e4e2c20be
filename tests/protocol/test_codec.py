"""The host codec: names in, names out, and nothing lost of what a newer device says."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from dosebench_protocol import codec
from dosebench_protocol.codec import CodecError, RejectedError, UnexpectedReplyError
from dosebench_protocol.frame import Frame
from dosebench_protocol.generate.vectors import body_vectors
from dosebench_protocol.schema.messages import MESSAGES, REJECTED
from dosebench_protocol.schema.model import schema
from wire_helpers import CONSTRUCTS


def test_a_bolus_and_its_outcome() -> None:
    body = codec.encode_request("bolus", counter=7, steps=240, program_hash=b"8 bytes!", ng=120_000)
    assert body == struct.pack("<II8sI", 7, 240, b"8 bytes!", 120_000)
    outcome = {"counter": 7, "reason": "done", "accepted": 240, "low_steps": 5, "high_steps": 6}
    reply = Frame(0xB2, body=codec.encode_reply("bolus", **outcome, record=9))
    assert codec.parse_reply("bolus", reply) == {**outcome, "record": 9}
    assert codec.decode_frame(reply) == codec.Decoded("bolus", True, {**outcome, "record": 9})
    assert codec.decode_frame(Frame(0x32, body=body)).fields["steps"] == 240


def _fields_of(body_name: str) -> dict[str, Any]:
    data = next(data for body, case, _, data in body_vectors(schema()) if (body.name, case) == (body_name, "largest"))
    return codec.decode_reply(body_name.removesuffix("_reply"), data)


def test_numbers_without_a_name_survive_both_ways() -> None:
    fields = _fields_of("status_reply")
    assert fields["delivery"] == "unknown_255"
    assert set(fields["alarms"]) == {"unknown_255"}
    assert codec.decode_reply("status", codec.encode_reply("status", **fields)) == fields
    fields |= {"delivery": 2, "alarms": [3, "leak", "unknown_200"]}
    again = codec.decode_reply("status", codec.encode_reply("status", **fields))
    assert (again["delivery"], again["alarms"]) == ("running", ("motor_stall", "leak", "unknown_200"))


@pytest.mark.parametrize("case", ["zeros", "largest", "counting", "counts_max"])
def test_every_body_survives_a_round_trip(case: str) -> None:
    for body, this, _, data in body_vectors(schema()):
        if this == case and body.name not in ("header", "command"):
            name, _, way = body.name.rpartition("_")
            kinds: Any = {
                "request": (codec.decode_request, codec.encode_request),
                "reply": (codec.decode_reply, codec.encode_reply),
            }
            decode, encode = kinds.get(way, (codec.decode_struct, codec.encode_struct))
            name = name if way in kinds else body.name
            fields = decode(name, data)
            assert encode(name, **fields) == data
            assert decode(name, data + b"newer fields") == fields
            with pytest.raises(CodecError, match=body.name):
                decode(name, data[:-1])


def test_a_stop_without_a_session_has_no_body() -> None:
    assert codec.encode_request("stop") == b""
    assert codec.decode_frame(Frame(0x31)) == codec.Decoded("stop", False, {})
    assert codec.decode_request("stop", codec.encode_request("stop", counter=7)) == {"counter": 7}
    with pytest.raises(CodecError, match="3 bytes are too short"):
        codec.decode_request("stop", bytes(3))


def test_bodies_are_those_of_the_schema() -> None:
    for message in MESSAGES:
        assert (
            codec.by_name(message.name) is codec.by_type(message.type) is codec.by_type(message.type | codec.REPLY_BIT)
        )
        assert codec.by_name(message.name) == (message.type, message.name, message.role, message.changes_state)
    assert len(codec.MESSAGES) == len(MESSAGES)
    assert {body.name for body, *_ in body_vectors(schema())} <= set(CONSTRUCTS)


@pytest.mark.parametrize(
    ("name", "fields", "text"),
    [
        ("dose", {}, "no message is called 'dose'"),
        ("bolus", {"counter": 1, "program_hash": bytes(8), "ng": 5}, "missing field 'steps'"),
        ("status", {"verbose": 1}, "unknown field 'verbose'; it has none"),
        ("program_commit", {"counter": 1, "program_hash": bytes(7)}, "request.program_hash: 7 bytes; 16 wanted"),
        ("program_commit", {"counter": 1, "program_hash": "16 letters, none"}, "hash: bytes wanted, not str"),
        ("start", {"counter": 2**32}, "counter: 4294967296 does not fit into 4 bytes"),
        ("start", {"counter": -1}, "counter: -1 does not fit"),
        ("start", {"counter": "1"}, "counter: str is no value for it"),
        ("start", {"counter": 1.0}, "counter: float is no value for it"),
        ("alarm_clear", {"counter": 1, "alarms": ("smoke",)}, "'smoke' is none of none, reservoir_low"),
        ("alarm_clear", {"counter": 1, "alarms": "motor_stall"}, "a list of names wanted, not str"),
        ("alarm_clear", {"counter": 1, "alarms": [256]}, r"alarms\[0\]: 256 does not fit into 1 bytes"),
        ("alarm_clear", {"counter": 1, "alarms": [1] * 256}, "alarms: 256 bytes; at most 255 wanted"),
        ("program_chunk", {"offset": 0, "data": bytes(1021)}, "1025 bytes are more than a body's 1024"),
        ("program_chunk", {"offset": 0, "data": bytes(65536)}, "data: 65536 bytes; at most 65535 wanted"),
    ],
)
def test_a_request_that_cannot_be_encoded_names_its_field(name: str, fields: dict[str, Any], text: str) -> None:
    with pytest.raises(CodecError, match=text):
        codec.encode_request(name, **fields)


def test_a_rejection_is_raised_with_its_reason() -> None:
    body = codec.encode_reply("rejected", type=0x32, reason="role", detail=2)
    with pytest.raises(RejectedError, match=r"bolus was refused: role \(2\)") as caught:
        codec.parse_reply("bolus", Frame(REJECTED, body=body))
    assert (caught.value.request, caught.value.reason, caught.value.detail) == ("bolus", "role", 2)
    odd = codec.encode_reply("rejected", type=0x7E, reason="unknown_type", detail=0)
    with pytest.raises(RejectedError, match="type 0x7e was refused"):
        codec.parse_reply("bolus", Frame(REJECTED, body=odd))
    assert codec.decode_frame(Frame(REJECTED, body=body)).name == "rejected"


def test_a_reply_to_something_else_is_no_reply() -> None:
    with pytest.raises(UnexpectedReplyError, match="0xb1 is no reply to bolus"):
        codec.parse_reply("bolus", Frame(0xB1))
    with pytest.raises(UnexpectedReplyError):
        codec.parse_reply("bolus", Frame(0x32))


@pytest.mark.parametrize("number", [0x00, 0x7E, 0x7F, 0xFE, REJECTED])
def test_an_unknown_type_is_an_error(number: int) -> None:
    with pytest.raises(CodecError, match=f"0x{number:02x}"):
        codec.by_type(number)
