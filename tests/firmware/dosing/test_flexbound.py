"""What a flex basal may demand of a dose cap: exact on the host, in small ints on the pump, and never too little."""

from __future__ import annotations

import random
from bisect import bisect_left
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest
from dosebench.profile import load as pump_profile
from dosebench.therapy.cap_windows import counted_ms, flex_slack, flex_steps
from dosebench.therapy.program import Cap, Program, from_bytes
from hypothesis import given, settings
from hypothesis import strategies as st
from pump import wire
from pump.dosing.flex_bound import FlexBound
from pump.dosing.plan import Plan
from pump.dosing.schedule import Schedule
from pump.dosing.therapy import Therapy, is_less
from pump.profile import Profile
from pumpside import DAY_MS, examples, therapy
from small import SmallInt

HOUR_MS = 3_600_000
SPANS = st.integers(1, 2880).map(lambda minutes: minutes * 60_000)

Rate = tuple[int, int]


@st.composite
def flex_days(draw: st.DrawFn, slowest: int = 450_000, fastest: int = 900) -> dict[str, Any]:
    """The flex fields of a therapy: up to three patterns of a few steps, of up to five rates."""
    dens = draw(st.lists(st.integers(fastest, slowest), min_size=1, max_size=5))
    scale = draw(st.sampled_from((1, 7, 1001)))
    rates = [{"num": scale, "den": den * scale + draw(st.integers(0, scale - 1))} for den in dens]
    flex = []
    count = draw(st.integers(1, 3))
    for pattern in range(count):
        minutes = sorted({0} | draw(st.sets(st.integers(1, 1439), max_size=6)))
        flex += [{"pattern": pattern, "minute": at, "rate": draw(st.integers(0, len(rates) - 1))} for at in minutes]
    weekdays = bytes(draw(st.lists(st.integers(0, count - 1), min_size=7, max_size=7)))
    return {"mode": "flex", "rates": rates, "flex": flex, "weekdays": weekdays}


def used(program: Program) -> list[tuple[tuple[int, Fraction], ...]]:
    return [program.patterns[number] for number in sorted(set(program.weekdays))]


def bound_of(program: Program) -> FlexBound:
    """The pump's bound, all of it in integers that refuse to leave the small ints."""
    flex = [(SmallInt(step.pattern), SmallInt(step.minute), SmallInt(step.rate)) for step in program.flex]
    rates = [(SmallInt(rate.num), SmallInt(rate.den)) for rate in program.rates]
    decoded: Any = SimpleNamespace(flex=flex, rates=rates, weekdays=program.weekdays)
    largest: Rate = (0, 1)
    for pattern, _, rate in flex:
        if pattern in program.weekdays and is_less(largest, rates[rate]):
            largest = rates[rate]
    return FlexBound(decoded, *largest)


@settings(max_examples=examples(150))
@given(flex_days(), st.lists(SPANS, min_size=1, max_size=3))
def test_the_pumps_bound_is_the_exact_one_or_a_few_steps_more(days: dict[str, Any], spans: list[int]) -> None:
    program = from_bytes(therapy(**days))
    bound = bound_of(program)
    for span in spans:
        exact = flex_steps(used(program), span)
        assert exact <= bound.steps(SmallInt(counted_ms(span))) <= exact + flex_slack(program.rate, span)


