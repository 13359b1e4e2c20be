"""The host codec: names in, names out, and nothing lost of what a newer device says."""

from __future__ import annotations

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
    body = codec.encode_request("bolus", host=b"desk", counter=7, steps=240)
    assert body == b"desk" + (7).to_bytes(4, "little") + (240).to_bytes(4, "little")
    outcome = {"host": b"desk", "counter": 7, "reason": "done", "accepted": 240, "low_steps": 5, "high_steps": 6}
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
    assert {"motor_stall", "bit_30", "bit_31"} < set(fields["alarms"])
    assert list(fields["alarms"]) == sorted(fields["alarms"])
    assert codec.decode_reply("status", codec.encode_reply("status", **fields)) == fields
    fields |= {"delivery": 2, "alarms": 4}
    again = codec.decode_reply("status", codec.encode_reply("status", **fields))
    assert (again["delivery"], again["alarms"]) == ("running", ("motor_stall",))


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
        ("bolus", {"host": b"desk", "counter": 1}, "missing field 'steps'"),
        ("status", {"verbose": 1}, "unknown field 'verbose'; it has none"),
        ("start", {"host": b"desktop", "counter": 1}, "start_request.host: 7 bytes; 4 wanted"),
        ("start", {"host": "desk", "counter": 1}, "start_request.host: bytes wanted, not str"),
        ("start", {"host": b"desk", "counter": 2**32}, "counter: 4294967296 does not fit into 4 bytes"),
        ("start", {"host": b"desk", "counter": -1}, "counter: -1 does not fit"),
        ("start", {"host": b"desk", "counter": "1"}, "counter: str is no value for it"),
        ("start", {"host": b"desk", "counter": 1.0}, "counter: float is no value for it"),
        ("alarm_clear", {"host": b"desk", "counter": 1, "alarms": ("smoke",)}, "'smoke' is none of reservoir_low"),
        ("alarm_clear", {"host": b"desk", "counter": 1, "alarms": "motor_stall"}, "str is no value"),
        ("therapy_chunk", {"offset": 0, "data": bytes(1021)}, "1025 bytes are more than a body's 1024"),
        ("therapy_chunk", {"offset": 0, "data": bytes(65536)}, "data: 65536 bytes; at most 65535 wanted"),
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
