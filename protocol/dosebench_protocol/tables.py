"""The schema of `messages` as plain data: all that a host needs of it at run time. `plans` reads the bodies."""

# Generated from protocol/dosebench_protocol (messages.py, terms.py), do not edit; `make gen`
# fmt: off
# ruff: noqa: E501

from __future__ import annotations

from typing import Final

Field = tuple[str, str, int]
"""Name, kind and length in bytes; the kind is `int`, `bytes`, or the name of an enumeration."""

Tail = tuple[str, int, str, tuple[Field, ...]]
"""Name of a field of variable length, bytes of its prefix, format and fields of a row. Bytes have no rows; in place of
a format they have the name of their enumeration, if they are a list of its numbers."""

RecordField = tuple[str, int, int, int, int]
"""Name; 0 for the code or number of the word, from 1 on; shift and bits in it; how many words or entries."""

Run = tuple[str, tuple[Field, ...], Tail | None]
"""`struct` format of fields of fixed length with the prefix of the field of variable length after them, if any."""

SCHEMA_HASH: Final = bytes.fromhex("167fc1ab4c7772e9")
PROTOCOL_VERSION: Final = 2
FRACTION_MAX: Final = 536870912
COUNT_MAX: Final = 1073741823
BODY_BYTES_MAX: Final = 1024
RECORD_BYTES: Final = 40
CHAIN_BYTES: Final = 8
PROGRAM_BYTES_MAX: Final = 3072
CHUNK_BYTES_MAX: Final = 256
FLEX_STEPS_MAX: Final = 48
PATTERNS_MAX: Final = 7
RATES_MAX: Final = 64
DRUGS_MAX: Final = 4
CAPS_MAX: Final = 12
GUARD_CAPS_MAX: Final = 8
CAP_MINUTES_MAX: Final = 2880
TITRATION_STEPS_MAX: Final = 64
PATIENT_BOLUSES_MAX: Final = 24
PRIME_ARMED_MS: Final = 60000
LATCHED_MAX: Final = 16
HASH_HEAD_BYTES: Final = 8
PROGRAM_FORMAT: Final = 2
HEADER_BYTES: Final = 16
TAG_BYTES: Final = 16
NONCE_BYTES: Final = 16
KEY_BYTES: Final = 32
SESSION_IDLE_MS: Final = 120000
OFFER_MS: Final = 10000
CRC_BYTES: Final = 4
PLAIN_BYTES_MAX: Final = 1060
FRAME_BYTES_MAX: Final = 1066
REPLY_BIT: Final = 128
REJECTED: Final = 255

MESSAGES: Final[tuple[tuple[int, str, str, bool], ...]] = (
    # type, name, least role, whether it changes state
    (1, "hello", "none", False),
    (2, "session_open", "none", False),
    (3, "session_close", "operator", False),
    (16, "status", "observer", False),
    (32, "program_begin", "programmer", False),
    (33, "program_chunk", "programmer", False),
    (34, "program_verify", "programmer", False),
    (35, "program_commit", "programmer", True),
    (36, "program_abort", "programmer", False),
    (37, "program_read", "observer", False),
    (48, "start", "operator", True),
    (49, "stop", "none", True),
    (50, "bolus", "operator", True),
    (51, "bolus_cancel", "operator", True),
    (52, "refill", "operator", True),
    (53, "outcome", "operator", False),
    (54, "alarm_clear", "operator", True),
    (55, "patient_bolus", "operator", True),
    (56, "square_bolus", "operator", True),
    (57, "square_cancel", "operator", True),
    (58, "prime_arm", "programmer", True),
    (59, "prime", "programmer", True),
    (60, "alarm_silence", "operator", True),
    (61, "patency", "operator", True),
    (62, "dose_windows_set", "programmer", True),
    (64, "clock_set", "operator", True),
    (65, "implant", "programmer", True),
    (80, "journal_info", "observer", False),
    (81, "journal_read", "observer", False),
    (82, "fault_info", "observer", False),
    (83, "fault_read", "observer", False),
    (84, "journal_stream", "observer", False),
    (96, "selftest", "observer", False),
    (97, "counters", "observer", False),
    (98, "memory", "observer", False),
    (99, "sensors", "observer", False),
    (100, "service", "observer", False),
    (112, "telemetry_table", "observer", False),
    (113, "telemetry_subscribe", "observer", False),
)

