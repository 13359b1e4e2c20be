"""Which kind of file a TOML file is, for whoever gave one to the command of another kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dosebench.base.toml_file import Problem, TomlFile


@dataclass(frozen=True)
class FileKind:
    """One kind of file.

    Attributes:
        article_name: What it is in a sentence.
        marks: Keys at the top that no other kind has, so that one of them tells it.
        reader: What reads it, as the end of a sentence.
    """

    article_name: str
    marks: frozenset[str]
    reader: str


KINDS: Final[Mapping[str, FileKind]] = {
    "regimen": FileKind("a regimen", frozenset({"drug", "therapy"}), "`dosebench check FILE` reads it"),
    "bench": FileKind(
        "a bench file", frozenset({"board", "motor", "mechanics"}), "`dosebench bench check FILE` reads it"
    ),
    "scenario": FileKind(
        "a scenario", frozenset({"event", "length"}), "`dosebench simulate REGIMEN --scenario FILE` reads it"
    ),
    "profile": FileKind(
        "a pump profile",
        frozenset({"extends", "class", "delivery", "caps"}),
        "`dosebench longevity FILE` reads it, and so does whatever reads a regimen or a bench file beside it",
    ),
    "drug": FileKind(
        "a drug file", frozenset({"vials", "aliases"}), "`dosebench check REGIMEN --drugs DIRECTORY` reads it"
    ),
}
"""By name: every kind of file that people write."""


def of_another_kind(file: TomlFile, wanted: str) -> Problem | None:
    """The one mistake of a file that is of another kind than the wanted one: what it is, and what reads it.

    None where it may be meant as one of the wanted kind: it has a mark of that, or of no other.
    """
    keys = file.data.keys()
    if keys & KINDS[wanted].marks:
        return None
    for name, kind in KINDS.items():
        if name != wanted and keys & kind.marks:
            message = f"this is {kind.article_name}, not {KINDS[wanted].article_name}: {kind.reader}"
            return Problem("", 1, message, "file-kind")
    return None
