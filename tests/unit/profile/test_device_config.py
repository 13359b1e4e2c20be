"""The configuration that the firmware gets from a profile."""

from __future__ import annotations

import pytest
from dosebench.profile import load
from dosebench.profile.device_config import seal_config
from profile_files import CONFIG_KEYS

MAY_BE_ZERO = {"commissioned", "level_low", "battery_replaceable", "service_months"}
SENSOR_KEYS = {
    "level": {"level_low_mv", "level_high_mv", "level_low", "level_high"},
    "pressure": {"pressure_low_mv", "pressure_high_mv", "pressure_low_pa", "pressure_high_pa"},
    "temperature": {"temperature_low_mv", "temperature_high_mv", "temperature_low_mk", "temperature_high_mk"},
    "air": {"air_mv"},
    "flow": {"flow_nl_num", "flow_nl_den"},
}
FITTED = {"implant": ("level", "pressure", "temperature"), "external": ("pressure", "temperature", "air", "flow")}


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
