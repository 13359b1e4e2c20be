"""What a rule finds: a problem at its place that refuses a regimen, or that is shown and perhaps asked about.

Each rule is a function of `Facts` that yields findings; a rule whose figures are unknown yields nothing. An error
refuses, a warning is shown; both name the key, the line, the figure, the limit and where the limit comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from dosebench.base import units
from dosebench.base.toml_file import Key, Problem
from dosebench.base.units import DAY_MS
from dosebench.regimen.facts import Facts

FAST_DAY_NL: Final = 48 * 10**6
"""A volume a day from which rates are shown by the hour: that of the external class, not of implants."""


@dataclass(frozen=True)
class Finding:
    """A problem and whether it refuses."""

    problem: Problem
    is_error: bool


Rule = Callable[[Facts], Iterator[Finding]]


def collect_findings(facts: Facts, rules: tuple[Rule, ...]) -> Iterator[Finding]:
    """What all `rules` find."""
    for rule in rules:
        yield from rule(facts)


def make_error(facts: Facts, key: Key | str, message: str, code: str) -> Finding:
    """A finding that refuses; `key` is a path or a dotted one."""
    return Finding(facts.document.file.make_problem(_split_key(key), message, code), True)


def make_warning(facts: Facts, key: Key | str, message: str, code: str, *, confirm: bool = True) -> Finding:
    """A finding that is shown, and that a person must confirm unless `confirm` is false; `key` as in `make_error`."""
    return Finding(facts.document.file.make_problem(_split_key(key), message, code, needs_confirm=confirm), False)


def _split_key(key: Key | str) -> Key:
    return tuple(key.split(".")) if isinstance(key, str) else key


def volume_rate(rate: Fraction) -> str:
    """A rate as text, in mL/day, or in mL/h where it is a fast one."""
    return units.format_amount(rate, "mL/day" if rate * DAY_MS < FAST_DAY_NL else "mL/h")


def dose_and_volume(facts: Facts, rate: Fraction) -> str:
    """A rate as volume and, where the concentration is known, as dose."""
    if facts.concentration is None:
        return volume_rate(rate)
    return f"{facts.format_dose(rate * facts.concentration * DAY_MS)} ({volume_rate(rate)})"
