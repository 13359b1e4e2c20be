"""Which basal rate holds, and until when: the plan alone, beside the perfect pump."""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from operator import xor
from typing import Any

import pytest
from dosebench.therapy.program import from_bytes
from dosebench.therapy.reference_pump import ReferencePump
from hypothesis import given, settings
from hypothesis import strategies as st
from modes import therapies
from pump.dosing.plan import Plan
from pump.dosing.schedule import NEVER
from pump.dosing.therapy import Therapy
from pump.integrity.checksums import fold
from pumpside import DAY_MS, examples, therapy

MINUTE_MS = 60_000
HALF_DAY_MS = DAY_MS // 2
MONDAY = 9_494
"""2025-12-29, in days since 2000-01-01."""

FLEX: dict[str, Any] = {
    "mode": "flex",
    "rates": [{"num": 1, "den": den} for den in (50_000, 51_000, 52_000, 53_000)],
    "flex": [
        {"pattern": pattern, "minute": minute, "rate": rate}
        for pattern, minute, rate in (
            *((0, 0, 0), (0, 480, 1)),
            *((1, 0, 3), (1, 600, 0), (1, 1_200, 2)),
            *((2, 0, 1), (2, 720, 2)),
            *((3, 0, 2), (3, 1, 0), (3, 1_439, 3)),
        )
    ],
    # Monday and Tuesday, Wednesday, Thursday, Friday, and the weekend.
    "weekdays": bytes([0, 0, 2, 3, 0, 1, 1]),
}
TITRATION: dict[str, Any] = {
    "mode": "titration",
    "rates": FLEX["rates"],
    "titration": [{"day": day, "rate": rate} for day, rate in ((0, 0), (2, 1), (3, 2), (255, 3))],
}


def plan(changes: dict[str, Any], bridge_left: int = 0, titration_day: int = 0) -> Plan:
    made = Plan()
    made.load_therapy(Therapy(therapy(**changes)), bridge_left, titration_day)
    return made


def rate(of: Plan) -> Fraction:
    return Fraction(of.num, of.den)


class Pair:
    """A plan and the perfect pump, at the same pump time. Boluses do not change the basal, and are left out."""

    def __init__(self, changes: dict[str, Any], running: bool) -> None:
        without = changes | {"periodic_steps": 0, "bridge_steps": 0}
        self.plan, self.ideal, self.now, self.running = plan(without), ReferencePump(), 0, running
        self.ideal.commit_program(0, from_bytes(therapy(**without)))
        if running:
            self.ideal.start_delivery(0)

    def set_clock(self, days: int, ms: int) -> None:
        self.plan.set_local_time(days, ms)
        self.ideal.set_clock(self.now, days, ms)

    def run(self, ms: int) -> None:
        """Walk as the controller does: to each moment at which the rate may change."""
        end = self.now + ms
        while self.now < end:
            wait = min(self.plan.next_ms(self.running), end - self.now)
            assert wait >= 1
            before = self._rate()
            self.ideal.advance_to(self.now + wait - 1)
            assert self._rate() == before, "a rate changed before the plan woke"
            self.now += wait
            self.plan.advance(wait, self.running)
            self.ideal.advance_to(self.now)
            self.compare()

    def _rate(self) -> Fraction:
        # A stopped pump's plan goes on, at the rate that it would have.
        program = self.ideal.program
        assert program is not None
        return self.ideal._mode_rate(program)

    def compare(self) -> None:
        clock = self.ideal.pattern_clock
        assert rate(self.plan) == self._rate()
        if self.ideal.program and self.ideal.program.mode == "titration":
            assert self.plan.titration_day == self.ideal.titration_day
        if clock.known:
            assert Fraction(self.plan.lag, 2) == clock.lag_ms
            assert self.plan._day_number * DAY_MS + Fraction(self.plan._at, 2) == clock.at_ms


sets = st.tuples(st.just("set"), st.integers(-14 * 3_600_000, 14 * 3_600_000))
runs = st.tuples(st.just("run"), st.integers(1, 2 * DAY_MS))


@pytest.mark.requirement("R7")
@pytest.mark.requirement("R65")
@settings(max_examples=examples(100))
@given(therapies(), st.booleans(), st.lists(st.one_of(sets, runs), max_size=8))
def test_the_plan_is_the_perfect_pumps(changes: dict[str, Any], running: bool, acts: list[tuple[str, int]]) -> None:
    pair = Pair(changes, running)
    calendar = MONDAY * DAY_MS
    for act, ms in acts:
        if act == "set":
            calendar += ms
            pair.set_clock(*divmod(calendar + pair.now, DAY_MS))
        else:
            pair.run(ms)
        pair.compare()


