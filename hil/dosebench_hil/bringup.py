"""Bringing up the one bench of a session: it works, or one test fails with the reason and the rest skip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from dosebench.base.errors import DosebenchError

from dosebench_hil.bench import DEFAULT_PROFILE, Bench, PortBench, TwinBench, TwinOptions

if TYPE_CHECKING:
    from dosebench.twin.runtimes import RuntimeName


@dataclass(frozen=True)
class Options:
    """The `--hil-*` options."""

    port: str | None
    baud: int
    speed: float
    runtime: RuntimeName | None
    profile: str | None
    seed: int

    def open_bench(self) -> Bench:
        """The bench that the options ask for. Raises DosebenchError."""
        if self.port is not None:
            return PortBench(self.port, self.baud, self.profile, self.speed)
        return TwinBench(TwinOptions(self.profile or DEFAULT_PROFILE, self.runtime, self.seed, self.baud))


class BringUp:
    """The bench of this session."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._bench: Bench | None = None
        self._broken: str | None = None

    def ready_bench(self) -> Bench:
        """The bench with its pump in the known state.

        The first time that this does not work the test fails with the explanation; after that every test skips. Nothing
        is tried again: a board that comes and goes is a finding.
        """
        if self._broken is not None:
            pytest.skip(f"the bench is down since an earlier test: {self._broken}")
        explanation = ""
        try:
            if self._bench is None:
                self._bench = self._options.open_bench()
            else:
                self._bench.renew_pump()
        except DosebenchError as error:
            self._broken = str(error)
            explanation = explain_error(error)
        if explanation or self._bench is None:
            pytest.fail(explanation, pytrace=False)
        return self._bench

    def read_transcript(self) -> tuple[str, ...]:
        """The last frames of the pump, decoded, oldest first."""
        return self._bench.line.read_transcript() if self._bench is not None else ()

    def close(self) -> None:
        """Let go of the pump. One that was lost is not asked to stop: that it was lost has been reported."""
        if self._bench is None:
            return
        if self._broken is None:
            self._bench.close()
        else:
            self._bench.client.close()


def explain_error(error: DosebenchError) -> str:
    """The error, what to do about it, and the frames that led to it."""
    lines = [f"no pump to test: {error}"]
    if error.hint:
        lines.append(f"what to do: {error.hint}")
    transcript = getattr(error, "transcript", ())
    if transcript:
        lines += ["the last frames:", *(f"  {line}" for line in transcript)]
    return "\n".join(lines)
