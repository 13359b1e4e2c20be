"""Rules that the figures of a profile must keep among themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from dosebench.base.units import DAY_MS
from dosebench.profile import load
from dosebench.profile.model import Profile, ProfileError
from profile_files import edited


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        ('threshold = "1500 mV"', 'threshold = "300 mV"', "sensors.air.threshold", "between the two outputs"),
        ('count = "6.25 uL"', 'count = "0 uL"', "sensors.flow.count", "above zero"),
    ],
)
def test_mistakes_of_the_external_sensors(tmp_path: Path, old: str, new: str, key: str, words: str) -> None:
    with pytest.raises(ProfileError) as caught:
        load.load_file(edited(tmp_path, old, new, "external-mlh"))
    assert [p for p in caught.value.problems if p.key == key and words in p.message], str(caught.value)


@pytest.mark.requirement("R14")
@pytest.mark.parametrize("name", load.builtin_names())
def test_hard_caps_leave_room_for_the_lowest_rate_and_bound_the_highest(name: str) -> None:
    pump = load.load_profile(name)
    assert pump.delivery.rate_min * DAY_MS < pump.caps.day < pump.delivery.rate_max * DAY_MS


def test_gap_between_steps_must_outlast_a_flash_operation(tmp_path: Path) -> None:
    # 39.2 mL/day is a step every 551 ms; the motor takes 100 ms of it, so 451 ms remain. 39.3 mL/day leaves 449.6 ms.
    for rate, fits in (("39.2", True), ("39.3", False)):
        path = edited(tmp_path, 'rate_max = "24 mL/day"', f'rate_max = "{rate} mL/day"')
        path.write_text(path.read_text().replace('hour = "1 mL"', 'hour = "1.5 mL"'))
        if fits:
            assert isinstance(load.load_file(path), Profile)
        else:
            with pytest.raises(ProfileError, match=r"449\.6"):
                load.load_file(path)