ENUMS: Final[dict[str, dict[str, int]]] = {
    "Role": {
        "none": 0,
        "observer": 1,
        "operator": 2,
        "programmer": 3,
        "service": 4,
    },
    "ResetCause": {
        "unknown": 0,
        "power_on": 1,
        "brown_out": 2,
        "watchdog": 3,
        "software": 4,
    },
    "Mode": {
        "stopped": 0,
        "minimum_rate": 1,
        "continuous": 2,
        "flex": 3,
        "titration": 4,
    },
    "Delivery": {
        "unprogrammed": 0,
        "stopped": 1,
        "running": 2,
        "safe": 3,
    },
    "StopReason": {
        "none": 0,
        "command": 1,
        "reservoir_empty": 2,
        "fault": 3,
        "mode": 4,
        "never_started": 5,
    },
    "OnLow": {
        "keep": 0,
        "minimum_rate": 1,
        "stop": 2,
    },
    "OnCap": {
        "minimum_rate": 0,
        "stop": 1,
    },
    "BolusKind": {
        "none": 0,
        "clinician": 1,
        "patient": 2,
        "periodic": 3,
        "priming": 4,
        "patency": 5,
    },
    "EndReason": {
        "completed": 0,
        "cancelled": 1,
        "cap": 2,
        "stopped": 3,
        "fault": 4,
        "empty": 5,
        "reset": 6,
    },
    "RefillLimit": {
        "volume": 0,
        "stability": 1,
        "cap": 2,
        "none": 3,
    },
    "Alarm": {
        "none": 0,
        "reservoir_low": 1,
        "reservoir_empty": 2,
        "motor_stall": 3,
        "motor_runaway": 4,
        "therapy_lost": 5,
        "journal_damaged": 6,
        "dose_cap": 7,
        "clock_unknown": 8,
        "guard_disagrees": 9,
        "battery_low": 10,
        "missed_volume": 11,
        "flash_failed": 12,
        "reservoir_disagrees": 13,
        "occlusion": 14,
        "leak": 15,
        "free_flow": 16,
        "over_infusion": 17,
        "under_infusion": 18,
        "air": 19,
        "over_temperature": 20,
        "sensor_fault": 21,
        "elective_replacement": 22,
        "battery_empty": 23,
        "end_of_service": 24,
        "pump_stopped": 25,
        "alarm_repeated": 26,
        "resets_repeated": 27,
        "selftest_failed": 28,
        "refill_mismatch": 29,
        "therapy_unfit": 30,
    },
    "Priority": {
        "none": 0,
        "low": 1,
        "medium": 2,
        "high": 3,
    },
    "Test": {
        "code": 0,
        "settings": 1,
        "therapy": 2,
        "journal": 3,
        "memory": 4,
        "clock": 5,
        "watchdog": 6,
        "driver": 7,
        "tone": 8,
        "battery": 9,
        "sensors": 10,
    },
    "TestResult": {
        "not_run": 0,
        "passed": 1,
        "failed": 2,
        "not_fitted": 3,
    },
    "Sensor": {
        "battery": 0,
        "level": 1,
        "pressure": 2,
        "temperature": 3,
        "air": 4,
        "flow": 5,
    },
    "SensorState": {
        "ok": 0,
        "open": 1,
        "short": 2,
        "stuck": 3,
    },
    "RefillFlag": {
        "agrees": 0,
        "too_little": 1,
        "too_much": 2,
        "not_judged": 3,
    },
    "Reason": {
        "done": 0,
        "malformed": 1,
        "unknown_type": 2,
        "wrong_device": 3,
        "wrong_version": 4,
        "role": 5,
        "too_long": 6,
        "busy": 7,
        "no_session": 8,
        "bad_tag": 9,
        "replayed": 10,
        "unpaired": 11,
        "session_busy": 12,
        "backing_off": 13,
        "not_supported": 14,
        "counter_used": 16,
        "counter_old": 17,
        "outcome_unknown": 18,
        "no_stage": 32,
        "stage_gap": 33,
        "stage_incomplete": 34,
        "stage_hash": 35,
        "not_verified": 36,
        "therapy_format": 37,
        "therapy_fraction": 38,
        "therapy_mode": 39,
        "rate_below_minimum": 40,
        "rate_above_maximum": 41,
        "step_volume": 42,
        "reservoir_size": 43,
        "bolus_size": 44,
        "bolus_rate": 45,
        "cap_missing": 46,
        "cap_below_basal": 47,
        "cap_above_hard": 48,
        "concentration": 49,
        "level_order": 50,
        "flex_order": 51,
        "flex_rate": 52,
        "titration_order": 53,
        "titration_change": 54,
        "bridge": 55,
        "cap_window": 56,
        "patient_bolus": 57,
        "periodic_bolus": 58,
        "priming": 59,
        "weekday": 60,
        "readings_differ": 61,
        "drug_count": 62,
        "not_programmed": 64,
        "already_running": 65,
        "already_stopped": 66,
        "not_running": 67,
        "safe_state": 68,
        "reservoir_empty": 69,
        "bolus_running": 70,
        "bolus_over_maximum": 71,
        "bolus_over_cap": 72,
        "bolus_zero": 73,
        "no_bolus": 74,
        "lockout": 75,
        "patient_count": 76,
        "no_patient_bolus": 77,
        "square_running": 78,
        "square_over_maximum": 79,
        "square_rate": 80,
        "no_square": 81,
        "priming_not_armed": 82,
        "priming_volume": 83,
        "priming_path": 84,
        "still_running": 85,
        "program_differs": 86,
        "amount_differs": 87,
        "step_volume_differs": 88,
        "clock_value": 96,
        "record_gone": 97,
        "record_future": 98,
        "alarm_present": 99,
        "flash_failed": 100,
        "silence_time": 101,
        "start_blocked": 102,
        "no_alarm": 103,
        "implanted": 104,
        "implant_date": 105,
        "journal_of_another_version": 106,
        "chain_differs": 112,
        "table_differs": 113,
        "too_often": 114,
    },
    "RecordKind": {
        "boot": 1,
        "lease": 2,
        "close": 3,
        "start": 16,
        "stop": 17,
        "bolus": 18,
        "bolus_end": 19,
        "bolus_cancel": 20,
        "refill": 21,
        "patient_bolus": 22,
        "periodic_bolus": 23,
        "square": 24,
        "square_end": 25,
        "square_cancel": 26,
        "prime_arm": 27,
        "prime": 28,
        "silence": 29,
        "refill_check": 30,
        "patency": 31,
        "commit": 32,
        "stage_dropped": 33,
        "worth": 34,
        "dose_window": 35,
        "dose_windows_set": 36,
        "clock": 48,
        "implant": 49,
        "calibration": 50,
        "alarm_raised": 64,
        "alarm_cleared": 65,
        "missed": 66,
        "torn": 67,
        "alarm_ended": 68,
        "watchdog_test": 69,
        "selftest": 70,
        "service": 71,
        "alarm_displaced": 72,
        "clear_list": 73,
        "stall_recovered": 74,
        "refused": 80,
        "distrusted": 81,
        "state": 96,
        "identity": 98,
        "windows": 99,
        "patient_times": 100,
        "host_done": 101,
        "host_refused": 102,
        "calendar": 103,
        "mended": 104,
        "filled": 105,
        "latched": 106,
        "path": 107,
        "path_worth": 108,
        "seal": 109,
        "counter_floor": 110,
        "procedure_begun": 112,
        "procedure_ended": 113,
    },
    "SealCause": {
        "sector": 0,
        "session": 1,
    },
    "Coding": {
        "whole": 0,
        "delta": 1,
    },
    "StageDrop": {
        "new_stage": 0,
        "timeout": 1,
        "abort": 2,
        "reset": 3,
    },
}

COMMAND_BASE: Final = 32
ENTRY_BITS: Final = 10
ENTRIES_PER_WORD: Final = 3

