"""The tables of a regimen file, in which anything may still be missing, so that one look finds every mistake.

Every key is optional here and None where it is absent or wrong; `REQUIRED` and `NEEDED_IN` say what must be there.
`docs/REGIMEN.md` describes the format key by key.
"""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Final, Literal

from dosebench_protocol.tables import PATIENT_BOLUSES_MAX
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

from dosebench.base import units
from dosebench.base.units import Quantity
from dosebench.profile.schema import OnLow
from dosebench.regimen.order import Mode, OnCap

FORMAT: Final = 1
"""Version of the file format, the value of its key `format`."""

DRUG_BYTES_MAX: Final = 31
"""Longest drug name, in bytes of UTF-8: it travels to the pump and back."""

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_TABLE_VERSION_MAX: Final = 65535


def _quantity_reader(*dimensions: units.Dimension) -> BeforeValidator:
    return BeforeValidator(lambda text: units.parse_quantity(text, *dimensions))


def _drug_name(name: object) -> object:
    if not isinstance(name, str):
        return name
    length = len(name.encode())
    if not 1 <= length <= DRUG_BYTES_MAX or not name.isprintable():
        raise ValueError(f"must be 1 to {DRUG_BYTES_MAX} bytes of printable text, this is {length}")
    return name


def _parse_minute(text: object) -> int:
    """Minute of the day of a text such as "06:30"."""
    match = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f'{text!r} is no time of day; write it from "00:00" to "23:59"')
    return 60 * int(match[1]) + int(match[2])


def _parse_weekday(name: object) -> int:
    """Number of a weekday, Monday is 0."""
    if name not in WEEKDAYS:
        near = difflib.get_close_matches(str(name).lower(), WEEKDAYS, n=1)
        guess = f'did you mean "{near[0]}"?' if near else f"known are {', '.join(WEEKDAYS)}"
        raise ValueError(f"{name!r} is no weekday; {guess}")
    return WEEKDAYS.index(name)


Volume = Annotated[Quantity | None, _quantity_reader(units.VOLUME)]
Concentration = Annotated[Quantity | None, _quantity_reader(units.CONCENTRATION)]
Amount = Annotated[Quantity | None, _quantity_reader(units.MASS, units.VOLUME)]
Rate = Annotated[Quantity | None, _quantity_reader(units.MASS_RATE, units.VOLUME_RATE)]
Duration = Annotated[Quantity | None, _quantity_reader(units.DURATION)]
Share = Annotated[Quantity | None, _quantity_reader(units.SHARE)]
TimeOfDay = Annotated[int | None, BeforeValidator(_parse_minute)]
Weekday = Annotated[int, BeforeValidator(_parse_weekday)]


class Table(BaseModel):
    """A table whose keys may be absent."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DrugTable(Table):
    """`[drug]`: `diluted` is None where the file leaves it to the vial strengths."""

    name: Annotated[str | None, BeforeValidator(_drug_name)] = None
    concentration: Concentration = None
    diluted: StrictBool | None = None


class ReservoirTable(Table):
    """`[reservoir]`: volumes; `low` and `empty` come from the profile where they are None."""

    filled: Volume = None
    low: Volume = None
    empty: Volume = None
    first_fill: StrictBool = False


class CatheterTable(Table):
    """`[catheter]`: volumes from the reservoir to the catheter's tip, and the table that they are from."""

    volume: Volume = None
    pump_path: Volume = None
    table_version: Annotated[int | None, Field(ge=1, le=_TABLE_VERSION_MAX)] = None


class PatternStepTable(Table):
    """A step of `[[therapy.pattern]]`: `at` is a minute of the day."""

    at: TimeOfDay = None
    rate: Rate = None


class PatternTable(Table):
    """`[[therapy.pattern]]`: `days` is None for every day of the week."""

    name: Annotated[str, Field(max_length=40)] = ""
    days: list[Weekday] | None = None
    steps: list[PatternStepTable] | None = None


class TherapyTable(Table):
    """`[therapy]`: rates are of drug or of volume, by their unit."""

    mode: Mode | None = None
    dose: Rate = None
    minimum: Rate = None
    pattern: list[PatternTable] | None = None


class TitrationStepTable(Table):
    """A step of `titration.steps`: `dose` is the basal `after` so much delivery."""

    after: Duration = None
    dose: Rate = None


class TitrationTable(Table):
    """`[titration]`: `change_max` is the most that a step may rise over the one before."""

    steps: list[TitrationStepTable] | None = None
    change_max: Share = None


class BolusTable(Table):
    """`[bolus]`: what a clinician's single bolus may be at most, and how fast it goes."""

    max: Amount = None
    rate: Rate = None


class SquareBolusTable(Table):
    """`[square_bolus]`: what a clinician may order at most over a time."""

    max: Amount = None


class PatientBolusTable(Table):
    """`[patient_bolus]`: what the patient may ask for."""

    dose: Amount = None
    over: Duration = None
    lockout: Duration = None
    per_day: Annotated[int | None, Field(ge=1, le=PATIENT_BOLUSES_MAX)] = None


class PeriodicBolusTable(Table):
    """`[periodic_bolus]`: what comes by itself."""

    dose: Amount = None
    every: Duration = None
    over: Duration = None


class PrimingTable(Table):
    """`[priming]`: how fast; the volume is that of `[catheter]`."""

    rate: Rate = None


