"""The contract suite of the bench on the board files: slices of it, chosen to reach every part of a board.

All of it: `pytest --pyargs dosebench_hil.contract -p board_plugin --board rp2`, with tests/support on PYTHONPATH.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from dosebench.twin.runtimes import list_available
from fakemachine import FAMILIES

SLICE: Final = (
    "(bolus_adds or interval_holds or two_frames or reads_the_program or hello or lost_reply) and not over_days"
)
LIMIT_S: Final = 240.0


@pytest.mark.parametrize(("family", "runtime"), [("rp2", "wasm"), ("rp2", "unix"), ("esp32", "unix")])
def test_the_contract_of_the_bench(family: str, runtime: str, tmp_path: Path) -> None:
    if not list_available()[runtime]:  # type: ignore[index]
        pytest.skip(f"the {runtime} runtime is not installed here")
    assert family in FAMILIES
    chosen = "bolus_adds or lost_reply or two_frames" if runtime == "wasm" else SLICE
    command = [sys.executable, "-m", "pytest", "--pyargs", "dosebench_hil.contract", "-q", "-p", "no:cacheprovider"]
    command += ["-p", "board_plugin", f"--board={family}", f"--board-runtime={runtime}", "-k", chosen]
    path = os.pathsep.join([str(Path(__file__).parents[1] / "support"), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True,
        timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= (3 if runtime == "wasm" else 8), done.stdout
    assert "skipped" not in done.stdout
