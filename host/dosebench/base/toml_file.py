"""TOML files whose mistakes are reported with their key and their line.

`tomllib` parses; it keeps no positions, and neither does `tomlkit`, so `key_lines` walks the same text once more and
notes on which line every key, table and array element starts. It runs only on text that `tomllib` has accepted.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dosebench.base.errors import DosebenchError
from dosebench.base.words import count_noun

if TYPE_CHECKING:
    from pydantic import ValidationError

Key = tuple[str | int, ...]
"""Path of a value in a file: ("therapy", "dose"), ("steps", 3, "dose")."""

FILE_BYTES_MAX: Final = 1 << 20
"""Largest file that is read, in bytes."""


@dataclass(frozen=True)
class Problem:
    """One mistake, or one thing to confirm, at its place.

    Attributes:
        key: Dotted path of the key, such as "therapy.dose"; empty for the file as a whole.
        line: Line in the file, from 1.
        message: What is wrong and what would be right.
        code: Stable name for scripts, such as "unit" or "dose-hard-max".
        needs_confirm: For a warning: whether a person must confirm it before the program goes to a pump.
    """

    key: str
    line: int
    message: str
    code: str
    needs_confirm: bool = False

    def __str__(self) -> str:
        return f"line {self.line}: {self.key + ': ' if self.key else ''}{self.message}"


class TomlFileError(DosebenchError):
    """A file with mistakes, all of them in `problems`."""

    def __init__(self, name: str, problems: Iterable[Problem]) -> None:
        self.name = name
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{name}: {count_noun(len(self.problems), 'mistake')}\n{lines}")


@dataclass(frozen=True)
class TomlFile:
    """A parsed file: its `data` and where each key stands in it."""

    name: str
    data: dict[str, Any]
    lines: dict[Key, int]

    def find_line(self, key: Key) -> int:
        """Line of `key`, from 1; of the nearest table around it where the key itself is missing."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)

    def make_problem(self, key: Key, message: str, code: str, *, needs_confirm: bool = False) -> Problem:
        """A `Problem` at the line of `key`."""
        return Problem(format_key(key), self.find_line(key), message, code, needs_confirm)


def format_key(key: Key) -> str:
    """`("steps", 3, "dose")` as "steps[3].dose"."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return "".join(parts).removeprefix(".")


def read_toml(path: Path) -> TomlFile:
    """Read and parse a file.

    Raises:
        TomlFileError: It cannot be read, is not UTF-8, is too long, or is not TOML; with the place.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise DosebenchError(f"cannot read {path}: {error.strerror}") from error
    if len(raw) > FILE_BYTES_MAX:
        raise TomlFileError(str(path), [Problem("", 1, f"longer than {FILE_BYTES_MAX} bytes", "not-toml")])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise TomlFileError(str(path), [Problem("", line, "not TOML: not UTF-8 text", "not-toml")]) from None
    return parse_toml(text, str(path))


def parse_toml(text: str, name: str) -> TomlFile:
    """Parse the text of a file that messages call `name`; raises `TomlFileError` where it is not TOML."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TomlFileError(name, [_not_toml(text, str(error))]) from None
    except RecursionError:
        raise TomlFileError(name, [Problem("", 1, "not TOML: nested too deeply", "not-toml")]) from None
    return TomlFile(name, data, key_lines(text))


def _not_toml(text: str, message: str) -> Problem:
    place = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", message)
    what = message[: place.start()] if place else message
    last = text.rstrip("\n").split("\n")
    line, column = (int(place[1]), int(place[2])) if place and place[1] else (len(last), len(last[-1]) + 1)
    return Problem("", line, f"not TOML: {what[:1].lower()}{what[1:]}, line {line} column {column}", "not-toml")


def from_validation(
    file: TomlFile, error: ValidationError, unknown: Callable[[Key], Problem] | None = None
) -> list[Problem]:
    """Every mistake that pydantic found, in the words and at the lines of the file.

    Args:
        file: What was validated.
        error: What pydantic says.
        unknown: Tells of a key that the format does not have; None where nothing near it is known.
    """
    return from_mistakes(file, error.errors(include_url=False), unknown)


def from_mistakes(
    file: TomlFile, mistakes: Iterable[Mapping[str, Any]], unknown: Callable[[Key], Problem] | None = None
) -> list[Problem]:
    """As `from_validation`, of mistakes as pydantic lists them (`loc`, `type`, `msg`, `input`, `ctx`)."""
    problems = []
    for item in mistakes:
        key: Key = tuple(item["loc"])
        kind, message = item["type"], item["msg"]
        if kind == "value_error":
            problems.append(file.make_problem(key, str(item["ctx"]["error"]), "value"))
        elif kind == "missing":
            problems.append(file.make_problem(key, f'"{key[-1]}" is missing', "missing"))
        elif kind == "extra_forbidden" and unknown is not None:
            problems.append(unknown(key))
        elif kind == "extra_forbidden":
            problems.append(file.make_problem(key, f'unknown key "{key[-1]}"', "unknown-key"))
        else:
            problems.append(file.make_problem(key, _format_message(kind, message, item["input"]), "value"))
    return problems


def _format_message(kind: str, message: str, given: object) -> str:
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return f"must be a table, not {given!r}"
    return f"{message.removeprefix('Input ')}, not {given!r}"


def unknown_key(name: str, known: Iterable[str]) -> str:
    """Message for a key that the format does not have, with the nearest one that it has."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    guess = f'did you mean "{near[0]}"?' if near else f"known here are {', '.join(names)}"
    return f'unknown key "{name}"; {guess}'


