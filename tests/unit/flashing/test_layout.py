"""Host and selector share the layout of a board."""

from __future__ import annotations

from directory_board import SELECTOR
from dosebench.flashing.layout import (
    TRIAL_STARTS,
)


def test_host_and_selector_count_the_same_starts() -> None:
    assert f"\nSTARTS = {TRIAL_STARTS}\n".encode() in SELECTOR
