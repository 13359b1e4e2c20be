"""The charge that each consumer takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from dosebench.profile import load
from dosebench.profile.model import ProfileError
from dosebench.profile.power import charges_uah, resting_ua
from dosebench.therapy.energy import (
    estimate_life,
    usage_per_day,
)

IMPLANT = load.load_profile("implant-40")


def test_charge_is_the_sum_of_what_the_profile_asks_for_each() -> None:
    # 0.4 mL/day: 1600 steps of 100 ms at 3 mA, wakes of 10 ms at 1 mA, 24 h at 6 + 4 uA, 1 % of 1200 mAh a year.
    charges = charges_uah(IMPLANT, usage_per_day(IMPLANT, 1600))
    assert charges["idle"] == pytest.approx(24 * 6)
    assert charges["listening"] == pytest.approx(24 * 4)
    assert charges["self_discharge"] == pytest.approx(12_000 / 365.25)
    assert charges["steps"] == pytest.approx(1600 * 3000 * 0.1 / 3600)
    assert charges["delivery_wakes"] == pytest.approx(1600 * 1000 * 0.01 / 3600)
    assert charges["sensor_wakes"] == pytest.approx(480 * 1000 * 0.01 / 3600)
    assert charges["watchdog_wakes"] == 0
    assert resting_ua(IMPLANT) == pytest.approx(10 + 12_000 / 365.25 / 24)


def test_a_watchdog_that_the_sensor_rounds_do_not_feed_costs_wakes() -> None:
    impatient = IMPLANT.model_copy(update={"supervision": IMPLANT.supervision.model_copy(update={"watchdog": 8_000})})
    used = usage_per_day(impatient, 1600)
    # It is fed after three quarters of 8 s.
    assert used.watchdog_wakes + used.sensor_wakes == pytest.approx(86_400 / 6)
    assert estimate_life(impatient, used).days_to_low < estimate_life(IMPLANT, usage_per_day(IMPLANT, 1600)).days_to_low


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ('[power]\nasleep = "0 uA"', "power.asleep", "above zero"),
        ('[power]\nasleep = "6 mV"', "power.asleep", "give a current"),
        ('[energy]\nreserve = "100 %"', "energy.reserve", "below 100 %"),
        ("[energy]\nservice_years = 0", "energy.service_years", "greater than or equal to 1"),
        ('[energy]\nlistenning = "1 uA"', "energy.listenning", 'did you mean "listening"'),
    ],
)
def test_a_profile_that_prices_wrongly_is_refused(tmp_path: Path, text: str, key: str, words: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(f'format = 1\nname = "own"\nextends = "implant-40"\n{text}\n')
    with pytest.raises(ProfileError) as caught:
        load.load_file(path)
    assert [(problem.key, words in problem.message) for problem in caught.value.problems] == [(key, True)]
