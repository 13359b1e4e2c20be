"""Files that were given to the command of another kind."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest
from dosebench.base import toml_file
from dosebench.base.file_kinds import KINDS, of_another_kind
from regimens import ROOT

TEXTS = {
    "regimen": "[drug]\nname = 'baclofen'\n",
    "bench": "[motor]\nkind = 'dc'\n",
    "scenario": "length = '3 days'\n",
    "profile": "[delivery]\n",
    "drug": "aliases = []\n",
}


def test_no_mark_is_shared() -> None:
    marks = [mark for kind in KINDS.values() for mark in kind.marks]
    assert len(marks) == len(set(marks))
    assert TEXTS.keys() == KINDS.keys()


@pytest.mark.parametrize(("given", "wanted"), list(permutations(KINDS, 2)))
def test_a_file_of_another_kind_is_named_with_its_reader(given: str, wanted: str) -> None:
    problem = of_another_kind(toml_file.parse_toml(TEXTS[given], "x"), wanted)
    assert problem is not None
    assert (problem.code, problem.line) == ("file-kind", 1)
    for words in (KINDS[given].article_name, KINDS[wanted].article_name, KINDS[given].reader):
        assert words in problem.message


@pytest.mark.parametrize("wanted", KINDS)
@pytest.mark.parametrize("text", ["", "format = 1\n", "title = 'anything'\n"])
def test_what_has_no_mark_may_be_anything(wanted: str, text: str) -> None:
    assert of_another_kind(toml_file.parse_toml(text, "x"), wanted) is None


@pytest.mark.parametrize("wanted", KINDS)
def test_a_mark_of_the_wanted_kind_decides(wanted: str) -> None:
    text = TEXTS[wanted] + "[event]\n" if wanted != "scenario" else TEXTS[wanted]
    assert of_another_kind(toml_file.parse_toml(text, "x"), wanted) is None


@pytest.mark.parametrize(
    ("pattern", "kind"), [("examples/*.toml", "regimen"), ("examples/benches/*.toml", "bench"),
                          ("examples/scenarios/*.toml", "scenario"),
                          ("host/dosebench/profile/library/*.toml", "profile"),
                          ("host/dosebench/regimen/library/*.toml", "drug")],
)  # fmt: skip
def test_every_file_of_the_package_is_of_its_own_kind_alone(pattern: str, kind: str) -> None:
    paths = sorted(Path(ROOT).glob(pattern))
    assert paths
    for path in paths:
        file = toml_file.read_toml(path)
        assert [name for name in KINDS if file.data.keys() & KINDS[name].marks] == [kind], path
