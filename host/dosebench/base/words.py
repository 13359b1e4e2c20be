"""English for figures: one step, two steps."""

from __future__ import annotations

from typing import Final

YEAR_DAYS: Final = 365.25
"""Days of a year on average (Julian)."""


def count_noun(number: int | str, name: str) -> str:
    """A number and what it counts: "1 step", "2 steps", "0.5 days", "3 boluses".

    Args:
        number: As it is to be shown.
        name: Of one of them.
    """
    return f"{number} {name if str(number) == '1' else make_plural(name)}"


def format_days(days: float) -> str:
    """A long time for people: "7.1 years", below two years "412 days"."""
    return f"{days / YEAR_DAYS:.1f} years" if days >= 2 * YEAR_DAYS else count_noun(f"{days:.0f}", "day")


def make_plural(name: str) -> str:
    """A name for several: "steps", "boluses"."""
    return name + ("es" if name.endswith("s") else "s")
