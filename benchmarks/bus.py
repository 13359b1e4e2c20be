"""Round trips of the bench bus: how long a firmware on a pipe waits for one answer of its simulated hardware.

Left free, the two processes are sometimes put on one core and sometimes on two, which takes several times as long; so
the slowest round is shown beside the median. Every measurement has a process of its own: one that was ever kept on one
core stays near it when it is let go.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Final

from dosebench.twin.runtimes import ProcessRuntime, RuntimeName
from dosebench.twin.twin import Twin, TwinSettings, one_core

from .measure import Figure, Times, interleave_rounds, ratio_figure, shown_figure

ROUNDS: Final = 12
CALLS: Final = 2_000
"""Calls between two waits of device/calls.py."""
BATCHES: Final = 5
TOLERANCE: Final = 0.5
"""Wide: what the scheduler does with two processes differs between kernels, and with what else runs."""
RUNTIMES: Final[tuple[RuntimeName, ...]] = ("unix", "wasm")
PLACES: Final[Mapping[str, Callable[[], AbstractContextManager[None]]]] = {"free": nullcontext, "one_core": one_core}
SCRIPT: Final = Path(__file__).parent / "device" / "calls.py"


def measure_figures(rounds: int = ROUNDS) -> list[Figure]:
    """Microseconds of a round trip on each runtime, free and on one core, and their ratios."""
    contestants = {
        f"{runtime}, {place}": partial(in_new_process, runtime, place) for runtime in RUNTIMES for place in PLACES
    }
    times = interleave_rounds(contestants, rounds)
    return [
        ratio_figure("bus: wasm / unix, one_core", times, ("wasm, one_core", "unix, one_core"), TOLERANCE),
        *(slowest_ratio(name, times) for name in RUNTIMES),
        *(shown_figure(f"bus: round trip, {name}", values, "us", 1e6) for name, values in times.items()),
        *(Figure(f"bus: slowest round, {name}", 1e6 * max(values), "us") for name, values in times.items()),
    ]


def slowest_ratio(name: RuntimeName, times: Times) -> Figure:
    """The slowest round on one core in units of the slowest round of free processes."""
    value = max(times[f"{name}, one_core"]) / max(times[f"{name}, free"])
    return Figure(f"bus: slowest round, {name}, one_core / free", value, "ratio")


def in_new_process(runtime: RuntimeName, place: str) -> float:
    """Seconds of one round trip, measured by a process of its own."""
    command = [sys.executable, "-m", "benchmarks.bus", runtime, place]
    root = Path(__file__).parents[1]
    return float(subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout)


def trip_s(name: RuntimeName) -> float:
    """Seconds of one round trip of this process with a runtime that it starts."""
    machine = Twin(TwinSettings({"flash_sectors": 1})).machine
    runtime = ProcessRuntime.start_child(machine, name, SCRIPT)
    runtime.run_turn()
    began = time.perf_counter()
    for _ in range(BATCHES):
        runtime.run_turn()
    taken = time.perf_counter() - began
    runtime.cut_power()
    return taken / CALLS / BATCHES


if __name__ == "__main__":
    chosen = next(name for name in RUNTIMES if name == sys.argv[1])
    with PLACES[sys.argv[2]]():
        print(trip_s(chosen))
