"""The journal at the speed of the line: one request, many frames, and a window that moves on as they arrive.

A frame that is lost is noticed by the number of the next one, and the stream begins again at the missing record. Each
frame is held against the chain before its records are given on: delta-coded records come without their chain values,
which are computed here and must end at the one that the frame names, and in the end at the one that the pump told
before. Where that fails, and where the pump cannot stream, the records are read one batch at a time
(`PumpClient.read_journal`), for which the pump looks closer at its flash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Literal

from dosebench_protocol.bulk import column
from dosebench_protocol.delta import DeltaDecoder, DeltaError
from dosebench_protocol.records import GENESIS_CHAIN, chain
from dosebench_protocol.tables import CHAIN_BYTES, FRAME_BYTES_MAX, RECORD_BYTES

from dosebench.link.client import RefusedError, SilentError

if TYPE_CHECKING:
    from dosebench.link.client import PumpClient

Coding = Literal["whole", "delta"]
Progress = Callable[[int, int], None]

WINDOW_FRAMES: Final = 16
"""Frames that may be on their way: 180 ms of a line of 921600 baud, more than a host's usual pause (chosen)."""
FRAME_RECORDS: Final[dict[Coding, int]] = {"whole": 25, "delta": 90}
"""Records of a usual frame of 1024 bytes: what a window is counted in before the first frame has come."""
WHOLE_BAUD: Final = 700_000
"""From here on the line takes whole records faster than a board of 125 MHz codes them: some 1800 a second, against 2200
of whole ones at 921600 baud (docs/BENCHMARKS.md)."""
STALL_S: Final = 0.7
"""A line that is silent for so long, and two frames longer, has lost the end of a window, or the pump writes flash;
asking again is harmless."""
STALLS_MAX: Final = 14
"""So often in a row, about ten seconds: the pump is gone."""
MISFITS_MAX: Final = 3
"""So often may one place not fit the chain: a pump that was reset meanwhile has forgotten what it had coded."""
BYTE_BITS: Final = 10
"""With start and stop bit."""
_UNKNOWN: Final = bytes(CHAIN_BYTES)


class MisfitError(Exception):
    """The records do not fit the chain. Never leaves this module."""


def download_records(
    client: PumpClient,
    first: int | None = None,
    *,
    before: bytes | None = None,
    coding: Coding | None = None,
    progress: Progress | None = None,
) -> Iterator[bytes]:
    """Raw journal records, as `PumpClient.read_journal` gives them, as fast as the line carries them.

    Args:
        client: A connected pump.
        first: Number of the first record; default: the oldest that is held.
        before: Chain value of the record before `first`, where the caller holds it; a pump that has another one there
            is read batch by batch.
        coding: How the pump packs them; default: whichever is faster at this baud rate.
        progress: Called with the number of the next record, and with that behind the last one.
    """
    info = client.journal_info()
    at = info["first"] if first is None else max(first, info["first"])
    if at >= info["next"]:
        return
    chain_before = GENESIS_CHAIN if at == 0 else before if at == first else None
    if chain_before is None:
        # The chain value before it is not known here: this one record brings it.
        record = client.read_record(at)
        yield record
        at, chain_before = at + 1, record[-CHAIN_BYTES:]
    if coding is None:
        coding = "delta" if client.port.baudrate < WHOLE_BAUD else "whole"
    stream = _Stream(client, info, coding, progress)
    stream.at, stream.chain = at, chain_before
    try:
        for records in stream.receive_frames():
            yield from records
    except (MisfitError, RefusedError):
        yield from client.read_journal(stream.at, progress)


class _Stream:
    """One download: how far it has come, and how far it may go without being asked again.

    Attributes:
        at: Number of the next record.
        chain: Chain value of the record before it.
    """

    def __init__(self, client: PumpClient, info: dict[str, Any], coding: Coding, progress: Progress | None) -> None:
        self._client = client
        self._end: int = info["next"]
        self._head: bytes = info["chain"]
        self._coding: Coding = coding
        self._progress = progress
        # Another download's frames must not be taken for this one's, nor its window.
        self._number = client.random_bytes(1)[0]
        self._sequences: list[int] = []
        self._per_frame = FRAME_RECORDS[coding]
        self._until = 0
        self._stall_s = STALL_S + 2 * FRAME_BYTES_MAX * BYTE_BITS / client.port.baudrate
        self._decoder = DeltaDecoder(0, GENESIS_CHAIN)
        self.at = 0
        self.chain = GENESIS_CHAIN

    def receive_frames(self) -> Iterator[list[bytes]]:
        """The records of each frame, once it is known that they fit the chain. Raises MisfitError and RefusedError."""
        stalls = misfits = 0
        self._begin_stream()
        while self.at < self._end:
            replies = self._client.receive_replies("journal_stream", self._sequences, self._stall_s)
            stalls = 0 if replies else stalls + 1
            if stalls > STALLS_MAX:
                raise SilentError(
                    f"the pump stopped sending its journal at record {self.at}",
                    hint="pull again: it goes on from there",
                )
            try:
                whole = bool(replies)
                for reply in replies:
                    whole = whole and (records := self._check_reply(reply)) is not None
                    if whole and records:
                        misfits = 0
                        yield records
            except (MisfitError, DeltaError):
                whole = False
                misfits += 1
                if misfits == MISFITS_MAX:
                    raise MisfitError from None
            if not whole:
                self._begin_stream()
            elif self._until < self._end and self._until - self.at < WINDOW_FRAMES * self._per_frame // 2:
                self._ask_again()

    def _check_reply(self, reply: dict[str, Any]) -> list[bytes] | None:
        """The new records of a reply; None when one before it is missing."""
        if reply["stream"] != self._number or reply["first"] < self.at:
            return []
        if reply["first"] > self.at:
            return None
        records = self._decoder.feed(reply["data"]) if self._coding == "delta" else self._split_records(reply["data"])
        if not records or records[-1][-CHAIN_BYTES:] != reply["chain"]:
            raise MisfitError
        # The pump may have written more since it was asked where its journal ends.
        records = records[: self._end - self.at]
        if self.at + len(records) == self._end and records[-1][-CHAIN_BYTES:] != self._head:
            raise MisfitError
        self.at, self.chain = self.at + len(records), records[-1][-CHAIN_BYTES:]
        self._per_frame = max(1, len(records), self._per_frame // 2)
        if self._progress is not None:
            self._progress(self.at, self._end)
        return records

    def _split_records(self, data: bytes) -> list[bytes]:
        if len(data) % RECORD_BYTES:
            raise MisfitError
        records = [data[at : at + RECORD_BYTES] for at in range(0, len(data), RECORD_BYTES)]
        before = self.chain
        for number, found, record in zip(count(self.at), column(data, "sequence"), records, strict=False):
            if found != number or chain(before, record) != record[-CHAIN_BYTES:]:
                raise MisfitError
            before = record[-CHAIN_BYTES:]
        return records

    def _begin_stream(self) -> None:
        self._number = (self._number + 1) % 256
        self._sequences.clear()
        self._decoder = DeltaDecoder(self.at, self.chain)
        self._ask_again()

    def _ask_again(self) -> None:
        self._until = min(self._end, self.at + WINDOW_FRAMES * self._per_frame)
        sequence = self._client.send_request(
            "journal_stream",
            stream=self._number,
            first=self.at,
            until=self._until,
            coding=self._coding,
            chain=self.chain if self.at else _UNKNOWN,
        )
        self._sequences.append(sequence)
