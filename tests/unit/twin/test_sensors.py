"""What the converter reads: the sensors' lines, their noise, and how they break."""

from __future__ import annotations

import statistics

import pytest
from dosebench.profile.load import builtin_names, load_profile
from dosebench.twin.from_profile import plant_settings
from dosebench.twin.plant import DAY_US, Plant
from dosebench.twin.sensors import CHANNELS, Sensor

SECOND = 1_000_000
BATTERY, LEVEL, PRESSURE, TEMPERATURE, AIR = range(5)


def fitted(profile: str = "implant-40", seed: int = 0) -> Plant:
    """The plant of a profile of the package."""
    return Plant(plant_settings(load_profile(profile)), seed=seed)


def mean_mv(plant: Plant, channel: int, samples: int = 400) -> float:
    """Mean of samples at one moment, so that nothing but noise differs."""
    return statistics.mean(plant.sample_mv(channel, SECOND) for _ in range(samples))


def test_a_sensor_is_linear_between_its_points() -> None:
    sensor = Sensor(500, 2_500, 0, 40e6, 0)
    assert [sensor.to_millivolts(volume) for volume in (0, 10e6, 40e6)] == [500, 1_000, 2_500]


def test_each_channel_reads_its_quantity() -> None:
    implant, external = fitted(), fitted("external-mlh")
    kpa = 101.325 + implant.pressure_kpa(SECOND)
    assert mean_mv(implant, BATTERY) == pytest.approx(3_600, abs=2)
    assert mean_mv(implant, LEVEL) == pytest.approx(2_500, abs=1)
    assert mean_mv(implant, PRESSURE) == pytest.approx(150 + 8 * (kpa - 20), abs=1)
    assert mean_mv(implant, TEMPERATURE) == pytest.approx(500 + 10 * 37, abs=1)
    assert mean_mv(external, AIR) == pytest.approx(400, abs=4)
    external.set_fault("air", None, 2 * SECOND)
    assert mean_mv(external, AIR) == pytest.approx(2_600, abs=4)


def test_what_is_not_fitted_reads_nothing() -> None:
    assert fitted().sample_mv(AIR, 0) == 0
    assert fitted().flow_count(0) == 0
    assert fitted("external-mlh").sample_mv(LEVEL, 0) == 0


@pytest.mark.parametrize("name", builtin_names())
def test_the_noise_is_what_the_profile_says(name: str) -> None:
    plant = fitted(name)
    # The volumes of the bench profile are a sixtieth of the implant's, and so is their noise.
    level_nl = 50_000 / 60 if name == "bench-fast" else 50_000
    for sensor, quantity in (("level", level_nl), ("pressure", 300), ("temperature", 200)):
        made = plant.settings.sensors.get(sensor)
        if made is None:
            continue
        samples = [plant.sample_mv(CHANNELS.index(sensor), SECOND) for _ in range(2_000)]
        per_mv = (made.high - made.low) / (made.high_mv - made.low_mv)
        # Rounding to a millivolt adds a twelfth of its square.
        assert statistics.stdev(samples) * per_mv == pytest.approx(quantity, rel=0.1)


@pytest.mark.requirement("R47")
@pytest.mark.parametrize("channel", [BATTERY, LEVEL, PRESSURE, TEMPERATURE, AIR])
def test_each_sensor_breaks_in_four_ways(channel: int) -> None:
    plant = fitted("external-mlh" if channel == AIR else "implant-40")
    name = CHANNELS[channel]
    before = mean_mv(plant, channel)
    plant.set_fault(f"{name}_offset", -120, SECOND)
    assert mean_mv(plant, channel) == pytest.approx(before - 120, abs=4)
    plant.set_fault(f"{name}_offset", 0, SECOND)
    plant.set_fault(f"{name}_open", True, SECOND)
    assert plant.sample_mv(channel, SECOND) == (6_600 if channel == BATTERY else 3_300)
    plant.set_fault(f"{name}_open", False, SECOND)
    plant.set_fault(f"{name}_short", True, SECOND)
    assert plant.sample_mv(channel, SECOND) == 0
    plant.set_fault(f"{name}_short", False, SECOND)
    plant.set_fault(f"{name}_stuck", True, SECOND)
    assert len({plant.sample_mv(channel, at * SECOND) for at in range(1, 100)}) == 1
    plant.set_fault(f"{name}_stuck", False, 100 * SECOND)
    assert len({plant.sample_mv(channel, at * SECOND) for at in range(100, 200)}) > 3
    assert plant.converter.frozen == {}


def test_a_stuck_level_stays_when_the_reservoir_runs_out() -> None:
    plant = fitted()
    plant.set_fault("level_stuck", None, 0)
    full = plant.sample_mv(LEVEL, 0)
    plant.set_fault("free_flow", 1e6, 0)
    assert plant.sample_mv(LEVEL, DAY_US) == full
    plant.set_fault("level_stuck", False, DAY_US)
    assert plant.sample_mv(LEVEL, DAY_US) == pytest.approx(500, abs=10)


def test_the_flow_meter_counts_true_volume_and_can_stick() -> None:
    plant = fitted("external-mlh")
    for second in range(5):
        plant.make_step(second * SECOND)
    assert plant.flow_count(5 * SECOND) == 5 * 16
    plant.set_fault("flow_stuck", None, 5 * SECOND)
    assert plant.flow_count(5 * SECOND) == 80
    plant.make_step(6 * SECOND)
    assert plant.flow_count(6 * SECOND) == 80
    plant.set_fault("flow_stuck", "off", 7 * SECOND)
    assert plant.flow_count(7 * SECOND) == 96


def test_a_sample_does_not_depend_on_what_else_was_asked() -> None:
    quiet, busy = fitted(seed=5), fitted(seed=5)
    for at in range(0, 3_600, 10):
        for channel in (BATTERY, PRESSURE, TEMPERATURE):
            busy.sample_mv(channel, at * SECOND)
        busy.battery_mv(at * SECOND)
    moments = (4_000 * SECOND, 4_000 * SECOND, 4_001 * SECOND)
    one, other = ([plant.sample_mv(LEVEL, at) for at in moments] for plant in (quiet, busy))
    assert one == other
    assert len({fitted(seed=seed).sample_mv(LEVEL, 4_000 * SECOND) for seed in range(50)}) > 3
