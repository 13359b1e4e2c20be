"""Regimen files: what a clinician orders, as TOML with a unit at every figure.

`read_regimen` gives a file's content together with every mistake of form in it; `dosebench.regimen.check` builds the
complete `Order`, once nothing is wrong. `docs/REGIMEN.md` describes the format key by key.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dosebench.base import toml_file
from dosebench.base.file_kinds import of_another_kind
from dosebench.base.toml_file import Key, Problem, TomlFile, TomlFileError
from dosebench.regimen.schema import ELSEWHERE, NEEDED_BY, NEEDED_IN, NEEDED_IN_MODE, REQUIRED, TABLES, RegimenFile


class RegimenError(TomlFileError):
    """A regimen with mistakes; all of them are in `problems`."""


@dataclass(frozen=True)
class Document:
    """A regimen file as read.

    Attributes:
        file: Where each key stands.
        content: What could be read; keys with mistakes of form are None.
        problems: Every mistake of form: values, unknown and missing keys.
    """

    file: TomlFile
    content: RegimenFile
    problems: tuple[Problem, ...]

    def states(self, *key: str | int) -> bool:
        """Whether the file has that key, rightly or wrongly."""
        return key in self.file.lines


def read_regimen(path: Path) -> Document:
    """Read a regimen file with all its mistakes of form.

    Raises:
        DosebenchError: It cannot be read.
        TomlFileError: It is not TOML, with line and column; or a file of another kind, with the command for that.
    """
    return from_file(toml_file.read_toml(path))


def from_file(file: TomlFile) -> Document:
    """The document in an already parsed file. Raises RegimenError: It is a file of another kind."""
    if other := of_another_kind(file, "regimen"):
        raise RegimenError(file.name, [other])
    data = deepcopy(file.data)
    problems = list(_report_missing(file))
    try:
        content = RegimenFile.model_validate(data)
    except ValidationError as error:
        problems += toml_file.from_validation(file, error, partial(_report_unknown, file))
        for item in error.errors():
            _remove_value(data, tuple(item["loc"]))
        content = RegimenFile.model_validate(data)
    return Document(file, content, tuple(sorted(problems, key=lambda problem: problem.line)))


def _report_missing(file: TomlFile) -> Iterator[Problem]:
    wanted = dict(REQUIRED)
    mode = _get_value(file.data, ("therapy", "mode"))
    if isinstance(mode, str) and mode in NEEDED_IN_MODE:
        key, example = NEEDED_IN_MODE[mode]
        wanted[key] = example
    for table, reason in NEEDED_BY.items():
        if table in file.data:
            wanted["catheter"] = reason
    for dotted, example in wanted.items():
        yield from _report_absent(file, tuple(dotted.split(".")), example)
    for path, examples in NEEDED_IN.items():
        for place in _list_tables(file.data, tuple(path.split("."))):
            for name, example in examples.items():
                yield from _report_absent(file, (*place, name), example)


def _report_absent(file: TomlFile, key: Key, example: str) -> Iterator[Problem]:
    parent = _get_value(file.data, key[:-1])
    if parent is None or (isinstance(parent, dict) and key[-1] not in parent):
        yield file.make_problem(key, f"missing; {example}", "missing")


def _list_tables(data: Any, path: Key, at: Key = ()) -> Iterator[Key]:
    """Keys of every table at `path`, those in arrays one by one."""
    if isinstance(data, list):
        for place, item in enumerate(data):
            yield from _list_tables(item, path, (*at, place))
    elif isinstance(data, dict):
        if not path:
            yield at
        elif path[0] in data:
            yield from _list_tables(data[path[0]], path[1:], (*at, path[0]))


def _get_value(data: Any, key: Key) -> Any:
    for part in key:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return None
    return data


def _remove_value(data: Any, key: Key) -> None:
    """Take out what is at `key`; of an array, whose places must stay, all of it."""
    parents = list(key)
    leaf = parents.pop()
    while isinstance(leaf, int):
        leaf = parents.pop()
    table = _get_value(data, tuple(parents))
    if isinstance(table, dict):
        table.pop(leaf, None)


def _report_unknown(file: TomlFile, key: Key) -> Problem:
    table = ".".join(part for part in key[:-1] if isinstance(part, str))
    if not table and key[-1] in ELSEWHERE:
        return file.make_problem(key, f'unknown key "{key[-1]}"; {ELSEWHERE[str(key[-1])]}', "unknown-key")
    return file.make_problem(key, toml_file.unknown_key(str(key[-1]), TABLES[table].model_fields), "unknown-key")
