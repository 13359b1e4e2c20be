"""The dose guard: whatever is asked, no window holds more than its limit."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from functools import reduce
from math import ceil
from operator import xor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pump.guard.guard import Guard, Ratio, Window
from pump.guard.reading import Reading
from pump.integrity.checksums import fold
from pump.small_int import MulDiv
from pump.wire import COUNT_MAX, FRACTION_MAX
from pumpside import examples, therapy

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
FULL = 65_535
"""Most steps that a bucket counts."""


def guard(**changes: object) -> Guard:
    made = Guard(4_000, 24_000)
    made.adopt_program(therapy(**({"hour_ng_max": 50_000, "day_ng_max": 400_000} | changes)))
    made.set_enabled(True)
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
        watch.set_allowance(1_000)
        granted = watch.permit_steps(steps)
        assert 0 <= granted <= steps
        watch.count_moved(granted)
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
        window.add_steps(steps)
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
    watch.adopt_program(therapy(hour_ng_max=10**9, day_ng_max=10**9))
    watch.set_enabled(True)
    watch.set_allowance(1_000)
    assert not watch.has_room_for(51)
    watch.count_moved(50)
    assert watch.permit_steps(1) == 0
    watch.advance(HOUR_MS + 15_001)
    watch.set_allowance(1_000)
    assert watch.permit_steps(11) == 10


@pytest.mark.parametrize("forbid", ["disabled", "no lease", "first cap", "second cap", "hard hour", "hard day"])
def test_it_says_no(forbid: str) -> None:
    watch = guard()
    watch.set_allowance(0 if forbid == "no lease" else 10)
    full = {"first cap": watch._caps[0], "second cap": watch._caps[1], "hard hour": watch._hour, "hard day": watch._day}
    if forbid == "disabled":
        watch.set_enabled(False)
    if forbid in full:
        full[forbid].add_steps(full[forbid].room())
    assert watch.permit_steps(1) == 0
    assert watch.is_full() == (forbid in full)
    fine = guard()
    fine.set_allowance(10)
    assert fine.permit_steps(1) == 1


@pytest.mark.requirement("R56")
@pytest.mark.parametrize("part", ["cap", "hard", "allowance"])
def test_a_flipped_bit_in_a_limit_stops_everything(part: str) -> None:
    for bit in range(20):
        watch = guard()
        watch.set_allowance(10)
        if part == "allowance":
            watch._allowance ^= 1 << bit
        else:
            (watch._caps[0] if part == "cap" else watch._day)._limit ^= 1 << bit
        assert not watch.limits_intact()
        assert watch.permit_steps(1) == 0


@pytest.mark.requirement("R17")
@given(st.integers(0, 99), st.integers(1, 3_000), st.integers(1, 7))
def test_windows_hold_drug_when_the_concentration_changes(steps: int, num: int, den: int) -> None:
    watch = guard()
    watch.count_moved(steps)
    before = watch.window_rows()[0][2]
    assert before == steps * 500
    watch.change_worth(num, den, 500, 1, 0)
    after = watch.window_rows()[0][2]
    assert before <= after <= before + -(-num // den) + 1


@pytest.mark.requirement("R17")
@given(st.lists(st.tuples(st.integers(0, 400_000), st.integers(0, 9)), max_size=60), st.integers(400, 700))
def test_a_revalued_window_is_never_too_lax_as_it_empties(events: list[tuple[int, int]], num: int) -> None:
    watch = guard()
    true, now = TrueWindow(HOUR_MS), 0
    for wait, steps in events:
        now += wait
        watch.advance(wait)
        watch.count_moved(steps)
        true.add(now, steps)
    watch.change_worth(num, 1, 500, 1, 0)
    for _ in range(60):
        true.advance(now)
        assert watch.window_rows()[0][2] >= true.sum * 500
        now += 60_000
        watch.advance(60_000)


@pytest.mark.requirement("R17")
@given(st.integers(1, 300), st.lists(st.integers(1, 4), max_size=120))
def test_a_bridge_counts_the_old_drug_once(bridge: int, moves: list[int]) -> None:
    watch = guard(hour_ng_max=2_000_000)
    watch.change_worth(2_000, 1, 500, 1, bridge)
    moved = 0
    for steps in moves:
        watch.count_moved(steps)
        moved += steps
    old = min(moved, bridge)
    exact = old * 500 + (moved - old) * 2_000
    assert exact <= watch.window_rows()[0][2] <= exact + 2 * 2_000


@pytest.mark.requirement("R9")
def test_priming_holds_no_dose_and_only_as_much_as_the_program_says() -> None:
    watch = guard(prime_steps_max=50, prime_num=1, prime_den=1_000)
    watch.start_priming(50)
    watch.count_moved(60)
    assert watch.window_rows()[0][2] == 10 * 500
    assert watch._hour.sum == 60
    watch.count_moved(2)
    assert watch.window_rows()[0][2] == 12 * 500
    watch.start_priming(51)
    watch.count_moved(5)
    assert watch.window_rows()[0][2] == 17 * 500


@given(st.integers(1, 90), st.integers(0, 200_000))
def test_what_was_delivered_before_a_reset_counts(steps: int, age_ms: int) -> None:
    watch = guard()
    watch.clear_windows(None)
    watch.replay_steps(0, steps)
    watch.replay_steps(age_ms, 0)
    assert watch.window_rows()[0][2] == steps * 500


@pytest.mark.requirement("R16")
def test_the_same_windows_keep_what_they_hold_and_others_ask_for_history() -> None:
    watch = guard()
    watch.count_moved(30)
    assert watch.adopt_program(therapy(hour_ng_max=45_000, day_ng_max=400_000))
    assert watch.window_rows()[0] == (0, 60, 15_000, 45_000)
    assert not watch.adopt_program(therapy(caps=[{"minutes": 30, "ng": 45_000}, {"minutes": 1440, "ng": 400_000}]))


def window(*steps: int, limit: int = 1_000_000) -> Window:
    """A window of buckets of 10 ms that hold so many steps, the last one now."""
    made = Window(10)
    made.set_limit(limit)
    for at, count in enumerate(steps):
        if at:
            made.advance(10)
        made.add_steps(count)
    return made


def buckets(of: Window, count: int) -> list[int]:
    """What its last buckets hold, read from how its sum falls as they go; the newest comes last."""
    held = []
    of.advance(2_410 - 10 * count)
    for _ in range(count):
        before = of.sum
        of.advance(10)
        held.append(before - of.sum)
    return held


def test_a_window_forgets_after_240_buckets_and_the_one_that_runs() -> None:
    made = window()
    made.advance(3)
    made.add_steps(5)
    made.advance(7)
    made.add_steps(2)
    made.advance(2_399)
    assert made.sum == 7
    made.advance(1)
    assert made.sum == 2
    made.advance(9)
    assert made.sum == 2
    made.advance(1)
    assert made.sum == 0
    assert buckets(window(1, 2, 3, 4), 4) == [1, 2, 3, 4]


@pytest.mark.parametrize("buckets_passed", [241, 242, 300, 10_000])
def test_a_long_wait_empties_a_window_and_keeps_its_time(buckets_passed: int) -> None:
    made = window(4, 0, 3)
    made.advance(10 * buckets_passed + 7)
    assert made.sum == 0
    made.add_steps(1)
    made.advance(2_402)
    assert made.sum == 1
    made.advance(1)
    assert made.sum == 0


def test_a_long_wait_leaves_what_is_younger() -> None:
    made = window(4, 0, 3)
    made.advance(2_399)
    assert made.sum == 3
    made = window(4, 3)
    made.advance(2_409)
    assert made.sum == 3


def test_a_full_bucket_stays_full() -> None:
    made = window()
    made.add_steps(FULL - 1)
    made.add_steps(5)
    made.add_steps(1)
    assert (made.sum, buckets(made, 1)) == (FULL, [FULL])
    assert window(FULL).sum == FULL
    assert window(FULL + 1).sum == FULL


def test_an_empty_window_holds_nothing_anywhere() -> None:
    made = window(*range(1, 242))
    assert made.sum == sum(range(1, 242))
    made.clear()
    assert made.sum == 0
    assert buckets(made, 241) == [0] * 241


@pytest.mark.parametrize(("steps", "room"), [(0, 9), (8, 1), (9, 0), (10, 0)])
def test_the_room_is_what_the_limit_leaves(steps: int, room: int) -> None:
    assert window(steps, limit=9).room() == room
    assert window(steps, limit=9).limit_intact()
    assert Window(10).room() == 0
    assert Window(10).limit_intact()
    assert Window(10)._check == COUNT_MAX


@pytest.mark.parametrize("limit", [0, 1, FRACTION_MAX - 1, FRACTION_MAX + 5, COUNT_MAX])
def test_a_limit_of_any_size_is_sound(limit: int) -> None:
    made = window(limit=limit)
    assert made.limit_intact()
    assert made.room() == limit
    watch = guard()
    watch.set_allowance(limit)
    assert watch.limits_intact()
    assert watch.allowance() == limit


def test_a_checkpoint_raises_a_window_and_never_lowers_it() -> None:
    made = window(7, 5)
    made.raise_to(12)
    made.raise_to(3)
    assert made.sum == 12
    made.raise_to(20)
    assert (made.sum, buckets(made, 2)) == (20, [7, 13])
    # What one bucket cannot hold is lost: more than any motor makes.
    made = window(0, 0)
    made.raise_to(3 * FULL)
    assert made.sum == FULL
    made.advance(10)
    made.raise_to(3 * FULL)
    assert made.sum == 2 * FULL


def ratio(old: tuple[int, int], new: tuple[int, int]) -> Ratio:
    made = Ratio(MulDiv())
    made.set_worths(old, new)
    return made


def test_new_steps_are_rounded_up_from_the_newest_on() -> None:
    made = window(1, 1, 1, 0, 1)
    made.revalue(ratio((1, 1), (2, 1)))
    assert (made.sum, buckets(made, 5)) == (2, [0, 1, 0, 0, 1])
    made = window(4, 5, 6)
    made.revalue(ratio((3, 1), (1, 1)))
    assert (made.sum, buckets(made, 3)) == (45, [12, 15, 18])
    every = window(*[1] * 241)
    every.revalue(ratio((2, 1), (1, 1)))
    assert (every.sum, buckets(every, 241)) == (482, [2] * 241)
    # A window that has gone round: the newest bucket is not the last of the array.
    round_about = window(*[0] * 250, 3, 4)
    round_about.revalue(ratio((2, 1), (1, 1)))
    assert (round_about.sum, buckets(round_about, 3)) == (14, [0, 6, 8])
    full = window(FULL - 1, 3)
    full.revalue(ratio((2, 1), (1, 1)))
    # What one bucket cannot hold goes into older ones.
    assert (full.sum, buckets(full, 3)) == (2 * (FULL + 2), [FULL - 2, FULL, 6])


worth_parts = st.one_of(st.integers(1, 40), st.integers(1, FRACTION_MAX))
worths = st.tuples(worth_parts, worth_parts)


@given(worths, worths, st.integers(0, 16_000_000))
def test_a_ratio_is_never_too_small_and_exact_where_its_fraction_is_short(
    old: tuple[int, int], new: tuple[int, int], steps: int
) -> None:
    exact = Fraction(*old) / Fraction(*new)
    made = ratio(old, new).convert(steps)
    least = min(ceil(steps * exact), COUNT_MAX)
    if max(exact.numerator, exact.denominator) <= FRACTION_MAX:
        assert made == least
    elif made < FULL:
        assert least <= made <= ceil(steps * exact * (1 + Fraction(1, 1 << 10))) + 1
    else:
        # A bucket counts no further.
        assert made >= min(least, FULL)


@pytest.mark.requirement("R17")
def test_a_ratio_of_long_fractions_keeps_its_size() -> None:
    # 500 ng in an old step, 143 ng in a new one: 2154 old steps times 500000001 / 1003 are beyond the small ints.
    made = ratio((500_000_001, 1_000_001), (1_003, 7))
    exact = Fraction(500_000_001, 1_000_001) * Fraction(7, 1_003)
    for steps in (1, 2_153, 2_154, 24_000, 1_000_000):
        assert ceil(steps * exact) <= made.convert(steps) <= ceil(steps * exact) + 1


@pytest.mark.parametrize(
    ("old", "new", "short"),
    [
        ((268_435_457, 3), (1, 2), (268_435_457, 1)),
        ((178_956_971, 4), (1, 3), (268_435_457, 2)),
        ((3, 178_956_971), (4, 1), (2, 357_913_942)),
        ((3, 268_435_459), (5, 1), (1, 335_544_323)),
    ],
)
def test_a_long_ratio_is_shortened_to_the_strict_side(
    old: tuple[int, int], new: tuple[int, int], short: tuple[int, int]
) -> None:
    made = ratio(old, new)
    assert (made._num, made._den) == short
    assert Fraction(*short) >= Fraction(*old) / Fraction(*new)


@pytest.mark.parametrize(("old", "new"), [((FRACTION_MAX, 1), (1, 1)), ((1, 1), (FRACTION_MAX, 1))])
def test_a_ratio_at_the_edge_of_one_division(old: tuple[int, int], new: tuple[int, int]) -> None:
    made = ratio(old, new)
    assert Fraction(made._num, made._den) == Fraction(*old) / Fraction(*new)
    longer = ratio((old[0], FRACTION_MAX - 1), (new[0], FRACTION_MAX - 3))
    assert max(longer._num, longer._den) <= FRACTION_MAX
    exact = Fraction(old[0], new[0]) * Fraction(FRACTION_MAX - 3, FRACTION_MAX - 1)
    assert Fraction(longer._num, longer._den) >= min(exact, FRACTION_MAX // 2)
    assert Ratio(MulDiv()).convert(7) == 7


def test_a_new_guard_lets_nothing_move() -> None:
    fresh = Guard(4_000, 24_000)
    assert fresh.limits_intact()
    assert (fresh.allowance(), fresh.window_rows(), fresh.permit_steps(1)) == (0, [], 0)
    fresh.set_allowance(5)
    assert fresh.permit_steps(1) == 0
    fresh.raise_windows(0, 0, [5, 5])
    fresh.start_priming(1)
    fresh.adopt_program(therapy())
    fresh.set_enabled(True)
    fresh.count_moved(2)
    fresh.start_priming(1)
    assert fresh.window_rows() == [(0, 60, 1_000, 2_000_000), (0, 1440, 1_000, 12_000_000)]
    assert fresh.permit_steps(9) == 3


def test_each_window_of_a_therapy_has_its_length() -> None:
    watch = Guard(4_000, 24_000)
    caps = [{"minutes": 2, "ng": 5_000}, {"minutes": 60, "ng": 50_499}, {"minutes": 2880, "ng": 400_000}]
    watch.adopt_program(therapy(caps=caps))
    assert limits(watch) == [10, 100, 800]
    watch.count_moved(3)
    for ms, left in ((120_499, [3, 3, 3]), (1, [0, 3, 3]), (3_615_000 - 120_501, [0, 3, 3]), (1, [0, 0, 3])):
        watch.advance(ms)
        assert [kept.sum for kept in watch._caps] == left
    watch.advance(241 * 720_000 - 3_615_001)
    assert watch._caps[2].sum == 3
    watch.advance(1)
    assert watch._caps[2].sum == 0
    assert [kept.sum for kept in (watch._hour, watch._day)] == [0, 0]


def test_the_pumps_own_windows_have_theirs() -> None:
    watch = Guard(7, 9)
    assert (watch._hour.room(), watch._day.room()) == (7, 9)
    watch.count_moved(2)
    watch.advance(241 * 15_000 - 1)
    assert (watch._hour.sum, watch._day.sum) == (2, 2)
    watch.advance(1)
    assert (watch._hour.sum, watch._day.sum) == (0, 2)
    watch.advance(241 * 360_000 - 241 * 15_000 - 1)
    assert watch._day.sum == 2
    watch.advance(1)
    assert watch._day.sum == 0


def test_a_lease_is_used_up_by_what_moves() -> None:
    watch = guard()
    watch.set_allowance(10)
    assert (watch.permit_steps(10), watch.permit_steps(11), watch.allowance()) == (10, 10, 10)
    watch.count_moved(4)
    assert (watch.permit_steps(10), watch.allowance(), watch.limits_intact()) == (6, 6, True)
    watch.count_moved(6)
    assert (watch.permit_steps(1), watch.allowance(), watch.limits_intact()) == (0, 0, True)
    watch.set_allowance(3)
    watch.count_moved(5)
    assert (watch.permit_steps(1), watch.allowance(), watch.limits_intact()) == (0, 0, True)
    assert watch._hour.sum == 15


@pytest.mark.parametrize("part", ["first cap", "second cap", "hard hour", "hard day"])
def test_the_narrowest_window_says_how_much(part: str) -> None:
    for left in (0, 1, 2, 7):
        watch = guard()
        watch.set_allowance(20)
        window = {"first cap": watch._caps[0], "second cap": watch._caps[1]}.get(
            part, watch._hour if part == "hard hour" else watch._day
        )
        window.add_steps(window.room() - left)
        assert watch.permit_steps(20) == left
        assert watch.has_room_for(left)
        assert not watch.has_room_for(left + 1)
        assert watch.is_full() == (left == 0)


@pytest.mark.requirement("R56")
@pytest.mark.parametrize("part", ["first cap", "second cap", "hour", "day", "allowance"])
def test_a_flipped_bit_in_a_complement_stops_everything_too(part: str) -> None:
    for bit in range(30):
        watch = guard()
        watch.set_allowance(10)
        if part == "allowance":
            watch._check_allowance ^= 1 << bit
        else:
            windows = {"first cap": watch._caps[0], "second cap": watch._caps[1], "hour": watch._hour}
            windows.get(part, watch._day)._check ^= 1 << bit
        assert not watch.limits_intact()
        assert watch.permit_steps(1) == 0


@pytest.mark.requirement("R9")
def test_priming_ends_and_its_rest_counts_again() -> None:
    watch = guard(prime_steps_max=50, prime_num=1, prime_den=1_000)
    watch.set_allowance(1_000)
    watch.start_priming(50)
    watch.count_moved(20)
    # 30 of the path are left, and the hour has room for 100 steps of drug.
    assert (watch.permit_steps(500), watch.window_rows()[0][2]) == (130, 0)
    watch.end_priming()
    assert watch.permit_steps(500) == 100
    watch.count_moved(1)
    assert watch.window_rows()[0][2] == 500
    watch.start_priming(51)
    assert watch.permit_steps(500) == 99
    watch.start_priming(1)
    watch.count_moved(1)
    assert (watch.permit_steps(500), watch.window_rows()[0][2]) == (99, 500)


@pytest.mark.requirement("R17")
def test_what_a_bridge_leaves_to_a_dose() -> None:
    watch = guard(hour_ng_max=200_000)
    watch.count_moved(3)
    watch.adopt_program(therapy(hour_ng_max=200_000, day_ng_max=400_000, step_ng_num=2_000))
    watch.change_worth(2_000, 1, 500, 1, 40)
    # 1500 ng are in the window, as one step of 2000; the bridge's 40 steps hold 10 of the new ones.
    assert watch.window_rows() == [(0, 60, 2_000, 200_000), (0, 1440, 2_000, 400_000)]
    watch.set_allowance(1_000)
    assert watch.permit_steps(500) == 40 + 89
    watch.count_moved(1)
    assert watch.window_rows()[0][2] == 4_000
    # The first of the bridge was rounded up: the next three are in it.
    assert watch.permit_steps(500) == 39 + 89
    watch.count_moved(3)
    assert watch.window_rows()[0][2] == 4_000
    watch.count_moved(36)
    assert watch.window_rows()[0][2] == 22_000
    watch.count_moved(2)
    assert watch.window_rows()[0][2] == 26_000
    watch.change_worth(2_000, 1, 2_000, 1, 0)
    watch.count_moved(1)
    assert watch.window_rows()[0][2] == 28_000


@pytest.mark.requirement("R17")
@pytest.mark.parametrize("left", [0, 1, 4, 5])
def test_a_bridge_goes_on_after_a_reset(left: int) -> None:
    watch = guard(step_ng_num=2_000)
    watch.resume_bridge(left, 0, (500, 1))
    watch.count_moved(6)
    assert watch.window_rows()[0][2] == (6 - left + -(-left // 4)) * 2_000


@pytest.mark.requirement("R17")
@pytest.mark.parametrize("old_ng", [2_000, 500])
def test_steps_in_doubt_count_as_the_stronger_drug(old_ng: int) -> None:
    # A step holds 1000 ng now; two of the bridge are left, or up to three more if a lost lease was not delivered.
    watch = guard(step_ng_num=1_000)
    watch.resume_bridge(2, 3, (old_ng, 1))
    assert watch.bridge_left() == 2
    watch.count_moved(1)
    assert watch.bridge_left() == 1
    watch.count_moved(1)
    assert watch.bridge_left() == 0
    watch.count_moved(2)
    if old_ng > 1_000:
        watch.count_moved(1)
        watch.count_moved(1)
        assert watch.window_rows()[0][2] == (5 * 2 + 1) * 1_000
    else:
        assert watch.window_rows()[0][2] == (1 + 2) * 1_000
    assert watch.bridge_left() == 0
    assert watch.counts_intact(0)


@pytest.mark.requirement("R17")
@pytest.mark.parametrize(("left", "doubt"), [(0, 3), (3, 3), (3, 0)])
def test_a_bridge_that_may_be_over_counts_as_the_stronger_drug_too(left: int, doubt: int) -> None:
    watch = guard(step_ng_num=1_000)
    watch.resume_bridge(left, doubt, (4_000, 1))
    watch.count_moved(3)
    assert watch.window_rows()[0][2] == 3 * 4_000
    watch.clear_windows(None)
    assert watch.bridge_left() == 0


@pytest.mark.requirement("R17")
@pytest.mark.parametrize(("old_ng", "left"), [(2_000, 4), (1_000, 1), (500, 1)])
def test_a_lost_lease_counts_but_does_not_move_a_bridge_from_a_stronger_drug_on(old_ng: int, left: int) -> None:
    watch = guard(step_ng_num=1_000)
    watch.change_worth(1_000, 1, old_ng, 1, 4)
    watch.replay_lost_steps(0, 3)
    assert watch.window_rows()[0][2] == max(3 * old_ng, -(-3 * old_ng // 1_000) * 1_000)
    assert watch._bridge_left == left
    assert watch.counts_intact(0)


@pytest.mark.requirement("R17")
def test_each_bridge_counts_from_its_own_beginning() -> None:
    watch = guard(hour_ng_max=2_000_000)
    for _ in range(2):
        watch.change_worth(2_000, 1, 500, 1, 3)
        before = watch.window_rows()[0][2]
        watch.count_moved(3)
        assert watch.window_rows()[0][2] == before + 2_000


def test_the_first_therapy_revalues_nothing() -> None:
    watch = guard()
    watch.count_moved(7)
    watch.change_worth(2_000, 1, 0, 1, 0)
    assert watch.window_rows()[0][2] == 7 * 2_000
    watch.change_worth(1_000, 3, 2_000, 1, 0)
    assert watch.window_rows()[0][:3] == (0, 60, 14_000)
    watch.change_worth(1_000, 1, 1_000, 3, 0)
    assert watch.window_rows()[0][:3] == (0, 60, 14_000)


def test_what_is_forgotten_is_told_anew() -> None:
    watch = guard(prime_steps_max=50, prime_num=1, prime_den=1_000)
    watch.change_worth(500, 1, 250, 1, 9)
    watch.start_priming(5)
    watch.count_moved(1)
    watch.clear_windows(None)
    assert (watch.window_rows()[0][2], watch._hour.sum, watch._day.sum) == (0, 0, 0)
    watch.count_moved(2)
    assert (watch.window_rows()[0][2], watch._hour.sum, watch._day.sum) == (1_000, 2, 2)
    watch.clear_windows((100, 3))
    watch.count_moved(6)
    assert watch.window_rows()[0][2] == 200


def test_a_long_history_is_told_at_once() -> None:
    watch = guard()
    for steps in (1, 32_768, FULL):
        watch.clear_windows(None)
        watch.replay_steps(0, steps)
        assert [kept.sum for kept in (*watch._caps, watch._hour, watch._day)] == [steps] * 4
    watch.replay_steps(241 * 15_000, 0)
    assert (watch._hour.sum, watch._day.sum) == (0, FULL)
    watch.replay_steps(0, -1)
    assert watch._hour.sum == 0


def test_a_checkpoint_is_in_drug() -> None:
    watch = guard(step_ng_num=1_001, step_ng_den=2)
    watch.count_moved(2)
    watch.raise_windows(0, 0, [2_003, 500])
    assert watch.window_rows() == [
        (0, 60, 5 * 1_001 // 2 + 1, 99 * 1_001 // 2),
        (0, 1440, 1_001, 799 * 1_001 // 2),
    ]


@pytest.mark.requirement("R56")
@pytest.mark.parametrize("passed", [0, 7, 10, 2_395, 2_410, 5_000])
def test_a_window_is_whole_until_a_bit_of_it_flips(passed: int) -> None:
    made = window(4, 0, 3, 1, 0, 2)
    made.advance(5)
    made.start_span()
    made.advance(passed)
    made.add_steps(2)
    assert made.counts_intact(passed)
    for wrong in (passed - 1, passed + 1, passed + 10, passed + 2_410 - 1):
        assert not made.counts_intact(wrong)
    for name in ("_at", "_into_ms", "sum"):
        for bit in range(8):
            right = getattr(made, name)
            setattr(made, name, right ^ 1 << bit)
            assert not made.counts_intact(passed), name
            setattr(made, name, right)
    for at in (0, 1, 240):
        made._counts[at] ^= 1
        assert not made.counts_intact(passed)
        made._counts[at] ^= 1
    assert made.counts_intact(passed)


@pytest.mark.requirement("R56")
def test_a_guard_is_whole_until_a_bit_of_it_flips() -> None:
    watch = guard()
    assert watch.counts_intact(0)
    watch.change_worth(2_000, 1, 500, 1, 40)
    watch.count_moved(3)
    watch.advance(1_000)
    watch.start_span()
    assert watch.counts_intact(0)
    watch.advance(69_997)
    watch.count_moved(4)
    watch.advance(5)
    watch.advance(3)
    assert watch.counts_intact(70_005)
    assert not watch.counts_intact(70_004)
    for name in ("_elapsed", "_bridged", "_bridge_left", "_bridge_all"):
        for bit in range(18):
            setattr(watch, name, getattr(watch, name) ^ 1 << bit)
            assert not watch.counts_intact(70_005), name
            setattr(watch, name, getattr(watch, name) ^ 1 << bit)
    for kept in (*watch._caps, watch._hour, watch._day):
        kept.sum ^= 1
        assert not watch.counts_intact(70_005)
        kept.sum ^= 1
    assert watch.counts_intact(70_005)
    assert (watch.bridge_left(), watch.prime_left()) == (33, 0)
    watch.resume_bridge(20, 0, (500, 1))
    assert (watch.bridge_left(), watch.counts_intact(70_005)) == (20, True)
    watch.start_priming(0)
    watch.start_span()
    watch.advance(FRACTION_MAX + 4)
    assert watch._elapsed == 4
    assert watch.counts_intact(FRACTION_MAX + 4)


@pytest.mark.requirement("R56")
def test_any_flipped_bit_of_what_a_therapy_set_shows_in_the_fold_of_the_guard() -> None:
    watch = guard(prime_steps_max=50, prime_num=1, prime_den=1_000)
    watch.change_worth(2_000, 3, 500, 7, 40)
    before = fold(watch)
    spans = reduce(xor, [sum(span) for span in watch._spans])
    # A fold is as short as its parts.
    assert before == 2_000 + 3 ^ 50 ^ spans ^ watch._ratio._num ^ watch._ratio._den
    for holder, name in ((watch, "_prime_max"), (watch._ratio, "_num"), (watch._ratio, "_den")):
        for bit in range(30):
            setattr(holder, name, getattr(holder, name) ^ 1 << bit)
            assert fold(watch) != before, name
            setattr(holder, name, getattr(holder, name) ^ 1 << bit)
    for bit in range(30):
        num, den = watch._worth
        watch._worth = (num ^ 1 << bit, den)
        assert fold(watch) != before
        watch._worth = (num, den ^ 1 << bit)
        assert fold(watch) != before
        watch._worth = (num, den)
        for span in ((0, 60 ^ 1 << bit), (1 << bit, 60)):
            watch._spans[0] = span
            assert fold(watch) != before
        watch._spans[0] = (0, 60)
    assert fold(watch) == before


def test_as_many_windows_as_the_pump_accepts_hold_each_its_own_limit() -> None:
    caps = [{"minutes": 60 + at, "ng": (100 + at) * 500} for at in range(8)]
    watch = Guard(1_000, 10_000)
    watch.adopt_program(therapy(caps=caps))
    watch.set_enabled(True)
    watch.set_allowance(1_000)
    assert limits(watch) == [100 + at for at in range(8)]
    assert watch.permit_steps(200) == 100
    watch.count_moved(7)
    assert watch.window_rows() == [(0, 60 + at, 3_500, (100 + at) * 500) for at in range(8)]


def test_a_checkpoint_raises_the_windows_of_one_drug_from_one_place_on() -> None:
    caps = [{"drug": at % 2, "minutes": 60 + at, "ng": 50_000} for at in range(8)]
    watch = Guard(1_000, 10_000)
    watch.adopt_program(therapy(caps=caps))
    watch.raise_windows(1, 2, [500, 1_000, 1_500])
    assert [held for _, _, held, _ in watch.window_rows()] == [0, 0, 0, 0, 0, 500, 0, 1_000]


def test_the_reading_has_a_row_of_doses_for_each_drug() -> None:
    one = {"name_bytes": 8, "step_ng_num": 500, "step_ng_den": 1, "bridge_ng_num": 0, "bridge_ng_den": 0}
    two = {"name_bytes": 9, "step_ng_num": 1, "step_ng_den": 2, "bridge_ng_num": 0, "bridge_ng_den": 0}
    read = Reading(therapy(drugs=[one, two], drug_names=b"baclofenclonidine", patient_steps=3, patient_per_day=5))
    assert (read.drug_names, read.worth) == (b"baclofenclonidine", (500, 1))
    # 1600 steps a day, 66 2/3 an hour.
    assert read.figures()["doses"] == [(8, 800_000, 33_333, 5_600_000, 0, 7_500), (9, 800, 33, 5_600, 0, 7)]
    with pytest.raises(ValueError):
        Reading(therapy(drugs=[], drug_names=b""))
