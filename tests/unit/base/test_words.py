"""English for figures."""

from __future__ import annotations

import pytest
from dosebench.base.words import count_noun, format_days


@pytest.mark.parametrize(
    ("number", "name", "text"),
    [
        (0, "step", "0 steps"),
        (1, "step", "1 step"),
        (2, "bolus", "2 boluses"),
        ("1", "day", "1 day"),
        ("0.5", "day", "0.5 days"),
        ("1.0", "day", "1.0 days"),
        ("1 to 3", "step", "1 to 3 steps"),
    ],
)
def test_one_is_not_several(number: int | str, name: str, text: str) -> None:
    assert count_noun(number, name) == text


def test_below_two_years_days_are_told() -> None:
    assert [format_days(days) for days in (1, 412, 731)] == ["1 day", "412 days", "2.0 years"]
