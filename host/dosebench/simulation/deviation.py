"""Every motor step of a long run held against the perfect pump, stretch by stretch between what disturbs it.

A loss of power begins a new stretch: pump time goes back to the last journal record, and the fraction of the step that
was under way is lost (R1). What keeps the motor from turning as it is told (a stall, a full dose window) is not judged;
after it the count goes on from what a perfect pump had made by then, so that each stretch is judged to half a step.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from dosebench.base.units import DAY_MS
from dosebench.therapy.expected_delivery import HALF, Expected
from dosebench.therapy.reference_pump import ReferencePump

CHUNK_MS: Final = 30 * DAY_MS
"""Longest time that is judged at once: what bounds the memory that it takes."""


@dataclass(frozen=True)
class Boot:
    """A start of the firmware: virtual time, and the pump time that its journal goes on from; both in ms."""

    virtual_ms: int
    pump_ms: int

    @property
    def shift_ms(self) -> int:
        """Virtual time less pump time until the next boot."""
        return self.virtual_ms - self.pump_ms


@dataclass(frozen=True)
class Disturbance:
    """A time, in virtual ms, in which the steps are not as ordered, and why.

    One without a length is a stop by a fault, which may have withheld the step that was due.
    """

    from_ms: int
    to_ms: int
    why: str


@dataclass(frozen=True)
class Stretch:
    """A time in virtual ms, and the largest distance from the perfect pump in it; None: not judged, and why."""

    from_ms: int
    to_ms: int
    deviation: Fraction | None
    why: str = ""


def judge_stretches(
    expected: Expected, boots: Sequence[Boot], steps_ms: Sequence[int], end_ms: int, disturbed: Sequence[Disturbance]
) -> list[Stretch]:
    """All stretches of a run, in order of time.

    Args:
        expected: What perfect pumps did, in pump time.
        boots: All boots, in order.
        steps_ms: Virtual time of every motor step, in order.
        end_ms: Virtual time at which the run ended.
        disturbed: What is not judged, in order of time.
    """
    found: list[Stretch] = []
    for at, boot in enumerate(boots):
        until = boots[at + 1].virtual_ms if at + 1 < len(boots) else end_ms
        pump = _pump_of(expected, boots[: at + 1])
        rebase = False
        for from_ms, to_ms, why in _split_span(boot.virtual_ms, until, disturbed):
            if why:
                found.append(Stretch(from_ms, to_ms, None, why))
            else:
                found.append(
                    Stretch(from_ms, to_ms, _largest_deviation(pump, boot, (from_ms, to_ms), steps_ms, rebase))
                )
            rebase = True
    return found


def _pump_of(expected: Expected, boots: Sequence[Boot]) -> ReferencePump:
    """The perfect pump since the last of these boots: each boot of a programmed pump began one."""
    pumps = expected.pumps
    at = 0
    for boot in boots:
        if at + 1 < len(pumps) and pumps[at + 1][0] == boot.pump_ms:
            at += 1
    return pumps[at][1]


def _split_span(from_ms: int, to_ms: int, disturbed: Sequence[Disturbance]) -> Iterator[tuple[int, int, str]]:
    """The time between two boots in parts, with why a part is not judged."""
    at = from_ms
    for each in disturbed:
        begin, end = max(at, each.from_ms), min(to_ms, each.to_ms)
        if begin > end:
            continue
        if begin > at:
            yield at, begin, ""
        yield begin, end, each.why
        at = end
    if at < to_ms:
        yield at, to_ms, ""


def _largest_deviation(
    pump: ReferencePump, boot: Boot, span: tuple[int, int], steps_ms: Sequence[int], rebase: bool
) -> Fraction:
    shift = boot.shift_ms
    first = bisect_right(steps_ms, span[0]) if rebase else bisect_left(steps_ms, span[0])
    ideal = pump.ideal_steps(span[0] - shift)
    base: Fraction | int = math.floor(ideal + HALF) if rebase else ideal
    worst, made, at = Fraction(0), 0, span[0]
    while at < span[1]:
        end = min(at + CHUNK_MS, span[1])
        last = bisect_right(steps_ms, end)
        times = [step - shift for step in steps_ms[first:last]]
        worst = max(worst, pump.max_deviation(times, at - shift, end - shift, base + made))
        made += last - first
        first, at = last, end
    return worst
