"""Pump profiles: found, extended and checked when they are loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from dosebench.base.errors import DosebenchError
from dosebench.profile import load
from dosebench.profile.model import ProfileError
from profile_files import CONFIG_KEYS, edited


def test_a_table_inside_a_table_extends_that_of_the_base() -> None:
    level, base = load.load_profile("implant-20").sensors.level, load.load_profile("implant-40").sensors.level
    assert level is not None
    assert base is not None
    assert (level.high, level.noise, level.high_output) == (20_000_000, 5, base.high_output)


def test_sensors_and_currents_are_optional(tmp_path: Path) -> None:
    path = edited(tmp_path, "format", "format")
    path.write_text(path.read_text().split("[power]")[0])
    pump = load.load_file(path)
    assert set(pump.device_config()) == CONFIG_KEYS
    assert pump.power.motor * 3_600_000 == 2_000


@pytest.mark.parametrize(
    ("old", "new", "at", "words"),
    [
        ('rate_max = "24 mL/day" ', 'rate_max = "60 mL/day" ', "", "flash is written only between steps"),
        ("step_time", "steptime", "", 'did you mean "step_time"?'),
        ('capacity = "40 mL"', 'capacity = "40 mg"', "", "give a volume"),
        ('empty = "1 mL"', 'empty = "3 mL"', "", "is above reservoir.low"),
        ('lease = "1 h"', 'lease = "0 h"', "", "must be above zero"),
        ('compliance = "250 nL/kPa"', 'compliance = "0 nL/kPa"', "", "must be above zero"),
        ('step_time = "100 ms"', 'step_time = "0.5 ms"', "", "whole number"),
        ("activation_steps_max = 4", "activation_steps_max = 40", "activation_time_max", "shorter than"),
        ("flash_sectors = 64", "flash_sectors = 0", "", "greater than or equal to 1"),
        ("flash_sectors = 64", 'flash_sectors = "64"', "", "valid integer"),
        ("format = 1", "format = 2", "", "should be 1"),
        ('high_output = "2500 mV"', 'high_ouput = "2500 mV"', "", 'did you mean "high_output"?'),
        ('high_output = "2500 mV"', 'high_output = "400 mV"', 'low_output = "500 mV"', "to tell a broken lead"),
        ('high_output = "3190 mV"', 'high_output = "3300 mV"', 'low_output = "150 mV"', "to tell a broken lead"),
        ('high = "398.15 K"', 'high = "125 K"', 'low = "233.15 K"', "is not below sensors.temperature.high"),
        ('high = "400 kPa"', 'high = "400 K"', "", "give a pressure"),
        ('cell = "lithium_thionyl_chloride"', 'cell = "lead"', "", "alkaline"),
    ],
)
def test_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, at: str, words: str) -> None:
    """`at` is in the line that is named, where that is not the line with the mistake."""
    path = edited(tmp_path, old, new)
    text = path.read_text()
    line = text[: text.index(at or new)].count("\n") + 1
    with pytest.raises(ProfileError) as caught:
        load.load_file(path)
    assert [p for p in caught.value.problems if p.line == line and words in p.message], str(caught.value)


def test_a_figure_that_no_key_holds_is_named_too(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="which the firmware cannot take"):
        load.load_file(edited(tmp_path, 'step_volume = "0.25 uL"', 'step_volume = "0.2500000001 uL"'))


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    path = edited(tmp_path, 'lease = "1 h"', 'lease = "1 hou"')
    path.write_text(path.read_text().replace('"600 ms"', '"600 mss"').replace('"3600 mV"', '"3600"'))
    with pytest.raises(ProfileError) as caught:
        load.load_file(path)
    assert [p.key for p in caught.value.problems] == ["delivery.activation_time_max", "delivery.lease", "battery.start"]


def test_directories_come_before_the_package(tmp_path: Path) -> None:
    edited(tmp_path, 'lease = "1 h"', 'lease = "2 h"')
    assert load.load_profile("implant-40", [tmp_path]).delivery.lease == 7_200_000
    assert load.load_profile("implant-20", [tmp_path]).delivery.lease == 7_200_000, "extends is looked for there too"
    assert load.load_profile("implant-40").delivery.lease == 3_600_000


def test_unknown_profile_names_the_nearest() -> None:
    with pytest.raises(DosebenchError, match='did you mean "implant-40"'):
        load.load_profile("implant40")


def test_name_must_be_the_file_name(tmp_path: Path) -> None:
    edited(tmp_path, 'name = "implant-40"', 'name = "other"')
    with pytest.raises(ProfileError, match='the file is called "implant-40"'):
        load.load_profile("implant-40", [tmp_path])


@pytest.mark.parametrize("name", ["../implant-40", "a/../implant-40", ""])
def test_name_is_no_path(tmp_path: Path, name: str) -> None:
    (tmp_path / "a").mkdir()
    edited(tmp_path, "format", "format")
    with pytest.raises(DosebenchError, match="no pump profile"):
        load.load_profile(name, [tmp_path / "a"])


def test_profiles_that_extend_each_other(tmp_path: Path) -> None:
    for name, base in (("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.toml").write_text(f'format = 1\nname = "{name}"\nextends = "{base}"\n')
    with pytest.raises(ProfileError, match="at most 4 deep"):
        load.load_profile("a", [tmp_path])
