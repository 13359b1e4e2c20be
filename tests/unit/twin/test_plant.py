"""The physics: line and reservoir, motor, battery and charge, surroundings, and each fault."""

from __future__ import annotations

import json
import math
from array import array
from itertools import pairwise

import pytest
from dosebench.twin.plant import DAY_US, HOUR_US, Plant, PlantSettings
from hypothesis import given
from hypothesis import strategies as st
from plants import SECOND, pump, still


def test_the_plant_keeps_volume() -> None:
    plant = Plant(PlantSettings(step_nl=250, fill_nl=1_000, catheter_tau_s=10))
    for second in range(4):
        plant.make_step(second * 1_000_000)
    assert plant.read_encoder() == 4
    assert plant.reservoir_nl() == 0
    assert 0 < plant.delivered_nl(3_000_000) < 1_000
    assert plant.delivered_nl(600_000_000) == pytest.approx(1_000)
    assert plant.pressure_kpa(3_000_000) > plant.pressure_kpa(60_000_000) > 0
    plant.refill_reservoir(5_000)
    assert plant.reservoir_nl() == 5_000


def test_a_stalled_or_slipping_motor_moves_less_than_it_is_told() -> None:
    plant = Plant()
    plant.faults.slip = 3
    for _ in range(9):
        plant.make_step(0)
    assert (plant.commanded, plant.read_encoder()) == (9, 6)
    plant.faults.stall = True
    plant.make_step(0)
    assert plant.read_encoder() == 6


def test_the_battery_sinks_with_time_and_steps() -> None:
    plant = Plant(PlantSettings(battery_uah=1_000, idle_ua=1, step_uah=1, wake_uah=0, battery_noise_mv=0))
    full = plant.battery_mv(0)
    later = plant.battery_mv(500 * HOUR_US)
    plant.commanded = 500
    assert full > later > plant.battery_mv(500 * HOUR_US) == pytest.approx(plant.settings.battery_empty_mv, abs=1)


def test_a_plant_survives_being_saved() -> None:
    plant = Plant(seed=4)
    plant.make_step(5)
    plant.sound_tone(1, 5)
    again = Plant.restore_state(json.loads(json.dumps(plant.save_state())), array("q", plant.steps_us))
    assert again == plant
    assert again.battery_mv(100) == plant.battery_mv(100)


@pytest.mark.requirement("R45")
def test_an_occlusion_holds_the_volume_and_lets_it_go_when_it_is_released() -> None:
    plant = still()
    plant.set_fault("occlusion", None, 0)
    end = pump(plant, 40)
    assert plant.pressure_kpa(end) == pytest.approx(40, rel=1e-6)
    assert plant.delivered_nl(end) == pytest.approx(0, abs=0.1)
    assert plant.pressure_kpa(end + 30 * DAY_US) == pytest.approx(40, rel=0.01)
    released = end + 30 * DAY_US
    before = plant.delivered_nl(released)
    plant.set_fault("occlusion", "off", released)
    bolus = plant.delivered_nl(released + 200 * SECOND) - before
    assert bolus == pytest.approx(10_000, rel=0.01)
    assert plant.pressure_kpa(released + 200 * SECOND) == pytest.approx(0, abs=0.01)


def test_a_partial_occlusion_slows_the_line_and_loses_nothing() -> None:
    free, narrow = still(), still()
    narrow.set_fault("occlusion", 20, 0)
    for plant in (free, narrow):
        pump(plant, 60)
    at = 60 * 60 * SECOND
    assert narrow.pressure_kpa(at) > 4 * free.pressure_kpa(at)
    assert free.delivered_nl(at) > narrow.delivered_nl(at) > 10_000
    assert narrow.delivered_nl(at + HOUR_US * 3) == pytest.approx(15_000, rel=1e-3)


def test_the_pump_head_pushes_no_further_than_it_can() -> None:
    plant = still(head_kpa_max=50.0)
    plant.set_fault("occlusion", None, 0)
    end = pump(plant, 100)
    assert plant.pressure_kpa(end) == pytest.approx(50, rel=1e-3)
    assert plant.read_encoder() == 100
    assert plant.pumped_nl() == pytest.approx(50 / 0.004, rel=1e-3)


def test_a_leak_takes_its_share_and_shrinks_the_pressure() -> None:
    whole, leaking = still(), still()
    leaking.set_fault("leak", 0.4, 0)
    for plant in (whole, leaking):
        plant.make_step(0)
    assert leaking.pressure_kpa(SECOND) == pytest.approx(0.6 * whole.pressure_kpa(SECOND))
    assert leaking.pumped_nl() == whole.pumped_nl() == 250
    assert leaking.delivered_nl(HOUR_US) == pytest.approx(150)
    assert leaking.lost_nl == pytest.approx(100)


