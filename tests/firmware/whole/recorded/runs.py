"""The recorded runs, as data: seed, pump, and the acts of `Bench` by name, in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bench import Bench, benched
from dosebench.twin.runtimes import RuntimeName
from dosebench.twin.twin import one_core

HOUR = 3_600
DAY = 24 * HOUR
SMALL = {"flash_sectors": 6, "fault_sectors": 2, "lease_ms": 600_000}
"""Two sectors in each ring."""

EXTERNAL: dict[str, Any] = {
    "step_nl_num": 100_000,
    "basal_den": 18_000,
    "minimum_den": 3_600_000,
    "bolus_den": 9_000,
    "bolus_steps_max": 50,
    "square_steps_max": 50,
    "reservoir_steps": 1_000,
    "low_steps": 50,
    "empty_steps": 5,
    "hour_ng_max": 300_000,
    "day_ng_max": 2_500_000,
}
"""20 mL/h in pulses of 0.1 mL: one every 18 s."""
FINE = EXTERNAL | {
    "step_nl_num": 50_000,
    "basal_den": 4_000,
    "minimum_den": 90_000,
    "bolus_den": 15_000,
    "reservoir_steps": 2_000,
    "hour_ng_max": 600_000,
    "day_ng_max": 12_000_000,
}
"""45 mL/h in pulses of 0.05 mL."""
ROOM = {"hard_day_steps": 1 << 20, "reservoir_steps_max": 1 << 20}

RATES = [{"num": 1, "den": 40_000}, {"num": 1, "den": 90_000}, {"num": 1, "den": 200_000}, {"num": 7, "den": 400_001}]
FLEX: dict[str, Any] = {
    "mode": "flex",
    "rates": RATES,
    "flex": [
        {"pattern": 0, "minute": 0, "rate": 1},
        {"pattern": 0, "minute": 150, "rate": 0},
        {"pattern": 0, "minute": 425, "rate": 3},
        {"pattern": 0, "minute": 1_320, "rate": 2},
    ],
}
WEEK = FLEX | {
    "flex": [
        *FLEX["flex"],
        {"pattern": 1, "minute": 0, "rate": 2},
        {"pattern": 1, "minute": 600, "rate": 3},
        {"pattern": 2, "minute": 0, "rate": 0},
        {"pattern": 2, "minute": 1_439, "rate": 1},
    ],
    "weekdays": bytes([0, 0, 0, 0, 0, 1, 2]),
}
TITRATION: dict[str, Any] = {
    "mode": "titration",
    "rates": RATES,
    "titration": [{"day": 0, "rate": 2}, {"day": 1, "rate": 1}, {"day": 3, "rate": 0}],
}
PATIENT = {
    "patient_steps": 20,
    "patient_num": 1,
    "patient_den": 3_000,
    "patient_lockout_ms": 1_800_000,
    "patient_per_day": 3,
}
PERIODIC = {"periodic_steps": 15, "periodic_num": 1, "periodic_den": 3_001, "periodic_ms": 7_200_000}
PRIME = {"prime_steps_max": 100, "prime_num": 1, "prime_den": 2_000, "path_version": 3}
BRIDGE = {
    "step_ng_num": 2_000,
    "bridge_steps": 60,
    "bridge_num": 1,
    "bridge_den": 40_000,
    "bridge_ng_num": 500,
    "bridge_ng_den": 1,
    "hour_ng_max": 8_000_000,
    "day_ng_max": 48_000_000,
}
ON_NEW: dict[str, Any] = {"step_nl_num": 1306, "step_nl_den": 5, "step_ng_num": 2612, "step_ng_den": 5}

Act = str | tuple[Any, ...]
"""Name of a method of `Bench`, or it and its arguments; a dict at the end holds those by name."""


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        acts: What is done to the pump.
        everywhere: Whether it also runs on both MicroPythons each time.
        wraps: Whether its journal overwrites what the windows of the caps are rebuilt from after a reset.
        seed: Of noise and torn writes.
        profile, config: The pump, and what replaces figures of its profile.
    """

    name: str
    acts: list[Act]
    everywhere: bool = False
    wraps: bool = False
    seed: int = 1
    profile: str = "implant-40"
    config: dict[str, int] = field(default_factory=dict)


