"""A perfect pump: what a therapy in any mode should have delivered at any time, exactly.

It is told what happens (start, stop, commit, clock, boluses) and integrates rates piece by piece in rational numbers,
with none of the pump's accumulators. Three streams add up: the basal, one bolus at a time, and a square bolus that
waits while another bolus runs. A real pump is within half a step of each.

A bolus ends with its last step. That is made when the ideal has come within half a step of the dose, at the first whole
millisecond, and from then on the stream counts the whole dose; one that is cancelled counts the steps that were made.
Dose caps and the reservoir are not known here; `limit_basal` tells what they do to the basal.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from dosebench.base.units import DAY_MS, MINUTE_MS
from dosebench.therapy.pattern_clock import PatternClock
from dosebench.therapy.program import Program
from dosebench.therapy.timeline import Piece, check_times, worst_deviation

HALF = Fraction(1, 2)

Kind = Literal["clinician", "patient", "periodic", "priming", "patency", "square"]
Limit = Literal["none", "minimum_rate", "stop"]


@dataclass(frozen=True)
class Given:
    """A bolus that began: when, of which kind, how many steps, and at how many steps per ms."""

    t_ms: int
    kind: Kind
    steps: int
    rate: Fraction


@dataclass
class Dose:
    """A bolus under way: `given` of its `steps`, which grow by `rate` each ms."""

    kind: Kind
    steps: int
    rate: Fraction
    given: Fraction = Fraction(0)

    @property
    def made(self) -> int:
        """Steps that the pump has made of it."""
        return min(self.steps, math.floor(self.given + HALF))

    def left_ms(self) -> int:
        """Whole milliseconds until its last step."""
        return math.ceil((self.steps - HALF - self.given) / self.rate)


class ReferencePump:
    """Told of events in order of time, in whole ms of pump time; each of them first advances to its own time.

    `now_ms` is how far it has come, `basal_ideal`, `bolus_ideal` and `square_ideal` are steps since the beginning, with
    their fraction. `given` lists the boluses that began; `running_bolus` and `running_square` are the ones under way.
    """

    def __init__(self) -> None:
        self.now_ms = 0
        self.program: Program | None = None
        self.running = False
        self.pattern_clock = PatternClock()
        self.basal_ideal = Fraction(0)
        self.running_bolus: Dose | None = None
        self.running_square: Dose | None = None
        self.given: list[Given] = []
        self._bolus_done = 0
        self._square_done = 0
        self._limit: Limit = "none"
        self._delivery_ms = 0
        self._commit_made = 0
        self._periodic_ms = 0
        self._periodic_waits = False
        self._patient_times: list[int] = []
        self._starts: list[int] = [0]
        self._pieces: list[tuple[Fraction, Fraction]] = [(Fraction(0), Fraction(0))]

    # What was delivered

    @property
    def bolus_ideal(self) -> Fraction:
        """Steps of all boluses but square ones."""
        return self._bolus_done + (self.running_bolus.given if self.running_bolus else Fraction(0))

    @property
    def square_ideal(self) -> Fraction:
        """Steps of all square boluses."""
        return self._square_done + (self.running_square.given if self.running_square else Fraction(0))

    @property
    def made(self) -> int:
        """Whole steps that a pump has made: each when its stream's ideal was half a step short of it."""
        doses = [dose.made for dose in (self.running_bolus, self.running_square) if dose]
        return math.floor(self.basal_ideal + HALF) + self._bolus_done + self._square_done + sum(doses)

    def ideal_steps(self, t_ms: int | Fraction) -> Fraction:
        """Steps, with their fraction, that should have been delivered at `t_ms`; advances to it if it is to come."""
        if t_ms > self.now_ms:
            self.advance_to(math.ceil(t_ms))
        offset, slope = self._pieces[max(bisect_right(self._starts, t_ms) - 1, 0)]
        return offset + slope * t_ms

    def max_deviation(
        self, step_times_ms: Sequence[int], start_ms: int, end_ms: int, base: Fraction | int | None = None
    ) -> Fraction:
        """Largest distance of real steps from the ideal since `start_ms`; as `Timeline.max_deviation`.

        `base` is what the ideal is counted from; None is what it was at `start_ms`.
        """
        check_times(step_times_ms, start_ms, end_ms)
        if base is None:
            base = self.ideal_steps(start_ms)
        self.ideal_steps(end_ms)
        return worst_deviation(self._pieces_since(start_ms, end_ms, base), step_times_ms, start_ms, end_ms)

    def _pieces_since(self, start_ms: int, end_ms: int, base: Fraction | int) -> Iterator[Piece]:
        first = max(bisect_right(self._starts, start_ms) - 1, 0)
        for at in range(first, len(self._pieces)):
            offset, slope = self._pieces[at]
            end = self._starts[at + 1] if at + 1 < len(self._starts) else end_ms
            if end > start_ms:
                yield Fraction(min(end, end_ms)), offset - base, slope
            if end >= end_ms:
                return

    @property
    def bridge_left(self) -> int:
        """Steps that the bridge still lasts."""
        return max(0, self.program.bridge_steps - (self.made - self._commit_made)) if self.program else 0

    @property
    def titration_day(self) -> int:
        """Full days of delivery since the commit."""
        return self._delivery_ms // DAY_MS

    @property
    def lockout_left_ms(self) -> int:
        """How long until a patient bolus is not refused for the lockout."""
        if self.program is None or not self._patient_times:
            return 0
        return max(0, self._patient_times[-1] + self.program.patient_lockout_ms - self.now_ms)

    @property
    def patient_wait_ms(self) -> int:
        """How long until a patient bolus is refused neither for the lockout nor for the count of 24 hours."""
        per_day = self.program.patient_per_day if self.program else 0
        if not 0 < per_day <= len(self._patient_times):
            return self.lockout_left_ms
        return max(self.lockout_left_ms, self._patient_times[-per_day] + DAY_MS - self.now_ms)

    @property
    def basal_rate(self) -> Fraction:
        """Rate of the basal from now on, in steps per ms; zero while stopped."""
        if self.program is None or not self.running or self._limit == "stop":
            return Fraction(0)
        if self._limit == "minimum_rate":
            return self.program.minimum_rate
        if self.bridge_left:
            return self.program.bridge_rate
        return self._mode_rate(self.program)

    def _mode_rate(self, program: Program) -> Fraction:
        if program.mode == "flex":
            return self._flex_rate(program) if self.pattern_clock.known else program.minimum_rate
        if program.mode == "titration":
            return max((day, rate) for day, rate in program.ramp if day <= self.titration_day)[1]
        return program.rate

    def _flex_rate(self, program: Program) -> Fraction:
        time = self.pattern_clock.day_ms
        pattern = program.patterns[program.weekdays[self.pattern_clock.weekday]]
        return [rate for minute, rate in pattern if minute * MINUTE_MS <= time][-1]

    # Events

    def commit_program(self, t_ms: int, program: Program) -> None:
        """A new program is in force. Boluses under way go on; a titration and a bridge begin."""
        self.advance_to(t_ms)
        if self.program is None or _periodic_figures(self.program) != _periodic_figures(program):
            self._periodic_ms, self._periodic_waits = program.periodic_ms, False
        self.program = program
        self._delivery_ms = 0
        self._commit_made = self.made
        self._mark_corner()

    def start_delivery(self, t_ms: int) -> None:
        """Delivery starts; the first periodic bolus is due a period later."""
        self.advance_to(t_ms)
        self.running = True
        self._periodic_ms = self.program.periodic_ms if self.program else 0
        self._mark_corner()

    def stop_delivery(self, t_ms: int) -> None:
        """Delivery stops, with every bolus."""
        self.advance_to(t_ms)
        self.running = False
        self._periodic_waits = False
        self._end_bolus()
        self._end_square()
        self._mark_corner()

    def limit_basal(self, t_ms: int, limit: Limit) -> None:
        """A low reservoir or a reached cap holds the basal at the minimum rate, stops it, or does so no more."""
        self.advance_to(t_ms)
        self._limit = limit
        self._mark_corner()

    def set_clock(self, t_ms: int, local_days: int, local_ms: int) -> None:
        """The calendar is set: days since 2000-01-01 and ms of that day."""
        self.advance_to(t_ms)
        self.pattern_clock.set_calendar(local_days, local_ms)
        self._mark_corner()

    def clock_lost(self, t_ms: int) -> None:
        """The time of day is unknown from now on."""
        self.advance_to(t_ms)
        self.pattern_clock.lose_time()
        self._mark_corner()

    def ask_bolus(self, t_ms: int, steps: int) -> bool:
        """A clinician asks for a bolus; returns whether it is given."""
        return self._ask_bolus(t_ms, "clinician", steps)

    def ask_patient_bolus(self, t_ms: int) -> bool:
        """The patient asks for a bolus; returns whether it is given: not within lockout, count, or another bolus."""
        self.advance_to(t_ms)
        if self.program is None or not self.program.patient_per_day or self.patient_wait_ms > 0:
            return False
        if not self._ask_bolus(t_ms, "patient", self.program.patient_steps):
            return False
        self._patient_times.append(t_ms)
        return True

    def ask_priming(self, t_ms: int, steps: int) -> bool:
        """A priming bolus is asked for; returns whether it is given: only while stopped."""
        return self._ask_bolus(t_ms, "priming", steps)

    def ask_patency(self, t_ms: int, steps: int, every_ms: int) -> bool:
        """The test volume of a patency check, a step every `every_ms`; returns whether it is given: while stopped."""
        self.advance_to(t_ms)
        if self.program is None or self.running_bolus or self.running or steps <= 0:
            return False
        self._begin_bolus("patency", steps, Fraction(1, every_ms))
        self._mark_corner()
        return True

    def ask_square_bolus(self, t_ms: int, steps: int, duration_ms: int) -> bool:
        """A square bolus is asked for; returns whether it is given: one at a time."""
        self.advance_to(t_ms)
        most = self.program.square_steps_max if self.program else 0
        if not self.running or self.running_square or not 0 < steps <= most:
            return False
        self.running_square = Dose("square", steps, Fraction(steps, duration_ms))
        self.given.append(Given(t_ms, "square", steps, self.running_square.rate))
        self._mark_corner()
        return True

    def cancel_bolus(self, t_ms: int) -> None:
        """The running bolus ends here; a periodic one that waited for it begins."""
        self.advance_to(t_ms)
        self._end_bolus()
        self._begin_waiting()
        self._mark_corner()

    def cancel_square(self, t_ms: int) -> None:
        """The square bolus ends here."""
        self.advance_to(t_ms)
        self._end_square()
        self._mark_corner()

    def after_reset(self, t_ms: int, *, titration_day: int, bridge_left: int, periodic_ms: int) -> ReferencePump:
        """The pump that begins at `t_ms`, when the power has come back; its steps count from zero.

        No bolus runs, the time of day is unknown, and the day of a titration begins again.

        Args:
            t_ms: When it begins.
            titration_day, bridge_left: What the pump has kept of days of delivery and of steps of the bridge.
            periodic_ms: Until the next periodic bolus.
        """
        pump = ReferencePump()
        pump.now_ms = t_ms
        pump.program, pump.running = self.program, self.running
        pump._limit = self._limit
        pump._delivery_ms = titration_day * DAY_MS
        pump._commit_made = bridge_left - (self.program.bridge_steps if self.program else 0)
        pump._periodic_ms = periodic_ms
        pump._patient_times = list(self._patient_times)
        pump._mark_corner()
        return pump

    def _ask_bolus(self, t_ms: int, kind: Kind, steps: int) -> bool:
        self.advance_to(t_ms)
        if self.program is None or self.running_bolus or self.running == (kind == "priming"):
            return False
        most, rate = _bolus_figures(self.program, kind)
        if not 0 < steps <= most:
            return False
        self._begin_bolus(kind, steps, rate)
        self._mark_corner()
        return True

    # Time

    def advance_to(self, t_ms: int) -> None:
        """Let time pass until `t_ms`.

        Raises:
            ValueError: It has passed already.
        """
        if t_ms < self.now_ms:
            raise ValueError(f"{t_ms} ms is before {self.now_ms} ms, which has passed")
        while self.now_ms < t_ms:
            self.advance_to_change(t_ms)

    def advance_to_change(self, t_ms: int) -> None:
        """Let time pass to the next change of any rate, at most until `t_ms`, which is to come."""
        self._pass_time(self._next_ms(t_ms - self.now_ms))
        self._handle_due()
        self._mark_corner()

    def _next_ms(self, most_ms: int) -> int:
        """For how long every rate stays as it is, at most `most_ms`."""
        times = [most_ms, *self._clock_times(), *self._delivery_times()]
        if self.running_bolus:
            times.append(self.running_bolus.left_ms())
        elif self.running_square:
            times.append(self.running_square.left_ms())
        return self._until_bridge_ends(min(times))

    def _clock_times(self) -> Iterator[int]:
        clock, program = self.pattern_clock, self.program
        if not clock.known:
            return
        steady = clock.steady_ms()
        if steady is not None:
            yield steady
        if program and program.mode == "flex":
            pattern = program.patterns[program.weekdays[clock.weekday]]
            ends = [minute * MINUTE_MS for minute, _ in pattern] + [DAY_MS]
            yield clock.ms_until(min(end for end in ends if end > clock.day_ms))

    def _delivery_times(self) -> Iterator[int]:
        if self.program is None or not self.running:
            return
        if self.program.periodic_steps:
            yield self._periodic_ms
        if self.program.mode == "titration":
            yield from (day * DAY_MS - self._delivery_ms for day, _ in self.program.ramp if day > self.titration_day)

    def _until_bridge_ends(self, most_ms: int) -> int:
        left = self.bridge_left
        if not left or self._made_in(most_ms) < left:
            return most_ms
        low, high = 0, most_ms
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._made_in(middle) < left else (low, middle)
        return high

    def _made_in(self, ms: int) -> int:
        """Steps that are made in the next `ms`, while every rate stays as it is."""
        made = math.floor(self.basal_ideal + self.basal_rate * ms + HALF) - math.floor(self.basal_ideal + HALF)
        dose = self.running_bolus or self.running_square
        if dose:
            made += min(dose.steps, math.floor(dose.given + dose.rate * ms + HALF)) - dose.made
        return made

    def _pass_time(self, ms: int) -> None:
        self.basal_ideal += self.basal_rate * ms
        dose = self.running_bolus or self.running_square
        if dose:
            dose.given += dose.rate * ms
        if self.pattern_clock.known:
            self.pattern_clock.pass_time(ms)
        if self.running:
            self._delivery_ms += ms
            self._periodic_ms -= ms
        self.now_ms += ms

    def _handle_due(self) -> None:
        """What has come to its end, or is due, at this millisecond."""
        if self.running_bolus and self.running_bolus.made == self.running_bolus.steps:
            self._end_bolus()
        if self.running_square and self.running_square.made == self.running_square.steps:
            self._end_square()
        if self.program and self.program.periodic_steps and self.running and self._periodic_ms <= 0:
            self._periodic_ms += self.program.periodic_ms
            self._periodic_waits = True
        self._begin_waiting()

    def _begin_waiting(self) -> None:
        if self._periodic_waits and not self.running_bolus and self.program:
            self._periodic_waits = False
            self._begin_bolus("periodic", self.program.periodic_steps, self.program.periodic_rate)

    def _begin_bolus(self, kind: Kind, steps: int, rate: Fraction) -> None:
        self.running_bolus = Dose(kind, steps, rate)
        self.given.append(Given(self.now_ms, kind, steps, rate))

    def _end_bolus(self) -> None:
        self._bolus_done += self.running_bolus.made if self.running_bolus else 0
        self.running_bolus = None

    def _end_square(self) -> None:
        self._square_done += self.running_square.made if self.running_square else 0
        self.running_square = None

    def _mark_corner(self) -> None:
        """From now on the ideal is another straight line."""
        dose = self.running_bolus or self.running_square
        slope = self.basal_rate + (dose.rate if dose else 0)
        total = self.basal_ideal + self.bolus_ideal + self.square_ideal
        if self._starts[-1] == self.now_ms:
            self._starts.pop()
            self._pieces.pop()
        self._starts.append(self.now_ms)
        self._pieces.append((total - slope * self.now_ms, slope))


def _periodic_figures(program: Program) -> tuple[int, int, Fraction]:
    return program.periodic_steps, program.periodic_ms, program.periodic_rate


def _bolus_figures(program: Program, kind: Kind) -> tuple[int, Fraction]:
    """Most steps of a bolus and its rate."""
    return {
        "clinician": (program.bolus_steps_max, program.bolus_rate),
        "patient": (program.patient_steps, program.patient_rate),
        "priming": (program.prime_steps_max, program.prime_rate),
    }[kind]