@pytest.mark.requirement("R65")
@pytest.mark.parametrize("hours", [-12, -1, 1, 12])
@pytest.mark.parametrize("more_ms", [-1, 0, 1])
@pytest.mark.parametrize("at_ms", [0, 1, 8 * 60 * MINUTE_MS - 1, 20 * 60 * MINUTE_MS, DAY_MS - 1])
def test_a_clock_that_is_set_is_made_good_by_speed(hours: int, more_ms: int, at_ms: int) -> None:
    pair = Pair(FLEX, running=True)
    # Friday, so that the pattern changes on the way.
    pair.set_clock(MONDAY + 4, at_ms)
    pair.set_clock(*divmod((MONDAY + 4) * DAY_MS + at_ms + hours * 3_600_000 + more_ms, DAY_MS))
    pair.compare()
    apart = abs(hours * 3_600_000 + more_ms)
    assert pair.plan.lag_ms() == (apart if apart <= HALF_DAY_MS else 0)
    pair.run(2 * DAY_MS + 7)
    assert pair.plan.lag_ms() == 0


def test_a_date_that_is_set_is_taken_at_once() -> None:
    made = plan(FLEX)
    made.set_local_time(MONDAY, 0)
    for days, expected in ((MONDAY + 2, 51_000), (MONDAY + 5, 53_000), (MONDAY + 3, 52_000), (MONDAY + 8, 50_000)):
        made.set_local_time(days, 0)
        assert (made.lag_ms(), made.den) == (0, expected)


def test_a_slew_takes_an_odd_millisecond_back() -> None:
    # Behind by 1 ms at half a millisecond: the pattern overshoots, and is ahead for as long.
    made = plan(FLEX)
    made.set_local_time(MONDAY, 10)
    made.set_local_time(MONDAY, 9)
    assert (made.lag, made.next_ms(True)) == (-2, 2)
    made.advance(1, True)
    made.set_local_time(MONDAY, 11)
    assert (made.lag, made.lag_ms(), made.next_ms(True)) == (1, 0, 1)
    made.advance(1, True)
    assert (made.lag, made.next_ms(True)) == (-1, 1)
    made.advance(1, True)
    assert made.lag == 0


@pytest.mark.parametrize("mode", ["stopped", "minimum_rate", "continuous", "flex", "titration"])
def test_what_a_mode_runs_at_and_what_stands_above_it(mode: str) -> None:
    own = {"stopped": 0, "minimum_rate": Fraction(1, 450_000), "continuous": Fraction(1, 54_000)}
    changes = (FLEX | TITRATION | {"mode": mode}) | {"bridge_num": 1, "bridge_den": 9_000}
    made = plan(changes, bridge_left=9)
    made.set_local_time(MONDAY, 0)
    assert rate(made) == Fraction(1, 9_000)
    made.at_minimum = True
    made.select_rate()
    assert rate(made) == Fraction(1, 450_000)
    made.closed = True
    made.select_rate()
    assert (made.num, made.den) == (0, 1)
    made.closed = made.at_minimum = False
    made.count_pumped(4)
    assert (made.bridge_left, rate(made)) == (5, Fraction(1, 9_000))
    made.count_pumped(4)
    assert (made.bridge_left, rate(made)) == (1, Fraction(1, 9_000))
    made.count_pumped(1)
    assert (made.bridge_left, rate(made)) == (0, own.get(mode, Fraction(1, 50_000)))
    if mode == "stopped":
        assert (made.num, made.den) == (0, 1)
    made.count_pumped(3)
    assert made.bridge_left == 0


def test_a_bridge_ends_when_more_was_pumped_than_it_needs() -> None:
    made = plan({"bridge_num": 1, "bridge_den": 9_000}, bridge_left=5)
    made.count_pumped(7)
    assert (made.bridge_left, rate(made)) == (0, Fraction(1, 54_000))


def test_a_plan_without_a_therapy_stands_still_and_never_wakes() -> None:
    made = Plan()
    assert (made.num, made.den, made.next_ms(True), made.next_ms(False)) == (0, 1, NEVER, NEVER)
    for name, value in (("bridge_left", 1), ("at_minimum", True), ("closed", True)):
        setattr(made, name, value)
        made.select_rate()
        assert (made.num, made.den) == (0, 1)
    made = Plan()
    made.advance(DAY_MS, True)
    assert (made.known, made.lag, made.titration_day, made.bridge_left) == (False, 0, 0, 0)
    made.set_local_time(MONDAY, 5)
    assert (made.known, made.next_ms(True)) == (True, DAY_MS - 5)
    # The first day of the calendar is known like any other.
    first = Plan()
    first.set_local_time(0, 5)
    assert (first.known, first.lag, first.next_ms(True)) == (True, 0, DAY_MS - 5)


