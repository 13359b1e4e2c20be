"""Regimen files: read whole, and every mistake of form at its line."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from dosebench.base import toml_file
from dosebench.base.errors import DosebenchError
from dosebench.base.toml_file import TomlFileError, key_lines
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


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("format = \n", 1, "line 1 column 10"),
        ('format = 1\ntitle = "x', 2, "line 2 column 11"),
        ("format = 1\nformat = 2\n", 2, "cannot overwrite"),
        ("format = 1\n[drug\n", 2, "line 2 column 6"),
    ],
)
def test_not_toml(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TomlFileError) as caught:
        regimen.read_regimen(path)
    (problem,) = caught.value.problems
    assert problem.line == line
    assert problem.message.startswith("not TOML: ")
    assert words in problem.message


def test_not_text(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(b"format = 1\ntitle = '\xff'\n")
    with pytest.raises(TomlFileError, match="line 2: not TOML: not UTF-8"):
        regimen.read_regimen(path)


def test_too_long_and_too_deep(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("#" * (toml_file.FILE_BYTES_MAX + 1), encoding="utf-8")
    with pytest.raises(TomlFileError, match="longer than"):
        regimen.read_regimen(path)
    path.write_text("a = " + "[" * 100_000, encoding="utf-8")
    with pytest.raises(TomlFileError, match="not TOML"):
        regimen.read_regimen(path)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(DosebenchError, match="cannot read"):
        regimen.read_regimen(tmp_path / "none.toml")


def test_key_lines_of_everything_that_toml_has() -> None:
    text = '''# comment = 1
a = 1
b.c . "d e" = """x
[y] # """
'' = 2
[t]
x = [1, 2, # ]
  [3,
   {q = "]", r.s = ['#']}],
 ] # end
"k\\u0041" = 'z#'
[[arr]]
n = 1
[arr.sub]
m = 2021-01-01 00:00:00
[[arr]]
[[arr.deep]]
z = """"quoted""""
[[arr.deep]]
z = 2
'''
    lines = {toml_file.format_key(key): line for key, line in key_lines(text).items()}
    assert lines == {
        "a": 2,
        "b": 3,
        "b.c": 3,
        "b.c.d e": 3,
        "": 5,
        "t": 6,
        "t.x": 7,
        "t.x[0]": 7,
        "t.x[1]": 7,
        "t.x[2]": 8,
        "t.x[2][0]": 8,
        "t.x[2][1]": 9,
        "t.x[2][1].q": 9,
        "t.x[2][1].r": 9,
        "t.x[2][1].r.s": 9,
        "t.x[2][1].r.s[0]": 9,
        "t.kA": 11,
        "arr": 12,
        "arr[0]": 12,
        "arr[0].n": 13,
        "arr[0].sub": 14,
        "arr[0].sub.m": 15,
        "arr[1]": 16,
        "arr[1].deep": 17,
        "arr[1].deep[0]": 17,
        "arr[1].deep[0].z": 18,
        "arr[1].deep[1]": 19,
        "arr[1].deep[1].z": 20,
    }


def paths(value: Any, key: toml_file.Key = ()) -> set[toml_file.Key]:
    """Every path in parsed TOML."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {key} | {path for name, item in items for path in paths(item, (*key, name))}


_STRINGS = st.sampled_from(['"a"', '"\\"]}#,"', "'''\n]'''", '"""x\n"y" \\"""""', "''", '""', "'\"'"])
_SCALARS = st.sampled_from(["1", "-2.5e3", "true", "07:32:00", "1979-05-27T07:32:00Z", "nan", "0x1F"]) | _STRINGS
_NAMES = st.sampled_from(["a", "b-1", '"q # ]"', "'l=i'", '"\\u00e9"', "3"])
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ", # ]\n".join(items) + "\n]")
        | st.lists(st.tuples(_NAMES, inner), max_size=3, unique_by=lambda pair: pair[0]).map(
            lambda pairs: "{" + ", ".join(f"{name} = {value}" for name, value in pairs) + "}"
        )
    ),
    max_leaves=6,
)
_PAIRS = st.lists(st.tuples(_NAMES, _VALUES), max_size=4, unique_by=lambda pair: pair[0]).map(
    lambda pairs: "\n".join(f"  {name}  = {value} # c" for name, value in pairs)
)
_HEADERS = st.sampled_from(["[t]", "[[x]]", "[[x.y]]", "[x.z]", "[ t . 'u v' ]", "# no header"])


@given(st.lists(st.tuples(_HEADERS, _PAIRS), max_size=5))
def test_key_lines_finds_every_key_that_tomllib_finds(blocks: list[tuple[str, str]]) -> None:
    text = "\n".join(f"{header}\n{pairs}" for header, pairs in blocks)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert set(key_lines(text)) == paths(data) - {()}


@given(st.integers(0, len(GOOD) - 1), st.text(max_size=4), st.integers(0, 6))
def test_any_damage_is_a_problem_or_a_toml_file_error(at: int, put: str, cut: int) -> None:
    text = GOOD[:at] + put + GOOD[at + cut :]
    try:
        document = regimen.from_file(toml_file.parse_toml(text, "test.toml"))
    except TomlFileError:
        return
    assert all(1 <= problem.line <= text.count("\n") + 1 for problem in document.problems)
