"""The main promise: delivered steps never differ from the exact schedule by more than half a step."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from dosebench.twin.runtimes import RUNTIMES, RuntimeName
from dosebench.twin.twin import one_core
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pumpside import PumpSide, examples, pump

HALF = Fraction(1, 2)

# Steps per millisecond, between the profile's lowest rate and what fits under its daily cap.
rates = st.tuples(st.integers(1, 1 << 20), st.integers(1, 1 << 29)).filter(
    lambda rate: Fraction(1, 450_000) <= Fraction(*rate) <= Fraction(1, 4_000)
)


def histories(acts_max: int, wait_ms_max: int) -> st.SearchStrategy[list[tuple[str, Any]]]:
    """Random acts on a running pump."""
    act = st.one_of(
        st.tuples(st.just("advance"), st.integers(1, wait_ms_max)),
        st.tuples(st.just("rate"), rates),
        st.tuples(st.just("toggle"), st.none()),
        st.tuples(st.just("bolus"), st.integers(1, 200)),
    )
    return st.lists(act, min_size=1, max_size=acts_max)


def carry_out(side: PumpSide, act: tuple[str, Any]) -> None:
    """Do one act of a random history, as far as it is allowed now."""
    name, value = act
    if name == "advance":
        side.twin.advance_time(value / 1000)
    elif name == "rate":
        side.program(basal_num=value[0], basal_den=value[1])
    elif name == "toggle" and not side.running:
        side.start()
    elif name == "toggle" and not side.bolus_under_way():
        side.stop()
    elif name == "bolus" and side.running and not side.bolus_under_way():
        side.bolus(value)


def run_history(side: PumpSide, history: list[tuple[str, Any]]) -> None:
    """Carry out a history; after each act, delivered and due volume are within half a step for each open schedule."""
    side.program(basal_num=1, basal_den=54_000)
    side.start()
    for act in history:
        carry_out(side, act)
        allowed = HALF + (HALF if side.bolus_under_way() else 0)
        assert abs(side.deviation()) <= allowed, (act, side.deviation())


@pytest.mark.requirement("R1")
@settings(max_examples=examples(60), deadline=None)
@given(histories(14, 4_000_000))
def test_random_rates_starts_and_boluses_are_exact(history: list[tuple[str, Any]]) -> None:
    with pump() as side:
        run_history(side, history)
        side.twin.advance_time(7_200)
        side.deviation()
        if not side.bolus_under_way():
            assert abs(side.deviation()) <= HALF


HISTORY: list[tuple[str, Any]] = [
    ("advance", 3_600_000),
    ("rate", (1346, 86_400_001)),
    ("bolus", 40),
    ("advance", 86_400_000),
    ("toggle", None),
    ("advance", 1_000_000),
    ("toggle", None),
    ("rate", (99_991, 400_000_009)),
    ("advance", 200_000_000),
    ("bolus", 500),
    ("advance", 5_000_000),
    ("rate", (1, 450_000)),
    ("advance", 3_000_001),
]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_same_history_is_exact_on_every_runtime(runtime: RuntimeName) -> None:
    with one_core(), pump(runtime) as side:
        run_history(side, HISTORY)


def history_hash(runtime: RuntimeName, history: list[tuple[str, Any]]) -> tuple[str, list[int], int]:
    """Head of the journal's chain, the time of every step in ms, and the virtual time at the end."""
    with one_core(), pump(runtime, seed=5) as side:
        run_history(side, history)
        return side.client.journal_info()["chain"].hex(), side.twin.step_times_ms(), side.twin.machine.now_us


@pytest.mark.requirement("R1")
def test_thirty_days_give_the_same_journal_on_all_three() -> None:
    history: list[tuple[str, Any]] = [
        ("bolus", 100),
        ("advance", 10 * 86_400_000),
        ("rate", (1346, 86_400_000)),
        ("advance", 20 * 86_400_000),
    ]
    runs = {runtime: history_hash(runtime, history) for runtime in RUNTIMES}
    assert len(runs["cpython"][1]) > 40_000
    assert runs["unix"] == runs["cpython"]
    assert runs["wasm"] == runs["cpython"]


@settings(max_examples=examples(6), deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(histories(8, 500_000))
def test_random_histories_give_the_same_journal_on_all_three(history: list[tuple[str, Any]]) -> None:
    runs = [history_hash(runtime, history) for runtime in RUNTIMES]
    assert runs[0] == runs[1] == runs[2]
