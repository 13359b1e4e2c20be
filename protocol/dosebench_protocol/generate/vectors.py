"""Writes golden vectors: bodies and frames of every message with the values they stand for.

Bodies and headers come from construct, so that a codec which passes them agrees with the schema and not with its own
twin.
"""

from __future__ import annotations

import json
from binascii import crc32
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from cobs import cobs

from dosebench_protocol.schema.messages import REJECTED, REPLY_BIT, Header
from dosebench_protocol.schema.model import (
    ArrayField,
    BlobField,
    Body,
    BytesField,
    Field,
    IntField,
    Schema,
    hash_of,
    plain_construct,
)
from dosebench_protocol.schema.terms import (
    BODY_BYTES_MAX,
    COUNT_MAX,
    CRC_BYTES,
    PROGRAM_BYTES_MAX,
    PROTOCOL_VERSION,
    TAG_BYTES,
)

MARK: Final = "Generated from protocol/dosebench_protocol (messages.py, terms.py), do not edit; `make gen`"

DEVICE: Final = bytes.fromhex("d05eb001")
"""Device id of the golden frames."""

Frame = Mapping[str, Any]
"""A frame by the names of its fields: version, type, device, session, sequence, body, tag."""

CASES: Final = ("zeros", "largest", "counting", "counts_max")
"""Kinds of values: all zero and empty, everything at its limit, all different, integers at `COUNT_MAX`."""


def vectors_source(plan: Schema) -> str:
    """The vectors as JSON: numbers as numbers, bytes as hex text, fields as pairs and rows as lists in wire order."""
    bodies = [
        {"body": body.name, "case": case, "hex": data.hex(), "fields": _json_fields(body, values)}
        for body, case, values, data in body_vectors(plan)
    ]
    frames = [
        {"title": title, **_json_frame(frame), "wire": frame_bytes(frame).hex()} for title, frame in golden_frames(plan)
    ]
    lines = [
        "{",
        f' "comment": {json.dumps(MARK)},',
        f' "schema_hash": "{hash_of(plan).hex()}",',
        ' "bodies": [\n  ' + ",\n  ".join(map(json.dumps, bodies)) + "\n ],",
        ' "frames": [\n  ' + ",\n  ".join(map(json.dumps, frames)) + "\n ]",
        "}",
    ]
    return "\n".join(lines) + "\n"


def all_bodies(plan: Schema) -> list[Body]:
    """Every body that has fields: shared structs first, then requests and replies in order of type."""
    own = [body for message in plan.messages for body in (message.request, message.reply)]
    return [body for body in (*plan.shared, *own) if body.fields]


def body_vectors(plan: Schema) -> Iterator[tuple[Body, str, dict[str, Any], bytes]]:
    """(body, case, values, bytes) of every body and case."""
    for body in all_bodies(plan):
        for case in CASES:
            values = case_values(body, case)
            yield body, case, values, bytes(plain_construct(body).build(values))


def frame_fields(kind: int, addresses: tuple[bytes, bytes], sequence: int, body: bytes, tag: bytes = b"") -> Frame:
    """A frame by its fields, in their order on the wire; `addresses` are device and session."""
    device, session = addresses
    head = {"version": PROTOCOL_VERSION, "type": kind, "device": device, "session": session, "sequence": sequence}
    return {**head, "body": body, "tag": tag}


def frame_bytes(frame: Frame) -> bytes:
    """What a frame is on the wire, delimiter included, by construct's own header."""
    plain = bytes(Header.build({**frame, "length": len(frame["body"])})) + frame["body"] + frame["tag"]
    return bytes(cobs.encode(plain + crc32(plain).to_bytes(CRC_BYTES, "little"))) + b"\x00"


def golden_frames(plan: Schema) -> Iterator[tuple[str, Frame]]:
    """(title, fields) of a frame for every message both ways, and for what is special about frames."""
    by_name = {body.name: data for body, case, _, data in body_vectors(plan) if case == "counting"}
    for number, message in enumerate(plan.messages):
        for body, bit in ((message.request, 0), (message.reply, REPLY_BIT)):
            data = by_name.get(body.name, b"")
            yield body.name, frame_fields(message.type | bit, (DEVICE, bytes(4)), number, data)
    yield "rejected", frame_fields(REJECTED, (DEVICE, bytes(4)), 0xFFFFFFFF, by_name["rejected"])
    tag, ones = bytes(range(TAG_BYTES)), b"\xff" * 4
    yield "with session and tag", frame_fields(0x31, (DEVICE, b"\x01\x02\x03\x04"), 1, by_name["command"], tag)
    yield "longest, no zero byte", frame_fields(0x7E, (ones, ones), 0x01010101, b"\xff" * BODY_BYTES_MAX, tag)
    yield "longest, all zero", frame_fields(0x7E, (bytes(4), bytes(4)), 0, bytes(BODY_BYTES_MAX), bytes(TAG_BYTES))


def case_values(body: Body, case: str) -> dict[str, Any]:
    """Values of all fields for one of `CASES`."""
    room = (PROGRAM_BYTES_MAX if body.name == "program" else BODY_BYTES_MAX) - body.bytes_min
    wide = sum(isinstance(field, BlobField | ArrayField) for field in body.fields) or 1
    return {field.name: _value(field, case, index, room // wide) for index, field in enumerate(body.fields)}


def _value(field: Field, case: str, index: int, room: int) -> Any:
    match field:
        case IntField(width=width):
            return _integer(case, index, width)
        case BytesField(length=length):
            return _filler(case, index, length)
        case BlobField(width=width):
            return _filler(case, index, _count(case, index, width, room))
        case ArrayField(width=width, rows=rows):
            count = _count(case, index, width, room // rows.bytes_min)
            return [{row.name: _value(row, case, index + at, 0) for row in rows.fields} for at in range(count)]


def _integer(case: str, index: int, width: int) -> int:
    most = (1 << 8 * width) - 1
    counting = 0x04030201 + 0x01010101 * index & most
    return {"zeros": 0, "largest": most, "counting": counting, "counts_max": min(most, COUNT_MAX)}[case]


def _filler(case: str, index: int, length: int) -> bytes:
    if case == "counting":
        return bytes((index + at) & 0xFF for at in range(length))
    return bytes([{"zeros": 0, "largest": 0xFF, "counts_max": 0x7F}[case]]) * length


def _count(case: str, index: int, width: int, room: int) -> int:
    return {"zeros": 0, "largest": min(room, (1 << 8 * width) - 1), "counting": 5 + index, "counts_max": 1}[case]


def _json_fields(body: Body, values: Mapping[str, Any]) -> Sequence[Any]:
    return [[field.name, _json_value(values[field.name])] for field in body.fields]


def _json_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [[_json_value(item) for item in row.values()] for row in value]
    return value


def _json_frame(frame: Frame) -> dict[str, Any]:
    return {name: _json_value(value) for name, value in frame.items()}
