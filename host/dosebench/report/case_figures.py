"""Figures of a case history, as SVG for its page or as a file: reservoir, battery, pressure and alarms over time."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dosebench_protocol.alarms import ALARMS

from dosebench.base.units import DAY_MS, HOUR_MS
from dosebench.report.canvas import AMBER, BLUE, GREEN, INK, RED, save_figure, set_style, style_grid
from dosebench.report.case_history import SHORT_MS, YEAR_MS, CaseHistory, Chapter, name_of
from dosebench.simulation.scenario_result import AlarmSpan, Sample, ScenarioResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRUE: Final = BLUE
RECKONED: Final = AMBER
MEASURED: Final = GREEN
PRIORITY: Final = {"high": RED, "medium": AMBER, "low": "#c9b458"}
DPI: Final = 130
PEAK_KPA: Final = 5.0
"""A chapter whose pressure rose above this gets a figure of its own: posture and a step make 4 kPa together."""
ALARM_ROW: Final = 0.26
"""Height of an alarm's row, in inches."""
BAR_SHARE: Final = 250
"""The shortest bar of an alarm is this part of the axis, so that one of a minute is seen in seven years."""


def overview_svg(history: CaseHistory) -> str:
    """The whole of it, one panel above the other."""
    return _render_svg(lambda: _build_overview(history))


def close_up_svg(history: CaseHistory, chapter: Chapter) -> str | None:
    """Pressure and delivered volume of one chapter by the hour; None where the pressure tells nothing."""
    margin = max(HOUR_MS, (chapter.to_ms - chapter.from_ms) // 5)
    span = (chapter.from_ms - margin // 2, chapter.to_ms + margin)
    samples = [sample for sample in history.run.samples if span[0] <= sample.at_ms <= span[1]]
    if chapter.quiet or len(samples) < 4 or max(sample.pressure_kpa for sample in samples) < PEAK_KPA:
        return None
    return _render_svg(lambda: _close_up(history, samples, span))


def draw_overview(history: CaseHistory, path: Path) -> None:
    """Draw the overview into a file; its suffix chooses the format (png, svg, pdf)."""
    with _set_style():
        figure = _build_overview(history)
        save_figure(figure, path, history.title, DPI)
        _close_figure(figure)


def _set_style() -> AbstractContextManager[None]:
    # Text stays text, and the ids of a figure do not change from run to run.
    return set_style(**{"svg.fonttype": "none", "svg.hashsalt": "dosebench", "font.family": "sans-serif"})


def _close_figure(figure: Figure) -> None:
    from matplotlib import pyplot  # noqa: PLC0415

    pyplot.close(figure)


def _render_svg(make: Callable[[], Figure]) -> str:
    with _set_style():
        figure = make()
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
        _close_figure(figure)
    return text.getvalue()[text.getvalue().index("<svg") :]


def _time_axis(run: ScenarioResult) -> tuple[str, float, float]:
    """(label of the time axis, ms of its unit, where it begins in that unit)."""
    if run.length_ms <= SHORT_MS:
        return "minutes of the scenario", 60_000.0, run.scenario.starts_at_ms / 60_000
    if run.length_ms <= 2 * YEAR_MS:
        return "days since the start of delivery", float(DAY_MS), 0.0
    return "years since the start of delivery", 365.25 * DAY_MS, 0.0


def _build_overview(history: CaseHistory) -> Figure:
    from matplotlib import pyplot  # noqa: PLC0415

    run = history.run
    label, unit, begin = _time_axis(run)
    names = list(dict.fromkeys(span.name for span in run.alarms))
    rows = max(len(names), 1) * ALARM_ROW + 0.3
    heights = (1.8, 1.2, 1.3, 1.1, rows)
    figure, panels = pyplot.subplots(
        5, 1, sharex=True, figsize=(10, sum(heights) + 1.2), height_ratios=heights, layout="constrained"
    )
    times = [sample.at_ms / unit + begin for sample in run.samples]
    for panel in panels:
        style_grid(panel)
    _draw_reservoir(panels[0], times, run.samples)
    _draw_difference(panels[1], times, run.samples)
    _draw_battery(panels[2], times, run.samples)
    _draw_pressure(panels[3], times, run.samples)
    _draw_alarms(panels[4], run.alarms, names, (unit, begin, run.length_ms))
    panels[4].set_xlabel(label)
    panels[4].set_xlim(begin, begin + run.length_ms / unit)
    figure.align_ylabels(list(panels[:4]))
    return figure


def _set_title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=9.5, color=INK, fontweight="bold")


def _to_ml(values: Sequence[float | None]) -> list[float]:
    return [float("nan") if value is None else value / 1e6 for value in values]


def _add_legend(axes: Axes) -> None:
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=3, frameon=False, fontsize=8.5, markerscale=4)


def _draw_reservoir(axes: Axes, times: Sequence[float], samples: Sequence[Sample]) -> None:
    measured = _to_ml([sample.measured_nl for sample in samples])
    if any(sample.measured_nl is not None for sample in samples):
        axes.plot(times, measured, ".", color=MEASURED, markersize=2.2, label="by the level sensor", zorder=1)
    axes.plot(times, _to_ml([s.true_nl for s in samples]), color=TRUE, linewidth=1.6, label="true", zorder=2)
    reckoned = _to_ml([s.reckoned_nl for s in samples])
    axes.plot(times, reckoned, color=RECKONED, linewidth=1.0, linestyle=(0, (4, 2)), label="by the steps", zorder=3)
    axes.set_ylabel("content [mL]")
    axes.set_ylim(bottom=0)
    _set_title(axes, "Reservoir")
    _add_legend(axes)


