"""Whether a catheter is open: a small volume in a short time, and how the pressure goes away again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

Verdict = Literal["open", "occluded", "leaking"]

LEAKING: Final = 0.5
"""Share of the expected peak below which the volume did not go into the line (chosen: as the pump's leak alarm)."""
OCCLUDED: Final = 0.5
"""Share of the peak that an open catheter has long lost after four time constants, where e^-4 is left (chosen)."""
WATCHED: Final = 4.0
"""Time constants of the profile for which the pressure is watched after the last step."""
LAST: Final = 4
"""Readings at the end whose mean is what stays."""


@dataclass(frozen=True)
class Patency:
    """What a patency check found. Pressures in Pa above what was there before, times in s.

    Attributes:
        verdict: What it means.
        peak_pa, expected_pa: Highest reading, and what an open line of the profile would show.
        residual_pa: What stayed at the end.
        time_constant_s: With which the pressure went away; None unless the catheter is open.
    """

    verdict: Verdict
    peak_pa: float
    expected_pa: float
    residual_pa: float
    time_constant_s: float | None


def expected_peak(steps: int, every_s: float, rise_pa: float, tau_s: float) -> float:
    """Pressure just after the last of `steps`, one every `every_s`, into an open line, in Pa."""
    left = math.exp(-every_s / tau_s)
    return rise_pa * (1 - left**steps) / (1 - left)


def judge_patency(
    readings: Sequence[tuple[float, float]], before_pa: float, end_s: float, expected_pa: float
) -> Patency:
    """The verdict on (time, pressure) readings; the last step was made at `end_s`.

    The time constant is the area under the pressure over its height, which no single noisy reading decides. Readings
    must be in order of time and reach beyond `end_s`.
    """
    above = [(at, pa - before_pa) for at, pa in readings]
    residual = sum(pa for _, pa in above[-LAST:]) / len(above[-LAST:])
    tail = [(at, pa) for at, pa in above if at >= end_s] or above[-1:]
    peak = max(pa for _, pa in above)
    if peak < LEAKING * expected_pa:
        return Patency("leaking", peak, expected_pa, residual, None)
    if residual > OCCLUDED * peak:
        return Patency("occluded", peak, expected_pa, residual, None)
    area = sum((later - at) * ((pa + after) / 2 - residual) for (at, pa), (later, after) in pairwise(tail))
    height = tail[0][1] - residual
    return Patency("open", peak, expected_pa, residual, area / height if height > 0 else None)
