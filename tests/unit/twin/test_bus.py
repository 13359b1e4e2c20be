"""The bench bus: both ends speak the same words and the same operations."""

from __future__ import annotations

import ast
from array import array

import pytest
from dosebench.image.source import firmware_dir
from dosebench.twin.bus import WORDS, WORDS_BYTES, Op, pack_reply
from hypothesis import given
from hypothesis import strategies as st

SMALL = st.integers(-(1 << 30), (1 << 30) - 1)


@given(st.lists(SMALL, min_size=5, max_size=5))
def test_words_are_those_of_an_array_on_a_board(words: list[int]) -> None:
    assert WORDS.pack(*words) == array("i", words).tobytes()
    assert WORDS_BYTES == 20


def test_a_reply_begins_with_a_good_status() -> None:
    assert WORDS.unpack(pack_reply(3, 1_000, -5, 77)) == (0, 3, 1_000, -5, 77)


def test_the_firmwares_operations_have_the_same_numbers() -> None:
    tree = ast.parse((firmware_dir() / "boards" / "bus.py").read_text())
    names = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            target, value = node.targets[0], node.value.args[0]
            if isinstance(target, ast.Name) and isinstance(value, ast.Constant):
                names[target.id.lstrip("_")] = value.value
    assert {op.name: int(op) for op in Op}.items() <= names.items()


def test_no_number_is_used_twice() -> None:
    assert sorted(Op) == list(range(1, len(Op) + 1))
    with pytest.raises(ValueError, match="99"):
        Op(99)
