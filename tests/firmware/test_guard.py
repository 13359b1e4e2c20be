"""The dose guard: whatever is asked, no window holds more than its limit."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pump.guard import Guard, Window
from pumpside import examples, therapy

HOUR_MS, DAY_MS = 3_600_000, 86_400_000

def guard(**changes: object) -> Guard:
    made = Guard(4_000, 24_000)
    made.adopt(therapy(**({"hour_ng_max": 50_000, "day_ng_max": 400_000} | changes)))
    made.enable(True)
    return made


class TrueWindow:
    """The sum of what was delivered in the last `length_ms`, kept one by one."""

    def __init__(self, length_ms: int) -> None:
        self._length = length_ms
        self._events: deque[tuple[int, int]] = deque()
        self.sum = 0

    def advance(self, now: int) -> None:
        while self._events and self._events[0][0] <= now - self._length:
            self.sum -= self._events.popleft()[1]

    def add(self, now: int, steps: int) -> None:
        self._events.append((now, steps))
        self.sum += steps


acts = st.lists(st.tuples(st.integers(0, 2_000_000), st.integers(0, 60)), max_size=120)


@pytest.mark.requirement("R5")
@settings(max_examples=examples(150))
@given(acts)
def test_no_window_ever_holds_more_than_its_limit(asked: list[tuple[int, int]]) -> None:
    watch = guard()
    hour, day, now = TrueWindow(HOUR_MS), TrueWindow(DAY_MS), 0
    for wait, steps in asked:
        now += wait
        watch.advance(wait)
        watch.allow(1_000)
        granted = watch.permit(steps)
        assert 0 <= granted <= steps
        watch.moved(granted)
        for window in (hour, day):
            window.advance(now)
            window.add(now, granted)
        assert hour.sum <= 100
        assert day.sum <= 800


@given(st.lists(st.tuples(st.integers(0, 400_000), st.integers(0, 9)), max_size=200))
def test_a_window_is_at_most_one_bucket_too_strict(events: list[tuple[int, int]]) -> None:
    window, longer, shorter, now = Window(15_000), TrueWindow(HOUR_MS + 15_000), TrueWindow(HOUR_MS), 0
    for wait, steps in events:
        now += wait
        window.advance(wait)
        window.add(steps)
        for true in (longer, shorter):
            true.advance(now)
            true.add(now, steps)
        assert shorter.sum <= window.sum <= longer.sum


def limits(watch: Guard) -> list[int]:
    """Steps that fit into each empty window of the therapy."""
    return [window.room() for window in watch._caps]


@pytest.mark.requirement("R57")
def test_it_reads_its_limits_from_the_programs_bytes() -> None:
    assert limits(guard(drug=b"x" * 32, hour_ng_max=12_345, day_ng_max=54_321)) == [24, 108]


@pytest.mark.requirement("R14")
def test_hard_caps_stand_above_any_program() -> None:
    watch = Guard(50, 60)
    watch.adopt(therapy(hour_ng_max=10**9, day_ng_max=10**9))
    watch.enable(True)
    watch.allow(1_000)
    assert not watch.fits(51)
    watch.moved(50)
    assert watch.permit(1) == 0
    watch.advance(HOUR_MS + 15_001)
    watch.allow(1_000)
    assert watch.permit(11) == 10


@pytest.mark.parametrize("forbid", ["disabled", "no lease", "first cap", "second cap", "hard hour", "hard day"])
def test_it_says_no(forbid: str) -> None:
    watch = guard()
    watch.allow(0 if forbid == "no lease" else 10)
    full = {"first cap": watch._caps[0], "second cap": watch._caps[1], "hard hour": watch._hour, "hard day": watch._day}
    if forbid == "disabled":
        watch.enable(False)
    if forbid in full:
        full[forbid].add(full[forbid].room())
    assert watch.permit(1) == 0
    assert watch.full() == (forbid in full)
    fine = guard()
    fine.allow(10)
    assert fine.permit(1) == 1


@pytest.mark.requirement("R56")
@pytest.mark.parametrize("part", ["cap", "hard", "allowance"])
def test_a_flipped_bit_in_a_limit_stops_everything(part: str) -> None:
    for bit in range(20):
        watch = guard()
        watch.allow(10)
        if part == "allowance":
            watch._allowance ^= 1 << bit
        else:
            (watch._caps[0] if part == "cap" else watch._day)._limit ^= 1 << bit
        assert not watch.sound()
        assert watch.permit(1) == 0


@pytest.mark.requirement("R17")
@given(st.integers(0, 99), st.integers(1, 3_000), st.integers(1, 7))
def test_windows_hold_drug_when_the_concentration_changes(steps: int, num: int, den: int) -> None:
    watch = guard()
    watch.moved(steps)
    before = watch.windows()[0][1]
    assert before == steps * 500
    watch.change_worth(num, den, 500, 1, 0)
    after = watch.windows()[0][1]
    assert before <= after <= before + -(-num // den) + 1


@pytest.mark.requirement("R17")
@given(st.lists(st.tuples(st.integers(0, 400_000), st.integers(0, 9)), max_size=60), st.integers(400, 700))
def test_a_revalued_window_is_never_too_lax_as_it_empties(events: list[tuple[int, int]], num: int) -> None:
    watch = guard()
    true, now = TrueWindow(HOUR_MS), 0
    for wait, steps in events:
        now += wait
        watch.advance(wait)
        watch.moved(steps)
        true.add(now, steps)
    watch.change_worth(num, 1, 500, 1, 0)
    for _ in range(60):
        true.advance(now)
        assert watch.windows()[0][1] >= true.sum * 500
        now += 60_000
        watch.advance(60_000)


@pytest.mark.requirement("R17")
@given(st.integers(1, 300), st.lists(st.integers(1, 4), max_size=120))
def test_a_bridge_counts_the_old_drug_once(bridge: int, moves: list[int]) -> None:
    watch = guard(hour_ng_max=2_000_000)
    watch.change_worth(2_000, 1, 500, 1, bridge)
    moved = 0
    for steps in moves:
        watch.moved(steps)
        moved += steps
    old = min(moved, bridge)
    exact = old * 500 + (moved - old) * 2_000
    assert exact <= watch.windows()[0][1] <= exact + 2 * 2_000


@pytest.mark.requirement("R9")
def test_priming_holds_no_dose_and_only_as_much_as_the_program_says() -> None:
    watch = guard(prime_steps_max=50, prime_num=1, prime_den=1_000)
    watch.prime(50)
    watch.moved(60)
    assert watch.windows()[0][1] == 10 * 500
    assert watch._hour.sum == 60
    watch.prime(51)
    watch.moved(5)
    assert watch.windows()[0][1] == 15 * 500


@given(st.integers(1, 90), st.integers(0, 200_000))
def test_what_was_delivered_before_a_reset_counts(steps: int, age_ms: int) -> None:
    watch = guard()
    watch.forget(None)
    watch.recall(0, steps)
    watch.recall(age_ms, 0)
    assert watch.windows()[0][1] == steps * 500


@pytest.mark.requirement("R16")
def test_the_same_windows_keep_what_they_hold_and_others_ask_for_history() -> None:
    watch = guard()
    watch.moved(30)
    assert watch.adopt(therapy(hour_ng_max=45_000, day_ng_max=400_000))
    assert watch.windows()[0] == (60, 15_000, 45_000)
    assert not watch.adopt(therapy(caps=[{"minutes": 30, "ng": 45_000}, {"minutes": 1440, "ng": 400_000}]))
