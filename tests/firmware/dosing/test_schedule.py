"""The scheduler: exact for ever, in small ints."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pump.dosing.schedule import NEVER, Schedule, Track
from pump.integrity.checksums import fold
from pump.small_int import mul_div
from pump.wire import BOLUS_KIND_CLINICIAN, BOLUS_KIND_NONE, BOLUS_KIND_PERIODIC, FRACTION_MAX
from small import SMALL_MAX, SmallInt

parts = st.one_of(st.integers(1, FRACTION_MAX), st.integers(1, 1000))
rates = st.tuples(parts, parts).filter(lambda rate: rate[0] <= rate[1]).map(lambda r: (SmallInt(r[0]), SmallInt(r[1])))
times = st.integers(0, SMALL_MAX).map(SmallInt)


def walk(track: Track, ms: int) -> int:
    """Advance as the controller does: from step to step. Returns the steps."""
    steps = 0
    while ms > 0:
        part = min(ms, track.due_ms())
        steps += track.advance(SmallInt(part))
        ms -= part
    return steps


@given(st.integers(0, SMALL_MAX), st.integers(0, SMALL_MAX), st.integers(1, FRACTION_MAX))
def test_mul_div_is_exact_and_small(a: int, b: int, c: int) -> None:
    quotient, remainder = mul_div(SmallInt(a), SmallInt(b), SmallInt(c))
    assert remainder == a * b % c
    assert quotient == min(a * b // c, SMALL_MAX)


@pytest.mark.requirement("R1")
@settings(deadline=None)
@given(rates, st.lists(st.integers(1, 5_000_000), max_size=6))
def test_delivered_is_never_more_than_half_a_step_from_ideal(rate: tuple[int, int], waits: list[int]) -> None:
    track = Track()
    track.restart(*rate)
    exact = Fraction(int(rate[0]), int(rate[1]))
    passed = steps = 0
    for wait in waits:
        # Not more than some thousand steps: the property does not depend on how many.
        part = min(wait, int(2_000 / exact) + 1)
        steps += walk(track, part)
        passed += part
        assert abs(steps - passed * exact) <= Fraction(1, 2)


@given(rates, times)
def test_due_ms_is_the_first_moment_with_a_step(rate: tuple[int, int], wait: int) -> None:
    track = Track()
    track.restart(*rate)
    track.advance(SmallInt(min(wait, 10_000)))
    due = track.due_ms()
    if due > 1:
        assert track.advance(SmallInt(due - 1)) == 0
        assert track.due_ms() == 1
    assert track.advance(SmallInt(1)) >= 1


@pytest.mark.requirement("R1")
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(rates, st.integers(0, 3_000)), min_size=1, max_size=60))
def test_rate_changes_keep_the_fraction_of_a_step(changes: list[tuple[tuple[int, int], int]]) -> None:
    track = Track()
    track.restart(*changes[0][0])
    ideal = Fraction(0)
    steps = 0
    for rate, wait in changes:
        track.retune(*rate)
        steps += walk(track, wait)
        ideal += wait * Fraction(int(rate[0]), int(rate[1]))
        # A change loses less than two crumbs, each 2^-29 of the unit that its denominator counts in.
        assert abs(steps - ideal) <= Fraction(1, 2) + Fraction(2 * len(changes), FRACTION_MAX)


def test_ten_thousand_changes_do_not_drift() -> None:
    track = Track()
    ideal = Fraction(0)
    steps = 0
    for turn in range(10_000):
        rate = (7, 54_001 + turn % 13)
        (track.retune if turn else track.restart)(*rate)
        steps += walk(track, 1_777)
        ideal += 1_777 * Fraction(*rate)
    assert abs(steps - ideal) <= Fraction(1, 2) + Fraction(2 * 10_000, FRACTION_MAX * 54_001)


@given(rates, rates, st.integers(1, 300))
def test_a_bolus_delivers_its_steps_and_leaves_the_basal_alone(
    basal: tuple[int, int], bolus: tuple[int, int], dose: int
) -> None:
    with_bolus, alone = Schedule(), Schedule()
    for schedule in (with_bolus, alone):
        schedule.basal.restart(*basal)
        schedule.running = True
    with_bolus.start_bolus(1, dose, *bolus)
    boluses = 0
    for _ in range(4 * dose):
        wait = with_bolus.next_ms()
        for schedule in (with_bolus, alone):
            schedule.clear_due()
            schedule.advance(wait)
        assert with_bolus.basal_due == alone.basal_due
        boluses += with_bolus.bolus_due
        with_bolus.bolus_left -= with_bolus.bolus_due
        if not with_bolus.bolus_left:
            break
    assert boluses <= dose
    assert boluses + with_bolus.bolus_left == dose


@pytest.mark.requirement("R15")
def test_an_overdue_bolus_becomes_longer_and_never_denser() -> None:
    schedule = Schedule()
    schedule.start_bolus(1, 10, 1, 1_000)
    schedule.advance(5_000)
    assert schedule.bolus_due == 1
    assert schedule.bolus_left == 10


def test_a_track_begins_half_way_to_its_first_step() -> None:
    fresh = Track()
    assert (fresh.num, fresh.den, fresh.due_ms(), fresh.advance(10**6)) == (0, 2, NEVER, 0)
    fresh.retune(1, 1_001)
    # Half of 1001 is 500 and a crumb.
    assert (fresh.acc, fresh._crumb, fresh.due_ms()) == (500, FRACTION_MAX // 2, 501)
    for den, half, crumb in ((1_000, 500, 0), (1_001, 500, FRACTION_MAX // 2)):
        started = Track()
        started.advance(77)
        started.restart(3, den)
        assert (started.acc, started._crumb) == (half, crumb)


def test_standing_still_loses_nothing() -> None:
    track = Track()
    track.restart(3, 1_001)
    track.advance(150)
    before = (track.acc, track.den, track._crumb)
    track.retune(0, 1)
    assert (track.due_ms(), track.advance(5_000), track.num) == (NEVER, 0, 0)
    assert (track.acc, track.den, track._crumb) == before
    track.retune(4, 1_001)
    assert (track.num, track.acc, track.den, track._crumb) == (4, 950, 1_001, FRACTION_MAX // 2)


@settings(max_examples=40)
@given(rates, st.lists(rates, min_size=1, max_size=6), st.integers(0, 5_000))
def test_a_change_of_rate_loses_less_than_two_crumbs(
    first: tuple[int, int], more: list[tuple[int, int]], ms: int
) -> None:
    track = Track()
    track.restart(*first)
    track.advance(SmallInt(min(ms, int(first[1]) // int(first[0]))))
    for num, den in more:
        exact = Fraction(int(track.acc), int(track.den)) + Fraction(int(track._crumb), FRACTION_MAX * int(track.den))
        track.retune(num, den)
        kept = Fraction(int(track.acc), int(den)) + Fraction(int(track._crumb), FRACTION_MAX * int(den))
        assert 0 <= exact - kept < Fraction(2, FRACTION_MAX * int(den))
        assert (track.num, track.den) == (num, den)
        assert 0 <= track.acc < den
        assert 0 <= track._crumb < FRACTION_MAX


def test_the_largest_fraction_and_an_empty_accumulator_stay_in_small_ints() -> None:
    largest = SmallInt(FRACTION_MAX)
    track = Track()
    track.restart(SmallInt(1), SmallInt(2))
    assert track.advance(SmallInt(1)) == 1
    track.retune(largest, largest)
    assert (track.acc, track._crumb, track.due_ms()) == (0, 0, 1)
    # Rates of one step a millisecond, and both ways of leaving the largest.
    assert track.advance(SmallInt(3)) == 3
    track.retune(SmallInt(0), SmallInt(1))
    assert track.advance(SmallInt(3)) == 0
    track.retune(SmallInt(1), largest)
    assert (track.due_ms(), track.advance(SmallInt(5)), track.acc) == (FRACTION_MAX, 0, 5)
    track.retune(largest, SmallInt(FRACTION_MAX - 1))
    assert (track.acc, track.due_ms()) == (4, 1)
    # Nothing else is as large: an accumulator and crumbs that are almost full.
    track.restart(SmallInt(1), largest)
    track.advance(SmallInt(FRACTION_MAX // 2 - 1))
    assert (track.acc, track.due_ms()) == (FRACTION_MAX - 1, 1)
    track.retune(largest, largest)
    assert (track.due_ms(), track.advance(SmallInt(1)), track.acc) == (1, 1, FRACTION_MAX - 1)


def test_a_track_makes_every_step_of_a_long_wait() -> None:
    track = Track()
    track.restart(2, 7)
    # 3 of 7 at the start: steps after 2, 6, 9 ms.
    assert [track.advance(ms) for ms in (1, 1, 3, 1, 3, 35, 0)] == [0, 1, 0, 1, 1, 10, 0]
    one = Track()
    one.restart(1, 1)
    assert (one.due_ms(), one.advance(3)) == (1, 3)


def test_a_fresh_schedule_has_nothing_to_do() -> None:
    schedule = Schedule()
    assert (schedule.bolus_kind, schedule.running, schedule.next_ms()) == (BOLUS_KIND_NONE, False, SMALL_MAX)
    schedule.advance(10**6)
    assert (schedule.basal_due, schedule.bolus_due, schedule.square_due) == (0, 0, 0)
    assert (schedule.bolus_left, schedule.square_left, schedule.periodic_ms) == (0, 0, 0)
    assert (schedule.periodic_waits, schedule.periodic_began) == (False, False)
    schedule.running = True
    schedule.advance(10**6)
    assert (schedule.basal_due, schedule.next_ms()) == (0, NEVER)
    assert not schedule.periodic_waits
    assert schedule.has_periodic(0, 0, 1, 0)


def test_the_earliest_event_wakes() -> None:
    schedule = Schedule()
    schedule.basal.restart(1, 1_000)
    assert schedule.next_ms() == NEVER
    schedule.running = True
    assert schedule.next_ms() == 500
    schedule.set_periodic(5, 1, 100, 4_000, 499)
    assert schedule.next_ms() == 499
    schedule.set_periodic(5, 1, 100, 4_000, 501)
    assert schedule.next_ms() == 500
    schedule.start_square(3, 900)
    assert schedule.next_ms() == 150
    schedule.start_bolus(BOLUS_KIND_CLINICIAN, 2, 1, 400)
    assert (schedule.bolus_kind, schedule.next_ms()) == (BOLUS_KIND_CLINICIAN, 200)
    schedule.running = False
    assert schedule.next_ms() == 200
    assert schedule.cancel_bolus() == 2
    assert schedule.next_ms() == 150
    assert schedule.cancel_square() == 3
    assert (schedule.cancel_bolus(), schedule.cancel_square(), schedule.next_ms()) == (0, 0, NEVER)


def test_what_is_due_adds_up_until_the_next_event() -> None:
    schedule = Schedule()
    schedule.basal.restart(1, 1_000)
    schedule.running = True
    schedule.advance(600)
    schedule.advance(1_000)
    assert schedule.basal_due == 2
    schedule.start_square(4, 400)
    schedule.advance(60)
    assert (schedule.square_due, schedule.bolus_due) == (1, 0)
    schedule.start_bolus(BOLUS_KIND_CLINICIAN, 2, 1, 40)
    schedule.advance(30)
    assert (schedule.square_due, schedule.bolus_due) == (1, 1)
    schedule.clear_due()
    assert (schedule.basal_due, schedule.bolus_due, schedule.square_due) == (0, 0, 0)
    schedule.advance(5)
    assert (schedule.basal_due, schedule.bolus_due, schedule.square_due) == (0, 0, 0)
    assert (schedule.bolus_left, schedule.square_left) == (2, 4)


def test_a_square_bolus_stands_still_while_another_runs_and_boluses_run_without_basal() -> None:
    schedule = Schedule()
    schedule.start_square(2, 2_000)
    schedule.start_bolus(BOLUS_KIND_CLINICIAN, 1, 1, 200)
    schedule.advance(99)
    assert (schedule.bolus_due, schedule.square_due, schedule.square.due_ms()) == (0, 0, 500)
    schedule.advance(1)
    assert (schedule.bolus_due, schedule.square.due_ms()) == (1, 500)
    schedule.bolus_left = 0
    schedule.advance(499)
    assert schedule.square_due == 0
    schedule.advance(1)
    assert (schedule.square_due, schedule.bolus_due, schedule.basal_due) == (1, 1, 0)


@pytest.mark.parametrize("other", [(6, 1, 100, 4_000), (5, 2, 100, 4_000), (5, 1, 101, 4_000), (5, 1, 100, 4_001)])
def test_another_periodic_bolus_is_not_the_same(other: tuple[int, int, int, int]) -> None:
    schedule = Schedule()
    schedule.set_periodic(5, 1, 100, 4_000, 7)
    assert schedule.has_periodic(5, 1, 100, 4_000)
    assert not schedule.has_periodic(*other)
    assert not schedule.has_periodic(*(2 * part - new for part, new in zip((5, 1, 100, 4_000), other, strict=True)))


def test_a_periodic_bolus_begins_when_its_time_has_come() -> None:
    schedule = Schedule()
    schedule.set_periodic(5, 1, 100, 4_000, 7)
    schedule.advance(100)
    assert schedule.periodic_ms == 7
    schedule.running = True
    schedule.advance(6)
    assert (schedule.periodic_ms, schedule.periodic_began, schedule.bolus_left) == (1, False, 0)
    schedule.advance(1)
    assert (schedule.periodic_ms, schedule.periodic_began, bool(schedule.periodic_waits)) == (4_000, True, False)
    assert (schedule.bolus_kind, schedule.bolus_left, schedule.bolus.due_ms()) == (BOLUS_KIND_PERIODIC, 5, 50)
    schedule.periodic_began = False
    schedule.bolus_left = 1
    schedule.advance(4_003)
    # Overdue, and the last one still runs.
    assert (schedule.periodic_ms, schedule.periodic_began, bool(schedule.periodic_waits)) == (3_997, False, True)
    schedule.start_waiting_periodic()
    assert (schedule.periodic_began, schedule.bolus_left) == (False, 1)
    schedule.bolus_left = 0
    schedule.start_waiting_periodic()
    assert (schedule.periodic_began, schedule.periodic_waits, schedule.bolus_left) == (True, False, 5)
    schedule.bolus_left = 0
    schedule.periodic_began = False
    schedule.start_waiting_periodic()
    assert (schedule.periodic_began, schedule.bolus_left) == (False, 0)
    schedule.periodic_waits = True
    schedule.set_periodic(0, 0, 1, 0, 0)
    assert (schedule.periodic_ms, schedule.periodic_waits, schedule.next_ms()) == (NEVER, False, NEVER)
    schedule.advance(10**6)
    assert schedule.periodic_ms == NEVER


def test_a_single_step_is_a_periodic_bolus_too() -> None:
    schedule = Schedule()
    schedule.running = True
    schedule.set_periodic(1, 1, 100, 4_000, 10)
    assert schedule.next_ms() == 10
    schedule.advance(10)
    assert (schedule.bolus_left, schedule.periodic_ms) == (1, 4_000)


@pytest.mark.requirement("R56")
@pytest.mark.parametrize("name", ["num", "den", "acc", "_crumb", "_check"])
def test_a_track_with_a_flipped_bit_makes_no_step(name: str) -> None:
    for start in range(3):
        for bit in range(29):
            track = Track()
            if start:
                track.restart(3, 1_001)
                track.advance(100)
            if start == 2:
                track.retune(4, 54_001)
            setattr(track, name, getattr(track, name) ^ 1 << bit)
            before = vars(track).copy()
            assert track.advance(7) == NEVER
            track.retune(1, 100)
            assert (track.advance(7), vars(track)) == (NEVER, before)


@pytest.mark.requirement("R56")
def test_a_bolus_with_a_flipped_bit_stops_the_basal_too() -> None:
    for kind in ("bolus", "square"):
        schedule = Schedule()
        schedule.basal.restart(1, 1_000)
        schedule.start_square(3, 900)
        if kind == "bolus":
            schedule.start_bolus(BOLUS_KIND_CLINICIAN, 2, 1, 400)
        getattr(schedule, kind).acc ^= 1 << 9
        schedule.advance(1)
        assert (schedule.basal_due, schedule.bolus_due, schedule.square_due) == (NEVER, 0, 0)


@pytest.mark.requirement("R56")
def test_a_schedule_is_whole_until_a_bit_of_it_flips() -> None:
    schedule = Schedule()
    assert schedule.counts_intact()
    schedule.running = True
    schedule.set_periodic(5, 1, 100, 4_000, 700)
    schedule.start_square(4, 4_000)
    schedule.start_bolus(BOLUS_KIND_CLINICIAN, 9, 1, 100)
    for _ in range(12):
        schedule.clear_due()
        schedule.advance(100)
        schedule.start_waiting_periodic()
        if schedule.bolus_due or schedule.square_due:
            schedule.count_bolus_step()
        assert schedule.counts_intact()
        for name in ("periodic_ms", "_periodic_passed", "bolus_left", "bolus_made", "square_left", "square_made"):
            for bit in range(13):
                setattr(schedule, name, getattr(schedule, name) ^ 1 << bit)
                assert not schedule.counts_intact(), name
                setattr(schedule, name, getattr(schedule, name) ^ 1 << bit)
    assert (schedule.bolus_kind, schedule.bolus_made, schedule.square_left) == (BOLUS_KIND_PERIODIC, 2, 4)
    schedule.cancel_bolus()
    assert schedule.counts_intact()
    schedule.clear_due()
    schedule.advance(500)
    schedule.count_bolus_step()
    assert (schedule.square_left, schedule.square_made, schedule.counts_intact()) == (3, 1, True)
    schedule.cancel_square()
    assert schedule.counts_intact()
    schedule.set_periodic(0, 0, 1, 0, 0)
    assert schedule.counts_intact()


@pytest.mark.requirement("R56")
def test_any_flipped_bit_of_what_a_therapy_set_shows_in_the_fold_of_the_schedule() -> None:
    schedule = Schedule()
    schedule.set_periodic(6, 5, 101, 4_007, 700)
    before = fold(schedule)
    assert before == 6 ^ 5 ^ 101 ^ 4_007
    for name in ("_periodic_steps", "_periodic_num", "_periodic_den", "_period_ms"):
        for bit in range(30):
            setattr(schedule, name, getattr(schedule, name) ^ 1 << bit)
            assert fold(schedule) != before, name
            setattr(schedule, name, getattr(schedule, name) ^ 1 << bit)
    assert fold(schedule) == before


def test_a_waiting_bolus_is_not_made_up_by_a_flipped_bit() -> None:
    for bit in range(30):
        schedule = Schedule()
        schedule.set_periodic(5, 1, 100, 4_000, 700)
        schedule.periodic_waits ^= 1 << bit
        schedule.start_waiting_periodic()
        assert (schedule.bolus_left, schedule.periodic_began) == (0, False)
        # Nor does one that waits begin when its mark is no longer what it was.
        schedule.running = True
        schedule.start_bolus(BOLUS_KIND_CLINICIAN, 9, 1, 100)
        schedule.advance(700)
        schedule.periodic_waits ^= 1 << bit
        schedule.cancel_bolus()
        schedule.start_waiting_periodic()
        assert (schedule.bolus_left, schedule.periodic_began) == (0, False)
