"""Reads the packets of a capture file."""

from __future__ import annotations

import struct
from pathlib import Path


def packets_of(path: Path) -> list[tuple[float, bytes]]:
    data = path.read_bytes()
    magic, _, _, _, _, _, link = struct.unpack_from("<IHHiIII", data)
    assert (magic, link) == (0xA1B2C3D4, 147)
    at, found = 24, []
    while at < len(data):
        seconds, micros, length, whole = struct.unpack_from("<IIII", data, at)
        assert length == whole
        found.append((seconds + micros / 1e6, data[at + 16 : at + 16 + length]))
        at += 16 + length
    return found
