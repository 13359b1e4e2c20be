"""A bug that is planted in the firmware turns the check red, and so does one that no test notices."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

BUGS = [
    ("guard/guard.py", "if steps > self._hour.room()", "if steps >= self._hour.room()"),
    ("guard/guard.py", "if dose > window.room()", "if dose > window.room() + 1"),
    ("guard/guard.py", "self._counts[self._at] += part", "self._counts[self._at] += 0"),
    ("guard/guard.py", "self.sum += part", "pass"),
    ("guard/guard.py", "self._bridged += old", "self._bridged += 0"),
    ("guard/guard.py", "self._day.add_steps(steps)", "pass"),
    ("guard/guard.py", "if not self._enabled or not self.limits_intact()", "if not self._enabled"),
    ("dosing/therapy.py", "if not duration <= self.patient_lockout_ms", "if not duration < self.patient_lockout_ms"),
    ("dosing/therapy.py", "if steps < self._window_steps(", "if steps <= self._window_steps("),
]


def check(*plants: tuple[str, str, str]) -> subprocess.CompletedProcess[str]:
    """Judge planted bugs by the own tests of their files."""
    words = [word for plant in plants for word in ("--plant", *plant)]
    command = [sys.executable, "-m", "campaigns.mutation", "--quick", "--verbose", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.requirement("R5")
def test_every_planted_bug_is_noticed() -> None:
    done = check(*BUGS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\nkilled: ") == len(BUGS)
    assert "survived: " not in done.stdout


def test_a_change_that_no_test_notices_is_red() -> None:
    done = check(("guard/guard.py", "self._check = _MASK - limit", "self._check = _MASK ^ limit"))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "survived: guard/guard.py planted: self._check = _MASK - limit -> self._check = _MASK ^ limit" in done.stdout


def test_a_bug_for_a_line_that_is_gone_is_red() -> None:
    done = check(("guard/guard.py", "no such line", "another"))
    assert done.returncode == 1
    assert "is there 0 times, not once" in done.stderr
