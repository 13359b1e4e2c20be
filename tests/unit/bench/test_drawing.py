"""The drawing of a bench shows each pin once and no part over another."""

from __future__ import annotations

import itertools
from pathlib import Path
from xml.etree import ElementTree

import pytest
from benches import BENCHES
from dosebench.bench.drawing import draw_bench
from dosebench.bench.file import load_bench
from dosebench.bench.rules import pin_uses


@pytest.mark.parametrize("path", BENCHES, ids=lambda path: path.stem)
def test_every_pin_is_in_the_drawing_once(path: Path) -> None:
    bench = load_bench(path)
    root = ElementTree.fromstring(draw_bench(bench))
    texts = [element.text or "" for element in root if element.tag.endswith("text")]
    for use in pin_uses(bench.tables):
        label = bench.board.label_pin(use.pin)
        assert len([text for text in texts if text.split(" ")[0] == label]) == 1, label
    assert any("never for people" in text for text in texts)


@pytest.mark.parametrize("path", BENCHES, ids=lambda path: path.stem)
def test_nothing_drawn_lies_outside_or_on_another_part(path: Path) -> None:
    root = ElementTree.fromstring(draw_bench(load_bench(path)))
    boxes = [
        [float(element.get(name) or 0) for name in ("x", "y", "width", "height")]
        for element in root
        if element.tag.endswith("rect") and element.get("rx")
    ]
    width, height = float(root.get("width") or 0), float(root.get("height") or 0)
    assert all(x >= 0 and y >= 0 and x + w <= width and y + h <= height for x, y, w, h in boxes)
    for (x, y, w, h), (x2, y2, w2, h2) in itertools.combinations(boxes, 2):
        assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y
