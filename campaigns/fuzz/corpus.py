"""The inputs that fuzzing starts from: the golden frames, and those in `corpus.txt`, one a line in hexadecimal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from dosebench_protocol.frame import decode, signed_part
from dosebench_protocol.generate.vectors import frame_bytes, golden_frames
from dosebench_protocol.schema.model import schema

from .target import INSIDE, LINE

CORPUS: Final = Path(__file__).with_name("corpus.txt")


def seeds() -> Iterator[bytes]:
    """The golden frames, as bytes of a line and as the inside of a frame."""
    lines = [frame_bytes(fields) for fields in dict(golden_frames(schema())).values()]
    yield from (bytes([LINE]) + b"".join(lines[at : at + 8]) for at in range(0, len(lines), 4))
    for line in lines:
        yield bytes([LINE]) + line
        frame = decode(line[:-1])
        yield bytes([INSIDE]) + signed_part(frame) + frame.tag


def kept() -> list[bytes]:
    """What earlier runs found to cover something new."""
    return [bytes.fromhex(line) for line in CORPUS.read_text(encoding="ascii").split()] if CORPUS.exists() else []


def keep(inputs: Iterable[bytes]) -> None:
    """Make these the corpus."""
    CORPUS.write_text("".join(f"{data.hex()}\n" for data in sorted(set(inputs) - {b""})), encoding="ascii")
