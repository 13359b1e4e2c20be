"""All infusion modes, mixed at random, beside a perfect pump that counts in rationals."""

from __future__ import annotations

from typing import Any

import pytest
from dosebench.twin.runtimes import RUNTIMES, RuntimeName
from dosebench.twin.twin import one_core
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from modes import Act, Beside, acts, therapies
from pumpside import examples, pump

PERIODIC_ALONE = {
    "mode": "stopped",
    "step_ng_num": 500,
    "step_ng_den": 1,
    "rates": [{"num": 1, "den": 8_000}],
    "periodic_steps": 1,
    "periodic_num": 1,
    "periodic_den": 3_001,
    "periodic_ms": 180_000,
}
"""Periodic boluses without a basal: one of them comes due while another bolus runs, and that one is cancelled."""
BASAL_ALONE = {
    "mode": "stopped",
    "step_ng_num": 500,
    "step_ng_den": 1,
    "basal_num": 1,
    "basal_den": 8_000,
    "rates": [{"num": 1, "den": 8_000}],
    "caps": [{"minutes": 60, "ng": 2_000_000}, {"minutes": 1440, "ng": 12_000_000}],
}
FOUR_TIMES = {
    "step_ng_num": 2_000,
    "caps": [{"minutes": 60, "ng": 8_000_000}, {"minutes": 1440, "ng": 48_000_000}],
}
BRIDGE_ENDS_WHILE_STAGING: list[Act] = [
    ("square", (189, 633_545)),
    ("advance", 74_770),
    ("bridge", (BASAL_ALONE, 1, (1, 8_000))),
    ("commit", BASAL_ALONE | FOUR_TIMES),
]
"""The last step of a bridge falls between the question whether it runs and the next program."""


@pytest.mark.requirement("R1")
@pytest.mark.requirement("R7")
@settings(max_examples=examples(60, 100))
@given(therapies(), st.lists(acts(15_000_000), max_size=10))
@example(PERIODIC_ALONE, [("advance", 89_942), ("bolus", 117), ("advance", 89_942), ("cancel", "bolus")])
@example(BASAL_ALONE, BRIDGE_ENDS_WHILE_STAGING)
def test_any_mix_of_modes_is_exact(first: dict[str, Any], history: list[Act]) -> None:
    with pump() as side:
        beside = Beside(side, first)
        for act in history:
            beside.do(act)
        beside.do(("advance", 30_000_000))
        beside.check_every_step()


QUICK = [Phase.explicit, Phase.reuse, Phase.generate]
"""Without shrinking, which takes minutes here: the history that failed is printed as it is."""


@pytest.mark.requirement("R15")
@pytest.mark.requirement("R16")
@settings(max_examples=examples(60, 100), phases=QUICK)
@given(therapies(), st.lists(st.one_of(acts(15_000_000), st.just(("reset", None))), max_size=10))
def test_resets_lose_a_slice_and_say_so(first: dict[str, Any], history: list[Act]) -> None:
    # Many resets in a short time end in safe state: that is another test (R58).
    with pump(resets_max=1_000) as side:
        beside = Beside(side, first)
        for act in history:
            beside.do(act)
        beside.do(("reset", None))
        beside.do(("advance", 30_000_000))


def journal_of(runtime: RuntimeName, first: dict[str, Any], history: list[Act]) -> tuple[str, int]:
    """Head of the journal's chain after a history, and the steps that were made."""
    with one_core(), pump(runtime, seed=3) as side:
        beside = Beside(side, first)
        for act in history:
            beside.do(act)
        return side.client.journal_info()["chain"].hex(), side.twin.plant.read_encoder()


@settings(max_examples=examples(8))
@given(therapies(), st.lists(acts(2_000_000), min_size=3, max_size=8))
def test_the_same_history_gives_the_same_journal_on_all_three(first: dict[str, Any], history: list[Act]) -> None:
    runs = [journal_of(runtime, first, history) for runtime in RUNTIMES]
    assert runs[0] == runs[1] == runs[2]
