"""What is fuzzed: bytes from a line into frames, their bodies, records and delta-coded records, against construct.

The first byte of an input says what the rest is: bytes of a line as they are, or the inside of a frame that is given a
fitting CRC and COBS encoding, so that the fuzzer need not find a CRC-32 to come further.
"""

from __future__ import annotations

import sys
from binascii import crc32
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import construct as cs
from cobs import cobs
from dosebench_protocol import codec
from dosebench_protocol.delta import DeltaDecoder, DeltaError
from dosebench_protocol.errors import ProtocolError
from dosebench_protocol.frame import Deframer, Frame, LongFrameError
from dosebench_protocol.records import (
    GENESIS_CHAIN,
    Record,
    RecordError,
    decode_records,
    make_record,
    verify_chain,
)
from dosebench_protocol.schema import kinds, messages, terms
from dosebench_protocol.schema.model import (
    ArrayField,
    BlobField,
    Body,
    Enumeration,
    Field,
    IntField,
    plain_construct,
    schema,
)

FIRMWARE: Final = Path(__file__).parents[2] / "firmware"
LINE, INSIDE, DELTA = range(3)
"""What an input is, by its first byte modulo 3."""


DELTA_BYTES_MAX: Final = 48
"""Longer ones take time for hashes and show nothing new."""
NAMES: Final = {message.type: message.name for message in messages.MESSAGES}


class DifferentError(Exception):
    """Both sides took the same bytes, and read something else; or one took what the other refused."""


def one_input(data: bytes) -> int:
    """Run one input; return how often a frame, or delta-coded records, were decoded.

    Raises DifferentError, or whatever the codec lets out.
    """
    if not data:
        return 0
    kind, rest = data[0] % 3, data[1:]
    if kind == DELTA:
        judge_delta(rest)
        return 1
    line = rest if kind == LINE else bytes(cobs.encode(rest + crc32(rest).to_bytes(4, "little"))) + b"\0"
    deframer = Deframer()
    for frame in deframed(deframer, line):
        judge_body(frame)
    return deframer.good_frames + deframer.bad_frames - deframer.bad_reasons.get(LongFrameError.reason, 0)


def deframed(deframer: Deframer, line: bytes) -> list[Frame]:
    """The frames in bytes of a line, which come in two halves: those that construct sees."""
    half = len(line) // 2
    frames = deframer.feed(line[:half]) + deframer.feed(line[half:])
    wanted = [frame for piece in line.split(b"\0")[:-1] if (frame := by_construct(piece)) is not None]
    if frames != wanted:
        raise DifferentError(f"{frames} instead of {wanted}")
    return frames


def by_construct(piece: bytes) -> Frame | None:
    """The frame in the bytes between two delimiters, without this project's codec."""
    try:
        plain = bytes(cobs.decode(piece))
        if len(plain) < 8 or int.from_bytes(plain[-4:], "little") != crc32(plain[:-4]):
            return None
        header = parsed_header(plain[: terms.HEADER_BYTES])
    except (cobs.DecodeError, cs.ConstructError):
        return None
    end = terms.HEADER_BYTES + header.length
    tag = plain[end:-4]
    if (
        len(piece) >= terms.FRAME_BYTES_MAX
        or header.length > terms.BODY_BYTES_MAX
        or end > len(plain) - 4
        or len(tag) not in (0, terms.TAG_BYTES)
    ):
        return None
    body = plain[terms.HEADER_BYTES : end]
    return Frame(int(header.type), header.device, header.session, header.sequence, body, tag, header.version)


@lru_cache(maxsize=1 << 14)
def parsed_header(data: bytes) -> Any:
    """A header as construct reads it; most frames of an input are those of another one."""
    return messages.Header.parse(data)


def judge_body(frame: Frame) -> None:
    """The fields of a frame as the codec and as construct read them."""
    judge_typed_body(frame.type, frame.body)


@lru_cache(maxsize=1 << 14)
def judge_typed_body(kind: int, body: bytes) -> None:
    """The fields of a body as the codec and as construct read them."""
    frame = Frame(kind, body=body)
    name, is_reply = name_of(frame.type)
    try:
        decoded = codec.decode_frame(frame)
    except ProtocolError:
        decoded = None
    if name == codec.STOP and not is_reply and not body:
        # Without a session a stop has no body.
        wanted: dict[str, Any] | None = {}
    else:
        wanted = None if name is None else fields_by_construct(body_name(name, is_reply), frame.body)
    if decoded is None or wanted is None:
        if (decoded is None) != (wanted is None):
            raise DifferentError(f"type 0x{frame.type:02x} {frame.body.hex()}: {decoded} instead of {wanted}")
        return
    if (decoded.name, decoded.is_reply, decoded.fields) != (name, is_reply, wanted):
        raise DifferentError(f"{decoded} instead of {name} {wanted}")
    judge_encoding(decoded, frame.body)
    if name == "journal_read" and is_reply:
        judge_records(decoded.fields["records"])
    if name == "journal_stream" and is_reply:
        judge_delta(decoded.fields["data"])


