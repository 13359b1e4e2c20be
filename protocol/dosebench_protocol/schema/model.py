"""The schema of `messages` as plain data, and the border of the allowed `construct` subset.

`read` turns construct objects into the few field classes below and refuses everything that a microcontroller could not
decode with `struct` alone. The generator works on these classes, never on construct's own.
"""

from __future__ import annotations

import hashlib
import keyword
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import construct as cs

from dosebench_protocol import alarms
from dosebench_protocol.errors import ProtocolError
from dosebench_protocol.schema import kinds, messages, terms
from dosebench_protocol.schema.messages import Message

RESERVED_NAMES: Final = frozenset(
    {"buf", "off", "end", "n", "i", "row", "pack_into", "unpack_from", "bytes", "len", "range", "ValueError"}
)
"""Field names that the generated code needs for itself."""

NO_ROLE: Final = 255
"""Entry of the role table for a type that nobody may send."""

_INTEGERS: Final = {"<B": 1, ">B": 1, "<H": 2, "<L": 4, "<I": 4}
_SIZE_CODES: Final = {1: "B", 2: "H", 4: "I"}


class SchemaError(ProtocolError):
    """The schema has something outside the allowed subset; the text names the field."""


@dataclass(frozen=True, slots=True)
class Enumeration:
    """Names for numbers of one field type.

    Attributes:
        name: Name in the schema, as `StopReason`.
        width: Bytes of the field.
        members: (name, value) in the order of the schema.
    """

    name: str
    width: int
    members: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class IntField:
    """Unsigned little-endian integer of `width` bytes, perhaps with names for its values."""

    name: str
    width: int
    enum: Enumeration | None = None


@dataclass(frozen=True, slots=True)
class BytesField:
    """Exactly `length` bytes."""

    name: str
    length: int


@dataclass(frozen=True, slots=True)
class BlobField:
    """Bytes after their length, which is an integer of `width` bytes; perhaps each with a name: a list of numbers."""

    name: str
    width: int
    enum: Enumeration | None = None


@dataclass(frozen=True, slots=True)
class ArrayField:
    """Rows of fixed length after their count, which is an integer of `width` bytes."""

    name: str
    width: int
    rows: Body


Field = IntField | BytesField | BlobField | ArrayField
FixedField = IntField | BytesField


@dataclass(frozen=True, slots=True)
class Body:
    """Fields in their order on the wire."""

    name: str
    fields: tuple[Field, ...]

    @property
    def bytes_min(self) -> int:
        """Length in bytes when everything of variable length is empty."""
        return sum(field.length if isinstance(field, BytesField) else field.width for field in self.fields)

    @property
    def is_fixed(self) -> bool:
        """Whether every body of this kind has the same length."""
        return all(isinstance(field, FixedField) for field in self.fields)

    @property
    def layout(self) -> tuple[object, ...]:
        """What two bodies have in common when one decoder serves both."""
        return tuple(_layout(field) for field in self.fields)


@dataclass(frozen=True, slots=True)
class MessagePlan:
    """A `messages.Message` with its bodies as plain data."""

    type: int
    name: str
    role: int
    request: Body
    reply: Body
    changes_state: bool
    doc: str


@dataclass(frozen=True, slots=True)
class Schema:
    """All that the generator needs to know.

    Attributes:
        enums: Every enumeration, in the order of their definition.
        shared: Bodies that are not one message's own, by their name in generated code.
        messages: In order of type.
        limits: (name, value) of the constants that both ends hold.
    """

    enums: tuple[Enumeration, ...]
    shared: tuple[Body, ...]
    messages: tuple[MessagePlan, ...]
    limits: tuple[tuple[str, int], ...]

    def role_name(self, role: int) -> str:
        """The name of a role number."""
        roles = next(enum for enum in self.enums if enum.name == "Role")
        return next(name for name, value in roles.members if value == role)


