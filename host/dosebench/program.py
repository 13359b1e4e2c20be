"""From a regimen to what the pump stores, and what the pump must answer when it reads that back.

Rates become fractions of steps per millisecond whose numerator and denominator both fit the firmware (at most 2^29):
the best such fraction, so that an order at the pump's own limit never falls on the wrong side of it. What this rounding
costs is reported in steps over ten years.

The pump computes the same `Reading` from the same bytes on its own; a difference between the two is a fault.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from construct import ConstructError
from dosebench_protocol.messages import COUNT_MAX, FRACTION_MAX, THERAPY_FORMAT, Therapy

from dosebench.errors import DosebenchError
from dosebench.units import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from dosebench.profile import Profile
    from dosebench.regimen import Regimen

REFILL_CAP_DAYS: Final = 180
"""Longest time between refills, in days, whatever volume and drug allow (R22)."""

TEN_YEARS_MS: Final = 3652 * DAY_MS + DAY_MS // 2
"""Ten mean years of 365.25 days."""

ROUNDING_STEPS_MAX: Final = Fraction(1, 1000)
"""Rounding of a rate above this, in steps over ten years, is worth a warning."""

HASH_BYTES: Final = 16
"""Length of a program hash, in bytes."""


class ProgramError(DosebenchError):
    """A program that the pump cannot store, or bytes that are no program."""


@dataclass(frozen=True)
class Reading:
    """What a program means, in the figures that an operator confirms; the fields are those of the protocol's `Reading`.

    Whole numbers, rounded down. `daily_*` and `hour_dose_ng` are of the basal alone; `refill_days` counts from a
    reservoir filled with the program's `reservoir_steps`.
    """

    therapy_id: bytes
    program_hash: bytes
    mode: str
    drug: bytes
    daily_steps: int
    daily_dose_ng: int
    daily_volume_nl: int
    hour_dose_ng: int
    refill_days: int
    refill_limit: str
    bolus_steps_max: int
    hour_ng_max: int
    day_ng_max: int


@dataclass(frozen=True)
class Program:
    """The fields of the protocol's `Therapy`, in its order: rates in steps/ms, drug in ng, volume in nL."""

    format: int
    therapy_id: bytes
    drug: bytes
    step_ng_num: int
    step_ng_den: int
    step_nl_num: int
    step_nl_den: int
    mode: str
    basal_num: int
    basal_den: int
    minimum_num: int
    minimum_den: int
    bolus_num: int
    bolus_den: int
    bolus_steps_max: int
    hour_ng_max: int
    day_ng_max: int
    reservoir_steps: int
    low_steps: int
    empty_steps: int
    stability_days: int
    on_low: str

    @property
    def step_ng(self) -> Fraction:
        """Drug in one step, in ng."""
        return Fraction(self.step_ng_num, self.step_ng_den)

    @property
    def step_nl(self) -> Fraction:
        """Volume of one step, in nL."""
        return Fraction(self.step_nl_num, self.step_nl_den)

    @property
    def concentration(self) -> Fraction:
        """Concentration in ng/nL."""
        return self.step_ng / self.step_nl

    @property
    def rate(self) -> Fraction:
        """Rate that the mode delivers, in steps per millisecond."""
        if self.mode == "continuous":
            return Fraction(self.basal_num, self.basal_den)
        if self.mode == "minimum_rate":
            return Fraction(self.minimum_num, self.minimum_den)
        return Fraction(0)

    @property
    def bolus_rate(self) -> Fraction:
        """Rate of a clinician bolus, in steps per millisecond."""
        return Fraction(self.bolus_num, self.bolus_den)

    @property
    def daily_ng(self) -> Fraction:
        """Drug that the basal delivers in a day, in ng, exactly."""
        return DAY_MS * self.rate * self.step_ng

    @property
    def daily_nl(self) -> Fraction:
        """Volume that the basal delivers in a day, in nL, exactly."""
        return DAY_MS * self.rate * self.step_nl

    def days_to(self, steps_left: int) -> Fraction | None:
        """Days until the basal alone has brought a full reservoir down to `steps_left`; None if it delivers nothing."""
        return (self.reservoir_steps - steps_left) / (DAY_MS * self.rate) if self.rate else None

    def encode(self) -> bytes:
        """The bytes that the pump stores.

        Raises:
            ProgramError: A figure is too large for its field.
        """
        try:
            return bytes(Therapy.build({field.name: getattr(self, field.name) for field in fields(self)}))
        except ConstructError as error:
            raise ProgramError(f"this program cannot be encoded: {error}") from error

    def program_hash(self) -> bytes:
        """First 16 bytes of the SHA-256 of `encode()`: the name of these very bytes."""
        return hashlib.sha256(self.encode()).digest()[:HASH_BYTES]

    def reading(self) -> Reading:
        """What the pump must answer when it reads this program; the formulas are those of the protocol's `Reading`."""
        days, limit = self._refill()
        return Reading(
            therapy_id=self.therapy_id,
            program_hash=self.program_hash(),
            mode=self.mode,
            drug=self.drug,
            daily_steps=math.floor(DAY_MS * self.rate),
            daily_dose_ng=math.floor(self.daily_ng),
            daily_volume_nl=math.floor(self.daily_nl),
            hour_dose_ng=math.floor(HOUR_MS * self.rate * self.step_ng),
            refill_days=days,
            refill_limit=limit,
            bolus_steps_max=self.bolus_steps_max,
            hour_ng_max=self.hour_ng_max,
            day_ng_max=self.day_ng_max,
        )

    def _refill(self) -> tuple[int, str]:
        days, limit = refill(self.days_to(self.low_steps), self.stability_days)
        return math.floor(days), limit


