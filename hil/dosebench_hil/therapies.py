"""The small therapy of the tests: as fast as a pump of the given profile may go all day, with a short bolus.

Its drug is no drug and in no library. Never for people.
"""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dosebench.regimen.check import load_regimen

if TYPE_CHECKING:
    from dosebench.profile.model import Profile
    from dosebench.therapy.program import Program

CONCENTRATION_UG_PER_ML: Final = 100
BOLUS_STEPS_MAX: Final = 24
_DAY_MS: Final = 86_400_000


def regimen_text(profile: Profile) -> str:
    """A regimen file for this profile.

    The basal takes nine tenths of what the daily hard cap and the highest rate allow, so that a step comes every few
    seconds; a bolus runs at the highest rate.
    """
    delivery, caps = profile.delivery, profile.caps
    day_nl = Fraction(9, 10) * min(caps.day, delivery.rate_max * _DAY_MS)
    return f"""format = 1
title = "Test therapy of the bench"
profile = "{profile.name}"

[drug]
name = "bench fluid"
concentration = "{CONCENTRATION_UG_PER_ML} ug/mL"

[reservoir]
filled = "{_format_ml(profile.reservoir.capacity)} mL"

[therapy]
mode = "continuous"
dose = "{_format_ml(day_nl)} mL/day"

[bolus]
max = "{_format_ug(BOLUS_STEPS_MAX * delivery.step_volume)} ug"
rate = "{_format_ml(delivery.rate_max * _DAY_MS)} mL/day"

[limits]
per_hour = "{_format_ug(caps.hour)} ug"
per_day = "{_format_ug(caps.day)} ug"
"""


def write_regimen(profile: Profile, path: Path) -> Path:
    """Write the regimen file of this profile to `path`."""
    path.write_text(regimen_text(profile), encoding="utf-8")
    return path


def build_program(path: Path) -> Program:
    """The program of a regimen file that has no mistakes. Raises RegimenError."""
    program = load_regimen(path).program
    assert program is not None
    return program


def _format_ml(nanolitres: Fraction) -> str:
    return f"{math.floor(nanolitres) / 1_000_000:.6f}"


def _format_ug(nanolitres: Fraction) -> str:
    return f"{math.floor(nanolitres) * CONCENTRATION_UG_PER_ML / 1_000_000:.6f}"
