"""Bodies of messages as plain Python values, for hosts. No I/O.

Values: integers are int; enumerations are str, a number without a name being `unknown_N`; a list of such numbers is a
tuple of names; bytes are bytes; an array is a list of rows, each a dict of such values. Encoding accepts the same, and
plain integers in place of names. It bounds an array by its count alone; the device checks the limits of a program.
What a newer device sends beyond the known names and fields is kept or ignored, never an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from . import plans, tables
from .errors import CodecError, ProtocolError
from .frame import Frame
from .plans import Values
from .tables import REJECTED, REPLY_BIT

__all__ = [
    "MESSAGES",
    "REJECTED_NAME",
    "REPLY_BIT",
    "CodecError",
    "Decoded",
    "Message",
    "RejectedError",
    "UnexpectedReplyError",
    "Values",
    "by_name",
    "by_type",
    "decode_frame",
    "decode_reply",
    "decode_request",
    "decode_struct",
    "encode_reply",
    "encode_request",
    "encode_struct",
    "parse_reply",
]

STOP: Final = "stop"
"""Name of the request that needs no session, and then has no body."""

REJECTED_NAME: Final = "rejected"
"""Name of the reply that refuses a request."""


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


class Message(NamedTuple):
    """One request and its reply.

    Attributes:
        type: Number in the frame, 0 to 127; the reply has `type | REPLY_BIT`.
        name: Its name.
        role: Least role that may send it.
        changes_state: Whether it begins with the host's `counter` and is carried out at most once.
    """

    type: int
    name: str
    role: str
    changes_state: bool


MESSAGES: Final = tuple(map(Message._make, tables.MESSAGES))
"""All messages, in order of their type."""

KEYED_ROLES: Final = ("operator", "programmer", "service")
"""Roles that have a key, from the least to the greatest."""

_BY_NAME: Final[Mapping[str, Message]] = {message.name: message for message in MESSAGES}
_BY_TYPE: Final[Mapping[int, Message]] = {message.type: message for message in MESSAGES}


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
    """Body of the request `name`; of `stop` without fields that of a stop without a session, which is empty.

    Raises:
        CodecError: No such message, or a field is missing, unknown or out of range.
    """
    if name == STOP and not fields:
        return b""
    return _pack(f"{by_name(name).name}_request", fields)


def encode_reply(name: str, **fields: Any) -> bytes:
    """Body of the reply to `name`, or of `rejected`; for simulators and tests.

    Raises:
        CodecError: As of `encode_request`.
    """
    if name == REJECTED_NAME:
        return encode_struct(name, **fields)
    return _pack(f"{by_name(name).name}_reply", fields)


def encode_struct(name: str, **fields: Any) -> bytes:
    """Bytes of a shared struct: `program`, `record`, `outcome` or `rejected`.

    Raises:
        CodecError: As of `encode_request`.
    """
    return _pack(name, fields)


def decode_request(name: str, body: bytes) -> Values:
    """Fields of the request `name`; none of a `stop` without a session.

    Raises:
        CodecError: No such message, or the body is too short.
    """
    if name == STOP and not body:
        return {}
    return _unpack(f"{by_name(name).name}_request", body)


def decode_reply(name: str, body: bytes) -> Values:
    """Fields of the reply to `name`, or of `rejected`.

    Raises:
        CodecError: No such message, or the body is too short.
    """
    if name == REJECTED_NAME:
        return decode_struct(name, body)
    return _unpack(f"{by_name(name).name}_reply", body)


def decode_struct(name: str, data: bytes) -> Values:
    """Fields of a shared struct: `program`, `record`, `outcome` or `rejected`.

    Raises:
        CodecError: `data` is too short.
    """
    return _unpack(name, data)


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


def _pack(body: str, fields: Values) -> bytes:
    return plans.pack(body, tables.BODIES[body], fields)


def _unpack(body: str, data: bytes) -> Values:
    return plans.unpack(body, tables.BODIES[body], data)