COMMAND: Final = Body("command", (IntField("counter", 4),))
"""The begin of every request that changes state: the own count of the host that opened the session."""

NAMESPACE: Final[Mapping[str, Any]] = {**vars(terms), **vars(messages)}
"""Where enumerations, shared structs and limits are looked up, in the order of their definition."""

STAGE_DROP: Final = Enumeration("StageDrop", 1, tuple(kinds.STAGE_DROP.items()))
"""Meaning of `code` in a `stage_dropped` record; it occurs in no message."""

SHARED_NAMES: Final = ("Header", "Rejected", "Outcome", "Record", "Program")
"""Structs of `messages` that generated code names after themselves."""

LIMIT_NAMES: Final = (
    "PROTOCOL_VERSION",
    "FRACTION_MAX",
    "COUNT_MAX",
    "BODY_BYTES_MAX",
    "RECORD_BYTES",
    "CHAIN_BYTES",
    "PROGRAM_BYTES_MAX",
    "CHUNK_BYTES_MAX",
    "FLEX_STEPS_MAX",
    "PATTERNS_MAX",
    "RATES_MAX",
    "DRUGS_MAX",
    "CAPS_MAX",
    "GUARD_CAPS_MAX",
    "CAP_MINUTES_MAX",
    "TITRATION_STEPS_MAX",
    "PATIENT_BOLUSES_MAX",
    "PRIME_ARMED_MS",
    "LATCHED_MAX",
    "HASH_HEAD_BYTES",
    "PROGRAM_FORMAT",
    "HEADER_BYTES",
    "TAG_BYTES",
    "NONCE_BYTES",
    "KEY_BYTES",
    "SESSION_IDLE_MS",
    "OFFER_MS",
    "CRC_BYTES",
    "PLAIN_BYTES_MAX",
    "FRAME_BYTES_MAX",
)
"""Constants of `messages` that both ends hold."""


@cache
def schema() -> Schema:
    """The schema of `messages` and `terms`.

    Raises:
        SchemaError: It leaves the allowed subset.
    """
    return read(messages.MESSAGES, NAMESPACE)


@cache
def schema_hash() -> bytes:
    """First 8 bytes of the SHA-256 of the canonical description: what `hello` says as `schema_hash`."""
    return hash_of(schema())


def hash_of(plan: Schema) -> bytes:
    """First 8 bytes of the SHA-256 over `describe(plan)`."""
    return hashlib.sha256(describe(plan).encode()).digest()[:8]


def read(definitions: Sequence[Message], namespace: Mapping[str, Any]) -> Schema:
    """The schema in `definitions`; enumerations, shared structs and limits are looked up in `namespace` by name.

    Raises:
        SchemaError: Something is outside the allowed subset, or contradicts something else.
    """
    enums = tuple(_enum(name, value) for name, value in namespace.items() if isinstance(value, cs.Enum))
    known = {id(namespace[enum.name]): enum for enum in enums}
    shared = (
        *(read_body(name.lower(), namespace[name], known) for name in SHARED_NAMES),
        COMMAND,
    )
    limits = tuple((name, int(namespace[name])) for name in LIMIT_NAMES)
    roles = dict(next((enum.members for enum in enums if enum.name == "Role"), ()))
    plans = tuple(_message(message, known, roles) for message in definitions)
    _check_types(plans)
    _check_records(enums)
    check_alarms(enums)
    return Schema(enums, shared, plans, limits)


def _message(message: Message, known: Mapping[int, Enumeration], roles: Mapping[str, int]) -> MessagePlan:
    if message.role not in roles:
        raise SchemaError(f"{message.name}: no role is called {message.role!r}")
    request = read_body(f"{message.name}_request", message.request, known)
    reply = read_body(f"{message.name}_reply", message.reply, known)
    if message.changes_state and request.fields[:1] != COMMAND.fields:
        raise SchemaError(f"{message.name}: a request that changes state begins with counter (u32)")
    if message.changes_state and not 0 <= message.type - kinds.COMMAND_BASE < 64:
        raise SchemaError(f"{message.name}: records hold the type of a command in 6 bits above {kinds.COMMAND_BASE}")
    return MessagePlan(
        message.type, message.name, roles[message.role], request, reply, message.changes_state, message.doc
    )


