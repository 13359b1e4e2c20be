"""How many steps a window of time can hold of what comes by itself: what a dose cap must leave room for.

The pump counts a window W in 240 buckets, up to one too many: W' = W + W/240. A basal at one rate r puts at most
floor(r W') + 1 steps into it. A flex basal can put fewer, by the rule that its clock slews between half and twice its
speed (`pattern_clock`), however often somebody sets it:

A window sees at most 2 W' of pattern time, none of it for longer than twice. So for any rate b it holds at most b W',
and twice of what the patterns hold above b in the 2 W' of pattern time that hold most. With M(t) the largest of the
patterns in use at each minute of the day, A(b) the day's integral of what M is above b, R the largest rate, and
2 W' = k days and a rest, that is

    b W' + 2 (k A(b) + min(rest (R - b), A(b))),

and the least of this over b is taken; it lies at one of the rates. One step more falls in beyond the mean, and one for
the millisecond by which a step of a pattern may end late.

The pump computes the same in small integers, rounded up (`firmware/pump/dosing/flex_bound.py`): never less than the
exact bound, and at most `flex_slack` more. A program is made to satisfy the bound with the slack.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from dosebench_protocol.tables import FRACTION_MAX

from dosebench.base.units import DAY_MINUTES, DAY_MS, MINUTE_MS

BUCKETS: Final = 240
"""Parts of a window that the dose guard counts in."""

DayPattern = Sequence[tuple[int, Fraction]]
"""Steps of a day: minute at which one begins, the first 0, and its rate in steps per ms."""

_PARTS_MAX: Final = 1 << 17


def window_steps(
    rate: Fraction,
    span_ms: int,
    periodic_steps: int = 0,
    periodic_ms: int = 0,
    patterns: Sequence[DayPattern] = (),
) -> int:
    """Most steps that the pump demands of a cap on a window of `span_ms`, for a basal and its periodic boluses.

    A cap below this could stop a sound basal; the pump refuses a program with one.

    Args:
        rate: Largest basal rate that may run, in steps per ms.
        span_ms: Length of the window, at most two days.
        periodic_steps, periodic_ms: Size and period of the periodic boluses; zero where there are none.
        patterns: Day patterns in use, of a flex basal.
    """
    steps = math.floor(rate * counted_ms(span_ms)) + 1
    if patterns:
        steps = min(steps, flex_steps(patterns, span_ms) + flex_slack(rate, span_ms))
    return steps + (periodic_steps * (span_ms // periodic_ms + 1) if periodic_steps else 0)


def counted_ms(span_ms: int) -> int:
    """The time that the guard counts for a window of `span_ms`: one bucket more."""
    return span_ms + span_ms // BUCKETS


def flex_steps(patterns: Sequence[DayPattern], span_ms: int) -> int:
    """Most steps that a flex basal can put into what the guard counts of `span_ms`, exactly; the module says how."""
    levels = _sort_levels(patterns)
    largest, window = levels[-1][0], counted_ms(span_ms)
    days, rest = divmod(2 * window, DAY_MS)
    least = math.floor(largest * window) + 1
    for base, _ in levels[:-1]:
        above = sum((minutes * MINUTE_MS * (rate - base) for rate, minutes in levels if rate > base), Fraction(0))
        extra = 2 * (days * above + min(rest * (largest - base), above))
        least = min(least, math.floor(base * window + extra) + 2)
    return least


def flex_slack(rate: Fraction, span_ms: int) -> int:
    """By how many steps the pump's bound may be above the exact one.

    It rounds every rate up to a whole number of parts; a part is a step in the longest 2^n ms, at most 2^29, in which
    the largest `rate` has at most 2^17 of them.
    """
    unit_ms = FRACTION_MAX
    while math.floor(rate * unit_ms) + 1 > _PARTS_MAX:
        unit_ms //= 2
    return 1 + (5 * counted_ms(span_ms) + 4 * MINUTE_MS) // unit_ms


def _sort_levels(patterns: Sequence[DayPattern]) -> list[tuple[Fraction, int]]:
    """Different rates, rising, and for how many minutes of the day each is the largest of the patterns'."""
    minutes: dict[Fraction, int] = {}
    starts = sorted({minute for pattern in patterns for minute, _ in pattern})
    for start, end in zip(starts, [*starts[1:], DAY_MINUTES], strict=True):
        largest = max(_rate_at(pattern, start) for pattern in patterns)
        minutes[largest] = minutes.get(largest, 0) + end - start
    return sorted(minutes.items())


def _rate_at(pattern: DayPattern, minute: int) -> Fraction:
    return [rate for start, rate in pattern if start <= minute][-1]
