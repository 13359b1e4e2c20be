"""The house rules that a machine can hold: imports per ring, no floats in dosing, short functions, no clutter."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PUMP_IMPORTS = {"array", "binascii", "hashlib", "pump", "struct", "micropython"}
FUNCTION_LINES_MAX = 70
BOARD_LINES_MAX = 300
RINGS = {
    "protocol/dosebench_protocol": {"dosebench", "dosebench_hil", "pump", "boards", "serial"},
    "host/dosebench": {"dosebench_hil"},
}


def sources(directory: str) -> list[Path]:
    """Python files below a directory of the tree."""
    return sorted(path for path in (ROOT / directory).rglob("*.py") if ".venv" not in path.parts)


def imports(path: Path) -> Iterator[str]:
    """Top-level packages that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("path", sources("firmware/pump"), ids=lambda path: path.name)
def test_the_pumps_logic_imports_no_hardware_and_holds_no_float(path: Path) -> None:
    assert set(imports(path)) <= PUMP_IMPORTS
    for node in ast.walk(ast.parse(path.read_text())):
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), node.lineno
        assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)), node.lineno
        assert not (isinstance(node, ast.Name) and node.id == "float"), node.lineno


def test_the_dosing_path_iterates_no_dict() -> None:
    # MicroPython's dicts do not keep their order.
    for path in sources("firmware/pump"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                assert node.attr not in ("items", "keys", "values"), f"{path.name}:{node.lineno}"


@pytest.mark.parametrize(("directory", "banned"), RINGS.items())
def test_dependencies_point_one_way(directory: str, banned: set[str]) -> None:
    for path in sources(directory):
        if path.name in ("runtimes.py", "cpython_child.py"):
            continue
        assert not set(imports(path)) & banned, path


def test_schedule_and_guard_share_no_code_but_arithmetic() -> None:
    paths = (ROOT / "firmware/pump" / name for name in ("dosing/schedule.py", "guard/guard.py"))
    schedule, guard = (ast.parse(path.read_text()) for path in paths)
    modules = [
        {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)} for tree in (schedule, guard)
    ]
    assert modules[0] & modules[1] <= {"pump.small_int", "pump.wire"}


def test_functions_are_short() -> None:
    for directory in ("firmware", "host", "protocol", "hil", "tests", "campaigns", "benchmarks"):
        for path in sources(directory):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef):
                    lines = (node.end_lineno or 0) - node.lineno + 1
                    assert lines <= FUNCTION_LINES_MAX, f"{path}:{node.lineno} {node.name}: {lines} lines"


def test_board_files_are_small() -> None:
    for path in sources("firmware/boards"):
        assert len(path.read_text().splitlines()) <= BOARD_LINES_MAX, path


def test_no_file_names_a_place_or_leaves_a_note_to_self() -> None:
    banned = re.compile("TO" "DO|FIX" "ME|/ro" "ot/|/wo" "rk/")
    for directory in ("firmware", "host", "protocol", "hil", "tests", "docs", "examples", "campaigns", "benchmarks"):
        for path in (ROOT / directory).rglob("*"):
            if path.suffix in (".py", ".md", ".toml", ".json", ".lua"):
                assert not banned.search(path.read_text()), path