RECORD_KINDS: Final[dict[str, tuple[RecordField, ...]]] = {
    "boot": (
        ("reset_cause", 0, 0, 8, 1),
        ("boot_count", 1, 0, 32, 1),
        ("low_steps", 2, 0, 32, 1),
        ("high_steps", 3, 0, 32, 1),
        ("firmware", 4, 0, 32, 1),
        ("records_voided", 5, 0, 32, 1),
    ),
    "lease": (
        ("titration_day", 0, 0, 8, 1),
        ("low_steps", 1, 0, 32, 1),
        ("high_steps", 2, 0, 32, 1),
        ("allowance_steps", 3, 0, 32, 1),
        ("missed_steps", 4, 0, 32, 1),
        ("reservoir_steps", 5, 0, 32, 1),
    ),
    "close": (
        ("stop_reason", 0, 0, 8, 1),
        ("low_steps", 1, 0, 32, 1),
        ("high_steps", 2, 0, 32, 1),
        ("missed_steps", 4, 0, 32, 1),
        ("reservoir_steps", 5, 0, 32, 1),
    ),
    "start": (
        ("role", 0, 0, 3, 1),
        ("host_high", 0, 3, 2, 1),
        ("host", 1, 0, 32, 1),
        ("counter", 2, 0, 32, 1),
        ("low_steps", 4, 0, 32, 1),
        ("high_steps", 5, 0, 32, 1),
    ),
    "stop": (
        ("role", 0, 0, 3, 1),
        ("host_high", 0, 3, 2, 1),
        ("host", 1, 0, 32, 1),
        ("counter", 2, 0, 32, 1),
        ("low_steps", 4, 0, 32, 1),
        ("high_steps", 5, 0, 32, 1),
    ),
    "bolus": (
        ("role", 0, 0, 3, 1),
        ("host_high", 0, 3, 2, 1),
        ("host", 1, 0, 32, 1),
        ("counter", 2, 0, 32, 1),
        ("steps", 3, 0, 32, 1),
        ("low_steps", 4, 0, 32, 1),
        ("allowance_steps", 5, 0, 32, 1),
    ),
    "bolus_end": (
        ("bolus_kind", 0, 0, 3, 1),
        ("end_reason", 0, 3, 4, 1),
        ("low_steps", 1, 0, 32, 1),
        ("high_steps", 2, 0, 32, 1),
        ("delivered_low_steps", 3, 0, 32, 1),
        ("delivered_high_steps", 4, 0, 32, 1),
        ("asked_steps", 5, 0, 32, 1),
    ),
    "patient_bolus": (
        ("role", 0, 0, 3, 1),
        ("host_high", 0, 3, 2, 1),
        ("host", 1, 0, 32, 1),
        ("counter", 2, 0, 32, 1),
        ("steps", 3, 0, 32, 1),
        ("low_steps", 4, 0, 32, 1),
        ("allowance_steps", 5, 0, 32, 1),
    ),
    "periodic_bolus": (
        ("low_steps", 1, 0, 32, 1),
        ("high_steps", 2, 0, 32, 1),
        ("steps", 3, 0, 32, 1),
        ("allowance_steps", 4, 0, 32, 1),
    ),
    "square": (
        ("role", 0, 0, 3, 1),
        ("host_high", 0, 3, 2, 1),
        ("host", 1, 0, 32, 1),
        ("counter", 2, 0, 32, 1),
        ("steps", 3, 0, 32, 1),
        ("duration_ms", 4, 0, 32, 1),
        ("allowance_steps", 5, 0, 32, 1),
    ),
    "square_end": (
        ("end_reason", 0, 0, 8, 1),
        ("low_steps", 1, 0, 32, 1),
        ("high_steps", 2, 0, 32, 1),
        ("delivered_low_steps", 3, 0, 32, 1),
        ("delivered_high_steps", 4, 0, 32, 1),
        ("asked_steps", 5, 0, 32, 1),
    ),
    "square_cancel": (
        ("role", 0, 0, 3, 1),
        ("host_high", 0, 3, 2, 1),
        ("host", 1, 0, 32, 1),
        ("counter", 2, 0, 32, 1),
        ("steps_not_delivered", 3, 0, 32, 1),
        ("low_steps", 4, 0, 32, 1),
        ("high_steps", 5, 0, 32, 1),
    ),
    "prime_arm": (
        ("role", 0, 0, 3, 1),
        ("host_high", 0, 3, 2, 1),
        ("host", 1, 0, 32, 1),
        ("counter", 2, 0, 32, 1),
        ("steps", 3, 0, 32, 1),
        ("path_version", 4, 0, 32, 1),
        ("low_steps", 5, 0, 32, 1),
    ),
    "prime": (
        ("role", 0, 0, 3, 1),
        ("host_high", 0, 3, 2, 1),
        ("host", 1, 0, 32, 1),
        ("counter", 2, 0, 32, 1),
        ("steps", 3, 0, 32, 1),
        ("path_version", 4, 0, 32, 1),
        ("allowance_steps", 5, 0, 32, 1),
    ),
    "patency": (
        ("role", 0, 0, 3, 1),
        ("host_high", 0, 3, 2, 1),
        ("host", 1, 0, 32, 1),
        ("counter", 2, 0, 32, 1),
        ("steps", 3, 0, 32, 1),
        ("step_every_ms", 4, 0, 32, 1),
        ("allowance_steps", 5, 0, 32, 1),
    ),
    "bolus_cancel": (
        ("role", 0, 0, 3, 1),
        ("host_high", 0, 3, 2, 1),
        ("host", 1, 0, 32, 1),
        ("counter", 2, 0, 32, 1),
        ("steps_not_delivered", 3, 0, 32, 1),
        ("low_steps", 4, 0, 32, 1),
        ("high_steps", 5, 0, 32, 1),
    ),
    "refill": (
        ("role", 0, 0, 3, 1),
        ("host_high", 0, 3, 2, 1),
        ("host", 1, 0, 32, 1),
        ("counter", 2, 0, 32, 1),
        ("steps", 3, 0, 32, 1),
        ("low_steps", 4, 0, 32, 1),
        ("high_steps", 5, 0, 32, 1),
    ),
    "refill_check": (
        ("flag", 0, 0, 8, 1),
        ("expected_steps", 1, 0, 32, 1),
        ("withdrawn_steps", 2, 0, 32, 1),
        ("delivered_low_steps", 3, 0, 32, 1),
        ("delivered_high_steps", 4, 0, 32, 1),
        ("ratio_permille", 5, 0, 32, 1),
    ),
    "commit": (
        ("role", 0, 0, 3, 1),
        ("host_high", 0, 3, 2, 1),
        ("host", 1, 0, 32, 1),
        ("counter", 2, 0, 32, 1),
        ("generation", 3, 0, 32, 1),
        ("program_hash_head", 4, 0, 32, 1),
        ("high_steps", 5, 0, 32, 1),
    ),
    "stage_dropped": (
        ("drop", 0, 0, 8, 1),
        ("received_bytes", 1, 0, 32, 1),
        ("length_bytes", 2, 0, 32, 1),
    ),
    "worth": (
        ("period_begins", 0, 0, 1, 1),
        ("drug", 0, 1, 2, 1),
        ("step_ng_num", 1, 0, 32, 1),
        ("step_ng_den", 2, 0, 32, 1),
        ("old_ng_num", 3, 0, 32, 1),
        ("old_ng_den", 4, 0, 32, 1),
        ("bridge_steps", 5, 0, 32, 1),
    ),
    "dose_window": (
        ("drug", 0, 0, 8, 1),
        ("minutes", 1, 0, 32, 1),
        ("ng", 2, 0, 32, 1),
        ("age_minutes", 3, 0, 32, 1),
    ),
    "dose_windows_set": (
        ("role", 0, 0, 3, 1),
        ("host_high", 0, 3, 2, 1),
        ("host", 1, 0, 32, 1),
        ("counter", 2, 0, 32, 1),
        ("rows", 3, 0, 32, 1),
        ("low_steps", 4, 0, 32, 1),
        ("high_steps", 5, 0, 32, 1),
    ),
    "clock": (
        ("role", 0, 0, 3, 1),
        ("host_high", 0, 3, 2, 1),
        ("host", 1, 0, 32, 1),
        ("counter", 2, 0, 32, 1),
        ("local_days", 3, 0, 32, 1),
        ("local_ms", 4, 0, 32, 1),
    ),
    "implant": (
        ("role", 0, 0, 3, 1),
        ("host_high", 0, 3, 2, 1),
        ("host", 1, 0, 32, 1),
        ("counter", 2, 0, 32, 1),
        ("implant_days", 3, 0, 32, 1),
        ("low_steps", 4, 0, 32, 1),
        ("high_steps", 5, 0, 32, 1),
    ),
    "calibration": (
        ("carried_on", 0, 0, 8, 1),
        ("step_nl_num", 1, 0, 32, 1),
        ("step_nl_den", 2, 0, 32, 1),
        ("old_nl_num", 3, 0, 32, 1),
        ("old_nl_den", 4, 0, 32, 1),
        ("reservoir_steps", 5, 0, 32, 1),
    ),
    "alarm_raised": (
        ("alarm", 0, 0, 8, 1),
        ("priority", 1, 0, 32, 1),
        ("detail", 2, 0, 32, 1),
    ),
    "alarm_cleared": (
        ("role", 0, 0, 3, 1),
        ("host_high", 0, 3, 2, 1),
        ("host", 1, 0, 32, 1),
        ("counter", 2, 0, 32, 1),
        ("alarms", 3, 0, 10, 3),
        ("low_steps", 4, 0, 32, 1),
        ("high_steps", 5, 0, 32, 1),
    ),
    "missed": (
        ("missed_now_steps", 1, 0, 32, 1),
        ("missed_steps", 2, 0, 32, 1),
    ),
    "torn": (
        ("slots_voided", 1, 0, 32, 1),
    ),
    "alarm_ended": (
        ("alarm", 0, 0, 8, 1),
    ),
    "silence": (
        ("role", 0, 0, 3, 1),
        ("host_high", 0, 3, 2, 1),
        ("host", 1, 0, 32, 1),
        ("counter", 2, 0, 32, 1),
        ("silence_ms", 3, 0, 32, 1),
        ("low_steps", 4, 0, 32, 1),
        ("high_steps", 5, 0, 32, 1),
    ),
    "watchdog_test": (
        ("timeout_ms", 1, 0, 32, 1),
    ),
    "selftest": (
        ("failed", 1, 0, 32, 1),
        ("detail", 2, 0, 32, 1),
        ("passed", 3, 0, 32, 1),
    ),
    "service": (
        ("replacement_day", 1, 0, 32, 1),
        ("replacement_ms", 2, 0, 32, 1),
        ("replacement_local_days", 3, 0, 32, 1),
        ("implant_days", 4, 0, 32, 1),
        ("battery_mv", 5, 0, 32, 1),
    ),
    "alarm_displaced": (
        ("alarm", 0, 0, 8, 1),
        ("by_alarm", 1, 0, 32, 1),
    ),
    "clear_list": (
        ("alarms", 1, 0, 10, 12),
    ),
    "stall_recovered": (
        ("missed_steps", 1, 0, 32, 1),
        ("stalled_ms", 2, 0, 32, 1),
    ),
    "refused": (
        ("reason", 0, 0, 8, 1),
        ("host", 1, 0, 32, 1),
        ("counter", 2, 0, 32, 1),
        ("message", 3, 0, 8, 1),
        ("host_high", 3, 8, 2, 1),
        ("low_steps", 4, 0, 32, 1),
        ("high_steps", 5, 0, 32, 1),
    ),
    "distrusted": (
        ("bad_tags", 1, 0, 32, 1),
        ("replays", 2, 0, 32, 1),
        ("sessionless", 3, 0, 32, 1),
    ),
    "counter_floor": (
        ("counter", 1, 0, 32, 1),
    ),
    "state": (
        ("stop_reason", 0, 0, 4, 1),
        ("running", 0, 4, 1, 1),
        ("low_steps", 1, 0, 32, 1),
        ("high_steps", 2, 0, 32, 1),
        ("generation", 3, 0, 32, 1),
        ("alarm_count", 4, 0, 32, 1),
        ("reservoir_steps", 5, 0, 32, 1),
    ),
    "host_done": (
        ("command", 0, 0, 6, 1),
        ("host_high", 0, 6, 2, 1),
        ("host", 1, 0, 32, 1),
        ("counter", 2, 0, 32, 1),
        ("accepted", 3, 0, 32, 1),
        ("low_steps", 4, 0, 32, 1),
        ("high_steps", 5, 0, 32, 1),
    ),
    "host_refused": (
        ("reason", 0, 0, 8, 1),
        ("host", 1, 0, 32, 1),
        ("counter", 2, 0, 32, 1),
        ("message", 3, 0, 8, 1),
        ("host_high", 3, 8, 2, 1),
        ("low_steps", 4, 0, 32, 1),
        ("high_steps", 5, 0, 32, 1),
    ),
    "calendar": (
        ("clock_known", 0, 0, 8, 1),
        ("local_days", 1, 0, 32, 1),
        ("local_ms", 2, 0, 32, 1),
        ("pattern_lag_ms", 3, 0, 32, 1),
        ("fault_records", 4, 0, 32, 1),
        ("commit_unsure_steps", 5, 0, 32, 1),
    ),
    "mended": (
        ("copy", 0, 0, 8, 1),
        ("generation", 1, 0, 32, 1),
    ),
    "identity": (
        ("bolus_kind", 0, 0, 3, 1),
        ("clock_known", 0, 3, 1, 1),
        ("boot_count", 1, 0, 32, 1),
        ("program_hash_head", 2, 0, 32, 1),
        ("bolus_left_steps", 3, 0, 32, 1),
        ("square_left_steps", 4, 0, 32, 1),
        ("commit_high_steps", 5, 0, 32, 1),
    ),
    "windows": (
        ("place", 0, 0, 4, 1),
        ("drug", 0, 4, 4, 1),
        ("ng", 1, 0, 32, 5),
    ),
    "filled": (
        ("content_steps", 1, 0, 32, 1),
        ("low_steps", 2, 0, 32, 1),
        ("high_steps", 3, 0, 32, 1),
        ("filled_day", 4, 0, 32, 1),
    ),
    "patient_times": (
        ("place", 0, 0, 8, 1),
        ("age_ms", 1, 0, 32, 5),
    ),
    "latched": (
        ("place", 0, 0, 8, 1),
        ("alarms", 1, 0, 10, 15),
    ),
    "path": (
        ("carried_on", 0, 0, 8, 1),
        ("path_version", 1, 0, 32, 1),
        ("filled_nl", 2, 0, 32, 1),
        ("volume_nl", 3, 0, 32, 1),
        ("old_left_steps", 4, 0, 32, 1),
    ),
    "path_worth": (
        ("drug", 0, 0, 8, 1),
        ("ng_num", 1, 0, 32, 1),
        ("ng_den", 2, 0, 32, 1),
    ),
    "seal": (
        ("seal_cause", 0, 0, 8, 1),
        ("mac", 1, 0, 32, 4),
        ("mac_tail", 5, 0, 8, 1),
        ("key_number", 5, 8, 22, 1),
    ),
    "procedure_begun": (
        ("procedure", 0, 0, 8, 1),
        ("id", 1, 0, 32, 4),
        ("value", 5, 0, 32, 1),
    ),
    "procedure_ended": (
        ("result", 0, 0, 8, 1),
        ("id", 1, 0, 32, 4),
        ("value", 5, 0, 32, 1),
    ),
}

