"""A complete order in exact base units: what a regimen file says once nothing in it is wrong.

Volumes are in nL, drug masses in ng, rates in nL/ms, concentrations in ng/nL, all as `fractions.Fraction`; times are
whole milliseconds.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Final, Literal

from dosebench.profile.schema import OnLow

THERAPY_ID_BYTES: Final = 8
"""Length of the name by which pump and host know a regimen, in bytes."""

Mode = Literal["continuous", "minimum_rate", "stopped", "flex", "titration"]
OnCap = Literal["minimum_rate", "stop"]


@dataclass(frozen=True)
class DoseCap:
    """No more than `ng` of drug in any window of `minutes`."""

    minutes: int
    ng: Fraction


@dataclass(frozen=True)
class PatternStep:
    """From `minute` of the day on, the basal runs at `rate`."""

    minute: int
    rate: Fraction


@dataclass(frozen=True)
class Pattern:
    """One day of a flex regimen: on `weekdays` (Monday is 0), `steps` from minute 0 on."""

    weekdays: tuple[int, ...]
    steps: tuple[PatternStep, ...]


@dataclass(frozen=True)
class RampStep:
    """After `day` days of delivery the basal runs at `rate`."""

    day: int
    rate: Fraction


@dataclass(frozen=True)
class PeriodicBolus:
    """`volume` over `over_ms`, every `every_ms` of delivery."""

    volume: Fraction
    over_ms: int
    every_ms: int


@dataclass(frozen=True)
class PatientBolus:
    """`volume` over `over_ms`, at the patient's request: `lockout_ms` apart and at most `per_day` in any 24 hours."""

    volume: Fraction
    over_ms: int
    lockout_ms: int
    per_day: int


@dataclass(frozen=True)
class Priming:
    """At most `volume`, at `rate`, while the pump is stopped."""

    volume: Fraction
    rate: Fraction


@dataclass(frozen=True)
class Bridge:
    """The first `volume` after the commit still holds `concentration`, and runs at `rate`."""

    volume: Fraction
    concentration: Fraction
    rate: Fraction


@dataclass(frozen=True)
class Order:
    """A complete order.

    Attributes:
        title: What the file calls it.
        profile: Name of the pump profile that it was written for.
        drug: Name of the drug as the pump will show it.
        concentration: ng/nL, above zero.
        filled, low, empty: What the reservoir is filled with, and its alarm levels, in nL.
        mode: Basal mode.
        basal: Rate of mode "continuous" in nL/ms; zero in the other modes.
        minimum: Rate of mode "minimum_rate" and of every fallback, in nL/ms.
        bolus_max: Largest clinician bolus in nL; zero where there is none.
        bolus_rate: Its rate in nL/ms, above zero; the profile's default where there is no bolus.
        caps: Most drug in any window, one for each length: at least an hour's and a day's.
        stability_days: Days for which the drug keeps in the reservoir; zero where no figure is known.
        on_low, on_cap: What a low reservoir, and a reached cap, do to the basal.
        patterns: Day patterns of mode "flex"; each weekday is in one of them.
        ramp: Steps of mode "titration", the first after 0 days.
        change_permille: Most that a step of the ramp may rise, in thousandths of the one before; 0 is no bound.
        square_max: Largest square bolus in nL; zero where there is none.
        patient, periodic, priming, bridge: None where there is none.
        path_version: Version of the table that the volumes of pump path and catheter are from; 0 where there is none.
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
    caps: tuple[DoseCap, ...]
    stability_days: int
    on_low: OnLow
    on_cap: OnCap = "minimum_rate"
    patterns: tuple[Pattern, ...] = ()
    ramp: tuple[RampStep, ...] = ()
    change_permille: int = 0
    square_max: Fraction = Fraction(0)
    patient: PatientBolus | None = None
    periodic: PeriodicBolus | None = None
    priming: Priming | None = None
    path_version: int = 0
    bridge: Bridge | None = None

    def therapy_id(self) -> bytes:
        """Eight bytes of the SHA-256 of the order: the same order has the same id, however its file is written."""
        content = {name: value for name, value in asdict(self).items() if name != "title"}
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(canonical.encode()).digest()[:THERAPY_ID_BYTES]
