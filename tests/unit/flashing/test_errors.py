"""What can go wrong with a board that is flashed: kinds that a caller tells apart."""

from __future__ import annotations

import pytest
from dosebench.base.errors import DosebenchError
from dosebench.flashing.errors import BoardError, FlashError, LineLostError, NoReplError


@pytest.mark.parametrize("error", [FlashError, NoReplError, BoardError, LineLostError])
def test_every_one_is_an_error_of_flashing_with_a_hint(error: type[FlashError]) -> None:
    made = error("what happened", hint="what to do")
    assert isinstance(made, FlashError)
    assert isinstance(made, DosebenchError)
    assert (str(made), made.hint, made.exit_code) == ("what happened", "what to do", 1)


def test_a_lost_line_is_an_act_that_failed_and_a_missing_prompt_is_none() -> None:
    assert issubclass(LineLostError, BoardError)
    assert not issubclass(NoReplError, BoardError)
