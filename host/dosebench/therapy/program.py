"""What the pump stores, what it must answer when it reads that back, and how a regimen becomes it.

Rates become fractions of steps per millisecond whose numerator and denominator both fit the firmware (at most 2^29):
the best such fraction, so that an order at the pump's own limit never falls on the wrong side of it. What this rounding
costs is reported in steps over ten years.

The pump computes the same `Reading` from the same bytes on its own; a difference between the two is a fault.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from functools import cached_property
from typing import Any, Final

from dosebench_protocol.codec import decode_struct, encode_struct
from dosebench_protocol.errors import ProtocolError
from dosebench_protocol.tables import COUNT_MAX, DRUGS_MAX, FRACTION_MAX, PROGRAM_FORMAT

from dosebench.base.units import DAY_MINUTES, DAY_MS, HOUR_MS, MINUTE_MS
from dosebench.therapy.cap_windows import window_steps
from dosebench.therapy.fractions import ProgramError

REFILL_CAP_DAYS: Final = 180
"""Longest time between refills, in days, whatever volume and drug allow (R22)."""

HASH_BYTES: Final = 16
"""Length of a program hash, in bytes."""

WEEK: Final = 7


@dataclass(frozen=True)
class Cap:
    """No more than `ng` of drug number `drug` in any window of `minutes`."""

    minutes: int
    ng: int
    drug: int = 0


@dataclass(frozen=True)
class Drug:
    """One drug in the reservoir, and what a step holds of it: in force, and while a bridge runs, in ng."""

    name: bytes
    step_ng_num: int
    step_ng_den: int
    bridge_ng_num: int = 0
    bridge_ng_den: int = 0

    @property
    def step_ng(self) -> Fraction:
        """Drug in one step, in ng."""
        return Fraction(self.step_ng_num, self.step_ng_den)

    @property
    def bridge_ng(self) -> Fraction:
        """Drug in one step of the bridge, in ng; zero without one."""
        return _decode_fraction(self.bridge_ng_num, self.bridge_ng_den)


@dataclass(frozen=True)
class DrugReading:
    """Doses of one drug by the pump's reading, in ng."""

    name: bytes
    daily_dose_ng: int
    hour_dose_ng: int
    weekly_dose_ng: int
    periodic_dose_ng: int
    patient_dose_ng: int


@dataclass(frozen=True)
class Rate:
    """`num` / `den` steps per millisecond."""

    num: int
    den: int

    @classmethod
    def from_fraction(cls, value: Fraction) -> Rate:
        """The rate of a fraction that fits."""
        return cls(value.numerator, value.denominator)

    @property
    def value(self) -> Fraction:
        """Steps per millisecond."""
        return Fraction(self.num, self.den)


@dataclass(frozen=True)
class FlexStep:
    """From `minute` of the day on, day pattern number `pattern` runs at rate number `rate`."""

    pattern: int
    minute: int
    rate: int


@dataclass(frozen=True)
class TitrationStep:
    """After `day` days of delivery the basal is rate number `rate`."""

    day: int
    rate: int


@dataclass(frozen=True)
class Reading:
    """What a program means, in the figures that an operator confirms; the fields are those of the protocol's `Reading`.

    Whole numbers, rounded down, at most 2^30 - 1. `daily_*` is the largest calendar day of the basal with its periodic
    boluses, `hour_dose_ng` an hour of the largest basal rate, `weekly_dose_ng` Monday to Sunday with periodic boluses
    (seven of the largest day of a titration). `periodic_dose_ng` and `patient_dose_ng` are what a day's periodic
    boluses and all allotted patient boluses hold. `bridge_ms` is how long the bridge takes without boluses.
    `refill_days` counts from a reservoir filled with the program's `reservoir_steps`, every day the largest and every
    patient bolus taken.
    """

    therapy_id: bytes
    program_hash: bytes
    mode: str
    daily_steps: int
    daily_volume_nl: int
    refill_days: int
    refill_limit: str
    bolus_steps_max: int
    bridge_ms: int
    drugs: tuple[DrugReading, ...]
    caps: tuple[Cap, ...]

    @classmethod
    def from_answer(cls, answer: Mapping[str, Any]) -> Reading:
        """The reading in a device's answer to `program_verify`, as the codec decodes it.

        Raises:
            ProgramError: It holds no drug, or their names do not fit.
        """
        rows, names = answer["drugs"], answer["drug_names"]
        drugs = tuple(DrugReading(**row) for row in _name_drugs(rows, names))
        caps = tuple(Cap(**cap) for cap in answer["caps"])
        values = {name: value for name, value in answer.items() if name != "drug_names"}
        return cls(**{**values, "drugs": drugs, "caps": caps})

    @property
    def drug(self) -> DrugReading:
        """The first drug."""
        return self.drugs[0]


