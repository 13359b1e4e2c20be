"""What every figure is drawn with: settings that end with it, headings, and files by their suffix."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pytest
from dosebench.report.canvas import GRID, INK, open_page, save_figure, set_style, style_grid, style_plain
from matplotlib import pyplot
from matplotlib.colors import to_hex


def test_a_style_ends_with_its_block() -> None:
    before = dict(mpl.rcParams)
    with set_style(**{"svg.fonttype": "none"}):
        assert mpl.rcParams["text.color"] == INK
        assert mpl.rcParams["svg.fonttype"] == "none"
    assert mpl.rcParams["text.color"] == before["text.color"]
    assert mpl.rcParams["svg.fonttype"] == before["svg.fonttype"]
    assert mpl.get_backend().lower() == "agg"


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_the_suffix_chooses_the_format_and_directories_are_made(tmp_path: Path, suffix: str, magic: bytes) -> None:
    path = tmp_path / "a" / "b" / f"figure{suffix}"
    with open_page(path, "A title", "below it", (2, 1)) as (top, bottom):
        top.plot([0, 1], [0, 1])
        bottom.plot([0, 1], [1, 0])
    assert path.read_bytes().startswith(magic)


def test_a_page_has_its_headings_and_the_warning(tmp_path: Path) -> None:
    path = tmp_path / "figure.svg"
    with open_page(path, "A title", "below it", (2, 1)) as (top, bottom):
        figure = top.figure
        assert top.get_shared_x_axes().joined(top, bottom)
    assert figure is not None
    assert figure.get_suptitle() == "A title"  # type: ignore[union-attr]
    assert top.get_title(loc="left") == "below it"
    assert "Never for use on people" in figure.get_supxlabel()  # type: ignore[union-attr]
    assert not pyplot.fignum_exists(figure.number)  # type: ignore[union-attr]


def test_a_page_that_fails_is_closed_and_not_written(tmp_path: Path) -> None:
    path, open_before = tmp_path / "figure.png", len(pyplot.get_fignums())

    def fail() -> None:
        with open_page(path, "t", "s", (1, 1)):
            raise ValueError("no data")

    with pytest.raises(ValueError, match="no data"):
        fail()
    assert not path.exists()
    assert len(pyplot.get_fignums()) == open_before


def test_axes_have_a_light_grid_and_no_frame() -> None:
    figure, (one, other) = pyplot.subplots(2, 1)
    style_grid(one)
    style_plain(other)
    for axes in (one, other):
        assert not axes.spines["top"].get_visible()
        assert not axes.spines["right"].get_visible()
        assert axes.spines["left"].get_visible()
        assert to_hex(axes.yaxis.get_gridlines()[0].get_color()) == GRID
    assert other.margins()[0] == 0.01 != one.margins()[0]
    pyplot.close(figure)


def test_a_figure_is_saved_at_its_resolution(tmp_path: Path) -> None:
    sizes = []
    for dpi in (50, 100):
        figure = pyplot.figure(figsize=(2, 1))
        save_figure(figure, tmp_path / f"{dpi}.png", "t", dpi)
        pyplot.close(figure)
        data = (tmp_path / f"{dpi}.png").read_bytes()
        sizes.append((int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")))
    assert sizes == [(100, 50), (200, 100)]
