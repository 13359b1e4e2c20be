"""The plant that a pump profile describes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from dosebench.base.units import DAY_MS, HOUR_MS, in_unit
from dosebench.profile.model import Profile
from dosebench.profile.power import resting_ua
from dosebench.profile.schema import Battery, Power, Sensors
from dosebench.twin.plant import PlantSettings
from dosebench.twin.sensors import Sensor


def plant_settings(profile: Profile) -> PlantSettings:
    """Constants of the physics: exact figures of the profile, as floats in the plant's units."""
    power, battery, catheter, ambient = profile.power, profile.battery, profile.catheter, profile.ambient
    sensors = profile.sensors
    return PlantSettings(
        step_nl=float(profile.delivery.step_volume),
        fill_nl=float(profile.reservoir.capacity),
        evaporation_nl_per_day=float(ambient.evaporation * DAY_MS),
        catheter_tau_s=float(catheter.time_constant / 1000),
        catheter_kpa_per_nl=float(1 / catheter.compliance / 1000),
        head_kpa_max=float(catheter.head_pressure_max / 1000),
        posture_kpa=float(ambient.posture / 1000),
        ambient_mk=float(ambient.temperature),
        ambient_swing_mk=float(ambient.swing),
        **_battery_config(battery),
        idle_ua=resting_ua(profile),
        **_power_config(power, profile.delivery.step_time),
        sensors=_sensor_parts(sensors),
        flow_nl_per_count=float(sensors.flow.count) if sensors.flow else 0.0,
    )


def _battery_config(battery: Battery) -> dict[str, Any]:
    return {
        "cell": battery.cell,
        "battery_uah": float(battery.capacity),
        "battery_full_mv": int(battery.start),
        "battery_empty_mv": int(battery.stop),
        "battery_ohm": float(in_unit(battery.resistance_fresh, "ohm")),
        "battery_empty_ohm": float(in_unit(battery.resistance_empty, "ohm")),
        "recovery_s": float(battery.recovery / 1000),
    }


def _power_config(power: Power, step_ms: Fraction) -> dict[str, Any]:
    return {
        "awake_ua": float(power.awake * HOUR_MS),
        "wake_uah": float(power.awake * power.wake_time),
        "motor_ua": float(power.motor * HOUR_MS),
        "step_uah": float(power.motor * step_ms),
        "flash_ua": float(power.flash * HOUR_MS),
        "tone_ua": float(power.tone * HOUR_MS),
    }


def _sensor_parts(fitted: Sensors) -> dict[str, Sensor]:
    made = {}
    for name in ("level", "pressure", "temperature"):
        if sensor := getattr(fitted, name):
            points = (sensor.low_output, sensor.high_output, sensor.low, sensor.high, sensor.noise)
            made[name] = Sensor(*map(float, points))
    if air := fitted.air:
        made["air"] = Sensor(float(air.liquid_output), float(air.air_output), 0.0, 1.0, float(air.noise))
    return made
