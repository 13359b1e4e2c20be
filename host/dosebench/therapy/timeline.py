"""The exact reference: how much should have been delivered at any time, in rational numbers.

A timeline is a basal that changes at given times, and boluses on top of it. `Timeline.ideal_steps` is what a perfect
pump would have delivered; `Timeline.max_deviation` holds a list of real steps against it. The pump's clock has whole
milliseconds, and a pump that does as it should is never more than half a step off in each of its streams, because its
scheduler starts at `den // 2`, adds `num` each millisecond and steps at `den`, so n(t) = floor((num*t + den//2) / den).

`dosebench.therapy.reference_pump` makes the timeline of a whole therapy, with all its modes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, pairwise
from math import lcm

Piece = tuple[Fraction, Fraction, Fraction]
"""A straight piece of an ideal: (end, offset, slope); until `end` it is offset + slope * t steps."""


@dataclass(frozen=True)
class Segment:
    """From `t_ms` on the basal runs at `rate` steps per millisecond, until the next segment."""

    t_ms: int
    rate: Fraction


@dataclass(frozen=True)
class Bolus:
    """From `t_ms` on, `steps` steps at `rate` steps per millisecond (above zero), on top of the basal."""

    t_ms: int
    steps: int
    rate: Fraction

    @property
    def end_ms(self) -> Fraction:
        """When a perfect pump has given the last of it."""
        return self.t_ms + self.steps / self.rate

    def ideal_steps(self, t_ms: Fraction) -> Fraction:
        """What a perfect pump has given of it at `t_ms`."""
        return min(max((t_ms - self.t_ms) * self.rate, Fraction(0)), Fraction(self.steps))


@dataclass(frozen=True)
class Timeline:
    """What a pump was asked for.

    Attributes:
        segments: The basal, in order of time; before the first one nothing is delivered.
        boluses: Boluses, in any order; they may overlap.
    """

    segments: tuple[Segment, ...] = ()
    boluses: tuple[Bolus, ...] = ()

    def __post_init__(self) -> None:
        if any(a.t_ms > b.t_ms for a, b in pairwise(self.segments)):
            raise ValueError("segments must be in order of time")
        if any(segment.rate < 0 for segment in self.segments):
            raise ValueError("a segment's rate must not be negative")
        if any(bolus.steps < 0 or bolus.rate <= 0 for bolus in self.boluses):
            raise ValueError("a bolus needs a rate above zero and zero or more steps")

    def ideal_steps(self, t_ms: int | Fraction) -> Fraction:
        """Steps, with their fraction, that a perfect pump has delivered at `t_ms`."""
        t = Fraction(t_ms)
        total = sum((bolus.ideal_steps(t) for bolus in self.boluses), Fraction(0))
        for segment, end in zip(self.segments, self._bolus_ends(), strict=True):
            until = t if end is None else min(t, Fraction(end))
            if until > segment.t_ms:
                total += (until - segment.t_ms) * segment.rate
        return total

    def max_deviation(self, step_times_ms: Sequence[int], start_ms: int, end_ms: int) -> Fraction:
        """Largest distance between the steps that were made and the ideal, from `start_ms` to `end_ms`, in steps.

        Judged at whole milliseconds, the only times that the pump's clock has: at each step (with it) and one
        millisecond earlier (without it), at the start and at the end. Between these the ideal only grows, so no other
        millisecond is worse. Ideal and delivered both count from zero at `start_ms`. Whole-number arithmetic within
        each straight piece of the ideal: 50,000 steps take some hundredths of a second.

        Args:
            step_times_ms: When each step was made, in order; steps of one millisecond repeat it.
            start_ms, end_ms: The time to judge; `start_ms` below `end_ms`.

        Raises:
            ValueError: Steps out of order or outside of the time.
        """
        check_times(step_times_ms, start_ms, end_ms)
        return worst_deviation(self._straight_pieces(start_ms, end_ms), step_times_ms, start_ms, end_ms)

    def _bolus_ends(self) -> Iterator[int | None]:
        yield from (segment.t_ms for segment in self.segments[1:])
        if self.segments:
            yield None

    def _rate_changes(self) -> list[tuple[Fraction, Fraction]]:
        """When the total rate changes, and by how much, in order of time."""
        changes = []
        before = Fraction(0)
        for segment in self.segments:
            changes.append((Fraction(segment.t_ms), segment.rate - before))
            before = segment.rate
        for bolus in self.boluses:
            changes += [(Fraction(bolus.t_ms), bolus.rate), (bolus.end_ms, -bolus.rate)]
        return sorted(changes)

    def _straight_pieces(self, start_ms: int, end_ms: int) -> Iterator[Piece]:
        """Straight pieces of the ideal since the start."""
        at, reached, slope = Fraction(start_ms), Fraction(0), Fraction(0)
        for when, change in [*self._rate_changes(), (Fraction(end_ms), Fraction(0))]:
            time = min(max(when, Fraction(start_ms)), Fraction(end_ms))
            if time > at:
                yield time, reached - slope * at, slope
                reached += slope * (time - at)
                at = time
            slope += change


def worst_deviation(pieces: Iterable[Piece], step_times_ms: Sequence[int], start_ms: int, end_ms: int) -> Fraction:
    """Largest distance between steps and an ideal in straight pieces; see `Timeline.max_deviation`."""
    states = list(_deviation_extremes(step_times_ms, start_ms, end_ms))
    worst, done = Fraction(0), 0
    for end, offset, slope in pieces:
        unit = lcm(offset.denominator, slope.denominator)
        base, gain, extreme = int(offset * unit), int(slope * unit), 0
        while done < len(states) and states[done][0] <= end:
            t_ms, count = states[done]
            extreme = max(extreme, abs(base + gain * t_ms - count * unit))
            done += 1
        worst = max(worst, Fraction(extreme, unit))
    return worst


def _deviation_extremes(times: Sequence[int], start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    """(millisecond, steps made by then) wherever the deviation can be largest, in order of time."""
    count = 0
    if not times or times[0] > start_ms:
        yield start_ms, 0
    for t_ms, group in groupby(times):
        if t_ms > start_ms:
            yield t_ms - 1, count
        count += sum(1 for _ in group)
        yield t_ms, count
    yield end_ms, count


def check_times(times: Sequence[int], start_ms: int, end_ms: int) -> None:
    """Raise `ValueError` for steps out of order or outside of the time that is judged."""
    if start_ms >= end_ms:
        raise ValueError("start_ms must be below end_ms")
    if times and (times[0] < start_ms or times[-1] > end_ms):
        raise ValueError("steps outside of the time that is judged")
    if any(a > b for a, b in pairwise(times)):
        raise ValueError("steps out of order")
