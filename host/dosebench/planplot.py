"""The figure of a plan: basal rate and boluses above, what adds up below. Needs no display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dosebench import units
from dosebench.plan import Plan
from dosebench.units import HOUR_MS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI: Final = 150
INK: Final = "#1f2933"
MUTED: Final = "#7b8794"
BASAL: Final = "#1b5e8c"
VOLUME: Final = "#5b8e7d"
LIMIT: Final = "#bc4b51"
KINDS: Final = {
    "periodic": ("#f4a259", "v", "periodic bolus"),
    "patient": ("#8a4f7d", "^", "patient bolus"),
}
"""Colour, marker and name of the boluses that a plan may have."""


def draw_plan(plan: Plan, path: Path, title: str = "") -> None:
    """Draw a plan into a file; its suffix chooses the format (png, svg, pdf)."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    style: dict[Any, Any] = {"font.size": 9.5, "axes.edgecolor": MUTED, "text.color": INK, "axes.labelcolor": INK}
    with mpl.rc_context(style | {"xtick.color": MUTED, "ytick.color": MUTED, "axes.grid": False}):
        figure, (top, bottom) = pyplot.subplots(
            2, 1, sharex=True, figsize=(9, 6), height_ratios=(1.6, 1), layout="constrained"
        )
        _rates(top, plan)
        _totals(bottom, plan)
        _events(top, bottom, plan)
        _headings(figure, top, plan, title)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=DPI)
        pyplot.close(figure)


def _headings(figure: Figure, top: Axes, plan: Plan, title: str) -> None:
    figure.suptitle(title or f"{plan.drug}: the coming days", x=0.012, ha="left", fontsize=13, fontweight="bold")
    total = plan.totals[-1]
    days = units.decimal(units.in_unit(units.value(f"{plan.length_ms} ms", units.DURATION), "day"), 4)
    text = f"{days} days from {plan.start:%a %d %b %Y %H:%M}: {units.show(total.nl, 'mL', 4)}, "
    text += units.show(total.ng, "ug", 5)
    top.set_title(text, loc="left", fontsize=9.5, color=MUTED)
    figure.supxlabel(
        "dosebench, a bench testbed. Never for use on people.", fontsize=7.5, color=MUTED, x=0.99, ha="right"
    )


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e4e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.margins(x=0.01)


def _moments(plan: Plan, times: Sequence[int]) -> list[Any]:
    return [plan.moment(t_ms) for t_ms in times]


def _rates(axes: Axes, plan: Plan) -> None:
    _plain(axes)
    times = [*(rate.t_ms for rate in plan.rates), plan.length_ms]
    hourly = [float(units.in_unit(rate.ng * HOUR_MS, "ug")) for rate in plan.rates]
    moments: Any = _moments(plan, times)
    axes.step(moments, [*hourly, hourly[-1]], where="post", color=BASAL, linewidth=1.8)
    axes.fill_between(moments, [*hourly, hourly[-1]], step="post", color=BASAL, alpha=0.12, linewidth=0)
    top = max(hourly, default=0.0) or 1.0
    axes.set_ylim(0, top * 1.55)
    for row, (kind, (colour, marker, name)) in enumerate(KINDS.items()):
        mine = [bolus for bolus in plan.boluses if bolus.kind == kind]
        if mine:
            at: Any = _moments(plan, [bolus.t_ms for bolus in mine])
            label = f"{name}, {units.show(mine[-1].ng, 'ug', 4)} each"
            height = [top * (1.12 + 0.1 * row)] * len(mine)
            axes.plot(at, height, marker, color=colour, markersize=4, linestyle="none", label=label)
    axes.set_ylabel("basal [ug/h]")
    if plan.boluses:
        axes.legend(loc="upper right", ncols=2, fontsize=8.5, frameon=False, borderpad=0)


def _totals(axes: Axes, plan: Plan) -> None:
    import matplotlib.dates  # noqa: PLC0415

    dates: Any = matplotlib.dates
    _plain(axes)
    moments: Any = _moments(plan, [total.t_ms for total in plan.totals])
    axes.plot(moments, [float(units.in_unit(total.nl, "mL")) for total in plan.totals], color=VOLUME, linewidth=1.8)
    axes.set_ylabel("volume [mL]")
    axes.set_ylim(0, 1.05 * float(units.in_unit(plan.totals[-1].nl, "mL")) or 1)
    locator = dates.AutoDateLocator(minticks=4, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    drug = axes.twinx()
    drug.plot(moments, [float(units.in_unit(total.ng, "ug")) for total in plan.totals], color=INK, linewidth=1, ls=":")
    drug.set_ylabel("drug [ug], dotted")
    drug.set_ylim(0, 1.05 * float(units.in_unit(plan.totals[-1].ng, "ug")) or 1)
    drug.spines[["top", "right"]].set_visible(False)


def _events(top: Axes, bottom: Axes, plan: Plan) -> None:
    """Where the bridge is through and the reservoir reaches its levels."""
    events = {"bridge through": plan.bridge_ms, "low": plan.low_ms, "empty": plan.empty_ms}
    for label, t_ms in events.items():
        if t_ms is None:
            continue
        moment: Any = plan.moment(t_ms)
        for axes in (top, bottom):
            axes.axvline(moment, color=LIMIT, linewidth=0.8, alpha=0.6)
        top.annotate(
            label, (moment, 0.98), xycoords=("data", "axes fraction"), rotation=90, fontsize=7.5, color=LIMIT,
            ha="right", va="top",
        )  # fmt: skip