def test_a_disconnected_catheter_delivers_nothing_and_has_no_pressure() -> None:
    plant = Plant()
    plant.make_step(0)
    plant.set_fault("disconnect", None, SECOND)
    plant.make_step(2 * SECOND)
    assert plant.pressure_kpa(2 * SECOND) == 0
    assert plant.delivered_nl(HOUR_US) == pytest.approx(250 * (1 - math.exp(-1 / 20)))
    assert plant.delivered_nl(HOUR_US) + plant.lost_nl == pytest.approx(500)


@given(st.lists(st.integers(1, 6_000), min_size=1, max_size=9), st.floats(1, 2_500))
def test_free_flow_runs_with_time_however_often_somebody_looks(seconds: list[int], nl_per_s: float) -> None:
    seen, unseen = still(flow_nl_per_count=10.0), still(flow_nl_per_count=10.0)
    for plant in (seen, unseen):
        plant.set_fault("free_flow", nl_per_s, 5 * SECOND)
    at = 5 * SECOND
    for wait in seconds:
        at += wait * SECOND
        seen.delivered_nl(at)
    left = max(0.0, 40e6 - nl_per_s * sum(seconds))
    for plant in (seen, unseen):
        count = plant.flow_count(at)
        assert plant.reservoir_nl() == pytest.approx(left, abs=1)
        assert count == pytest.approx((40e6 - left) / 10, abs=1)
        assert plant.read_encoder() == 0
    assert seen.held_at(at) == pytest.approx(unseen.held_at(at), rel=1e-5, abs=1e-3)


def test_free_flow_is_no_faster_than_the_line_lets_through() -> None:
    closed, narrow = still(), still()
    closed.set_fault("occlusion", None, 0)
    narrow.set_fault("occlusion", 100, 0)
    for plant in (closed, narrow):
        plant.set_fault("free_flow", 1_000, 0)
    assert closed.delivered_nl(DAY_US) == pytest.approx(0, abs=1)
    assert closed.pumped_nl() < 5
    assert narrow.pressure_kpa(DAY_US) == pytest.approx(200)
    assert narrow.pumped_nl() == pytest.approx(25 * 86_400)


def test_free_flow_reaches_the_steady_pressure_of_its_rate() -> None:
    plant = still()
    plant.set_fault("free_flow", 100, 0)
    assert plant.pressure_kpa(1_000 * SECOND) == pytest.approx(100 * 20 * 0.004, rel=1e-6)


def test_air_makes_the_line_softer() -> None:
    clear, air = still(), still()
    air.set_fault("air", 10, 0)
    for plant in (clear, air):
        plant.make_step(0)
    assert air.pressure_kpa(0) == pytest.approx(clear.pressure_kpa(0) / 10)
    assert air.delivered_nl(20 * SECOND) < 0.2 * clear.delivered_nl(20 * SECOND)
    assert air.delivered_nl(HOUR_US) == pytest.approx(250)


@pytest.mark.requirement("R20")
def test_an_over_delivering_head_is_seen_by_level_and_flow_alone() -> None:
    plant = still(flow_nl_per_count=1.0)
    plant.set_fault("step_volume_factor", 1.14, 0)
    end = pump(plant, 1_000)
    assert plant.read_encoder() == 1_000
    assert 40e6 - plant.reservoir_nl() == pytest.approx(285_000)
    assert plant.flow_count(end) == pytest.approx(285_000, abs=1)


def test_a_reservoir_gives_no_more_than_it_holds() -> None:
    plant = still(fill_nl=600.0)
    end = pump(plant, 4)
    assert plant.reservoir_nl() == 0
    assert plant.pumped_nl() == 600
    assert plant.read_encoder() == 4
    plant.set_fault("free_flow", 1_000, end)
    assert plant.delivered_nl(end + HOUR_US) == pytest.approx(600)


def test_evaporation_leaves_through_the_wall_and_not_through_the_line() -> None:
    plant = still(evaporation_nl_per_day=1_000.0)
    plant.account_until(10 * DAY_US)
    assert plant.reservoir_nl() == pytest.approx(40e6 - 10_000)
    assert plant.pumped_nl() == 0
    plant.refill_reservoir(5e6, 11 * DAY_US)
    assert plant.reservoir_nl() == pytest.approx(5e6)


