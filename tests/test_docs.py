"""What the docs name is there, and what they promise to prove has a test.

tests/cli/test_cli_docs.py holds options and JSON keys.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOT_IN_THE_TREE = {"bench.json", "config.json", "keys.json", "manifest.json", "my-bench.toml", "/main.py"}
"""Files that a user's machine or a board has, or makes."""


def marked() -> set[str]:
    """Every id of a requirement or case that a test carries."""
    ids: set[str] = set()
    for path in [*(ROOT / "tests").rglob("*.py"), *(ROOT / "hil").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "requirement":
                ids |= {str(one.value) for one in node.args if isinstance(one, ast.Constant)}
    return ids


def test_every_requirement_and_case_has_a_test_and_every_test_a_row() -> None:
    pages = "".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("REQUIREMENTS.md", "CASES.md"))
    rows = set(re.findall(r"^\| ([RC]\d+) \|", pages, re.MULTILINE))
    assert len(rows) > 60
    assert rows == marked()


def test_every_module_of_the_firmware_has_a_row() -> None:
    page = (ROOT / "docs" / "FIRMWARE.md").read_text(encoding="utf-8")
    table = page[page.index("| module | what |") : page.index("## What it promises")]
    named = set(re.findall(r"`([\w/]+\.py)`", table))
    pump = ROOT / "firmware" / "pump"
    assert named == {path.relative_to(pump).as_posix() for path in pump.rglob("*.py") if path.name != "__init__.py"}
    table = page[page.rindex("| module | what |") : page.rindex("`firmware/selector.py` is")]
    named = set(re.findall(r"`(\w+\.py)`", table))
    assert named == {path.name for path in (ROOT / "firmware" / "boards").glob("*.py")} - {"__init__.py"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_links_tests_and_targets_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    files = {
        path
        for top in (
            "README.md",
            "docs",
            "examples",
            "firmware",
            "benchmarks",
            "campaigns",
            "hil",
            "host",
            "protocol",
            "tests",
        )
        for path in ([ROOT / top] if (ROOT / top).is_file() else (ROOT / top).rglob("*"))
    }
    for name in set(re.findall(r"`([\w./-]+\.(?:py|toml|md|lua|json|txt))(?:::\w+)?`", text)) - NOT_IN_THE_TREE:
        on_a_board = name.startswith("/dosebench/")
        assert on_a_board or any(path.as_posix().endswith("/" + name) for path in files), name
    for name, test in re.findall(r"`([\w./]+\.py)::(\w+)`", text):
        assert any(f"def {test}(" in path.read_text() for path in files if path.as_posix().endswith("/" + name)), test
    for link in re.findall(r"\]\((?!http|#)([^)#]+)", text):
        assert (page.parent / link).exists(), link
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make (\w+)`", text) + re.findall(r"^make (\w+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        columns = {len(re.findall(r"(?<!\\)\|", row)) for row in block.splitlines()}
        assert len(columns) == 1, block