def from_bytes(data: bytes) -> Program:
    """The program in the bytes that a pump stores.

    Raises:
        ProgramError: These bytes are no program, or one of a later format.
    """
    try:
        stored: Any = Therapy.parse(data)
    except ConstructError as error:
        raise ProgramError(f"these {len(data)} bytes are no program: {error}") from error
    if stored.format != THERAPY_FORMAT:
        raise ProgramError(
            f"this program has format {stored.format}; this dosebench reads format {THERAPY_FORMAT}",
            hint="use the dosebench that wrote it, or a newer one",
        )
    values: dict[str, Any] = {field.name: stored[field.name] for field in fields(Program)}
    zero = [name for name, value in values.items() if name.endswith("_den") and value == 0]
    if zero:
        raise ProgramError(f"this program divides by zero: {', '.join(zero)}")
    return Program(**values | {"mode": str(stored.mode), "on_low": str(stored.on_low)})


def refill(by_volume: Fraction | None, stability_days: int) -> tuple[Fraction, str]:
    """Days to the next refill and what sets them (R22).

    Args:
        by_volume: Days until the low level is reached; None where nothing is delivered.
        stability_days: Days for which the drug keeps; zero where no figure is known.

    Returns:
        The days, exactly, and "cap", "stability" or "volume"; a later one of these applies only where it is shorter.
    """
    days, limit = Fraction(REFILL_CAP_DAYS), "cap"
    if 0 < stability_days < days:
        days, limit = Fraction(stability_days), "stability"
    if by_volume is not None and by_volume < days:
        days, limit = max(by_volume, Fraction(0)), "volume"
    return days, limit


def window_steps(rate: Fraction, span_ms: int) -> int:
    """Most steps that the pump's own window of `span_ms` can count of a basal of `rate` steps per ms.

    One step more than the mean can fall into a window, and the window, kept in 240 buckets, counts up to one bucket too
    many. A cap below this stops a sound basal; the pump refuses it.
    """
    return math.floor(rate * (span_ms + span_ms // 240)) + 1


def best_fraction(value: Fraction) -> Fraction:
    """The fraction nearest to `value` whose numerator and denominator are both at most 2^29.

    Best approximation by continued fractions (`Fraction.limit_denominator`), of the value itself below one and of its
    reciprocal above. Order is kept: a value on one side of a fraction that fits stays on that side.

    Raises:
        ProgramError: `value` is negative, too large, or so small that nothing but zero is left of it.
    """
    if value == 0:
        return Fraction(0)
    small = value if value < 1 else 1 / value
    near = small.limit_denominator(FRACTION_MAX)
    if value < 0 or near == 0:
        raise ProgramError(f"{float(value):g} steps per ms cannot be written as a fraction of whole numbers below 2^29")
    return near if value < 1 else 1 / near


def rounding_steps(exact: Fraction, used: Fraction) -> Fraction:
    """How many steps the fraction `used` (steps per ms) gains over `exact` in ten years; negative where it loses."""
    return (used - exact) * TEN_YEARS_MS


def build(regimen: Regimen, profile: Profile) -> Program:
    """The program of a complete regimen on a pump of that profile.

    Volumes in the reservoir are rounded to whole steps to the safe side: the content down, the alarm levels up, a bolus
    and the caps down. The regimen is taken as it is; whether it is a good idea is what `dosebench.check` says.

    Raises:
        ProgramError: A figure cannot be written in the numbers that the pump has.
    """
    step_nl = profile.delivery.step_volume
    step_ng = fit(step_nl * regimen.concentration)
    basal = best_fraction(regimen.basal / step_nl)
    minimum = best_fraction(regimen.minimum / step_nl)
    bolus = best_fraction(regimen.bolus_rate / step_nl)
    return Program(
        format=THERAPY_FORMAT,
        therapy_id=regimen.therapy_id(),
        drug=regimen.drug.encode(),
        step_ng_num=step_ng.numerator,
        step_ng_den=step_ng.denominator,
        step_nl_num=step_nl.numerator,
        step_nl_den=step_nl.denominator,
        mode=regimen.mode,
        basal_num=basal.numerator,
        basal_den=basal.denominator,
        minimum_num=minimum.numerator,
        minimum_den=minimum.denominator,
        bolus_num=bolus.numerator,
        bolus_den=bolus.denominator,
        bolus_steps_max=_count(math.floor(profile.steps(regimen.bolus_max))),
        hour_ng_max=_count(math.floor(regimen.hour_cap)),
        day_ng_max=_count(math.floor(regimen.day_cap)),
        reservoir_steps=_count(math.floor(profile.steps(regimen.filled))),
        low_steps=_count(math.ceil(profile.steps(regimen.low))),
        empty_steps=_count(math.ceil(profile.steps(regimen.empty))),
        stability_days=regimen.stability_days,
        on_low=regimen.on_low,
    )


def fit(value: Fraction) -> Fraction:
    """`value` itself, if the firmware can hold it exactly.

    Raises:
        ProgramError: Its numerator or denominator is above 2^29.
    """
    if max(value.numerator, value.denominator) > FRACTION_MAX:
        raise ProgramError(f"{float(value):g} ng in a step has too many digits for the pump; round the concentration")
    return value


def _count(value: int) -> int:
    if not 0 <= value <= COUNT_MAX:
        raise ProgramError(f"{value} is more than the pump can count ({COUNT_MAX})")
    return value
