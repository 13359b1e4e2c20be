"""A pump whose step volume was measured."""

from __future__ import annotations

from fractions import Fraction

import pytest
from dosebench.profile.calibrated import calibrate_profile
from dosebench.profile.load import builtin_names, load_profile
from dosebench.profile.model import ProfileError
from hypothesis import given
from hypothesis import strategies as st

IMPLANT = load_profile("implant-40")


def test_the_nominal_step_changes_nothing() -> None:
    assert calibrate_profile(IMPLANT, IMPLANT.delivery.step_volume) is IMPLANT


def test_only_the_step_is_another_one() -> None:
    made = calibrate_profile(IMPLANT, Fraction(260))
    assert made.delivery.step_volume == 260
    assert made.delivery.rate_max == IMPLANT.delivery.rate_max
    assert made.reservoir == IMPLANT.reservoir
    assert IMPLANT.delivery.step_volume == 250


@given(st.fractions(230, 270, max_denominator=1000))
def test_the_device_is_told_whole_steps_that_hold_no_more_than_before(step: Fraction) -> None:
    config = calibrate_profile(IMPLANT, step).device_config()
    assert Fraction(config["step_nl_num"], config["step_nl_den"]) == pytest.approx(step, rel=1e-6)
    assert (
        config["reservoir_steps_max"] * step <= IMPLANT.reservoir.capacity < (config["reservoir_steps_max"] + 1) * step
    )
    assert config["hard_hour_steps"] * step <= IMPLANT.caps.hour
    assert config["bolus_steps_max"] * step <= IMPLANT.caps.bolus


@pytest.mark.parametrize("name", builtin_names())
def test_every_pump_can_be_a_few_per_cent_off(name: str) -> None:
    pump = load_profile(name)
    for factor in (Fraction(97, 100), Fraction(103, 100)):
        assert calibrate_profile(pump, pump.delivery.step_volume * factor).device_config()["checksum"]


@pytest.mark.parametrize("step", [Fraction(10**9), Fraction(1, 10**6)])
def test_a_step_with_which_no_pump_can_work_is_refused(step: Fraction) -> None:
    with pytest.raises(ProfileError, match="implant-40") as caught:
        calibrate_profile(IMPLANT, step)
    assert {problem.code for problem in caught.value.problems} == {"contradiction"}