RECORD_ENUMS: Final[dict[str, str]] = {
    "reset_cause": "ResetCause",
    "priority": "Priority",
    "role": "Role",
    "stop_reason": "StopReason",
    "end_reason": "EndReason",
    "reason": "Reason",
    "drop": "StageDrop",
    "bolus_kind": "BolusKind",
    "alarm": "Alarm",
    "by_alarm": "Alarm",
    "flag": "RefillFlag",
    "seal_cause": "SealCause",
}

JOINED: Final[dict[str, tuple[str, ...]]] = {
    "host": ("host", "host_high",),
    "message": ("command",),
    "mac": ("mac", "mac_tail",),
}

BODIES: Final[dict[str, tuple[Run, ...]]] = {
    "header": (
        ("<BB4s4sIH", (
            ("version", "int", 1),
            ("type", "int", 1),
            ("device", "bytes", 4),
            ("session", "bytes", 4),
            ("sequence", "int", 4),
            ("length", "int", 2),
        ), None),
    ),
    "rejected": (
        ("<BBI", (
            ("type", "int", 1),
            ("reason", "Reason", 1),
            ("detail", "int", 4),
        ), None),
    ),
    "outcome": (
        ("<IBIIII", (
            ("counter", "int", 4),
            ("reason", "Reason", 1),
            ("accepted", "int", 4),
            ("low_steps", "int", 4),
            ("high_steps", "int", 4),
            ("record", "int", 4),
        ), None),
    ),
    "record": (
        ("<IHIBBIIIII8s", (
            ("sequence", "int", 4),
            ("day", "int", 2),
            ("ms", "int", 4),
            ("kind", "RecordKind", 1),
            ("code", "int", 1),
            ("a", "int", 4),
            ("b", "int", 4),
            ("c", "int", 4),
            ("d", "int", 4),
            ("e", "int", 4),
            ("chain", "bytes", 8),
        ), None),
    ),
    "program": (
        ("<B8sB", (
            ("format", "int", 1),
            ("therapy_id", "bytes", 8),
        ), ("drugs", 1, "<BIIII", (("name_bytes", "int", 1), ("step_ng_num", "int", 4), ("step_ng_den", "int", 4), ("bridge_ng_num", "int", 4), ("bridge_ng_den", "int", 4),))),
        ("<H", (
        ), ("drug_names", 2, "", ())),
        ("<IIBIIIIIIIIIIHBBIIIIIBIIIIIIIHIHIIIH7sB", (
            ("step_nl_num", "int", 4),
            ("step_nl_den", "int", 4),
            ("mode", "Mode", 1),
            ("basal_num", "int", 4),
            ("basal_den", "int", 4),
            ("minimum_num", "int", 4),
            ("minimum_den", "int", 4),
            ("bolus_num", "int", 4),
            ("bolus_den", "int", 4),
            ("bolus_steps_max", "int", 4),
            ("reservoir_steps", "int", 4),
            ("low_steps", "int", 4),
            ("empty_steps", "int", 4),
            ("stability_days", "int", 2),
            ("on_low", "OnLow", 1),
            ("on_cap", "OnCap", 1),
            ("square_steps_max", "int", 4),
            ("patient_steps", "int", 4),
            ("patient_num", "int", 4),
            ("patient_den", "int", 4),
            ("patient_lockout_ms", "int", 4),
            ("patient_per_day", "int", 1),
            ("periodic_steps", "int", 4),
            ("periodic_ms", "int", 4),
            ("periodic_num", "int", 4),
            ("periodic_den", "int", 4),
            ("prime_steps_max", "int", 4),
            ("prime_num", "int", 4),
            ("prime_den", "int", 4),
            ("path_version", "int", 2),
            ("path_nl", "int", 4),
            ("stall_retry_minutes", "int", 2),
            ("bridge_steps", "int", 4),
            ("bridge_num", "int", 4),
            ("bridge_den", "int", 4),
            ("change_permille_max", "int", 2),
            ("weekdays", "bytes", 7),
        ), ("caps", 1, "<BHI", (("drug", "int", 1), ("minutes", "int", 2), ("ng", "int", 4),))),
        ("<B", (
        ), ("rates", 1, "<II", (("num", "int", 4), ("den", "int", 4),))),
        ("<H", (
        ), ("flex", 2, "<BHB", (("pattern", "int", 1), ("minute", "int", 2), ("rate", "int", 1),))),
        ("<B", (
        ), ("titration", 1, "<HB", (("day", "int", 2), ("rate", "int", 1),))),
    ),
    "command": (
        ("<I", (
            ("counter", "int", 4),
        ), None),
    ),
    "hello_request": (
        ("<BB", (
            ("protocol_min", "int", 1),
            ("protocol_max", "int", 1),
        ), None),
    ),
    "hello_reply": (
        ("<B8s4sBBBIBHIB", (
            ("protocol", "int", 1),
            ("schema_hash", "bytes", 8),
            ("device_id", "bytes", 4),
            ("firmware_major", "int", 1),
            ("firmware_minor", "int", 1),
            ("firmware_patch", "int", 1),
            ("boot_count", "int", 4),
            ("reset_cause", "ResetCause", 1),
            ("body_bytes_max", "int", 2),
            ("heap_free_bytes", "int", 4),
        ), ("board", 1, "", ())),
        ("<B", (
        ), ("runtime", 1, "", ())),
        ("<B", (
        ), ("profile", 1, "", ())),
    ),
    "session_open_request": (
        ("<B4s16s", (
            ("role", "Role", 1),
            ("host", "bytes", 4),
            ("nonce", "bytes", 16),
        ), None),
    ),
    "session_open_reply": (
        ("<16sIIII8s", (
            ("nonce", "bytes", 16),
            ("boot_count", "int", 4),
            ("idle_ms", "int", 4),
            ("counter", "int", 4),
            ("journal_next", "int", 4),
            ("chain", "bytes", 8),
        ), None),
    ),
    "session_close_request": (),
    "session_close_reply": (
        ("<I8s", (
            ("journal_next", "int", 4),
            ("chain", "bytes", 8),
        ), None),
    ),
    "status_request": (),
    "status_reply": (
        ("<BBBB", (
            ("delivery", "Delivery", 1),
            ("stop_reason", "StopReason", 1),
            ("mode", "Mode", 1),
        ), ("alarms", 1, "Alarm", ())),
        ("<I8sHIBHIIIIIIIIBHIIIIHBIIBIIBB", (
            ("generation", "int", 4),
            ("therapy_id", "bytes", 8),
            ("day", "int", 2),
            ("ms", "int", 4),
            ("clock_known", "int", 1),
            ("local_days", "int", 2),
            ("local_ms", "int", 4),
            ("low_steps", "int", 4),
            ("high_steps", "int", 4),
            ("missed_steps", "int", 4),
            ("rate_num", "int", 4),
            ("rate_den", "int", 4),
            ("bolus_left_steps", "int", 4),
            ("reservoir_steps", "int", 4),
            ("reservoir_known", "int", 1),
            ("battery_mv", "int", 2),
            ("journal_first", "int", 4),
            ("journal_next", "int", 4),
            ("boot_count", "int", 4),
            ("bad_frames", "int", 4),
            ("staged_bytes", "int", 2),
            ("bolus_kind", "BolusKind", 1),
            ("square_left_steps", "int", 4),
            ("lockout_left_ms", "int", 4),
            ("patient_left", "int", 1),
            ("bridge_left_steps", "int", 4),
            ("pattern_lag_ms", "int", 4),
            ("titration_day", "int", 1),
        ), ("window_ng", 1, "<BHII", (("drug", "int", 1), ("minutes", "int", 2), ("ng", "int", 4), ("ng_max", "int", 4),))),
        ("<BIIIBBIIIIIIIII", (
            ("priority", "Priority", 1),
            ("silenced_ms", "int", 4),
            ("empty_minutes", "int", 4),
            ("stopped_ms", "int", 4),
            ("paired", "int", 1),
            ("session_role", "Role", 1),
            ("session_left_ms", "int", 4),
            ("bad_tags", "int", 4),
            ("replays", "int", 4),
            ("sessionless", "int", 4),
            ("step_nl_num", "int", 4),
            ("step_nl_den", "int", 4),
            ("path_nl", "int", 4),
            ("path_filled_nl", "int", 4),
            ("old_left_steps", "int", 4),
        ), None),
    ),
    "program_begin_request": (
        ("<H16s", (
            ("length", "int", 2),
            ("program_hash", "bytes", 16),
        ), None),
    ),
    "program_begin_reply": (
        ("<H", (
            ("length", "int", 2),
        ), None),
    ),
    "program_chunk_request": (
        ("<HH", (
            ("offset", "int", 2),
        ), ("data", 2, "", ())),
    ),
    "program_chunk_reply": (
        ("<H", (
            ("received", "int", 2),
        ), None),
    ),
    "program_verify_request": (),
    "program_verify_reply": (
        ("<8s16sBIIHBIIB", (
            ("therapy_id", "bytes", 8),
            ("program_hash", "bytes", 16),
            ("mode", "Mode", 1),
            ("daily_steps", "int", 4),
            ("daily_volume_nl", "int", 4),
            ("refill_days", "int", 2),
            ("refill_limit", "RefillLimit", 1),
            ("bolus_steps_max", "int", 4),
            ("bridge_ms", "int", 4),
        ), ("drugs", 1, "<BIIIII", (("name_bytes", "int", 1), ("daily_dose_ng", "int", 4), ("hour_dose_ng", "int", 4), ("weekly_dose_ng", "int", 4), ("periodic_dose_ng", "int", 4), ("patient_dose_ng", "int", 4),))),
        ("<H", (
        ), ("drug_names", 2, "", ())),
        ("<B", (
        ), ("caps", 1, "<BHI", (("drug", "int", 1), ("minutes", "int", 2), ("ng", "int", 4),))),
    ),
    "program_commit_request": (
        ("<I16s", (
            ("counter", "int", 4),
            ("program_hash", "bytes", 16),
        ), None),
    ),
    "program_commit_reply": (
        ("<IBIIII", (
            ("counter", "int", 4),
            ("reason", "Reason", 1),
            ("accepted", "int", 4),
            ("low_steps", "int", 4),
            ("high_steps", "int", 4),
            ("record", "int", 4),
        ), None),
    ),
    "program_abort_request": (),
    "program_abort_reply": (
        ("<B", (
            ("dropped", "int", 1),
        ), None),
    ),
    "program_read_request": (
        ("<H", (
            ("offset", "int", 2),
        ), None),
    ),
    "program_read_reply": (
        ("<IHHH", (
            ("generation", "int", 4),
            ("length", "int", 2),
            ("offset", "int", 2),
        ), ("data", 2, "", ())),
    ),
    "start_request": (
        ("<I", (
            ("counter", "int", 4),
        ), None),
    ),
    "start_reply": (
        ("<IBIIII", (
            ("counter", "int", 4),
            ("reason", "Reason", 1),
            ("accepted", "int", 4),
            ("low_steps", "int", 4),
            ("high_steps", "int", 4),
            ("record", "int", 4),
        ), None),
    ),
    "stop_request": (
        ("<I", (
            ("counter", "int", 4),
        ), None),
    ),
    "stop_reply": (
        ("<IBIIII", (
            ("counter", "int", 4),
            ("reason", "Reason", 1),
            ("accepted", "int", 4),
            ("low_steps", "int", 4),
            ("high_steps", "int", 4),
            ("record", "int", 4),
        ), None),
    ),
    "bolus_request": (
        ("<II8sI", (
            ("counter", "int", 4),
            ("steps", "int", 4),
            ("program_hash", "bytes", 8),
            ("ng", "int", 4),
        ), None),
    ),
    "bolus_reply": (
        ("<IBIIII", (
            ("counter", "int", 4),
            ("reason", "Reason", 1),
            ("accepted", "int", 4),
            ("low_steps", "int", 4),
            ("high_steps", "int", 4),
            ("record", "int", 4),
        ), None),
    ),
    "bolus_cancel_request": (
        ("<I", (
            ("counter", "int", 4),
        ), None),
    ),
    "bolus_cancel_reply": (
        ("<IBIIII", (
            ("counter", "int", 4),
            ("reason", "Reason", 1),
            ("accepted", "int", 4),
            ("low_steps", "int", 4),
            ("high_steps", "int", 4),
            ("record", "int", 4),
        ), None),
    ),
    "refill_request": (
        ("<IIIII", (
            ("counter", "int", 4),
            ("steps", "int", 4),
            ("withdrawn_steps", "int", 4),
            ("step_nl_num", "int", 4),
            ("step_nl_den", "int", 4),
        ), None),
    ),
    "refill_reply": (
        ("<IBIIII", (
            ("counter", "int", 4),
            ("reason", "Reason", 1),
            ("accepted", "int", 4),
            ("low_steps", "int", 4),
            ("high_steps", "int", 4),
            ("record", "int", 4),
        ), None),
    ),
    "outcome_request": (
        ("<I", (
            ("counter", "int", 4),
        ), None),
    ),
    "outcome_reply": (
        ("<IBIIII", (
            ("counter", "int", 4),
            ("reason", "Reason", 1),
            ("accepted", "int", 4),
            ("low_steps", "int", 4),
            ("high_steps", "int", 4),
            ("record", "int", 4),
        ), None),
    ),
    "alarm_clear_request": (
        ("<IB", (
            ("counter", "int", 4),
        ), ("alarms", 1, "Alarm", ())),
    ),
    "alarm_clear_reply": (
        ("<IBIIII", (
            ("counter", "int", 4),
            ("reason", "Reason", 1),
            ("accepted", "int", 4),
            ("low_steps", "int", 4),
            ("high_steps", "int", 4),
            ("record", "int", 4),
        ), None),
    ),
    "patient_bolus_request": (
        ("<I", (
            ("counter", "int", 4),
        ), None),
    ),
    "patient_bolus_reply": (
        ("<IBIIII", (
            ("counter", "int", 4),
            ("reason", "Reason", 1),
            ("accepted", "int", 4),
            ("low_steps", "int", 4),
            ("high_steps", "int", 4),
            ("record", "int", 4),
        ), None),
    ),
    "square_bolus_request": (
        ("<III8sI", (
            ("counter", "int", 4),
            ("steps", "int", 4),
            ("duration_ms", "int", 4),
            ("program_hash", "bytes", 8),
            ("ng", "int", 4),
        ), None),
    ),
    "square_bolus_reply": (
        ("<IBIIII", (
            ("counter", "int", 4),
            ("reason", "Reason", 1),
            ("accepted", "int", 4),
            ("low_steps", "int", 4),
            ("high_steps", "int", 4),
            ("record", "int", 4),
        ), None),
    ),
    "square_cancel_request": (
        ("<I", (
            ("counter", "int", 4),
        ), None),
    ),
    "square_cancel_reply": (
        ("<IBIIII", (
            ("counter", "int", 4),
            ("reason", "Reason", 1),
            ("accepted", "int", 4),
            ("low_steps", "int", 4),
            ("high_steps", "int", 4),
            ("record", "int", 4),
        ), None),
    ),
    "prime_arm_request": (
        ("<IIH", (
            ("counter", "int", 4),
            ("steps", "int", 4),
            ("path_version", "int", 2),
        ), None),
    ),
    "prime_arm_reply": (
        ("<IBIIII", (
            ("counter", "int", 4),
            ("reason", "Reason", 1),
            ("accepted", "int", 4),
            ("low_steps", "int", 4),
            ("high_steps", "int", 4),
            ("record", "int", 4),
        ), None),
    ),
    "prime_request": (
        ("<II8sI", (
            ("counter", "int", 4),
            ("steps", "int", 4),
            ("program_hash", "bytes", 8),
            ("ng", "int", 4),
        ), None),
    ),
    "prime_reply": (
        ("<IBIIII", (
            ("counter", "int", 4),
            ("reason", "Reason", 1),
            ("accepted", "int", 4),
            ("low_steps", "int", 4),
            ("high_steps", "int", 4),
            ("record", "int", 4),
        ), None),
    ),
    "alarm_silence_request": (
        ("<II", (
            ("counter", "int", 4),
            ("ms", "int", 4),
        ), None),
    ),
    "alarm_silence_reply": (
        ("<IBIIII", (
            ("counter", "int", 4),
            ("reason", "Reason", 1),
            ("accepted", "int", 4),
            ("low_steps", "int", 4),
            ("high_steps", "int", 4),
            ("record", "int", 4),
        ), None),
    ),
    "patency_request": (
        ("<II", (
            ("counter", "int", 4),
            ("steps", "int", 4),
        ), None),
    ),
    "patency_reply": (
        ("<IBIIII", (
            ("counter", "int", 4),
            ("reason", "Reason", 1),
            ("accepted", "int", 4),
            ("low_steps", "int", 4),
            ("high_steps", "int", 4),
            ("record", "int", 4),
        ), None),
    ),
    "dose_windows_set_request": (
        ("<IB", (
            ("counter", "int", 4),
        ), ("rows", 1, "<BHIH", (("drug", "int", 1), ("minutes", "int", 2), ("ng", "int", 4), ("age_minutes", "int", 2),))),
    ),
    "dose_windows_set_reply": (
        ("<IBIIII", (
            ("counter", "int", 4),
            ("reason", "Reason", 1),
            ("accepted", "int", 4),
            ("low_steps", "int", 4),
            ("high_steps", "int", 4),
            ("record", "int", 4),
        ), None),
    ),
    "clock_set_request": (
        ("<IHI", (
            ("counter", "int", 4),
            ("local_days", "int", 2),
            ("local_ms", "int", 4),
        ), None),
    ),
    "clock_set_reply": (
        ("<IBIIII", (
            ("counter", "int", 4),
            ("reason", "Reason", 1),
            ("accepted", "int", 4),
            ("low_steps", "int", 4),
            ("high_steps", "int", 4),
            ("record", "int", 4),
        ), None),
    ),
    "implant_request": (
        ("<IH", (
            ("counter", "int", 4),
            ("local_days", "int", 2),
        ), None),
    ),
    "implant_reply": (
        ("<IBIIII", (
            ("counter", "int", 4),
            ("reason", "Reason", 1),
            ("accepted", "int", 4),
            ("low_steps", "int", 4),
            ("high_steps", "int", 4),
            ("record", "int", 4),
        ), None),
    ),
    "journal_info_request": (),
    "journal_info_reply": (
        ("<II8s", (
            ("first", "int", 4),
            ("next", "int", 4),
            ("chain", "bytes", 8),
        ), None),
    ),
    "journal_read_request": (
        ("<IB", (
            ("first", "int", 4),
            ("count", "int", 1),
        ), None),
    ),
    "journal_read_reply": (
        ("<IH", (
            ("first", "int", 4),
        ), ("records", 2, "", ())),
    ),
    "fault_info_request": (),
    "fault_info_reply": (
        ("<II8s", (
            ("first", "int", 4),
            ("next", "int", 4),
            ("chain", "bytes", 8),
        ), None),
    ),
    "fault_read_request": (
        ("<IB", (
            ("first", "int", 4),
            ("count", "int", 1),
        ), None),
    ),
    "fault_read_reply": (
        ("<IH", (
            ("first", "int", 4),
        ), ("records", 2, "", ())),
    ),
    "journal_stream_request": (
        ("<BIIB8s", (
            ("stream", "int", 1),
            ("first", "int", 4),
            ("until", "int", 4),
            ("coding", "Coding", 1),
            ("chain", "bytes", 8),
        ), None),
    ),
    "journal_stream_reply": (
        ("<BI8sH", (
            ("stream", "int", 1),
            ("first", "int", 4),
            ("chain", "bytes", 8),
        ), ("data", 2, "", ())),
    ),
    "selftest_request": (),
    "selftest_reply": (
        ("<IIB", (
            ("boot_ms", "int", 4),
            ("retest_ms", "int", 4),
        ), ("results", 1, "<BBI", (("test", "Test", 1), ("result", "TestResult", 1), ("detail", "int", 4),))),
    ),
    "counters_request": (),
    "counters_reply": (
        ("<IIIIIIIII", (
            ("up_minutes", "int", 4),
            ("steps", "int", 4),
            ("wakes_delivery", "int", 4),
            ("wakes_sensors", "int", 4),
            ("wakes_watchdog", "int", 4),
            ("wakes_link", "int", 4),
            ("wakes_other", "int", 4),
            ("tones", "int", 4),
            ("records", "int", 4),
        ), None),
    ),
    "memory_request": (),
    "memory_reply": (
        ("<IIHIHHIIHIHHIH", (
            ("routine_first", "int", 4),
            ("routine_next", "int", 4),
            ("routine_sectors", "int", 2),
            ("routine_opened", "int", 4),
            ("routine_voids", "int", 2),
            ("routine_damaged", "int", 2),
            ("fault_first", "int", 4),
            ("fault_next", "int", 4),
            ("fault_sectors", "int", 2),
            ("fault_opened", "int", 4),
            ("fault_voids", "int", 2),
            ("fault_damaged", "int", 2),
            ("program_generation", "int", 4),
            ("program_mended", "int", 2),
        ), None),
    ),
    "sensors_request": (),
    "sensors_reply": (
        ("<B", (
        ), ("sensors", 1, "<BBHI", (("sensor", "Sensor", 1), ("state", "SensorState", 1), ("raw_mv", "int", 2), ("value", "int", 4),))),
    ),
    "service_request": (),
    "service_reply": (
        ("<IIIIII", (
            ("implant_days", "int", 4),
            ("cap_days", "int", 4),
            ("replacement_days", "int", 4),
            ("replacement_left_ms", "int", 4),
            ("replacement_left_days", "int", 4),
            ("filled_age_days", "int", 4),
        ), None),
    ),
    "telemetry_table_request": (),
    "telemetry_table_reply": (
        ("<4sH", (
            ("checksum", "bytes", 4),
        ), ("text", 2, "", ())),
    ),
    "telemetry_subscribe_request": (
        ("<4sIII", (
            ("checksum", "bytes", 4),
            ("fields", "int", 4),
            ("period_ms", "int", 4),
            ("lasts_ms", "int", 4),
        ), None),
    ),
    "telemetry_subscribe_reply": (
        ("<IIHIB", (
            ("number", "int", 4),
            ("skipped", "int", 4),
            ("day", "int", 2),
            ("ms", "int", 4),
        ), ("values", 1, "<I", (("value", "int", 4),))),
    ),
}
