"""A pump whose step volume was measured."""

from __future__ import annotations

from fractions import Fraction

from dosebench.base import units
from dosebench.base.toml_file import Problem
from dosebench.profile.model import Profile, ProfileError
from dosebench.profile.rules import measured_faults


def calibrate_profile(pump: Profile, step_nl: Fraction) -> Profile:
    """This pump with a step volume that was measured, in nL; contents and caps round down to whole steps of it.

    Raises:
        ProfileError: The firmware cannot take what follows from it.
    """
    if step_nl == pump.delivery.step_volume:
        return pump
    delivery = pump.delivery.model_copy(update={"step_volume": step_nl})
    measured = pump.model_copy(update={"delivery": delivery})
    faults = [Problem("", 1, message, "contradiction") for message in measured_faults(measured)]
    if faults:
        raise ProfileError(f"{pump.name} with a step of {units.format_amount(step_nl, 'uL')}", faults)
    return measured
