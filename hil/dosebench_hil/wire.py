"""Frames by hand: what a client would never send, or not in this way.

A test of the contract needs the command id, the device id and the very bytes in its own hands. `Wire` shares the port
of a connected client; its sequence numbers lie far above the client's, so neither takes the other's reply.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from dosebench.client import RefusedError, SilentError
from dosebench_protocol import codec
from dosebench_protocol.frame import DELIMITER, Deframer, Frame, encode

REPLY_S: Final = 3.0
"""How long a reply may take, on the clock of the port."""
QUIET_S: Final = 0.3
"""Silence after which nothing more is expected, on the clock of the port."""
_FIRST_SEQUENCE: Final = 1 << 24


class Wire:
    """Sends and receives single frames.

    Args:
        port: An open port, the same as the client's.
        device_id: Four bytes that frames are addressed to.
    """

    def __init__(self, port: Any, device_id: bytes) -> None:
        self._port = port
        self._device_id = device_id
        self._clock: Callable[[], float] = getattr(port, "monotonic", time.monotonic)
        self._deframer = Deframer()
        self._sequence = _FIRST_SEQUENCE

    def frame(self, name: str, **fields: Any) -> Frame:
        """The request `name` as a frame, with a sequence number of its own."""
        self._sequence += 1
        message = codec.by_name(name)
        body = codec.encode_request(name, **fields)
        return Frame(type=message.type, device=self._device_id, sequence=self._sequence, body=body)

    def altered(self, frame: Frame, **changes: Any) -> Frame:
        """`frame` with other header fields, and the next sequence number."""
        self._sequence += 1
        return replace(frame, **{"sequence": self._sequence, **changes})

    def send(self, data: bytes) -> None:
        """Put bytes on the line as they are."""
        self._port.write(data)

    def heard(self, quiet_s: float = QUIET_S) -> list[Frame]:
        """Every frame that comes until the line was silent for `quiet_s` seconds."""
        frames: list[Frame] = []
        end = self._clock() + quiet_s
        while self._clock() < end:
            data = self._read()
            if data:
                frames += self._deframer.feed(data)
                end = self._clock() + quiet_s
        return frames

    def exchange(self, frame: Frame, within_s: float = REPLY_S) -> Frame:
        """Send a frame once and return the reply to it. Raises SilentError."""
        self.send(DELIMITER + encode(frame))
        end = self._clock() + within_s
        while self._clock() < end:
            for reply in self._deframer.feed(self._read()):
                if reply.sequence == frame.sequence:
                    return reply
        raise SilentError(f"no reply within {within_s:g} s to a frame of type 0x{frame.type:02x}")

    def ask(self, name: str, **fields: Any) -> dict[str, Any]:
        """Send the request `name` once and return the fields of its reply. Raises RefusedError or SilentError."""
        try:
            return codec.parse_reply(name, self.exchange(self.frame(name, **fields)))
        except codec.RejectedError as rejected:
            raise RefusedError(rejected.reason, rejected.detail, name) from None

    def refusal(self, frame: Frame) -> tuple[str, int]:
        """Send a frame that must be refused; return the reason and the number that goes with it."""
        reply = self.exchange(frame)
        decoded = codec.decode_frame(reply)
        assert decoded.name == codec.REJECTED_NAME, f"the pump took it and answered {decoded.name}"
        return str(decoded.fields["reason"]), int(decoded.fields["detail"])

    def _read(self) -> bytes:
        data = bytes(self._port.read(1))
        if data:
            data += bytes(self._port.read(self._port.in_waiting))
        return data
