"""Frames of a serial line as a capture file for Wireshark (pcap, link type USER0), one packet a frame.

The generated dissector (`protocol/wireshark/dosebench.lua`) shows them. What is no frame is kept as well: the stretch
between two delimiters is a packet, whatever is in it. The two directions are told apart by the frames themselves.
"""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from dosebench_protocol.frame import DELIMITER
from dosebench_protocol.tables import FRAME_BYTES_MAX

from dosebench.base.errors import DosebenchError

if TYPE_CHECKING:
    from dosebench.link.endpoint import Endpoint

LINK_TYPE: Final = 147
"""USER0."""
PACKET_BYTES_MAX: Final = 2 * FRAME_BYTES_MAX
"""Longer stretches without a delimiter are cut here."""
POLL_S: Final = 0.002
TO_PUMP, FROM_PUMP = "TX", "RX"
"""Directions, as pyserial's `spy://` calls them."""
_SPY_LINE: Final = re.compile(r"(\d+\.\d+) (TX|RX)   [0-9A-F]{4}  ((?:[0-9A-F]{2} {1,2})+)")
_SPY_BYTES: Final = 16


class CaptureError(DosebenchError):
    """A capture that cannot be written, or a log that cannot be read."""


class Capture:
    """A pcap file that is being written. Cuts each direction into its frames."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._held = {TO_PUMP: b"", FROM_PUMP: b""}
        self.packets = 0
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, PACKET_BYTES_MAX, LINK_TYPE))

    def feed_bytes(self, at_s: float, direction: str, data: bytes) -> None:
        """Bytes that passed at `at_s` seconds since 1970, or since the beginning of a log."""
        *ended, rest = (self._held[direction] + data).split(DELIMITER)
        for piece in ended:
            self._write_packet(at_s, self._cut_stretch(at_s, piece + DELIMITER))
        self._held[direction] = self._cut_stretch(at_s, rest)

    def _cut_stretch(self, at_s: float, stretch: bytes) -> bytes:
        """Write what is too long for one packet; the rest of it."""
        while len(stretch) > PACKET_BYTES_MAX:
            self._write_packet(at_s, stretch[:PACKET_BYTES_MAX])
            stretch = stretch[PACKET_BYTES_MAX:]
        return stretch

    def _write_packet(self, at_s: float, packet: bytes) -> None:
        if packet == DELIMITER:
            return
        at_us = round(at_s * 1e6)
        head = struct.pack("<IIII", at_us // 1_000_000, at_us % 1_000_000, len(packet), len(packet))
        self._file.write(head + packet)
        self._file.flush()
        self.packets += 1


def read_spy(lines: Iterable[str]) -> Iterator[tuple[float, str, bytes]]:
    """Seconds, direction and bytes of each line of a log of pyserial's `spy://PORT?file=LOG`.

    Raises CaptureError when it is none.
    """
    known = False
    for line in lines:
        found = _SPY_LINE.match(line)
        if found is not None:
            known = True
            yield float(found[1]), found[2], bytes.fromhex(found[3])[:_SPY_BYTES]
    if not known:
        raise CaptureError("this is no log of spy://", hint="make one with the port spy://PORT?file=LOG")


def convert_log(log: Path, capture: Capture) -> None:
    """Write what a log of `spy://` holds. Raises CaptureError."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise CaptureError(f"cannot read {log}: {error.strerror}") from error
    for at_s, direction, data in read_spy(text.splitlines()):
        capture.feed_bytes(at_s, direction, data)


def listen_port(port: Any, capture: Capture, going: Callable[[], bool]) -> None:
    """Write what comes in at a port until `going()` is false: a tap on either of the two wires."""
    while going():
        if data := port.read(1):
            data += port.read(port.in_waiting)
            capture.feed_bytes(time.time(), FROM_PUMP, data)


def relay_bytes(port: Any, endpoint: Endpoint, capture: Capture, going: Callable[[], bool]) -> None:
    """Pass bytes on between another program and a port, and write them, until `going()` is false."""
    unread = b""
    while going():
        if asked := endpoint.receive_bytes(POLL_S):
            port.write(asked)
            capture.feed_bytes(time.time(), TO_PUMP, asked)
        if port.in_waiting:
            told = bytes(port.read(port.in_waiting))
            capture.feed_bytes(time.time(), FROM_PUMP, told)
            unread += told
        if unread:
            unread = unread[endpoint.send_bytes(unread) :]
