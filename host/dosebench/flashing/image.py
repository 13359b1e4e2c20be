"""What a slot of a board holds: code, settings, bench, and the manifest that makes it whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dosebench_protocol.tables import PROGRAM_FORMAT

from dosebench.flashing.errors import FlashError
from dosebench.flashing.layout import BENCH, CONFIG, SETTINGS
from dosebench.image.source import hash_of

MANIFEST_FORMAT: Final = 1
FORMATS: Final[dict[str, int]] = {"journal": 2, "therapy": PROGRAM_FORMAT, "config": 1, "bench": 1}
"""Formats of what a board keeps. A number goes up when older firmware cannot read what newer firmware wrote."""


class ImageError(FlashError):
    """The files do not make a slot."""


def is_shadowed(path: str, paths: frozenset[str]) -> bool:
    """Whether another file of a slot would be imported in place of this one: foo.py comes before foo.mpy."""
    stem, dot, suffix = path.rpartition(".")
    return bool(dot) and suffix == "mpy" and f"{stem}.py" in paths


@dataclass(frozen=True)
class Image:
    """A whole slot.

    Attributes:
        files: Path inside the slot -> content, without the manifest.
        family: Of boards that it runs on.
        version: Of the firmware.
    """

    files: Mapping[str, bytes]
    family: str
    version: str

    def __post_init__(self) -> None:
        paths = frozenset(self.files)
        if not paths & {"main.py", "main.mpy"} or not {CONFIG, BENCH} <= paths:
            raise ImageError("a slot needs a main, config.json and bench.json")
        if twice := sorted(path for path in paths if is_shadowed(path, paths)):
            raise ImageError(f"{twice[0]} would be shadowed by the .py file beside it")

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each file, in hex."""
        return {path: hashlib.sha256(content).hexdigest() for path, content in sorted(self.files.items())}

    @property
    def manifest(self) -> bytes:
        """The file that is written last: what the slot holds, in which formats."""
        told = {
            "format": MANIFEST_FORMAT,
            "version": self.version,
            "family": self.family,
            "formats": FORMATS,
            "files": self.digests,
            "code": self.code.hex(),
        }
        return json.dumps(told, separators=(",", ":")).encode()

    @property
    def code(self) -> bytes:
        """Hash of the code, as the board takes it."""
        return hash_of({path: content for path, content in self.files.items() if path not in SETTINGS})

    @property
    def mpy_version(self) -> int:
        """Version of the bytecode that it asks for (second byte of a .mpy file); 0 where all is source."""
        return next((content[1] for path, content in self.files.items() if path.endswith(".mpy")), 0)


def manifest_of(content: bytes) -> dict[str, Any] | None:
    """A manifest as it was read from a board; None when it is torn or none of ours."""
    try:
        told = json.loads(content)
    except ValueError:
        return None
    whole = isinstance(told, dict) and {"format", "version", "formats", "files"} <= set(told)
    return told if whole else None


def newer_formats(kept: Mapping[str, int]) -> list[str]:
    """Formats that a board uses and that are too new for this release."""
    return [name for name, number in sorted(kept.items()) if number > FORMATS.get(name, 0)]


def outdated_formats(kept: Mapping[str, int]) -> list[str]:
    """Formats of what a board stores that are too old for this release: of its journal, and of its programs."""
    return [name for name in ("journal", "therapy") if kept.get(name, 0) < FORMATS[name]]
