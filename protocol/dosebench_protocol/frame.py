"""The frame around every message: bytes in, frames out, no I/O.

On the wire a frame is `COBS(header, body, tag?, crc32) 00`. The CRC-32 covers everything before it. A tag is present
if and only if exactly `TAG_BYTES` bytes lie between body and CRC; this module carries it and does not judge it.
The layout is the same for every protocol version, so that a device of another version can still be told apart.
"""

from __future__ import annotations

from binascii import crc32
from dataclasses import dataclass, field
from struct import Struct as Packer
from typing import Final

from cobs import cobs

from .errors import ProtocolError
from .tables import BODIES, BODY_BYTES_MAX, CRC_BYTES, FRAME_BYTES_MAX, HEADER_BYTES, PROTOCOL_VERSION, TAG_BYTES

DELIMITER: Final = b"\x00"
"""Ends every frame, and occurs nowhere inside one."""

PLAIN_BYTES_MIN: Final = HEADER_BYTES + CRC_BYTES
"""Shortest frame before COBS, in bytes."""

NO_SESSION: Final = bytes(4)
"""Session of a frame that belongs to none."""

ANY_DEVICE: Final = bytes(4)
"""Device of a frame to whoever listens: a host that has not yet seen a `hello`."""

_HEADER = Packer(BODIES["header"][0][0])


class FrameError(ProtocolError):
    """A frame that cannot be encoded or decoded; `reason` is its short name for counters."""

    reason = "frame"


class CobsError(FrameError):
    """The bytes are no COBS encoding: a byte was lost, added or changed."""

    reason = "cobs"


class ShortFrameError(FrameError):
    """Fewer bytes than the shortest frame."""

    reason = "short"


class LongFrameError(FrameError):
    """More bytes than a frame may have."""

    reason = "long"


class CrcError(FrameError):
    """The CRC-32 does not fit: a byte was changed."""

    reason = "crc"


