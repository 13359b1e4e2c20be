"""Patency: an open, an occluded and a leaking line told apart from readings of pressure."""

from __future__ import annotations

import math
from random import Random

import pytest
from dosebench.bench.patency import LAST, LEAKING, OCCLUDED, WATCHED, expected_peak, judge_patency
from hypothesis import given
from hypothesis import strategies as st

TAU_S = 20.0
RISE_PA = 1_000.0
STEPS = 8
EVERY_S = 1.0
END_S = (STEPS - 1) * EVERY_S
PEAK = expected_peak(STEPS, EVERY_S, RISE_PA, TAU_S)


def readings(*, tau_s: float = TAU_S, share: float = 1.0, noise_pa: float = 0.0, before_pa: float = 101_000.0):
    """(time, pressure) every half second, until four time constants after the last step."""
    rng, made = Random(4), []
    for half in range(int(2 * (END_S + WATCHED * TAU_S))):
        at = half / 2
        pressure = sum(
            share * RISE_PA * math.exp(-(at - step * EVERY_S) / tau_s) for step in range(STEPS) if step * EVERY_S <= at
        )
        made.append((at, before_pa + pressure + rng.gauss(0, noise_pa)))
    return made


def test_one_step_rises_by_one_rise_and_many_fast_ones_by_their_sum() -> None:
    assert expected_peak(1, 1, RISE_PA, TAU_S) == pytest.approx(RISE_PA)
    assert expected_peak(5, 1e-9, RISE_PA, TAU_S) == pytest.approx(5 * RISE_PA)
    assert expected_peak(10_000, 1, RISE_PA, TAU_S) == pytest.approx(RISE_PA / (1 - math.exp(-1 / TAU_S)))


def test_an_open_line_shows_its_time_constant() -> None:
    found = judge_patency(readings(), 101_000, END_S, PEAK)
    assert found.verdict == "open"
    assert found.peak_pa == pytest.approx(PEAK)
    assert found.expected_pa == PEAK
    assert found.time_constant_s == pytest.approx(TAU_S, rel=0.1)
    assert found.residual_pa < 0.03 * PEAK


@given(st.floats(10, 26), st.floats(90_000, 110_000))
def test_a_time_constant_near_the_profiles_is_measured(tau_s: float, before_pa: float) -> None:
    peak = expected_peak(STEPS, EVERY_S, RISE_PA, tau_s)
    found = judge_patency(readings(tau_s=tau_s, before_pa=before_pa), before_pa, END_S, peak)
    assert found.verdict == "open"
    assert found.time_constant_s == pytest.approx(tau_s, rel=0.25)


def test_noise_of_a_sensor_moves_it_little() -> None:
    found = judge_patency(readings(noise_pa=100), 101_000, END_S, PEAK)
    assert found.verdict == "open"
    assert found.time_constant_s == pytest.approx(TAU_S, rel=0.25)


def test_a_line_that_keeps_its_pressure_is_occluded() -> None:
    found = judge_patency(readings(tau_s=1e9), 101_000, END_S, PEAK)
    assert (found.verdict, found.time_constant_s) == ("occluded", None)
    assert found.residual_pa == pytest.approx(STEPS * RISE_PA)


def test_a_line_in_which_nothing_rises_leaks() -> None:
    found = judge_patency(readings(share=0.1), 101_000, END_S, PEAK)
    assert (found.verdict, found.time_constant_s) == ("leaking", None)


def test_the_limits_are_shares_of_the_peak() -> None:
    peak = 1_000.0
    for highest, verdict in ((LEAKING * peak - 1, "leaking"), (LEAKING * peak, "open")):
        assert judge_patency([(0, highest), *((at, 0.0) for at in range(1, 9))], 0, 0, peak).verdict == verdict
    for stays, verdict in ((OCCLUDED * peak, "open"), (OCCLUDED * peak + 1, "occluded")):
        assert judge_patency([(0, peak), *((at, stays) for at in range(1, 9))], 0, 0, peak).verdict == verdict


def test_what_stays_is_the_mean_of_the_last_readings() -> None:
    ends = [10.0, 20.0, 30.0, 40.0]
    found = judge_patency([(0, 1_000.0), (1, 900.0), *((2 + at, pa) for at, pa in enumerate(ends))], 0, 0, 1_000)
    assert found.residual_pa == sum(ends) / LAST


def test_the_area_is_that_of_trapezes_above_what_stays() -> None:
    found = judge_patency([(0, 0.0), (10, 100.0), (20, 50.0), (30, 0.0), (40, 0.0), (50, 0.0), (60, 0.0)], 0, 10, 100)
    assert found.time_constant_s == pytest.approx((10 * 75 + 10 * 25) / 100)


def test_readings_that_only_rise_have_no_time_constant() -> None:
    found = judge_patency([(0, 100.0), (1, 0.0), (2, 0.0), (3, 0.0), (4, 0.0)], 0, 1, 100)
    assert (found.verdict, found.time_constant_s) == ("open", None)
    assert judge_patency([(0, 100.0), (1, 0.0), (2, 0.0), (3, 0.0), (4, 0.0)], 0, 9, 100).time_constant_s is None