RUNS: dict[str, Run] = {}


def _run(name: str, *acts: Act, **how: Any) -> None:
    assert name not in RUNS
    RUNS[name] = Run(name, list(acts), **how)


def carry_out(run: Run, runtime: RuntimeName = "cpython") -> dict[str, Any]:
    """Do a run and return its recording."""
    with one_core(), benched(runtime, run.seed, run.profile, run.config) as bench:
        for act in run.acts:
            _do(bench, act)
        return bench.recording()


def _do(bench: Bench, act: Act) -> None:
    name, *rest = (act,) if isinstance(act, str) else act
    named = rest.pop() if rest and isinstance(rest[-1], dict) else {}
    method: Callable[..., None] = getattr(bench, name)
    method(*rest, **named)


BEGIN: list[Act] = ["program", "start"]
_AGAIN: list[Act] = ["stop", "start"]
"""The end of a run that fills a sector: its last records say what was delivered, wherever that sector ended."""


# fmt: off: a run is read as lines of acts

# Modes

_run(
    "stopped_mode", ("program", {"mode": "stopped"}), "start", ("wait", 2 * HOUR), ("bolus", 20), ("wait", 600),
    "look", "stop",
)
_run(
    "minimum_rate_mode", ("program", {"mode": "minimum_rate"}), "start", ("wait", 6 * HOUR), ("bolus", 5),
    ("wait", HOUR), "look",
)
_run(
    "continuous_changed_by_commits", *BEGIN, ("wait", 2 * HOUR),
    ("program", {"basal_num": 1346, "basal_den": 86_400_001}), ("wait", 3 * HOUR),
    ("program", {"basal_den": 4_001}), ("wait", HOUR), ("bolus", 40), ("wait", 60),
    ("program", {"basal_num": 99_991, "basal_den": 400_000_009}), ("wait", 5 * HOUR), "stop",
    ("program", {"basal_den": 30_000}), ("wait", HOUR), "start", ("wait", HOUR), "look", everywhere=True,
)
_run(
    "flex_day", ("clock", "2026-03-25 22:10:05"), ("program", FLEX), "start", ("wait", 27 * HOUR), "look",
    everywhere=True,
)
_run(
    "flex_without_clock", ("program", FLEX), "start", ("wait", 9 * HOUR), ("clock", "2026-03-25 22:10:05"),
    ("wait", 5 * HOUR), "look",
)
_run("flex_weekdays", ("clock", "2026-03-27 21:00:00"), ("program", WEEK), "start", ("wait", 58 * HOUR), "look")
_run(
    "titration", ("program", TITRATION), "start", ("wait", 30 * HOUR), "stop", ("wait", 2 * HOUR), "start",
    ("wait", 50 * HOUR), "look", everywhere=True,
)
_run(
    "rates_refused", ("program", {"basal_den": 899}), ("program", {"basal_num": 119, "basal_den": 450_000 * 120}),
    ("program", {"step_nl_num": 251}), ("program", {"basal_num": 0}), "start",
    ("program", {"change_permille_max": 200}), ("program", {"basal_den": 27_000, "change_permille_max": 200}),
    "look",
)
_run(
    "mode_to_mode", ("clock", "2026-03-25 22:10:05"), *BEGIN, ("wait", HOUR), ("program", FLEX), ("wait", 4 * HOUR),
    ("program", TITRATION), ("wait", 26 * HOUR), ("program", {"mode": "minimum_rate"}), ("wait", 2 * HOUR),
    ("program", {"mode": "stopped"}), ("wait", HOUR), "look",
)

# Boluses

