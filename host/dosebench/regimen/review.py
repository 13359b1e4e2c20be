"""Old and new therapy side by side: what a person looks at before confirming a new program (R63).

`compare_programs` gives the figures as data, `build_table` draws them for a terminal. Both sides come from programs,
not from files: of the one that is in force and of the one that the pump holds ready.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from dosebench.base import units
from dosebench.base.units import DAY_MINUTES, HOUR_MS, MINUTE_MS, show_time
from dosebench.base.words import count_noun, format_days
from dosebench.profile.model import Profile
from dosebench.regimen.schema import WEEKDAYS
from dosebench.therapy.energy import BatteryState, estimate_life, estimate_service, usage_of
from dosebench.therapy.program import Program

if TYPE_CHECKING:
    from rich.table import Table

HOUR_MINUTES: Final = 60
NOTHING: Final = "-"
SHOWN_STEPS_MAX: Final = 12
"""Most steps of a day pattern or titration that one row spells out."""


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


_Number = Callable[[Program], tuple[Fraction | None, str]]
_Text = Callable[[Program], str]


def compare_programs(
    old: Program | None,
    new: Program,
    filled_on: datetime.date | None = None,
    battery: tuple[Profile, BatteryState] | None = None,
) -> Review:
    """Hold a new program against the one that it replaces.

    Args:
        old: The program in force; None where the pump has none.
        new: The program to be confirmed.
        filled_on: Day of the filling that `new` assumes; with it the refill is shown as a date too.
        battery: The pump's profile and what is known of its battery; with it, how long that lasts is shown too.

    Returns:
        A row for everything that at least one of them has.
    """
    rows = [_text_row(name, old, new) for name in ("drug", "mode")]
    rows += [_number_row(name, old, new) for name in _NUMBERS]
    if filled_on is not None:
        due = filled_on + datetime.timedelta(days=new.expected_reading().refill_days)
        rows.append(Row("refill_date", "refill by", NOTHING, due.isoformat(), None, True))
    if battery is not None:
        rows += _battery_rows(old, new, *battery)
    rows += [_text_row(name, old, new) for name in _TEXTS if name not in ("drug", "mode")]
    return Review(tuple(row for row in rows if (row.old, row.new) != (NOTHING, NOTHING)))


def _battery_rows(old: Program | None, new: Program, profile: Profile, state: BatteryState) -> list[Row]:
    """How long a fresh battery lasts on either therapy, and with which dates the present one would end on it."""
    lives = [estimate_life(profile, usage_of(profile, program)) for program in (old, new) if program]
    years = [expected.years_to_low for expected in lives]
    ends = [estimate_service(profile, expected, state) for expected in lives]
    lows, services = [end.low.isoformat() for end in ends], [end.ends.isoformat() for end in ends]
    ratio = years[1] / years[0] if old else None
    texts = [format_days(expected.days_to_low) for expected in lives]
    low = "battery ERI" if profile.kind == "implant" else "battery low"
    return [
        _battery_row("battery_years", "new battery lasts", texts, ratio),
        _battery_row("battery_low_date", low, lows),
        _battery_row("service_end_date", "end of service", services),
    ]


def _battery_row(name: str, label: str, texts: list[str], ratio: float | None = None) -> Row:
    """A row of the new therapy, and of the old one where there is one."""
    old = texts[0] if len(texts) == 2 else NOTHING
    return Row(name, label, old, texts[-1], ratio, old != texts[-1])


def build_table(review: Review) -> Table:
    """The review as a table for a terminal; changed rows stand out by a mark, not by colour alone."""
    from rich.table import Table as RichTable  # noqa: PLC0415

    drawn = RichTable("", "", "in force", "new", "ratio", title="Confirm the new therapy")
    for row in review.rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.3g} x"
        drawn.add_row(
            "*" if row.changed else "", row.label, row.old, row.new, ratio, style="bold" if row.changed else ""
        )
    return drawn


def _number_row(name: str, old: Program | None, new: Program) -> Row:
    label, figure = _NUMBERS[name]
    before, before_text = figure(old) if old else (None, NOTHING)
    after, after_text = figure(new)
    ratio = float(after / before) if after is not None and before else None
    return Row(name, label, before_text, after_text, ratio, before != after)


def _text_row(name: str, old: Program | None, new: Program) -> Row:
    label, text = _TEXTS[name]
    before, after = text(old) if old else NOTHING, text(new)
    return Row(name, label, before, after, None, before != after)


# Numbers


def _amount_figure(exact: Callable[[Program], Fraction], unit: str) -> _Number:
    return lambda program: (exact(program), units.format_amount(exact(program), unit))


def _optional_figure(exact: Callable[[Program], Fraction], unit: str) -> _Number:
    """A figure that is "-" where it is zero."""

    def figure(program: Program) -> tuple[Fraction | None, str]:
        value = exact(program)
        return (value, units.format_amount(value, unit)) if value else (None, NOTHING)

    return figure


def _cap_figure(minutes: int) -> _Number:
    def figure(program: Program) -> tuple[Fraction | None, str]:
        ng = next((cap.ng for cap in program.caps if cap.minutes == minutes), None)
        return (None, NOTHING) if ng is None else (Fraction(ng), units.format_amount(Fraction(ng), "ug"))

    return figure


def _refill_days(program: Program) -> tuple[Fraction | None, str]:
    days = program.expected_reading().refill_days
    return Fraction(days), count_noun(days, "day")


_NUMBERS: Final[dict[str, tuple[str, _Number]]] = {
    "daily_dose_ug": ("daily dose", _amount_figure(lambda p: p.daily_ng, "ug")),
    "weekly_dose_ug": ("weekly dose", _amount_figure(lambda p: p.weekly_ng, "ug")),
    "daily_volume_ml": ("volume a day", _amount_figure(lambda p: p.daily_nl, "mL")),
    "largest_hour_ug": ("largest hour", _amount_figure(lambda p: HOUR_MS * p.rate * p.step_ng, "ug")),
    "concentration_ug_per_ml": ("concentration", _amount_figure(lambda p: p.concentration, "ug/mL")),
    "bolus_max_ug": ("largest bolus", _amount_figure(lambda p: p.bolus_steps_max * p.step_ng, "ug")),
    "square_bolus_max_ug": ("largest square bolus", _optional_figure(lambda p: p.square_steps_max * p.step_ng, "ug")),
    "periodic_dose_ug": ("periodic boluses a day", _optional_figure(lambda p: p.periodic_per_day * p.step_ng, "ug")),
    "patient_dose_ug": ("patient boluses a day", _optional_figure(lambda p: p.patient_per_day_steps * p.step_ng, "ug")),
    "hour_cap_ug": ("cap of any hour", _cap_figure(HOUR_MINUTES)),
    "day_cap_ug": ("cap of any 24 h", _cap_figure(DAY_MINUTES)),
    "refill_days": ("refill after", _refill_days),
}

# Texts


def _describe_bolus(steps: int, rate: Fraction, program: Program) -> str:
    return f"{units.format_amount(steps * program.step_ng, 'ug')} over {show_time(steps / rate)}"


def _describe_periodic(program: Program) -> str:
    if not program.periodic_steps:
        return NOTHING
    bolus = _describe_bolus(program.periodic_steps, program.periodic_rate, program)
    return f"{bolus}, every {show_time(program.periodic_ms)}"


def _describe_patient(program: Program) -> str:
    if not program.patient_steps:
        return NOTHING
    bolus = _describe_bolus(program.patient_steps, program.patient_rate, program)
    return f"{bolus}, lockout {show_time(program.patient_lockout_ms)}, {program.patient_per_day} a day"


def _other_caps(program: Program) -> str:
    others = [cap for cap in program.caps if cap.minutes not in (HOUR_MINUTES, DAY_MINUTES)]
    texts = [
        f"{units.format_amount(Fraction(cap.ng), 'ug')} in any {show_time(cap.minutes * MINUTE_MS)}" for cap in others
    ]
    return ", ".join(texts) or NOTHING


def _describe_priming(program: Program) -> str:
    if not program.prime_steps_max:
        return NOTHING
    return f"{units.format_amount(program.prime_steps_max * program.step_nl, 'mL')}, path table {program.path_version}"


def _describe_bridge(program: Program) -> str:
    if not program.bridge_steps:
        return NOTHING
    held = program.bridge_ng / program.step_nl
    volume = units.format_amount(program.bridge_steps * program.step_nl, "mL")
    rate = units.format_amount(program.bridge_rate * program.step_nl, "mL/day", 4)
    return (
        f"{volume} of {units.format_amount(held, 'ug/mL')} at {rate} for "
        f"{show_time(program.bridge_steps / program.bridge_rate)}"
    )


def _describe_schedule(program: Program) -> str:
    if program.mode == "titration":
        steps = [
            f"{units.format_amount(rate * program.step_ng, 'ug/day', 4)} after {day} d" for day, rate in program.ramp
        ]
        return _list_steps(steps)
    if program.mode != "flex":
        return NOTHING
    return "; ".join(
        f"{_describe_days(number, program)} {_list_steps([_flex_step(step, program) for step in pattern])}"
        for number, pattern in enumerate(program.patterns)
        if number in program.weekdays
    )


def _flex_step(step: tuple[int, Fraction], program: Program) -> str:
    minute, rate = step
    return f"{minute // 60:02}:{minute % 60:02} {units.format_amount(rate * program.step_ng, 'ug/h', 4)}"


def _describe_days(number: int, program: Program) -> str:
    names = [name for name, used in zip(WEEKDAYS, program.weekdays, strict=True) if used == number]
    daily = units.format_amount(program.weekday_steps()[program.weekdays.index(number)] * program.step_ng, "ug")
    return f"{' '.join(names)} ({daily}):"


def _list_steps(steps: list[str]) -> str:
    more = len(steps) - SHOWN_STEPS_MAX
    return ", ".join(steps[:SHOWN_STEPS_MAX]) + (f" and {more} more" if more > 0 else "")


_TEXTS: Final[dict[str, tuple[str, _Text]]] = {
    "drug": ("drug", lambda p: p.drug.name.decode(errors="replace")),
    "mode": ("mode", lambda p: p.mode),
    "schedule": ("schedule", _describe_schedule),
    "bridge": ("bridge first", _describe_bridge),
    "periodic_bolus": ("periodic bolus", _describe_periodic),
    "patient_bolus": ("patient bolus", _describe_patient),
    "priming": ("priming", _describe_priming),
    "other_caps": ("further caps", _other_caps),
    "refill_limit": ("refill because of", lambda p: p.expected_reading().refill_limit),
    "on_low": ("when low", lambda p: p.on_low),
    "on_cap": ("at a cap", lambda p: p.on_cap),
    "fallback": ("fallback rate", lambda p: units.format_amount(p.minimum_rate * p.step_nl, "mL/day")),
}
