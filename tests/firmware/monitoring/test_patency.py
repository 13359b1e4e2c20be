"""The patency check: its verdict on readings, and the whole of it on a simulated pump."""

from __future__ import annotations

import math
import random

import pytest
from dosebench.base.errors import DosebenchError
from dosebench.bench.patency import expected_peak, judge_patency
from dosebench.cli.sensors import check_patency
from dosebench.link.client import RefusedError
from dosebench.profile.load import load_profile
from pumpside import pump

EVERY_S, RISE_PA, TAU_S, STEPS = 0.9, 1_000.0, 20.0, 8
END_S = STEPS * EVERY_S


def readings(tau_s: float, share: float = 1.0, noise_pa: float = 150.0) -> list[tuple[float, float]]:
    """What a line of this time constant shows when `share` of each step reaches it."""
    chance = random.Random(7)
    made = []
    for tick in range(400):
        at = tick * 0.25
        steps = min(STEPS, int(at / EVERY_S) + 1)
        held = sum(share * RISE_PA * math.exp(-(at - step * EVERY_S) / tau_s) for step in range(steps))
        made.append((at, 101_325 + 1_500 + held + chance.gauss(0, noise_pa)))
    return made


@pytest.mark.parametrize("tau_s", [10.0, 20.0, 25.0])
def test_an_open_line_is_open_with_its_time_constant(tau_s: float) -> None:
    found = judge_patency(readings(tau_s), 102_825, END_S, expected_peak(STEPS, EVERY_S, RISE_PA, TAU_S))
    assert found.verdict == "open"
    assert found.time_constant_s == pytest.approx(tau_s, rel=0.15)


def test_what_stays_is_an_occlusion_and_what_does_not_rise_a_leak() -> None:
    expected = expected_peak(STEPS, EVERY_S, RISE_PA, TAU_S)
    assert judge_patency(readings(1e9), 102_825, END_S, expected).verdict == "occluded"
    assert judge_patency(readings(TAU_S, 0.3), 102_825, END_S, expected).verdict == "leaking"


def test_the_peak_is_the_sum_of_the_steps() -> None:
    assert expected_peak(1, EVERY_S, RISE_PA, TAU_S) == pytest.approx(RISE_PA)
    assert expected_peak(3, EVERY_S, RISE_PA, 1e9) == pytest.approx(3 * RISE_PA, rel=1e-6)


@pytest.mark.requirement("R45")
@pytest.mark.parametrize(
    ("fault", "verdict"), [("none", "open"), ("occlusion", "occluded"), ("leak", "leaking"), ("disconnect", "leaking")]
)
@pytest.mark.parametrize(("profile", "changes"), [("implant-40", {}), ("external-mlh", {"step_nl_num": 100_000})])
def test_on_a_pump(fault: str, verdict: str, profile: str, changes: dict[str, int]) -> None:
    if changes:
        changes = changes | {"basal_den": 60_000, "minimum_den": 3_600_000, "bolus_steps_max": 50}
        changes |= {"square_steps_max": 50, "reservoir_steps": 1_000, "low_steps": 50, "empty_steps": 5}
        changes |= {"hour_ng_max": 300_000, "day_ng_max": 2_500_000}
    with pump(profile=profile, seed=6) as side:
        side.program(**changes)
        side.twin.advance_time(60)
        side.twin.set_fault(fault, 0.8 if fault == "leak" else None)
        figures = load_profile(profile)
        steps = int(figures.count_steps(figures.watch.patency))
        outcome, found = check_patency(side.client, figures, steps)
        assert found.verdict == verdict
        # It is drug: counted in the windows, and in the journal with its end.
        assert outcome["accepted"] == steps
        assert side.client.read_status()["low_steps"] == steps == len(side.twin.plant.steps_us)
        assert side.client.read_status()["window_ng"][0]["ng"] == 500 * steps
        kinds = [record.kind for record in side.records()]
        assert kinds[kinds.index("patency") :][:3] == ["patency", "bolus_end", "close"]


@pytest.mark.requirement("R45", "R8")
def test_a_test_volume_is_small_and_only_for_a_stopped_pump() -> None:
    with pump() as side:
        with pytest.raises(RefusedError):
            side.client.test_patency(4)
        side.program()
        with pytest.raises(RefusedError) as refused:
            side.client.test_patency(9)
        assert refused.value.reason == "bolus_over_maximum"
        side.client.start_delivery()
        with pytest.raises(RefusedError) as refused:
            side.client.test_patency(4)
        assert refused.value.reason == "still_running"
        side.client.stop_delivery()
        side.twin.set_fault("air", 5)
        side.twin.set_fault("pressure_open")
        with pytest.raises(DosebenchError, match="no pressure sensor"):
            check_patency(side.client, load_profile("implant-40"), 4)


@pytest.mark.requirement("R61")
def test_a_reset_in_the_middle_never_repeats_it() -> None:
    with pump() as side:
        side.program()
        side.client.test_patency(8)
        side.twin.advance_time(3)
        made = len(side.twin.plant.steps_us)
        assert 0 < made < 8
        side.reset()
        side.twin.advance_time(600)
        assert len(side.twin.plant.steps_us) == made
        status = side.client.read_status()
        assert status["low_steps"] <= made <= status["high_steps"] == 8
