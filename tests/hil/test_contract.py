"""The contract suite against every kind of pump that can be had without a board.

The default twin is not here: `pytest hil` (part of `make test`) runs the whole suite on it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dosebench.twin import persistent

SPEED = 40.0
"""How many times faster than real time the pump of `dosebench sim` lives. A session of two minutes is then 3 s
long: a host on a busy machine must not lose it between two frames."""
LIMIT_S = 300.0
SIM = [sys.executable, "-c", "from dosebench.cli.main import main; main()", "sim", "--json", f"--speed={SPEED:g}"]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pumps and the suite find their keys in a directory of the test's own."""
    monkeypatch.setenv("DOSEBENCH_STATE", str(tmp_path / "state"))


@contextmanager
def simulated(*options: str) -> Iterator[str]:
    """`dosebench sim` in a process of its own; gives the port that it offers."""
    with subprocess.Popen([*SIM, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield str(json.loads(process.stdout.readline())["port"])
        finally:
            process.terminate()


def contract(directory: Path, *options: str) -> tuple[int, list[str]]:
    """Run the contract suite in a process of its own; return how many passed, and why the others skipped."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--pyargs",
        "dosebench_hil.contract",
        "-q",
        "-rs",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*command, *options], cwd=directory, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None, done.stdout
    return int(passed[1]), re.findall(r"^SKIPPED \[\d+\] \S+ (.*)$", done.stdout, re.MULTILINE)


def test_the_twin_on_cpython(tmp_path: Path) -> None:
    passed, skipped = contract(tmp_path, "--hil-runtime", "cpython")
    assert passed > 100
    assert skipped == []


def test_the_twin_on_32_bits(tmp_path: Path) -> None:
    slice_of_each = "reads_the_program or read_back or lost_reply or hello or interval_holds or unknown_types"
    passed, skipped = contract(tmp_path, "--hil-runtime", "wasm", "-k", slice_of_each)
    assert passed > 15
    assert skipped == []


def test_a_kept_simulation(tmp_path: Path) -> None:
    try:
        passed, skipped = contract(tmp_path, "--hil-port=sim://bench")
    finally:
        persistent.remove_twin("bench")
    assert passed > 100
    assert all("leave out --hil-port, and the test makes a twin" in reason for reason in skipped)


def test_a_pump_on_a_pty_as_if_it_were_a_board(tmp_path: Path) -> None:
    with simulated("--pty") as port:
        passed, skipped = contract(tmp_path, f"--hil-port={port}", f"--hil-speed={SPEED:g}")
    assert passed > 100
    assert skipped
    assert all("leave out --hil-port" in reason for reason in skipped)


def test_a_pump_on_a_socket(tmp_path: Path) -> None:
    with simulated("--tcp=0", "--runtime=cpython") as port:
        options = (f"--hil-port={port}", f"--hil-speed={SPEED:g}", "-k", "hello or read_back or bolus_adds")
        passed, _ = contract(tmp_path, *options)
    assert passed > 5
