"""One direction of a simulated serial line: bytes take their time at the baud rate."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Final

BAUD_TOLERANCE: Final = 0.03
"""Relative difference of baud rates up to which a UART still samples the right bits."""


@dataclass
class Line:
    """Bytes on their way in one direction.

    Attributes:
        baud: Bits per second; a byte takes ten bits.
        buffer_bytes: What the receiver holds before bytes are lost (None: any amount).
        lost: Bytes that found the receiver's buffer full.
    """

    baud: int
    buffer_bytes: int | None = None
    lost: int = 0
    _chunks: deque[tuple[int, bytes]] = field(default_factory=deque)
    _taken: int = 0
    _waiting: int = 0
    _free_us: int = 0

    def send_bytes(self, now_us: int, data: bytes) -> None:
        """Put bytes on the line, behind those that are still being sent."""
        if self.buffer_bytes is not None and self._waiting + len(data) > self.buffer_bytes:
            keep = max(0, self.buffer_bytes - self._waiting)
            self.lost += len(data) - keep
            data = data[:keep]
        if not data:
            return
        start = max(now_us, self._free_us)
        self._chunks.append((start, data))
        self._waiting += len(data)
        self._free_us = self._arrival_time(start, len(data) - 1)

    def take_bytes(self, now_us: int, limit: int) -> bytes:
        """What has arrived by `now_us`, at most `limit` bytes."""
        taken = bytearray()
        while self._chunks and len(taken) < limit:
            start, data = self._chunks[0]
            arrived = min(len(data), (now_us - start) * self.baud // 10_000_000)
            end = min(arrived, self._taken + limit - len(taken))
            if end <= self._taken:
                break
            taken += data[self._taken : end]
            self._taken = end
            if end == len(data):
                self._chunks.popleft()
                self._taken = 0
        self._waiting -= len(taken)
        return bytes(taken)

    def count_arrived(self, now_us: int) -> int:
        """How many bytes could be taken now."""
        count = 0
        skip = self._taken
        for start, data in self._chunks:
            count += max(0, min(len(data), (now_us - start) * self.baud // 10_000_000) - skip)
            skip = 0
        return count

    def next_us(self) -> int | None:
        """When the next byte that was not taken arrives."""
        if not self._chunks:
            return None
        return self._arrival_time(self._chunks[0][0], self._taken)

    def idle_us(self) -> int:
        """When the last byte on the line will have arrived."""
        return self._free_us

    def drop_overrun(self, since_us: int, until_us: int, hold: int) -> None:
        """Of the bytes that arrive after `since_us` and by `until_us`, the receiver keeps the first `hold`."""
        kept: deque[tuple[int, bytes]] = deque()
        taken = self._taken
        for start, data in self._chunks:
            first = min(len(data), max(taken, (since_us - start) * self.baud // 10_000_000))
            end = min(len(data), max(first, (until_us - start) * self.baud // 10_000_000))
            last = min(end, first + hold)
            hold -= last - first
            self.lost += end - last
            self._waiting -= end - last
            if last > taken or not kept:
                kept.append((start, data[:last]))
            if end < len(data):
                kept.append((start + end * 10_000_000 // self.baud, data[end:]))
            taken = 0
        self._chunks = kept
        self._drop_empty()

    def _drop_empty(self) -> None:
        while self._chunks and len(self._chunks[0][1]) <= self._taken:
            self._taken = 0
            self._chunks.popleft()

    def clear_bytes(self) -> None:
        """Forget everything that was not taken."""
        self._chunks.clear()
        self._taken = 0
        self._waiting = 0

    def _arrival_time(self, start_us: int, index: int) -> int:
        return start_us + -(-(index + 1) * 10_000_000 // self.baud)

    def save_state(self) -> dict[str, object]:
        """What `restore_state` needs, as JSON values."""
        chunks = [(start, data.hex()) for start, data in self._chunks]
        return {"chunks": chunks, "taken": self._taken, "free_us": self._free_us, "lost": self.lost}

    def restore_state(self, state: dict[str, object]) -> None:
        """Go on from what `save_state` returned."""
        chunks = state["chunks"]
        assert isinstance(chunks, list)
        self._chunks = deque((int(start), bytes.fromhex(data)) for start, data in chunks)
        self._taken = int(str(state["taken"]))
        self._free_us = int(str(state["free_us"]))
        self.lost = int(str(state["lost"]))
        self._waiting = sum(len(data) for _, data in self._chunks) - self._taken


@dataclass(frozen=True)
class Noise:
    """What a bad line does to bytes: shares of them, from 0 to 1.

    Attributes:
        flip: Have one bit flipped.
        drop: Are lost.
        insert: Are followed by one that nobody sent.
        repeat: Come twice.
    """

    flip: float = 0.0
    drop: float = 0.0
    insert: float = 0.0
    repeat: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.flip or self.drop or self.insert or self.repeat)

    def hurt_bytes(self, data: bytes, rng: random.Random) -> bytes:
        """What arrives of `data`."""
        out = bytearray()
        for byte in data:
            if rng.random() < self.drop:
                continue
            out.append(byte ^ 1 << rng.randrange(8) if rng.random() < self.flip else byte)
            if rng.random() < self.repeat:
                out.append(out[-1])
            if rng.random() < self.insert:
                out.append(rng.randrange(256))
        return bytes(out)


def garble_bytes(data: bytes, sent_baud: int, heard_baud: int, rng: random.Random) -> bytes:
    """What a receiver at `heard_baud` makes of bytes sent at `sent_baud`: themselves within 3 %, nonsense beyond."""
    if abs(sent_baud - heard_baud) <= BAUD_TOLERANCE * sent_baud:
        return data
    length = max(1, round(len(data) * heard_baud / sent_baud)) if data else 0
    return bytes(rng.randrange(256) for _ in range(length))
