"""Runs the firmware on CPython in a process of its own, with the bench bus on standard input and output."""

from __future__ import annotations

import json
import os
import sys
from array import array
from typing import Any

from dosebench.image.source import firmware_dir


class _StdioLink:
    def exchange(self, request: array[int], payload: bytes | None, reply: array[int], into: Any) -> None:
        data = request.tobytes() + (b"" if payload is None else bytes(payload))
        while data:
            data = data[os.write(1, data) :]
        reply[:] = array("i", self._read_exactly(4 * len(reply)))
        if reply[1]:
            into[: reply[1]] = self._read_exactly(reply[1])

    def _read_exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            more = os.read(0, length - len(data))
            if not more:
                raise SystemExit
            data += more
        return data


def main() -> None:
    """Boot the firmware and run it until the power is cut."""
    sys.path.insert(0, str(firmware_dir()))
    import main as firmware  # type: ignore[import-not-found]  # noqa: PLC0415
    from boards.bus import BusBoard  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

    version = f"cpython {sys.version.split()[0]}"
    firmware.run(BusBoard(_StdioLink(), "cpython", version, lambda: 0, json.loads, lambda: None))


if __name__ == "__main__":
    main()