def judge_encoding(decoded: codec.Decoded, body: bytes) -> None:
    """What was read is written again as it was."""
    write = codec.encode_reply if decoded.is_reply else codec.encode_request
    again = write(decoded.name, **decoded.fields)
    if not body.startswith(again):
        raise DifferentError(f"{decoded} becomes {again.hex()} instead of {body.hex()}")


def judge_records(data: bytes) -> None:
    """Records as they are decoded and as construct has them."""
    try:
        records = decode_records(data)
    except RecordError:
        return
    for number, record in enumerate(records):
        raw = data[number * terms.RECORD_BYTES : (number + 1) * terms.RECORD_BYTES]
        if record.to_bytes() != raw or record.word1 != messages.Record.parse(raw).a:
            raise DifferentError(f"{record} instead of {raw.hex()}")
        if not isinstance(record.kind, str) or not record.fields:
            raise DifferentError(f"{record} has no kind or no fields")
        judge_fields(record)


def judge_fields(record: Record) -> None:
    """Every field is what the plan of the schema says, and all of them together make the record again."""
    plan = kinds.KINDS.get(record.kind)
    if plan is None:
        return
    for field in plan.fields:
        if field.count == 1 and field.bits == 32 and field.name not in kinds.JOINED:
            number, told = record[4 + field.at], record.fields[field.name]
            if isinstance(told, int) and not isinstance(told, bool) and told != number:
                raise DifferentError(f"{field.name} of {record} is {told} instead of {number}")
    again = make_record(record.kind, sequence=record.sequence, day=record.day, ms=record.ms, **record.fields)
    if again.fields != record.fields:
        raise DifferentError(f"{record.fields} become {again.fields}")


def judge_delta(data: bytes) -> None:
    """What is decoded as delta-coded records chains, and comes out the same when the firmware codes it."""
    data = data[:DELTA_BYTES_MAX]
    decoder = DeltaDecoder(0, GENESIS_CHAIN)
    try:
        raw = b"".join(decoder.feed(data))
    except DeltaError:
        return
    if verify_chain(decode_records(raw)) != decoder.chain:
        raise DifferentError(f"{data.hex()} does not end at its own chain value")
    coded = bytearray(2 * len(data) + 64)
    coder, end = firmware_coder(), 0
    for at in range(0, len(raw), terms.RECORD_BYTES):
        end = coder.code_record(raw, at, coded, end)
    if b"".join(DeltaDecoder(0, GENESIS_CHAIN).feed(bytes(coded[:end]))) != raw:
        raise DifferentError(f"{data.hex()}: the firmware codes its records as {coded[:end].hex()}")


def firmware_coder() -> Any:
    """The pump's own coder."""
    if str(FIRMWARE) not in sys.path:
        sys.path.append(str(FIRMWARE))
    from pump.link.journal_stream import Coder  # noqa: PLC0415

    return Coder()


def name_of(kind: int) -> tuple[str | None, bool]:
    """Name of the message of a type, and whether it is a reply; None where there is none."""
    if kind == messages.REJECTED:
        return "rejected", True
    return NAMES.get(kind & ~messages.REPLY_BIT), kind & messages.REPLY_BIT != 0


def body_name(name: str, is_reply: bool) -> str:
    """The body of a message in the schema."""
    return name if name == "rejected" else f"{name}_{'reply' if is_reply else 'request'}"


@cache
def bodies() -> dict[str, tuple[Body, Any]]:
    """Every body of the schema with its construct of plain integers."""
    plan = schema()
    found = [*plan.shared, *(body for one in plan.messages for body in (one.request, one.reply))]
    return {body.name: (body, plain_construct(body)) for body in found}


def fields_by_construct(name: str, data: bytes) -> dict[str, Any] | None:
    """Fields of a body as construct parses it, with the names that the schema gives; None when it refuses."""
    body, construct = bodies()[name]
    try:
        return named(body, construct.parse(data))
    except cs.ConstructError:
        return None


def named(body: Body, values: Any) -> dict[str, Any]:
    """Parsed values as the codec gives them."""
    return {field.name: named_value(field, values[field.name]) for field in body.fields}


def named_value(field: Field, value: Any) -> Any:
    """One parsed value as the codec gives it."""
    if isinstance(field, ArrayField):
        return [named(field.rows, row) for row in value]
    if isinstance(field, BlobField) and field.enum:
        names = names_of(field.enum)
        return tuple(names.get(number, f"unknown_{number}") for number in value)
    if isinstance(field, IntField):
        return by_schema(field.enum, int(value)) if field.enum else int(value)
    return bytes(value)


def by_schema(enum: Enumeration, value: int) -> Any:
    """A number by its name in the schema."""
    return names_of(enum).get(value, f"unknown_{value}")


@cache
def names_of(enum: Enumeration) -> dict[int, str]:
    """Names of an enumeration by number."""
    return {number: name for name, number in enum.members}
