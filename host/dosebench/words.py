"""English for figures: one step, two steps."""

from __future__ import annotations


def counted(number: int | str, name: str) -> str:
    """A number and what it counts: "1 step", "2 steps", "0.5 days", "3 boluses".

    Args:
        number: As it is to be shown.
        name: Of one of them.
    """
    return f"{number} {name if str(number) == '1' else plural(name)}"


def plural(name: str) -> str:
    """A name for several: "steps", "boluses"."""
    return name + ("es" if name.endswith("s") else "s")
