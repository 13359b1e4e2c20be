"""How long a battery lasts and when service ends; test_battery_life.py compares it with the twin."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest
from dosebench.profile import load
from dosebench.profile.model import Profile
from dosebench.profile.power import CONSUMERS, Usage, charges_uah
from dosebench.regimen.check import load_regimen
from dosebench.regimen.drugs import DrugLibrary
from dosebench.report.longevity import limits_ml, longevity_curve
from dosebench.therapy.energy import (
    BatteryState,
    Life,
    add_months,
    estimate_service,
    life_at,
    usage_by,
    usage_of,
)
from hypothesis import given
from hypothesis import strategies as st
from regimens import EXAMPLES

IMPLANT = load.load_profile("implant-40")
PROFILES = [load.load_profile(name) for name in load.builtin_names()]
DAYS = st.dates(date(2001, 1, 1), date(2080, 1, 1))
STATUS: dict[str, Any] = {"day": 10, "ms": 43_200_000, "high_steps": 4_200, "journal_next": 300, "battery_mv": 3_590}
COUNTERS: dict[str, Any] = {
    "up_minutes": 1_440,
    "steps": 400,
    "wakes_delivery": 400,
    "wakes_sensors": 480,
    "wakes_watchdog": 7,
    "wakes_link": 20,
    "wakes_other": 4,
    "tones": 2,
    "records": 24,
}


def years(ml_per_day: float) -> float:
    return life_at(IMPLANT, ml_per_day * 1e6).years_to_low


def service_end(eri: date, implanted: date, years: int) -> date:
    """End of service of a pump whose battery reaches its level on the day `eri`, and lasts long after it."""
    energy = IMPLANT.energy.model_copy(update={"service_years": years})
    pump = IMPLANT.model_copy(update={"energy": energy})
    return estimate_service(pump, life_at(pump, 0.3e6), BatteryState(eri, implanted, low=True)).ends


@pytest.mark.requirement("R31", "C16")
def test_service_ends_90_days_after_eri() -> None:
    assert service_end(date(2023, 6, 1), date(2017, 1, 15), 7) == date(2023, 8, 30)


@pytest.mark.requirement("R31")
@pytest.mark.parametrize(
    ("eri", "years", "ends"),
    [
        (date(2023, 10, 16), 7, date(2024, 1, 14)),
        (date(2023, 10, 17), 7, date(2024, 1, 15)),
        (date(2023, 10, 18), 7, date(2024, 1, 15)),
        (date(2030, 1, 1), 7, date(2024, 1, 15)),
        (date(2030, 1, 1), 10, date(2027, 1, 15)),
    ],
)
def test_service_ends_at_its_life_from_implantation_at_the_latest(eri: date, years: int, ends: date) -> None:
    assert service_end(eri, date(2017, 1, 15), years) == ends


@pytest.mark.requirement("R31")
@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2024, 2, 29), 84, date(2031, 2, 28)),
        (date(2024, 2, 29), 48, date(2028, 2, 29)),
        (date(2023, 1, 31), 1, date(2023, 2, 28)),
        (date(2023, 11, 30), 3, date(2024, 2, 29)),
        (date(2023, 12, 31), 12, date(2024, 12, 31)),
        (date(2023, 12, 15), 0, date(2023, 12, 15)),
    ],
)
def test_months_are_calendar_months(day: date, months: int, later: date) -> None:
    assert add_months(day, months) == later


@pytest.mark.requirement("R31")
@given(DAYS, DAYS, st.floats(0, 1.2e6), st.sampled_from([0.048, 0.3, 0.5, 1.0, 6.0]))
def test_the_first_limit_ends_service(implanted: date, today: date, used: float, ml_per_day: float) -> None:
    expected = life_at(IMPLANT, ml_per_day * 1e6)
    told = estimate_service(IMPLANT, expected, BatteryState(today, implanted, used))
    empty = (expected.capacity_uah - used) / expected.day_uah
    limits = {
        "eri": (told.low - today).days + 90,
        "service_life": (add_months(implanted, 84) - today).days,
        "empty": max((told.low - today).days, int(empty)),
    }
    assert (told.ends - today).days == min(limits.values())
    assert limits[told.limited_by] == min(limits.values())


def test_a_battery_below_its_level_is_at_eri_whatever_the_estimate_says() -> None:
    today = date(2026, 5, 1)
    state = BatteryState(today, date(2024, 1, 1), 0.0, low=True)
    told = estimate_service(IMPLANT, life_at(IMPLANT, 0.3e6), state)
    assert (told.low, told.ends, told.limited_by) == (today, date(2026, 7, 30), "eri")


def test_a_pump_that_is_not_implanted_runs_until_its_battery_is_empty() -> None:
    pump = load.load_profile("external-mlh")
    told = estimate_service(pump, life_at(pump, 24e6), BatteryState.fresh_battery(date(2026, 1, 1)))
    assert told.limited_by == "empty"
    assert told.low < told.ends


def test_a_service_life_does_not_outlast_the_battery_of_a_pump_without_an_eri() -> None:
    pump = load.load_profile("external-mlh")
    energy = pump.energy.model_copy(update={"service_years": 50, "reserve": Fraction(9, 10)})
    saving = pump.model_copy(update={"energy": energy})
    today = date(2026, 1, 1)
    told = estimate_service(saving, life_at(saving, 0.3e6), BatteryState.fresh_battery(today))
    assert (told.ends - told.low).days > 90
    assert (told.ends, told.limited_by) == (today + timedelta(life_at(saving, 0.3e6).days_to_empty // 1), "empty")


@pytest.mark.parametrize("pump", PROFILES, ids=lambda pump: pump.name)
def test_more_flow_never_lasts_longer(pump: Profile) -> None:
    points = longevity_curve(pump)
    lasts = [point.life.days_to_low for point in points]
    rates = [point.ml_per_day for point in points]
    assert rates == sorted(set(rates))
    assert (rates[0], rates[-1]) == limits_ml(pump)
    assert lasts == sorted(lasts, reverse=True)
    for point in points:
        assert sum(point.life.shares.values()) == pytest.approx(1)
        assert set(point.life.shares) == set(CONSUMERS)
        assert 0 < point.life.days_to_low < point.life.days_to_empty


@pytest.mark.parametrize(("name", "boluses"), [("c5-baclofen-800", 0), ("patient-bolus", 2 + 4)])
def test_a_program_counts_with_its_boluses(library: DrugLibrary, name: str, boluses: int) -> None:
    program = load_regimen(EXAMPLES / f"{name}.toml", library).program
    assert program is not None
    assert boluses == (program.patient_per_day + 86_400_000 // program.periodic_ms if boluses else 0)
    used = usage_of(IMPLANT, program)
    assert used.steps == pytest.approx(float(program.day_steps + program.patient_per_day_steps))
    assert used.flash_writes == pytest.approx((24 + 2 * boluses) * (1 + 5 / 98))


def test_a_flex_week_counts_as_its_mean(library: DrugLibrary) -> None:
    program = load_regimen(EXAMPLES / "flex-weekdays.toml", library).program
    assert program is not None
    assert usage_of(IMPLANT, program).steps == pytest.approx(float(sum(program.weekday_steps()) / 7))


def test_what_a_pump_tells_of_its_life() -> None:
    used = usage_by(IMPLANT, STATUS)
    assert (used.days, used.steps, used.delivery_wakes, used.sensor_wakes) == (10.5, 4_200, 4_200, 10.5 * 480)
    assert usage_by(IMPLANT, STATUS, COUNTERS | {"up_minutes": 0}) == used
    counted = usage_by(IMPLANT, STATUS, COUNTERS)
    assert (counted.sensor_wakes, counted.watchdog_wakes) == pytest.approx((10.5 * 480, 10.5 * 7))
    assert (counted.other_wakes, counted.tone_s) == pytest.approx((10.5 * 24, 10.5 * 2))


def test_the_state_of_a_pumps_battery() -> None:
    today = date(2026, 11, 24)
    state = BatteryState.by_pump(IMPLANT, today, STATUS, COUNTERS)
    assert (state.on, state.implanted, state.low) == (today, date(2026, 11, 14), False)
    assert state.used_uah == pytest.approx(sum(charges_uah(IMPLANT, usage_by(IMPLANT, STATUS, COUNTERS)).values()))
    assert BatteryState.by_pump(IMPLANT, today, STATUS | {"battery_mv": 3_290}).low
    assert not BatteryState.by_pump(IMPLANT, today, STATUS | {"battery_mv": 0}).low


def test_what_was_used_shortens_what_is_left() -> None:
    today = date(2026, 11, 24)
    expected: Life = life_at(IMPLANT, 1e6)
    half = estimate_service(IMPLANT, expected, BatteryState(today, today, expected.usable_uah / 2))
    assert (half.low - today).days == int(expected.days_to_low / 2)


def test_usage_of_nothing_costs_nothing() -> None:
    assert set(charges_uah(IMPLANT, Usage(days=0)).values()) == {0}
