"""Frames to a pump and back: one request is sent until its reply comes.

Each try has a sequence number of its own, and a reply to any of them will do. The last frames are kept for the error
that may follow (the flight recorder).
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from dosebench_protocol import codec
from dosebench_protocol.frame import Deframer, Frame, encode
from dosebench_protocol.tables import REJECTED, REPLY_BIT

from dosebench.base.errors import DosebenchError
from dosebench.link.ports import PortError
from dosebench.link.reasons import explain_reason

if TYPE_CHECKING:
    from dosebench_protocol.auth import Session

REPLY_S: Final = 3.0
"""How long a reply may take: above the hold for a step (1 s) and the worst flash freeze of a commit (4 erases of
400 ms)."""
TRIES: Final = 3
"""How often a request is sent before the pump counts as silent (chosen: one lost frame, or one lost reply, costs
nothing)."""
RECORDED_FRAMES: Final = 32
"""Frames in the flight recorder (chosen: a session's opening and a command with all its tries)."""
BROADCAST: Final = bytes(4)
"""Device id that every pump answers to."""
LOST: Final = ("no_session", "bad_tag", "replayed")
"""Refusals after which a session is opened anew."""


class LinkError(DosebenchError):
    """The pump did not answer as a pump does. `transcript` holds the last frames."""

    transcript: tuple[str, ...] = ()


class SilentError(LinkError):
    """Nothing came back."""


class GarbledError(LinkError):
    """Bytes came back, but no frames: often a wrong baud rate."""


class NotGenuineError(LinkError):
    """What answers does not have this pump's key, or has another one."""


class RefusedError(DosebenchError):
    """The pump refused. `reason` is the name of the protocol's `Reason`, `detail` its number."""

    def __init__(self, reason: str, detail: int = 0, message: str = "") -> None:
        super().__init__(explain_reason(reason, detail))
        self.reason = reason
        self.detail = detail
        self.request = message


class Exchange:
    """The frames at one port, without a session or in one.

    Args:
        port: An open pyserial port. Where it has them (`sim://`), its `monotonic()` is the clock, and its `nonce()`
            gives the random bytes.

    Attributes:
        clock: Seconds of the port's own clock.
        device_id: Of the pump behind the port, 4 bytes; that of all pumps before it has said hello.
        tries: How often a request is sent before the pump counts as silent.
    """

    tries = TRIES

    def __init__(self, port: Any) -> None:
        self._port = port
        self.clock: Callable[[], float] = getattr(port, "monotonic", time.monotonic)
        self._random: Callable[[int], bytes] = getattr(port, "nonce", os.urandom)
        self._deframer = Deframer()
        self._sequence = 0
        self._recorder: deque[str] = deque(maxlen=RECORDED_FRAMES)
        self._heard = 0
        self._untrusted: str | None = None
        self.device_id = BROADCAST

    @property
    def port(self) -> Any:
        """The pyserial port."""
        return self._port

    def read_transcript(self) -> tuple[str, ...]:
        """The last frames in both directions, oldest first."""
        return tuple(self._recorder)

    def random_bytes(self, length: int) -> bytes:
        """Random bytes, those of the port where it has its own (`sim://`)."""
        return self._random(length)

    def next_sequence(self) -> int:
        """A sequence number that was not used before."""
        self._sequence += 1
        return self._sequence

    def wait_time(self, seconds: float) -> None:
        """Let time pass on the port's own clock; what arrives meanwhile is dropped."""
        deadline = self.clock() + seconds
        while self.clock() < deadline:
            self._read_frame()

    def _ask_plainly(self, name: str, device: bytes, **fields: Any) -> dict[str, Any]:
        frame = Frame(codec.by_name(name).type, device, body=codec.encode_request(name, **fields))
        return self._unpack_reply(name, self._exchange_frames(name, frame, None))

    def _exchange_frames(self, name: str, frame: Frame, session: Session | None) -> Frame:
        """Send a request until a reply comes; each try has a number of its own.

        In a session the reply bears a good tag, or it is a refusal after which the session must be opened anew.
        """
        self._heard = 0
        self._untrusted = None
        numbers: list[int] = []
        for _ in range(self.tries):
            numbers.append(self.next_sequence())
            numbered = replace(frame, sequence=numbers[-1])
            self._send_frame(numbered if session is None else session.seal(numbered), name)
            reply = self._await_reply(frame.type, numbers, session, REPLY_S)
            if reply is not None:
                return reply
        raise self._no_reply_error(name)

    def _send_frame(self, frame: Frame, name: str) -> None:
        self._note_frame(f"> {name} seq {frame.sequence} {frame.body.hex()}")
        try:
            # A leading delimiter ends whatever noise the line holds.
            self._port.write(b"\x00" + encode(frame))
        except OSError as error:
            raise PortError(
                f"the port was lost while writing: {error}", hint="check the cable, then try again"
            ) from error

    def _await_reply(self, kind: int, numbers: list[int], session: Session | None, within_s: float) -> Frame | None:
        deadline = self.clock() + within_s
        while self.clock() < deadline:
            for frame in self._deframer.feed(self._read_frame()):
                self._note_frame(f"< type {frame.type:#04x} seq {frame.sequence} {frame.body.hex()}")
                if self._is_reply(frame, kind, numbers, session):
                    return frame
        return None

    def _is_reply(self, frame: Frame, kind: int, numbers: Collection[int], session: Session | None) -> bool:
        """Whether a frame is a reply that can be believed to a request of that type and one of those numbers."""
        fits = frame.sequence in numbers and frame.type in (kind | REPLY_BIT, REJECTED)
        return fits and self._is_trusted(frame, session)

    def _is_trusted(self, frame: Frame, session: Session | None) -> bool:
        if session is None or (frame.tag and session.is_ours(frame)):
            return True
        if frame.tag or frame.type != REJECTED:
            return False
        # Nobody vouches for it. That the session is gone may be believed: it costs a new one.
        self._untrusted = self._describe_refusal(frame)
        return self._untrusted in LOST

    @staticmethod
    def _describe_refusal(frame: Frame) -> str:
        return str(codec.decode_struct("rejected", frame.body)["reason"])

    def _read_frame(self) -> bytes:
        try:
            data = bytes(self._port.read(1))
            if data:
                data += bytes(self._port.read(self._port.in_waiting))
        except OSError as error:
            raise PortError(
                f"the port was lost while reading: {error}", hint="check the cable, then try again"
            ) from error
        self._heard += len(data)
        return data

    def _unpack_reply(self, name: str, frame: Frame) -> dict[str, Any]:
        try:
            return codec.parse_reply(name, frame)
        except codec.RejectedError as rejected:
            raise RefusedError(rejected.reason, rejected.detail, name) from None

    def _no_reply_error(self, name: str) -> LinkError:
        port = getattr(self._port, "port", "the port")
        if self._untrusted is not None:
            return self._link_error(
                NotGenuineError,
                f"{port} answered {name} without a tag, which anybody could: {explain_reason(self._untrusted)}",
                "connect again; if it happens again, look at what else is on the line",
            )
        if self._heard:
            return self._link_error(
                GarbledError,
                f"{port} answered {name} with {self._heard} bytes that are no frames",
                f"the baud rate {getattr(self._port, 'baudrate', '')} may be wrong (the pump's is 115200), "
                "or something else answers there (a REPL?)",
            )
        return self._link_error(
            SilentError,
            f"no answer to {name} from {port} in {TRIES} tries of {REPLY_S:g} s",
            "is the pump powered, is this its port, and is the baud rate right?",
        )

    def _link_error(self, kind: type[LinkError], text: str, hint: str) -> LinkError:
        error = kind(text, hint=hint)
        error.transcript = self.read_transcript()
        return error

    def _note_frame(self, line: str) -> None:
        self._recorder.append(f"{self.clock():.3f} {line}")