def _check_types(plans: Sequence[MessagePlan]) -> None:
    types = [plan.type for plan in plans]
    if types != sorted(set(types)):
        raise SchemaError("message types must be unique and in ascending order")
    if len({plan.name for plan in plans}) != len(plans):
        raise SchemaError("message names must be unique")
    for plan in plans:
        if not 0 <= plan.type < 0x7F:
            raise SchemaError(
                f"{plan.name}: type {plan.type} is outside 0 to 126; bit 7 marks a reply, 127 is reserved"
            )


def _check_records(enums: Sequence[Enumeration]) -> None:
    numbered = {name for enum in enums if enum.name == "RecordKind" for name, _ in enum.members}
    if odd := sorted(numbered ^ set(kinds.KINDS)):
        raise SchemaError(f"RecordKind.{odd[0]}: must stand in RecordKind and in kinds.KINDS")
    unknown = set(kinds.ENUM_OF.values()) - {enum.name for enum in enums} - {STAGE_DROP.name}
    if numbered and unknown:
        raise SchemaError(f"kinds.ENUM_OF: no enumeration is called {sorted(unknown)[0]}")


def check_alarms(enums: Sequence[Enumeration]) -> None:
    """Check that the enumeration of alarms, if there is one, is that of the alarm table.

    Raises:
        SchemaError: It differs; the text names the alarm.
    """
    members = next((enum.members for enum in enums if enum.name == "Alarm"), ())
    if members and [name for name, _ in members] != ["none", *alarms.ALARMS]:
        odd = sorted({name for name, _ in members} ^ {"none", *alarms.ALARMS}) or ["the order"]
        raise SchemaError(f"Alarm.{odd[0]}: must stand in Alarm and, in the same order, in alarms.ALARMS")
    if [number for _, number in members] != list(range(len(members))):
        raise SchemaError("Alarm: its numbers must follow each other, because the traits of alarms are a table")


def read_body(name: str, struct: Any, known: Mapping[int, Enumeration]) -> Body:
    """The fields of a construct `Struct`; `known` maps the `id` of enumeration objects to their plan.

    Raises:
        SchemaError: A field is outside the allowed subset.
    """
    if not isinstance(struct, cs.Struct):
        raise SchemaError(f"{name}: a body is a Struct, not {_kind(struct)}")
    fields = tuple(_field(name, subcon, known) for subcon in struct.subcons)
    if len({field.name for field in fields}) != len(fields):
        raise SchemaError(f"{name}: two fields have the same name")
    body = Body(name, fields)
    if body.bytes_min > terms.BODY_BYTES_MAX:
        raise SchemaError(f"{name}: {body.bytes_min} bytes do not fit into a body of {terms.BODY_BYTES_MAX}")
    return body


def _field(body: str, subcon: Any, known: Mapping[int, Enumeration]) -> Field:
    if not isinstance(subcon, cs.Renamed) or not subcon.name:
        raise SchemaError(f"{body}: a field without a name ({_kind(subcon)})")
    name, where, inner = str(subcon.name), f"{body}.{subcon.name}", subcon.subcon
    if not name.isidentifier() or keyword.iskeyword(name) or name in RESERVED_NAMES or name.startswith("_"):
        raise SchemaError(f"{where}: this name cannot be used in the generated code")
    if subcon.parsed is not None:
        raise SchemaError(f"{where}: a parse hook cannot be generated")
    if isinstance(inner, cs.Enum):
        if id(inner) not in known:
            raise SchemaError(f"{where}: the enumeration has no name of its own in the schema module")
        return IntField(name, known[id(inner)].width, known[id(inner)])
    if isinstance(inner, cs.FormatField):
        return IntField(name, _width(where, inner))
    return _bytes_field(where, name, inner, known)