_run(
    "clinician_bolus", ("bolus", 4), *BEGIN, ("bolus", 0), ("bolus", 501), ("bolus", 60), ("bolus", 4),
    ("wait", 200), "bolus_cancel", "bolus_cancel", ("wait", 60), ("bolus", 30), ("wait", HOUR), "look",
    everywhere=True,
)
_run("bolus_stopped", *BEGIN, ("bolus", 60), ("wait", 100), "stop", "start", ("wait", HOUR), "look")
_run(
    "patient_bolus", "program", "start", "patient", ("program", PATIENT), "patient", "patient", ("wait", 1_860),
    "patient", ("wait", 1_900), "patient", ("wait", 1_900), "patient", "look", ("wait", 23 * HOUR), "patient",
    ("wait", 40), "bolus_cancel", ("wait", HOUR), "look", everywhere=True,
)
_run(
    "periodic_bolus", ("program", PERIODIC), "start", ("wait", 7 * HOUR), ("bolus", 40), ("wait", 3 * HOUR), "stop",
    ("wait", HOUR), "start", ("wait", 5 * HOUR), "look", everywhere=True,
)
_run(
    "square_with_patient_bolus", ("program", PATIENT), "start", ("square", 80, 2 * HOUR), ("square", 10, HOUR),
    ("wait", HOUR), "patient", "look", ("wait", 3 * HOUR), "look", everywhere=True,
)
_run(
    "square_cancelled", *BEGIN, "square_cancel", ("square", 0, HOUR), ("square", 501, HOUR), ("square", 400, 60),
    ("square", 100, 3 * HOUR), ("wait", HOUR), ("bolus", 30), ("wait", 60), "square_cancel", ("wait", HOUR),
    ("square", 50, HOUR), ("wait", 600), "stop", "look",
)
_run(
    "priming", ("program", PRIME), ("prime_arm", 101, 3), ("prime_arm", 50, 2), ("prime", 50), ("prime_arm", 50, 3),
    ("prime", 51), ("prime_arm", 50, 3), ("wait", 61), ("prime", 50), ("prime_arm", 50, 3), ("prime", 50),
    ("wait", 200), ("prime_arm", 20, 3), ("prime", 20), ("wait", 10), "bolus_cancel", "start", ("prime_arm", 50, 3),
    ("wait", HOUR), "look", everywhere=True,
)
_run(
    "patency", "program", ("patency", 9), ("patency", 8), ("wait", 60), "start", ("patency", 4), ("wait", 600),
    "stop", ("patency", 0), ("patency", 8), "reset", ("wait", 60), "look",
)

# Bridges

_run(
    "bridge", *BEGIN, ("wait", HOUR), ("program", BRIDGE), "look", ("wait", 1_800), ("bolus", 10), ("wait", HOUR),
    "look", everywhere=True,
)
_run(
    "bridge_with_new_rate", *BEGIN, ("wait", 600), ("program", BRIDGE), ("wait", 900),
    ("program", BRIDGE | {"step_ng_num": 3_000}), ("program", {"step_ng_num": 2_000, "basal_den": 20_000}), "look",
    ("wait", 2 * HOUR), "look",
)
_run(
    "bridge_with_reset", *BEGIN, ("wait", 600), ("program", BRIDGE), ("wait", 600), "reset", "look", ("wait", HOUR),
    "stop", ("wait", 600), "start", ("wait", HOUR), "look",
)
_run(
    "bridge_refused", ("program", BRIDGE), *BEGIN, ("program", BRIDGE | {"bridge_ng_num": 501}),
    ("program", BRIDGE | {"bridge_den": 100}), ("wait", HOUR),
)

# Caps and reservoir

