"""Regimen files: every mistake of form at its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from dosebench.base import toml_file
from dosebench.base.toml_file import TomlFileError
from dosebench.regimen import document as regimen
from hypothesis import given
from hypothesis import strategies as st

GOOD = """format = 1
title = "Baclofen"
profile = "implant-40"

[drug]
name = "baclofen"
concentration = "2000 ug/mL"

[reservoir]
filled = "40 mL"

[therapy]
mode = "continuous"
dose = "800 ug/day"
"""


def problems(text: str) -> list[tuple[int, str, str, str]]:
    document = regimen.from_file(toml_file.parse_toml(text, "test.toml"))
    return [(problem.line, problem.key, problem.code, problem.message) for problem in document.problems]


def test_good_file_has_no_problems() -> None:
    assert problems(GOOD) == []


def test_line_endings_and_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").replace("800", "-800").encode())
    assert [(p.line, p.key) for p in regimen.read_regimen(path).problems] == [(14, "therapy.dose")]


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("format = 1", "format = 2", (1, "format", "value"), "should be 1"),
        ("format = 1", 'format = "1"', (1, "format", "value"), "should be 1"),
        ("format = 1\n", "", (1, "format", "missing"), "format = 1"),
        ("[drug]", "[durg]", (5, "durg", "unknown-key"), 'did you mean "drug"?'),
        ('name = "baclofen"', 'nmae = "baclofen"', (6, "drug.nmae", "unknown-key"), 'did you mean "name"?'),
        ('name = "baclofen"\n', "", (5, "drug.name", "missing"), "name the drug"),
        ('name = "baclofen"', 'name = ""', (6, "drug.name", "value"), "1 to 31 bytes"),
        ('name = "baclofen"', f'name = "{"é" * 16}"', (6, "drug.name", "value"), "this is 32"),
        ('name = "baclofen"', 'name = "a\\u0007b"', (6, "drug.name", "value"), "printable"),
        ("2000 ug/mL", "2000 ug", (7, "drug.concentration", "value"), "give a concentration"),
        ('"40 mL"', "40", (10, "reservoir.filled", "value"), "no unit"),
        ('filled = "40 mL"', 'filled = "40 mL"\nfirst_fill = "no"', (11, "reservoir.first_fill", "value"), "boolean"),
        ('"continuous"', '"continous"', (13, "therapy.mode", "value"), "'continuous'"),
        ("800 ug/day", "800 ug", (14, "therapy.dose", "value"), "give a drug per time"),
        ('dose = "800 ug/day"\n', "", (12, "therapy.dose", "missing"), "needs it"),
        ('mode = "continuous"\n', "", (12, "therapy.mode", "missing"), "one of"),
        ("800 ug/day", '800 ug/day"\n[bolus]\nrate = "1 mL/h', (15, "bolus.max", "missing"), "largest bolus"),
        ("800 ug/day", '800 ug/day"\n[flex]\nx = "1', (15, "flex", "unknown-key"), "[[therapy.pattern]]"),
        ("[reservoir]\n", "reservoir = 3\n[x]\n", (9, "drug.reservoir", "unknown-key"), "known here are"),
    ],
)
def test_mistake_at_its_line(old: str, new: str, place: tuple[int, str, str], words: str) -> None:
    assert old in GOOD
    found = problems(GOOD.replace(old, new, 1))
    assert [f for f in found if f[:3] == place and words in f[3]], found


def test_table_that_is_a_value() -> None:
    found = problems('drug = 3\ntherapy = "x"\n' + GOOD[: GOOD.index("[drug]")])
    assert (1, "drug", "value") in [f[:3] for f in found]
    assert (2, "therapy", "value") in [f[:3] for f in found]


def test_empty_file_names_all_that_is_missing() -> None:
    assert [key for _, key, code, _ in problems("") if code == "missing"] == [
        "format",
        "profile",
        "drug.name",
        "drug.concentration",
        "reservoir.filled",
        "therapy.mode",
    ]


@given(st.integers(0, len(GOOD) - 1), st.text(max_size=4), st.integers(0, 6))
def test_any_damage_is_a_problem_or_a_toml_file_error(at: int, put: str, cut: int) -> None:
    text = GOOD[:at] + put + GOOD[at + cut :]
    try:
        document = regimen.from_file(toml_file.parse_toml(text, "test.toml"))
    except TomlFileError:
        return
    assert all(1 <= problem.line <= text.count("\n") + 1 for problem in document.problems)
