"""Figures, and how they are taken: contestants in turn, round after round, so that a busy machine slows all alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

WARM_UP_ROUNDS: Final = 2
"""Rounds before the first that counts: they fill caches of files, of bytecode and of compiled WebAssembly."""

Times = Mapping[str, Sequence[float]]
"""Seconds that each contestant took, round after round."""


@dataclass(frozen=True)
class Figure:
    """One measured value.

    Attributes:
        name: What was measured, unique among all figures.
        value: The median, or an exact count.
        unit: `ratio`, `ms`, `us`, `days/s`, `instructions`, `bytes`.
        better: Which way is an improvement.
        tolerance: Share of the kept value by which this one may be worse; None for figures that are only shown.
        spread: Distance between the quartiles as a share of the median; 0 for counts.
        limit: What it must not be worse than, whatever was kept.
    """

    name: str
    value: float
    unit: str
    better: Literal["lower", "higher"] = "lower"
    tolerance: float | None = None
    spread: float = 0.0
    limit: float | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON values, rounded to what the measurement carries."""
        return asdict(self) | {"value": round(self.value, 4), "spread": round(self.spread, 4)}


def interleave_rounds(
    contestants: Mapping[str, Callable[[], float]], rounds: int, warm_up: int = WARM_UP_ROUNDS
) -> dict[str, list[float]]:
    """Let each contestant measure itself once a round; what it returns is in seconds."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for count in range(-warm_up, rounds):
        for name, measure in contestants.items():
            taken = measure()
            if count >= 0:
                times[name].append(taken)
    return times


def quartile_spread(values: Sequence[float]) -> float:
    """Distance between the quartiles, as a share of the median."""
    low, middle, high = statistics.quantiles(values, n=4)
    return (high - low) / middle


def shown_figure(name: str, values: Sequence[float], unit: str, scale: float) -> Figure:
    """A figure that depends on the machine: shown, never judged. `scale` turns seconds into `unit`."""
    return Figure(name, scale * statistics.median(values), unit, spread=quartile_spread(values))


def ratio_figure(
    name: str, times: Times, pair: tuple[str, str], tolerance: float, limit: float | None = None
) -> Figure:
    """First of the pair in units of the second: the median of the ratios of the rounds."""
    ratios = [one / other for one, other in zip(times[pair[0]], times[pair[1]], strict=True)]
    return Figure(name, statistics.median(ratios), "ratio", "lower", tolerance, quartile_spread(ratios), limit)