def test_without_a_calendar_flex_waits_at_its_minimum() -> None:
    made = plan(FLEX)
    assert (rate(made), made.next_ms(True)) == (Fraction(1, 450_000), NEVER)
    made.advance(1_000, True)
    assert rate(made) == Fraction(1, 450_000)
    made.set_local_time(MONDAY, 481 * MINUTE_MS)
    assert made.den == 51_000
    made.load_therapy(Therapy(therapy(**FLEX | {"weekdays": bytes([1] * 7)})), 0, 0)
    assert made.den == 53_000


@pytest.mark.parametrize(
    ("day", "den", "next_den"),
    [(0, 50_000, 50_000), (1, 50_000, 51_000), (2, 51_000, 52_000), (3, 52_000, 52_000), (254, 52_000, 53_000)],
)
def test_a_titration_goes_on_at_its_day(day: int, den: int, next_den: int) -> None:
    made = plan(TITRATION, titration_day=day)
    assert made.den == den
    assert made.next_ms(False) == NEVER
    made.advance(DAY_MS - 1, False)
    assert (made.titration_day, made.next_ms(True)) == (day, DAY_MS)
    made.advance(DAY_MS - 1, True)
    assert (made.den, made.titration_day, made.next_ms(True)) == (den, day, 1)
    made.advance(1, True)
    assert (made.titration_day, made.den, made.next_ms(True)) == (day + 1, next_den, DAY_MS)


def test_days_of_a_titration_are_counted_to_255() -> None:
    made = plan(TITRATION, titration_day=253)
    for day in (254, 255, 255):
        made.advance(DAY_MS, True)
        assert (made.titration_day, made.den) == (day, 53_000 if day == 255 else 52_000)


def test_a_new_therapy_begins_its_titration_anew() -> None:
    made = plan(TITRATION)
    made.advance(3 * DAY_MS + 5, True)
    assert (made.titration_day, made.den) == (3, 52_000)
    made.load_therapy(Therapy(therapy(**TITRATION)), 0, 0)
    assert (made.titration_day, made.den, made.next_ms(True)) == (0, 50_000, DAY_MS)


def test_only_a_flex_pattern_counts_its_steps() -> None:
    # A commit from flex to another mode and back: the index follows the pattern again.
    made = plan(FLEX)
    made.set_local_time(MONDAY, 1_300 * MINUTE_MS)
    assert made.den == 51_000
    made.load_therapy(Therapy(therapy(**TITRATION)), 0, 2)
    assert (made.den, made.next_ms(False)) == (51_000, 140 * MINUTE_MS)
    made.advance(140 * MINUTE_MS, False)
    made.load_therapy(Therapy(therapy(**FLEX)), 0, 0)
    assert (made.den, made.next_ms(False)) == (50_000, 480 * MINUTE_MS)


def test_weekdays_of_a_mode_without_patterns_are_nothing() -> None:
    for mode in ("stopped", "minimum_rate", "continuous", "titration"):
        made = plan(TITRATION | {"mode": mode, "weekdays": bytes([1] * 7)})
        before = rate(made)
        made.set_local_time(MONDAY, DAY_MS - 10)
        made.advance(10, True)
        assert (made._day_number, made.next_ms(False), rate(made)) == (MONDAY + 1, DAY_MS, before)


def between(ms: int) -> Plan:
    """A plan whose pattern is half a millisecond past `ms` of a Monday, and as much ahead of the calendar."""
    made = plan(FLEX)
    made.set_local_time(MONDAY, ms)
    made.set_local_time(MONDAY, ms - 1)
    made.advance(1, True)
    assert (made._at, made.lag) == (2 * ms + 1, -1)
    return made


def test_twelve_hours_are_counted_to_the_half_millisecond() -> None:
    for apart, lag in (
        (HALF_DAY_MS + 1, 0),
        (HALF_DAY_MS, 2 * HALF_DAY_MS - 1),
        (-HALF_DAY_MS, 0),
        (1 - HALF_DAY_MS, 1 - 2 * HALF_DAY_MS),
    ):
        made = between(HALF_DAY_MS)
        made.set_local_time(*divmod(MONDAY * DAY_MS + HALF_DAY_MS + apart, DAY_MS))
        assert made.lag == lag


