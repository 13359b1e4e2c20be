"""Regimen files: what a clinician orders, as TOML with a unit at every figure.

`read` gives a file's content together with every mistake of form in it; `Regimen` is the complete order in exact base
units, which `dosebench.check` builds once nothing is wrong. `docs/REGIMEN.md` describes the format key by key.

Volumes are in nL, drug masses in ng, rates in nL/ms, concentrations in ng/nL, all as `fractions.Fraction`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, ValidationError

from dosebench import tomlfile, units
from dosebench.profile import OnLow
from dosebench.tomlfile import Key, Problem, TomlFile, TomlFileError
from dosebench.units import Quantity

FORMAT: Final = 1
"""Version of the file format, the value of its key `format`."""

DRUG_BYTES_MAX: Final = 31
"""Longest drug name, in bytes of UTF-8: it travels to the pump and back."""

THERAPY_ID_BYTES: Final = 8
"""Length of the name by which pump and host know a regimen, in bytes."""

LATER_TABLES: Final = {
    "flex": "a daily pattern",
    "periodic_bolus": "a periodic bolus",
    "patient_bolus": "a patient bolus",
    "square_bolus": "a square bolus",
    "titration": "a titration",
    "bridge": "a bridge bolus",
    "catheter": "a catheter",
}
"""Tables of modes that this version does not deliver; they are refused with that reason, never ignored."""

REQUIRED: Final[tuple[tuple[str, ...], ...]] = (
    ("format",),
    ("profile",),
    ("drug", "name"),
    ("drug", "concentration"),
    ("reservoir", "filled"),
    ("therapy", "mode"),
)
"""Keys that every regimen has; `therapy.dose` and `bolus.max` depend on others, see `_missing`."""

Mode = Literal["continuous", "minimum_rate", "stopped"]


class RegimenError(TomlFileError):
    """A regimen with mistakes; all of them are in `problems`."""


def _quantity(*dimensions: units.Dimension) -> BeforeValidator:
    return BeforeValidator(lambda text: units.parse(text, *dimensions))


def _drug_name(name: object) -> object:
    if not isinstance(name, str):
        return name
    length = len(name.encode())
    if not 1 <= length <= DRUG_BYTES_MAX or not name.isprintable():
        raise ValueError(f"must be 1 to {DRUG_BYTES_MAX} bytes of printable text, this is {length}")
    return name


Volume = Annotated[Quantity | None, _quantity(units.VOLUME)]
Concentration = Annotated[Quantity | None, _quantity(units.CONCENTRATION)]
Amount = Annotated[Quantity | None, _quantity(units.MASS, units.VOLUME)]
Rate = Annotated[Quantity | None, _quantity(units.MASS_RATE, units.VOLUME_RATE)]


class _Table(BaseModel):
    """A table whose keys may be absent; `REQUIRED` says what must be there, so that one look finds all mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DrugTable(_Table):
    """`[drug]`: `diluted` is None where the file leaves it to the vial strengths."""

    name: Annotated[str | None, BeforeValidator(_drug_name)] = None
    concentration: Concentration = None
    diluted: StrictBool | None = None


class ReservoirTable(_Table):
    """`[reservoir]`: volumes; `low` and `empty` come from the profile where they are None."""

    filled: Volume = None
    low: Volume = None
    empty: Volume = None
    first_fill: StrictBool = False


class TherapyTable(_Table):
    """`[therapy]`: rates are of drug or of volume, by their unit."""

    mode: Mode | None = None
    dose: Rate = None
    minimum: Rate = None


class BolusTable(_Table):
    """`[bolus]`: what a clinician's single bolus may be at most, and how fast it goes."""

    max: Amount = None
    rate: Rate = None


class LimitsTable(_Table):
    """`[limits]`: caps that the pump holds over any hour and any 24 hours, and what a low reservoir does."""

    per_hour: Amount = None
    per_day: Amount = None
    on_low: OnLow | None = None


class RegimenFile(_Table):
    """The content of a regimen file, in which anything may still be missing."""

    format: Literal[1] | None = None
    title: Annotated[str, Field(max_length=120)] = ""
    profile: str | None = None
    drug: DrugTable = DrugTable()
    reservoir: ReservoirTable = ReservoirTable()
    therapy: TherapyTable = TherapyTable()
    bolus: BolusTable | None = None
    limits: LimitsTable = LimitsTable()


