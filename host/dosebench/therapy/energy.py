"""How long a battery lasts, and when service ends (R31, R33).

Charge is counted in uAh from what a pump does, as its profile prices it (`[power]` and `[energy]`): time asleep, motor
steps, wakes by their cause, flash operations, tones. The twin's plant counts with the same prices, so that an estimate
can be held against it; docs/ENERGY.md does. Floats are good enough: nothing of this reaches dosing.

An estimate is for one therapy, unchanged, with every allotted patient bolus taken. It knows nothing of temperature, of
the spread between cells, or of alarms that sound.
"""

from __future__ import annotations

import calendar
import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from dosebench.base.units import DAY_MINUTES, DAY_MS
from dosebench.base.words import YEAR_DAYS
from dosebench.profile.model import Profile
from dosebench.profile.power import Usage, charges_uah
from dosebench.therapy.program import WEEK, Program

ERI_DAYS: Final = 90
"""Days from the elective replacement indicator to the end of service (R31; the rule of the SynchroMed pumps)."""

RECORDS_PER_SECTOR: Final = 98
"""Journal records that a sector takes beside the state with which it begins (102 slots, docs/FIRMWARE.md)."""

OPENING_WRITES: Final = 5
"""Flash writes with which a new journal sector begins: its header, and four records of the pump's state."""

FED_AT: Final = 0.75
"""Share of the watchdog's time-out after which the pump wakes to feed it (`firmware/pump/integrity/supervisor.py`)."""

TONE_S: Final = 1.0
"""Length of a tone, in seconds (R41, the non-critical one)."""

BOLUS_RECORDS: Final = 2
"""Journal records of a bolus: its lease and its end."""

CENTURY_DAYS: Final = 36_525
"""Dates further away than this are shown as this: no battery lasts so long."""


def usage_per_day(profile: Profile, basal_steps: float, bolus_steps: float = 0.0, boluses: float = 0.0) -> Usage:
    """What a pump does in a day of delivery.

    A wake for every step; a round over the sensors each `supervision.sense`; feeds of the watchdog where those rounds
    are too rare for it; and a journal record for each lease (as many steps as a lease's time holds, at least one), two
    for each bolus.

    Args:
        profile: The pump.
        basal_steps: Steps of the basal in a day.
        bolus_steps, boluses: Steps and number of a day's boluses.
    """
    leases = DAY_MS / float(profile.delivery.lease)
    records = min(basal_steps, leases) + BOLUS_RECORDS * boluses
    steps, sense = basal_steps + bolus_steps, float(profile.supervision.sense)
    sleep = FED_AT * float(profile.supervision.watchdog)
    return _with_flash(
        records,
        days=1.0,
        steps=steps,
        delivery_wakes=steps,
        sensor_wakes=DAY_MS / sense,
        watchdog_wakes=max(0.0, DAY_MS / sleep - DAY_MS / sense),
    )


def _with_flash(records: float, **counts: float) -> Usage:
    sectors = records / RECORDS_PER_SECTOR
    return Usage(flash_writes=records + OPENING_WRITES * sectors, flash_erases=sectors, **counts)


def usage_of(profile: Profile, program: Program) -> Usage:
    """What a pump does in a mean day of a program: of a titration its largest, with every patient bolus taken."""
    basal = float(sum(program.weekday_steps(), start=0) / WEEK)
    periodic = DAY_MS // program.periodic_ms if program.periodic_steps else 0
    boluses = program.periodic_per_day + program.patient_per_day_steps
    return usage_per_day(profile, basal, boluses, periodic + (program.patient_per_day if program.patient_steps else 0))


def usage_by(profile: Profile, status: Mapping[str, Any], counters: Mapping[str, Any] | None = None) -> Usage:
    """What a pump did in its life, by its own count.

    Args:
        profile: The pump.
        status: Fields of its `status`: age, steps and journal records of its life.
        counters: Fields of its `counters`: wakes by cause and tones since its boot, taken to have been as frequent
            before; without them, wakes are those that the profile asks for.
    """
    days = status["day"] + status["ms"] / DAY_MS
    steps = float(status["high_steps"])
    counts = {"days": days, "steps": steps, "delivery_wakes": steps}
    if counters is None or not counters["up_minutes"]:
        usual = usage_per_day(profile, 0.0)
        counts |= {"sensor_wakes": days * usual.sensor_wakes, "watchdog_wakes": days * usual.watchdog_wakes}
    else:
        share = days * DAY_MINUTES / counters["up_minutes"]
        counts |= {
            "sensor_wakes": share * counters["wakes_sensors"],
            "watchdog_wakes": share * counters["wakes_watchdog"],
            "other_wakes": share * (counters["wakes_link"] + counters["wakes_other"]),
            "tone_s": share * counters["tones"] * TONE_S,
        }
    return _with_flash(status["journal_next"], **counts)


