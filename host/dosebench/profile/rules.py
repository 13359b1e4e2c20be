"""What may not contradict what in a pump profile: figures that are right by themselves and not beside others."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from dosebench_protocol.tables import COUNT_MAX, FRACTION_MAX

from dosebench.base import units
from dosebench.base.units import DAY_MS, HOUR_MS
from dosebench.profile.model import Profile
from dosebench.profile.parts import RAIL_MV
from dosebench.profile.schema import THERAPY_SECTORS, Sensors

FLASH_FREEZE_MS: Final = 450
"""Longest time that a board may stand still for one flash operation, in ms (DESIGN, section 5: 400 ms and more)."""
RING_SECTORS_MIN: Final = 2
"""Least sectors of a ring of records: the oldest is erased while the newest still holds all that matters."""

_MAY_BE_ZERO: Final = frozenset({"commissioned", "level_low", "battery_replaceable", "service_months"})

Contradiction = tuple[tuple[str, ...], str]
"""Key of the figure that is wrong, and why."""


def find_contradictions(profile: Profile) -> Iterator[Contradiction]:
    """What contradicts itself in a profile whose single figures are right."""
    yield from _zero_faults(profile)
    yield from _sensor_faults(profile.sensors)
    if profile.delivery.step_volume and profile.delivery.rate_max and profile.catheter.compliance:
        yield from _motor_faults(profile)
        yield from _order_faults(profile)
        yield from _integer_faults(profile)
    yield from _ring_faults(profile)


def _zero_faults(profile: Profile) -> Iterator[Contradiction]:
    for table in ("delivery", "caps", "reservoir", "battery", "catheter", "alarms", "supervision"):
        for name, value in getattr(profile, table):
            if value == 0 and not isinstance(value, bool):
                yield (table, name), "must be above zero"
    if not profile.power.asleep:
        yield ("power", "asleep"), "must be above zero"
    if profile.energy.reserve >= 1:
        yield ("energy", "reserve"), "leaves no charge to deliver with: it is a share below 100 %"


def _sensor_faults(sensors: Sensors) -> Iterator[Contradiction]:
    for name in ("level", "pressure", "temperature"):
        sensor = getattr(sensors, name)
        if sensor is None:
            continue
        if not sensor.low < sensor.high:
            yield ("sensors", name, "low"), f"is not below sensors.{name}.high"
        if not 0 < sensor.low_output < sensor.high_output < RAIL_MV:
            yield (
                ("sensors", name, "low_output"),
                f"must be above 0 and below high_output, and that below {RAIL_MV} mV, to tell a broken lead",
            )
    if (air := sensors.air) and not air.liquid_output < air.threshold < air.air_output < RAIL_MV:
        yield ("sensors", "air", "threshold"), f"must lie between the two outputs, and these below {RAIL_MV} mV"
    if sensors.flow and not sensors.flow.count:
        yield ("sensors", "flow", "count"), "must be above zero"


def _ring_faults(profile: Profile) -> Iterator[Contradiction]:
    faults = profile.journal.fault_sectors
    routine = profile.journal.flash_sectors - THERAPY_SECTORS - faults
    if faults < RING_SECTORS_MIN:
        yield ("journal", "fault_sectors"), f"must be at least {RING_SECTORS_MIN}: a ring erases one sector at a time"
    if routine < RING_SECTORS_MIN:
        yield (
            ("journal", "flash_sectors"),
            f"leaves {routine} sectors for the routine journal beside the therapy's {THERAPY_SECTORS} and the faults' "
            f"{faults}; at least {RING_SECTORS_MIN} are needed",
        )


def _motor_faults(profile: Profile) -> Iterator[Contradiction]:
    delivery = profile.delivery
    gap_ms = 1 / profile.count_steps(delivery.rate_max) - delivery.step_time
    if gap_ms <= FLASH_FREEZE_MS:
        yield (
            ("delivery", "rate_max"),
            f"leaves {units.format_decimal(gap_ms, 4)} ms between two steps; more than {FLASH_FREEZE_MS} ms are "
            f"needed, "
            "because flash is written only between steps and one operation can hold a board that long",
        )
    if delivery.activation_time_max < delivery.activation_steps_max * delivery.step_time:
        yield ("delivery", "activation_time_max"), "is shorter than activation_steps_max steps take"


def _order_faults(profile: Profile) -> Iterator[Contradiction]:
    delivery, caps, reservoir, battery = profile.delivery, profile.caps, profile.reservoir, profile.battery
    orders = (
        (("delivery", "rate_min"), delivery.rate_min, "delivery.rate_max", delivery.rate_max),
        (("caps", "bolus_rate"), caps.bolus_rate, "delivery.rate_max", delivery.rate_max),
        (("delivery", "rate_min"), delivery.rate_min, "caps.bolus_rate", caps.bolus_rate),
        (("delivery", "rate_min"), delivery.rate_min * HOUR_MS, "caps.hour, over an hour", caps.hour),
        (("delivery", "rate_min"), delivery.rate_min * DAY_MS, "caps.day, over a day", caps.day),
        (("caps", "bolus"), caps.bolus, "caps.hour", caps.hour),
        (("caps", "hour"), caps.hour, "caps.day", caps.day),
        (("reservoir", "empty"), reservoir.empty, "reservoir.low", reservoir.low),
        (("reservoir", "low"), reservoir.low, "reservoir.capacity", reservoir.capacity),
        (("reservoir", "disagreement"), reservoir.disagreement, "reservoir.capacity", reservoir.capacity),
        (("reservoir", "reconcile"), reservoir.reconcile, "reservoir.capacity", reservoir.capacity),
        (("battery", "stop"), battery.stop, "battery.low", battery.low),
        (("battery", "low"), battery.low, "battery.start", battery.start),
        (("battery", "hysteresis"), battery.hysteresis, "battery.start less battery.low", battery.start - battery.low),
        (("battery", "sag"), battery.sag, "battery.low less battery.stop", battery.low - battery.stop),
        (("alarms", "silence_high"), profile.alarms.silence_high, "2 min (R42)", Fraction(120_000)),
        (("alarms", "silence_high"), profile.alarms.silence_high, "alarms.silence", profile.alarms.silence),
        (("alarms", "stopped"), profile.alarms.stopped, "alarms.stopped_high", profile.alarms.stopped_high),
        (("alarms", "stopped_high"), profile.alarms.stopped_high, "6 days, which the pump can count", 6 * DAY_MS),
    )
    for key, lower, upper_name, upper in orders:
        if lower > upper:
            yield key, f"is above {upper_name}"


def measured_faults(profile: Profile) -> Iterator[str]:
    """What is wrong with a profile whose figures were right, now that its step volume is another."""
    for _, message in (*_motor_faults(profile), *_number_faults(profile)):
        yield message


def _number_faults(profile: Profile) -> Iterator[Contradiction]:
    for name, value in profile.device_config().items():
        limit = FRACTION_MAX if name.endswith(("_num", "_den")) else COUNT_MAX
        lowest = 0 if name in _MAY_BE_ZERO else 1
        if isinstance(value, int) and not lowest <= value <= limit:
            yield (), f"{name} is {value}, which the firmware cannot take: {lowest} to {limit}"


def _integer_faults(profile: Profile) -> Iterator[Contradiction]:
    yield from _number_faults(profile)
    whole = {
        ("delivery", "lease"): profile.delivery.lease,
        ("delivery", "step_time"): profile.delivery.step_time,
        ("delivery", "activation_time_max"): profile.delivery.activation_time_max,
        ("reservoir", "capacity"): profile.count_steps(profile.reservoir.capacity),
    }
    for key, figure in whole.items():
        if figure.denominator != 1:
            yield key, "is not a whole number of milliseconds or steps"
