"""The firmware's files: where they lie, and the hash by which a board knows its own code."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

CODE_HASH_BYTES: Final = 16
OTHER_FIRMWARE: Final = "DOSEBENCH_FIRMWARE"
"""Environment variable with the directory of another firmware to run on twins."""


def firmware_dir() -> Path:
    """Directory with `main.py`, `pump/` and `boards/`: that of $DOSEBENCH_FIRMWARE, in the wheel, or in the tree."""
    if other := os.environ.get(OTHER_FIRMWARE):
        return Path(other)
    import dosebench  # noqa: PLC0415

    package = Path(dosebench.__file__).parent
    packed = package / "_firmware"
    return packed if packed.is_dir() else package.parents[1] / "firmware"


def hash_of(code: Mapping[str, bytes]) -> bytes:
    """The first 16 bytes of a SHA-256 over path, length and content of every file, sorted by path.

    Args:
        code: Path inside the firmware's directory, with slashes -> content.
    """
    digest = hashlib.sha256()
    for path, content in sorted(code.items()):
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return digest.digest()[:CODE_HASH_BYTES]


@cache
def code_hash() -> bytes:
    """`hash_of` every file of code of the firmware.

    Read once in a process: a twin is flashed with what was there when it was first asked.
    """
    root = firmware_dir()
    files = [*root.rglob("*.py"), *root.rglob("*.mpy")]
    return hash_of({path.relative_to(root).as_posix(): path.read_bytes() for path in files})