_run(
    "cap_fallback", ("program", {"hour_ng_max": 80 * 500} | PATIENT), "start", ("wait", HOUR), ("bolus", 30),
    ("wait", 1_800), "look", "patient", ("bolus", 3), ("wait", HOUR), ("clear", "dose_cap"), ("wait", 2 * HOUR),
    "look", everywhere=True,
)
_run(
    "cap_stop", ("program", {"hour_ng_max": 80 * 500, "on_cap": "stop"}), "start", ("wait", HOUR),
    ("square", 40, 1_200), ("wait", HOUR), "look", "start", ("clear", "dose_cap"), "start", ("wait", HOUR), "look",
)
_run(
    "cap_across_a_reset", ("program", {"hour_ng_max": 140 * 500}), "start", ("wait", 1_800), ("bolus", 40),
    ("wait", 600), "reset", ("wait", HOUR), "look", ("wait", HOUR), ("clear", "dose_cap"), ("wait", HOUR), "look",
)
_run(
    "low_keeps", "program", ("refill", 8_020), "start", ("wait", HOUR), "look", ("clear", "reservoir_low"),
    ("refill", 160_000), ("wait", HOUR), "look",
)
_run(
    "low_slows", ("program", {"on_low": "minimum_rate"}), ("refill", 8_010), "start", ("wait", 2 * HOUR), "look",
    ("refill", 160_000), ("wait", HOUR), "look",
)
_run(
    "low_stops", ("program", {"on_low": "stop"}), ("refill", 8_010), "start", ("wait", HOUR), "look", "start",
    ("refill", 160_000), "start", ("wait", HOUR),
)
_run(
    "empty", "program", ("refill", 4_030), "start", ("bolus", 40), ("wait", HOUR), "look", "start", ("bolus", 1),
    "reset", ("refill", 160_000), "start", ("wait", HOUR), "look", everywhere=True,
)
_run(
    "refills_reconciled", ("program", {"basal_den": 5_000}), ("refill", 160_000), "start", ("wait", 15 * HOUR),
    "stop", ("refill", 160_000, 149_200), "start", ("wait", 15 * HOUR), "stop", ("refill", 160_000, 140_000),
    "look", "start", ("clear", "refill_mismatch"), "start", ("wait", 14 * HOUR), ("refill", 160_000, 155_000),
    "look", ("refill", 160_001), ("refill", 160_000, 160_000),
)
_run(
    "level_disagrees", *BEGIN, ("refill", 100_000), ("wait", HOUR), ("say_refill", 140_000), ("wait", HOUR), "look",
    ("say_refill", 100_000), ("wait", HOUR), ("clear", "reservoir_disagrees"), "look",
)

# Clock and implant

_run(
    "clock_and_implant", ("implant", "2026-03-01"), ("clock", "2026-03-28 23:30:00"), ("implant", "2026-03-29"),
    ("implant", "2026-03-01"), ("implant", "2026-03-02"), ("program", FLEX), "start", ("wait", 3 * HOUR),
    ("clock", "2026-03-29 03:31:00"), ("wait", 3 * HOUR), ("clock", "2026-10-25 02:59:00"), ("wait", 60),
    ("clock", "2026-10-25 02:00:00"), ("wait", 2 * HOUR), "reset", "look", ("clear", "clock_unknown"),
    ("wait", 2 * HOUR), ("clock", "2026-10-25 06:10:00"), ("wait", HOUR), "look", everywhere=True,
)
_run(
    "service_ends_at_the_cap", *BEGIN, ("clock", "2024-01-14 18:00:00"), ("implant", "2017-01-15"),
    ("wait", 7 * HOUR), "look", "start", ("clock", "2023-01-14 18:00:00"), ("clear", "end_of_service"), "start",
    ("wait", HOUR),
)
_run(
    "service_ends_after_the_indicator", ("program", {"basal_den": 450_000}), "start", ("clock", "2023-06-01 12:00"),
    ("implant", "2020-01-15"), ("battery", 2_900), ("wait", HOUR * 12), "look", "reset", ("battery", 2_900),
    ("wait", 91 * DAY), "look", config={"sense_ms": 3_600_000, "lease_ms": 28_800_000},
)

# Alarms

