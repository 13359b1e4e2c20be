"""What `dosebench flash` sends, as a package that MicroPython's own installer (mip) puts onto a board.

It is for boards without a pump: mip writes file by file in place and takes nothing away. The manifest comes after the
files that it vouches for, so an install that was interrupted leaves a slot that is not started.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dosebench.flashing.errors import FlashError
from dosebench.flashing.image import Image
from dosebench.flashing.layout import ACTIVE, MAIN, MANIFEST, Slot, slot_dir

INDEX: Final = "package.json"
SLOT: Final[Slot] = "a"


def files_of(image: Image, selector: bytes) -> dict[str, bytes]:
    """Path in the package, which is that on the board without its first slash -> content, in the order of writing."""
    slot = slot_dir(SLOT)
    files = {f"{slot}/{path}": content for path, content in sorted(image.files.items())}
    last = {f"{slot}/{MANIFEST}": image.manifest, ACTIVE: SLOT.encode(), MAIN: selector}
    files = {path.lstrip("/"): content for path, content in (files | last).items()}
    return files | {INDEX: _make_index(files, image.version)}


def _make_index(files: Mapping[str, bytes], version: str) -> bytes:
    """The form of mip: where each file goes, and where it lies beside this one."""
    return json.dumps({"urls": [[path, path] for path in files], "version": version}, indent=1).encode() + b"\n"


def write_package(files: Mapping[str, bytes], directory: Path) -> None:
    """Into a directory that is not there yet, or empty. Raises FlashError."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise FlashError(f"{directory} is not empty", hint="name a directory that is not there yet")
        for path, content in files.items():
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_bytes(content)
    except OSError as error:
        raise FlashError(f"{directory}: {error.strerror}", hint="name another directory") from error