def key_lines(text: str) -> dict[Key, int]:
    """On which line, from 1, each key, table and array element of valid TOML starts.

    Args:
        text: Text that `tomllib.loads` accepts.

    Returns:
        Line by key path. A table that is only implied by a longer header has the line of that header.
    """
    return _Scanner(text.replace("\r\n", "\n")).scan_keys()


_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_BLANK: Final = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_STRING: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|' + r"'''.*?'{3,5}|" + r'"(?:[^"\\\n]|\\.)*"|' + r"'[^'\n]*'", re.DOTALL
)
_SCALAR: Final = re.compile(r"[^,\]}#\n]+")


class _Scanner:
    """One pass over valid TOML text; `at` is the offset of the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Key, int] = {}
        self.tables: dict[Key, int] = {}
        self.line = 1
        self.line_at = 0

    def scan_keys(self) -> dict[Key, int]:
        table: Key = ()
        self.skip_pattern(_BLANK)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self.scan_header()
            else:
                self.scan_pair(table)
            self.skip_pattern(_BLANK)
        return self.lines

    def skip_pattern(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        assert match is not None, f"not TOML at offset {self.at}"
        self.at = match.end()
        return match[0]

    def note_line(self, key: Key) -> None:
        self.line += self.text.count("\n", self.line_at, self.at)
        self.line_at = self.at
        for length in range(1, len(key) + 1):
            self.lines.setdefault(key[:length], self.line)

    def scan_header(self) -> Key:
        is_array = self.text.startswith("[[", self.at)
        self.at += 2 if is_array else 1
        names = self.scan_path()
        self.at += 2 if is_array else 1
        key: Key = ()
        for name in names[:-1]:
            key = self.scan_element((*key, name))
        key = (*key, names[-1])
        if is_array:
            self.tables[key] = self.tables.get(key, -1) + 1
            key = self.scan_element(key)
        self.note_line(key)
        return key

    def scan_element(self, key: Key) -> Key:
        return (*key, self.tables[key]) if key in self.tables else key

    def scan_path(self) -> list[str]:
        names = [self.scan_name()]
        while self.text.startswith(".", self.at):
            self.at += 1
            names.append(self.scan_name())
        return names

    def scan_name(self) -> str:
        self.skip_pattern(_SPACE)
        if self.text[self.at] in "\"'":
            (name,) = tomllib.loads(f"{self.skip_pattern(_STRING)}=0")
        else:
            name = self.skip_pattern(_BARE)
        self.skip_pattern(_SPACE)
        return name

    def scan_pair(self, table: Key) -> None:
        start = self.at
        key: Key = (*table, *self.scan_path())
        end, self.at = self.at, start
        self.note_line(key)
        self.at = end + 1
        self.skip_pattern(_SPACE)
        self.scan_value(key)

    def scan_value(self, key: Key) -> None:
        first = self.text[self.at]
        if first == "[":
            self.scan_array(key)
        elif first == "{":
            self.scan_inline_table(key)
        else:
            self.skip_pattern(_STRING if first in "\"'" else _SCALAR)

    def scan_array(self, key: Key) -> None:
        self.at += 1
        index = 0
        self.skip_pattern(_BLANK)
        while self.text[self.at] != "]":
            self.note_line((*key, index))
            self.scan_value((*key, index))
            index += 1
            self.scan_comma()
        self.at += 1

    def scan_inline_table(self, key: Key) -> None:
        self.at += 1
        self.skip_pattern(_BLANK)
        while self.text[self.at] != "}":
            self.scan_pair(key)
            self.scan_comma()
        self.at += 1

    def scan_comma(self) -> None:
        self.skip_pattern(_BLANK)
        if self.text[self.at] == ",":
            self.at += 1
            self.skip_pattern(_BLANK)
