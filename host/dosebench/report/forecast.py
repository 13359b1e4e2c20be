"""The figure of a forecast: basal rate and boluses above, what adds up below. Needs no display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dosebench.base import units
from dosebench.base.units import HOUR_MS
from dosebench.base.words import count_noun
from dosebench.report.canvas import AMBER, BLUE, GREEN, INK, PLUM, RED, open_page, style_plain
from dosebench.therapy.forecast import Forecast

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BASAL: Final = BLUE
VOLUME: Final = GREEN
LIMIT: Final = RED
KINDS: Final = {
    "periodic": (AMBER, "v", "periodic bolus"),
    "patient": (PLUM, "^", "patient bolus"),
}
"""Colour, marker and name of the boluses that a forecast may have."""


def draw_forecast(forecast: Forecast, path: Path, title: str = "") -> None:
    """Draw a forecast into a file; its suffix chooses the format (png, svg, pdf)."""
    heading = title or f"{forecast.drug}: the coming days"
    with open_page(path, heading, _describe_totals(forecast), (1.6, 1)) as (top, bottom):
        _draw_rates(top, forecast)
        _draw_totals(bottom, forecast)
        _draw_events(top, bottom, forecast)


def _describe_totals(forecast: Forecast) -> str:
    total = forecast.totals[-1]
    days = units.format_decimal(units.in_unit(units.parse_value(f"{forecast.length_ms} ms", units.DURATION), "day"), 4)
    text = f"{count_noun(days, 'day')} from {forecast.start:%a %d %b %Y %H:%M}: "
    return text + f"{units.format_amount(total.nl, 'mL', 4)}, " + units.format_amount(total.ng, "ug", 5)


def _to_dates(forecast: Forecast, times: Sequence[int]) -> list[Any]:
    return [forecast.local_time(t_ms) for t_ms in times]


def _draw_rates(axes: Axes, forecast: Forecast) -> None:
    style_plain(axes)
    times = [*(rate.t_ms for rate in forecast.rates), forecast.length_ms]
    hourly = [float(units.in_unit(rate.ng * HOUR_MS, "ug")) for rate in forecast.rates]
    moments: Any = _to_dates(forecast, times)
    axes.step(moments, [*hourly, hourly[-1]], where="post", color=BASAL, linewidth=1.8)
    axes.fill_between(moments, [*hourly, hourly[-1]], step="post", color=BASAL, alpha=0.12, linewidth=0)
    top = max(hourly, default=0.0) or 1.0
    axes.set_ylim(0, top * 1.55)
    for row, (kind, (colour, marker, name)) in enumerate(KINDS.items()):
        mine = [bolus for bolus in forecast.boluses if bolus.kind == kind]
        if mine:
            at: Any = _to_dates(forecast, [bolus.t_ms for bolus in mine])
            label = f"{name}, {units.format_amount(mine[-1].ng, 'ug', 4)} each"
            height = [top * (1.12 + 0.1 * row)] * len(mine)
            axes.plot(at, height, marker, color=colour, markersize=4, linestyle="none", label=label)
    axes.set_ylabel("basal [ug/h]")
    if forecast.boluses:
        axes.legend(loc="upper right", ncols=2, fontsize=8.5, frameon=False, borderpad=0)


def _draw_totals(axes: Axes, forecast: Forecast) -> None:
    import matplotlib.dates  # noqa: PLC0415

    dates: Any = matplotlib.dates
    style_plain(axes)
    moments: Any = _to_dates(forecast, [total.t_ms for total in forecast.totals])
    axes.plot(moments, [float(units.in_unit(total.nl, "mL")) for total in forecast.totals], color=VOLUME, linewidth=1.8)
    axes.set_ylabel("volume [mL]")
    axes.set_ylim(0, 1.05 * float(units.in_unit(forecast.totals[-1].nl, "mL")) or 1)
    locator = dates.AutoDateLocator(minticks=4, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    drug = axes.twinx()
    drug_ug = [float(units.in_unit(total.ng, "ug")) for total in forecast.totals]
    drug.plot(moments, drug_ug, color=INK, linewidth=1, ls=":")
    drug.set_ylabel("drug [ug], dotted")
    drug.set_ylim(0, 1.05 * float(units.in_unit(forecast.totals[-1].ng, "ug")) or 1)
    drug.spines[["top", "right"]].set_visible(False)


def _draw_events(top: Axes, bottom: Axes, forecast: Forecast) -> None:
    """Where the bridge is through and the reservoir reaches its levels."""
    events = {"bridge through": forecast.bridge_ms, "low": forecast.low_ms, "empty": forecast.empty_ms}
    for label, t_ms in events.items():
        if t_ms is None:
            continue
        moment: Any = forecast.local_time(t_ms)
        for axes in (top, bottom):
            axes.axvline(moment, color=LIMIT, linewidth=0.8, alpha=0.6)
        top.annotate(
            label, (moment, 0.98), xycoords=("data", "axes fraction"), rotation=90, fontsize=7.5, color=LIMIT,
            ha="right", va="top",
        )  # fmt: skip
