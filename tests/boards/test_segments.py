"""The flash contract on files: a real littlefs in memory, cut at each operation of its block device."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from dosebench.image.source import firmware_dir
from dosebench.twin.runtimes import list_available

pytestmark = pytest.mark.skipif(not list_available()["unix"], reason="the unix MicroPython is not installed here")
PROBE: Final = Path(__file__).with_name("segments_probe.py")


@pytest.fixture(scope="module")
def told() -> dict[str, list[str]]:
    """What the probe says: words of each line by its first one."""
    argv = ["micropython", "-X", "heapsize=4M", str(PROBE), str(firmware_dir())]
    command = [sys.executable, "-c", f"import sys, micropython_unix as m; sys.argv = {argv!r}; m.main()"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stdout + done.stderr
    return {line[0]: line[1:] for line in lines}


@pytest.mark.requirement("R54")
def test_a_power_cut_anywhere_leaves_what_was_reported(told: dict[str, list[str]]) -> None:
    cuts, bad = map(int, told["cuts"])
    assert cuts > 100
    assert bad == 0, told


def test_a_record_costs_about_one_erase(told: dict[str, list[str]]) -> None:
    erases_permille, programs_permille = map(int, told["cost"])
    # DESIGN 4 measured 1.05 for each flush.
    assert 900 < erases_permille < 1_100
    assert programs_permille < 12_000


def test_a_sector_that_was_never_written_costs_nothing(told: dict[str, list[str]]) -> None:
    """To look for its file took an emulated Pico 30 ms, at each boot for each of sixty."""
    assert told["missing"] == ["0", "True"]
    assert told["there"] == ["True"]


def test_a_full_file_system_is_seen_by_reading_back(told: dict[str, list[str]]) -> None:
    assert told["full"] == ["True", "True"]
