"""Writes the firmware codec: plain `struct` code for MicroPython, which also runs on CPython."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from enum import Enum

from dosebench_protocol.alarms import PRIORITY_SHIFT, TRAITS, trait_bytes
from dosebench_protocol.schema.kinds import (
    COMMAND_BASE,
    COMMANDS,
    ENTRIES_PER_WORD,
    ENTRY_BITS,
    KINDS,
    RESULTS,
    RecordField,
)
from dosebench_protocol.schema.messages import REJECTED, REPLY_BIT
from dosebench_protocol.schema.model import (
    NO_ROLE,
    STAGE_DROP,
    ArrayField,
    BlobField,
    Body,
    BytesField,
    Field,
    FixedField,
    Schema,
    SchemaError,
    format_of,
    hash_of,
    run_format,
    runs,
)
from dosebench_protocol.telemetry import FIELDS, checksum, text_of

WIDTH = 120

HEAD = """\
# Generated from protocol/dosebench_protocol (messages.py, terms.py), do not edit; `make gen`
#
# pack_x(buf, off, fields...) writes into buf (bytearray or memoryview) and returns the offset after the last byte.
# Fields behind a star are passed by name.
# unpack_x(buf, off, end) returns a tuple of fields; end <= len(buf). Bytes after the last known field are ignored.
# read_x(into, buf, off, end) does the same and assigns each field to the attribute of its name.
# An array is a list of rows, each a tuple; a list of numbers that have names is bytes.
# Both raise ValueError when something is too short, too long or has no room. Bytes come back as copies.
# The caller sees to it that integers fit their field (MicroPython cuts them off without a word), and passes fields of
# fixed length as bytes or bytearray. Numbers without a name in an enumeration pass through.
# fmt: off
from struct import calcsize, pack_into, unpack_from

from const import const

"""

ROLE_OF = """
def role_of(message_type):
    # least role that may send it, -1 for nobody: what is not in the table is denied
    role = ROLES[message_type] if 0 <= message_type < 128 else 255
    return -1 if role == 255 else role

def _put(buf, off, data):
    end = off + len(data)
    buf[off:end] = data
    return end

def _room(buf, end):
    if end > len(buf):
        raise ValueError("no room")

def _exact(data, length):
    if len(data) != length:
        raise ValueError("wrong length")

def _at_most(data, length):
    if len(data) > length:
        raise ValueError("too long")

def _need(left):
    if left < 0:
        raise ValueError("too short")

def _pack(buf, off, form, *fields):
    end = off + calcsize(form)
    _room(buf, end)
    pack_into(form, buf, off, *fields)
    return end

def _unpack(buf, off, end, form):
    _need(end - off - calcsize(form))
    return unpack_from(form, buf, off)

def alarm_traits(alarm):
    # a number that this firmware does not know is urgent, and stops nothing
    return ALARM_TRAITS[alarm] if alarm < len(ALARM_TRAITS) else TRAIT_PRIORITY | TRAIT_NEEDS_CLEARING