_run(
    "stopped_for_long", *BEGIN, ("wait", 600), "stop", ("wait", HOUR + 20), "look", ("silence", 86_400),
    ("clear", "pump_stopped"), ("wait", 47 * HOUR), "look", ("silence", 86_400), ("silence", 60), "reset",
    ("wait", 600), "start", "look",
)
_STALL: list[Act] = [("fault", "stall"), ("wait", 60), ("fault", "none"), ("clear", "motor_stall"), "start"]
_run(
    "stall", *BEGIN, ("wait", HOUR), ("silence", 60), ("fault", "stall"), ("wait", 600), "look", "start",
    ("silence", 0), ("silence", 121), ("silence", 120), ("fault", "none"), ("clear", "motor_stall"), "start",
    ("wait", HOUR), "look",
)
_run(
    "stall_repeated", ("program", {"basal_den": 9_000}), "start", *_STALL, *_STALL, *_STALL, "look",
    ("clear", "alarm_repeated"), "start", ("wait", 600), "look",
)
_run(
    "slip", *BEGIN, ("wait", HOUR), ("fault", "slip", 3), ("wait", 2 * HOUR), "look", ("fault", "none"),
    ("clear", "motor_stall"), "start", ("wait", HOUR),
)
_run(
    "runaway", *BEGIN, ("wait", HOUR), ("fault", "runaway", 5), ("wait", 600), "look", ("clear", "motor_runaway"),
    "start", ("wait", HOUR), "look",
)
_run(
    "occlusion", *BEGIN, ("wait", 1_800), ("fault", "occlusion"), ("bolus", 100), ("wait", 900), "look",
    ("clear", "occlusion"), ("fault", "none"), ("wait", 900), ("clear", "occlusion", "missed_volume"), "start",
    ("wait", HOUR), "look", everywhere=True,
)
_run(
    "leak_and_disconnect", *BEGIN, ("wait", 1_800), ("fault", "leak", 0.8), ("wait", 2 * HOUR), "look",
    ("fault", "none"), ("wait", HOUR), ("clear", "leak"), ("wait", HOUR), ("fault", "disconnect"),
    ("wait", 2 * HOUR), "look",
)
_run(
    "air_and_free_flow", ("program", EXTERNAL), "start", ("wait", 1_800), ("fault", "air", 10), ("wait", 60),
    "look", ("fault", "none"), ("wait", 60), ("clear", "air"), "start", ("wait", 600),
    ("fault", "free_flow", 1_000), ("wait", 300), "look", ("fault", "none"), ("wait", 400), ("clear", "free_flow"),
    "start", ("wait", 600), "look", profile="external-mlh",
)
_run(
    "over_infusion", ("fill", 20_000), ("program", FINE), "start", ("wait", 1_800),
    ("fault", "step_volume_factor", 1.11), ("wait", 905), "look", ("clear", "over_infusion"), ("fault", "none"),
    ("wait", 1_200), ("clear", "over_infusion"), ("wait", 600), "look", profile="external-mlh-fine", config=ROOM,
)
_run(
    "under_infusion", ("fill", 20_000), ("program", FINE), "start", ("wait", 1_800),
    ("fault", "step_volume_factor", 0.89), ("wait", 905), "look", ("fault", "none"), ("wait", 1_200),
    ("clear", "under_infusion"), "look", profile="external-mlh-fine", config=ROOM,
)
_run(
    "over_temperature", *BEGIN, ("wait", 600), ("fault", "overheat", 21), ("wait", 800), "look",
    ("clear", "over_temperature"), ("fault", "none"), ("wait", 60), ("clear", "over_temperature"), "start", "look",
)


def _broken(sensor: str) -> list[Act]:
    return [("fault", sensor), ("wait", 2 * HOUR), "look", ("fault", "none"), ("wait", 900), ("clear", "sensor_fault")]


_run(
    "sensors_break", *BEGIN, ("wait", 600), *_broken("temperature_open"), *_broken("pressure_short"),
    *_broken("level_stuck"), *_broken("pressure_stuck"), "look",
)
_run(
    "battery_can_be_changed", *BEGIN, ("wait", 600), ("battery", 3_290), ("wait", HOUR), "look",
    ("clear", "battery_low"), ("battery", 3_400), ("wait", HOUR), "look", ("battery", 2_650), ("wait", HOUR),
    "look", "start", ("battery", 3_600), ("wait", HOUR), ("clear", "battery_empty"), "start", "look",
    config={"battery_replaceable": 1},
)
_run(
    "battery_ends", ("clock", "2023-06-01 12:00"), *BEGIN, ("wait", 600), ("battery", 2_990), ("wait", HOUR),
    "look", ("clear", "elective_replacement"), ("battery", 2_650), ("wait", 2 * HOUR), "look", "reset", "look",
    everywhere=True,
)

