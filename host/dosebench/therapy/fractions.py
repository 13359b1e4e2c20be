"""Fractions that the firmware can hold: numerator and denominator both at most 2^29, chosen so that a limit is kept.

What rounding a rate to such a fraction costs is reported in steps over ten years.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from dosebench_protocol.tables import FRACTION_MAX

from dosebench.base.errors import DosebenchError
from dosebench.base.units import DAY_MS

TEN_YEARS_MS: Final = 3652 * DAY_MS + DAY_MS // 2
"""Ten mean years of 365.25 days."""

ROUNDING_STEPS_MAX: Final = Fraction(1, 1000)
"""Rounding of a rate above this, in steps over ten years, is worth a warning."""


class ProgramError(DosebenchError):
    """A program that the pump cannot store, or bytes that are no program."""


def best_fraction(value: Fraction) -> Fraction:
    """The fraction nearest to `value` whose numerator and denominator are both at most 2^29.

    Best approximation by continued fractions (`Fraction.limit_denominator`), of the value itself below one and of its
    reciprocal above. Order is kept: a value on one side of a fraction that fits stays on that side.

    Raises:
        ProgramError: `value` is negative, too large, or so small that nothing but zero is left of it.
    """
    if value == 0:
        return Fraction(0)
    small = value if value < 1 else 1 / value
    near = small.limit_denominator(FRACTION_MAX)
    if value < 0 or near == 0:
        raise ProgramError(f"{float(value):g} steps per ms cannot be written as a fraction of whole numbers below 2^29")
    return near if value < 1 else 1 / near


def best_fraction_within(value: Fraction, limit: Fraction) -> Fraction:
    """The best fraction for `value` that is not above `limit`; `limit` itself may be no fraction that fits.

    Args:
        value: What was asked for, below one.
        limit: What must not be passed, from 2^-28 up to below one.

    Returns:
        `best_fraction(value)` where that is within the limit, else the largest fraction within it whose numerator and
        denominator are at most 2^29: the left neighbour, in the Farey sequence of that order, of the nearest one.
    """
    near = best_fraction(min(value, limit))
    if near <= limit:
        return near
    inverse = pow(near.numerator, -1, near.denominator)
    den = inverse + near.denominator * ((FRACTION_MAX - inverse) // near.denominator)
    return Fraction(near.numerator * den - 1, near.denominator * den)


def rounding_steps(exact: Fraction, used: Fraction) -> Fraction:
    """How many steps the fraction `used` (steps per ms) gains over `exact` in ten years; negative where it loses."""
    return (used - exact) * TEN_YEARS_MS


def fit_fraction(value: Fraction) -> Fraction:
    """`value` itself, if the firmware can hold it exactly.

    Raises:
        ProgramError: Its numerator or denominator is above 2^29.
    """
    if max(value.numerator, value.denominator) > FRACTION_MAX:
        raise ProgramError(f"{float(value):g} ng in a step has too many digits for the pump; round the concentration")
    return value
