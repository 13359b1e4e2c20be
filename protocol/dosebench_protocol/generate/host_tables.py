"""Writes the tables of the host codec: the schema as plain data, so that a host imports no construct to speak it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from dosebench_protocol.schema.kinds import (
    COMMAND_BASE,
    ENTRIES_PER_WORD,
    ENTRY_BITS,
    ENUM_OF,
    JOINED,
    KINDS,
)
from dosebench_protocol.schema.messages import REJECTED, REPLY_BIT
from dosebench_protocol.schema.model import (
    STAGE_DROP,
    ArrayField,
    BlobField,
    Body,
    Enumeration,
    FixedField,
    IntField,
    Schema,
    format_of,
    hash_of,
    run_format,
    runs,
)

HEAD: Final = '''\
"""The schema of `messages` as plain data: all that a host needs of it at run time. `plans` reads the bodies."""

# Generated from protocol/dosebench_protocol (messages.py, terms.py), do not edit; `make gen`
# fmt: off
# ruff: noqa: E501

from __future__ import annotations

from typing import Final

Field = tuple[str, str, int]
"""Name, kind and length in bytes; the kind is `int`, `bytes`, or the name of an enumeration."""

Tail = tuple[str, int, str, tuple[Field, ...]]
"""Name of a field of variable length, bytes of its prefix, format and fields of a row. Bytes have no rows; in place of
a format they have the name of their enumeration, if they are a list of its numbers."""

RecordField = tuple[str, int, int, int, int]
"""Name; 0 for the code or number of the word, from 1 on; shift and bits in it; how many words or entries."""

Run = tuple[str, tuple[Field, ...], Tail | None]
"""`struct` format of fields of fixed length with the prefix of the field of variable length after them, if any."""
'''

MESSAGES_HEAD: Final = """\
MESSAGES: Final[tuple[tuple[int, str, str, bool], ...]] = (
    # type, name, least role, whether it changes state"""


def tables_source(plan: Schema) -> str:
    """The source of `tables`."""
    return HEAD + "\n" + "\n".join(_lines(plan)) + "\n"


def _lines(plan: Schema) -> Iterator[str]:
    yield f'SCHEMA_HASH: Final = bytes.fromhex("{hash_of(plan).hex()}")'
    for name, value in (*plan.limits, ("REPLY_BIT", REPLY_BIT), ("REJECTED", REJECTED)):
        yield f"{name}: Final = {value}"
    yield f"\n{MESSAGES_HEAD}"
    for message in plan.messages:
        yield f'    ({message.type}, "{message.name}", "{plan.role_name(message.role)}", {message.changes_state}),'
    yield ")"
    yield from _members([*plan.enums, STAGE_DROP])
    yield from _record_kinds()
    yield "\nBODIES: Final[dict[str, tuple[Run, ...]]] = {"
    for body in (*plan.shared, *(body for message in plan.messages for body in (message.request, message.reply))):
        yield from _body(body)
    yield "}"


def _members(enums: Sequence[Enumeration]) -> Iterator[str]:
    yield "\nENUMS: Final[dict[str, dict[str, int]]] = {"
    for enum in enums:
        yield f'    "{enum.name}": {{'
        yield from (f'        "{name}": {value},' for name, value in enum.members)
        yield "    },"
    yield "}"


def _record_kinds() -> Iterator[str]:
    yield f"\nCOMMAND_BASE: Final = {COMMAND_BASE}"
    yield f"ENTRY_BITS: Final = {ENTRY_BITS}"
    yield f"ENTRIES_PER_WORD: Final = {ENTRIES_PER_WORD}"
    yield "\nRECORD_KINDS: Final[dict[str, tuple[RecordField, ...]]] = {"
    for kind, plan in KINDS.items():
        yield f'    "{kind}": ('
        for field in plan.fields:
            yield f'        ("{field.name}", {field.at}, {field.shift}, {field.bits}, {field.count}),'
        yield "    ),"
    yield "}"
    yield "\nRECORD_ENUMS: Final[dict[str, str]] = {"
    yield from (f'    "{name}": "{enum}",' for name, enum in ENUM_OF.items())
    yield "}"
    yield "\nJOINED: Final[dict[str, tuple[str, ...]]] = {"
    for name, parts in JOINED.items():
        yield f'    "{name}": ({", ".join(map(_quoted, parts))},),'
    yield "}"


def _quoted(name: str) -> str:
    return f'"{name}"'


def _body(body: Body) -> Iterator[str]:
    if not body.fields:
        yield f'    "{body.name}": (),'
        return
    yield f'    "{body.name}": ('
    for run, tail in runs(body.fields):
        yield f'        ("{run_format(run, tail)[0]}", ('
        yield from (f"            {_field(field)}," for field in run)
        yield f"        ), {_tail(tail)}),"
    yield "    ),"


def _field(field: FixedField) -> str:
    if not isinstance(field, IntField):
        return f'("{field.name}", "bytes", {field.length})'
    return f'("{field.name}", "{field.enum.name if field.enum else "int"}", {field.width})'


def _tail(tail: BlobField | ArrayField | None) -> str:
    match tail:
        case None:
            return "None"
        case BlobField(name=name, width=width, enum=enum):
            return f'("{name}", {width}, "{enum.name if enum else ""}", ())'
        case ArrayField(name=name, width=width, rows=rows):
            fixed = [field for field in rows.fields if isinstance(field, FixedField)]
            return f'("{name}", {width}, "{format_of(fixed)}", ({", ".join(map(_field, fixed))},))'
