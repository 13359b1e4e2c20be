"""The dose guard: whatever is asked, no window holds more than its limit."""

from __future__ import annotations

from collections import deque

import pytest
from dosebench_protocol.codec import encode_struct
from hypothesis import given, settings
from hypothesis import strategies as st
from pump.guard import Guard, Window

HOUR_MS, DAY_MS = 3_600_000, 86_400_000

THERAPY = {
    "format": 1,
    "therapy_id": bytes(8),
    "drug": b"baclofen",
    "step_ng_num": 500,
    "step_ng_den": 1,
    "step_nl_num": 250,
    "step_nl_den": 1,
    "mode": "continuous",
    "basal_num": 1,
    "basal_den": 54_000,
    "minimum_num": 1,
    "minimum_den": 450_000,
    "bolus_num": 1,
    "bolus_den": 9_000,
    "bolus_steps_max": 100,
    "hour_ng_max": 50_000,
    "day_ng_max": 400_000,
    "reservoir_steps": 160_000,
    "low_steps": 8_000,
    "empty_steps": 4_000,
    "stability_days": 0,
    "on_low": "keep",
}


def guard(**changes: object) -> Guard:
    made = Guard(4_000, 24_000)
    made.adopt(encode_struct("therapy", **(THERAPY | changes)))
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
@settings(max_examples=150)
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


@pytest.mark.requirement("R57")
def test_it_reads_its_limits_from_the_programs_bytes() -> None:
    watch = guard(drug=b"x" * 32, hour_ng_max=12_345, day_ng_max=54_321)
    assert (watch.hour.limit, watch.day.limit) == (24, 108)


@pytest.mark.requirement("R14")
def test_hard_caps_stand_above_any_program() -> None:
    watch = Guard(50, 60)
    watch.adopt(encode_struct("therapy", **(THERAPY | {"hour_ng_max": 10**9, "day_ng_max": 10**9})))
    assert (watch.hour.limit, watch.day.limit) == (50, 60)


@pytest.mark.parametrize("forbid", ["disabled", "no lease", "hour", "day"])
def test_it_says_no(forbid: str) -> None:
    watch = guard()
    watch.allow(0 if forbid == "no lease" else 10)
    if forbid == "disabled":
        watch.enable(False)
    if forbid == "hour":
        watch.hour.add(100)
    if forbid == "day":
        watch.day.add(800)
    assert watch.permit(1) == 0
    fine = guard()
    fine.allow(10)
    assert fine.permit(1) == 1


@pytest.mark.requirement("R56")
@pytest.mark.parametrize("part", ["hour", "day", "allowance"])
def test_a_flipped_bit_in_a_limit_stops_everything(part: str) -> None:
    for bit in range(20):
        watch = guard()
        watch.allow(10)
        if part == "allowance":
            watch._allowance ^= 1 << bit
        else:
            getattr(watch, part).limit ^= 1 << bit
        assert not watch.sound()
        assert watch.permit(1) == 0


@pytest.mark.requirement("R17")
def test_windows_hold_drug_when_the_concentration_changes() -> None:
    watch = guard()
    watch.hour.add(60)
    before = watch.window_ng(watch.hour)
    watch.adopt(encode_struct("therapy", **(THERAPY | {"step_ng_num": 1_501, "step_ng_den": 3})))
    after = watch.window_ng(watch.hour)
    assert before <= after <= before + 501


@given(st.integers(1, 50_000), st.integers(0, 200_000))
def test_what_was_delivered_before_a_reset_counts(steps: int, age_ms: int) -> None:
    watch = guard()
    watch.recall(0, steps)
    watch.recall(age_ms, 0)
    assert watch.hour.sum == steps
