"""One program that tests of simulations and reports share."""

from __future__ import annotations

from functools import cache

from commandline import EXAMPLES
from dosebench.regimen.check import load_regimen
from dosebench.therapy.program import Program


@cache
def example(name: str = "c5-baclofen-800") -> Program:
    """The program of an example. `c5-baclofen-800` makes a step of 0.25 uL, 500 ng, every 54 s."""
    found = load_regimen(EXAMPLES / f"{name}.toml").program
    assert found is not None
    return found
