"""The drug library: what doses, concentrations and storage times are usual, doubtful or refused, each with its source.

A *hard* figure refuses, a *soft* one asks a person to confirm. The library knows three drugs as examples from public
labels; directories of the user's come first and may replace or add drugs. It is material for a bench, never advice.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dosebench.base import toml_file, units
from dosebench.base.errors import DosebenchError
from dosebench.base.toml_file import TomlFile, TomlFileError
from dosebench.base.units import DAY_MS
from dosebench.profile.schema import quantity_reader

Concentration = Annotated[Fraction, quantity_reader(units.CONCENTRATION)]
Dose = Annotated[Fraction, quantity_reader(units.MASS_RATE)]
Days = Annotated[Fraction, quantity_reader(units.DURATION)]
Percent = Annotated[int, Field(strict=True, ge=1, le=1000)]


class DrugError(TomlFileError):
    """A drug file with mistakes; all of them are in `problems`."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class _Figure(_Table):
    source: Annotated[str, Field(min_length=3, max_length=200)]


class ConcentrationFigure(_Figure):
    """A concentration in ng/nL."""

    value: Concentration


class DoseFigure(_Figure):
    """A dose, or a change of dose, in ng/ms."""

    value: Dose


class StorageFigure(_Figure):
    """How long the drug keeps in a reservoir, in ms."""

    value: Days

    @property
    def days(self) -> int:
        """Whole days, rounded down."""
        return int(self.value / DAY_MS)


class PercentFigure(_Figure):
    """A change of dose in percent of the old one."""

    value: Percent


class Vials(_Figure):
    """Strengths in which the drug is sold, in ng/nL."""

    strengths: Annotated[tuple[Concentration, ...], Field(min_length=1)]


class ConcentrationLimits(_Table):
    """Limits of the concentration."""

    hard_max: ConcentrationFigure | None = None
    soft_max: ConcentrationFigure | None = None


class DoseLimits(_Table):
    """Limits of the daily dose; `usual_min` to `usual_max` is where most doses lie."""

    hard_max: DoseFigure
    soft_max: DoseFigure | None = None
    soft_min: DoseFigure | None = None
    start_max: DoseFigure | None = None
    usual_min: DoseFigure
    usual_max: DoseFigure


class ChangeLimits(_Table):
    """Limits of one change of dose, up and down."""

    hard_up: DoseFigure | None = None
    soft_up: DoseFigure | None = None
    soft_up_percent: PercentFigure | None = None
    soft_down_percent: PercentFigure | None = None


class Stability(_Table):
    """How long the drug keeps in the reservoir."""

    first_fill: StorageFigure | None = None
    diluted: StorageFigure | None = None
    undiluted: StorageFigure | None = None


class Drug(_Table):
    """One drug. `unit` is the unit in which its doses are written: "ug" or "mg"."""

    format: Literal[1]
    name: Annotated[str, Field(min_length=1, max_length=31)]
    aliases: tuple[str, ...] = ()
    unit: Literal["ug", "mg"] = "ug"
    vials: Vials
    concentration: ConcentrationLimits = ConcentrationLimits()
    dose: DoseLimits
    change: ChangeLimits = ChangeLimits()
    stability: Stability = Stability()

    def is_vial_strength(self, concentration: Fraction) -> bool:
        """Whether `concentration` (ng/nL) is within 1 % of a vial: a measured strength is seldom the round figure."""
        return any(abs(concentration / strength - 1) <= Fraction(1, 100) for strength in self.vials.strengths)

    def shortest_storage(self, *, first_fill: bool, diluted: bool) -> StorageFigure | None:
        """How long it keeps: the shortest of the figures that apply, None where none is known."""
        by_dilution = self.stability.diluted if diluted else self.stability.undiluted
        figures = [by_dilution, self.stability.first_fill if first_fill else None]
        return min((figure for figure in figures if figure), key=lambda figure: figure.value, default=None)


@dataclass(frozen=True)
class DrugLibrary:
    """Drugs by lower-case name and alias, and the file that each came from."""

    drugs: dict[str, Drug]
    files: dict[str, str]

    def find_drug(self, name: str) -> Drug | None:
        """The drug of that name or alias, in any case of letters; None where the library has none."""
        return self.drugs.get(name.strip().lower())

    def nearest_name(self, name: str) -> str | None:
        """A known name that resembles `name`, or None."""
        near = difflib.get_close_matches(name.strip().lower(), self.drugs, n=1)
        return self.drugs[near[0]].name if near else None


def user_directory() -> Path:
    """Where a user's own drug files are looked for."""
    import platformdirs  # noqa: PLC0415

    return platformdirs.user_config_path("dosebench") / "drugs"


def load_drugs(directories: Sequence[Path] | None = None) -> DrugLibrary:
    """Load the drug library.

    Args:
        directories: Where to look before the library of the package, in order; the first file with a name wins. None
            means the user's own directory.

    Raises:
        DosebenchError: One of `directories` is none.
        DrugError: A file has mistakes.
    """
    missing = [str(directory) for directory in directories or () if not directory.is_dir()]
    if missing:
        raise DosebenchError(f"no such directory of drug files: {', '.join(missing)}")
    drugs: dict[str, Drug] = {}
    files: dict[str, str] = {}
    for file in _read_files([user_directory()] if directories is None else directories):
        drug = _validate_drug(file)
        for name in (drug.name, *drug.aliases):
            if name.lower() not in drugs:
                drugs[name.lower()] = drug
                files[name.lower()] = file.name
    return DrugLibrary(drugs, files)


def _read_files(directories: Iterable[Path]) -> Iterator[TomlFile]:
    for directory in directories:
        for path in sorted(directory.glob("*.toml")):
            yield toml_file.read_toml(path)
    package = resources.files("dosebench.regimen").joinpath("library")
    for entry in sorted(package.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".toml"):
            yield toml_file.parse_toml(entry.read_text(encoding="utf-8"), f"dosebench/regimen/library/{entry.name}")


def _validate_drug(file: TomlFile) -> Drug:
    try:
        return Drug.model_validate(file.data)
    except ValidationError as error:
        raise DrugError(file.name, toml_file.from_validation(file, error)) from None
