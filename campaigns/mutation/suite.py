"""The tests that judge mutants, run in forked children of a process that has imported all but the pump."""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any, Literal

import pytest

from .mutants import PUMP, ROOT, Mutant

FIRMWARE = "tests/firmware/"
OWN = {
    "guard/guard.py": [f"{FIRMWARE}guard/test_guard.py"],
    "dosing/plan.py": [f"{FIRMWARE}dosing/test_plan_alone.py"],
    "dosing/schedule.py": [f"{FIRMWARE}dosing/test_schedule.py"],
    "dosing/therapy.py": [f"{FIRMWARE}dosing/test_therapy.py"],
}
"""A file's own tests: the first stage."""

WHOLE = [f"{FIRMWARE}whole/test_{name}.py" for name in ("small_ints", "pump", "cases", "exact", "modes", "adversary")]
"""The second stage, for what survives the first: the whole pump."""

ELSEWHERE = ("all_three", "every_runtime")
"""Tests that run the files on disk in other interpreters, and so never see a mutant."""

HEAVY = (
    "hypothesis.strategies",
    "dosebench.link.client",
    "dosebench.twin.serial_port",
    "dosebench.regimen.check",
    "dosebench.therapy.reference_pump",
    "dosebench.twin.persistent",
    "dosebench.twin.twin",
    "dosebench_protocol.records",
    "dosebench_hil.plugin",
)
MEMORY = 2 << 30
WALL_S = 900
Outcome = Literal["killed", "timeout", "survived", "broken"]


@dataclass
class Trial:
    """What a suite said of a mutant.

    Attributes:
        by: The test that failed or hung; for `broken` what pytest printed.
        costs: Seconds of processor time of each test that ran.
    """

    outcome: Outcome
    by: str = ""
    costs: dict[str, float] = field(default_factory=dict)


class _Planted(MetaPathFinder, Loader):
    """Imports the mutant in the place of the pump's own file."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._module = f"pump.{mutant.file.removesuffix('.py').replace('/', '.')}"

    def find_spec(self, fullname: str, *_: Any) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname == self._module else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._mutant.source, str(PUMP / self._mutant.file), "exec"), vars(module))


class _Watch:
    """Orders the tests from cheap to dear, stops one that takes far longer than without a mutant, says who failed."""

    def __init__(self, link: Connection, mutant: Mutant | None, costs: dict[str, float]) -> None:
        self._link = link
        self._mutant = mutant
        self._expected = costs
        self._now = ""
        self.costs: dict[str, float] = {}
        self.failed = ""
        signal.signal(signal.SIGVTALRM, self._too_long)

    def pytest_sessionstart(self) -> None:
        # Only now: in front of pytest's own importer, which would take the file on disk.
        if self._mutant:
            sys.meta_path.insert(0, _Planted(self._mutant))

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if not any(word in item.nodeid for word in ELSEWHERE)]
        items.sort(key=lambda item: self._expected.get(item.nodeid, 0))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._now = item.nodeid
        limit = 1.5 + 8 * self._expected[item.nodeid] if self._expected else 0
        started = time.process_time()
        signal.setitimer(signal.ITIMER_VIRTUAL, limit)
        result = yield
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        self.costs[item.nodeid] = time.process_time() - started
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed = report.nodeid

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        # What pytest would still tidy up takes as long as a mutant.
        if self._mutant and exitstatus == pytest.ExitCode.OK:
            self._answer(Trial("survived"))
        if self._mutant and exitstatus in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED):
            self._answer(Trial("killed", self.failed or "import"))

    def _answer(self, trial: Trial) -> None:
        self._link.send(trial)
        os._exit(0)

    def _too_long(self, *_: object) -> None:
        self._answer(Trial("timeout", self._now))


def _run(link: Connection, mutant: Mutant | None, tests: Sequence[str], costs: dict[str, float]) -> None:
    with tempfile.TemporaryFile() as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        os.environ["DOSEBENCH_HYPOTHESIS"] = "mutation"
        os.chdir(ROOT)
        watch = _Watch(link, mutant, costs)
        # Plain assertions: pytest's own take longer to compile than most mutants to judge.
        flags = ["-x", "-q", "--assert=plain", "--tb=short" if mutant is None else "--tb=no"]
        code = int(pytest.main([*flags, "-p", "no:cacheprovider", "-p", "no:xdist", *tests], plugins=[watch]))
        sys.stdout.flush()
        if code == pytest.ExitCode.OK:
            link.send(Trial("survived", costs=watch.costs))
        else:
            output.seek(0)
            link.send(Trial("broken", output.read().decode(errors="replace")))
    os._exit(0)


def prepare() -> None:
    """Import what the tests need, but nothing of the pump."""
    for name in HEAVY:
        importlib.import_module(name)
    assert "pump" not in sys.modules
    gc.freeze()


def judge(
    mutants: Iterable[Mutant | None], tests: Sequence[str], costs: dict[str, float], jobs: int
) -> Iterator[tuple[Mutant | None, Trial]]:
    """Run the tests on each mutant (None: on the files as they are), as they end."""
    context = multiprocessing.get_context("fork")
    running: dict[Connection, tuple[Mutant | None, BaseProcess, float]] = {}
    waiting = iter(mutants)
    more = True
    while more or running:
        while more and len(running) < jobs:
            try:
                mutant = next(waiting)
            except StopIteration:
                more = False
                break
            near, far = context.Pipe(duplex=False)
            fork = context.Process(target=_run, args=(far, mutant, tests, costs))
            fork.start()
            far.close()
            running[near] = (mutant, fork, time.monotonic())
        ready = set(wait(list(running), timeout=1))
        for link, (mutant, child, started) in list(running.items()):
            late = time.monotonic() - started > WALL_S
            if link not in ready and not late:
                continue
            if late:
                child.kill()
            yield mutant, _answer(link, late)
            child.join()
            link.close()
            del running[link]


def _answer(link: Connection, late: bool) -> Trial:
    if late:
        return Trial("timeout", "all of it")
    try:
        answer: Trial = link.recv()
    except EOFError:
        # The interpreter itself fell: out of memory, or stack.
        return Trial("killed", "a crash")
    return answer
