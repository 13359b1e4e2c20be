"""Private names of the firmware are shortened for boards; names that others call stay."""

from __future__ import annotations

import ast
from textwrap import dedent

from dosebench.image.shorten import shorten_names


def shortened(**modules: str) -> dict[str, str]:
    trees = {name: ast.parse(dedent(text)) for name, text in modules.items()}
    shorten_names(trees)
    return {name: ast.unparse(tree) for name, tree in trees.items()}


def plain(text: str) -> str:
    return ast.unparse(ast.parse(dedent(text)))


def test_private_names_are_short_and_the_same_in_every_class() -> None:
    made = shortened(
        one="""
            class A:
                def __init__(self, held):
                    self._held, self.open = held, self._ask()
                def _ask(self):
                    return self._held
            """,
        two="""
            def _half(number):
                return number // 2
            class B:
                def go(self, b, number):
                    self._left = _half(number) + b
            """,
    )
    assert made["one"] == plain("""
        class A:
            def __init__(self, a):
                self._b, self.open = a, self._a()
            def _a(self):
                return self._b
        """)
    assert made["two"] == plain("""
        def _a(a):
            return a // 2
        class B:
            def go(self, a, c):
                self._a = _a(c) + a
        """)


def test_names_that_somebody_else_uses_stay() -> None:
    made = shortened(
        one="""
            from two import _shared
            class A:
                def f(self, other, by_word):
                    return other._seen, self._seen, self._told
            """,
        two="""
            _shared = 1
            _alone = 2
            def g(a):
                return getattr(a, '_told'), a.f(1, by_word=2), _alone
            """,
    )
    assert "def f(self, a, by_word):\n        return (a._seen, self._seen, self._told)" in made["one"]
    assert "_shared = 1\n_a = 2" in made["two"]
    assert "'_told'" in made["two"]


def test_other_languages_and_functions_within_functions_are_left_alone() -> None:
    text = """
        @viper
        def h(number):
            return number
        def i(x):
            return [x + a for a in (lambda y: y)(x)]
        """
    assert shortened(one=text)["one"] == plain(text)


def test_classes_that_inherit_from_each_other_share_their_names() -> None:
    made = shortened(
        one="""
            class C:
                def _ours(self):
                    return self._held
            """,
        two="""
            from one import C
            class D(C):
                def f(self):
                    self._mine = self._mine + self._mine
                    return self._ours() + self._held
            """,
    )
    assert "def _c(self)" in made["one"]
    assert "self._c() + self._b" in made["two"]
    assert "self._a = self._a + self._a" in made["two"]
