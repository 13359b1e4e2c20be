"""Regimen orders become programs: exact where possible, rounded to the safe side elsewhere."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from dosebench.base.units import HOUR_MS, MINUTE_MS
from dosebench.profile import load
from dosebench.profile.model import Profile
from dosebench.regimen.compile import compile_order
from dosebench.regimen.order import (
    DoseCap,
    Mode,
    PatientBolus,
)
from dosebench.therapy.program import Cap, Drug
from hypothesis import given, settings
from hypothesis import strategies as st
from orders import BACLOFEN, orders

LIMIT = 1 << 29


@pytest.fixture(scope="session")
def implant() -> Profile:
    return load.load_profile("implant-40")


@pytest.mark.requirement("C5")
def test_known_program(implant: Profile) -> None:
    item = compile_order(BACLOFEN, implant)
    assert (item.basal_num, item.basal_den) == (1, 54_000)
    assert (item.minimum_num, item.minimum_den) == (1, 450_000)
    assert (item.bolus_num, item.bolus_den) == (1, 9000)
    assert item.drugs == (Drug(b"baclofen", 500, 1),)
    assert (item.step_nl_num, item.step_nl_den) == (250, 1)
    assert (item.reservoir_steps, item.low_steps, item.empty_steps) == (160_000, 8000, 4000)
    assert item.bolus_steps_max == 100
    reading = item.expected_reading()
    assert (reading.daily_steps, reading.drug.daily_dose_ng, reading.daily_volume_nl) == (1600, 800_000, 400_000)
    assert reading.drug.hour_dose_ng == 33_333
    assert (reading.refill_days, reading.refill_limit) == (95, "volume")
    assert (reading.bolus_steps_max, reading.caps) == (100, (Cap(60, 117_667), Cap(1440, 1_051_000)))
    assert reading.drug.weekly_dose_ng == 5_600_000
    assert (reading.drug.periodic_dose_ng, reading.drug.patient_dose_ng, reading.bridge_ms) == (0, 0, 0)


@pytest.mark.parametrize(
    ("mode", "daily_steps", "refill"), [("minimum_rate", 192, (180, "cap")), ("stopped", 0, (180, "cap"))]
)
def test_other_modes(implant: Profile, mode: Mode, daily_steps: int, refill: tuple[int, str]) -> None:
    item = compile_order(replace(BACLOFEN, mode=mode, basal=Fraction(0)), implant)
    assert (item.basal_num, item.basal_den) == (0, 0)
    reading = item.expected_reading()
    assert reading.daily_steps == daily_steps
    assert reading.drug.daily_dose_ng == daily_steps * 500
    assert reading.drug.hour_dose_ng == daily_steps // 24 * 500
    assert (reading.refill_days, reading.refill_limit) == refill


def test_volumes_are_rounded_to_the_safe_side(implant: Profile) -> None:
    half_a_step = Fraction(125)
    item = compile_order(
        replace(
            BACLOFEN,
            filled=BACLOFEN.filled - half_a_step,
            low=BACLOFEN.low + half_a_step,
            empty=BACLOFEN.empty + half_a_step,
            bolus_max=BACLOFEN.bolus_max + half_a_step,
            caps=tuple(DoseCap(cap.minutes, cap.ng + Fraction(9, 10)) for cap in BACLOFEN.caps),
        ),
        implant,
    )
    assert (item.reservoir_steps, item.low_steps, item.empty_steps) == (159_999, 8001, 4001)
    assert (item.bolus_steps_max, item.caps) == (100, (Cap(60, 117_667), Cap(1440, 1_051_000)))


@pytest.mark.requirement("R7")
@pytest.mark.requirement("C8")
def test_a_bolus_gets_what_the_highest_rate_leaves() -> None:
    pump = load.load_profile("external-mlh")
    hourly = Fraction(1_000_000, HOUR_MS)
    regimen = replace(
        BACLOFEN,
        profile="external-mlh",
        basal=6 * hourly,
        minimum=1 * hourly,
        bolus_max=Fraction(5_000_000),
        bolus_rate=50 * hourly,
        patient=PatientBolus(Fraction(1_000_000), MINUTE_MS, 30 * MINUTE_MS, 6),
    )
    item = compile_order(regimen, pump)
    assert item.bolus_rate == pump.count_steps(50 * hourly)
    assert item.patient_rate == pump.count_steps(54 * hourly)


@pytest.mark.requirement("R7")
@settings(deadline=None)
@given(data=st.data())
def test_no_bolus_passes_the_highest_rate(implant: Profile, data: st.DataObject) -> None:
    order = replace(data.draw(orders()), bolus_rate=implant.delivery.rate_max)
    item = compile_order(order, implant)
    highest = implant.count_steps(implant.delivery.rate_max)
    for rate in (item.bolus_rate, item.patient_rate, item.periodic_rate):
        assert rate + max(item.rate, item.bridge_rate, item.minimum_rate) <= highest
        assert max(rate.numerator, rate.denominator) <= LIMIT
    assert highest - item.bolus_rate - max(item.rate, item.bridge_rate, item.minimum_rate) < Fraction(1, 1 << 29)
