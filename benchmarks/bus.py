"""Round trips of the bench bus: how long a firmware on a pipe waits for one answer of its simulated hardware.

Every measurement has a process of its own: one that was ever kept on one core stays near it when it is let go, and would
make the free one look as fast.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Final

from dosebench.twin.named import profile_settings
from dosebench.twin.runtimes import ProcessRuntime, RuntimeName
from dosebench.twin.twin import Twin, one_core

from .measure import Figure, interleave, ratio, shown

ROUNDS: Final = 20
CALLS: Final = 2_000
"""Calls between two waits of device/calls.py."""
BATCHES: Final = 5
TOLERANCE: Final = 0.5
"""Wide: what the scheduler does with two processes differs between kernels, and with what else runs."""
RUNTIMES: Final[tuple[RuntimeName, ...]] = ("unix", "wasm")
PLACES: Final = {"free": nullcontext, "one_core": one_core}
SCRIPT: Final = Path(__file__).parent / "device" / "calls.py"


def figures(rounds: int = ROUNDS) -> list[Figure]:
    """Microseconds of a round trip on each runtime, free and on one core, and their ratios."""
    contestants = {
        f"{runtime}, {place}": partial(in_new_process, runtime, place) for runtime in RUNTIMES for place in PLACES
    }
    times = interleave(contestants, rounds)
    return [
        *(
            ratio(f"bus: {name}, one_core / free", times, (f"{name}, one_core", f"{name}, free"), TOLERANCE)
            for name in RUNTIMES
        ),
        ratio("bus: wasm / unix, one_core", times, ("wasm, one_core", "unix, one_core"), TOLERANCE),
        *(shown(f"bus: round trip, {name}", values, "us", 1e6) for name, values in times.items()),
    ]


def in_new_process(runtime: RuntimeName, place: str) -> float:
    """Seconds of one round trip, measured by a process of its own."""
    command = [sys.executable, "-m", "benchmarks.bus", runtime, place]
    root = Path(__file__).parents[1]
    return float(subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout)


def trip_s(name: RuntimeName) -> float:
    """Seconds of one round trip of this process with a runtime that it starts."""
    machine = Twin(profile_settings("implant-40", name, 0)).machine
    runtime = ProcessRuntime.start(machine, name, SCRIPT)
    runtime.run()
    began = time.perf_counter()
    for _ in range(BATCHES):
        runtime.run()
    taken = time.perf_counter() - began
    runtime.kill()
    return taken / CALLS / BATCHES


if __name__ == "__main__":
    chosen = next(name for name in RUNTIMES if name == sys.argv[1])
    with PLACES[sys.argv[2]]():
        print(trip_s(chosen))
