"""Figures: delivered against expected volume, and the deviation in steps below. Needs no display."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dosebench.journal.history import DAY_MS, History
from dosebench.report.canvas import AMBER, BLUE, GREEN, MUTED, RED, open_page, style_plain
from dosebench.simulation.days import SimulationResult
from dosebench.therapy.program import Program

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SAMPLES: Final = 1500
"""Points of a curve, and bins of the deviation band."""
INSET_STEPS: Final = 8
"""Steps that the magnified beginning shows."""
MARKS_MAX: Final = 12
"""Most events that get a label; more would cover each other."""

EXPECTED: Final = AMBER
DELIVERED: Final = BLUE
BAND: Final = GREEN
LIMIT: Final = RED


@dataclass(frozen=True)
class Curves:
    """What a figure shows. Times in days since the first point, volumes in mL, deviations in steps.

    Attributes:
        title, subtitle: Text above.
        expected, delivered: (days, mL) curves.
        band: (days, lowest, highest deviation) for each bin.
        limit: Largest deviation that is allowed, in steps; None draws no limit.
        marks: (day, label) of events.
        ug_per_ml: Concentration, for the axis of drug; None leaves it out.
        stairs: (hours, steps made) of the beginning and the ideal's steps per hour; None leaves the inset out.
    """

    title: str
    subtitle: str
    expected: tuple[Any, Any]
    delivered: tuple[Any, Any]
    band: tuple[Any, Any, Any]
    limit: float | None
    marks: Sequence[tuple[float, str]]
    ug_per_ml: float | None
    stairs: tuple[list[float], float] | None


def draw_delivery(curves: Curves, path: Path) -> None:
    """Draw the figure into a file; its suffix chooses the format (png, svg, pdf)."""
    with open_page(path, curves.title, curves.subtitle, (2.4, 1)) as (top, bottom):
        _draw_volumes(top, curves)
        _draw_deviation(bottom, curves)


def _draw_volumes(axes: Axes, curves: Curves) -> None:
    style_plain(axes)
    axes.plot(*curves.expected, color=EXPECTED, linewidth=5, alpha=0.75, solid_capstyle="butt", label="expected")
    axes.plot(*curves.delivered, color=DELIVERED, linewidth=1.4, drawstyle="steps-post", label="delivered")
    axes.set_ylabel("volume [mL]")
    axes.set_ylim(0, axes.get_ylim()[1] * (1.25 if curves.marks else 1.0))
    axes.legend(loc="center left", bbox_to_anchor=(0.05, 0.6), facecolor="white", edgecolor="none", framealpha=1)
    if curves.ug_per_ml:
        factor = curves.ug_per_ml / 1000
        both_ways: Any = (lambda ml: ml * factor, lambda mg: mg / factor)
        drug = axes.secondary_yaxis("right", functions=both_ways)
        drug.set_ylabel("drug [mg]")
        drug.spines["right"].set_visible(False)
    for day, label in _group_marks(curves.marks, axes.get_xlim())[:MARKS_MAX]:
        axes.axvline(day, color=LIMIT, linewidth=0.8, alpha=0.5)
        axes.annotate(
            label, (day, 0.98), xycoords=("data", "axes fraction"), rotation=90, fontsize=7.5, color=LIMIT,
            ha="right", va="top",
        )  # fmt: skip
    if curves.stairs:
        _draw_inset(axes, *curves.stairs)


def _draw_inset(axes: Axes, times: list[float], rate: float) -> None:
    """The first steps, magnified: that there are steps is invisible in the whole."""
    small = axes.inset_axes((0.60, 0.13, 0.36, 0.38))
    unit, factor = ("hours", 1.0) if times[-1] > 2 else ("minutes", 60.0)
    times, rate = [at * factor for at in times], rate / factor
    end = times[-1] * 1.06
    small.plot([0, end], [0, rate * end], color=EXPECTED, linewidth=4, alpha=0.75, solid_capstyle="butt")
    small.step([0, *times, end], [*range(len(times) + 1), len(times)], where="post", color=DELIVERED, linewidth=1.4)
    small.set_title(f"the first {len(times)} steps", fontsize=8, color=MUTED, loc="left")
    small.set_xlabel(unit, fontsize=7.5, labelpad=1)
    small.set_ylabel("steps", fontsize=7.5, labelpad=1)
    small.tick_params(labelsize=7)
    small.spines[["top", "right"]].set_visible(False)
    small.set_facecolor("#fbfcfd")


def _draw_deviation(axes: Axes, curves: Curves) -> None:
    style_plain(axes)
    days, lowest, highest = curves.band
    axes.fill_between(days, lowest, highest, color=BAND, alpha=0.5, linewidth=0, step="mid")
    axes.step(days, highest, where="mid", color=BAND, linewidth=0.8)
    reach = max([abs(float(value)) for value in (*lowest, *highest)], default=0.0)
    if curves.limit is not None:
        reach = max(reach, curves.limit)
        for side in (-curves.limit, curves.limit):
            axes.axhline(side, color=LIMIT, linewidth=1, linestyle=(0, (4, 3)))
        name = {0.5: "1/2 step", 1.0: "1 step"}.get(curves.limit, f"{curves.limit:.3g} steps")
        axes.annotate(
            f"limit {name}", (1, curves.limit), xycoords=("axes fraction", "data"), xytext=(0, 3),
            textcoords="offset points", ha="right", fontsize=7.5, color=LIMIT,
        )  # fmt: skip
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.set_ylim(-1.5 * max(reach, 0.1), 1.5 * max(reach, 0.1))
    axes.set_ylabel("delivered - expected\n[steps]")
    axes.set_xlabel("days of delivery")


def simulation_curves(result: SimulationResult, title: str) -> Curves:
    """What a figure of a simulation shows."""
    import numpy as np  # noqa: PLC0415

    step_ml = float(result.program.step_nl / 10**6)
    steps = np.asarray(result.step_times_ms, dtype=float)
    grid = np.linspace(result.start_ms, result.end_ms, SAMPLES)
    ideal = _interpolate_ideal(result.expected.corners)
    days = (grid - result.start_ms) / DAY_MS
    made = np.searchsorted(steps, grid, side="right")
    alarms = [(at / DAY_MS, name.replace("_", " ")) for name, at in result.alarms]
    boluses = [
        ((given.t_ms - result.start_ms) / DAY_MS, f"{given.kind} {given.steps}")
        for given in result.expected.given
        if given.kind != "periodic"
    ]
    subtitle = (
        f"{result.days:g} days on {result.runtime_version} ({result.runtime}), seed {result.seed}: "
        f"{len(steps)} steps, largest deviation {float(result.max_deviation):.4g} steps"
    )
    return Curves(
        title=title,
        subtitle=subtitle,
        expected=(days, ideal(grid) * step_ml),
        delivered=(days, made * step_ml),
        band=_deviation_band(steps, result.start_ms, result.end_ms, ideal),
        limit=float(result.limit),
        marks=sorted(alarms + boluses),
        ug_per_ml=float(result.program.concentration * 1000),
        stairs=_first_steps(result),
    )


def _first_steps(result: SimulationResult) -> tuple[list[float], float] | None:
    """The first steps of a basal that runs alone at one rate."""
    first = [(at - result.start_ms) / 3_600_000 for at in result.step_times_ms[:INSET_STEPS]]
    alone = result.program.mode in ("continuous", "minimum_rate") and not result.program.bridge_steps
    if len(first) < INSET_STEPS or not alone or result.expected.given:
        return None
    return first, float(result.program.rate * 3_600_000)


def _interpolate_ideal(corners: Sequence[tuple[int, Fraction]]) -> Callable[[Any], Any]:
    """The expected steps at an array of times, in floats: good for a picture, never for a judgement."""
    import numpy as np  # noqa: PLC0415

    times = np.asarray([float(t_ms) for t_ms, _ in corners])
    steps = np.asarray([float(made) for _, made in corners])
    return lambda at: np.interp(at, times, steps)


def _deviation_band(steps: Floats, start_ms: int, end_ms: int, ideal: Callable[[Any], Any]) -> tuple[Any, Any, Any]:
    """Lowest and highest deviation in each bin: at every step, and a millisecond before it."""
    import numpy as np  # noqa: PLC0415

    base = ideal(np.asarray([float(start_ms)]))[0]
    counts = np.arange(1, len(steps) + 1)
    after = counts - (ideal(steps) - base)
    before = counts - 1 - (ideal(steps - 1) - base)
    bins = min(SAMPLES, max(1, len(steps) // 2))
    edges = np.linspace(start_ms, end_ms, bins + 1)
    which = np.clip(np.searchsorted(edges, steps, side="right") - 1, 0, bins - 1)
    lowest, highest = np.full(bins, np.inf), np.full(bins, -np.inf)
    np.minimum.at(lowest, which, np.minimum(before, after))
    np.maximum.at(highest, which, np.maximum(before, after))
    full = np.isfinite(lowest)
    middle = ((edges[:-1] + edges[1:]) / 2 - start_ms) / DAY_MS
    return middle[full], lowest[full], highest[full]


def history_curves(history: History, title: str, subtitle: str) -> Curves:
    """What a figure of a pulled journal shows: the counts that its records hold."""
    program: Program | None = history.program
    start = history.start_ms
    times = [point.t_ms for point in history.points]
    days = [(at - start) / DAY_MS for at in times]
    volumes = history.volumes_nl()
    deviations = [float(value) for value in history.list_deviations()]
    spread = [point.high - point.low for point in history.points]
    marks = [((at - start) / DAY_MS, label) for at, label in history.marks if at >= start]
    return Curves(
        title=title,
        subtitle=subtitle,
        expected=(days, [float(expected / 10**6) for _, expected in volumes]),
        delivered=(days, [float(delivered / 10**6) for delivered, _ in volumes]),
        band=(days, deviations, [d + s for d, s in zip(deviations, spread, strict=True)]),
        limit=float(history.limit),
        marks=marks,
        ug_per_ml=float(program.concentration * 1000) if program else None,
        stairs=None,
    )


def _group_marks(marks: Sequence[tuple[float, str]], span: tuple[float, float]) -> list[tuple[float, str]]:
    """Events with those that would cover each other under one label."""
    apart = (span[1] - span[0]) / 50
    groups: list[tuple[float, list[str]]] = []
    for day, label in sorted(marks):
        if groups and day - groups[-1][0] < apart:
            groups[-1][1].append(label)
        else:
            groups.append((day, [label]))
    return [(day, ", ".join(dict.fromkeys(labels))) for day, labels in groups]
