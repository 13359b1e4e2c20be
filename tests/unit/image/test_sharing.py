"""Names that several things of a file share still mean each of them."""

from __future__ import annotations

import ast
from textwrap import dedent
from typing import Any

import pytest
from dosebench.image.sharing import CHEAP_NAMES, put_cheap_names_first, share_attributes, share_globals


def share(text: str, *others: str) -> str:
    """The text with attributes renamed."""
    tree = ast.parse(dedent(text))
    share_attributes(tree, [ast.parse(dedent(other)) for other in others])
    return ast.unparse(tree)


def run(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "shared"}
    exec(compile(text, "shared", "exec"), names)
    return names


APART = """
    class First:
        def __init__(self):
            self.steps = 1
            self._held = 2

        def tell(self):
            return self.steps, self._held

    class Second:
        def __init__(self):
            self.first = First()
            self.total = 3

        def say(self):
            return self.first.tell(), self.total
    """


def test_classes_that_never_meet_have_the_same_names_for_different_things() -> None:
    text = share(APART)
    tree = ast.parse(text)
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert names == {"a", "b", "c"}
    made = run(text)["Second"]()
    say = next(name for name, one in vars(type(made)).items() if callable(one) and name != "__init__")
    assert getattr(made, say)() == ((1, 2), 3)


LINE = """
    class Base:
        def __init__(self):
            self._own = 1

        def ask(self):
            return self._own

    class Left(Base):
        def __init__(self):
            Base.__init__(self)
            self._left = 2

        def answer(self):
            return self._left, self.ask()

    class Right(Base):
        size = 5
        sizes = [size]

        def __init__(self, right=size):
            Base.__init__(self)
            self._right = right

        def answer(self):
            return self._right, self.ask(), self.size, self.sizes

    def both():
        return Left().answer(), Right().answer()
    """


def test_what_one_object_has_keeps_different_names() -> None:
    text = share(LINE)
    assert run(text)["both"]() == ((2, 1), (5, 1, 5, [5]))
    assert not any(name in text for name in ("_own", "_left", "_right", "answer", "sizes", "self.size"))


def test_what_is_assigned_from_outside_is_apart_from_all() -> None:
    text = share("""
        class Only:
            def __init__(self):
                self.steps = 1

            def tell(self):
                return self.steps

        def both():
            only = Only()
            only.note = 2
            return only.tell(), only.note
        """)
    assert run(text)["both"]() == (1, 2)
    assert "note" not in text


@pytest.mark.parametrize(
    ("other", "kept"),
    [
        ("def f(a): a.tell()", "tell"),
        ("class Board:\n    def total(self): pass", "total"),
        ("x = getattr(y, 'steps', 0)", "steps"),
    ],
)
def test_what_another_file_uses_keeps_its_name(other: str, kept: str) -> None:
    assert kept in share(APART, other)
    assert kept not in share(APART)


def test_a_private_name_of_another_file_is_free() -> None:
    other = "class Board:\n    def f(self):\n        return self._held"
    assert share(APART, other) == share(APART)


def test_a_device_that_is_handed_in_keeps_its_names() -> None:
    assert "device.read(" in share("class A:\n    def f(self, device):\n        return device.read(self.read_)")


def test_a_global_has_the_name_of_an_attribute_but_not_of_what_its_class_sees() -> None:
    tree = ast.parse(
        dedent("""
        _step = 3
        _other = 4

        class _Part:
            a = 1
            b = _step + 1

            def c(self, d=_step):
                local = _other
                return self.a, self.b, d, local

        def ask():
            global _other
            _other += 1
            return _Part().c()
        """)
    )
    share_globals(tree, {"_step", "_other", "_Part"})
    text = ast.unparse(tree)
    assert run(text)["ask"]() == (1, 4, 3, 5)
    assert "_" not in text
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert "a" in named


def test_the_most_frequent_names_come_first() -> None:
    many = "\n".join(f"def f{at}(a):\n    return " + " + ".join(["a.rest"] * 3 + [f"a.x{at}"]) for at in range(200))
    tree = ast.parse(many)
    put_cheap_names_first(tree, set())
    first = tree.body[0]
    assert isinstance(first, ast.Expr)
    names = [node.attr for node in ast.walk(first) if isinstance(node, ast.Attribute)]
    assert "rest" in names
    assert len(set(names)) == len(names) == CHEAP_NAMES
    run(ast.unparse(ast.fix_missing_locations(tree)))


def test_a_file_of_few_names_has_them_as_they_come() -> None:
    tree = ast.parse("def f(a):\n    return a.rest")
    put_cheap_names_first(tree, {"f"})
    assert ast.unparse(tree) == "def f(a):\n    return a.rest"