def _bytes_field(where: str, name: str, inner: Any, known: Mapping[int, Enumeration]) -> Field:
    if isinstance(inner, cs.Bytes):
        if not isinstance(inner.length, int) or inner.length < 1:
            raise SchemaError(f"{where}: the length of Bytes must be a positive number, not computed")
        return BytesField(name, inner.length)
    if isinstance(inner, cs.Prefixed):
        return BlobField(name, _blob_width(where, inner))
    if isinstance(inner, cs.FocusedSeq):
        return _array_field(where, name, inner, known)
    raise SchemaError(f"{where}: {_kind(inner)} is outside the subset that the firmware can decode")


def _blob_width(where: str, prefixed: Any) -> int:
    if not isinstance(prefixed.subcon, type(cs.GreedyBytes)):
        raise SchemaError(f"{where}: Prefixed holds {_kind(prefixed.subcon)}; only GreedyBytes can be generated")
    if prefixed.includelength:
        raise SchemaError(f"{where}: a length that counts itself is outside the subset")
    return _prefix_width(where, prefixed.lengthfield)


def _array_field(where: str, name: str, seq: Any, known: Mapping[int, Enumeration]) -> Field:
    """A `PrefixedArray`, which construct builds from a FocusedSeq of a count and an array."""
    parts = [getattr(subcon, "subcon", None) for subcon in seq.subcons]
    if len(parts) != 2 or not isinstance(parts[0], cs.Rebuild) or not isinstance(parts[1], cs.Array):
        raise SchemaError(f"{where}: FocusedSeq is outside the subset, except as PrefixedArray")
    if id(parts[1].subcon) in known:
        enum = known[id(parts[1].subcon)]
        if enum.width != 1:
            raise SchemaError(f"{where}: a list of {enum.name}; only lists of numbers of one byte can be generated")
        return BlobField(name, _prefix_width(where, parts[0].subcon), enum)
    rows = read_body(where, parts[1].subcon, known)
    if not rows.fields or not rows.is_fixed:
        raise SchemaError(f"{where}: the rows of an array need fields of fixed length only")
    return ArrayField(name, _prefix_width(where, parts[0].subcon), rows)


def _prefix_width(where: str, subcon: Any) -> int:
    if not isinstance(subcon, cs.FormatField):
        raise SchemaError(f"{where}: the length prefix must be Int8ul or Int16ul, not {_kind(subcon)}")
    width = _width(where, subcon)
    if width > 2:
        raise SchemaError(f"{where}: a length prefix of {width} bytes; a body is shorter than 2^16 bytes")
    return width


def _width(where: str, subcon: Any) -> int:
    width = _INTEGERS.get(str(subcon.fmtstr))
    if width is None or subcon.length != width:
        raise SchemaError(f"{where}: format {subcon.fmtstr!r}; only Int8ul, Int16ul and Int32ul can be generated")
    return width


def _enum(name: str, subcon: Any) -> Enumeration:
    if not isinstance(subcon.subcon, cs.FormatField):
        raise SchemaError(f"{name}: an enumeration stands on an integer, not on {_kind(subcon.subcon)}")
    width = _width(name, subcon.subcon)
    members = tuple((str(key), int(value)) for key, value in subcon.encmapping.items())
    if len({value for _, value in members}) != len(members):
        raise SchemaError(f"{name}: two members have the same value")
    for member, value in members:
        if not 0 <= value < 1 << 8 * width:
            raise SchemaError(f"{name}.{member}: {value} does not fit into {width} bytes")
    return Enumeration(name, width, members)


def _kind(subcon: Any) -> str:
    return type(subcon).__name__


