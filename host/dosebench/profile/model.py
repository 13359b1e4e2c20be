"""What a pump is."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from dosebench.base.toml_file import TomlFileError
from dosebench.profile.device_config import seal_config
from dosebench.profile.schema import (
    Alarms,
    Ambient,
    AnalogueSensor,
    Battery,
    Caps,
    Catheter,
    Delivery,
    Energy,
    Journal,
    Power,
    Reservoir,
    Sensors,
    Supervision,
    Table,
    Watch,
)


class ProfileError(TomlFileError):
    """A profile with mistakes; all of them are in `problems`."""


class Profile(Table):
    """One kind of pump.

    Every figure is exact. `count_steps(volume)` of the delivery figures is a whole number or a fraction that the
    firmware can take, and the gap between two steps at the highest rate outlasts a flash
    operation; loading a profile checks both.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, populate_by_name=True)

    format: Literal[1]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
    kind: Annotated[Literal["implant", "external"], Field(alias="class")]
    title: Annotated[str, Field(max_length=80)] = ""
    delivery: Delivery
    caps: Caps
    reservoir: Reservoir
    battery: Battery
    alarms: Alarms
    supervision: Supervision
    journal: Journal
    power: Power = Field(default_factory=Power)
    energy: Energy = Field(default_factory=Energy)
    catheter: Catheter = Field(default_factory=Catheter)
    ambient: Ambient = Field(default_factory=Ambient)
    watch: Watch = Field(default_factory=Watch)
    sensors: Sensors = Field(default_factory=Sensors)

    def count_steps(self, volume_nl: Fraction) -> Fraction:
        """How many steps `volume_nl` is, exactly (not rounded)."""
        return volume_nl / self.delivery.step_volume

    def device_config(self) -> dict[str, int | str]:
        """The figures that a pump is given when it is flashed.

        Returns:
            Names and whole numbers below 2^30; a pair `x_num`, `x_den` is a fraction with both at most 2^29. Rates are
            in steps per millisecond, times in ms, counts in steps, voltages in mV. A sensor that is fitted has its two
            points: level in steps, absolute pressure in Pa, temperature in mK; `air_mv` is where air begins, and a
            count of the flow meter is `flow_nl_num` / `flow_nl_den` nL. `rise_pa` is what a step raises the pressure in
            the line by, `catheter_ms` its time constant.
        """
        delivery, caps, reservoir = self.delivery, self.caps, self.reservoir
        config: dict[str, int | str] = {"profile": self.name}
        config |= _fraction_settings("step_nl", delivery.step_volume)
        config |= _fraction_settings("rate_min", self.count_steps(delivery.rate_min))
        config |= _fraction_settings("rate_max", self.count_steps(delivery.rate_max))
        config |= {
            "hard_hour_steps": int(self.count_steps(caps.hour)),
            "hard_day_steps": int(self.count_steps(caps.day)),
            "bolus_steps_max": int(self.count_steps(caps.bolus)),
            "reservoir_steps_max": int(self.count_steps(reservoir.capacity)),
            "lease_ms": int(delivery.lease),
            "step_ms": int(delivery.step_time),
            "activation_steps_max": delivery.activation_steps_max,
            "activation_ms_max": int(delivery.activation_time_max),
            "low_steps_default": math.ceil(self.count_steps(reservoir.low)),
            "empty_steps_default": math.ceil(self.count_steps(reservoir.empty)),
            "disagree_steps": math.floor(self.count_steps(reservoir.disagreement)),
            "reconcile_steps": math.ceil(self.count_steps(reservoir.reconcile)),
            "flash_sectors": self.journal.flash_sectors,
            "fault_sectors": self.journal.fault_sectors,
            "commissioned": 0,
        }
        config |= self._battery_settings() | self._supervision_settings() | self._line_config() | self._sensor_config()
        return seal_config(config)

    def _battery_settings(self) -> dict[str, int | str]:
        battery = self.battery
        return {
            "battery_low_mv": int(battery.low),
            "battery_stop_mv": int(battery.stop),
            "battery_hysteresis_mv": int(battery.hysteresis),
            "battery_sag_mv": int(battery.sag),
            "battery_rest_ms": int(battery.rest),
            "battery_replaceable": int(battery.replaceable),
            "service_months": 12 * (self.energy.service_years or 0),
        }

    def _line_config(self) -> dict[str, int | str]:
        watch = self.watch
        return {
            "rise_pa": round(self.delivery.step_volume / self.catheter.compliance),
            "catheter_ms": int(self.catheter.time_constant),
            "occlusion_pa": int(watch.occlusion),
            "occlusion_rise_pa": int(watch.occlusion_rise),
            "temperature_max_mk": int(watch.temperature_max),
            "patency_steps": int(self.count_steps(watch.patency)),
        }

    def _supervision_settings(self) -> dict[str, int | str]:
        alarms, supervision = self.alarms, self.supervision
        return {
            "sense_ms": int(supervision.sense),
            "retest_ms": int(supervision.retest),
            "watchdog_ms": int(supervision.watchdog),
            "tone_ms": int(alarms.tone_repeat),
            "tone_high_ms": int(alarms.tone_repeat_high),
            "silence_ms": int(alarms.silence),
            "silence_high_ms": int(alarms.silence_high),
            "stopped_ms": int(alarms.stopped),
            "stopped_high_ms": int(alarms.stopped_high),
            "repeat_times": alarms.repeat_times,
            "repeat_ms": int(alarms.repeat_within),
            "resets_max": alarms.resets_max,
            "resets_ms": int(alarms.resets_within),
        }

    def _sensor_config(self) -> dict[str, int | str]:
        sensors = self.sensors
        config: dict[str, int | str] = {}
        if level := sensors.level:
            config |= _sensor_points(
                "level", level, int(self.count_steps(level.low)), int(self.count_steps(level.high))
            )
        if pressure := sensors.pressure:
            config |= _sensor_points("pressure", pressure, int(pressure.low), int(pressure.high), "_pa")
        if temperature := sensors.temperature:
            config |= _sensor_points("temperature", temperature, int(temperature.low), int(temperature.high), "_mk")
        if sensors.air:
            config["air_mv"] = int(sensors.air.threshold)
        if sensors.flow:
            config |= _fraction_settings("flow_nl", sensors.flow.count)
        return config


def _sensor_points(name: str, sensor: AnalogueSensor, low: int, high: int, unit: str = "") -> dict[str, int | str]:
    outputs: dict[str, int | str] = {
        f"{name}_low_mv": int(sensor.low_output),
        f"{name}_high_mv": int(sensor.high_output),
    }
    return outputs | {f"{name}_low{unit}": low, f"{name}_high{unit}": high}


def _fraction_settings(name: str, value: Fraction) -> dict[str, int | str]:
    return {f"{name}_num": value.numerator, f"{name}_den": value.denominator}
