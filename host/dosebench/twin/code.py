"""The firmware's files: where they lie, and the hash by which a board knows its own code."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

CODE_HASH_BYTES: Final = 16


def firmware_dir() -> Path:
    """Directory with `main.py`, `pump/` and `boards/`: in the wheel, or in the source tree."""
    import dosebench  # noqa: PLC0415

    package = Path(dosebench.__file__).parent
    packed = package / "_firmware"
    return packed if packed.is_dir() else package.parents[1] / "firmware"


@cache
def code_hash() -> bytes:
    """The first 16 bytes of a SHA-256 over path and content of every Python file of the firmware, sorted by path.

    Read once in a process: a twin is flashed with what was there when it was first asked.
    """
    root = firmware_dir()
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.digest()[:CODE_HASH_BYTES]
