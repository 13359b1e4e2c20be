"""Who may import whom: the layers of host, firmware and protocol as data, checked in every import of the tree.

An import counts wherever it stands: at the top, inside a function, or under `TYPE_CHECKING`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]

HOST: Final = (
    {"cli"},
    {"report"},
    {"simulation"},
    {"flashing", "journal", "regimen"},
    {"twin", "bench", "therapy"},
    {"image", "link", "profile"},
    {"base"},
)
"""Packages of `dosebench`, the highest first. Each may import those below it; those of one row do not import each
other. A new package gets its row here first."""

FIRMWARE: Final = (
    {"controller"},
    {"link"},
    {"orders", "boot", "alarm_effects"},
    {"dosing"},
    {"monitoring", "integrity", "guard"},
    {"storage"},
    {"profile", "clock", "wake_counts"},
    {"wire", "small_int", "refusal", "version", "part"},
)
"""Packages and modules of `pump`, the highest first."""

BESIDE_THE_HOST: Final = {"hil/dosebench_hil": {"cli", "report"}, "benchmarks": {"cli", "report"}}
"""What may use all of the host but these packages."""

SOURCES: Final = {"host": "host", "firmware": "firmware", "protocol": "protocol", "hil": "hil", "benchmarks": "."}


def _name(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


@cache
def modules() -> Mapping[str, Path]:
    """Every module of the tree by its dotted name."""
    found = {}
    for directory, root in SOURCES.items():
        for path in sorted((ROOT / directory).rglob("*.py")):
            if "device" not in path.parts:
                found[_name(path, ROOT / root)] = path
    return found


def _statements(name: str, path: Path) -> Iterator[tuple[int, str]]:
    package = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield node.lineno, whole if whole in modules() else base


@cache
def imports() -> Mapping[str, tuple[tuple[int, str], ...]]:
    """Module -> (line, module of the tree that it imports)."""
    return {
        name: tuple((line, found) for line, found in _statements(name, path) if found in modules() and found != name)
        for name, path in modules().items()
    }


def _below(rows: tuple[set[str], ...]) -> dict[str, set[str]]:
    return {
        package: {package, *(other for lower in rows[place + 1 :] for other in lower)}
        for place, row in enumerate(rows)
        for package in row
    }


@pytest.mark.parametrize(("tree", "rows"), [("dosebench", HOST), ("pump", FIRMWARE)])
def test_every_import_points_down(tree: str, rows: tuple[set[str], ...]) -> None:
    below = _below(rows)
    wrong = []
    for name, found in imports().items():
        parts = name.split(".")
        if parts[0] != tree or len(parts) == 1:
            continue
        assert parts[1] in below, f"{name} is in no row of {tree}"
        for line, other in found:
            target = other.split(".")
            if target[0] == tree and len(target) > 1 and target[1] not in below[parts[1]]:
                wrong.append(f"{name}:{line} imports {other}")
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: {other for _, other in found} for name, found in imports().items()}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a circle: {' > '.join(error.args[1])}")


def test_no_command_imports_another() -> None:
    main = ast.parse(modules()["dosebench.cli.main"].read_text(encoding="utf-8"))
    texts = {node.value for node in ast.walk(main) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    commands = {f"dosebench.cli.{text.split(':')[0]}" for text in texts if text.count(":") == 1 and " " not in text}
    commands &= modules().keys()
    assert len(commands) > 20
    wrong = [
        f"{name}:{line} imports {other}"
        for name in commands
        for line, other in imports()[name]
        if other in commands
    ]
    assert wrong == []


@pytest.mark.parametrize(("directory", "banned"), BESIDE_THE_HOST.items())
def test_bench_and_benchmarks_use_neither_commands_nor_reports(directory: str, banned: set[str]) -> None:
    package = directory.rsplit("/", maxsplit=1)[-1]
    wrong = [
        f"{name}:{line} imports {other}"
        for name, found in imports().items()
        if name.split(".")[0] == package
        for line, other in found
        if other.startswith("dosebench.") and other.split(".")[1] in banned
    ]
    assert wrong == []


def test_only_the_schema_imports_construct_and_nothing_at_run_time_imports_the_schema() -> None:
    for name, found in imports().items():
        parts = name.split(".")
        if parts[0] == "dosebench_protocol":
            room = parts[1] if len(parts) > 1 else ""
            assert room != "schema" or not any(other.startswith("dosebench_protocol.generate") for _, other in found)
            outside = {other.split(".")[1] for _, other in found if other.startswith("dosebench_protocol.")}
            assert room in ("schema", "generate") or not outside & {"schema", "generate"}, name
        if name.startswith(("dosebench.", "dosebench_protocol.")) and ".schema" not in name:
            text = modules()[name].read_text(encoding="utf-8")
            direct = {node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
            assert "construct" not in direct or name.startswith("dosebench_protocol.generate."), name
        if name.startswith("dosebench."):
            others = {other for _, other in found}
            assert not any(o.startswith(("dosebench_protocol.schema", "dosebench_protocol.generate")) for o in others)


def test_guard_and_dosing_meet_in_delivery_alone() -> None:
    for name, found in imports().items():
        others = {other for _, other in found}
        if name.startswith("pump.guard."):
            assert not any(other.startswith("pump.dosing") for other in others), name
        if name.startswith("pump.dosing.") and name != "pump.dosing.delivery":
            assert not any(other.startswith("pump.guard") for other in others), name


def test_boards_do_not_know_the_pump() -> None:
    for name, found in imports().items():
        if name.startswith("boards."):
            assert {other for _, other in found if other.startswith("pump.")} <= {"pump.wire"}, name
