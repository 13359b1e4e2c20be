"""The perfect pump against a brute-force one that counts every millisecond, and what its modes promise."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import pytest
from dosebench.base.units import DAY_MS, HOUR_MS, MINUTE_MS
from dosebench.profile.load import load_profile
from dosebench.regimen.compile import compile_order
from dosebench.regimen.order import Bridge, PatientBolus, Pattern, PatternStep, PeriodicBolus, Priming, RampStep
from dosebench.therapy.program import Program
from dosebench.therapy.reference_pump import ReferencePump
from hypothesis import given, settings
from hypothesis import strategies as st
from orders import BACLOFEN, programs

HALF = Fraction(1, 2)
IMPLANT = load_profile("implant-40")
MONDAY = 8766
"""2024-01-01, a Monday, in days since 2000-01-01."""


@dataclass
class Track:
    """An accumulator as the pump has it, in ms; exact also where the rate changes."""

    acc: Fraction = HALF
    steps: int = 0

    def tick(self, rate: Fraction) -> bool:
        self.acc += rate
        if self.acc >= 1:
            self.acc -= 1
            self.steps += 1
            return True
        return False


@dataclass
class BruteForce:
    """The pump as its rules read, one millisecond at a time: `times` are those of its steps."""

    now: int = 0
    times: list[int] = field(default_factory=list)
    program: Program | None = None
    running: bool = False
    basal: Track = field(default_factory=Track)
    bolus: Track | None = None
    bolus_left: int = 0
    bolus_rate: Fraction = Fraction(0)
    square: Track | None = None
    square_left: int = 0
    square_rate: Fraction = Fraction(0)
    known: bool = False
    half_ms: int = 0
    lag: int = 0
    delivery_ms: int = 0
    bridge: int = 0
    periodic: int = 0
    waits: bool = False

    def rate(self) -> Fraction:
        program = self.program
        if program is None:
            return Fraction(0)
        if self.bridge > 0:
            return program.bridge_rate
        if program.mode == "flex":
            if not self.known:
                return program.minimum_rate
            day, ms = divmod(self.half_ms, 2 * DAY_MS)
            number = program.weekdays[(day + 5) % 7]
            step = [s for s in program.flex if s.pattern == number and s.minute * 2 * MINUTE_MS <= ms][-1]
            return program.rates[step.rate].value
        if program.mode == "titration":
            step_of_ramp = [s for s in program.titration if s.day * DAY_MS <= self.delivery_ms][-1]
            return program.rates[step_of_ramp.rate].value
        return program.rate

    def advance(self, until: int) -> None:
        while self.now < until:
            rate = self.rate()
            made = 0
            self.now += 1
            had_bolus = self.bolus_left > 0
            if had_bolus and self.bolus and self.bolus.tick(self.bolus_rate):
                self.bolus_left -= 1
                made += 1
            elif not had_bolus and self.square_left and self.square and self.square.tick(self.square_rate):
                self.square_left -= 1
                made += 1
            if self.running:
                made += self.basal.tick(rate)
                self.delivery_ms += 1
                self.periodic -= 1
            self.tick_clock()
            self.bridge -= made
            self.times += [self.now] * made
            self.tick_periodic()

    def tick_clock(self) -> None:
        if self.known:
            speed = 4 if self.lag > 0 else 1 if self.lag < 0 else 2
            self.half_ms += speed
            self.lag += 2 - speed

    def tick_periodic(self) -> None:
        program = self.program
        if program and program.periodic_steps and self.running and self.periodic <= 0:
            self.periodic += program.periodic_ms
            self.waits = True
        if program and self.waits and not self.bolus_left:
            self.waits = False
            self.give(program.periodic_steps, program.periodic_rate)

    def give(self, steps: int, rate: Fraction) -> None:
        self.bolus, self.bolus_left, self.bolus_rate = Track(), steps, rate

    def do(self, name: str, value: Any) -> None:
        program = self.program
        assert program is not None
        if name == "stop":
            self.running, self.waits, self.bolus_left, self.square_left = False, False, 0, 0
        elif name == "start":
            self.running, self.periodic = True, program.periodic_ms
        elif name == "clock":
            wanted = 2 * (value[0] * DAY_MS + value[1])
            self.lag = wanted - self.half_ms
            if not self.known or abs(self.lag) > 24 * HOUR_MS:
                self.half_ms, self.lag = wanted, 0
            self.known = True
        elif name == "clock_lost":
            self.known, self.lag = False, 0
        elif name == "bolus" and self.running and not self.bolus_left:
            self.give(value, program.bolus_rate)
        elif name == "square" and self.running and not self.square_left:
            self.square, self.square_left, self.square_rate = Track(), value[0], Fraction(*value)

    def commit(self, program: Program) -> None:
        old = self.program
        names = ("periodic_steps", "periodic_ms", "periodic_num", "periodic_den")
        if old is None or [getattr(old, name) for name in names] != [getattr(program, name) for name in names]:
            self.periodic, self.waits = program.periodic_ms, False
        self.program, self.delivery_ms, self.bridge = program, 0, program.bridge_steps


def fast(program: Program, factor: int) -> Program:
    """A program whose rates and times are so many times faster, so that milliseconds can be counted."""

    def quick(rate: Any) -> Any:
        value = rate.value * factor
        return replace(rate, num=value.numerator, den=value.denominator)

    changes: dict[str, Any] = {"rates": tuple(quick(rate) for rate in program.rates)}
    for name in ("basal", "minimum", "bolus", "patient", "periodic", "bridge"):
        value = Fraction(getattr(program, f"{name}_num"), getattr(program, f"{name}_den") or 1) * factor
        value = min(value, HALF)
        changes |= {f"{name}_num": value.numerator, f"{name}_den": value.denominator}
    return replace(
        program, **changes, periodic_ms=program.periodic_ms // factor, bridge_steps=program.bridge_steps // 20
    )


times_of_day = st.integers(0, DAY_MS - 1) | st.sampled_from(
    [DAY_MS - 40, DAY_MS - MINUTE_MS - 90, MINUTE_MS - 20, 6 * HOUR_MS - 150]
)
acts = st.one_of(
    st.tuples(st.just("advance"), st.integers(1, 400)),
    st.tuples(st.just("clock"), st.tuples(st.integers(MONDAY, MONDAY + 1), times_of_day)),
    st.tuples(st.just("shift"), st.integers(-200, 200)),
    st.tuples(st.just("bolus"), st.integers(1, 30)),
    st.tuples(st.just("square"), st.tuples(st.integers(1, 30), st.integers(30, 900))),
    st.tuples(st.sampled_from(["start", "start", "stop", "clock_lost"]), st.none()),
    st.tuples(st.just("commit"), programs(IMPLANT)),
)


def carry_out(pump: ReferencePump, brute: BruteForce, act: tuple[str, Any]) -> None:
    """Let the same thing happen to both."""
    name, value = act
    if name == "advance":
        pump.advance_to(pump.now_ms + value)
        brute.advance(pump.now_ms)
    elif name == "commit":
        program = fast(value, 5000)
        pump.commit_program(pump.now_ms, program)
        brute.commit(program)
    elif name == "shift":
        at = int(pump.pattern_clock.at_ms) + value
        carry_out(pump, brute, ("clock", (at // DAY_MS, at % DAY_MS)))
    else:
        arguments = value if isinstance(value, tuple) else () if value is None else (value,)
        method = {
            "bolus": pump.ask_bolus,
            "square": pump.ask_square_bolus,
            "start": pump.start_delivery,
            "stop": pump.stop_delivery,
            "clock": pump.set_clock,
            "clock_lost": pump.clock_lost,
        }[name]
        method(pump.now_ms, *arguments)
        brute.do(name, value)


@pytest.mark.requirement("R1")
@pytest.mark.requirement("R7")
@settings(deadline=None, max_examples=300)
@given(programs(IMPLANT), st.lists(acts, max_size=14))
def test_the_perfect_pump_makes_the_steps_of_a_brute_force_one(first: Program, history: list[tuple[str, Any]]) -> None:
    pump, brute = ReferencePump(), BruteForce()
    for act in [("commit", first), *history, ("advance", 300)]:
        carry_out(pump, brute, act)
        assert pump.made == len(brute.times), act
        assert abs(pump.ideal_steps(pump.now_ms) - len(brute.times)) <= 3 * HALF
    if pump.now_ms:
        assert pump.max_deviation(brute.times, 0, pump.now_ms) <= 3 * HALF


def flex(*steps: tuple[str, int], weekend: tuple[tuple[str, int], ...] = ()) -> Program:
    """A flex program from times of day and rates in uL/day; at the weekend another one where given."""

    def day(days: range, rows: tuple[tuple[str, int], ...]) -> Pattern:
        times = [(60 * int(at[:2]) + int(at[3:]), daily) for at, daily in rows]
        return Pattern(tuple(days), tuple(PatternStep(at, Fraction(1000 * ul, DAY_MS)) for at, ul in times))

    patterns = (day(range(5), steps), day(range(5, 7), weekend)) if weekend else (day(range(7), steps),)
    return compile_order(replace(BACLOFEN, mode="flex", basal=Fraction(0), patterns=patterns), IMPLANT)


def running(program: Program, local_days: int = MONDAY, local_ms: int = 0) -> ReferencePump:
    """A pump that has run the program since time 0, at that local time."""
    pump = ReferencePump()
    pump.commit_program(0, program)
    pump.set_clock(0, local_days, local_ms)
    pump.start_delivery(0)
    return pump


def changes_of(pump: ReferencePump, until_ms: int) -> list[tuple[int, int]]:
    """When the basal changes, in minutes of pump time, and to how many uL a day; looked at every half minute."""
    changes = [(pump.now_ms // MINUTE_MS, int(pump.basal_rate * DAY_MS / 4))]
    while pump.now_ms < until_ms:
        pump.advance_to(pump.now_ms + MINUTE_MS // 2)
        daily = int(pump.basal_rate * DAY_MS / 4)
        if daily != changes[-1][1]:
            assert pump.now_ms % MINUTE_MS == 0
            changes.append((pump.now_ms // MINUTE_MS, daily))
    return changes


DAY_AND_NIGHT = flex(("00:00", 100), ("02:30", 400), ("06:00", 200), ("22:00", 100))


@pytest.mark.requirement("R65")
def test_an_ordinary_day_changes_exactly_at_its_boundaries() -> None:
    pump = running(DAY_AND_NIGHT)
    assert changes_of(pump, DAY_MS) == [(0, 100), (150, 400), (360, 200), (1320, 100)]
    uninterrupted = running(DAY_AND_NIGHT)
    assert uninterrupted.ideal_steps(DAY_MS) == max(DAY_AND_NIGHT.weekday_steps()) == pump.basal_ideal
    hours = Fraction(2.5 * 100 + 3.5 * 400 + 16 * 200 + 2 * 100)
    assert pump.basal_ideal == hours * 4 / 24


@pytest.mark.requirement("C20")
@pytest.mark.requirement("R65")
@pytest.mark.parametrize(
    ("set_at", "shown", "expected"),
    [
        # Spring: at 02:00 the clock shows 03:00. The pattern, an hour behind, runs double for an hour.
        (2, 3, [(135, 400), (300, 200), (1260, 100)]),
        # Autumn: at 03:00 it shows 02:00. The pattern, an hour ahead, runs at half speed for two; 02:30 was over.
        (3, 2, [(420, 200), (1380, 100)]),
        # Set back by an hour before the step of 02:30, which then comes at 02:00 of the clock.
        (2, 1, [(180, 400), (420, 200), (1380, 100)]),
    ],
)
def test_each_step_comes_once_when_the_clock_is_set(set_at: int, shown: int, expected: list[tuple[int, int]]) -> None:
    pump = running(DAY_AND_NIGHT)
    pump.set_clock(set_at * HOUR_MS, MONDAY, shown * HOUR_MS)
    assert changes_of(pump, DAY_MS)[1:] == expected
    assert pump.pattern_clock.lag_ms == 0


@pytest.mark.requirement("C20")
@pytest.mark.requirement("R65")
@given(st.lists(st.tuples(st.integers(0, 20 * HOUR_MS), st.integers(-12 * HOUR_MS, 12 * HOUR_MS)), max_size=4))
def test_whatever_the_clock_the_steps_come_in_order_and_none_is_left_out(acts: list[tuple[int, int]]) -> None:
    pump = running(DAY_AND_NIGHT)
    seen = [100]
    for wait_ms, shift_ms in [*acts, (3 * DAY_MS, 0)]:
        end = pump.now_ms + wait_ms
        while pump.now_ms < end:
            pump.advance_to(min(end, pump.now_ms + 10 * MINUTE_MS))
            if pump.basal_rate * DAY_MS / 4 != seen[-1]:
                seen.append(int(pump.basal_rate * DAY_MS / 4))
        wall = int(pump.pattern_clock.at_ms + pump.pattern_clock.lag_ms) + shift_ms
        if abs(wall - pump.pattern_clock.at_ms) <= 12 * HOUR_MS:
            pump.set_clock(pump.now_ms, wall // DAY_MS, wall % DAY_MS)
    order = [100, 400, 200]
    assert seen == [order[at % 3] for at in range(len(seen))]


def test_a_difference_of_more_than_half_a_day_is_taken_at_once() -> None:
    pump = running(DAY_AND_NIGHT)
    pump.set_clock(HOUR_MS, MONDAY, 13 * HOUR_MS)
    assert pump.pattern_clock.lag_ms == 12 * HOUR_MS
    pump.set_clock(HOUR_MS, MONDAY, 13 * HOUR_MS + 1)
    assert pump.pattern_clock.lag_ms == 0
    assert pump.basal_rate == Fraction(800, DAY_MS)


@pytest.mark.requirement("R58")
def test_without_a_clock_the_minimum_rate_runs() -> None:
    pump = running(DAY_AND_NIGHT)
    pump.clock_lost(7 * HOUR_MS)
    assert pump.basal_rate == DAY_AND_NIGHT.minimum_rate
    pump.set_clock(9 * HOUR_MS, MONDAY, 22 * HOUR_MS)
    assert pump.basal_rate == Fraction(400, DAY_MS)
    assert pump.pattern_clock.lag_ms == 0


@pytest.mark.requirement("C20")
@pytest.mark.parametrize("first", [datetime.date(2024, 2, 27), datetime.date(2100, 2, 26), datetime.date(2000, 1, 1)])
def test_weekdays_are_those_of_the_calendar(first: datetime.date) -> None:
    program = flex(("00:00", 100), weekend=(("00:00", 300),))
    days = (first - datetime.date(2000, 1, 1)).days
    pump = running(program, days)
    for day in range(8):
        pump.advance_to(day * DAY_MS + HOUR_MS)
        is_weekend = (first + datetime.timedelta(days=day)).weekday() >= 5
        assert pump.basal_rate == (Fraction(1200, DAY_MS) if is_weekend else Fraction(400, DAY_MS))


@pytest.mark.requirement("R1")
def test_ten_years_of_a_flex_regimen_are_its_weeks() -> None:
    program = flex(("00:00", 101), ("07:15", 397), ("21:59", 211), weekend=(("00:00", 103), ("10:00", 331)))
    pump = running(program)
    assert pump.ideal_steps(3650 * DAY_MS) == 521 * sum(program.weekday_steps()) + sum(program.weekday_steps()[:3])


def test_a_titration_counts_days_of_delivery() -> None:
    ramp = tuple(RampStep(day, Fraction(1000 * ul, DAY_MS)) for day, ul in ((0, 100), (2, 120), (5, 144)))
    program = compile_order(replace(BACLOFEN, mode="titration", basal=Fraction(0), ramp=ramp), IMPLANT)
    pump = running(program)
    pump.stop_delivery(DAY_MS)
    pump.start_delivery(4 * DAY_MS)
    assert changes_of(pump, 9 * DAY_MS) == [(4 * 1440, 100), (5 * 1440, 120), (8 * 1440, 144)]
    assert pump.ideal_steps(9 * DAY_MS) == 4 * (2 * 100 + 3 * 120 + 144)
    pump.commit_program(9 * DAY_MS, program)
    assert (pump.titration_day, pump.basal_rate) == (0, Fraction(400, DAY_MS))


@pytest.mark.requirement("C7")
def test_c7_bridge() -> None:
    bridge = Bridge(Fraction(340_000), Fraction(1, 2), Fraction(600_000, DAY_MS))
    program = compile_order(replace(BACLOFEN, basal=Fraction(150_000, DAY_MS), bridge=bridge), IMPLANT)
    assert (program.bridge_steps, program.expected_reading().bridge_ms) == (1360, 136 * HOUR_MS // 10)
    assert program.bridge_steps * program.bridge_ng == 170_000, "170 ug of old drug"
    pump = running(program)
    # The last step of the bridge is made half a step of ideal volume before its end.
    end = 136 * HOUR_MS // 10 - 18_000
    pump.advance_to(end - 1)
    assert (pump.basal_rate, pump.bridge_left) == (program.bridge_rate, 1)
    pump.advance_to(end)
    assert (pump.basal_rate, pump.bridge_left) == (Fraction(600, DAY_MS), 0)
    assert pump.basal_ideal == 1360 - HALF


@pytest.mark.requirement("R17")
def test_every_step_since_the_commit_shortens_a_bridge() -> None:
    bridge = Bridge(Fraction(25_000), Fraction(1, 2), Fraction(600_000, DAY_MS))
    pump = running(compile_order(replace(BACLOFEN, bridge=bridge), IMPLANT))
    assert pump.ask_bolus(1000, 90)
    pump.advance_to(1000 + 9000 * 50)
    assert pump.bridge_left == 100 - pump.made == 37
    assert pump.basal_rate == Fraction(2400, DAY_MS)
    pump.advance_to(1000 + 9000 * 90)
    assert (pump.bridge_left, pump.basal_rate) == (0, Fraction(1600, DAY_MS))


EXTRA = compile_order(
    replace(
        BACLOFEN,
        square_max=Fraction(25_000),
        periodic=PeriodicBolus(Fraction(2500), 600_000, 2 * HOUR_MS),
        patient=PatientBolus(Fraction(5000), 600_000, 30 * MINUTE_MS, 3),
        priming=Priming(Fraction(340_000), Fraction(2_400_000, DAY_MS)),
    ),
    IMPLANT,
)


@pytest.mark.requirement("R7")
def test_a_square_bolus_waits_while_another_runs() -> None:
    pump = running(EXTRA)
    assert pump.ask_square_bolus(0, 60, HOUR_MS)
    assert not pump.ask_square_bolus(0, 60, HOUR_MS), "one at a time"
    pump.advance_to(30 * MINUTE_MS)
    assert pump.square_ideal == 30
    assert pump.ask_patient_bolus(30 * MINUTE_MS)
    done = 30 * MINUTE_MS + 585_000
    pump.advance_to(done)
    assert pump.square_ideal == 30
    assert pump.bolus_ideal == 20
    assert pump.running_bolus is None
    pump.advance_to(done + 15 * MINUTE_MS)
    assert pump.square_ideal == 45
    pump.cancel_square(done + 15 * MINUTE_MS + 1)
    assert pump.square_ideal == 45
    assert pump.running_square is None


def test_a_periodic_bolus_is_due_a_period_after_the_start_and_waits_for_another_one() -> None:
    pump = running(EXTRA)
    pump.advance_to(6 * HOUR_MS)
    assert pump.ask_bolus(6 * HOUR_MS - 0, 5) is False, "the periodic bolus has just begun"
    assert [(item.t_ms, item.steps) for item in pump.given] == [(at * HOUR_MS, 10) for at in (2, 4, 6)]
    assert pump.ask_bolus(8 * HOUR_MS - 1000, 100)
    pump.advance_to(9 * HOUR_MS)
    assert pump.given[-1].t_ms == 8 * HOUR_MS - 1000 + 100 * 9000 - 4500
    pump.advance_to(10 * HOUR_MS)
    assert pump.given[-1].t_ms == 10 * HOUR_MS
    pump.stop_delivery(10 * HOUR_MS + 1)
    pump.start_delivery(11 * HOUR_MS)
    pump.advance_to(13 * HOUR_MS)
    assert pump.given[-1].t_ms == 13 * HOUR_MS


@pytest.mark.requirement("C11")
@pytest.mark.requirement("R4")
def test_patient_boluses_keep_lockout_and_count_over_a_commit() -> None:
    pump = running(EXTRA)
    assert pump.ask_patient_bolus(120 * MINUTE_MS + 1_000_000)
    first = pump.now_ms
    assert not pump.ask_patient_bolus(first + 3 * MINUTE_MS)
    pump.commit_program(first + 4 * MINUTE_MS, EXTRA)
    pump.set_clock(first + 5 * MINUTE_MS, MONDAY + 9, 0)
    assert pump.lockout_left_ms == 25 * MINUTE_MS
    assert not pump.ask_patient_bolus(first + 30 * MINUTE_MS - 1)
    assert pump.ask_patient_bolus(first + 30 * MINUTE_MS)
    assert pump.ask_patient_bolus(first + 60 * MINUTE_MS)
    assert not pump.ask_patient_bolus(first + 90 * MINUTE_MS), "the fourth in a day"
    assert not pump.ask_patient_bolus(first + DAY_MS - 1)
    assert pump.ask_patient_bolus(first + DAY_MS)
    assert sum(item.kind == "patient" for item in pump.given) == 4


@pytest.mark.requirement("R9")
def test_priming_only_while_stopped() -> None:
    pump = running(EXTRA)
    assert not pump.ask_priming(10, 100)
    pump.stop_delivery(20)
    assert not pump.ask_priming(20, 1361)
    assert pump.ask_priming(20, 1360)
    pump.advance_to(20 + HOUR_MS)
    assert pump.ideal_steps(20 + HOUR_MS) - pump.ideal_steps(20) == 400
    assert not pump.ask_bolus(20 + HOUR_MS, 10)
    assert not pump.ask_patient_bolus(20 + HOUR_MS)


@pytest.mark.requirement("C15")
def test_c15_fifty_two_priming_pulses_take_fifty_two_seconds() -> None:
    pump = ReferencePump()
    pump.commit_program(0, replace(EXTRA, prime_num=1, prime_den=1000))
    assert pump.ask_priming(0, 52)
    pump.advance_to(51_499)
    assert pump.made == 51
    pump.advance_to(52_000)
    assert (pump.made, pump.running_bolus) == (52, None)


def test_the_past_can_be_asked_for() -> None:
    pump = running(EXTRA)
    pump.ask_bolus(1000, 10)
    pump.limit_basal(HOUR_MS, "stop")
    pump.limit_basal(2 * HOUR_MS, "minimum_rate")
    pump.limit_basal(3 * HOUR_MS, "none")
    ideal = [pump.ideal_steps(t_ms) for t_ms in (0, 1000, 46_000, HOUR_MS, 2 * HOUR_MS - 1, 3 * HOUR_MS, 4 * HOUR_MS)]
    pump.advance_to(4 * HOUR_MS)
    assert ideal == [
        pump.ideal_steps(t_ms) for t_ms in (0, 1000, 46_000, HOUR_MS, 2 * HOUR_MS - 1, 3 * HOUR_MS, 4 * HOUR_MS)
    ]
    assert ideal[3] == 10 + Fraction(HOUR_MS, 54_000) == ideal[4]
    assert ideal[5] - ideal[4] == HOUR_MS * EXTRA.minimum_rate + 10
    with pytest.raises(ValueError, match="has passed"):
        pump.advance_to(0)
