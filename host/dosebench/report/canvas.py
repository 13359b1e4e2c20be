"""What every figure is drawn with: its colours, headings and axes, and the file it goes to. Needs no display."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI: Final = 150
INK: Final = "#1f2933"
MUTED: Final = "#7b8794"
BLUE: Final = "#1b5e8c"
GREEN: Final = "#5b8e7d"
AMBER: Final = "#f4a259"
RED: Final = "#bc4b51"
PLUM: Final = "#8a4f7d"
GRID: Final = "#e4e7eb"


def set_style(**more: Any) -> AbstractContextManager[None]:
    """Within it, text and axes have their colours. `more` are matplotlib's settings besides."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    colours = {"axes.edgecolor": MUTED, "text.color": INK, "axes.labelcolor": INK, "xtick.color": MUTED}
    settings: dict[Any, Any] = {"font.size": 9.5, "axes.grid": False, "ytick.color": MUTED, **colours, **more}
    return mpl.rc_context(settings)


def save_figure(figure: Figure, path: Path, title: str, dpi: int = DPI) -> None:
    """Give a figure its heading and the note that it is of a testbed, and write it; the file's suffix chooses the
    format (png, svg, pdf), and its directory is made."""
    figure.suptitle(title, x=0.012, ha="left", fontsize=13, fontweight="bold")
    note = "dosebench, a bench testbed. Never for use on people."
    figure.supxlabel(note, fontsize=7.5, color=MUTED, x=0.99, ha="right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=dpi)


@contextmanager
def open_page(path: Path, title: str, subtitle: str, heights: tuple[float, float]) -> Iterator[tuple[Axes, Axes]]:
    """A page of two panels, one above the other with one horizontal axis; it is saved when the block ends.

    Args:
        path: The file; its suffix chooses the format (png, svg, pdf). Its directory is made.
        title, subtitle: The headings.
        heights: Relative heights of the two panels.
    """
    with set_style():
        from matplotlib import pyplot  # noqa: PLC0415

        figure, (top, bottom) = pyplot.subplots(
            2, 1, sharex=True, figsize=(9, 6), height_ratios=heights, layout="constrained"
        )
        try:
            yield top, bottom
            top.set_title(subtitle, loc="left", fontsize=9.5, color=MUTED)
            save_figure(figure, path, title)
        finally:
            pyplot.close(figure)


def style_plain(axes: Axes) -> None:
    """Axes as `style_grid`, with little room beside the curves."""
    style_grid(axes)
    axes.margins(x=0.01)


def style_grid(axes: Axes) -> None:
    """Axes with a light horizontal grid and no frame."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
