"""The serial line between a test and the pump: keeps the last frames for the report, and loses frames on demand.

`Line` wraps any pyserial port and is one itself, as far as `PumpClient` uses it. The bytes are kept as they are and
decoded only when somebody asks for them, so that a passing test pays nothing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from dosebench_protocol.codec import CodecError, decode_frame
from dosebench_protocol.frame import DELIMITER, Frame, FrameError, decode
from dosebench_protocol.tables import FRAME_BYTES_MAX

RECORDED_MAX: Final = 40
"""Frames, and stretches of bytes that are none, that are kept."""
SHOWN_BYTES_MAX: Final = 48
"""Bytes of a stretch that is no frame that a transcript shows."""


@dataclass
class _Direction:
    """Cuts one direction into the stretches between delimiters."""

    arrow: str
    held: bytearray = field(default_factory=bytearray)

    def feed_bytes(self, data: bytes) -> list[bytes]:
        *ended, rest = bytes(data).split(DELIMITER)
        pieces = []
        for piece in ended:
            pieces.append(bytes(self.held) + piece)
            self.held.clear()
        self.held += rest
        if len(self.held) > FRAME_BYTES_MAX:
            pieces.append(bytes(self.held))
            self.held.clear()
        return [piece for piece in pieces if piece]


class Line:
    """A port that remembers.

    Args:
        port: An open pyserial port.
        clock: Seconds, for the times in the transcript: the port's own clock where it has one.
    """

    def __init__(self, port: Any, clock: Any) -> None:
        self._port = port
        self._clock = clock
        self._sent = _Direction(">")
        self._heard = _Direction("<")
        self._recorded: deque[tuple[float, str, bytes]] = deque(maxlen=RECORDED_MAX)
        self._lost_requests = 0
        self._lost_replies = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def write(self, data: bytes) -> int:
        """Put bytes on the line, unless they are to be lost."""
        if self._lost_requests:
            self._lost_requests -= 1
            self._note_frame(self._sent, data, "lost >")
            return len(data)
        self._note_frame(self._sent, data)
        return int(self._port.write(data))

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes from the pump; fewer where the timeout ended, or a reply is to be lost."""
        data = bytes(self._port.read(size))
        while data and self._lost_replies:
            lost, delimiter, data = data.partition(DELIMITER)
            self._note_frame(self._heard, lost + delimiter, "lost <")
            self._lost_replies -= 1 if delimiter else 0
        self._note_frame(self._heard, data)
        return data

    def lose_requests(self, count: int) -> None:
        """Lose the next `count` writes: the pump never hears them."""
        self._lost_requests = count

    def lose_replies(self, count: int) -> None:
        """Lose the next `count` frames of the pump: it has sent them, nobody hears them."""
        self._lost_replies = count

    def mend_line(self) -> None:
        """Lose nothing any more."""
        self._lost_requests = self._lost_replies = 0

    def read_transcript(self) -> tuple[str, ...]:
        """The last frames in both directions, decoded, oldest first, with their time in seconds."""
        return tuple(f"{at:12.3f} {arrow} {describe_bytes(raw)}" for at, arrow, raw in self._recorded)

    def _note_frame(self, direction: _Direction, data: bytes, arrow: str | None = None) -> None:
        for piece in direction.feed_bytes(data):
            self._recorded.append((self._clock(), arrow or direction.arrow, piece))


def describe_bytes(raw: bytes) -> str:
    """One line about the bytes between two delimiters: the message and its fields, or why they are no frame."""
    try:
        frame = decode(raw)
    except FrameError as error:
        more = "..." if len(raw) > SHOWN_BYTES_MAX else ""
        return f"no frame: {error}: {raw[:SHOWN_BYTES_MAX].hex()}{more}"
    return f"{_describe_message(frame)}  (sequence {frame.sequence})"


def _describe_message(frame: Frame) -> str:
    try:
        decoded = decode_frame(frame)
    except CodecError as error:
        return f"type 0x{frame.type:02x} {frame.body.hex()}: {error}"
    fields = " ".join(f"{name}={_format_value(value)}" for name, value in decoded.fields.items())
    return f"{decoded.name} {fields}".rstrip()


def _format_value(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex() or "-"
    if isinstance(value, tuple):
        return "+".join(value) or "-"
    return str(value)