@dataclass(frozen=True)
class Program:
    """The fields of the protocol's `Program`, in its order: rates in steps/ms, drug in ng, volume in nL.

    What a therapy does not use is zero, a fraction 0/0. `drugs` are one to four.
    """

    format: int
    therapy_id: bytes
    drugs: tuple[Drug, ...]
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
    reservoir_steps: int
    low_steps: int
    empty_steps: int
    stability_days: int
    on_low: str
    on_cap: str
    square_steps_max: int
    patient_steps: int
    patient_num: int
    patient_den: int
    patient_lockout_ms: int
    patient_per_day: int
    periodic_steps: int
    periodic_ms: int
    periodic_num: int
    periodic_den: int
    prime_steps_max: int
    prime_num: int
    prime_den: int
    path_version: int
    path_nl: int
    stall_retry_minutes: int
    bridge_steps: int
    bridge_num: int
    bridge_den: int
    change_permille_max: int
    weekdays: bytes
    caps: tuple[Cap, ...]
    rates: tuple[Rate, ...]
    flex: tuple[FlexStep, ...]
    titration: tuple[TitrationStep, ...]

    # Single figures as fractions

    @property
    def drug(self) -> Drug:
        """The first drug."""
        return self.drugs[0]

    @property
    def step_ng(self) -> Fraction:
        """First drug in one step, in ng."""
        return self.drug.step_ng

    @property
    def step_nl(self) -> Fraction:
        """Volume of one step, in nL."""
        return Fraction(self.step_nl_num, self.step_nl_den)

    @property
    def concentration(self) -> Fraction:
        """Concentration in ng/nL."""
        return self.step_ng / self.step_nl

    @property
    def minimum_rate(self) -> Fraction:
        """Rate of mode "minimum_rate" and of every fallback, in steps per millisecond."""
        return _decode_fraction(self.minimum_num, self.minimum_den)

    @property
    def bolus_rate(self) -> Fraction:
        """Rate of a clinician bolus, in steps per millisecond."""
        return _decode_fraction(self.bolus_num, self.bolus_den)

    @property
    def patient_rate(self) -> Fraction:
        """Rate of a patient bolus, in steps per millisecond."""
        return _decode_fraction(self.patient_num, self.patient_den)

    @property
    def periodic_rate(self) -> Fraction:
        """Rate of a periodic bolus, in steps per millisecond."""
        return _decode_fraction(self.periodic_num, self.periodic_den)

    @property
    def prime_rate(self) -> Fraction:
        """Rate of a priming bolus, in steps per millisecond."""
        return _decode_fraction(self.prime_num, self.prime_den)

    @property
    def bridge_rate(self) -> Fraction:
        """Basal rate while the bridge runs, in steps per millisecond."""
        return _decode_fraction(self.bridge_num, self.bridge_den)

    @property
    def bridge_ng(self) -> Fraction:
        """First drug in one step of the bridge, in ng."""
        return self.drug.bridge_ng

    # The basal

    @cached_property
    def patterns(self) -> tuple[tuple[tuple[int, Fraction], ...], ...]:
        """Day patterns in order of their number: (minute of the day, rate in steps per ms) of each step."""
        count = max((step.pattern for step in self.flex), default=-1) + 1
        return tuple(
            tuple((step.minute, self.rates[step.rate].value) for step in self.flex if step.pattern == pattern)
            for pattern in range(count)
        )

    @cached_property
    def ramp(self) -> tuple[tuple[int, Fraction], ...]:
        """Titration: (day of delivery, rate in steps per ms) of each step."""
        return tuple((step.day, self.rates[step.rate].value) for step in self.titration)

    def basal_rates(self) -> tuple[Fraction, ...]:
        """Every basal rate that the mode may run at, in steps per ms; neither the bridge nor a fallback."""
        if self.mode == "continuous":
            return (_decode_fraction(self.basal_num, self.basal_den),)
        if self.mode == "minimum_rate":
            return (self.minimum_rate,)
        if self.mode == "flex":
            used = (self.patterns[number] for number in sorted(set(self.weekdays)))
            return tuple(rate for pattern in used for _, rate in pattern)
        if self.mode == "titration":
            return tuple(rate for _, rate in self.ramp)
        return ()

    @property
    def rate(self) -> Fraction:
        """The largest rate that the mode runs at, in steps per millisecond: the only one but for flex and titration."""
        return max(self.basal_rates(), default=Fraction(0))

    def weekday_steps(self) -> tuple[Fraction, ...]:
        """Basal steps of Monday to Sunday, exactly; of a titration its largest day, seven times."""
        if self.mode != "flex":
            return (DAY_MS * self.rate,) * WEEK
        days = {number: _day_steps(self.patterns[number]) for number in set(self.weekdays)}
        return tuple(days[number] for number in self.weekdays)

    @property
    def periodic_per_day(self) -> int:
        """Steps of a day's periodic boluses."""
        return self.periodic_steps * (DAY_MS // self.periodic_ms) if self.periodic_steps else 0

    @property
    def patient_per_day_steps(self) -> int:
        """Steps of a day's patient boluses, if all are taken."""
        return self.patient_steps * self.patient_per_day

    @property
    def day_steps(self) -> Fraction:
        """Steps of the largest calendar day, periodic boluses included, exactly."""
        return max(self.weekday_steps()) + self.periodic_per_day

    @property
    def daily_ng(self) -> Fraction:
        """Drug of the largest calendar day, periodic boluses included, in ng, exactly."""
        return self.day_steps * self.step_ng

    @property
    def weekly_ng(self) -> Fraction:
        """Drug of Monday to Sunday, periodic boluses included, in ng, exactly."""
        return (sum(self.weekday_steps()) + WEEK * self.periodic_per_day) * self.step_ng

    @property
    def daily_nl(self) -> Fraction:
        """Volume of the largest calendar day, periodic boluses included, in nL, exactly."""
        return self.day_steps * self.step_nl

    def days_to(self, steps_left: int) -> Fraction | None:
        """Days until a full reservoir is down to `steps_left`, every day the largest and every patient bolus taken.

        None where nothing is delivered.
        """
        per_day = self.day_steps + self.patient_per_day_steps
        return (self.reservoir_steps - steps_left) / per_day if per_day else None

    def window_steps(self, span_ms: int) -> int:
        """Most steps that the pump demands of a cap on `span_ms`; see `cap_windows.window_steps`."""
        used = [self.patterns[number] for number in sorted(set(self.weekdays))] if self.mode == "flex" else []
        return window_steps(self.rate, span_ms, self.periodic_steps, self.periodic_ms, used)

    # Bytes

    def encode_program(self) -> bytes:
        """The bytes that the pump stores.

        Raises:
            ProgramError: A figure is too large for its field.
        """
        try:
            return encode_struct("program", **_join_names(asdict(self)))
        except ProtocolError as error:
            raise ProgramError(f"this program cannot be encoded: {error}") from error

    def program_hash(self) -> bytes:
        """First 16 bytes of the SHA-256 of `encode_program()`: the name of these very bytes."""
        return hashlib.sha256(self.encode_program()).digest()[:HASH_BYTES]

    def expected_reading(self) -> Reading:
        """What the pump must answer when it reads this program: floors of exact figures, at most 2^30 - 1."""
        day = self.day_steps
        days, limit = estimate_refill(self.days_to(self.low_steps), self.stability_days)
        return Reading(
            therapy_id=self.therapy_id,
            program_hash=self.program_hash(),
            mode=self.mode,
            daily_steps=_floor_figure(day),
            daily_volume_nl=_floor_figure(day * self.step_nl),
            refill_days=math.floor(days),
            refill_limit=limit,
            bolus_steps_max=self.bolus_steps_max,
            bridge_ms=_floor_figure(self.bridge_steps / self.bridge_rate) if self.bridge_steps else 0,
            drugs=tuple(self._expected_doses(drug) for drug in self.drugs),
            caps=self.caps,
        )

    def _expected_doses(self, drug: Drug) -> DrugReading:
        worth = drug.step_ng
        return DrugReading(
            name=drug.name,
            daily_dose_ng=_floor_figure(self.day_steps * worth),
            hour_dose_ng=_floor_figure(HOUR_MS * self.rate * worth),
            weekly_dose_ng=_floor_figure(self.weekly_ng / self.step_ng * worth),
            periodic_dose_ng=_floor_figure(self.periodic_per_day * worth),
            patient_dose_ng=_floor_figure(self.patient_per_day_steps * worth),
        )


def _join_names(values: dict[str, Any]) -> dict[str, Any]:
    """The values with the names of the drugs in one piece, as the protocol has them."""
    rows = [{**row, "name_bytes": len(row["name"])} for row in values["drugs"]]
    names = b"".join(row.pop("name") for row in rows)
    return {**values, "drugs": rows, "drug_names": names}


def _name_drugs(rows: Sequence[Mapping[str, Any]], names: bytes) -> list[dict[str, Any]]:
    """Rows of drugs, each with its own name. Raises ProgramError."""
    if not 1 <= len(rows) <= DRUGS_MAX or sum(row["name_bytes"] for row in rows) != len(names):
        raise ProgramError(f"this program names {len(rows)} drugs with {len(names)} bytes of names")
    named, at = [], 0
    for row in rows:
        end = at + row["name_bytes"]
        named.append({key: value for key, value in row.items() if key != "name_bytes"} | {"name": names[at:end]})
        at = end
    return named


def _decode_fraction(num: int, den: int) -> Fraction:
    return Fraction(num, den) if num else Fraction(0)


def _floor_figure(exact: Fraction) -> int:
    return min(math.floor(exact), COUNT_MAX)


def _day_steps(pattern: tuple[tuple[int, Fraction], ...]) -> Fraction:
    ends = [minute for minute, _ in pattern[1:]] + [DAY_MINUTES]
    return sum(
        ((end - minute) * MINUTE_MS * rate for (minute, rate), end in zip(pattern, ends, strict=True)), Fraction(0)
    )


_LISTS: Final = {"caps": Cap, "rates": Rate, "flex": FlexStep, "titration": TitrationStep}


def from_bytes(data: bytes) -> Program:
    """The program in the bytes that a pump stores.

    Raises:
        ProgramError: These bytes are no program, or one of a later format.
    """
    try:
        stored = decode_struct("program", data)
    except ProtocolError as error:
        raise ProgramError(f"these {len(data)} bytes are no program: {error}") from error
    if stored["format"] != PROGRAM_FORMAT:
        raise ProgramError(
            f"this program has format {stored['format']}; this dosebench reads format {PROGRAM_FORMAT}",
            hint="use the dosebench that wrote it, or a newer one",
        )
    values: dict[str, Any] = {field.name: stored[field.name] for field in fields(Program)}
    values["drugs"] = tuple(Drug(**row) for row in _name_drugs(stored["drugs"], stored["drug_names"]))
    for name, row in _LISTS.items():
        columns = [field.name for field in fields(row)]
        values[name] = tuple(row(**{column: item[column] for column in columns}) for item in values[name])
    if wrong := _find_inconsistency(values):
        raise ProgramError(f"this program {wrong}")
    return Program(**values)


def _find_inconsistency(values: Mapping[str, Any]) -> str | None:
    """Why no meaning can be given to a program: a fraction without a denominator, or a number that points nowhere."""
    names = [name.removesuffix("_den") for name in values if name.endswith("_den")]
    pairs = {name: (values[f"{name}_num"], values[f"{name}_den"], name == "step_nl") for name in names}
    for at, drug in enumerate(values["drugs"]):
        pairs[f"drugs[{at}].step_ng"] = (drug.step_ng_num, drug.step_ng_den, True)
        pairs[f"drugs[{at}].bridge_ng"] = (drug.bridge_ng_num, drug.bridge_ng_den, False)
    for at, rate in enumerate(values["rates"]):
        pairs[f"rates[{at}]"] = (rate.num, rate.den, True)
    if wrong := [name for name, pair in pairs.items() if not _is_fraction(*pair)]:
        return f"holds what is no fraction: {', '.join(wrong)}"
    if any(cap.drug >= len(values["drugs"]) for cap in values["caps"]):
        return "caps a drug that it does not have"
    count = len(values["rates"])
    if any(step.rate >= count for step in values["flex"] + values["titration"]):
        return "names a rate that it does not have"
    patterns = {step.pattern for step in values["flex"]}
    if values["mode"] == "flex" and not set(values["weekdays"]) <= patterns:
        return "names a day pattern that it does not have"
    return None


def _is_fraction(num: int, den: int, needed: bool) -> bool:
    """Whether a pair is one that the pump takes: both from 1 to `FRACTION_MAX`, or 0/0 where it may be unused."""
    if num == den == 0:
        return not needed
    return 1 <= num <= FRACTION_MAX and 1 <= den <= FRACTION_MAX


def estimate_refill(by_volume: Fraction | None, stability_days: int) -> tuple[Fraction, str]:
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