def test_posture_changes_a_few_times_an_hour_and_slowly() -> None:
    plant = Plant(seed=3)
    day = [plant.posture_kpa(minute * 60 * SECOND) for minute in range(24 * 60)]
    assert all(0 <= kpa <= 3 for kpa in day)
    assert max(day) - min(day) > 2
    changes = sum(a != b for a, b in pairwise(day))
    assert 24 < changes <= 6 * 24
    seconds = [plant.posture_kpa(second * SECOND) for second in range(7_200)]
    assert max(abs(a - b) for a, b in pairwise(seconds)) <= 3 / 60 + 1e-9
    assert [Plant(seed=4).posture_kpa(minute * 60 * SECOND) for minute in range(60)] != day[:60]


def test_a_step_that_slips_or_stalls_delivers_nothing() -> None:
    plant = still()
    plant.set_fault("slip", 10, 0)
    pump(plant, 100)
    assert (plant.commanded, plant.read_encoder(), plant.pumped_nl()) == (100, 90, 22_500)
    plant.set_fault("stall", None, HOUR_US * 2)
    plant.make_step(HOUR_US * 2)
    assert plant.read_encoder() == 90


def test_runaway_steps_come_once() -> None:
    plant = still()
    plant.set_fault("runaway", 4, 0)
    plant.wake_up(SECOND)
    plant.wake_up(2 * SECOND)
    assert (plant.read_encoder(), plant.commanded, plant.faults.list_present()) == (4, 0, {})


def test_the_battery_sags_under_the_motor_and_recovers() -> None:
    plant = still()
    rest = plant.battery_mv(0)
    end = pump(plant, 20, every_us=900_000)
    loaded, later, rested = (plant.battery_mv(end + wait * SECOND) for wait in (0, 3, 60))
    assert rest - loaded > 3
    assert loaded < later < rested
    assert rest - rested < 0.2


def test_an_emptier_battery_sags_more() -> None:
    def sag(used_uah: float) -> float:
        plant = still(battery_uah=1_000_000.0, idle_ua=0.0)
        plant.drained_uah = used_uah
        before = plant.battery_mv(0)
        pump(plant, 20, every_us=900_000)
        return before - plant.battery_mv(20 * 900_000)

    assert sag(900_000) > 2 * sag(0) > 0


def test_the_charge_adds_up() -> None:
    plant = still(idle_ua=6.0, wake_uah=0.001, step_uah=0.1, awake_ua=2_000.0, flash_ua=20_000.0, tone_ua=5_000.0)
    pump(plant, 10)
    for _ in range(7):
        plant.wake_up(HOUR_US)
    plant.busy_us, plant.flash_us = 90 * SECOND, 9 * SECOND
    for pattern in (1, 2, 0):
        plant.sound_tone(pattern, HOUR_US)
    plant.set_fault("drain", 500, HOUR_US)
    charges = plant.charges_uah(2 * HOUR_US)
    expected = {"idle": 12, "wakes": 0.007, "awake": 50, "steps": 1, "flash": 50, "faults": 500}
    expected["tones"] = 5_000 * 4 / 3_600
    assert charges == pytest.approx(expected)
    assert plant.used_uah(2 * HOUR_US) == pytest.approx(sum(expected.values()))


def test_a_stuck_driver_drains_and_loads_the_battery() -> None:
    plant = still()
    before = plant.battery_mv(HOUR_US)
    plant.set_fault("driver_stuck", None, HOUR_US)
    assert before - plant.battery_mv(HOUR_US) == pytest.approx(45, abs=1)
    assert plant.charges_uah(3 * HOUR_US)["faults"] == pytest.approx(6_000)
    plant.set_fault("driver_stuck", False, 3 * HOUR_US)
    assert plant.charges_uah(9 * HOUR_US)["faults"] == pytest.approx(6_000)


def test_an_overheated_pump_is_warmer() -> None:
    plant = still()
    plant.set_fault("overheat", 20, 0)
    assert plant.temperature_mk(0) == 330_150


def test_a_plant_with_faults_survives_being_saved() -> None:
    plant = Plant(PlantSettings(posture_kpa=1.0, evaporation_nl_per_day=5.0), seed=9)
    plant.make_step(5)
    for name, value in (("occlusion", None), ("slip", 7), ("battery_stuck", None), ("free_flow", 3.0)):
        plant.set_fault(name, value, SECOND)
    stuck = plant.sample_mv(0, SECOND)
    plant.sound_tone(2, SECOND)
    again = Plant.restore_state(json.loads(json.dumps(plant.save_state())), array("q", plant.steps_us))
    assert again == plant
    assert again.sample_mv(0, DAY_US) == plant.sample_mv(0, DAY_US) == stuck
    assert again.delivered_nl(DAY_US) == plant.delivered_nl(DAY_US)
    assert again.charges_uah(DAY_US) == plant.charges_uah(DAY_US)
