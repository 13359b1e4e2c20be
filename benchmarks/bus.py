"""Round trips of the bench bus: how long a firmware on a pipe waits for one answer of its simulated hardware."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
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
TOLERANCE: Final = 0.5
"""Wide: what the scheduler does with two processes differs between kernels and with what else runs."""
SCRIPT: Final = Path(__file__).parent / "device" / "calls.py"
RUNTIMES: Final[tuple[RuntimeName, ...]] = ("unix", "wasm")


def figures(rounds: int = ROUNDS) -> list[Figure]:
    """Microseconds of a round trip on each runtime, free and on one core, and their ratios."""
    with ExitStack() as stack:
        contestants: dict[str, Callable[[], float]] = {}
        for runtime in RUNTIMES:
            contestants[f"{runtime}, free"] = partial(trip_s, started(stack, runtime))
            with one_core():
                contestants[f"{runtime}, one_core"] = partial(on_one_core, started(stack, runtime))
        times = interleave(contestants, rounds)
    return [
        *(
            ratio(f"bus: {name} one_core / free", times, (f"{name}, one_core", f"{name}, free"), TOLERANCE, 1.0)
            for name in RUNTIMES
        ),
        ratio("bus: wasm / unix, one_core", times, ("wasm, one_core", "unix, one_core"), TOLERANCE),
        *(shown(f"bus: round trip, {name}", values, "us", 1e6) for name, values in times.items()),
    ]


def started(stack: ExitStack, name: RuntimeName) -> ProcessRuntime:
    """The script on a runtime, at its first wait."""
    machine = Twin(profile_settings("implant-40", name, 0)).machine
    runtime = ProcessRuntime.start(machine, name, SCRIPT)
    stack.callback(runtime.kill)
    runtime.run()
    return runtime


def trip_s(runtime: ProcessRuntime) -> float:
    """Seconds of one round trip, over `CALLS` of them."""
    began = time.perf_counter()
    runtime.run()
    return (time.perf_counter() - began) / CALLS


def on_one_core(runtime: ProcessRuntime) -> float:
    """As `trip_s`, with this thread on the core that the runtime was started on."""
    with one_core():
        return trip_s(runtime)
