"""Modules of the firmware become one file that does the same."""

from __future__ import annotations

import ast
from textwrap import dedent
from typing import Any

import pytest
from dosebench.image.sharing import MergeError
from dosebench.image.single_file import merge_modules

MODULES = {
    "app.parts": """
        import struct
        STEP = [3]
        count = 7

        def half(number):
            return number // 2

        class Part:
            size = count + 3
            sizes = [size, count]

            def __init__(self):
                self.held = self.size + count
                self._own = {'held': 1}

            def append(self, more):
                self.held += more
                return struct.pack('<H', self.held)

            def half(self):
                return half(self.held)
        """,
    "app.more": """
        from app import parts
        from app.parts import Part as Base
        count = 9

        def half(number):
            global calls
            calls += 1
            return number // 3

        calls = 0

        class More(Base):
            def total(self):
                return [each + count for each in parts.STEP] + [half(self.held), calls, parts.half(8)]

            def asked(self):
                return getattr(self, 'wanted', 5), self.wanted
            wanted = 6
        """,
    "app.root": """
        import struct
        from app.more import More
        from app import parts

        def made(size=parts.count):
            more = More()
            more.append(size)
            return more.total() + [more.half(), *more.sizes, more.asked(), more._own['held']]

        def _inner():
            return struct.calcsize('<H')
        """,
    "main": """
        from app.root import made
        def read(other):
            return other.kept
        """,
}


def trees(**changes: str) -> dict[str, ast.Module]:
    texts = MODULES | {name.replace("__", "."): text for name, text in changes.items()}
    return {name: ast.parse(dedent(text)) for name, text in texts.items()}


def run(tree: ast.Module) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "linked"}
    exec(compile(ast.unparse(tree), "linked", "exec"), names)
    return names


def test_one_module_does_what_many_did() -> None:
    made = merge_modules(trees(), "app.root")
    assert made.keys() == {"main", "app.root"}
    linked = run(made["app.root"])
    # STEP + count of more, a third of what is held, calls, half of 8; half of what is held, size, count, ...
    assert linked["made"]() == [12, 8, 1, 4, 12, 10, 7, (6, 6), 1]
    assert linked["made"](1)[1] == 6
    text = ast.unparse(made["app.root"])
    assert text.count("import struct") == 1
    assert "from app" not in text


def test_what_others_call_keeps_its_name_and_nothing_else_does() -> None:
    text = ast.unparse(merge_modules(trees(), "app.root")["app.root"])
    assert "def made(" in text
    # A list has it, a text asks for it.
    for kept in (".append(", "'wanted'", ".wanted"):
        assert kept in text, kept
    for gone in ("half", "total", "_inner", "More", "calls", "sizes", ".held", "_own"):
        assert gone not in text, gone
    assert "'held'" in text
    kept = ast.unparse(merge_modules(trees(main="def f(a):\n    return a.held, a.total()\n"), "app.root")["app.root"])
    assert ".held" in kept
    assert "def total(" in kept


def test_a_file_that_talks_to_a_chip_keeps_its_public_names() -> None:
    # What objects of `machine` offer cannot be looked up here.
    changed = MODULES["app.root"].replace("import struct\n", "import struct, machine\n", 1)
    text = ast.unparse(merge_modules(trees(app__root=changed), "app.root")["app.root"])
    assert ".held" in text
    assert "def total(" in text
    assert "More" not in text


def test_a_second_name_of_a_function_is_the_first_one() -> None:
    class_of_parts = "        class Part:"
    parts = MODULES["app.parts"].replace(
        class_of_parts, f"        halved = half\n        counted = count\n\n{class_of_parts}"
    )
    more = MODULES["app.more"].replace("parts.half(8)", "parts.halved(8)")
    linked = merge_modules(trees(app__parts=parts, app__more=more), "app.root")["app.root"]
    assert run(linked)["made"]() == run(merge_modules(trees(), "app.root")["app.root"])["made"]()
    # The second name of the number stays: it is another value once either is assigned to.
    second = [node for node in linked.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name)]
    assert len(second) == 1


def test_modules_apart_stay_files() -> None:
    made = merge_modules(trees(), "app.root", frozenset({"app.parts"}))
    assert made.keys() == {"main", "app.root", "app.parts"}
    text = ast.unparse(made["app.root"])
    assert "from app import parts" in text
    assert "parts.STEP" in text


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"main": "from app.more import More\n"}, "main imports app.more, which becomes a part of app.root"),
        ({"app__parts": "from app import root\n"}, "imports itself"),
        (
            {"app__more": "from app import parts\nclass More:\n    def f(self):\n        return [parts]\n"},
            "module parts is used as a value",
        ),
        ({"app__root": "count = 1\ndef f(count):\n    return count\n"}, "count is the name of a global and of some"),
        ({"app__root": "def f():\n    import os\n"}, "import that is not at the top"),
        ({"app__root": "def f():\n    class A:\n        pass\n"}, "class A is not at the top"),
        ({"app__root": "class A(B, C):\n    pass\n"}, "class . has more than one base"),
        ({"app__root": "for a in (): pass\n"}, "not understood at the top of a module"),
    ],
)
def test_what_cannot_be_linked_is_refused(changes: dict[str, str], why: str) -> None:
    with pytest.raises(MergeError, match=why):
        merge_modules(trees(**changes), "app.root")
