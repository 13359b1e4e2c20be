"""What was measured before: `baseline.json`, and the comparison with it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from .measure import Figure

BASELINE: Final = Path(__file__).with_name("baseline.json")


def load_kept() -> dict[str, float]:
    """Kept values by the name of their figure; empty when none were kept."""
    if not BASELINE.exists():
        return {}
    kept: dict[str, float] = json.loads(BASELINE.read_text(encoding="utf-8"))["figures"]
    return kept


def keep_figures(figures: Sequence[Figure], facts: Mapping[str, Any]) -> None:
    """Keep the judged figures, in place of the old ones of the same group."""
    groups = {group_of(figure.name) for figure in figures}
    values = {name: value for name, value in load_kept().items() if group_of(name) not in groups}
    values |= {figure.name: figure.to_json()["value"] for figure in figures if figure.tolerance is not None}
    text = json.dumps({"facts": facts, "figures": dict(sorted(values.items()))}, indent=1)
    BASELINE.write_text(text + "\n", encoding="utf-8")


def group_of(name: str) -> str:
    """The group of a figure, which its name begins with."""
    return name.partition(":")[0]


def relative_change(figure: Figure, kept: float) -> float:
    """By which share a figure is worse than the kept value; negative when it is better."""
    return figure.value / kept - 1 if figure.better == "lower" else kept / figure.value - 1


def judge_figure(figure: Figure, kept: Mapping[str, float]) -> str:
    """Empty when there is nothing to say, else what is wrong with a figure."""
    if figure.limit is not None and (figure.value - figure.limit) * (1 if figure.better == "lower" else -1) > 0:
        return f"BEYOND ITS LIMIT {figure.limit:g}"
    if figure.tolerance is None:
        return ""
    if figure.name not in kept:
        return "NOT KEPT YET"
    worse = relative_change(figure, kept[figure.name])
    return f"REGRESSION: more than {figure.tolerance:.0%} worse" if worse > figure.tolerance else ""