# Stops and resets

_run(
    "stop_without_a_session", *BEGIN, ("wait", HOUR), ("bolus", 50), ("wait", 60), "stop_plainly", "look",
    "stop_plainly", "start", "start", ("wait", HOUR), "look", everywhere=True,
)
_run(
    "resets_at_rest", "reset", "program", ("wait", 700), ("reset", 3_600, "power_on"), ("wait", 700),
    ("reset", 0, "software"), "start", "stop", ("wait", 700), ("reset", 1, "watchdog"), "start", ("wait", HOUR),
    "look",
)
_run(
    "resets_while_dosing", *BEGIN, ("wait", 1_000), "reset", ("wait", 1_000), ("bolus", 100), ("wait", 300),
    "reset", "look", ("wait", 700), ("square", 100, 2 * HOUR), ("wait", HOUR), "reset", "look", ("wait", HOUR),
    ("square", 60, HOUR), ("bolus", 60), ("wait", 200), "reset", ("wait", HOUR), "look", everywhere=True,
)
_run(
    "resets_in_modes", ("clock", "2026-03-25 22:10:05"), ("program", FLEX | PERIODIC | PATIENT), "start",
    ("wait", 5 * HOUR), "patient", ("wait", 30), "reset", "patient", ("wait", 3 * HOUR),
    ("program", TITRATION | PERIODIC), ("wait", 28 * HOUR), "reset", ("wait", 26 * HOUR), "look", *_AGAIN,
)
_run(
    "watchdog", *BEGIN, ("wait", HOUR), ("fault", "hang"), ("wait", 400), "wake", "look", ("reset", 0, "software"),
    ("wait", HOUR), "reset", ("bolus", 40), ("fault", "hang"), ("wait", 400), "wake", "find_out", ("wait", HOUR),
    "look", everywhere=True, config={"watchdog_ms": 300_000},
)
_run(
    "resets_repeated", *BEGIN, ("wait", 100), *["reset"] * 4, "look", "start", ("wait", HOUR),
    ("clear", "resets_repeated"), "start", ("wait", HOUR), "look",
)

# Flash

_run(
    "cut_in_a_lease", *BEGIN, ("wait", 500), ("cut_record", "torn"), ("wait", 2 * HOUR), "power_on", "look",
    ("wait", 500), ("cut_record", "before"), ("wait", 2 * HOUR), "power_on", ("wait", 500), ("cut_record", "after"),
    ("wait", 2 * HOUR), "power_on", "look", ("wait", HOUR), everywhere=True,
)
_run(
    "cut_in_a_bolus", *BEGIN, ("wait", 200), ("cut_record", "torn"), ("bolus", 40), "power_on", "find_out",
    ("wait", 200), ("cut_record", "after", 1), ("bolus", 40), "power_on", "find_out", ("bolus", 20), ("wait", HOUR),
    "look",
)


def _cut_commit(den: int, *cut: Any) -> list[Act]:
    staged: list[Act] = [("wait", 700), ("stage", {"basal_den": den}), cut, "commit"]
    return [*staged, ("wait", 60), "reset", "find_out", "look"]


