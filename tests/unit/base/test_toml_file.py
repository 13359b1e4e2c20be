"""TOML files: read whole, mistakes at their line, and the line of every key."""

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