@dataclass(frozen=True)
class Document:
    """A regimen file as read.

    Attributes:
        file: Where each key stands.
        content: What could be read; keys with mistakes of form are None.
        problems: Every mistake of form: values, unknown and missing keys.
    """

    file: TomlFile
    content: RegimenFile
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Regimen:
    """A complete order, in exact base units.

    Attributes:
        title: What the file calls it.
        profile: Name of the pump profile that it was written for.
        drug: Name of the drug as the pump will show it.
        concentration: ng/nL, above zero.
        filled, low, empty: What the reservoir is filled with, and its alarm levels, in nL.
        mode: Basal mode.
        basal: Rate of mode "continuous" in nL/ms; zero in the other modes.
        minimum: Rate of mode "minimum_rate" and of `on_low = "minimum_rate"`, in nL/ms.
        bolus_max: Largest clinician bolus in nL; zero where there is none.
        bolus_rate: Its rate in nL/ms, above zero; the profile's default where there is no bolus.
        hour_cap, day_cap: Most drug in any hour and any 24 hours, in ng.
        stability_days: Days for which the drug keeps in the reservoir; zero where no figure is known.
        on_low: What a low reservoir does to the basal.
    """

    title: str
    profile: str
    drug: str
    concentration: Fraction
    filled: Fraction
    low: Fraction
    empty: Fraction
    mode: Mode
    basal: Fraction
    minimum: Fraction
    bolus_max: Fraction
    bolus_rate: Fraction
    hour_cap: Fraction
    day_cap: Fraction
    stability_days: int
    on_low: OnLow

    @property
    def rate(self) -> Fraction:
        """Basal rate that the mode delivers, in nL/ms."""
        return {"continuous": self.basal, "minimum_rate": self.minimum, "stopped": Fraction(0)}[self.mode]

    def therapy_id(self) -> bytes:
        """Eight bytes of the SHA-256 of the order: the same order has the same id, however its file is written."""
        content = {name: str(value) for name, value in asdict(self).items() if name != "title"}
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).digest()[:THERAPY_ID_BYTES]


def read(path: Path) -> Document:
    """Read a regimen file with all its mistakes of form.

    Raises:
        DosebenchError: It cannot be read.
        TomlFileError: It is not TOML; names line and column.
    """
    return from_file(tomlfile.read(path))


def from_file(file: TomlFile) -> Document:
    """The document in an already parsed file."""
    data = deepcopy(file.data)
    problems = list(_missing(file))
    try:
        content = RegimenFile.model_validate(data)
    except ValidationError as error:
        problems += _problems(file, error)
        for item in error.errors():
            _prune(data, tuple(item["loc"]))
        content = RegimenFile.model_validate(data)
    return Document(file, content, tuple(sorted(problems, key=lambda problem: problem.line)))


def _missing(file: TomlFile) -> Iterator[Problem]:
    required = list(REQUIRED)
    if _get(file.data, ("therapy", "mode")) == "continuous":
        required.append(("therapy", "dose"))
    if "bolus" in file.data:
        required.append(("bolus", "max"))
    for key in required:
        parent = _get(file.data, key[:-1]) if key[:-1] else file.data
        if parent is None or (isinstance(parent, dict) and key[-1] not in parent):
            yield file.problem(key, _MISSING[key], "missing")


_MISSING: Final = {
    ("format",): "missing; write: format = 1",
    ("profile",): 'missing; name the pump profile, e.g. profile = "implant-40"',
    ("drug", "name"): 'missing; name the drug, e.g. name = "baclofen"',
    ("drug", "concentration"): 'missing; e.g. concentration = "2000 ug/mL"',
    ("reservoir", "filled"): 'missing; what the reservoir is filled with, e.g. filled = "40 mL"',
    ("therapy", "mode"): 'missing; one of "continuous", "minimum_rate", "stopped"',
    ("therapy", "dose"): 'missing; mode "continuous" needs it, e.g. dose = "800 ug/day"',
    ("bolus", "max"): 'missing; the largest bolus that a clinician may give, e.g. max = "50 ug"',
}


def _get(data: Any, key: Key) -> Any:
    for part in key:
        data = data.get(part) if isinstance(data, dict) else None
    return data


def _prune(data: Any, key: Key) -> None:
    *parents, leaf = key
    for part in parents:
        data = data[part]
    data.pop(leaf, None)


def _problems(file: TomlFile, error: ValidationError) -> Iterator[Problem]:
    for item, problem in zip(error.errors(), tomlfile.from_validation(file, error), strict=True):
        key = tuple(item["loc"])
        yield _unknown(file, key) if item["type"] == "extra_forbidden" else problem


def _unknown(file: TomlFile, key: Key) -> Problem:
    name, table = str(key[-1]), key[:-1]
    if not table and name in LATER_TABLES:
        what = LATER_TABLES[name]
        return file.problem(key, f"this version of dosebench cannot deliver {what}; take [{name}] out", "later")
    model = _TABLES[str(table[0])] if table else RegimenFile
    return file.problem(key, tomlfile.unknown_key(name, model.model_fields), "unknown-key")


_TABLES: Final[dict[str, type[BaseModel]]] = {
    "drug": DrugTable,
    "reservoir": ReservoirTable,
    "therapy": TherapyTable,
    "bolus": BolusTable,
    "limits": LimitsTable,
}