"""

ENTRY_MASK = (1 << ENTRY_BITS) - 1

RECORDS = f"""
# A record is a list or tuple of (sequence, day, ms, kind, code, five words). AT_<kind>_<field> is the place of a field;
# part of a word is record[AT_x] >> SHIFT_x & MASK_x. AT_COMMAND_x holds for the records of all commands.
# Alarms stand three in a word, ten bits each (number, and bit 8 where one escalated): from entry ENTRY_x on.
def entry_at(record, entry):
    return record[5 + entry // {ENTRIES_PER_WORD}] >> entry % {ENTRIES_PER_WORD} * {ENTRY_BITS} & {ENTRY_MASK}

def put_entry(record, entry, value):
    record[5 + entry // {ENTRIES_PER_WORD}] |= value << entry % {ENTRIES_PER_WORD} * {ENTRY_BITS}

def id_low(data):
    # low 30 bits of the first four bytes: of a host id, or the head of a program hash
    return data[0] | data[1] << 8 | data[2] << 16 | (data[3] & 0x3F) << 24

def id_high(data):
    return data[3] >> 6

def id_bytes(low, high):
    return bytes((low & 0xFF, low >> 8 & 0xFF, low >> 16 & 0xFF, low >> 24 | high << 6))
"""


class Directions(Enum):
    """Which halves of the codec to write: what a device needs, or everything (for tests)."""

    DEVICE = "device"
    BOTH = "both"


POSITIONAL_FIELDS = 16
"""Bodies with more fields are packed by name: nobody sees a place that is wrong among forty."""

DEVICE_VERBS = {
    "rejected": ("pack",),
    "outcome": ("pack",),
    "record": (),
    "program": ("read",),
    "command": ("unpack",),
}
"""What a device does with a shared struct, where it is not both. Its journal packs records itself, because it hashes
them in parts."""


def wire_source(plan: Schema, directions: Directions = Directions.DEVICE) -> str:
    """The source of the codec.

    Raises:
        SchemaError: Two constants would get the same name.
    """
    parts = [HEAD, *(line + "\n" for line in _constants(plan)), ROLE_OF, RECORDS]
    parts += [f"\n{text}" for text in _functions(plan, directions)]
    parts += ["\n# the same layout under another name\n", *_aliases(plan, directions)]
    return "".join(parts)


def upper_snake(name: str) -> str:
    """`StopReason` as `STOP_REASON`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


def constant_prefix(enum: str) -> str:
    """What the constants of an enumeration begin with; record kinds are short, because the firmware is full of them."""
    return "RECORD" if enum == "RecordKind" else upper_snake(enum)


def _constants(plan: Schema) -> Iterator[str]:
    yield f"SCHEMA_HASH = {_bytes_text(hash_of(plan))}"
    seen: set[str] = set()
    for title, members in _constant_groups(plan):
        yield f"\n# {title}"
        for name, value in members:
            if name in seen:
                raise SchemaError(f"two constants would be called {name}")
            seen.add(name)
            yield f"{name} = const({value})"
    yield "\n# least role by message type"
    yield "ROLES = (" + "".join(f"\n    {_bytes_text(row)}" for row in _role_rows(plan)) + "\n)"
    state = bytes(message.type for message in plan.messages if message.changes_state)
    yield f"CHANGES_STATE = {_bytes_text(state)}  # message types"
    yield "\n# what each alarm is and does, by its number"
    yield "ALARM_TRAITS = (" + "".join(f"\n    {_bytes_text(row)}" for row in _rows(trait_bytes())) + "\n)"
    table = text_of(FIELDS)
    yield "\n# what can be subscribed, and the checksum that names it\nTELEMETRY_TEXT = ("
    yield from (f"    {line!r}" for line in table.splitlines(keepends=True))
    yield ")"
    yield f"TELEMETRY_SUM = {_bytes_text(checksum(table))}"


def _constant_groups(plan: Schema) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    yield "limits", list(plan.limits)
    yield (
        "message types; a reply has that of its request | REPLY",
        [
            *((message.name.upper(), message.type) for message in plan.messages),
            ("REPLY", REPLY_BIT),
            ("REJECTED", REJECTED),
        ],
    )
    for enum in (*plan.enums, STAGE_DROP):
        prefix = constant_prefix(enum.name)
        yield enum.name, [(f"{prefix}_{name.upper()}", value) for name, value in enum.members]
        if enum.name == "Alarm":
            traits = [(f"TRAIT_{name}", value) for name, value in TRAITS.items()]
            yield "bits of ALARM_TRAITS", [*traits, ("TRAIT_PRIORITY_SHIFT", PRIORITY_SHIFT)]
    yield "telemetry fields", [(f"FIELD_{field.name.upper()}", at) for at, field in enumerate(FIELDS)]
    yield "fields of journal records", list(_record_constants())
    fixed = [body for body in plan.shared if body.is_fixed]
    yield (
        "bytes of shared structs",
        [(f"{body.name.upper()}_BYTES", body.bytes_min) for body in fixed if not _named(plan, body)],
    )


def _record_constants() -> Iterator[tuple[str, int]]:
    """Where the fields of records stand in (sequence, day, ms, kind, code, five words)."""
    yield from (("AT_SEQUENCE", 0), ("AT_DAY", 1), ("AT_MS", 2), ("AT_KIND", 3), ("AT_CODE", 4), ("AT_COPIED", 9))
    yield ("COMMAND_BASE", COMMAND_BASE)
    shared = KINDS[COMMANDS[0]].fields[:4]
    for field in shared:
        yield from _field_constants("COMMAND", field)
    for field in KINDS[RESULTS[0]].fields:
        if field.name in ("host", "counter", "low_steps", "high_steps"):
            yield from _field_constants("RESULT", field)
    for kind, plan in KINDS.items():
        for field in plan.fields[4:] if kind in COMMANDS else plan.fields:
            yield from _field_constants(kind.upper(), field)


def _field_constants(kind: str, field: RecordField) -> Iterator[tuple[str, int]]:
    name = f"{kind}_{field.name.upper()}"
    if field.is_entries:
        yield f"ENTRY_{name}", (field.at - 1) * ENTRIES_PER_WORD
        return
    yield f"AT_{name}", 4 + field.at
    if field.is_part:
        yield f"SHIFT_{name}", field.shift
        yield f"MASK_{name}", (1 << field.bits) - 1


def _named(plan: Schema, body: Body) -> bool:
    return any(name == f"{body.name.upper()}_BYTES" for name, _ in plan.limits)


def _role_rows(plan: Schema) -> list[bytes]:
    table = bytearray([NO_ROLE]) * 128
    for message in plan.messages:
        table[message.type] = message.role
    return _rows(bytes(table))


def _rows(data: bytes) -> list[bytes]:
    return [data[start : start + 16] for start in range(0, len(data), 16)]


def _bytes_text(data: bytes) -> str:
    return 'b"' + "".join(f"\\x{byte:02x}" for byte in data) + '"'


def _functions(plan: Schema, directions: Directions) -> Iterator[str]:
    for verb, body in _wanted(plan, directions):
        if _first_name(plan, directions, verb, body) == body.name:
            yield _WRITERS[verb](body)


def _aliases(plan: Schema, directions: Directions) -> Iterator[str]:
    for verb, body in _wanted(plan, directions):
        first = _first_name(plan, directions, verb, body)
        if first != body.name:
            yield f"{verb}_{body.name} = {verb}_{first}\n"


def _first_name(plan: Schema, directions: Directions, verb: str, body: Body) -> str:
    """The first body that the same code serves: one with the same layout."""
    same = (one.name for way, one in _wanted(plan, directions) if way == verb and one.layout == body.layout)
    return next(same)


def _wanted(plan: Schema, directions: Directions) -> Iterator[tuple[str, Body]]:
    both = directions is Directions.BOTH
    for body in plan.shared:
        verbs = ("pack", "unpack") if both else DEVICE_VERBS.get(body.name, ("pack", "unpack"))
        if both and "read" in DEVICE_VERBS.get(body.name, ()):
            yield "read", body
        yield from ((verb, body) for verb in verbs)
    shared = {body.fields for body in plan.shared}
    for message in plan.messages:
        for body, verb in ((message.request, "unpack"), (message.reply, "pack")):
            if body.fields and (body is message.request or body.fields not in shared):
                yield from ((way, body) for way in ("pack", "unpack") if both or way == verb)


def _wrapped(text: str, indent: int = 4) -> str:
    """One statement on lines of at most WIDTH columns; breaks at spaces, which only argument lists have."""
    return (
        "\n".join(textwrap.wrap(text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 4))) + "\n"
    )


def pack_source(body: Body) -> str:
    """The function that packs a body."""
    names = ", ".join(field.name for field in body.fields)
    star = "*, " if len(body.fields) > POSITIONAL_FIELDS else ""
    code = _wrapped(f"def pack_{body.name}(buf, off, {star}{names}):", 0)
    code += _length_checks(body)
    if body.is_fixed:
        # Short, because there are many of them: a board holds the code of each.
        pattern, _ = run_format(_fixed(body), None)
        return code + _wrapped(f'return _pack(buf, off, "{pattern}", {", ".join(_fixed_names(body))})')
    size = " + ".join([str(body.bytes_min), *(_size_text(field) for field in body.fields if _size_text(field))])
    code += f"    _room(buf, off + {size})\n"
    stretches = list(runs(body.fields))
    for index, (run, tail) in enumerate(stretches):
        code += _pack_run(run, tail, last=index == len(stretches) - 1)
    return code


def _size_text(field: Field) -> str:
    match field:
        case BlobField(name=name):
            return f"len({name})"
        case ArrayField(name=name, rows=rows):
            return f"{rows.bytes_min} * len({name})"
    return ""


def _length_checks(body: Body) -> str:
    exact = [f"    _exact({field.name}, {field.length})\n" for field in body.fields if isinstance(field, BytesField)]
    most = [
        f"    _at_most({field.name}, {(1 << 8 * field.width) - 1})\n"
        for field in body.fields
        if isinstance(field, BlobField | ArrayField)
    ]
    return "".join([*exact, *most])


def _pack_run(run: Sequence[FixedField], tail: BlobField | ArrayField | None, last: bool) -> str:
    pattern, size = run_format(run, tail)
    values = [field.name for field in run] + ([f"len({tail.name})"] if tail else [])
    code = _wrapped(f'pack_into("{pattern}", buf, off, {", ".join(values)})')
    match tail:
        case None:
            return code + f"    return off + {size}\n"
        case BlobField(name=name):
            return code + f"    {'return' if last else 'off ='} _put(buf, off + {size}, {name})\n"
        case ArrayField(name=name, rows=rows):
            code += f"    off += {size}\n    for row in {name}:\n"
            code += f'        pack_into("{format_of(_fixed(rows))}", buf, off, *row)\n        off += {rows.bytes_min}\n'
            return code + ("    return off\n" if last else "")


def _fixed_names(body: Body) -> list[str]:
    return [field.name for field in _fixed(body)]


def _fixed(rows: Body) -> list[FixedField]:
    return [field for field in rows.fields if isinstance(field, FixedField)]


def unpack_source(body: Body) -> str:
    """The function that unpacks a body: runs of fixed fields as tuples, and what their last field counts."""
    code = f"def unpack_{body.name}(buf, off, end):\n"
    if body.is_fixed:
        pattern, _ = run_format(_fixed(body), None)
        return code + f'    return _unpack(buf, off, end, "{pattern}")\n'
    got: list[str] = []
    tails: list[str] = []
    stretches = list(runs(body.fields))
    for index, (run, tail) in enumerate(stretches):
        pattern, size = run_format(run, tail)
        code += f"    _need(end - off - {size})\n"
        call = f'unpack_from("{pattern}", buf, off)'
        if run:
            got += _tuple(tails)
            tails = []
        if tail is None:
            return code + _wrapped(f"return {' + '.join([*got, call])}")
        if run:
            code += f"    _run{index} = {call}\n    n = _run{index}[-1]\n"
            got.append(f"_run{index}[:-1]")
        else:
            code += f"    n = {call}[0]\n"
        code += f"    off += {size}\n" + _unpack_tail(tail, last=index == len(stretches) - 1)
        tails.append(tail.name)
    return code + _wrapped(f"return {' + '.join(got + _tuple(tails))}")


def read_source(body: Body) -> str:
    """The function that unpacks a body into attributes of an object."""
    code = f"def read_{body.name}(into, buf, off, end):\n"
    stretches = list(runs(body.fields))
    for index, (run, tail) in enumerate(stretches):
        last = index == len(stretches) - 1
        pattern, size = run_format(run, tail)
        targets = [f"into.{field.name}" for field in run] + (["n"] if tail else [])
        code += f"    _need(end - off - {size})\n"
        code += _assigned(targets, f'unpack_from("{pattern}", buf, off)')
        if tail is not None:
            code += f"    off += {size}\n" + _unpack_tail(tail, last, f"into.{tail.name}")
    return code


def _assigned(targets: Sequence[str], value: str) -> str:
    """An assignment of a tuple; too many targets stand on lines of their own."""
    if len(targets) == 1:
        return f"    {targets[0]} = {value}[0]\n"
    if len(line := f"    {', '.join(targets)} = {value}\n") <= WIDTH:
        return line
    lines = textwrap.wrap(", ".join(targets), WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)
    return "    (\n" + "\n".join(lines) + f"\n    ) = {value}\n"


_WRITERS = {"pack": pack_source, "unpack": unpack_source, "read": read_source}


def _tuple(names: Sequence[str]) -> list[str]:
    """The text of a tuple of these names, if there are any."""
    return [f"({', '.join(names)}{',' if len(names) == 1 else ''})"] if names else []


def _unpack_tail(tail: BlobField | ArrayField, last: bool, target: str = "") -> str:
    target = target or tail.name
    size = tail.rows.bytes_min if isinstance(tail, ArrayField) else 1
    total = "n" if size == 1 else f"{size} * n"
    code = f"    _need(end - off - {total})\n"
    if isinstance(tail, ArrayField):
        row = f'unpack_from("{format_of(_fixed(tail.rows))}", buf, off + {size} * i)'
        code += f"    {target} = [{row} for i in range(n)]\n"
    else:
        code += f"    {target} = bytes(buf[off : off + n])\n"
    return code if last else f"{code}    off += {total}\n"
