"""The tables of a pump profile and their keys: the figures of motor, caps, reservoir, battery, sensors and the rest.

A quantity is read from its text ("0.25 uL") into its exact base value. `rules` holds the figures against each
other.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, Final, Literal

from dosebench_protocol.tables import COUNT_MAX
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from dosebench.base import units

THERAPY_SECTORS: Final = 2
"""Sectors of the two copies of the therapy."""


def quantity_reader(*dimensions: units.Dimension) -> BeforeValidator:
    """A pydantic validator that reads a quantity of one of `dimensions` into its exact base value."""
    return BeforeValidator(lambda text: units.parse_value(text, *dimensions))


Volume = Annotated[Fraction, quantity_reader(units.VOLUME)]
VolumeRate = Annotated[Fraction, quantity_reader(units.VOLUME_RATE)]
Duration = Annotated[Fraction, quantity_reader(units.DURATION)]
Voltage = Annotated[Fraction, quantity_reader(units.VOLTAGE)]
Charge = Annotated[Fraction, quantity_reader(units.CHARGE)]
Current = Annotated[Fraction, quantity_reader(units.CURRENT)]
Share = Annotated[Fraction, quantity_reader(units.SHARE)]
Resistance = Annotated[Fraction, quantity_reader(units.RESISTANCE)]
Pressure = Annotated[Fraction, quantity_reader(units.PRESSURE)]
Compliance = Annotated[Fraction, quantity_reader(units.COMPLIANCE)]
Temperature = Annotated[Fraction, quantity_reader(units.TEMPERATURE)]
Count = Annotated[int, Field(strict=True, ge=1, le=COUNT_MAX)]
OnLow = Literal["keep", "minimum_rate", "stop"]
CellName = Literal["linear", "lithium_thionyl_chloride", "alkaline"]


class Table(BaseModel):
    """A table of a profile. Keys that it does not have are mistakes."""

    # A default is a quantity's text too: it is read when a profile is loaded, and not at the start of every command.
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, validate_default=True)


def _apply_defaults(text: str) -> Any:
    return Field(default=text)


class Delivery(Table):
    """Motor and rates. Volumes in nL, rates in nL/ms, times in ms."""

    step_volume: Volume
    rate_min: VolumeRate
    rate_max: VolumeRate
    step_time: Duration
    activation_steps_max: Count
    activation_time_max: Duration
    lease: Duration


class Caps(Table):
    """What no regimen can raise. Volumes in nL, rates in nL/ms."""

    hour: Volume
    day: Volume
    bolus: Volume
    bolus_rate: VolumeRate


class Reservoir(Table):
    """Reservoir of the pump. Volumes in nL, times in ms.

    Attributes:
        capacity: What it holds at most.
        low, empty: Default levels of its alarms.
        on_low: Default of what a low reservoir does to the basal.
        lasts_min: A regimen that empties it sooner is taken for a slip.
        disagreement: More than this between measured and dead-reckoned content alarms (R20).
        reconcile: At a refill, delivery of less than this is too little for a ratio (R23).
    """

    capacity: Volume
    low: Volume
    empty: Volume
    on_low: OnLow
    lasts_min: Duration
    disagreement: Volume
    reconcile: Volume


class Battery(Table):
    """Battery levels in mV, capacity in uAh, times in ms; for the twin its discharge curve, resistance and recovery.

    Attributes:
        start: Voltage of a fresh battery.
        low: Below it the battery is to be replaced, or the whole pump where that is not possible.
        stop: Below it nothing is delivered.
        capacity: Charge of a fresh battery.
        hysteresis: So far above `low` a warning ends.
        sag, rest: What a motor step takes off the voltage, and how long that shows after it.
        replaceable: Whether a battery can be changed; where it cannot, `low` is the elective replacement level (R31).
        cell: Name of its discharge curve.
        resistance_fresh, resistance_empty, recovery: Internal resistance, and how fast the voltage recovers.
    """

    start: Voltage
    low: Voltage
    stop: Voltage
    capacity: Charge
    hysteresis: Voltage
    sag: Voltage
    rest: Duration
    replaceable: Annotated[bool, Field(strict=True)]
    cell: CellName = "linear"
    resistance_fresh: Resistance = _apply_defaults("15 ohm")
    resistance_empty: Resistance = _apply_defaults("60 ohm")
    recovery: Duration = _apply_defaults("3 s")


class Catheter(Table):
    """The line to the tip: what it holds under pressure, how fast that runs out, what the pump head pushes at most."""

    compliance: Compliance = _apply_defaults("250 nL/kPa")
    time_constant: Duration = _apply_defaults("20 s")
    head_pressure_max: Pressure = _apply_defaults("200 kPa")


class Ambient(Table):
    """Where the pump is: mean temperature and its daily amplitude, pressure at the tip, what the reservoir loses."""

    temperature: Temperature = _apply_defaults("310.15 K")
    swing: Temperature = _apply_defaults("0.5 K")
    posture: Pressure = _apply_defaults("3 kPa")
    evaporation: VolumeRate = _apply_defaults("0 nL/day")


class Watch(Table):
    """When the catheter is occluded (pressure above the atmosphere, and rise above that of an open one), how hot the
    pump may be, and the test volume of a patency check."""

    occlusion: Pressure = _apply_defaults("50 kPa")
    occlusion_rise: Pressure = _apply_defaults("6 kPa")
    temperature_max: Temperature = _apply_defaults("328.15 K")
    patency: Volume = _apply_defaults("2 uL")


class AnalogueSensor(Table):
    """Outputs at the two points between which a sensor is linear, and the standard deviation of a sample, in mV."""

    low_output: Voltage
    high_output: Voltage
    noise: Voltage


class LevelSensor(AnalogueSensor):
    """Reservoir level: linear from `low` to `high`; outputs in mV, `noise` is the standard deviation of a sample."""

    low: Volume
    high: Volume


class PressureSensor(AnalogueSensor):
    """Absolute pressure at the catheter's inlet, as the level sensor."""

    low: Pressure
    high: Pressure


