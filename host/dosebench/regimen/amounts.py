"""Amounts of an order: volumes, masses and times in the numbers of the pump."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from dosebench_protocol.tables import FRACTION_MAX

from dosebench.base import units
from dosebench.base.units import Quantity

SPAN_MS_MAX: Final = FRACTION_MAX
"""Longest duration of a bolus that the pump can hold, in ms: six days."""


def as_volume(quantity: Quantity | None, concentration: Fraction | None) -> Fraction | None:
    """A volume, or a volume per time, of a quantity that is one or a drug mass (per time); None where not known."""
    if quantity is None:
        return None
    if quantity.dimension in (units.VOLUME, units.VOLUME_RATE):
        return quantity.value
    return quantity.value / concentration if concentration else None


def as_mass(quantity: Quantity | None, concentration: Fraction | None) -> Fraction | None:
    """The drug mass (per time) of a quantity that is one or a volume (per time); None where not known."""
    if quantity is None:
        return None
    if quantity.dimension in (units.MASS, units.MASS_RATE):
        return quantity.value
    return quantity.value * concentration if concentration else None


def exact_ms(quantity: Quantity | None) -> int | None:
    """A duration that the pump can hold: whole milliseconds from 1 to 2^29; None for any other."""
    if quantity is None or quantity.value.denominator != 1 or not 1 <= quantity.value <= SPAN_MS_MAX:
        return None
    return int(quantity.value)
