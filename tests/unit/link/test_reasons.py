"""A sentence for every reason of a refusal."""

from __future__ import annotations

import string

import pytest
from dosebench.link.reasons import SENTENCES, explain_reason
from dosebench_protocol.tables import ENUMS


def test_no_reason_is_missing_and_none_is_made_up() -> None:
    assert set(SENTENCES) == set(ENUMS["Reason"])


@pytest.mark.parametrize("reason", ENUMS["Reason"])
def test_a_sentence_can_be_said_with_any_number(reason: str) -> None:
    names = {name for _, name, _, _ in string.Formatter().parse(SENTENCES[reason]) if name is not None}
    assert names <= {"detail"}
    assert ("12" in explain_reason(reason, 12)) == bool(names)


def test_an_unknown_reason_is_named() -> None:
    assert "unknown_250" in explain_reason("unknown_250", 3)
