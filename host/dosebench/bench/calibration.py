"""The volume of a pump's step from weighings or measured volumes, with its uncertainty.

A mass of water becomes a volume by its density and the buoyancy of air; the spread of repeated runs and what the
instrument resolves become an expanded uncertainty, as the GUM (JCGM 100:2008) has it.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal

from dosebench.base import units
from dosebench.base.errors import DosebenchError

CELSIUS_MIN: Final = 0.0
CELSIUS_MAX: Final = 40.0
"""Range of the formula of `water_density`."""
RUNS_MIN: Final = 3
"""Least runs of a calibration (chosen): two agree by chance too often, and have a coverage factor of 14."""
RUNS_MAX: Final = 50
DIGITS: Final = 5
"""Significant digits of a step volume: a tenth of what any balance resolves here (chosen)."""

_AIR_G_PER_ML: Final = 0.0012
"""Density of air at 20 degrees Celsius and 1013 hPa (ISO/TR 20461)."""
_WEIGHTS_G_PER_ML: Final = 8.0
"""Density of the weights that a balance is adjusted with (OIML R 111, conventional mass)."""
_CELSIUS_OFF: Final = 0.5
"""What the temperature of the water may be off, in kelvin (chosen): half of what a room thermometer shows."""
_EXPANSION_PER_K: Final = 2.1e-4
"""Thermal expansion of water at 20 degrees Celsius (slope of `water_density` there)."""

_COVERAGE: Final = (
    *((1, 13.97), (2, 4.53), (3, 3.31), (4, 2.87), (5, 2.65), (6, 2.52), (7, 2.43), (8, 2.37), (9, 2.32), (10, 2.28)),
    *((11, 2.25), (12, 2.23), (13, 2.21), (14, 2.20), (15, 2.18), (16, 2.17), (17, 2.16), (18, 2.15), (19, 2.14)),
    *((20, 2.13), (25, 2.11), (30, 2.09), (35, 2.07), (40, 2.06), (45, 2.06), (50, 2.05), (100, 2.025)),
)
"""Coverage factors for 95.45 % by degrees of freedom: Student's t, GUM table G.2."""
_COVERAGE_NORMAL: Final = 2.0

Method = Literal["mass", "volume"]


class CalibrationError(DosebenchError):
    """Measurements from which no step volume follows."""


@dataclass(frozen=True)
class Run:
    """One run: so many steps, and the volume that they delivered, in nL."""

    steps: int
    volume_nl: float

    @property
    def step_nl(self) -> float:
        """Volume of a step, in nL."""
        return self.volume_nl / self.steps


@dataclass(frozen=True)
class Result:
    """What runs say together; volumes of one step, in nL.

    Attributes:
        runs: How many.
        steps: Steps in all of them.
        step_nl: Mean.
        spread_nl: Standard deviation of a run.
        uncertainty_nl: Expanded uncertainty of the mean, about 95 %: `coverage_factor` times its standard uncertainty.
        coverage: Student's factor for the degrees of freedom.
    """

    runs: int
    steps: int
    step_nl: float
    spread_nl: float
    uncertainty_nl: float
    coverage: float

    def rounded_nl(self) -> Fraction:
        """The mean with as many digits as are kept."""
        return Fraction(f"{self.step_nl:.{DIGITS}g}")


def water_density(celsius: float) -> float:
    """Density of air-free water at 1013 hPa, in g/mL.

    Formula and constants: Tanaka and others, Metrologia 38 (2001) 301, table 1, which is what the CIPM recommends.
    Its range is 0 to 40 degrees Celsius.

    Raises:
        CalibrationError: Outside that range.
    """
    if not CELSIUS_MIN <= celsius <= CELSIUS_MAX:
        raise CalibrationError(f"water at {celsius:g} degrees Celsius: its density is known from 0 to 40")
    off = celsius - 3.983035
    return 0.999974950 * (1 - off * off * (celsius + 301.797) / (522_528.9 * (celsius + 69.34881)))


def volume_nl(mass_mg: float, celsius: float) -> float:
    """Volume of water that shows `mass_mg` on a balance, in nL.

    ISO 8655-6 with the factor Z of ISO/TR 20461: the balance shows less than the mass by the buoyancy of air.
    """
    density = water_density(celsius)
    buoyancy = (1 - _AIR_G_PER_ML / _WEIGHTS_G_PER_ML) / (1 - _AIR_G_PER_ML / density)
    return mass_mg * 1000 / density * buoyancy


