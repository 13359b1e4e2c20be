"""Whether a board can carry the pump: each refusal says why, and what to do about it. Nothing is written before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dosebench.flashing.errors import FlashError
from dosebench.flashing.image import Image, manifest_of, newer_formats, outdated_formats
from dosebench.flashing.layout import is_selector
from dosebench.flashing.shell import About, Held
from dosebench.image.build import Form

VERSION_MIN: Final = (1, 24)
CANCEL_MIN: Final = (1, 27)
"""The first whose ESP32 port can end a pulse that has begun (`RMT.active`; docs/FIRMWARE.md)."""
BOOTED_KB: Final[Mapping[Form, int]] = {"linked": 111, "named": 183}
"""KB of heap that the firmware holds after boot where its files lie in a file system, boards' files aside
(docs/BENCHMARKS.md, measured on the 32-bit runtime)."""
BOARD_KB: Final = 32
"""KB that the board's files and its parts hold besides (an emulated Pico: 143 KB in all)."""
GROWS: Final = "esp32"
"""Family whose heap grows beyond what it tells: there the files of the board are left out of the account."""
COMMAND_KB: Final = 28
"""KB that carrying out a command may take besides (docs/FIRMWARE.md, tests/firmware/whole/test_heap.py)."""
HEAP_MIN_KB: Final[Mapping[Form, int]] = {
    **{form: held + COMMAND_KB + 2 for form, held in BOOTED_KB.items()},
    "source": 384,
}
"""KB: both, and 2 KB for an answer (docs/FIRMWARE.md); a Pico has 236 KB. For source text it is chosen: an emulated
Pico did not come to an end with that."""
FORMS: Final[Mapping[Form, str]] = {
    "linked": "the pump",
    "named": "the pump with the names of its source",
    "source": "to compile the firmware by itself it",
}
SECTOR_BYTES: Final = 4096
SPARE_BLOCKS: Final = 8
"""Blocks that must stay free beyond the files: directories, files that are written aside, and wear (chosen)."""
FAMILIES: Final = {"rp2": "RP2040 or RP2350", "esp32": "ESP32"}
GET: Final[Mapping[str, str]] = {
    "rp2": "hold BOOTSEL while plugging the board in, and copy the UF2 file of its page at micropython.org/download "
    "onto the drive that appears",
    "esp32": "pip install esptool, then `esptool erase-flash` and `esptool write-flash OFFSET FILE.bin` with file and "
    "offset of its page at micropython.org/download",
    "stm32": "set the BOOT pin, and write the DFU file of its page at micropython.org/download with dfu-util",
}
"""Family -> how MicroPython gets onto it (the download page of each board)."""


def check_interpreter(about: About) -> None:
    """MicroPython, and new enough. Raises FlashError."""
    get = GET.get(about.family, "see micropython.org/download")
    if about.name != "micropython":
        raise FlashError(f"the board runs {about.name}, not MicroPython", hint=get)
    if about.version < VERSION_MIN:
        raise FlashError(
            f"the board runs MicroPython {about.version_text}; "
            f"the pump needs {VERSION_MIN[0]}.{VERSION_MIN[1]} or newer",
            hint=get,
        )


def check_heap(about: About, form: Form) -> None:
    """Heap enough for the firmware in a form, and for a command. Raises FlashError."""
    needed = HEAP_MIN_KB[form] + (0 if about.family == GROWS or form == "source" else BOARD_KB)
    if about.heap_bytes < needed * 1024:
        smallest = "take a board with more memory: a Pico has 236 KB"
        smaller = "leave --named and --source out; compiled files need a MicroPython that loads them (1.24 and newer)"
        raise FlashError(
            f"the board has {about.heap_bytes // 1024} KB of heap; {FORMS[form]} needs {needed} KB",
            hint=smallest if form == "linked" else smaller,
        )


def check_family(about: About, family: str) -> None:
    """The board is of the family that the bench is wired for. Raises FlashError."""
    if about.family != family:
        known = FAMILIES.get(about.family)
        there = f"a board of the family {about.family} ({known})" if known else f"a {about.family}"
        raise FlashError(
            f"the bench is for {family}, and this is {there}: {about.machine}",
            hint="give the bench file of this board, or the port of the other one",
        )


def check_motor(about: About, motor: str) -> None:
    """The interpreter can stop this kind of motor at once. Raises FlashError."""
    if about.family == "esp32" and motor == "dc" and about.version < CANCEL_MIN:
        raise FlashError(
            f"the board runs MicroPython {about.version_text}; a direct-current head on an ESP32 needs "
            f"{CANCEL_MIN[0]}.{CANCEL_MIN[1]} or newer: older ones cannot end a pulse, and the motor would run on for "
            "up to a second after its last step",
            hint=GET[about.family],
        )


def accepts_bytecode(about: About, image: Image) -> bool:
    """Whether the board loads the compiled files of this image."""
    return image.mpy_version in (0, about.mpy & 0xFF)


def check_formats(held: Held) -> None:
    """This release can read all that the board keeps. Raises FlashError."""
    manifest = manifest_of(held.manifests[held.runs]) if held.runs else None
    if manifest is None:
        return
    version, formats = manifest["version"], manifest["formats"]
    if newer := newer_formats(formats):
        raise FlashError(
            f"the board runs firmware {version}, whose {', '.join(newer)} this "
            "release cannot read: it would take them for damaged",
            hint="flash that release or a newer one, or remove all that the board holds with `dosebench unflash`",
        )
    if old := outdated_formats(formats):
        raise FlashError(
            f"the board keeps {' and '.join(old)} of firmware {version}, which this release cannot read",
            hint=f"pull the journal with dosebench {version} if you need it, then run `dosebench unflash` and "
            "`dosebench flash --bench FILE.toml`",
        )


def check_room(about: About, held: Held, need: Mapping[str, int], freed: int, storage_sectors: int) -> None:
    """The file system has room for what is to be written, and for the journal as it will grow.

    Args:
        about: The board.
        held: What lies on it.
        need: Bytes of each file that is to be written, by path.
        freed: Bytes that are removed before.
        storage_sectors: Sectors of 4096 bytes of journal and therapy; 0 where they lie in a partition of their own.

    Raises FlashError.
    """
    block = about.block_bytes
    blocks = sum(-(-size // block) for size in need.values()) + SPARE_BLOCKS
    storage = max(0, storage_sectors * SECTOR_BYTES - held.stored_bytes)
    wanted = blocks * block + storage
    there = about.free_bytes + freed
    if wanted > there:
        raise FlashError(
            f"the board has {there // 1024} KB free, and needs {wanted // 1024} KB: {blocks * block // 1024} KB for "
            f"the firmware, {storage // 1024} KB for the journal as it grows; nothing was written",
            hint="remove files of your own from the board, or take a board with more flash",
        )


def check_not_there(held: Held) -> None:
    """No pump is on the board yet. Raises FlashError."""
    if held.runs is not None:
        raise FlashError(
            "a pump is on this board already",
            hint="--update keeps its therapy, journal and keys; --new-keys replaces the keys; "
            "`dosebench unflash` takes it off",
        )


def is_foreign(main: bytes | None) -> bool:
    """Whether a main.py is there that somebody else wrote."""
    return main is not None and bool(main.strip()) and not is_selector(main)
