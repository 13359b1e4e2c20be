"""Virtual days of delivery per second of wall clock, of the same therapy on the three runtimes."""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from functools import partial
from typing import Final

from dosebench.link.client import PumpClient
from dosebench.twin.persistent import profile_settings
from dosebench.twin.runtimes import RUNTIMES, RuntimeName
from dosebench.twin.serial_port import Serial
from dosebench.twin.twin import Twin, one_core

from .measure import Figure, interleave_rounds, quartile_spread, ratio_figure
from .therapy import PROFILE, encode_program

ROUNDS: Final = 12
DAYS: Final = 2
"""Virtual days of one round: 3200 steps."""
TOLERANCE: Final = 0.3


def measure_figures(rounds: int = ROUNDS) -> list[Figure]:
    """Days per second on each runtime, and how much longer a day takes than on CPython."""
    with one_core(), ExitStack() as stack:
        times = interleave_rounds({name: partial(day_s, run_pump(stack, name)) for name in RUNTIMES}, rounds)
    return [
        *(
            ratio_figure(f"days: a day on {name} / cpython", times, (name, "cpython"), TOLERANCE)
            for name in RUNTIMES
            if name != "cpython"
        ),
        *(
            Figure(f"days: {name}", 1 / statistics.median(values), "days/s", "higher", spread=quartile_spread(values))
            for name, values in times.items()
        ),
    ]


def run_pump(stack: ExitStack, name: RuntimeName) -> Twin:
    """A pump that delivers the therapy."""
    twin = stack.enter_context(Twin(profile_settings(PROFILE, name, 0)))
    twin.power_on()
    client = PumpClient(Serial(twin=twin, baudrate=twin.machine.baud, timeout=0.1))
    client.connect()
    client.stage_program(encode_program())
    client.commit_program(encode_program())
    client.start_delivery()
    return twin


def day_s(twin: Twin) -> float:
    """Seconds of wall clock that one of the next `DAYS` takes."""
    began = time.perf_counter()
    twin.advance_time(86_400 * DAYS)
    return (time.perf_counter() - began) / DAYS
