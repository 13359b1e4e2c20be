"""Writes the protocol page: tables from the schema around hand-written text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from dosebench_protocol.generate.vectors import frame_bytes, frame_fields
from dosebench_protocol.schema.kinds import COMMAND_BASE, ENTRIES_PER_WORD, KINDS, WORDS, KindPlan, RecordField
from dosebench_protocol.schema.messages import REJECTED, REPLY_BIT
from dosebench_protocol.schema.model import STAGE_DROP, ArrayField, Body, Enumeration, Field, Schema, hash_of, type_text
from dosebench_protocol.schema.terms import (
    BODY_BYTES_MAX,
    CHAIN_BYTES,
    COUNT_MAX,
    FRACTION_MAX,
    FRAME_BYTES_MAX,
    LATCHED_MAX,
    NONCE_BYTES,
    PROTOCOL_VERSION,
    RECORD_BYTES,
    SESSION_IDLE_MS,
    TAG_BYTES,
    RecordKind,
)

TEMPLATE: Final = Path(__file__).with_name("templates") / "PROTOCOL.md"
MARK: Final = "Generated from protocol/dosebench_protocol (messages.py, terms.py), do not edit; `make gen`"

UNITS: Final = {
    "ms": "milliseconds",
    "days": "days",
    "day": "days",
    "steps": "motor steps",
    "ng": "nanograms",
    "nl": "nanolitres",
    "mv": "millivolts",
    "bytes": "bytes",
    "permille": "thousandths",
    "num": "numerator",
    "den": "denominator",
}
"""Unit of a field by the last word of its name; `_max` is skipped."""


def page_source(plan: Schema) -> str:
    """The page as Markdown."""
    text = TEMPLATE.read_text(encoding="utf-8")
    for mark, value in _replacements(plan).items():
        text = text.replace(f"@@{mark}@@", value)
    return text


def _replacements(plan: Schema) -> dict[str, str]:
    numbers = {
        "VERSION": PROTOCOL_VERSION,
        "BODY_BYTES_MAX": BODY_BYTES_MAX,
        "TAG_BYTES": TAG_BYTES,
        "NONCE_BYTES": NONCE_BYTES,
        "SESSION_IDLE_MS": SESSION_IDLE_MS,
        "FRAME_BYTES_MAX": FRAME_BYTES_MAX,
        "FRACTION_MAX": FRACTION_MAX,
        "COUNT_MAX": COUNT_MAX,
        "RECORD_BYTES": RECORD_BYTES,
        "COMMAND_BASE": COMMAND_BASE,
        "LATCHED_MAX": LATCHED_MAX,
        "CHAIN_BYTES": CHAIN_BYTES,
        "CHAINED_BYTES": RECORD_BYTES - CHAIN_BYTES,
    }
    return {
        **{name: str(number) for name, number in numbers.items()},
        "MARK": MARK,
        "SCHEMA_HASH": hash_of(plan).hex(),
        "EXAMPLE": _example(),
        "OVERVIEW": _overview(plan),
        "ROLES": _roles(plan),
        "MESSAGES": "\n\n".join(_messages(plan)),
        "SHARED": "\n\n".join(f"### {body.name}\n\n{_fields(body)}" for body in plan.shared),
        "ENUMS": "\n\n".join(map(_enum, (*plan.enums, STAGE_DROP))),
        "RECORDS": _records(),
        "LIMITS": _table(("name", "value"), ((f"`{name}`", value) for name, value in plan.limits)),
    }


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _example() -> str:
    body = bytes([PROTOCOL_VERSION, PROTOCOL_VERSION])
    wire = frame_bytes(frame_fields(0x01, (bytes(4), bytes(4)), 1, body))
    return (
        f"`hello` from a host that speaks version {PROTOCOL_VERSION} only, to any device, sequence 1:\n\n"
        f"```\n{wire.hex(' ')}\n```"
    )


def _overview(plan: Schema) -> str:
    rows: list[Sequence[object]] = [
        (
            f"`0x{message.type:02x}`",
            f"[{message.name}](#{message.name})",
            plan.role_name(message.role),
            "yes" if message.changes_state else "",
            message.doc,
        )
        for message in plan.messages
    ]
    rows.append((f"`0x{REJECTED:02x}`", "[rejected](#rejected)", "", "", "Reply: the request was refused."))
    return _table(("type", "name", "least role", "changes state", "what it is for"), rows)


def _roles(plan: Schema) -> str:
    roles = next(enum for enum in plan.enums if enum.name == "Role")
    rows = (
        (value, name, ", ".join(f"`{message.name}`" for message in plan.messages if message.role == value))
        for name, value in roles.members
    )
    return _table(("number", "role", "may send, beyond the roles before it"), rows)


def _messages(plan: Schema) -> Iterator[str]:
    for message in plan.messages:
        yield f"### {message.name}\n\n{message.doc} Least role: {plan.role_name(message.role)}."
        yield f"Request `0x{message.type:02x}`: {_body_text(plan, message.request)}"
        yield f"Reply `0x{message.type | REPLY_BIT:02x}`: {_body_text(plan, message.reply)}"


def _body_text(plan: Schema, body: Body) -> str:
    if not body.fields:
        return "no body."
    for shared in plan.shared:
        if shared.fields == body.fields:
            return f"[`{shared.name}`](#{shared.name})."
    return f"{_size_text(body)}\n\n{_fields(body)}"


def _size_text(body: Body) -> str:
    return f"{body.bytes_min} bytes" + ("" if body.is_fixed else " and what has no fixed length")


def _fields(body: Body) -> str:
    rows = []
    offset: int | str = 0
    for field in body.fields:
        rows.append((offset, f"`{field.name}`", type_text(field), _unit(field)))
        one = Body("", (field,))
        offset = offset + one.bytes_min if isinstance(offset, int) and one.is_fixed else ""
    return _table(("offset", "field", "type", "unit"), rows)


def _unit(field: Field) -> str:
    if isinstance(field, ArrayField):
        return ""
    return UNITS.get(field.name.removesuffix("_max").rpartition("_")[2], "")


def _enum(enum: Enumeration) -> str:
    where = "" if enum is STAGE_DROP else f", u{8 * enum.width}"
    rows = ((value, f"`{name}`") for name, value in enum.members)
    return f"### {enum.name}\n\nOne of{where}:\n\n{_table(('number', 'name'), rows)}"


def _records() -> str:
    numbers = {str(name): int(value) for name, value in RecordKind.encmapping.items()}
    rows = ((numbers[kind], f"`{kind}`", *_record_cells(plan), plan.doc) for kind, plan in KINDS.items())
    words = (f"word {number}" for number in range(1, 1 + WORDS))
    return _table(("number", "kind", "code", *words, "what happened"), rows)


def _record_cells(plan: KindPlan) -> list[str]:
    """What stands in the code and in each word."""
    cells: list[list[str]] = [[] for _ in range(1 + WORDS)]
    for field in plan.fields:
        for at in range(field.words):
            cells[field.at + at].append(_cell(field, at))
    return [", ".join(cell) for cell in cells]


def _cell(field: RecordField, at: int) -> str:
    if field.is_entries:
        first = at * ENTRIES_PER_WORD
        return f"`{field.name}` {first} to {first + ENTRIES_PER_WORD - 1}"
    if field.is_part:
        last = field.shift + field.bits - 1
        return f"`{field.name}` (bit{f's {field.shift} to' if last > field.shift else ''} {last})"
    return f"`{field.name}` {at}" if field.count > 1 else f"`{field.name}`"