def _layout(field: Field) -> tuple[object, ...]:
    match field:
        case IntField(width=width):
            return ("int", width)
        case BytesField(length=length):
            return ("bytes", length)
        case BlobField(width=width):
            return ("blob", width)
        case ArrayField(width=width, rows=rows):
            return ("array", width, rows.layout)


def type_text(field: Field) -> str:
    """The type of a field in a few letters, as `u32`, `u8 StopReason`, `4 bytes`, `u16 + bytes`."""
    match field:
        case IntField(width=width, enum=None):
            return f"u{8 * width}"
        case IntField(width=width, enum=Enumeration(name=name)):
            return f"u{8 * width} {name}"
        case BytesField(length=length):
            return f"{length} bytes"
        case BlobField(width=width, enum=None):
            return f"u{8 * width} + bytes"
        case BlobField(width=width, enum=Enumeration(name=name)):
            return f"u{8 * width} + list of u8 {name}"
        case ArrayField(width=width, rows=rows):
            return f"u{8 * width} + rows of ({', '.join(f'{row.name}: {type_text(row)}' for row in rows.fields)})"
    raise AssertionError(field)


def format_of(fields: Sequence[FixedField]) -> str:
    """The `struct` format of fields of fixed length, with its byte order."""
    return "<" + "".join(
        f"{field.length}s" if isinstance(field, BytesField) else _SIZE_CODES[field.width] for field in fields
    )


def runs(fields: Sequence[Field]) -> Iterator[tuple[list[FixedField], BlobField | ArrayField | None]]:
    """Fields cut into stretches that one `struct` call can do, each with the variable field after it."""
    run: list[FixedField] = []
    for field in fields:
        if isinstance(field, BlobField | ArrayField):
            yield run, field
            run = []
        else:
            run.append(field)
    if run or not fields:
        yield run, None


def run_format(run: Sequence[FixedField], tail: BlobField | ArrayField | None) -> tuple[str, int]:
    """`struct` format of a stretch and its length in bytes; the prefix of the variable field belongs to it."""
    prefix = [IntField("prefix", tail.width)] if tail else []
    fields = [*run, *prefix]
    return format_of(fields), Body("", tuple(fields)).bytes_min


def plain_construct(body: Body) -> Any:
    """A construct of the same layout that gives plain integers."""
    return cs.Struct(*(field.name / _plain_subcon(field) for field in body.fields))


def _plain_subcon(field: Field) -> Any:
    integers = {1: cs.Int8ul, 2: cs.Int16ul, 4: cs.Int32ul}
    match field:
        case IntField(width=width):
            return integers[width]
        case BytesField(length=length):
            return cs.Bytes(length)
        case BlobField(width=width):
            return cs.Prefixed(integers[width], cs.GreedyBytes)
        case ArrayField(width=width, rows=rows):
            return cs.PrefixedArray(integers[width], plain_construct(rows))


def describe(plan: Schema) -> str:
    """The schema as text, one line for each thing that both ends must agree on. Docs are left out."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: Schema) -> Iterator[str]:
    for name, value in plan.limits:
        yield f"limit {name} {value}"
    for enum in (*plan.enums, STAGE_DROP):
        yield f"enum {enum.name} u{8 * enum.width} " + " ".join(f"{name}={value}" for name, value in enum.members)
    for record, fields in kinds.KINDS.items():
        parts = (f"{one.name}@{one.at}.{one.shift}:{one.bits}*{one.count}" for one in fields.fields)
        yield f"record {record} " + " ".join(parts)
    for body in plan.shared:
        yield f"struct {_body_line(body)}"
    for message in plan.messages:
        yield f"message {message.type} {message.name} role={message.role} changes_state={int(message.changes_state)}"
        yield f"  {_body_line(message.request)}"
        yield f"  {_body_line(message.reply)}"


def _body_line(body: Body) -> str:
    return f"{body.name}: " + ", ".join(f"{field.name} {type_text(field)}" for field in body.fields)