class BridgeTable(Table):
    """`[bridge]`: what pump path and catheter still hold; None where the therapy in force says it."""

    previous_concentration: Concentration = None


class CapTable(Table):
    """`[[limits.cap]]`: no more than `dose` in any `window`."""

    window: Duration = None
    dose: Amount = None


class LimitsTable(Table):
    """`[limits]`: caps that the pump holds, and what a low reservoir or a reached cap does."""

    per_hour: Amount = None
    per_day: Amount = None
    cap: list[CapTable] | None = None
    on_low: OnLow | None = None
    on_cap: OnCap | None = None


class RegimenFile(Table):
    """The content of a regimen file."""

    format: Literal[1] | None = None
    title: Annotated[str, Field(max_length=120)] = ""
    profile: str | None = None
    drug: DrugTable = DrugTable()
    reservoir: ReservoirTable = ReservoirTable()
    catheter: CatheterTable | None = None
    therapy: TherapyTable = TherapyTable()
    titration: TitrationTable | None = None
    bolus: BolusTable | None = None
    square_bolus: SquareBolusTable | None = None
    patient_bolus: PatientBolusTable | None = None
    periodic_bolus: PeriodicBolusTable | None = None
    priming: PrimingTable | None = None
    bridge: BridgeTable | None = None
    limits: LimitsTable = LimitsTable()


TABLES: Final[dict[str, type[Table]]] = {
    "": RegimenFile,
    "drug": DrugTable,
    "reservoir": ReservoirTable,
    "catheter": CatheterTable,
    "therapy": TherapyTable,
    "therapy.pattern": PatternTable,
    "therapy.pattern.steps": PatternStepTable,
    "titration": TitrationTable,
    "titration.steps": TitrationStepTable,
    "bolus": BolusTable,
    "square_bolus": SquareBolusTable,
    "patient_bolus": PatientBolusTable,
    "periodic_bolus": PeriodicBolusTable,
    "priming": PrimingTable,
    "bridge": BridgeTable,
    "limits": LimitsTable,
    "limits.cap": CapTable,
}
"""The tables by their path; of one in an array, the path without its place."""

REQUIRED: Final[dict[str, str]] = {
    "format": "write: format = 1",
    "profile": 'name the pump profile, e.g. profile = "implant-40"',
    "drug.name": 'name the drug, e.g. name = "baclofen"',
    "drug.concentration": 'e.g. concentration = "2000 ug/mL"',
    "reservoir.filled": 'what the reservoir is filled with, e.g. filled = "40 mL"',
    "therapy.mode": 'one of "continuous", "flex", "titration", "minimum_rate", "stopped"',
}
"""Keys that every regimen has, and what to write."""

NEEDED_IN_MODE: Final[dict[str, tuple[str, str]]] = {
    "continuous": ("therapy.dose", 'mode "continuous" needs it, e.g. dose = "800 ug/day"'),
    "flex": ("therapy.pattern", 'mode "flex" needs it: one or more [[therapy.pattern]] with days and steps'),
    "titration": ("titration.steps", 'mode "titration" needs it, e.g. steps = [{ after = "0 days", dose = "..." }]'),
}
"""The key that a mode needs, and what to write."""

NEEDED_IN: Final[dict[str, dict[str, str]]] = {
    "therapy.pattern": {"steps": 'e.g. steps = [{ at = "00:00", rate = "20 ug/h" }]'},
    "therapy.pattern.steps": {"at": 'the time of day, e.g. at = "06:30"', "rate": 'e.g. rate = "20 ug/h"'},
    "titration.steps": {"after": 'e.g. after = "3 days"', "dose": 'e.g. dose = "120 ug/day"'},
    "bolus": {"max": 'the largest bolus that a clinician may give, e.g. max = "50 ug"'},
    "square_bolus": {"max": 'the largest square bolus, e.g. max = "50 ug"'},
    "patient_bolus": {
        "dose": 'e.g. dose = "10 ug"',
        "over": 'how long it takes, e.g. over = "10 min"',
        "lockout": 'the least time between two, e.g. lockout = "2 h"',
        "per_day": "how many in any 24 hours, e.g. per_day = 4",
    },
    "periodic_bolus": {
        "dose": 'e.g. dose = "10 ug"',
        "every": 'e.g. every = "6 h"',
        "over": 'how long it takes, e.g. over = "10 min"',
    },
    "catheter": {
        "volume": 'the catheter\'s volume, e.g. volume = "0.2 mL"',
        "pump_path": 'from the reservoir to the catheter, e.g. pump_path = "0.14 mL"',
        "table_version": "the version of the table that both volumes are from, e.g. table_version = 3",
    },
    "limits.cap": {"window": 'e.g. window = "4 h"', "dose": 'e.g. dose = "200 ug"'},
}
"""Keys that a table has wherever it is, and what to write."""

ELSEWHERE: Final[dict[str, str]] = {
    "flex": 'write mode = "flex" into [therapy], and its days as [[therapy.pattern]]',
    "pattern": "day patterns are [[therapy.pattern]]",
    "cap": "caps are [[limits.cap]]",
    "path": "the volumes from reservoir to tip are in [catheter]",
}
"""Tables that people look for under another name."""

NEEDED_BY: Final[dict[str, str]] = {
    "bridge": "[bridge] needs it: the volumes from the reservoir to the catheter's tip",
    "priming": "[priming] needs it: the volumes from the reservoir to the catheter's tip",
}
"""Tables that need `[catheter]`, and why."""
