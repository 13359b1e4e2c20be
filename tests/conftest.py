"""Hypothesis profiles: the same examples at every run of CI, new ones on a developer's machine, many in a campaign,
few for each mutant of `make mutation`.

No test has a deadline: machines differ, and durations are judged in benchmarks/.

Each worker of pytest-xdist stays on a core of its own, with all processes that its tests start: a word between a test
and its firmware then costs a seventh (`dosebench.twin.twin.one_core`).
"""

from __future__ import annotations

import os

from hypothesis import Phase, settings

settings.register_profile("developer", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("campaign", deadline=None, print_blob=True, max_examples=2_000)
settings.register_profile(
    "mutation", deadline=None, derandomize=True, database=None, max_examples=40, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile(os.environ.get("DOSEBENCH_HYPOTHESIS", "ci" if os.environ.get("CI") else "developer"))


def _stay_on_a_core() -> None:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    if worker.isdecimal() and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker) % len(cores)]})


_stay_on_a_core()
