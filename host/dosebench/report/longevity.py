"""Longevity against flow rate: the curve of a pump profile, a regimen's point on it, and its figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dosebench.base.units import DAY_MS
from dosebench.base.words import YEAR_DAYS, count_noun
from dosebench.profile.model import Profile
from dosebench.profile.power import CONSUMERS
from dosebench.report.canvas import AMBER, BLUE, GREEN, INK, MUTED, PLUM, RED, open_page, style_plain
from dosebench.therapy.energy import Life, life_at

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NL_PER_ML: Final = 1e6
RATES_ML: Final = tuple(
    round(digit * 10.0**power, 6) for power in range(-3, 4) for digit in (1, 1.5, 2, 3, 5, 7.5)
)
"""Flow rates that a table shows, in mL a day, as far as the profile can run them all day."""
TICKS_ML: Final = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)
CURVE_POINTS: Final = 200
GROUPS: Final = {
    "asleep": (("idle",), BLUE),
    "listening": (("listening",), GREEN),
    "self-discharge": (("self_discharge",), MUTED),
    "motor": (("steps",), AMBER),
    "wakes": (("delivery_wakes", "sensor_wakes", "watchdog_wakes", "other_wakes", "flash"), PLUM),
}
"""Consumers as the figure shows them, each with its colour; flash goes with the wakes, and tones sound in
alarms only, which no curve knows."""


@dataclass(frozen=True)
class Point:
    """A fresh battery at a flow of `ml_per_day`."""

    ml_per_day: float
    life: Life

    def to_json(self) -> dict[str, Any]:
        """The point as JSON values; docs/CLI.md lists the keys."""
        return {
            "ml_per_day": self.ml_per_day,
            "uah_per_day": round(self.life.day_uah, 3),
            "years_to_low": round(self.life.years_to_low, 3),
            "years_to_empty": round(self.life.days_to_empty / YEAR_DAYS, 3),
            "shares": {name: round(share, 5) for name, share in self.life.shares.items()},
        }


def limits_ml(profile: Profile) -> tuple[float, float]:
    """Lowest and highest flow that a pump can run all day, in mL a day: its lowest rate, and its cap of a day."""
    return float(profile.delivery.rate_min * DAY_MS) / NL_PER_ML, float(profile.caps.day) / NL_PER_ML


def point_at(profile: Profile, ml_per_day: float) -> Point:
    """A point of the curve."""
    return Point(ml_per_day, life_at(profile, ml_per_day * NL_PER_ML))


def longevity_curve(profile: Profile) -> list[Point]:
    """The table: the lowest and the highest flow, and round ones between."""
    lowest, highest = limits_ml(profile)
    between = [rate for rate in RATES_ML if lowest < rate < highest]
    return [point_at(profile, rate) for rate in (lowest, *between, highest)]


def draw_longevity(profile: Profile, path: Path, mark: Point | None = None, name: str = "") -> None:
    """Draw years of service and the shares of the consumers over the flow rate.

    Args:
        profile: The pump.
        path: The file; its suffix chooses the format (png, svg, pdf).
        mark, name: A regimen's point and what it is called.
    """
    lowest, highest = limits_ml(profile)
    step = (highest / lowest) ** (1 / (CURVE_POINTS - 1))
    points = [point_at(profile, lowest * step**number) for number in range(CURVE_POINTS)]
    subtitle = f"{float(profile.battery.capacity) / 1000:g} mAh, {profile.name}; constant flow, no alarm sounds"
    with open_page(path, "Longevity of the battery against flow rate", subtitle, (1.5, 1)) as (top, bottom):
        _draw_years(top, profile, points)
        if mark is not None:
            _draw_mark(top, bottom, mark, name)
        _draw_shares(bottom, points)
        bottom.set_xscale("log")
        bottom.set_xlim(lowest, highest)
        ticks = [rate for rate in TICKS_ML if lowest <= rate <= highest]
        bottom.set_xticks(ticks, [f"{rate:g}" for rate in ticks])
        bottom.set_xticks([], minor=True)
        bottom.set_xlabel("flow rate [mL/day]")


def _draw_years(axes: Axes, profile: Profile, points: Sequence[Point]) -> None:
    style_plain(axes)
    rates = [point.ml_per_day for point in points]
    years = [point.life.years_to_low for point in points]
    unit, factor = ("years", 1.0) if max(years) >= 2 else ("days", YEAR_DAYS)
    low = "elective replacement (ERI)" if profile.kind == "implant" else "battery low"
    axes.plot(rates, [value * factor for value in years], color=BLUE, linewidth=2, label=f"until {low}")
    empty = [point.life.days_to_empty / YEAR_DAYS * factor for point in points]
    axes.plot(rates, empty, color=BLUE, linewidth=1, linestyle=(0, (2, 2)), label="until empty")
    cap = profile.energy.service_years
    if cap is not None:
        label = f"service ends after {cap} years"
        axes.axhline(cap * factor, color=RED, linewidth=1, linestyle=(0, (5, 3)), label=label)
    axes.set_ylabel(f"{unit} from new")
    axes.set_ylim(0, max(empty) * 1.1)
    axes.legend(loc="upper right", frameon=False)


def _draw_mark(top: Axes, bottom: Axes, mark: Point, name: str) -> None:
    years = mark.life.years_to_low
    factor = 1.0 if top.get_ylabel().startswith("years") else YEAR_DAYS
    top.plot([mark.ml_per_day], [years * factor], "o", color=INK, markersize=6, zorder=5)
    # A falling curve leaves room below it on the left, and above it where it is low.
    low = years * factor < 0.35 * top.get_ylim()[1]
    told = f"{years:.1f} years" if factor == 1.0 else count_noun(f"{years * factor:.0f}", "day")
    top.annotate(
        f"{name}\n{mark.ml_per_day:.4g} mL/day: {told}",
        (mark.ml_per_day, years * factor), xytext=(0, 26) if low else (-10, -26), textcoords="offset points",
        ha="center" if low else "right", va="bottom" if low else "top", fontsize=8.5, color=INK,
    )  # fmt: skip
    bottom.axvline(mark.ml_per_day, color=INK, linewidth=0.8, linestyle=":")


def _draw_shares(axes: Axes, points: Sequence[Point]) -> None:
    style_plain(axes)
    rates = [point.ml_per_day for point in points]
    base = [0.0] * len(points)
    for label, (names, colour) in GROUPS.items():
        part_of = [100 * sum(point.life.shares[name] for name in names) for point in points]
        above = [low + part for low, part in zip(base, part_of, strict=True)]
        axes.fill_between(rates, base, above, color=colour, alpha=0.75, linewidth=0, label=label)
        base = above
    axes.set_ylim(0, 100)
    axes.set_ylabel("share of charge [%]")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.22), ncols=len(GROUPS), fontsize=8, frameon=False)


def share_text(life: Life, smallest: float = 0.0005) -> str:
    """The consumers by their share, the largest first, such as "asleep 33 %, motor steps 38 %"."""
    named = sorted(life.shares.items(), key=lambda item: -item[1])
    return ", ".join(f"{CONSUMERS[name]} {100 * share:.2g} %" for name, share in named if share >= smallest)