_run(
    "cut_in_commits", *BEGIN, *_cut_commit(40_000, "cut_other", "torn"), *_cut_commit(40_001, "cut_other", "torn", 1),
    *_cut_commit(40_002, "cut_other", "after", 1), *_cut_commit(40_003, "cut_record", "torn"),
    *_cut_commit(40_004, "cut_record", "before", 1), *_cut_commit(40_005, "cut_record", "torn", 1),
    *_cut_commit(40_006, "cut_record", "after", 1), ("wait", HOUR),
)
_run(
    "copies_mended", *BEGIN, ("flip_copy", 0), ("wait", HOUR + 100), ("flip_copy", 1), ("wait", HOUR + 100),
    "program", ("wait", 600), "power_off", ("flip_copy", 0), "power_on", ("wait", 600), "look", everywhere=True,
)
_run(
    "therapy_lost", *BEGIN, ("wait", HOUR), "power_off", ("flip_copy", 0, 5), ("flip_copy", 1, 5), "power_on",
    "look", ("clear", "therapy_lost"), "start", "program", ("clear", "therapy_lost"), "start", ("wait", HOUR),
    "look",
)
_run(
    "record_mended", *BEGIN, ("wait", 4 * HOUR), "power_off", ("flip_record", "lease", 1, 1), "power_on", "look",
    ("wait", 700), ("clear", "journal_damaged"), "power_off", ("flip_header", 0, 4), "power_on", "look",
    ("wait", HOUR),
)
_run(
    "record_lost", *BEGIN, ("wait", 4 * HOUR), "power_off", ("flip_record", "lease", 0x11, 2), "power_on", "look",
    "start", ("clear", "journal_damaged"), "start", ("wait", HOUR), "look",
)
_run(
    "flash_takes_nothing", *BEGIN, ("wait", 600), ("deaf_flash", True), ("wait", 2 * HOUR), "look", "start",
    ("deaf_flash", False), "reset", "look", ("wait", HOUR),
)
_run(
    "flash_takes_long", *BEGIN, ("wait", 600), ("slow_flash", 180), ("wait", HOUR), ("slow_flash", 0), "look",
    ("wait", HOUR), ("clear", "missed_volume"), "look", everywhere=True,
)
_run(
    "code_flipped", *BEGIN, ("wait", 600), ("code_flip", True), ("wait", HOUR + 100), "look", "start",
    ("clear", "selftest_failed"), ("code_flip", False), "reset", ("clear", "selftest_failed"), "start",
    ("wait", HOUR), ("fault", "driver_stuck"), "reset", "look",
)

# Calibration

_run(
    "calibrated", *BEGIN, ("bolus", 200), ("wait", HOUR), ("flashed", (1306, 5)), "look", "start", "program",
    ("clear", "therapy_unfit"), ("program", ON_NEW | {"reservoir_steps": 150_000}), "start", ("wait", HOUR), "look",
    ("flashed", (250, 1)), "look", ("flashed", (1306, 5)), "start", ("wait", HOUR), "look", everywhere=True,
)
_run(
    "settings_refuse_the_therapy", *BEGIN, ("wait", 600), ("flashed", (250, 1), {"bolus_steps_max": 100}), "look",
    ("program", {"bolus_steps_max": 100}), "start", ("wait", HOUR), "look",
)

# Staging, hosts and repeats

_run(
    "stages_dropped", "stage", ("stage", {"basal_den": 50_000}), "abort", "commit", "stage", ("wait", 130),
    "commit", ("stage_part", {}), ("stage_part", {"basal_den": 50_000}), ("host", "next"), *BEGIN, "stage", "reset",
    "commit", ("wait", 600), "look", everywhere=True,
)
_run(
    "repeats", *BEGIN, ("bolus", 20), ("again", "bolus", {"steps": 20}), ("again", "bolus", {"steps": 21}),
    ("again", "refill", {"steps": 1_000, "withdrawn_steps": 0}), ("again", "start", 1), ("wait", 300), "reset",
    ("again", "bolus", {"steps": 20}), ("bolus", 900), ("again", "bolus", {"steps": 900}), ("wait", HOUR), "look",
    everywhere=True,
)


def _stranger(at: int) -> list[Act]:
    return [("host", f"h{at:03}"), ("say_refill", 150_000 + at), ("bolus", 0 if at % 2 else 4), ("wait", 60)]


_run(
    "many_hosts", *BEGIN, *[act for at in range(10) for act in _stranger(at)], ("host", "main"), ("again", "start"),
    "stop", "reset", ("host", "h003"), ("again", "bolus", {"steps": 0}), "start", ("wait", 600), "look",
    config={"disagree_steps": 1 << 29},
)
_run(
    "roles", *BEGIN, ("host", "clin", "operator"), ("bolus", 10), ("wait", 200), "stop", "start",
    ("host", "eyes", "observer"), "stop", ("wait", 600), "look",
)
_run(
    "strangers", *BEGIN, ("strangers", 4), ("strangers", 3, True), ("wait", HOUR), ("strangers", 2),
    ("wait", HOUR + 60), ("bolus", 4), ("wait", HOUR), "look", everywhere=True,
)

