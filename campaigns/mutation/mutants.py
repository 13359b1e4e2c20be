"""Mutants of the firmware: cosmic-ray's, or planted by hand."""

from __future__ import annotations

import difflib
import multiprocessing
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PUMP = ROOT / "firmware" / "pump"


@dataclass(frozen=True)
class Mutant:
    """One change to one file of the pump.

    Attributes:
        name: What identifies it however lines move: file, function, the line before and after, and a number where
            several are the same.
        source: The changed file, whole.
    """

    file: str
    name: str
    source: str


def _name(file: str, function: str, before: str, after: str) -> str:
    old, new = before.splitlines(), after.splitlines()
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    changed = [part for part in matcher.get_opcodes() if part[0] != "equal"]

    def text(lines: list[str], start: int, end: int) -> str:
        return " ".join(" ".join(line.split()) for line in lines[start:end])

    lost = " ".join(text(old, part[1], part[2]) for part in changed)
    gained = " ".join(text(new, part[3], part[4]) for part in changed)
    return f"{file} {function or 'module'}: {lost} -> {gained}"


def _mutate(spec: tuple[str, str, dict[str, Any], int, str]) -> tuple[str, str, str]:
    from cosmic_ray.mutating import mutate_code  # noqa: PLC0415
    from cosmic_ray.plugins import get_operator  # noqa: PLC0415

    file, operator, arguments, occurrence, function = spec
    before = (PUMP / file).read_text()
    after = mutate_code(before, get_operator(operator)(**arguments), occurrence)
    assert after is not None
    return file, _name(file, function, before, after), after


def from_cosmic_ray(files: Iterable[str], jobs: int) -> list[Mutant]:
    """Every mutant that cosmic-ray's operators make of these files, in the order of their lines."""
    from cosmic_ray.commands import init  # noqa: PLC0415
    from cosmic_ray.work_db import WorkDB, use_db  # noqa: PLC0415

    with use_db(":memory:", WorkDB.Mode.create) as database:
        init([PUMP / file for file in files], database, {})
        found = [mutation for item in database.work_items for mutation in item.mutations]
    found.sort(key=lambda one: (one.module_path, one.start_pos, one.end_pos, one.operator_name, one.occurrence))
    specs = [
        (file, one.operator_name, one.operator_args, one.occurrence, one.definition_name or "")
        for one in found
        for file in [one.module_path.relative_to(PUMP).as_posix()]
    ]
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        made = pool.map(_mutate, specs, chunksize=20)
    seen: Counter[str] = Counter()
    mutants = []
    for file, name, source in made:
        seen[name] += 1
        mutants.append(Mutant(file, name if seen[name] == 1 else f"{name} ({seen[name]})", source))
    return mutants


def planted(file: str, old: str, new: str) -> Mutant:
    """A file in which `new` stands for `old`, which must be there exactly once."""
    before = (PUMP / file).read_text()
    if before.count(old) != 1:
        raise ValueError(f"{file}: {old!r} is there {before.count(old)} times, not once")
    return Mutant(file, f"{file} planted: {old} -> {new}", before.replace(old, new))
