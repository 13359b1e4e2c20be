"""Mutation campaign of the firmware's scheduler, guard and therapy validation: do the tests notice?

Exits 1 when a group has fewer kills than 90 %, or a mutant survives that docs/MUTATION.md does not list.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter

from . import suite
from .mutants import ROOT, Mutant, from_cosmic_ray, planted
from .suite import Trial

GROUPS = {
    "guard": ["guard/guard.py"],
    "scheduler": ["dosing/plan.py", "dosing/schedule.py"],
    "therapy": ["dosing/therapy.py"],
}
LEAST_PERMILLE = 900
LISTED = ROOT / "docs" / "MUTATION.md"


def listed() -> set[str]:
    """Names of the survivors that docs/MUTATION.md gives a reason for: its lines that begin with a file."""
    lines = LISTED.read_text().splitlines() if LISTED.exists() else []
    return {line for line in lines if line.split(" ")[0] in suite.OWN}


def baseline(tests: list[str]) -> dict[str, float]:
    """Seconds of each test without a mutant. Ends the campaign when one fails."""
    ((_, trial),) = suite.judge([None], tests, {}, 1)
    if trial.outcome != "survived":
        sys.exit(f"the tests fail without a mutant:\n{trial.by}")
    return trial.costs


def campaign(mutants: list[Mutant], jobs: int, quick: bool, verbose: bool) -> dict[Mutant, Trial]:
    """What became of each mutant: first its file's own tests, then the whole pump's for what is left and not listed."""
    found: dict[Mutant, Trial] = {}

    def stage(title: str, tests: list[str], chosen: list[Mutant]) -> None:
        if not chosen:
            return
        costs = baseline(tests)
        print(f"{title}: {len(chosen)} mutants, {len(costs)} tests of {sum(costs.values()):.1f} s", flush=True)
        for mutant, trial in suite.judge(chosen, tests, costs, jobs):
            assert mutant is not None
            if trial.outcome == "broken":
                sys.exit(f"{mutant.name}: {trial.by}")
            found[mutant] = trial
            if verbose:
                print(f"{trial.outcome}: {mutant.name} [{trial.by}]", flush=True)

    for file, tests in suite.OWN.items():
        stage(f"{file}, own tests", tests, [mutant for mutant in mutants if mutant.file == file])
    if not quick:
        known = listed()
        left = [mutant for mutant in mutants if found[mutant].outcome == "survived" and mutant.name not in known]
        stage("whole pump", suite.WHOLE, left)
    return found


def report(found: dict[Mutant, Trial]) -> bool:
    """Print counts per file and the survivors that are not listed; return whether all is as it should be."""
    good = True
    print(f"\n{'':12}{'mutants':>8}{'killed':>8}{'timeout':>8}{'survived':>9}{'kills':>9}")
    for group, files in GROUPS.items():
        rows = [(file, [file]) for file in files] if len(files) > 1 else []
        for title, members in [*rows, (group, files)]:
            counts = Counter(trial.outcome for mutant, trial in found.items() if mutant.file in members)
            total = counts.total()
            if not total:
                continue
            permille = 1000 * (total - counts["survived"]) // total
            figures = f"{counts['killed']:8}{counts['timeout']:8}{counts['survived']:9}"
            print(f"{title:12}{total:8}{figures}{permille / 10:7.1f} %")
            good = good and (title != group or permille >= LEAST_PERMILLE)
    known = listed()
    survivors = [mutant.name for mutant, trial in found.items() if trial.outcome == "survived"]
    for name in sorted(set(survivors) - known):
        print(f"survived: {name}")
        good = False
    for name in sorted({mutant.name for mutant in found} & known - set(survivors)):
        print(f"listed, and killed now: {name}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m campaigns.mutation", description=__doc__)
    parser.add_argument("--file", choices=suite.OWN, action="append", help="only this file; may be repeated")
    parser.add_argument("--sample", type=int, metavar="N", help="only N mutants, always the same")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="mutants at a time (2)")
    parser.add_argument("--quick", action="store_true", help="only each file's own tests")
    parser.add_argument("--verbose", action="store_true", help="name what killed each mutant")
    parser.add_argument("--plant", nargs=3, action="append", metavar=("FILE", "OLD", "NEW"),
                        help="no cosmic-ray: text to replace, once in its file; may be repeated")  # fmt: skip
    chosen = parser.parse_args()
    started = time.monotonic()
    if chosen.plant:
        try:
            mutants = [planted(*plant) for plant in chosen.plant]
        except ValueError as error:
            sys.exit(str(error))
    else:
        mutants = from_cosmic_ray(chosen.file or suite.OWN, chosen.jobs)
    if chosen.sample:
        mutants = random.Random(0).sample(mutants, min(chosen.sample, len(mutants)))
    suite.prepare()
    found = campaign(mutants, chosen.jobs, chosen.quick, chosen.verbose)
    good = report(found)
    print(f"{len(found)} mutants in {time.monotonic() - started:.0f} s: {'good' if good else 'NOT GOOD'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
