"""Writes the Wireshark dissector: tables from the schema around a hand-written template."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dosebench_protocol.schema.kinds import COMMAND_BASE, ENTRY_BITS, ENUM_OF, KINDS, RecordField
from dosebench_protocol.schema.messages import REJECTED
from dosebench_protocol.schema.model import (
    STAGE_DROP,
    ArrayField,
    BlobField,
    Body,
    BytesField,
    Enumeration,
    Field,
    IntField,
    Schema,
    hash_of,
)
from dosebench_protocol.schema.terms import BODY_BYTES_MAX, CRC_BYTES, HEADER_BYTES, RECORD_BYTES, TAG_BYTES

TEMPLATE: Final = Path(__file__).with_name("templates") / "dosebench.lua"
MARK: Final = "Generated from protocol/dosebench_protocol (messages.py, terms.py), do not edit; `make gen`"

TEXT_BLOBS: Final = ("drug_names", "board", "runtime", "profile")
"""Length-prefixed bytes that hold UTF-8 text."""

RECORD_BLOBS: Final = ("records",)
"""Length-prefixed bytes that hold journal records."""


def dissector_source(plan: Schema) -> str:
    """The Lua source of the dissector."""
    replacements = {
        "@@MARK@@": MARK,
        "@@SCHEMA_HASH@@": hash_of(plan).hex(),
        "@@SIZES@@": f"{HEADER_BYTES}, {TAG_BYTES}, {CRC_BYTES}, {BODY_BYTES_MAX}",
        "@@REJECTED@@": str(REJECTED),
        "@@RECORD_BYTES@@": str(RECORD_BYTES),
        "@@TABLES@@": "\n".join(_tables(plan)) + "\n",
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for mark, value in replacements.items():
        text = text.replace(mark, value)
    return text


def _tables(plan: Schema) -> Iterator[str]:
    for enum in plan.enums:
        yield from _enum_table(enum)
    yield from _enum_table(STAGE_DROP)
    yield "local MESSAGES = {"
    for message in plan.messages:
        names = f'name = "{message.name}", request = "{message.request.name}", reply = "{message.reply.name}"'
        yield f"  [{message.type}] = {{ {names} }},"
    yield "}"
    yield "local BODIES = {"
    for body in (*plan.shared, *(body for message in plan.messages for body in (message.request, message.reply))):
        yield from _body_table(body)
    yield "}"
    yield f"local COMMAND_BASE, ENTRY_BITS = {COMMAND_BASE}, {ENTRY_BITS}"
    numbers = next((dict(enum.members) for enum in plan.enums if enum.name == "RecordKind"), {})
    yield "local RECORD_KINDS = {"
    for kind, number in numbers.items():
        yield f"  [{number}] = {{ {', '.join(map(_record_spec, KINDS[kind].fields))} }},"
    yield "}"


def _record_spec(field: RecordField) -> str:
    parts = [f'"{field.name}"', str(field.at), str(field.shift), str(field.bits), str(field.count)]
    parts += [ENUM_OF[field.name]] if field.name in ENUM_OF else []
    return "{ " + ", ".join(parts) + " }"


def _enum_table(enum: Enumeration) -> Iterator[str]:
    yield f"local {enum.name} = {{"
    for name, value in enum.members:
        yield f'  [{value}] = "{name}",'
    yield "}"


def _body_table(body: Body) -> Iterator[str]:
    if not body.fields:
        yield f"  {body.name} = {{}},"
        return
    yield f"  {body.name} = {{"
    yield from (f"    {_spec(field)}," for field in body.fields)
    yield "  },"


def _spec(field: Field) -> str:
    parts = [f'name = "{field.name}"']
    match field:
        case IntField(width=width, enum=enum):
            parts += ['kind = "int"', f"width = {width}"]
            parts += [f"enum = {enum.name}"] if enum else []
        case BytesField(length=length):
            parts += ['kind = "bytes"', f"length = {length}"]
        case BlobField(name=name, width=width, enum=enum):
            parts += ['kind = "blob"', f"width = {width}"]
            parts += [f"list = {enum.name}"] if enum else []
            parts += ["text = true"] if name in TEXT_BLOBS else []
            parts += ["rows = {}", f"row_bytes = {RECORD_BYTES}"] if name in RECORD_BLOBS else []
        case ArrayField(width=width, rows=rows):
            parts += ['kind = "array"', f"width = {width}", f"rows = {{ {', '.join(map(_spec, rows.fields))} }}"]
    return "{ " + ", ".join(parts) + " }"
