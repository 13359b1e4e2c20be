"""The pins of each board."""

from __future__ import annotations

import pytest
from dosebench.bench.pins import BOARDS


@pytest.mark.parametrize("name", BOARDS)
def test_no_pin_of_a_board_is_free_and_taken(name: str) -> None:
    board = BOARDS[name]
    assert not board.header & set(board.taken)
    assert board.adc <= board.header | set(board.taken)
    assert board.inputs <= board.header
    assert set(board.doubtful) <= board.header
    for tx, rx in board.uarts.values():
        assert not tx & rx
