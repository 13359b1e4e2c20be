"""Changed copies of the profiles of the package, and the keys of a device configuration."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

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


def edited(tmp_path: Path, old: str, new: str, name: str = "implant-40") -> Path:
    """A copy of a profile of the package with one text replaced."""
    text = resources.files("dosebench.profile").joinpath("library", f"{name}.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / f"{name}.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path
