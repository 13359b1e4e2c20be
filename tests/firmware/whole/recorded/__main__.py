"""Records the runs anew: `python tests/firmware/whole/recorded --write [NAME ...]`.

Without `--write` it says what differs.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[4] / "firmware"), str(Path(__file__).parents[3] / "support")]

from keeping import save  # noqa: E402
from runs import RUNS, carry_out  # noqa: E402
from test_recorded_runs import STRENGTH, difference  # noqa: E402


def main() -> int:
    """Record, or compare; 1 when something differs."""
    parser = argparse.ArgumentParser(prog="tests/firmware/whole/recorded", description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep what the runs come to now")
    parser.add_argument("--runtime", default="cpython", choices=("cpython", "unix", "wasm"))
    parser.add_argument("names", nargs="*", metavar="NAME", help="runs; all by default")
    asked = parser.parse_args()
    differ = 0
    for name in asked.names or RUNS:
        began = time.monotonic()
        made = carry_out(RUNS[name], asked.runtime)
        found = None
        if asked.write:
            save(name, made)
        else:
            found = difference(name, made, STRENGTH)
        differ += found is not None
        seconds = time.monotonic() - began
        counted = f"{made['journal']['records']} records, {len(made['events'])} events"
        print(f"{name}: {counted}, {seconds:.1f} s", flush=True)
        if found:
            print(f"  {found}")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
