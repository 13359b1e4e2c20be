"""Frames of the host codec against construct's own build and parse of the same bytes."""

from __future__ import annotations

import time
from binascii import crc32
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from cobs import cobs
from construct import Array, Container
from dosebench_protocol.codec import REPLY_BIT, decode_frame, encode_reply
from dosebench_protocol.frame import Frame, decode, encode
from dosebench_protocol.generate.vectors import body_vectors, frame_bytes, frame_fields
from dosebench_protocol.records import Record, decode_records
from dosebench_protocol.schema import messages, terms
from dosebench_protocol.schema.model import schema

from .measure import Figure, interleave_rounds, ratio_figure, shown_figure

ROUNDS: Final = 30
FRAMES: Final = 50
"""Frames of one round."""
RECORDS: Final = 25
"""As many as a client asks for at once: a body of 1006 bytes."""
TOLERANCE: Final = 0.25

TYPES: Final = {message.name: message.type | REPLY_BIT for message in messages.MESSAGES}
REPLIES: Final[dict[str, Any]] = {message.name: message.reply for message in messages.MESSAGES}
JOURNAL: Final = Array(RECORDS, messages.Record)


def measure_figures(rounds: int = ROUNDS) -> list[Figure]:
    """Microseconds of encoding and decoding a frame, and their ratios to construct's."""
    contestants = {name: partial(frame_s, act) for name, act in list_acts().items()}
    times = interleave_rounds(contestants, rounds)
    ours = [name for name in times if not name.endswith("construct")]
    return [
        *(
            ratio_figure(f"codec: {name} / construct", times, (name, f"{name}, construct"), TOLERANCE, 1.0)
            for name in ours
        ),
        *(shown_figure(f"codec: {name}", values, "us", 1e6) for name, values in times.items()),
    ]


def frame_s(act: Callable[[], object]) -> float:
    """Seconds of one frame, over `FRAMES` of them."""
    began = time.perf_counter()
    for _ in range(FRAMES):
        act()
    return (time.perf_counter() - began) / FRAMES


def list_acts() -> dict[str, Callable[[], object]]:
    """What is measured, ours and construct's, after a check that both give the same."""
    status = next(values for body, case, values, _ in body_vectors(schema()) if (body.name, case) == STATUS_CASE)
    records = b"".join(
        Record(n, 3, 1000 * n, 2, 0, n, n + 4, 4, 0, 80_000, bytes(8)).to_bytes() for n in range(RECORDS)
    )
    journal = {"first": 0, "records": records}
    made: dict[str, Callable[[], object]] = {}
    for title, name, values in (("status", "status", status), ("1 KB of journal", "journal_read", journal)):
        wire = encode_ours(name, values)
        assert wire == encode_construct(name, values)
        assert comparable_facts(decode_ours(name, wire)) == comparable_facts(decode_construct(name, wire))
        made[f"encode {title}"] = partial(encode_ours, name, values)
        made[f"encode {title}, construct"] = partial(encode_construct, name, values)
        made[f"decode {title}"] = partial(decode_ours, name, wire)
        made[f"decode {title}, construct"] = partial(decode_construct, name, wire)
    return made


STATUS_CASE: Final = ("status_reply", "zeros")
"""A status whose numbers all have names, so that both sides say the same."""


def encode_ours(name: str, values: dict[str, Any]) -> bytes:
    """Fields to bytes on the wire."""
    return encode(Frame(TYPES[name], body=encode_reply(name, **values)))


def encode_construct(name: str, values: dict[str, Any]) -> bytes:
    """The same with construct alone."""
    return frame_bytes(frame_fields(TYPES[name], (bytes(4), bytes(4)), 0, REPLIES[name].build(values)))


def decode_ours(name: str, wire: bytes) -> Any:
    """Bytes on the wire to fields; a journal down to its records."""
    fields = decode_frame(decode(wire[:-1])).fields
    return decode_records(fields["records"]) if name == "journal_read" else fields


def decode_construct(name: str, wire: bytes) -> Any:
    """The same with construct alone."""
    plain = cobs.decode(wire[:-1])
    assert crc32(plain[:-4]) == int.from_bytes(plain[-4:], "little")
    header = messages.Header.parse(plain)
    fields = REPLIES[name].parse(plain[terms.HEADER_BYTES : terms.HEADER_BYTES + header.length])
    return JOURNAL.parse(fields.records) if name == "journal_read" else fields


def comparable_facts(decoded: Any) -> Any:
    """What both decoders can be compared by."""
    if isinstance(decoded, list):
        return [record_facts(record) for record in decoded]
    if isinstance(decoded, Container):
        listed = {"alarms": tuple(map(str, decoded.alarms)), "window_ng": list(decoded.window_ng)}
        return {name: value for name, value in decoded.items() if name != "_io"} | listed
    return decoded


def record_facts(record: Any) -> tuple[Any, ...]:
    """Returns the values of a record in order, from either decoder; the chain value is bytes, the others numbers."""
    if isinstance(record, Container):
        words = (record.a, record.b, record.c, record.d, record.e)
        return (record.sequence, record.day, record.ms, int(record.kind), record.code, *words, record.chain)
    return tuple(record)
