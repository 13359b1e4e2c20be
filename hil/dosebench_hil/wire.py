"""Frames by hand: what a client would never send, or not in this way.

A test of the contract needs the command id, the device id and the very bytes in its own hands. `Wire` shares the port,
the session and the sequence numbers of a connected client.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from dosebench.link.client import PumpClient, RefusedError, SilentError
from dosebench_protocol import codec
from dosebench_protocol.codec import KEYED_ROLES
from dosebench_protocol.frame import DELIMITER, Deframer, Frame, encode

REPLY_S: Final = 3.0
"""How long a reply may take, on the clock of the port."""
QUIET_S: Final = 0.3
"""Silence after which nothing more is expected, on the clock of the port."""
TOP_ROLE: Final = "programmer"
"""Role of the sessions that frames by hand are sent in: it may send everything that there is."""


class Wire:
    """Sends and receives single frames.

    Args:
        port: An open port, the same as the client's.
        client: Connected; it opens the sessions.
    """

    def __init__(self, port: Any, client: PumpClient) -> None:
        self._port = port
        self._client = client
        self._clock: Callable[[], float] = getattr(port, "monotonic", time.monotonic)
        self._deframer = Deframer()

    def make_bare(self, name: str, **fields: Any) -> Frame:
        """The request `name` as a frame without session and tag, with a sequence number of its own."""
        message = codec.by_name(name)
        body = codec.encode_request(name, **fields)
        return Frame(message.type, self._client.device_id, sequence=self._client.next_sequence(), body=body)

    def make_frame(self, name: str, **fields: Any) -> Frame:
        """The request `name` as a frame: with session and tag if it needs them, or changes something."""
        message = codec.by_name(name)
        frame = self.make_bare(name, **fields)
        return self.seal_frame(frame) if message.changes_state or message.role in KEYED_ROLES else frame

    def seal_frame(self, frame: Frame) -> Frame:
        """`frame` in the session of the client, with the next sequence number."""
        session = self._client.open_session(TOP_ROLE)
        return session.seal(replace(frame, sequence=self._client.next_sequence()))

    def alter_frame(self, frame: Frame, **changes: Any) -> Frame:
        """`frame` with other header fields, and the next sequence number; the tag fits unless it is given."""
        other = replace(frame, **{"sequence": self._client.next_sequence(), **changes})
        session = self._client.session
        if not frame.tag or session is None or {"tag", "session"} & set(changes):
            return other
        return session.seal(other)

    def send_bytes(self, data: bytes) -> None:
        """Put bytes on the line as they are."""
        self._port.write(data)

    def receive_frames(self, quiet_s: float = QUIET_S) -> list[Frame]:
        """Every frame that comes until the line was silent for `quiet_s` seconds."""
        frames: list[Frame] = []
        end = self._clock() + quiet_s
        while self._clock() < end:
            data = self._read_bytes()
            if data:
                frames += self._deframer.feed(data)
                end = self._clock() + quiet_s
        return frames

    def exchange_frames(self, frame: Frame, within_s: float = REPLY_S) -> Frame:
        """Send a frame once and return the reply to it. Raises SilentError.

        What came before is dropped: an answer to bytes of another's may have this frame's sequence number.
        """
        while self._port.in_waiting:
            self._deframer.feed(self._read_bytes())
        self.send_bytes(DELIMITER + encode(frame))
        end = self._clock() + within_s
        while self._clock() < end:
            for reply in self._deframer.feed(self._read_bytes()):
                if reply.sequence == frame.sequence:
                    session = self._client.session
                    assert not reply.tag or (session is not None and session.is_ours(reply)), "a reply with a bad tag"
                    return reply
        raise SilentError(f"no reply within {within_s:g} s to a frame of type 0x{frame.type:02x}")

    def ask_pump(self, name: str, **fields: Any) -> dict[str, Any]:
        """Send the request `name` once and return the fields of its reply. Raises RefusedError or SilentError."""
        try:
            return codec.parse_reply(name, self.exchange_frames(self.make_frame(name, **fields)))
        except codec.RejectedError as rejected:
            raise RefusedError(rejected.reason, rejected.detail, name) from None

    def expect_refusal(self, frame: Frame) -> tuple[str, int]:
        """Send a frame that must be refused; return the reason and the number that goes with it."""
        reply = self.exchange_frames(frame)
        decoded = codec.decode_frame(reply)
        assert decoded.name == codec.REJECTED_NAME, f"the pump took it and answered {decoded.name}"
        return str(decoded.fields["reason"]), int(decoded.fields["detail"])

    def _read_bytes(self) -> bytes:
        data = bytes(self._port.read(1))
        if data:
            data += bytes(self._port.read(self._port.in_waiting))
        return data
