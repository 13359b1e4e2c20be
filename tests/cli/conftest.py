"""Fixtures of the command-line tests: a state directory of its own, and a way to run a command line in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import EXAMPLES, Ran, Run
from dosebench.cli import main
from dosebench.twin import persistent


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty state directory; simulations that were left in it lose their power afterwards."""
    directory = tmp_path / "state"
    monkeypatch.setenv("DOSEBENCH_STATE", str(directory))
    monkeypatch.delenv("DOSEBENCH_PORT", raising=False)
    yield directory
    for kept in (directory / "sims").glob("*"):
        persistent.stop_process(kept)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line; every argument is one word of it."""

    def call(*arguments: object) -> Ran:
        capsys.readouterr()
        code = main.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return call


@pytest.fixture
def c5() -> Path:
    """Baclofen 800 ug/day from 2000 ug/mL."""
    return EXAMPLES / "c5-baclofen-800.toml"


@pytest.fixture
def programmed(run: Run, c5: Path) -> str:
    """Port of a simulated pump that delivers the therapy of `c5`."""
    assert run("program", c5, "--port", "sim://bench", "--yes", "--start").code == 0
    return "sim://bench"