def _draw_difference(axes: Axes, times: Sequence[float], samples: Sequence[Sample]) -> None:
    """What the pump watches (R20): its two volumes against each other."""

    def subtract_known(value: float | None, reckoned: float | None) -> float | None:
        return None if value is None or reckoned is None else value - reckoned

    if any(sample.measured_nl is not None for sample in samples):
        measured = _to_ml([subtract_known(sample.measured_nl, sample.reckoned_nl) for sample in samples])
        axes.plot(times, measured, ".", color=MEASURED, markersize=2.2, label="level sensor less steps")
    true = _to_ml([subtract_known(sample.true_nl, sample.reckoned_nl) for sample in samples])
    axes.plot(times, true, color=TRUE, linewidth=1.2, label="true less steps")
    axes.set_ylabel("apart [mL]")
    axes.margins(y=0.15)
    _set_title(axes, "Reservoir: how far the volumes are apart")
    _add_legend(axes)


def _draw_battery(axes: Axes, times: Sequence[float], samples: Sequence[Sample]) -> None:
    axes.plot(times, [sample.battery_mv for sample in samples], color=TRUE, linewidth=1.2)
    axes.set_ylabel("battery [mV]", color=TRUE)
    low, high = min(s.battery_mv for s in samples), max(s.battery_mv for s in samples)
    axes.set_ylim(low - 0.1 * (high - low) - 20, high + 0.1 * (high - low) + 20)
    right = axes.twinx()
    right.plot(times, [100 * sample.battery_left for sample in samples], color=MEASURED, linewidth=1.2)
    right.set_ylabel("charge left [%]", color=MEASURED)
    right.set_ylim(0, 105)
    right.spines[["top", "left"]].set_visible(False)
    _set_title(axes, "Battery: voltage as the pump measures it, and what is truly left of its charge")


def _draw_pressure(axes: Axes, times: Sequence[float], samples: Sequence[Sample]) -> None:
    axes.plot(times, [sample.pressure_kpa for sample in samples], color=TRUE, linewidth=0.8)
    axes.set_ylabel("pressure [kPa]")
    axes.set_ylim(0, max(10.0, 1.15 * max(sample.pressure_kpa for sample in samples)))
    _set_title(axes, "Pressure at the catheter's inlet, above the atmosphere")


def _draw_alarms(axes: Axes, spans: Sequence[AlarmSpan], names: Sequence[str], scale: tuple[float, float, int]) -> None:
    unit, begin, length_ms = scale
    least = length_ms / unit / BAR_SHARE
    for span in spans:
        to_ms = length_ms if span.to_ms is None else span.to_ms
        wide = max((to_ms - span.from_ms) / unit, least)
        colour = PRIORITY[ALARMS[span.name].priority]
        axes.barh(names.index(span.name), wide, left=span.from_ms / unit + begin, height=0.6, color=colour)
    axes.set_yticks(range(len(names)), [name_of(name) for name in names], color=INK, fontsize=8.5)
    axes.set_ylim(max(len(names), 1) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    _set_title(axes, "Alarms that were on" if names else "No alarm was on")
    there = {ALARMS[name].priority for name in names}
    shown = [priority for priority in PRIORITY if priority in there]
    handles: Any = [_legend_patch(PRIORITY[priority]) for priority in shown]
    if shown:
        axes.legend(handles, shown, loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, fontsize=8.5)


def _legend_patch(colour: str) -> Any:
    from matplotlib.patches import Patch  # noqa: PLC0415

    return Patch(color=colour)


def _close_up(history: CaseHistory, samples: Sequence[Sample], span: tuple[int, int]) -> Figure:
    from matplotlib import pyplot  # noqa: PLC0415

    figure, (top, bottom) = pyplot.subplots(2, 1, sharex=True, figsize=(8, 3.4), layout="constrained")
    zero = samples[0].at_ms
    hours = [(sample.at_ms - zero) / HOUR_MS for sample in samples]
    step_nl = float(history.run.programs[0][1].step_nl)
    for axes in (top, bottom):
        style_grid(axes)
    top.plot(hours, [sample.pressure_kpa for sample in samples], color=TRUE, linewidth=1.4, marker=".", markersize=4)
    top.set_ylabel("pressure [kPa]")
    stepped = [(sample.steps - samples[0].steps) * step_nl / 1e3 for sample in samples]
    left = [(sample.delivered_nl - samples[0].delivered_nl) / 1e3 for sample in samples]
    bottom.plot(hours, stepped, color=RECKONED, linewidth=1.4, label="stepped by the motor")
    bottom.plot(hours, left, color=TRUE, linewidth=1.4, label="left the catheter's tip")
    bottom.set_ylabel("volume [uL]")
    bottom.set_xlabel("hours")
    bottom.legend(loc="upper left", frameon=False, fontsize=8.5)
    for alarm in history.run.alarms:
        if span[0] <= alarm.from_ms <= span[1]:
            colour = PRIORITY[ALARMS[alarm.name].priority]
            for axes in (top, bottom):
                axes.axvline((alarm.from_ms - zero) / HOUR_MS, color=colour, linewidth=1, linestyle=(0, (4, 3)))
    return figure
