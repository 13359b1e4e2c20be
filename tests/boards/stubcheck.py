"""Type checks the firmware against the MicroPython stubs of each family: `python tests/boards/stubcheck.py DIRECTORY`.

The directory holds one directory of stubs for each family: they share top-level files. `make stubs` installs them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from dosebench.image.build import build_image
from dosebench.image.source import firmware_dir

FAMILIES: Final = ("rp2", "esp32")
CONFIG: Final = Path(__file__).with_name("stubs.ini").resolve()


def check(family: str, stubs: Path, cache: Path) -> int:
    """Check all files that a family's firmware has, and the selector; return mypy's exit code."""
    files = ["selector.py", *build_image(family, "source")]
    command = [sys.executable, "-m", "mypy", "--config-file", str(CONFIG), "--custom-typeshed-dir", str(stubs)]
    command += ["--cache-dir", str(cache / family), *files]
    environment = {"MYPYPATH": str(stubs), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=firmware_dir(), env=environment, check=False).returncode


def main() -> int:
    stubs = Path(sys.argv[1]).resolve()
    cache = Path(".mypy_cache").resolve() / "stubs"
    return max(check(family, stubs / family, cache) for family in FAMILIES)


if __name__ == "__main__":
    sys.exit(main())