def test_half_a_millisecond_before_midnight_is_a_millisecond() -> None:
    made = between(DAY_MS - 1)
    made.set_local_time(MONDAY + 1, 5)
    assert (made.lag, made.next_ms(True)) == (11, 1)
    made.advance(1, True)
    assert (made._day_number, made._at, made.lag) == (MONDAY + 1, 3, 9)


def test_midnight_and_a_day_of_titration_wake_whichever_comes_first() -> None:
    made = plan(TITRATION)
    made.set_local_time(MONDAY, DAY_MS - 100)
    assert made.next_ms(True) == 100
    made.advance(100, True)
    made.advance(1_000, True)
    assert made.next_ms(True) == DAY_MS - 1_100
    assert made.next_ms(False) == DAY_MS - 1_000
    made.set_local_time(MONDAY + 3, DAY_MS - 100)
    assert made.next_ms(True) == 100
    made.set_local_time(MONDAY + 9, 1_000)
    made.advance(DAY_MS - 1_150, True)
    assert made.next_ms(True) == 50


@pytest.mark.requirement("R56")
@pytest.mark.parametrize("changes", [FLEX, TITRATION], ids=["flex", "titration"])
def test_a_plan_is_whole_until_a_bit_of_it_flips(changes: dict[str, Any]) -> None:
    assert Plan().is_consistent(0, 0)
    made = plan(changes, titration_day=1)
    assert made.is_consistent(0, 0)
    made.set_local_time(MONDAY, 481 * MINUTE_MS)
    made.set_local_time(MONDAY, 482 * MINUTE_MS)
    ms = 482 * MINUTE_MS + 1_000
    made.advance(1_000, True)
    assert made.is_consistent(MONDAY, ms)
    assert not made.is_consistent(MONDAY, ms + 1)
    assert not made.is_consistent(MONDAY + 1, ms)
    assert not made.is_consistent(MONDAY - 1, ms)
    names = ["_titration_ms", "titration_day", "_titration_sum", "_at", "lag", "_day_number", "num", "den"]
    for name in [*names, "_index" if changes is FLEX else "_titration_index"]:
        right = vars(made).copy()
        setattr(made, name, right[name] ^ 1)
        assert not made.is_consistent(MONDAY, ms), name
        vars(made).update(right)
    assert made.is_consistent(MONDAY, ms)
    made.advance(DAY_MS - 1_000, True)
    assert made.is_consistent(MONDAY + 1, 482 * MINUTE_MS)


@pytest.mark.requirement("R56")
def test_a_plan_is_whole_while_pattern_and_calendar_are_on_two_days() -> None:
    made = plan(FLEX)
    for day, ms, other_ms in ((MONDAY, DAY_MS - 60_000, 60_000), (MONDAY + 1, 60_000, DAY_MS - 60_000)):
        made.set_local_time(MONDAY + 50, 0)
        made.set_local_time(day, ms)
        other = 2 * MONDAY + 1 - day
        made.set_local_time(other, other_ms)
        assert (made._day_number, made.lag_ms()) == (day, 120_000)
        assert made.is_consistent(other, other_ms)
        assert not made.is_consistent(day, other_ms)


def test_days_of_a_titration_stay_whole_at_their_end() -> None:
    made = plan(TITRATION, titration_day=254)
    for _ in range(3):
        made.advance(DAY_MS + 5, True)
        assert made.is_consistent(0, 0)


@pytest.mark.requirement("R56")
def test_any_flipped_bit_of_what_a_therapy_set_shows_in_the_fold_of_the_plan() -> None:
    made = plan(FLEX | {"titration": TITRATION["titration"], "bridge_num": 1, "bridge_den": 9_000})
    before = fold(made)
    rows = (made._nums, made._dens, made._minutes, made._flex_rates, made._ends, made._weekdays, made._days)
    parts = [made._mode, 1, 54_000, 1, 450_000, 1, 9_000, *(sum(row) for row in rows), sum(made._day_rates)]
    # A fold is as short as its parts.
    assert before == reduce(xor, parts)
    for name in ("_mode", *(f"_{kind}_{part}" for kind in ("basal", "minimum", "bridge") for part in ("num", "den"))):
        for bit in range(30):
            setattr(made, name, getattr(made, name) ^ 1 << bit)
            assert fold(made) != before, name
            setattr(made, name, getattr(made, name) ^ 1 << bit)
    made._weekdays = bytearray(made._weekdays)
    for name in ("_nums", "_dens", "_minutes", "_flex_rates", "_ends", "_weekdays", "_days", "_day_rates"):
        for at in range(len(getattr(made, name))):
            for bit in range(8):
                getattr(made, name)[at] ^= 1 << bit
                assert fold(made) != before, name
                getattr(made, name)[at] ^= 1 << bit
    assert fold(made) == before
