"""What the source passes by name is passed by position on boards."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest
from dosebench.image.positions import PositionError, pass_by_position


def by_position(**modules: str) -> dict[str, str]:
    trees = {name: ast.parse(dedent(text)) for name, text in modules.items()}
    pass_by_position(trees)
    return {name: ast.unparse(tree) for name, tree in trees.items()}


CODEC = """
    def pack_status(buf, off, *, mode, steps):
        return buf, off, mode, steps
    """


def test_keyword_only_arguments_go_by_position_in_every_module() -> None:
    made = by_position(wire=CODEC, queries="end = wire.pack_status(out, 3, mode=first(), steps=2)\nsorted(a, key=b)")
    assert made["wire"].startswith("def pack_status(buf, off, mode, steps):")
    assert made["queries"] == "end = wire.pack_status(out, 3, first(), 2)\nsorted(a, key=b)"


def test_a_call_without_all_names_in_their_order_is_refused() -> None:
    for arguments in ("steps=2, mode=1", "mode=1", "**fields"):
        with pytest.raises(PositionError, match="pack_status"):
            by_position(wire=CODEC, queries=f"pack_status(out, 3, {arguments})")


def test_functions_without_names_that_must_be_given_stay() -> None:
    text = "def f(a, *, b=1):\n    return a + b\nf(1, b=2)"
    assert by_position(one=text)["one"] == text