@pytest.mark.parametrize("fastest", [451, 900, 7_000, 450_000])
def test_no_rate_of_any_pump_leaves_the_small_ints(fastest: int) -> None:
    rates = [{"num": 1, "den": fastest + at * fastest // 8} for at in range(64)]
    flex = [{"pattern": day, "minute": 30 * at, "rate": (at + 9 * day) % 64} for day in range(7) for at in range(48)]
    program = from_bytes(therapy(mode="flex", rates=rates, flex=flex, weekdays=bytes(range(7))))
    for span in (60_000, HOUR_MS, DAY_MS - 60_000, DAY_MS, 2 * DAY_MS):
        exact = flex_steps(used(program), span)
        assert exact <= bound_of(program).steps(SmallInt(counted_ms(span))) <= exact + flex_slack(program.rate, span)


@settings(max_examples=examples(60))
@given(flex_days(slowest=440_000, fastest=30_000), SPANS)
def test_the_pump_takes_what_the_host_takes_and_nothing_below_the_exact_bound(days: dict[str, Any], span: int) -> None:
    program = from_bytes(therapy(**days))
    device = Profile(pump_profile.load_profile("implant-40").device_config())

    def answer(steps: int) -> tuple[int, int]:
        caps = (Cap(60, 4_000 * 500), Cap(1440, 24_000 * 500), Cap(span // 60_000, steps * 500))
        reason: tuple[int, int] = Therapy(replace(program, caps=caps).encode_program()).check(device)
        return reason

    exact = flex_steps(used(program), span)
    assert answer(program.window_steps(span)) == (wire.REASON_DONE, 0)
    assert answer(exact - 1) == (wire.REASON_CAP_BELOW_BASAL if exact > 1 else wire.REASON_CAP_MISSING, 2)


def one_high_hour() -> Program:
    rates = [{"num": 1, "den": 180_000}, {"num": 1, "den": 18_000}]
    flex = [{"pattern": 0, "minute": at, "rate": rate} for at, rate in ((0, 0), (480, 1), (540, 0))]
    return from_bytes(therapy(mode="flex", rates=rates, flex=flex, weekdays=bytes(7)))


def test_one_high_hour_a_day_no_longer_counts_as_a_high_day() -> None:
    # 20 steps an hour and 200 in one: a day of 660 steps, by the largest rate alone 4820.
    program = one_high_hour()
    assert sum(program.weekday_steps()) == 7 * 660
    # 24.1 h at 20 an hour, and twice 180 more in each of two passes; in the 12 min beyond two days another twice 36.
    assert flex_steps(used(program), DAY_MS) == int(24.1 * 20 + 2 * (2 * 180 + 36)) + 2
    assert program.window_steps(DAY_MS) == 1276 + flex_slack(program.rate, DAY_MS)
    # An hour may be all high.
    assert flex_steps(used(program), HOUR_MS) == 200 * 241 // 240 + 1


class Pump:
    """Plan and schedule without a board, and somebody who sets the clock at will, within the slewing rule."""

    def __init__(self, program: Program, seed: int) -> None:
        self.plan, self.schedule, self.random = Plan(), Schedule(), random.Random(seed)
        self.plan.load_therapy(Therapy(program.encode_program()), 0, 0)
        self.plan.set_local_time(9_000, self.random.randrange(DAY_MS))
        self.schedule.running = True
        self.at = 9_000 * DAY_MS
        self.now = 0
        self.steps: list[int] = []

    def shift(self, ms: int) -> None:
        """The calendar is set `ms`, at most 12 h, ahead of the pattern."""
        halves = self.plan._day_number * 2 * DAY_MS + self.plan._at
        calendar = halves // 2 + ms
        self.plan.set_local_time(calendar // DAY_MS, calendar % DAY_MS)

    def run(self, until: int, set_clock: Any) -> None:
        schedule, plan = self.schedule, self.plan
        while self.now < until:
            set_clock(self)
            if plan.num != schedule.basal.num or plan.den != schedule.basal.den:
                schedule.basal.retune(plan.num, plan.den)
            wait = max(1, min(schedule.next_ms(), plan.next_ms(True), until - self.now))
            schedule.clear_due()
            schedule.advance(wait)
            plan.advance(wait, True)
            self.now += wait
            self.steps += [self.now] * schedule.basal_due

    def most_in(self, span: int) -> int:
        """Most steps in any window of `span`."""
        return max(at + 1 - bisect_left(self.steps, moment - span + 1) for at, moment in enumerate(self.steps))


def stretching(above: Fraction) -> Any:
    """Sets the clock back whenever the rate is above a level, and ahead below it: the worst that can be done."""

    def set_clock(pump: Pump) -> None:
        fast = Fraction(pump.plan.num, pump.plan.den) > above
        if fast != (pump.plan.lag < 0) or pump.plan.lag == 0:
            pump.shift(-HOUR_MS * 11 if fast else HOUR_MS * 11)

    return set_clock


def erratic(pump: Pump) -> None:
    if pump.random.random() < 0.02:
        pump.shift(pump.random.randint(-12 * HOUR_MS, 12 * HOUR_MS))


@pytest.mark.requirement("R65", "R14")
@settings(max_examples=examples(12))
@given(flex_days(slowest=450_000, fastest=30_000), st.integers(0, 1 << 30), st.integers(0, 4))
def test_no_setting_of_the_clock_fills_a_cap_with_basal_alone(days: dict[str, Any], seed: int, level: int) -> None:
    program = from_bytes(therapy(**days))
    rates = sorted(rate.value for rate in program.rates)
    above = rates[min(level, len(rates) - 1)]
    for set_clock in (erratic, stretching(above), stretching(Fraction(0))):
        pump = Pump(program, seed)
        pump.run(4 * DAY_MS, set_clock)
        for span in (HOUR_MS, 6 * HOUR_MS, DAY_MS, 2 * DAY_MS):
            assert pump.most_in(counted_ms(span)) <= flex_steps(used(program), span)


def test_the_worst_setting_of_the_clock_comes_near_the_bound() -> None:
    program = one_high_hour()
    pump = Pump(program, 1)
    pump.run(4 * DAY_MS, stretching(Fraction(1, 100_000)))
    # Four hours of high in a day: two passes, each at half speed, with the rest at twice its speed between them.
    assert 0.9 < pump.most_in(counted_ms(DAY_MS)) / flex_steps(used(program), DAY_MS) <= 1
