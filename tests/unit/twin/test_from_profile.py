"""The plant of a profile: exact figures become floats in the plant's units, and only what is fitted is made."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from dosebench.profile.load import builtin_names, load_profile
from dosebench.profile.power import resting_ua
from dosebench.twin.from_profile import plant_settings
from dosebench.twin.plant import PlantSettings

IMPLANT = load_profile("implant-40")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("step_nl", 250.0),
        ("fill_nl", 40e6),
        ("battery_uah", 1_200_000.0),
        ("battery_full_mv", 3_600),
        ("battery_empty_mv", 2_700),
        ("battery_ohm", 15.0),
        ("battery_empty_ohm", 60.0),
        ("recovery_s", 3.0),
        ("cell", "lithium_thionyl_chloride"),
        ("catheter_tau_s", float(IMPLANT.catheter.time_constant) / 1000),
        ("head_kpa_max", float(IMPLANT.catheter.head_pressure_max) / 1000),
        ("ambient_mk", float(IMPLANT.ambient.temperature)),
        ("idle_ua", resting_ua(IMPLANT)),
        ("flow_nl_per_count", 0.0),
    ],
)
def test_figures_of_the_implant(name: str, value: Any) -> None:
    wanted = pytest.approx(value) if isinstance(value, float) else value
    assert getattr(plant_settings(IMPLANT), name) == wanted


def test_stiffness_is_the_reciprocal_of_compliance() -> None:
    made = plant_settings(IMPLANT)
    # 250 nL per kPa.
    assert made.catheter_kpa_per_nl == pytest.approx(1 / 250)


def test_a_step_takes_the_motors_current_for_its_time() -> None:
    made = plant_settings(IMPLANT)
    assert made.step_uah == pytest.approx(made.motor_ua * 0.1 / 3600)
    assert made.wake_uah == pytest.approx(made.awake_ua * float(IMPLANT.power.wake_time) / 3_600_000)


@pytest.mark.parametrize("name", builtin_names())
def test_the_sensors_are_those_of_the_profile(name: str) -> None:
    pump = load_profile(name)
    made = plant_settings(pump)
    fitted = {sensor for sensor in ("level", "pressure", "temperature", "air") if getattr(pump.sensors, sensor)}
    assert set(made.sensors) == fitted
    assert (made.flow_nl_per_count > 0) == (pump.sensors.flow is not None)
    for sensor in fitted - {"air"}:
        said, plant = getattr(pump.sensors, sensor), made.sensors[sensor]
        assert (plant.low_mv, plant.high_mv) == (float(said.low_output), float(said.high_output))
        assert (plant.low, plant.high, plant.noise_mv) == (float(said.low), float(said.high), float(said.noise))


def test_air_is_all_or_nothing() -> None:
    air = plant_settings(load_profile("external-mlh")).sensors["air"]
    said = load_profile("external-mlh").sensors.air
    assert said is not None
    assert (air.low, air.high) == (0.0, 1.0)
    assert (air.low_mv, air.high_mv) == (float(said.liquid_output), float(said.air_output))


def test_every_figure_is_plain() -> None:
    made = plant_settings(IMPLANT)
    for one in fields(PlantSettings):
        assert isinstance(getattr(made, one.name), (int, float, str, dict)), one.name