class TemperatureSensor(AnalogueSensor):
    """Temperature of the pump, as the level sensor."""

    low: Temperature
    high: Temperature


class AirDetector(Table):
    """Outputs with liquid and with air in the line; above `threshold` it is air."""

    liquid_output: Voltage
    air_output: Voltage
    threshold: Voltage
    noise: Voltage


class FlowMeter(Table):
    """Volume of one count."""

    count: Volume


class Sensors(Table):
    """The sensors that are fitted."""

    level: LevelSensor | None = None
    pressure: PressureSensor | None = None
    temperature: TemperatureSensor | None = None
    air: AirDetector | None = None
    flow: FlowMeter | None = None


class Alarms(Table):
    """When alarms sound, how long they may be silenced, and what counts as too long or too often. Times in ms.

    Attributes:
        tone_repeat, tone_repeat_high: From one tone to the next; of high priority.
        silence, silence_high: Longest silence; while an alarm of high priority is on.
        stopped, stopped_high: How long a programmed pump may be stopped until it alarms, and until that is urgent.
        repeat_times, repeat_within: So often, within such a time, may the same alarm not stop delivery (R44).
        resets_max, resets_within: More boots than this, within such a span of pump time, are a fault (R58).
    """

    tone_repeat: Duration
    tone_repeat_high: Duration
    silence: Duration
    silence_high: Duration
    stopped: Duration
    stopped_high: Duration
    repeat_times: Annotated[int, Field(strict=True, ge=2, le=16)]
    repeat_within: Duration
    resets_max: Annotated[int, Field(strict=True, ge=1, le=15)]
    resets_within: Duration


class Supervision(Table):
    """How often the pump looks at its sensors and at itself. Times in ms.

    Attributes:
        sense: From one round over the sensors to the next.
        retest: From one round of self-tests to the next.
        watchdog: Its time-out; longer than `sense`, so that feeding it costs no wake of its own.
    """

    sense: Duration
    retest: Duration
    watchdog: Duration


class Power(Table):
    """Currents of the board; `wake_time` is how long a wake lasts at the current `awake`."""

    asleep: Current = _apply_defaults("6 uA")
    awake: Current = _apply_defaults("1 mA")
    wake_time: Duration = _apply_defaults("10 ms")
    motor: Current = _apply_defaults("2 mA")
    flash: Current = _apply_defaults("20 mA")
    tone: Current = _apply_defaults("5 mA")


class Energy(Table):
    """What wears the battery beside delivery, and when its service ends.

    Attributes:
        listening: Mean current of the receiver that hears a host.
        self_discharge: What the battery loses by itself in a year, as a share of its capacity.
        reserve: Share of the charge that is left when the battery is at its low level: for the service after it.
        service_years: Calendar years after which service ends whatever the battery holds (R31); None is no such end.
    """

    listening: Current = _apply_defaults("0 uA")
    self_discharge: Share = _apply_defaults("0 %")
    reserve: Share = _apply_defaults("10 %")
    service_years: Annotated[int, Field(strict=True, ge=1, le=50)] | None = None


class Journal(Table):
    """Flash of the pump, in sectors of 4096 bytes: `THERAPY_SECTORS` for the therapy, `fault_sectors` for the ring of
    fault records, and the rest for the routine journal."""

    flash_sectors: Count
    fault_sectors: Count
