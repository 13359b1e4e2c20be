"""Start-up of the command line against that of `mpremote`, the tool that the same people start as often.

`dosebench --help` and `dosebench status` must start no slower than `mpremote --help`. `status, no port` is the command
line up to the port; `status, PTY` adds the exchange with a simulated board in real time, and `status, sim://` loads the
simulator as well: these two are shown and not judged.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from .measure import Figure, interleave_rounds, ratio_figure, shown_figure

ROUNDS: Final = 20
TOLERANCE: Final = 0.15
BIN: Final = Path(sys.executable).parent
DOSEBENCH: Final = str(BIN / "dosebench")
REFERENCE: Final = "mpremote --help"
JUDGED: Final = (
    "dosebench --help",
    "dosebench status --help",
    "dosebench status, no port",
    "import dosebench.link.client",
)


def measure_figures(rounds: int = ROUNDS) -> list[Figure]:
    """Milliseconds of each command, and their ratios to mpremote."""
    with offer_boards() as (environment, pty):
        commands = {name: partial(time_command, command, environment) for name, command in command_lines(pty).items()}
        times = interleave_rounds(commands, rounds)
    ratios = [
        ratio_figure(f"startup: {name} / {REFERENCE}", times, (name, REFERENCE), TOLERANCE, 1.0) for name in JUDGED
    ]
    return [*ratios, *(shown_figure(f"startup: {name}", values, "ms", 1e3) for name, values in times.items())]


def command_lines(pty: str) -> dict[str, list[str]]:
    """What is measured: a name and a command line each."""
    return {
        "python": [sys.executable, "-c", "pass"],
        REFERENCE: [str(BIN / "mpremote"), "--help"],
        "dosebench --help": [DOSEBENCH, "--help"],
        "dosebench status --help": [DOSEBENCH, "status", "--help"],
        "dosebench status, no port": [DOSEBENCH, "status", "--port", "/dev/no-such-port"],
        "import dosebench.link.client": [sys.executable, "-c", "import dosebench.link.client"],
        "dosebench status, PTY": [DOSEBENCH, "status", "--port", pty],
        "dosebench status, sim://": [DOSEBENCH, "status", "--port", "sim://bench"],
    }


def time_command(command: list[str], environment: dict[str, str]) -> float:
    """Seconds that a command took."""
    began = time.perf_counter()
    subprocess.run(command, env=environment, capture_output=True, check=False)
    return time.perf_counter() - began


@contextmanager
def offer_boards() -> Iterator[tuple[dict[str, str], str]]:
    """An environment, and a pseudo-terminal with a simulated board; a board named `bench` is there as well."""
    with tempfile.TemporaryDirectory() as directory:
        environment = environment_in(Path(directory))
        call = partial(subprocess.run, env=environment, check=True, capture_output=True)
        call([DOSEBENCH, "status", "--port", "sim://bench"])
        live = subprocess.Popen(
            [DOSEBENCH, "sim", "--pty", "--json"], env=environment, stdout=subprocess.PIPE, text=True
        )
        try:
            assert live.stdout is not None
            yield environment, json.loads(live.stdout.readline())["port"]
        finally:
            live.send_signal(signal.SIGINT)
            live.communicate()
            call([DOSEBENCH, "sim", "--stop", "bench"])


def environment_in(directory: Path) -> dict[str, str]:
    """Same conditions for all: bytecode of every package is cached, as after `pip install`, and there is no setting."""
    dropped = ("PYTHONDONTWRITEBYTECODE", "DOSEBENCH_PORT", "DOSEBENCH_TRACE")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | {"PYTHONPYCACHEPREFIX": str(directory / "bytecode"), "DOSEBENCH_STATE": str(directory / "state")}
