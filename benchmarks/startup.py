"""Start-up times, interleaved so that a busy machine slows all alike: `make bench`.

`dosebench --help` and `dosebench status` must start no slower than `mpremote --help`. The status is of a named simulated
pump, so it includes the exchange over the (simulated) serial line; `status, no port` is the command line alone.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

ROUNDS: Final = 15
BIN: Final = Path(sys.executable).parent
COMMANDS: Final = {
    "python": [sys.executable, "-c", "pass"],
    "mpremote --help": [str(BIN / "mpremote"), "--help"],
    "dosebench --help": [str(BIN / "dosebench"), "--help"],
    "dosebench status --help": [str(BIN / "dosebench"), "status", "--help"],
    "dosebench status, no port": [str(BIN / "dosebench"), "status", "--port", "/dev/no-such-port"],
    "dosebench status, sim://": [str(BIN / "dosebench"), "status", "--port", "sim://bench"],
}


def main() -> int:
    """Measure, print the medians, and return 1 when a command is slower than mpremote."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as state:
        environment = os.environ | {"DOSEBENCH_STATE": state}
        subprocess.run(COMMANDS["dosebench status, sim://"], env=environment, check=True, capture_output=True)
        try:
            for _ in range(ROUNDS):
                for name, command in COMMANDS.items():
                    began = time.perf_counter()
                    subprocess.run(command, env=environment, capture_output=True, check=False)
                    times[name].append(time.perf_counter() - began)
        finally:
            stop = [str(BIN / "dosebench"), "sim", "--stop", "bench"]
            subprocess.run(stop, env=environment, check=False, capture_output=True)
    for name, values in times.items():
        print(f"{name:<28} {1000 * statistics.median(values):6.1f} ms  (least {1000 * min(values):.1f})")
    limit = statistics.median(times["mpremote --help"])
    slow = [name for name in COMMANDS if statistics.median(times[name]) > limit]
    if slow:
        print(f"slower than mpremote --help: {', '.join(slow)}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