class LengthError(FrameError):
    """The CRC fits, yet the length field does not fit the number of bytes."""

    reason = "length"


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Attributes:
        type: Message type, 0 to 255; bit 7 marks a reply.
        device: Id of the device, 4 bytes; zero when the host does not know it yet.
        session: Id of the session, 4 bytes; zero for none.
        sequence: Number that a reply repeats from its request, below 2^32.
        body: At most `BODY_BYTES_MAX` bytes.
        tag: Authentication tag, `TAG_BYTES` long, or empty.
        version: Protocol version of the sender.
    """

    type: int
    device: bytes = ANY_DEVICE
    session: bytes = NO_SESSION
    sequence: int = 0
    body: bytes = b""
    tag: bytes = b""
    version: int = PROTOCOL_VERSION


def encode(frame: Frame) -> bytes:
    """The bytes of `frame` on the wire, delimiter included.

    Raises:
        FrameError: A field does not fit its place.
    """
    plain = signed_part(frame) + frame.tag
    return bytes(cobs.encode(plain + crc32(plain).to_bytes(CRC_BYTES, "little"))) + DELIMITER


def signed_part(frame: Frame) -> bytes:
    """Header and body: everything that a tag covers.

    Raises:
        FrameError: A field does not fit its place.
    """
    if len(frame.body) > BODY_BYTES_MAX:
        raise LongFrameError(f"a body of {len(frame.body)} bytes is longer than {BODY_BYTES_MAX}")
    if len(frame.tag) not in (0, TAG_BYTES):
        raise FrameError(f"a tag has {TAG_BYTES} bytes, not {len(frame.tag)}")
    if len(frame.device) != 4 or len(frame.session) != 4:
        raise FrameError("device and session have 4 bytes each")
    for name, value, limit in (
        ("version", frame.version, 8),
        ("type", frame.type, 8),
        ("sequence", frame.sequence, 32),
    ):
        if not 0 <= value < 1 << limit:
            raise FrameError(f"{name} {value} does not fit into {limit} bits")
    header = _HEADER.pack(frame.version, frame.type, frame.device, frame.session, frame.sequence, len(frame.body))
    return header + frame.body


def decode(raw: bytes) -> Frame:
    """The frame in `raw`, one frame's bytes without the delimiter. Any protocol version is accepted.

    Raises:
        FrameError: One of its subclasses says what is wrong.
    """
    if len(raw) >= FRAME_BYTES_MAX:
        raise LongFrameError(f"{len(raw)} bytes without a delimiter; a frame has at most {FRAME_BYTES_MAX} with it")
    try:
        plain = bytes(cobs.decode(raw))
    except cobs.DecodeError as error:
        raise CobsError(f"{len(raw)} bytes are no COBS encoding: {error}") from error
    if len(plain) < PLAIN_BYTES_MIN:
        raise ShortFrameError(f"{len(plain)} bytes; a frame has at least {PLAIN_BYTES_MIN}")
    given = int.from_bytes(plain[-CRC_BYTES:], "little")
    found = crc32(plain[:-CRC_BYTES])
    if given != found:
        raise CrcError(f"CRC-32 is {given:08x}, the bytes give {found:08x}")
    return _fields(plain)


def _fields(plain: bytes) -> Frame:
    version, kind, device, session, sequence, length = _HEADER.unpack_from(plain)
    if length > BODY_BYTES_MAX:
        raise LengthError(f"length field says {length}; a body has at most {BODY_BYTES_MAX} bytes")
    end = HEADER_BYTES + length
    rest = len(plain) - CRC_BYTES - end
    if rest not in (0, TAG_BYTES):
        raise LengthError(f"length field says {length}, which leaves {rest} bytes; a tag has {TAG_BYTES}")
    return Frame(kind, device, session, sequence, plain[HEADER_BYTES:end], plain[end : end + rest], version)


@dataclass(slots=True)
class Deframer:
    """Cuts a byte stream into frames, and counts what is none.

    Between calls it holds at most `FRAME_BYTES_MAX - 1` bytes. After anything bad it goes on at the next delimiter.
    Delimiters in a row are an idle line, not an error.

    Attributes:
        good_frames: Frames decoded so far.
        bad_frames: Stretches between delimiters that were no frame.
        bad_bytes: Their bytes, delimiters not counted.
        bad_reasons: How many of each `FrameError.reason`.
        last_error: What the newest bad stretch was, or None.
    """

    good_frames: int = 0
    bad_frames: int = 0
    bad_bytes: int = 0
    bad_reasons: dict[str, int] = field(default_factory=dict)
    last_error: FrameError | None = None
    _held: bytearray = field(default_factory=bytearray)
    _skipped_bytes: int = 0

    @property
    def held_bytes(self) -> int:
        """Bytes of a frame that has not ended yet."""
        return len(self._held)

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that end in `data`, in order. Never raises."""
        frames: list[Frame] = []
        *ended, rest = bytes(data).split(DELIMITER)
        for piece in ended:
            self._hold(piece)
            frames.extend(self._end())
        self._hold(rest)
        return frames

    def reset(self) -> None:
        """Forget a frame that has not ended, as after a change of port or speed. Counters stay."""
        self._held.clear()
        self._skipped_bytes = 0

    def _hold(self, piece: bytes) -> None:
        if self._skipped_bytes or len(self._held) + len(piece) >= FRAME_BYTES_MAX:
            self._skipped_bytes += len(self._held) + len(piece)
            self._held.clear()
        else:
            self._held += piece

    def _end(self) -> list[Frame]:
        raw, skipped = bytes(self._held), self._skipped_bytes
        self.reset()
        if skipped:
            self._count(LongFrameError(f"{skipped} bytes without a delimiter"), skipped)
        elif raw:
            try:
                frame = decode(raw)
            except FrameError as error:
                self._count(error, len(raw))
            else:
                self.good_frames += 1
                return [frame]
        return []

    def _count(self, error: FrameError, length: int) -> None:
        self.bad_frames += 1
        self.bad_bytes += length
        self.bad_reasons[error.reason] = self.bad_reasons.get(error.reason, 0) + 1
        self.last_error = error
