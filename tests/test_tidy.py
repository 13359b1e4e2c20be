"""The house rules that a machine can hold: imports per ring, no floats in dosing, short functions, no clutter."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from excused import excused

ROOT = Path(__file__).parents[1]
PUMP_IMPORTS = {"array", "binascii", "const", "hashlib", "pump", "struct"}
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


def test_every_module_of_the_host_has_its_tests_at_its_name() -> None:
    host, unit = ROOT / "host/dosebench", ROOT / "tests/unit"
    modules = (path.relative_to(host) for path in sources("host/dosebench") if path.name != "__init__.py")
    wanted = [path.with_name(f"test_{path.name}") for path in modules if path.parts[0] != "cli"]
    assert len(wanted) > 100
    assert [path.as_posix() for path in wanted if not (unit / path).is_file()] == []
    strays = {path.relative_to(unit).parent for path in unit.rglob("test_*.py")} - {path.parent for path in wanted}
    assert not strays, "a folder of tests without a package"


def test_no_file_names_a_place_or_leaves_a_note_to_self() -> None:
    banned = re.compile("TO" "DO|FIX" "ME|/ro" "ot/|/wo" "rk/")
    for directory in ("firmware", "host", "protocol", "hil", "tests", "docs", "examples", "campaigns", "benchmarks"):
        for path in (ROOT / directory).rglob("*"):
            if path.suffix in (".py", ".md", ".toml", ".json", ".lua"):
                assert not banned.search(path.read_text()), path


def assigned(path: Path) -> Iterator[ast.Attribute]:
    """Attributes that a file assigns."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node


@pytest.mark.parametrize("path", sources("firmware/pump"), ids=lambda path: path.name)
def test_no_part_assigns_the_field_of_another(path: Path) -> None:
    for node in assigned(path):
        own = isinstance(node.value, ast.Name) and node.value.id == "self"
        # Records change facts, and the reducer is what applies them; generated code reads messages into what asks.
        assert own or path.name in ("reducer.py", "wire.py"), f"{path.name}:{node.lineno} assigns {ast.unparse(node)}"


RECORD_NAMES = {"record", "worth", "fields"}
"""What the firmware calls a record that was read: a row of numbers."""


def is_place(index: ast.expr) -> bool:
    """Whether an index into a record is a place that the generator named, or comes from a table of such places."""
    named = any(isinstance(node, ast.Attribute) and node.attr.startswith("AT_") for node in ast.walk(index))
    return named or any(isinstance(node, ast.Name) and node.id.endswith("_AT") for node in ast.walk(index))


READERS = [path for path in sources("firmware/pump/storage") if path.name != "journal.py"] + [
    ROOT / "firmware/pump/guard/recount.py"
]


@pytest.mark.parametrize("path", READERS, ids=lambda path: path.name)
def test_the_firmware_reads_records_by_name(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in RECORD_NAMES:
            assert is_place(node.slice), f"{path.name}:{node.lineno} reads {ast.unparse(node)}"
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id in RECORD_NAMES:
            assert not isinstance(node.targets[0], ast.Tuple), f"{path.name}:{node.lineno} takes a record apart"


def test_only_the_journal_and_what_it_is_tested_with_unpack_records() -> None:
    unpacking = {path.name for path in sources("firmware/pump") if "unpack(RECORD_FORMAT" in path.read_text()}
    assert unpacking == {"journal.py", "recount.py"}


RAW_FIELDS = {"raw_code", "word1", "word2", "word3", "word4", "word5"}
"""What only the package of the protocol reads of a record."""


HOST_FILES = [path for directory in ("host", "hil", "benchmarks") for path in sources(directory)]


@pytest.mark.parametrize("path", HOST_FILES, ids=lambda path: path.name)
def test_the_host_reads_records_by_name(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        assert not (isinstance(node, ast.Attribute) and node.attr in RAW_FIELDS), f"{node.lineno}: {node.attr}"
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "record":
            # JSON values have keys. Of raw bytes, hosts look at the chain value alone, which hashes are compared with.
            place = ast.unparse(node.slice)
            assert place.startswith("'") or place == "-CHAIN_BYTES:", f"{node.lineno} reads record[{place}]"


def is_part(value: ast.expr) -> bool:
    """Whether an expression is None, a name, or makes an object of a class or by a method."""
    if isinstance(value, ast.Call):
        made = value.func
        return isinstance(made, ast.Attribute) or (isinstance(made, ast.Name) and made.id[0].isupper())
    return isinstance(value, ast.Name | ast.Attribute) or (isinstance(value, ast.Constant) and value.value is None)


def own_values(owner: ast.ClassDef) -> Iterator[str]:
    """Attributes that the constructor of a class sets to a value of its own: no part and no argument."""
    for node in ast.walk(owner):
        if not isinstance(node, ast.Assign):
            continue
        values = [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
        if all(map(is_part, values)):
            continue
        for target in node.targets:
            for one in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "self":
                    yield one.attr


def test_declarations_of_what_ram_must_hold_are_complete() -> None:
    # tests/firmware/integrity/test_ram_check.py walks a running pump; this reads classes that such a pump may not have.
    for path in sources("firmware/pump"):
        for owner in (node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)):
            methods = {node.name: node for node in owner.body if isinstance(node, ast.FunctionDef)}
            known = excused(owner.name)
            if "checked" in methods:
                known |= {node.attr for node in ast.walk(methods["checked"]) if isinstance(node, ast.Attribute)}
            if "__init__" in methods and "*" not in known:
                body = ast.ClassDef(owner.name, [], [], [methods["__init__"]], [])
                assert set(own_values(body)) <= known, owner.name