@dataclass(frozen=True)
class Life:
    """How long a fresh battery lasts.

    Attributes:
        charges_uah: Charge of a day by what takes it.
        capacity_uah: Of a fresh battery.
        usable_uah: What of that is gone when the low level, at an implant the ERI, is reached.
    """

    charges_uah: dict[str, float]
    capacity_uah: float
    usable_uah: float

    @property
    def day_uah(self) -> float:
        """Charge of a day."""
        return sum(self.charges_uah.values())

    @property
    def days_to_low(self) -> float:
        """Days until the low level, at an implant the ERI."""
        return self.usable_uah / self.day_uah

    @property
    def years_to_low(self) -> float:
        """The same in years of 365.25 days."""
        return self.days_to_low / YEAR_DAYS

    @property
    def days_to_empty(self) -> float:
        """Days until nothing is left."""
        return self.capacity_uah / self.day_uah

    @property
    def shares(self) -> dict[str, float]:
        """What part of the charge each consumer takes."""
        return {name: charge / self.day_uah for name, charge in self.charges_uah.items()}


def estimate_life(profile: Profile, per_day: Usage) -> Life:
    """How long a fresh battery of the profile lasts when each day is `per_day`."""
    capacity = float(profile.battery.capacity)
    return Life(charges_uah(profile, per_day), capacity, capacity * (1 - float(profile.energy.reserve)))


def life_at(profile: Profile, rate_nl_per_day: float) -> Life:
    """How long a fresh battery lasts at a constant flow, in nL a day."""
    return estimate_life(profile, usage_per_day(profile, rate_nl_per_day / float(profile.delivery.step_volume)))


# Dates


@dataclass(frozen=True)
class BatteryState:
    """What is known of a battery `on` a day: what was taken from it, and whether it is below its low level already."""

    on: datetime.date
    implanted: datetime.date
    used_uah: float = 0.0
    low: bool = False

    @classmethod
    def fresh_battery(cls, on: datetime.date) -> BatteryState:
        """A new battery, implanted `on` that day."""
        return cls(on, on)

    @classmethod
    def by_pump(
        cls, profile: Profile, on: datetime.date, status: Mapping[str, Any], counters: Mapping[str, Any] | None = None
    ) -> BatteryState:
        """What a pump tells (see `usage_by`). Its age counts from its first power-on, without times of no power."""
        used = charges_uah(profile, usage_by(profile, status, counters))
        age = datetime.timedelta(days=status["day"])
        low = 0 < status["battery_mv"] < profile.battery.low
        return cls(on, on - age, sum(used.values()), low)


@dataclass(frozen=True)
class Service:
    """When the battery is low and when service ends.

    Attributes:
        low: Day of the low level, at an implant the ERI. Service may end before it.
        ends: End of service.
        limited_by: "eri" (90 days after it), "service_life" (its calendar years), or "empty" (nothing is left sooner,
            or the pump is none that is implanted).
    """

    low: datetime.date
    ends: datetime.date
    limited_by: Literal["eri", "service_life", "empty"]


def estimate_service(profile: Profile, expected: Life, state: BatteryState) -> Service:
    """When service ends if every day from `state.on` on is as `expected`: the first of its limits (R31)."""
    left = max(0.0, expected.usable_uah - state.used_uah)
    low = state.on if state.low else _add_days(state.on, left / expected.day_uah)
    empty = _add_days(state.on, max(0.0, expected.capacity_uah - state.used_uah) / expected.day_uah)
    limit: Literal["eri", "service_life", "empty"] = "empty"
    ends = max(empty, low)
    if profile.kind == "implant" and low + datetime.timedelta(ERI_DAYS) <= ends:
        ends, limit = low + datetime.timedelta(ERI_DAYS), "eri"
    years = profile.energy.service_years
    if years is not None and (life_ends := add_months(state.implanted, 12 * years)) < ends:
        ends, limit = life_ends, "service_life"
    return Service(low, ends, limit)


def add_months(day: datetime.date, months: int) -> datetime.date:
    """The same day of a later month, or the last day of that month where it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return datetime.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _add_days(day: datetime.date, days: float) -> datetime.date:
    return day + datetime.timedelta(days=int(min(days, CENTURY_DAYS)))
