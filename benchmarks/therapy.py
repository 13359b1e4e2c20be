"""The therapy of all measurements: case C5, baclofen 800 ug/day, a step of the motor every 54 s."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from dosebench.regimen.check import check_regimen

PROFILE: Final = "implant-40"
REGIMEN: Final = Path(__file__).parents[1] / "examples" / "c5-baclofen-800.toml"


@cache
def encode_program() -> bytes:
    """The therapy as the pump stores it."""
    checked = check_regimen(REGIMEN).program
    assert checked is not None
    return checked.encode_program()
