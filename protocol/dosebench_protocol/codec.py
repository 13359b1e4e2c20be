"""Bodies of messages as plain Python values, for hosts. No I/O.

Values: integers are int; enumerations are str, a number without a name being `unknown_N`; flags are a sorted tuple of
names, an unnamed bit being `bit_N`; bytes are bytes. Encoding takes the same, and plain integers in place of names.
What a newer device sends beyond the known names and fields is kept or ignored, never an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import construct as cs

from . import messages
from .errors import ProtocolError
from .frame import Frame
from .messages import BODY_BYTES_MAX, MESSAGES, REJECTED, Message
from .schema import ArrayField, BlobField, Body, BytesField, Enumeration, Field, IntField, schema

REPLY_BIT: Final = 0x80
"""Set in the type of a reply."""

REJECTED_NAME: Final = "rejected"
"""Name of the reply that refuses a request."""

Values = dict[str, Any]
"""Fields of a body by name."""


class CodecError(ProtocolError):
    """A body that cannot be decoded, or fields that cannot be encoded; the text names the field."""


class UnexpectedReplyError(ProtocolError):
    """A reply to something else than what was asked."""


class RejectedError(ProtocolError):
    """The device refused a request.

    Attributes:
        request: Name of the request, as the device understood it.
        reason: Name of the reason.
        detail: A number that goes with the reason (an offset, a limit).
    """

    def __init__(self, request: str, reason: str, detail: int) -> None:
        super().__init__(f"{request} was refused: {reason} ({detail})")
        self.request = request
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Decoded:
    """The message in a frame.

    Attributes:
        name: Name of the message, or `rejected`.
        is_reply: Whether it came from the device.
        fields: Its body.
    """

    name: str
    is_reply: bool
    fields: Values


_BY_NAME: Final[Mapping[str, Message]] = {message.name: message for message in MESSAGES}
_BY_TYPE: Final[Mapping[int, Message]] = {message.type: message for message in MESSAGES}
_SHARED: Final[Mapping[str, Any]] = {
    "therapy": messages.Therapy,
    "record": messages.Record,
    "outcome": messages.Outcome,
    REJECTED_NAME: messages.Rejected,
}


def by_name(name: str) -> Message:
    """The message called `name`.

    Raises:
        CodecError: There is none.
    """
    if name not in _BY_NAME:
        raise CodecError(f"no message is called {name!r}")
    return _BY_NAME[name]


def by_type(number: int) -> Message:
    """The message whose request has type `number`, or whose reply has it.

    Raises:
        CodecError: There is none.
    """
    if number == REJECTED or number & ~REPLY_BIT not in _BY_TYPE:
        raise CodecError(f"no message has type 0x{number:02x}")
    return _BY_TYPE[number & ~REPLY_BIT]


def encode_request(name: str, **fields: Any) -> bytes:
    """Body of the request `name`.

    Raises:
        CodecError: No such message, or a field is missing, unknown or out of range.
    """
    return _build(by_name(name).request, f"{name}_request", fields)


def encode_reply(name: str, **fields: Any) -> bytes:
    """Body of the reply to `name`, or of `rejected`; for simulators and tests.

    Raises:
        CodecError: As of `encode_request`.
    """
    if name == REJECTED_NAME:
        return encode_struct(name, **fields)
    return _build(by_name(name).reply, f"{name}_reply", fields)


def encode_struct(name: str, **fields: Any) -> bytes:
    """Bytes of a shared struct: `therapy`, `record`, `outcome` or `rejected`.

    Raises:
        CodecError: As of `encode_request`.
    """
    return _build(_SHARED[name], name, fields)


def decode_request(name: str, body: bytes) -> Values:
    """Fields of the request `name`.

    Raises:
        CodecError: No such message, or the body is too short.
    """
    by_name(name)
    return _parse(f"{name}_request", body)


def decode_reply(name: str, body: bytes) -> Values:
    """Fields of the reply to `name`, or of `rejected`.

    Raises:
        CodecError: No such message, or the body is too short.
    """
    if name == REJECTED_NAME:
        return decode_struct(name, body)
    by_name(name)
    return _parse(f"{name}_reply", body)


def decode_struct(name: str, data: bytes) -> Values:
    """Fields of a shared struct: `therapy`, `record`, `outcome` or `rejected`.

    Raises:
        CodecError: `data` is too short.
    """
    return _parse(name, data)


def decode_frame(frame: Frame) -> Decoded:
    """The message in `frame`, whoever sent it.

    Raises:
        CodecError: The type is unknown or the body too short.
    """
    if frame.type == REJECTED:
        return Decoded(REJECTED_NAME, True, decode_struct(REJECTED_NAME, frame.body))
    name = by_type(frame.type).name
    if frame.type & REPLY_BIT:
        return Decoded(name, True, decode_reply(name, frame.body))
    return Decoded(name, False, decode_request(name, frame.body))


def parse_reply(name: str, frame: Frame) -> Values:
    """Fields of the reply in `frame` to the request `name`.

    Raises:
        RejectedError: The device refused the request.
        UnexpectedReplyError: It is no reply to this request.
        CodecError: The body is too short.
    """
    if frame.type == REJECTED:
        fields = decode_struct(REJECTED_NAME, frame.body)
        known = _BY_TYPE.get(fields["type"])
        raise RejectedError(known.name if known else f"type 0x{fields['type']:02x}", fields["reason"], fields["detail"])
    if frame.type != by_name(name).type | REPLY_BIT:
        raise UnexpectedReplyError(f"a frame of type 0x{frame.type:02x} is no reply to {name}")
    return decode_reply(name, frame.body)


@cache
def _bodies() -> Mapping[str, Body]:
    plan = schema()
    own = [body for message in plan.messages for body in (message.request, message.reply)]
    return {body.name: body for body in (*plan.shared, *own)}


def _build(struct: Any, name: str, fields: Values) -> bytes:
    body = _bodies()[name]
    names = [field.name for field in body.fields]
    if wrong := sorted(set(fields) ^ set(names)):
        kind = "unknown" if wrong[0] in fields else "missing"
        raise CodecError(f"{name}: {kind} field {wrong[0]!r}; it has {', '.join(names) or 'none'}")
    values = {field.name: _plain_value(f"{name}.{field.name}", field, fields[field.name]) for field in body.fields}
    data = bytes(struct.build(values))
    if len(data) > BODY_BYTES_MAX:
        raise CodecError(f"{name}: {len(data)} bytes are more than a body's {BODY_BYTES_MAX}")
    return data


def _plain_value(where: str, field: Field, value: Any) -> Any:
    """The value as construct takes it, checked."""
    match field:
        case IntField(width=width, enum=enum):
            number = _number(where, enum, value)
            if not 0 <= number < 1 << 8 * width:
                raise CodecError(f"{where}: {number} does not fit into {width} bytes")
            return number
        case BytesField(length=length):
            return _checked_bytes(where, value, length, length)
        case BlobField(width=width):
            return _checked_bytes(where, value, 0, (1 << 8 * width) - 1)
        case ArrayField(rows=rows):
            return [{row.name: _plain_value(where, row, item[row.name]) for row in rows.fields} for item in value]


def _checked_bytes(where: str, value: Any, least: int, most: int) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise CodecError(f"{where}: bytes wanted, not {type(value).__name__}")
    if not least <= len(value) <= most:
        raise CodecError(f"{where}: {len(value)} bytes; {least if least == most else f'at most {most}'} wanted")
    return bytes(value)


def _number(where: str, enum: Enumeration | None, value: Any) -> int:
    if isinstance(value, int):
        return int(value)
    if enum and enum.flags and isinstance(value, Iterable) and not isinstance(value, str | bytes):
        number = 0
        for name in value:
            number |= _member(where, enum, name)
        return number
    if enum and not enum.flags:
        return _member(where, enum, value)
    raise CodecError(f"{where}: {type(value).__name__} is no value for it")


def _member(where: str, enum: Enumeration, name: Any) -> int:
    members = dict(enum.members)
    if name in members:
        return members[name]
    prefix, _, digits = str(name).rpartition("_")
    if prefix == ("bit" if enum.flags else "unknown") and digits.isdecimal():
        return 1 << int(digits) if enum.flags else int(digits)
    raise CodecError(f"{where}: {name!r} is none of {', '.join(members)}")


@cache
def _parser(name: str) -> Any:
    return plain_construct(_bodies()[name])


def plain_construct(body: Body) -> Any:
    """A construct that gives plain integers: construct's own FlagsEnum loses bits that have no name."""
    return cs.Struct(*(field.name / _subcon(field) for field in body.fields))


def _subcon(field: Field) -> Any:
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


def _parse(name: str, data: bytes) -> Values:
    body = _bodies()[name]
    try:
        parsed = _parser(name).parse(data)
    except cs.ConstructError as error:
        raise CodecError(f"{name}: {len(data)} bytes are too short for it") from error
    return {field.name: _named_value(field, parsed[field.name]) for field in body.fields}


def _named_value(field: Field, value: Any) -> Any:
    match field:
        case IntField(enum=Enumeration() as enum):
            return _flags(enum, value) if enum.flags else _name(enum, value)
        case ArrayField(rows=rows):
            return [{row.name: _named_value(row, item[row.name]) for row in rows.fields} for item in value]
    return value


@cache
def _name(enum: Enumeration, value: int) -> str:
    return next((name for name, number in enum.members if number == value), f"unknown_{value}")


def _flags(enum: Enumeration, value: int) -> tuple[str, ...]:
    names = {number: name for name, number in enum.members}
    bits = (bit for bit in range(8 * enum.width) if value >> bit & 1)
    return tuple(sorted(names.get(1 << bit, f"bit_{bit}") for bit in bits))
