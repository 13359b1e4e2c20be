"""Pump profiles: data that is checked when it is loaded."""

from __future__ import annotations

from fractions import Fraction
from importlib import resources
from pathlib import Path

import pytest
from dosebench.base.errors import DosebenchError
from dosebench.base.units import DAY_MS
from dosebench.profile import load
from dosebench.profile.device_config import seal_config
from dosebench.profile.model import Profile, ProfileError

CONFIG_KEYS = {
    "profile",
    "step_nl_num",
    "step_nl_den",
    "rate_min_num",
    "rate_min_den",
    "rate_max_num",
    "rate_max_den",
    "hard_hour_steps",
    "hard_day_steps",
    "bolus_steps_max",
    "reservoir_steps_max",
    "lease_ms",
    "step_ms",
    "activation_steps_max",
    "activation_ms_max",
    "low_steps_default",
    "empty_steps_default",
    "battery_low_mv",
    "flash_sectors",
    "fault_sectors",
    "commissioned",
    "checksum",
    "sense_ms",
    "retest_ms",
    "watchdog_ms",
    "tone_ms",
    "tone_high_ms",
    "silence_ms",
    "silence_high_ms",
    "stopped_ms",
    "stopped_high_ms",
    "repeat_times",
    "repeat_ms",
    "resets_max",
    "resets_ms",
    "rise_pa",
    "catheter_ms",
    "occlusion_pa",
    "occlusion_rise_pa",
    "temperature_max_mk",
    "patency_steps",
    "battery_stop_mv",
    "battery_hysteresis_mv",
    "battery_sag_mv",
    "battery_rest_ms",
    "battery_replaceable",
    "service_months",
    "disagree_steps",
    "reconcile_steps",
}
MAY_BE_ZERO = {"commissioned", "level_low", "battery_replaceable", "service_months"}
SENSOR_KEYS = {
    "level": {"level_low_mv", "level_high_mv", "level_low", "level_high"},
    "pressure": {"pressure_low_mv", "pressure_high_mv", "pressure_low_pa", "pressure_high_pa"},
    "temperature": {"temperature_low_mv", "temperature_high_mv", "temperature_low_mk", "temperature_high_mk"},
    "air": {"air_mv"},
    "flow": {"flow_nl_num", "flow_nl_den"},
}
FITTED = {"implant": ("level", "pressure", "temperature"), "external": ("pressure", "temperature", "air", "flow")}


def edited(tmp_path: Path, old: str, new: str, name: str = "implant-40") -> Path:
    """A copy of a profile of the package with one text replaced."""
    text = resources.files("dosebench.profile").joinpath("library", f"{name}.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / f"{name}.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", load.builtin_names())
def test_device_config_is_what_the_firmware_takes(name: str) -> None:
    config = load.load_profile(name).device_config()
    fitted = FITTED[load.load_profile(name).kind]
    assert set(config) == CONFIG_KEYS.union(*(SENSOR_KEYS[sensor] for sensor in fitted))
    assert config.pop("profile") == name
    assert seal_config(config | {"profile": name})["checksum"] == config.pop("checksum")
    for key, value in config.items():
        assert isinstance(value, int)
        limit = 1 << 29 if key.endswith(("_num", "_den")) else (1 << 30) - 1
        assert (0 if key in MAY_BE_ZERO else 1) <= value <= limit, key


@pytest.mark.requirement("C1")
def test_implant_figures() -> None:
    config = load.load_profile("implant-40").device_config()
    assert (config["step_nl_num"], config["step_nl_den"]) == (250, 1)
    assert (config["rate_min_num"], config["rate_min_den"]) == (1, 450_000)
    assert (config["rate_max_num"], config["rate_max_den"]) == (1, 900)
    assert config["reservoir_steps_max"] == 160_000
    assert config["lease_ms"] == 3_600_000
    assert (config["low_steps_default"], config["empty_steps_default"]) == (8000, 4000)
    small = {"profile": "implant-20", "reservoir_steps_max": 80_000, "disagree_steps": 4_000, "level_high": 80_000}
    assert load.load_profile("implant-20").device_config() == seal_config(config | small)


@pytest.mark.requirement("C15")
def test_external_pulses() -> None:
    coarse, fine = load.load_profile("external-mlh"), load.load_profile("external-mlh-fine")
    per_hour = Fraction(1_000_000, 3_600_000)
    assert 1 / coarse.count_steps(20 * per_hour) == 18_000
    assert 1 / fine.count_steps(1 * per_hour) == 180_000
    assert coarse.count_steps(coarse.delivery.rate_max) == Fraction(1, 6000)
    assert 2 * coarse.delivery.step_time <= 1000, "52 priming pulses at one a second"


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


@pytest.mark.requirement("R14")
@pytest.mark.parametrize("name", load.builtin_names())
def test_hard_caps_leave_room_for_the_lowest_rate_and_bound_the_highest(name: str) -> None:
    pump = load.load_profile(name)
    assert pump.delivery.rate_min * DAY_MS < pump.caps.day < pump.delivery.rate_max * DAY_MS


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