# Rings that wrap


def _crowd(hosts: int) -> list[Act]:
    return [act for at in range(hosts) for act in (("host", f"w{at:03}"), ("say_refill", 150_000), ("bolus", 0))]


def _busy(turn: int) -> list[Act]:
    day: list[Act] = [("wait", 5 * HOUR), "patient", ("square", 100, 2 * HOUR), ("wait", HOUR), "collect"]
    return [*day, "reset"] if turn % 3 == 2 else day


def _low_and_full(turn: int) -> list[Act]:
    both: list[Act] = [("say_refill", 6_000), ("say_refill", 160_000)]
    return [*both, "collect"] if turn % 20 == 19 else both


_run(
    "wraps", ("clock", "2023-06-01 12:00"), ("implant", "2017-01-15"),
    ("program", PATIENT | {"patient_per_day": 20}), "start", ("battery", 2_990), "patient", ("wait", HOUR),
    *_crowd(10), ("host", "main"), "patient", *[act for turn in range(6) for act in _busy(turn)], "look", *_AGAIN,
    everywhere=True, wraps=True, config=SMALL | {"disagree_steps": 1 << 29},
)
_run(
    "wraps_the_fault_ring", "program", *[act for turn in range(110) for act in _low_and_full(turn)], "start",
    ("wait", HOUR), "reset", "look", *_AGAIN, wraps=True, config=SMALL | {"disagree_steps": 1 << 29},
)
_DAY_QUARTER: list[Act] = [("wait", 6 * HOUR), ("bolus", 60), "collect"]
_run(
    "wraps_calibrated", *BEGIN, ("wait", HOUR), ("flashed", (1306, 5)),
    ("program", ON_NEW | {"reservoir_steps": 150_000}), "start", *_DAY_QUARTER * 4, "reset", "look", *_AGAIN,
    wraps=True, config=SMALL,
)


def _day(number: int) -> list[Act]:
    morning: list[Act] = [("wait", 5 * HOUR + 977 * number), "patient"]
    return [*morning, ("wait", 9 * HOUR), ("square", 40, 1_200), ("wait", 8 * HOUR)]


_run(
    "a_week", ("clock", "2026-03-27 21:00:00"), ("program", WEEK | PERIODIC | PATIENT), "start",
    *[act for number in range(7) for act in _day(number)], "look", *_AGAIN, seed=9,
)


# Whatever comes


def _walk(seed: int, length: int) -> list[Act]:
    """A random history: the acts are drawn once from `seed`, and do not depend on what the pump answers."""
    rng = Random(seed)
    therapies = [{}, PATIENT, PERIODIC, FLEX | PATIENT, TITRATION | PERIODIC, {"mode": "minimum_rate"}]
    acts: list[Act] = [("clock", "2026-03-28 20:00:00"), *BEGIN]
    choices: list[Callable[[], Act]] = [
        lambda: ("wait", rng.randrange(1, 4 * HOUR)),
        lambda: ("wait", rng.randrange(1, 600)),
        lambda: ("program", {"basal_den": rng.randrange(8_000, 400_000)} | rng.choice(therapies)),
        lambda: ("bolus", rng.randrange(1, 120)),
        lambda: "bolus_cancel",
        lambda: ("square", rng.randrange(1, 120), rng.randrange(600, 9_000)),
        lambda: "square_cancel",
        lambda: "patient",
        lambda: "stop",
        lambda: "start",
        lambda: "reset",
        lambda: ("clock", f"2026-03-{rng.randrange(10, 30)} {rng.randrange(10, 24)}:30:00"),
        lambda: ("refill", rng.randrange(100_000, 160_000)),
    ]
    for _ in range(length):
        acts += [rng.choice(choices)(), ("wait", rng.randrange(1, 1_800))]
    return [*acts, "look", *_AGAIN]


for _seed in (11, 12, 13, 14):
    _run(f"walk_{_seed}", *_walk(_seed, 40), seed=_seed)
