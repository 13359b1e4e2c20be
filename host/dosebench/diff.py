"""Old and new therapy side by side: what a person looks at before confirming a new program (R63).

`compare` gives the figures as data, `table` draws them for a terminal. Both sides come from programs, not from files:
of the one that is in force and of the one that the pump holds ready.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from dosebench import units
from dosebench.program import Program, Reading
from dosebench.units import HOUR_MS

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One figure of both therapies.

    Attributes:
        name: Stable name for scripts, such as "daily_dose_ug".
        label: What it is called on the screen.
        old, new: The figure as text; "-" where there is none.
        ratio: new / old; None where it is no number or the old one is zero.
        changed: Whether the two differ.
    """

    name: str
    label: str
    old: str
    new: str
    ratio: float | None
    changed: bool


@dataclass(frozen=True)
class Review:
    """All rows, in the order in which they are shown."""

    rows: tuple[Row, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """The rows as JSON values, with the keys of `Row`."""
        return [vars(row) for row in self.rows]


_Figure = tuple[str, Fraction | None]
_NUMBERS = (
    ("daily_dose_ug", "daily dose"),
    ("daily_volume_ml", "volume a day"),
    ("largest_hour_ug", "largest hour"),
    ("concentration_ug_per_ml", "concentration"),
    ("bolus_max_ug", "largest bolus"),
    ("hour_cap_ug", "cap of any hour"),
    ("day_cap_ug", "cap of any 24 h"),
    ("refill_days", "refill after"),
)
_TEXTS = (("drug", "drug"), ("mode", "mode"), ("refill_limit", "refill because of"), ("on_low", "when low"))


def compare(old: Program | None, new: Program, filled_on: datetime.date | None = None) -> Review:
    """Hold a new program against the one that it replaces.

    Args:
        old: The program in force; None where the pump has none.
        new: The program to be confirmed.
        filled_on: Day of the filling that `new` assumes; with it the refill is shown as a date too.
    """
    before, after = _numbers(old), _numbers(new)
    rows = [_text_row(name, label, old, new) for name, label in _TEXTS[:2]]
    rows += [_number_row(name, label, before[name], after[name]) for name, label in _NUMBERS]
    if filled_on is not None:
        due = filled_on + datetime.timedelta(days=new.reading().refill_days)
        rows.append(Row("refill_date", "refill by", "-", due.isoformat(), None, True))
    rows += [_text_row(name, label, old, new) for name, label in _TEXTS[2:]]
    return Review(tuple(rows))


def disagreements(own: Reading, device: Reading) -> list[str]:
    """Names of the figures in which the pump's reading of a program differs from the host's: any is a fault."""
    return [name for name, value in vars(own).items() if getattr(device, name) != value]


def table(review: Review) -> Table:
    """The review as a table for a terminal; changed rows stand out by a mark, not by colour alone."""
    from rich.table import Table as RichTable  # noqa: PLC0415

    drawn = RichTable("", "", "in force", "new", "ratio", title="Confirm the new therapy")
    for row in review.rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.3g} x"
        drawn.add_row(
            "*" if row.changed else "", row.label, row.old, row.new, ratio, style="bold" if row.changed else ""
        )
    return drawn


def _numbers(program: Program | None) -> dict[str, _Figure]:
    if program is None:
        return {name: ("-", None) for name, _ in _NUMBERS}
    hour_ng = HOUR_MS * program.rate * program.step_ng
    return {
        "daily_dose_ug": _shown(program.daily_ng, "ug"),
        "daily_volume_ml": _shown(program.daily_nl, "mL"),
        "largest_hour_ug": _shown(hour_ng, "ug"),
        "concentration_ug_per_ml": _shown(program.concentration, "ug/mL"),
        "bolus_max_ug": _shown(program.bolus_steps_max * program.step_ng, "ug"),
        "hour_cap_ug": _shown(Fraction(program.hour_ng_max), "ug"),
        "day_cap_ug": _shown(Fraction(program.day_ng_max), "ug"),
        "refill_days": (f"{program.reading().refill_days} days", Fraction(program.reading().refill_days)),
    }


def _shown(amount: Fraction, unit: str) -> _Figure:
    return units.show(amount, unit), amount


def _number_row(name: str, label: str, old: _Figure, new: _Figure) -> Row:
    ratio = float(new[1] / old[1]) if new[1] is not None and old[1] else None
    return Row(name, label, old[0], new[0], ratio, old[1] != new[1])


def _text_row(name: str, label: str, old: Program | None, new: Program) -> Row:
    before, after = _text(name, old), _text(name, new)
    return Row(name, label, before, after, None, before != after)


def _text(name: str, program: Program | None) -> str:
    if program is None:
        return "-"
    if name == "drug":
        return program.drug.decode(errors="replace")
    return program.reading().refill_limit if name == "refill_limit" else str(getattr(program, name))