def evaluate_runs(runs: Sequence[Run], resolution_nl: float = 0.0, *, weighed: bool = True) -> Result:
    """Mean, spread and expanded uncertainty.

    Args:
        runs: At least `RUNS_MIN`.
        resolution_nl: Volume of one digit of the instrument. Two readings make a run, tare and result; each is off by
            up to half a digit, evenly spread (GUM 4.3.7), so that a run is off by a digit over the root of six.
        weighed: Whether volumes come from masses: then the temperature of the water counts too.

    Raises:
        CalibrationError: Too few runs, or one that delivered nothing.
    """
    if not RUNS_MIN <= len(runs) <= RUNS_MAX:
        raise CalibrationError(f"{len(runs)} runs: a calibration takes {RUNS_MIN} to {RUNS_MAX}")
    if any(run.steps < 1 or run.volume_nl <= 0 for run in runs):
        raise CalibrationError("a run without steps, or without volume, measures nothing")
    each = [run.step_nl for run in runs]
    count = len(each)
    mean = math.fsum(each) / count
    variance = math.fsum((one - mean) ** 2 for one in each) / (count - 1)
    read = resolution_nl / math.sqrt(6) * count / math.fsum(run.steps for run in runs)
    warmth = mean * _EXPANSION_PER_K * _CELSIUS_OFF / math.sqrt(3) if weighed else 0.0
    of_mean = variance / count
    total = of_mean + read**2 + warmth**2
    # Welch and Satterthwaite (GUM G.2): only the spread has few degrees of freedom.
    freedom = total**2 / (of_mean**2 / (count - 1)) if of_mean else math.inf
    factor = coverage_factor(freedom)
    steps = sum(run.steps for run in runs)
    return Result(count, steps, mean, math.sqrt(variance), factor * math.sqrt(total), factor)


def coverage_factor(freedom: float) -> float:
    """Factor for 95.45 % with so many degrees of freedom, rounded down to the next row of the table."""
    if freedom > _COVERAGE[-1][0]:
        return _COVERAGE_NORMAL
    return next(factor for row, factor in reversed(_COVERAGE) if row <= freedom)


def measured_nl(text: str, celsius: float) -> tuple[float, Method]:
    """Volume in nL of what somebody read: a mass of water ("261.3 mg") or a volume ("0.26 mL"). Raises UnitError."""
    quantity = units.parse_quantity(text, units.MASS, units.VOLUME)
    if quantity.dimension is units.MASS:
        return volume_nl(float(units.in_unit(quantity.value, "mg")), celsius), "mass"
    return float(quantity.value), "volume"


def from_csv(path: Path, celsius: float) -> tuple[list[Run], Method]:
    """Runs that were recorded elsewhere.

    The file has a line of names: `steps`, and `mass_mg` or `volume_ul`; with masses also `celsius`, where the water's
    temperature was not the same in all runs.

    Raises:
        CalibrationError: Names the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise CalibrationError(f"{path}: not UTF-8 text", hint="save it as CSV (comma delimited), UTF-8") from None
    # Not splitlines(), which also breaks at characters that are no end of a line in a CSV file.
    table = csv.DictReader(text.split("\n"))
    names = set(table.fieldnames or ())
    given = names & {"mass_mg", "volume_ul"}
    if "steps" not in names or len(given) != 1:
        raise CalibrationError(f"{path}: its first line must name steps, and either mass_mg or volume_ul")
    (column,) = given
    runs = [_parse_row(path, table.line_num, row, column, celsius) for row in table]
    return runs, "mass" if column == "mass_mg" else "volume"


def _parse_row(path: Path, line: int, row: dict[str, str], column: str, celsius: float) -> Run:
    try:
        steps, amount = int(row["steps"]), float(row[column])
        warmth = float(row.get("celsius") or celsius)
    except (TypeError, ValueError):
        raise CalibrationError(f"{path}: line {line}: every figure must be a number without a unit") from None
    if not (math.isfinite(amount) and amount > 0 and steps > 0):
        raise CalibrationError(f"{path}: line {line}: steps and {column} must be above zero")
    return Run(steps, volume_nl(amount, warmth) if column == "mass_mg" else amount * 1000)
