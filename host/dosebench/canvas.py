"""The page that every figure is drawn on: its colours, headings and axes, and the file it goes to. Needs no display."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DPI: Final = 150
INK: Final = "#1f2933"
MUTED: Final = "#7b8794"
BLUE: Final = "#1b5e8c"
GREEN: Final = "#5b8e7d"
AMBER: Final = "#f4a259"
RED: Final = "#bc4b51"
PLUM: Final = "#8a4f7d"
GRID: Final = "#e4e7eb"


@contextmanager
def page(path: Path, title: str, subtitle: str, heights: tuple[float, float]) -> Iterator[tuple[Axes, Axes]]:
    """A page of two panels, one above the other with one horizontal axis; it is saved when the block ends.

    Args:
        path: The file; its suffix chooses the format (png, svg, pdf). Its directory is made.
        title, subtitle: The headings.
        heights: Relative heights of the two panels.
    """
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    style: dict[Any, Any] = {"font.size": 9.5, "axes.edgecolor": MUTED, "text.color": INK, "axes.labelcolor": INK}
    with mpl.rc_context(style | {"xtick.color": MUTED, "ytick.color": MUTED, "axes.grid": False}):
        figure, (top, bottom) = pyplot.subplots(
            2, 1, sharex=True, figsize=(9, 6), height_ratios=heights, layout="constrained"
        )
        try:
            yield top, bottom
            figure.suptitle(title, x=0.012, ha="left", fontsize=13, fontweight="bold")
            top.set_title(subtitle, loc="left", fontsize=9.5, color=MUTED)
            note = "dosebench, a bench testbed. Never for use on people."
            figure.supxlabel(note, fontsize=7.5, color=MUTED, x=0.99, ha="right")
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=DPI)
        finally:
            pyplot.close(figure)


def plain(axes: Axes) -> None:
    """Axes with a light horizontal grid and no frame."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.margins(x=0.01)
