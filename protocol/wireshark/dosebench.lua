-- Wireshark dissector of the dosebench protocol: COBS frames, header, bodies.
-- Generated from protocol/dosebench_protocol (messages.py, terms.py), do not edit; `make gen`
--
-- Each packet of link type USER0 (DLT 147) holds frames with their delimiters; over TCP use "Decode As... dosebench".
--   tshark -X lua_script:dosebench.lua -r capture.pcap

local SCHEMA_HASH = "9e45385ad4ad00eb"
local HEADER_BYTES, TAG_BYTES, CRC_BYTES, BODY_BYTES_MAX = 16, 16, 4, 1024
local REJECTED = 255

local Role = {
  [0] = "none",
  [1] = "observer",
  [2] = "operator",
  [3] = "programmer",
  [4] = "service",
}
local ResetCause = {
  [0] = "unknown",
  [1] = "power_on",
  [2] = "brown_out",
  [3] = "watchdog",
  [4] = "software",
}
local Mode = {
  [0] = "stopped",
  [1] = "minimum_rate",
  [2] = "continuous",
  [3] = "flex",
  [4] = "titration",
}
local Delivery = {
  [0] = "unprogrammed",
  [1] = "stopped",
  [2] = "running",
  [3] = "safe",
}
local StopReason = {
  [0] = "none",
  [1] = "command",
  [2] = "reservoir_empty",
  [3] = "fault",
  [4] = "mode",
  [5] = "never_started",
}
local OnLow = {
  [0] = "keep",
  [1] = "minimum_rate",
  [2] = "stop",
}
local OnCap = {
  [0] = "minimum_rate",
  [1] = "stop",
}
local BolusKind = {
  [0] = "none",
  [1] = "clinician",
  [2] = "patient",
  [3] = "periodic",
  [4] = "priming",
  [5] = "patency",
}
local RefillLimit = {
  [0] = "volume",
  [1] = "stability",
  [2] = "cap",
  [3] = "none",
}
local Alarm = {
  { name = "reservoir_low", value = 1 },
  { name = "reservoir_empty", value = 2 },
  { name = "motor_stall", value = 4 },
  { name = "motor_runaway", value = 8 },
  { name = "therapy_lost", value = 16 },
  { name = "journal_damaged", value = 32 },
  { name = "dose_cap", value = 64 },
  { name = "clock_unknown", value = 128 },
  { name = "guard_disagrees", value = 256 },
  { name = "battery_low", value = 512 },
  { name = "missed_volume", value = 1024 },
  { name = "flash_failed", value = 2048 },
  { name = "reservoir_disagrees", value = 4096 },
  { name = "occlusion", value = 8192 },
  { name = "leak", value = 16384 },
  { name = "free_flow", value = 32768 },
  { name = "over_infusion", value = 65536 },
  { name = "under_infusion", value = 131072 },
  { name = "air", value = 262144 },
  { name = "over_temperature", value = 524288 },
  { name = "sensor_fault", value = 1048576 },
  { name = "elective_replacement", value = 2097152 },
  { name = "battery_empty", value = 4194304 },
  { name = "end_of_service", value = 8388608 },
  { name = "pump_stopped", value = 16777216 },
  { name = "alarm_repeated", value = 33554432 },
  { name = "resets_repeated", value = 67108864 },
  { name = "selftest_failed", value = 134217728 },
  { name = "refill_mismatch", value = 268435456 },
  { name = "therapy_unfit", value = 536870912 },
}
local Priority = {
  [0] = "none",
  [1] = "low",
  [2] = "medium",
  [3] = "high",
}
local Test = {
  [0] = "code",
  [1] = "settings",
  [2] = "therapy",
  [3] = "journal",
  [4] = "memory",
  [5] = "clock",
  [6] = "watchdog",
  [7] = "driver",
  [8] = "tone",
  [9] = "battery",
  [10] = "sensors",
}
local TestResult = {
  [0] = "not_run",
  [1] = "passed",
  [2] = "failed",
  [3] = "not_fitted",
}
local Sensor = {
  [0] = "battery",
  [1] = "level",
  [2] = "pressure",
  [3] = "temperature",
  [4] = "air",
  [5] = "flow",
}
local SensorState = {
  [0] = "ok",
  [1] = "open",
  [2] = "short",
  [3] = "stuck",
}
local RefillFlag = {
  [0] = "agrees",
  [1] = "too_little",
  [2] = "too_much",
  [3] = "not_judged",
}
local Reason = {
  [0] = "done",
  [1] = "malformed",
  [2] = "unknown_type",
  [3] = "wrong_device",
  [4] = "wrong_version",
  [5] = "role",
  [6] = "too_long",
  [7] = "busy",
  [8] = "no_session",
  [9] = "bad_tag",
  [10] = "replayed",
  [11] = "unpaired",
  [12] = "session_busy",
  [13] = "backing_off",
  [16] = "counter_used",
  [17] = "counter_old",
  [18] = "outcome_unknown",
  [32] = "no_stage",
  [33] = "stage_gap",
  [34] = "stage_incomplete",
  [35] = "stage_hash",
  [36] = "not_verified",
  [37] = "therapy_format",
  [38] = "therapy_fraction",
  [39] = "therapy_mode",
  [40] = "rate_below_minimum",
  [41] = "rate_above_maximum",
  [42] = "step_volume",
  [43] = "reservoir_size",
  [44] = "bolus_size",
  [45] = "bolus_rate",
  [46] = "cap_missing",
  [47] = "cap_below_basal",
  [48] = "cap_above_hard",
  [49] = "concentration",
  [50] = "level_order",
  [51] = "flex_order",
  [52] = "flex_rate",
  [53] = "titration_order",
  [54] = "titration_change",
  [55] = "bridge",
  [56] = "cap_window",
  [57] = "patient_bolus",
  [58] = "periodic_bolus",
  [59] = "priming",
  [60] = "weekday",
  [61] = "readings_differ",
  [64] = "not_programmed",
  [65] = "already_running",
  [66] = "already_stopped",
  [67] = "not_running",
  [68] = "safe_state",
  [69] = "reservoir_empty",
  [70] = "bolus_running",
  [71] = "bolus_over_maximum",
  [72] = "bolus_over_cap",
  [73] = "bolus_zero",
  [74] = "no_bolus",
  [75] = "lockout",
  [76] = "patient_count",
  [77] = "no_patient_bolus",
  [78] = "square_running",
  [79] = "square_over_maximum",
  [80] = "square_rate",
  [81] = "no_square",
  [82] = "priming_not_armed",
  [83] = "priming_volume",
  [84] = "priming_path",
  [85] = "still_running",
  [96] = "clock_value",
  [97] = "record_gone",
  [98] = "record_future",
  [99] = "alarm_present",
  [100] = "flash_failed",
  [101] = "silence_time",
  [102] = "start_blocked",
  [103] = "no_alarm",
  [104] = "implanted",
  [105] = "implant_date",
  [112] = "chain_differs",
  [113] = "table_differs",
  [114] = "too_often",
}
local RecordKind = {
  [1] = "boot",
  [2] = "lease",
  [3] = "close",
  [16] = "start",
  [17] = "stop",
  [18] = "bolus",
  [19] = "bolus_end",
  [20] = "bolus_cancel",
  [21] = "refill",
  [22] = "patient_bolus",
  [23] = "periodic_bolus",
  [24] = "square",
  [25] = "square_end",
  [26] = "square_cancel",
  [27] = "prime_arm",
  [28] = "prime",
  [29] = "silence",
  [30] = "refill_check",
  [31] = "patency",
  [32] = "commit",
  [33] = "stage_dropped",
  [34] = "worth",
  [48] = "clock",
  [49] = "implant",
  [50] = "calibration",
  [64] = "alarm_raised",
  [65] = "alarm_cleared",
  [66] = "missed",
  [67] = "torn",
  [68] = "alarm_ended",
  [69] = "watchdog_test",
  [70] = "selftest",
  [71] = "service",
  [80] = "refused",
  [81] = "distrusted",
  [96] = "state",
  [97] = "host",
  [98] = "identity",
  [99] = "windows",
  [100] = "patient_times",
  [101] = "host_done",
  [102] = "host_refused",
  [103] = "calendar",
  [104] = "mended",
  [105] = "filled",
  [110] = "counter_floor",
}
local Coding = {
  [0] = "whole",
  [1] = "delta",
}
local MESSAGES = {
  [1] = { name = "hello", request = "hello_request", reply = "hello_reply" },
  [2] = { name = "session_open", request = "session_open_request", reply = "session_open_reply" },
  [3] = { name = "session_close", request = "session_close_request", reply = "session_close_reply" },
  [16] = { name = "status", request = "status_request", reply = "status_reply" },
  [32] = { name = "therapy_begin", request = "therapy_begin_request", reply = "therapy_begin_reply" },
  [33] = { name = "therapy_chunk", request = "therapy_chunk_request", reply = "therapy_chunk_reply" },
  [34] = { name = "therapy_verify", request = "therapy_verify_request", reply = "therapy_verify_reply" },
  [35] = { name = "therapy_commit", request = "therapy_commit_request", reply = "therapy_commit_reply" },
  [36] = { name = "therapy_abort", request = "therapy_abort_request", reply = "therapy_abort_reply" },
  [37] = { name = "therapy_read", request = "therapy_read_request", reply = "therapy_read_reply" },
  [48] = { name = "start", request = "start_request", reply = "start_reply" },
  [49] = { name = "stop", request = "stop_request", reply = "stop_reply" },
  [50] = { name = "bolus", request = "bolus_request", reply = "bolus_reply" },
  [51] = { name = "bolus_cancel", request = "bolus_cancel_request", reply = "bolus_cancel_reply" },
  [52] = { name = "refill", request = "refill_request", reply = "refill_reply" },
  [53] = { name = "outcome", request = "outcome_request", reply = "outcome_reply" },
  [54] = { name = "alarm_clear", request = "alarm_clear_request", reply = "alarm_clear_reply" },
  [55] = { name = "patient_bolus", request = "patient_bolus_request", reply = "patient_bolus_reply" },
  [56] = { name = "square_bolus", request = "square_bolus_request", reply = "square_bolus_reply" },
  [57] = { name = "square_cancel", request = "square_cancel_request", reply = "square_cancel_reply" },
  [58] = { name = "prime_arm", request = "prime_arm_request", reply = "prime_arm_reply" },
  [59] = { name = "prime", request = "prime_request", reply = "prime_reply" },
  [60] = { name = "alarm_silence", request = "alarm_silence_request", reply = "alarm_silence_reply" },
  [61] = { name = "patency", request = "patency_request", reply = "patency_reply" },
  [64] = { name = "clock_set", request = "clock_set_request", reply = "clock_set_reply" },
  [65] = { name = "implant", request = "implant_request", reply = "implant_reply" },
  [80] = { name = "journal_info", request = "journal_info_request", reply = "journal_info_reply" },
  [81] = { name = "journal_read", request = "journal_read_request", reply = "journal_read_reply" },
  [82] = { name = "fault_info", request = "fault_info_request", reply = "fault_info_reply" },
  [83] = { name = "fault_read", request = "fault_read_request", reply = "fault_read_reply" },
  [84] = { name = "journal_stream", request = "journal_stream_request", reply = "journal_stream_reply" },
  [96] = { name = "selftest", request = "selftest_request", reply = "selftest_reply" },
  [97] = { name = "counters", request = "counters_request", reply = "counters_reply" },
  [98] = { name = "memory", request = "memory_request", reply = "memory_reply" },
  [99] = { name = "sensors", request = "sensors_request", reply = "sensors_reply" },
  [100] = { name = "service", request = "service_request", reply = "service_reply" },
  [112] = { name = "telemetry_table", request = "telemetry_table_request", reply = "telemetry_table_reply" },
  [113] = { name = "telemetry_subscribe", request = "telemetry_subscribe_request", reply = "telemetry_subscribe_reply" },
}
local BODIES = {
  header = {
    { name = "version", kind = "int", width = 1 },
    { name = "type", kind = "int", width = 1 },
    { name = "device", kind = "bytes", length = 4 },
    { name = "session", kind = "bytes", length = 4 },
    { name = "sequence", kind = "int", width = 4 },
    { name = "length", kind = "int", width = 2 },
  },
  rejected = {
    { name = "type", kind = "int", width = 1 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "detail", kind = "int", width = 4 },
  },
  outcome = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  record = {
    { name = "sequence", kind = "int", width = 4 },
    { name = "day", kind = "int", width = 2 },
    { name = "ms", kind = "int", width = 4 },
    { name = "kind", kind = "int", width = 1, enum = RecordKind },
    { name = "code", kind = "int", width = 1 },
    { name = "a", kind = "int", width = 4 },
    { name = "b", kind = "int", width = 4 },
    { name = "c", kind = "int", width = 4 },
    { name = "d", kind = "int", width = 4 },
    { name = "e", kind = "int", width = 4 },
    { name = "chain", kind = "bytes", length = 8 },
  },
  therapy = {
    { name = "format", kind = "int", width = 1 },
    { name = "therapy_id", kind = "bytes", length = 8 },
    { name = "drug", kind = "blob", width = 1, text = true },
    { name = "step_ng_num", kind = "int", width = 4 },
    { name = "step_ng_den", kind = "int", width = 4 },
    { name = "step_nl_num", kind = "int", width = 4 },
    { name = "step_nl_den", kind = "int", width = 4 },
    { name = "mode", kind = "int", width = 1, enum = Mode },
    { name = "basal_num", kind = "int", width = 4 },
    { name = "basal_den", kind = "int", width = 4 },
    { name = "minimum_num", kind = "int", width = 4 },
    { name = "minimum_den", kind = "int", width = 4 },
    { name = "bolus_num", kind = "int", width = 4 },
    { name = "bolus_den", kind = "int", width = 4 },
    { name = "bolus_steps_max", kind = "int", width = 4 },
    { name = "reservoir_steps", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "empty_steps", kind = "int", width = 4 },
    { name = "stability_days", kind = "int", width = 2 },
    { name = "on_low", kind = "int", width = 1, enum = OnLow },
    { name = "on_cap", kind = "int", width = 1, enum = OnCap },
    { name = "square_steps_max", kind = "int", width = 4 },
    { name = "patient_steps", kind = "int", width = 4 },
    { name = "patient_num", kind = "int", width = 4 },
    { name = "patient_den", kind = "int", width = 4 },
    { name = "patient_lockout_ms", kind = "int", width = 4 },
    { name = "patient_per_day", kind = "int", width = 1 },
    { name = "periodic_steps", kind = "int", width = 4 },
    { name = "periodic_ms", kind = "int", width = 4 },
    { name = "periodic_num", kind = "int", width = 4 },
    { name = "periodic_den", kind = "int", width = 4 },
    { name = "prime_steps_max", kind = "int", width = 4 },
    { name = "prime_num", kind = "int", width = 4 },
    { name = "prime_den", kind = "int", width = 4 },
    { name = "path_version", kind = "int", width = 2 },
    { name = "bridge_steps", kind = "int", width = 4 },
    { name = "bridge_num", kind = "int", width = 4 },
    { name = "bridge_den", kind = "int", width = 4 },
    { name = "bridge_ng_num", kind = "int", width = 4 },
    { name = "bridge_ng_den", kind = "int", width = 4 },
    { name = "change_permille_max", kind = "int", width = 2 },
    { name = "weekdays", kind = "bytes", length = 7 },
    { name = "caps", kind = "array", width = 1, rows = { { name = "minutes", kind = "int", width = 2 }, { name = "ng", kind = "int", width = 4 } } },
    { name = "rates", kind = "array", width = 1, rows = { { name = "num", kind = "int", width = 4 }, { name = "den", kind = "int", width = 4 } } },
    { name = "flex", kind = "array", width = 2, rows = { { name = "pattern", kind = "int", width = 1 }, { name = "minute", kind = "int", width = 2 }, { name = "rate", kind = "int", width = 1 } } },
    { name = "titration", kind = "array", width = 1, rows = { { name = "day", kind = "int", width = 2 }, { name = "rate", kind = "int", width = 1 } } },
  },
  command = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
  },
  hello_request = {
    { name = "protocol_min", kind = "int", width = 1 },
    { name = "protocol_max", kind = "int", width = 1 },
  },
  hello_reply = {
    { name = "protocol", kind = "int", width = 1 },
    { name = "schema_hash", kind = "bytes", length = 8 },
    { name = "device_id", kind = "bytes", length = 4 },
    { name = "firmware_major", kind = "int", width = 1 },
    { name = "firmware_minor", kind = "int", width = 1 },
    { name = "firmware_patch", kind = "int", width = 1 },
    { name = "boot_count", kind = "int", width = 4 },
    { name = "reset_cause", kind = "int", width = 1, enum = ResetCause },
    { name = "body_bytes_max", kind = "int", width = 2 },
    { name = "heap_free_bytes", kind = "int", width = 4 },
    { name = "board", kind = "blob", width = 1, text = true },
    { name = "runtime", kind = "blob", width = 1, text = true },
    { name = "profile", kind = "blob", width = 1, text = true },
  },
  session_open_request = {
    { name = "role", kind = "int", width = 1, enum = Role },
    { name = "host", kind = "bytes", length = 4 },
    { name = "nonce", kind = "bytes", length = 16 },
  },
  session_open_reply = {
    { name = "nonce", kind = "bytes", length = 16 },
    { name = "boot_count", kind = "int", width = 4 },
    { name = "idle_ms", kind = "int", width = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "journal_next", kind = "int", width = 4 },
    { name = "chain", kind = "bytes", length = 8 },
  },
  session_close_request = {},
  session_close_reply = {
    { name = "journal_next", kind = "int", width = 4 },
    { name = "chain", kind = "bytes", length = 8 },
  },
  status_request = {},
  status_reply = {
    { name = "delivery", kind = "int", width = 1, enum = Delivery },
    { name = "stop_reason", kind = "int", width = 1, enum = StopReason },
    { name = "mode", kind = "int", width = 1, enum = Mode },
    { name = "alarms", kind = "int", width = 4, flags = Alarm },
    { name = "generation", kind = "int", width = 4 },
    { name = "therapy_id", kind = "bytes", length = 8 },
    { name = "day", kind = "int", width = 2 },
    { name = "ms", kind = "int", width = 4 },
    { name = "clock_known", kind = "int", width = 1 },
    { name = "local_days", kind = "int", width = 2 },
    { name = "local_ms", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "missed_steps", kind = "int", width = 4 },
    { name = "rate_num", kind = "int", width = 4 },
    { name = "rate_den", kind = "int", width = 4 },
    { name = "bolus_left_steps", kind = "int", width = 4 },
    { name = "reservoir_steps", kind = "int", width = 4 },
    { name = "reservoir_known", kind = "int", width = 1 },
    { name = "battery_mv", kind = "int", width = 2 },
    { name = "journal_first", kind = "int", width = 4 },
    { name = "journal_next", kind = "int", width = 4 },
    { name = "boot_count", kind = "int", width = 4 },
    { name = "bad_frames", kind = "int", width = 4 },
    { name = "staged_bytes", kind = "int", width = 2 },
    { name = "bolus_kind", kind = "int", width = 1, enum = BolusKind },
    { name = "square_left_steps", kind = "int", width = 4 },
    { name = "lockout_left_ms", kind = "int", width = 4 },
    { name = "patient_left", kind = "int", width = 1 },
    { name = "bridge_left_steps", kind = "int", width = 4 },
    { name = "pattern_lag_ms", kind = "int", width = 4 },
    { name = "titration_day", kind = "int", width = 1 },
    { name = "window_ng", kind = "array", width = 1, rows = { { name = "minutes", kind = "int", width = 2 }, { name = "ng", kind = "int", width = 4 }, { name = "ng_max", kind = "int", width = 4 } } },
    { name = "priority", kind = "int", width = 1, enum = Priority },
    { name = "silenced_ms", kind = "int", width = 4 },
    { name = "empty_minutes", kind = "int", width = 4 },
    { name = "stopped_ms", kind = "int", width = 4 },
    { name = "paired", kind = "int", width = 1 },
    { name = "session_role", kind = "int", width = 1, enum = Role },
    { name = "session_left_ms", kind = "int", width = 4 },
    { name = "bad_tags", kind = "int", width = 4 },
    { name = "replays", kind = "int", width = 4 },
    { name = "sessionless", kind = "int", width = 4 },
    { name = "step_nl_num", kind = "int", width = 4 },
    { name = "step_nl_den", kind = "int", width = 4 },
  },
  therapy_begin_request = {
    { name = "length", kind = "int", width = 2 },
    { name = "program_hash", kind = "bytes", length = 16 },
  },
  therapy_begin_reply = {
    { name = "length", kind = "int", width = 2 },
  },
  therapy_chunk_request = {
    { name = "offset", kind = "int", width = 2 },
    { name = "data", kind = "blob", width = 2 },
  },
  therapy_chunk_reply = {
    { name = "received", kind = "int", width = 2 },
  },
  therapy_verify_request = {},
  therapy_verify_reply = {
    { name = "therapy_id", kind = "bytes", length = 8 },
    { name = "program_hash", kind = "bytes", length = 16 },
    { name = "mode", kind = "int", width = 1, enum = Mode },
    { name = "drug", kind = "blob", width = 1, text = true },
    { name = "daily_steps", kind = "int", width = 4 },
    { name = "daily_dose_ng", kind = "int", width = 4 },
    { name = "daily_volume_nl", kind = "int", width = 4 },
    { name = "hour_dose_ng", kind = "int", width = 4 },
    { name = "refill_days", kind = "int", width = 2 },
    { name = "refill_limit", kind = "int", width = 1, enum = RefillLimit },
    { name = "bolus_steps_max", kind = "int", width = 4 },
    { name = "weekly_dose_ng", kind = "int", width = 4 },
    { name = "periodic_dose_ng", kind = "int", width = 4 },
    { name = "patient_dose_ng", kind = "int", width = 4 },
    { name = "bridge_ms", kind = "int", width = 4 },
    { name = "caps", kind = "array", width = 1, rows = { { name = "minutes", kind = "int", width = 2 }, { name = "ng", kind = "int", width = 4 } } },
  },
  therapy_commit_request = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "program_hash", kind = "bytes", length = 16 },
  },
  therapy_commit_reply = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  therapy_abort_request = {},
  therapy_abort_reply = {
    { name = "dropped", kind = "int", width = 1 },
  },
  therapy_read_request = {
    { name = "offset", kind = "int", width = 2 },
  },
  therapy_read_reply = {
    { name = "generation", kind = "int", width = 4 },
    { name = "length", kind = "int", width = 2 },
    { name = "offset", kind = "int", width = 2 },
    { name = "data", kind = "blob", width = 2 },
  },
  start_request = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
  },
  start_reply = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  stop_request = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
  },
  stop_reply = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  bolus_request = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "steps", kind = "int", width = 4 },
  },
  bolus_reply = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  bolus_cancel_request = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
  },
  bolus_cancel_reply = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  refill_request = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "steps", kind = "int", width = 4 },
    { name = "withdrawn_steps", kind = "int", width = 4 },
  },
  refill_reply = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  outcome_request = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
  },
  outcome_reply = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  alarm_clear_request = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "alarms", kind = "int", width = 4, flags = Alarm },
  },
  alarm_clear_reply = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  patient_bolus_request = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
  },
  patient_bolus_reply = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  square_bolus_request = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "steps", kind = "int", width = 4 },
    { name = "duration_ms", kind = "int", width = 4 },
  },
  square_bolus_reply = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  square_cancel_request = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
  },
  square_cancel_reply = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  prime_arm_request = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "steps", kind = "int", width = 4 },
    { name = "path_version", kind = "int", width = 2 },
  },
  prime_arm_reply = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  prime_request = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "steps", kind = "int", width = 4 },
  },
  prime_reply = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  alarm_silence_request = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "ms", kind = "int", width = 4 },
  },
  alarm_silence_reply = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  patency_request = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "steps", kind = "int", width = 4 },
  },
  patency_reply = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  clock_set_request = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "local_days", kind = "int", width = 2 },
    { name = "local_ms", kind = "int", width = 4 },
  },
  clock_set_reply = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  implant_request = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "local_days", kind = "int", width = 2 },
  },
  implant_reply = {
    { name = "host", kind = "bytes", length = 4 },
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  journal_info_request = {},
  journal_info_reply = {
    { name = "first", kind = "int", width = 4 },
    { name = "next", kind = "int", width = 4 },
    { name = "chain", kind = "bytes", length = 8 },
  },
  journal_read_request = {
    { name = "first", kind = "int", width = 4 },
    { name = "count", kind = "int", width = 1 },
  },
  journal_read_reply = {
    { name = "first", kind = "int", width = 4 },
    { name = "records", kind = "blob", width = 2, rows = {}, row_bytes = 40 },
  },
  fault_info_request = {},
  fault_info_reply = {
    { name = "first", kind = "int", width = 4 },
    { name = "next", kind = "int", width = 4 },
    { name = "chain", kind = "bytes", length = 8 },
  },
  fault_read_request = {
    { name = "first", kind = "int", width = 4 },
    { name = "count", kind = "int", width = 1 },
  },
  fault_read_reply = {
    { name = "first", kind = "int", width = 4 },
    { name = "records", kind = "blob", width = 2, rows = {}, row_bytes = 40 },
  },
  journal_stream_request = {
    { name = "stream", kind = "int", width = 1 },
    { name = "first", kind = "int", width = 4 },
    { name = "until", kind = "int", width = 4 },
    { name = "coding", kind = "int", width = 1, enum = Coding },
    { name = "chain", kind = "bytes", length = 8 },
  },
  journal_stream_reply = {
    { name = "stream", kind = "int", width = 1 },
    { name = "first", kind = "int", width = 4 },
    { name = "chain", kind = "bytes", length = 8 },
    { name = "data", kind = "blob", width = 2 },
  },
  selftest_request = {},
  selftest_reply = {
    { name = "boot_ms", kind = "int", width = 4 },
    { name = "retest_ms", kind = "int", width = 4 },
    { name = "results", kind = "array", width = 1, rows = { { name = "test", kind = "int", width = 1, enum = Test }, { name = "result", kind = "int", width = 1, enum = TestResult }, { name = "detail", kind = "int", width = 4 } } },
  },
  counters_request = {},
  counters_reply = {
    { name = "up_minutes", kind = "int", width = 4 },
    { name = "steps", kind = "int", width = 4 },
    { name = "wakes_delivery", kind = "int", width = 4 },
    { name = "wakes_sensors", kind = "int", width = 4 },
    { name = "wakes_watchdog", kind = "int", width = 4 },
    { name = "wakes_link", kind = "int", width = 4 },
    { name = "wakes_other", kind = "int", width = 4 },
    { name = "tones", kind = "int", width = 4 },
    { name = "records", kind = "int", width = 4 },
  },
  memory_request = {},
  memory_reply = {
    { name = "routine_first", kind = "int", width = 4 },
    { name = "routine_next", kind = "int", width = 4 },
    { name = "routine_sectors", kind = "int", width = 2 },
    { name = "routine_opened", kind = "int", width = 4 },
    { name = "routine_voids", kind = "int", width = 2 },
    { name = "routine_damaged", kind = "int", width = 2 },
    { name = "fault_first", kind = "int", width = 4 },
    { name = "fault_next", kind = "int", width = 4 },
    { name = "fault_sectors", kind = "int", width = 2 },
    { name = "fault_opened", kind = "int", width = 4 },
    { name = "fault_voids", kind = "int", width = 2 },
    { name = "fault_damaged", kind = "int", width = 2 },
    { name = "therapy_generation", kind = "int", width = 4 },
    { name = "therapy_mended", kind = "int", width = 2 },
  },
  sensors_request = {},
  sensors_reply = {
    { name = "sensors", kind = "array", width = 1, rows = { { name = "sensor", kind = "int", width = 1, enum = Sensor }, { name = "state", kind = "int", width = 1, enum = SensorState }, { name = "raw_mv", kind = "int", width = 2 }, { name = "value", kind = "int", width = 4 } } },
  },
  service_request = {},
  service_reply = {
    { name = "implant_days", kind = "int", width = 4 },
    { name = "cap_days", kind = "int", width = 4 },
    { name = "replacement_days", kind = "int", width = 4 },
    { name = "replacement_left_ms", kind = "int", width = 4 },
    { name = "replacement_left_days", kind = "int", width = 4 },
    { name = "filled_age_days", kind = "int", width = 4 },
  },
  telemetry_table_request = {},
  telemetry_table_reply = {
    { name = "checksum", kind = "bytes", length = 4 },
    { name = "text", kind = "blob", width = 2 },
  },
  telemetry_subscribe_request = {
    { name = "checksum", kind = "bytes", length = 4 },
    { name = "fields", kind = "int", width = 4 },
    { name = "period_ms", kind = "int", width = 4 },
    { name = "lasts_ms", kind = "int", width = 4 },
  },
  telemetry_subscribe_reply = {
    { name = "number", kind = "int", width = 4 },
    { name = "skipped", kind = "int", width = 4 },
    { name = "day", kind = "int", width = 2 },
    { name = "ms", kind = "int", width = 4 },
    { name = "values", kind = "array", width = 1, rows = { { name = "value", kind = "int", width = 4 } } },
  },
}

-- Lua 5.2 has bit32, LuaJIT and older Wireshark have bit, Lua 5.3 and later have operators.
local xor
if bit32 then
  xor = bit32.bxor
elseif bit then
  xor = function(a, b) return bit.bxor(a, b) % 4294967296 end
else
  xor = load("return function(a, b) return a ~ b end")()
end

local CRC_TABLE = {}
for i = 0, 255 do
  local crc = i
  for _ = 1, 8 do
    local odd = crc % 2 == 1
    crc = math.floor(crc / 2)
    if odd then crc = xor(crc, 0xEDB88320) end
  end
  CRC_TABLE[i] = crc
end

local function crc32(bytes, length)
  local crc = 0xFFFFFFFF
  for i = 1, length do
    crc = xor(math.floor(crc / 256), CRC_TABLE[xor(crc, bytes[i]) % 256])
  end
  return xor(crc, 0xFFFFFFFF)
end

-- The bytes that a COBS block stands for, as a table of numbers; nil when it is none.
local function cobs_decode(tvb, first, last)
  local out, at = {}, first
  while at < last do
    local code = tvb(at, 1):uint()
    if at + code > last then return nil end
    for i = at + 1, at + code - 1 do out[#out + 1] = tvb(i, 1):uint() end
    at = at + code
    if code < 255 and at < last then out[#out + 1] = 0 end
  end
  return out
end

local function to_tvb(bytes)
  local hex = {}
  for i, byte in ipairs(bytes) do hex[i] = string.format("%02x", byte) end
  return ByteArray.new(table.concat(hex)):tvb("Decoded COBS")
end

local proto = Proto("dosebench", "dosebench drug pump testbed")
local fields, proto_fields = {}, {}

local function add_field(key, make)
  local field = make("dosebench." .. key)
  fields[key] = field
  proto_fields[#proto_fields + 1] = field
end

local function make_field(spec)
  return function(abbreviation)
    if spec.kind ~= "int" then return ProtoField.bytes(abbreviation, spec.name) end
    local make = ({ [1] = ProtoField.uint8, [2] = ProtoField.uint16, [4] = ProtoField.uint32 })[spec.width]
    if spec.flags then return make(abbreviation, spec.name, base.HEX) end
    return make(abbreviation, spec.name, base.DEC, spec.enum)
  end
end

for body, specs in pairs(BODIES) do
  for _, spec in ipairs(specs) do
    add_field(body .. "." .. spec.name, make_field(spec))
    for _, row in ipairs(spec.rows or {}) do
      add_field(body .. "." .. spec.name .. "." .. row.name, make_field(row))
    end
  end
end
add_field("tag", function(abbreviation) return ProtoField.bytes(abbreviation, "tag") end)
add_field("crc", function(abbreviation) return ProtoField.uint32(abbreviation, "crc32", base.HEX) end)
proto.fields = proto_fields

local bad_frame = ProtoExpert.new("dosebench.bad_frame", "Bad frame", expert.group.MALFORMED, expert.severity.ERROR)
local short_body = ProtoExpert.new("dosebench.short_body", "Body too short", expert.group.MALFORMED, expert.severity.WARN)
proto.experts = { bad_frame, short_body }

local function flag_names(flags, value)
  local names = {}
  for _, flag in ipairs(flags) do
    if math.floor(value / flag.value) % 2 == 1 then names[#names + 1] = flag.name end
  end
  return table.concat(names, ", ")
end

local dissect_rows

-- Dissect one field; returns the offset after it, nil when the bytes end before.
local function dissect_field(tvb, offset, last, tree, key, spec)
  local size, skip = spec.width or spec.length, 0
  if offset + size > last then return nil end
  if spec.kind == "blob" then
    skip, size = size, tvb(offset, size):le_uint()
    if offset + skip + size > last then return nil end
  end
  if spec.rows then return dissect_rows(tvb, offset, last, tree, key, spec) end
  local range = size > 0 and tvb(offset + skip, size) or tvb(offset, skip)
  if size == 0 then
    tree:add(range, spec.name .. ": empty")
  elseif spec.kind == "int" then
    local item = tree:add_le(fields[key], range)
    if spec.flags then item:append_text(" (" .. flag_names(spec.flags, range:le_uint()) .. ")") end
  else
    local item = tree:add(fields[key], range)
    if spec.text then item:append_text(' "' .. range:string() .. '"') end
  end
  return offset + skip + size
end

local function dissect_body(tvb, offset, last, tree, body)
  for _, spec in ipairs(BODIES[body]) do
    offset = dissect_field(tvb, offset, last, tree, body .. "." .. spec.name, spec)
    if not offset then
      tree:add_proto_expert_info(short_body)
      return nil
    end
  end
  return offset
end

-- An array with a count of rows, or a blob that is known to hold records.
dissect_rows = function(tvb, offset, last, tree, key, spec)
  local total = tvb(offset, spec.width):le_uint()
  offset = offset + spec.width
  if spec.kind == "blob" then
    local stop = offset + total
    while offset < stop do
      local branch = tree:add(tvb(offset, math.min(spec.row_bytes, stop - offset)), "Record")
      if not dissect_body(tvb, offset, stop, branch, "record") then return nil end
      offset = offset + spec.row_bytes
    end
    return stop
  end
  for i = 1, total do
    local branch = tree:add(spec.name .. "[" .. (i - 1) .. "]")
    for _, row in ipairs(spec.rows) do
      offset = dissect_field(tvb, offset, last, branch, key .. "." .. row.name, row)
      if not offset then return nil end
    end
  end
  return offset
end

local function body_of(kind)
  if kind == REJECTED then return "rejected", "REJECTED" end
  local message = MESSAGES[kind % 128]
  if not message then return nil, string.format("unknown type 0x%02x", kind) end
  if kind >= 128 then return message.reply, message.name .. " reply" end
  return message.request, message.name
end

local function dissect_plain(tvb, tree)
  local length = tvb(HEADER_BYTES - 2, 2):le_uint()
  local body_end = HEADER_BYTES + length
  dissect_body(tvb, 0, HEADER_BYTES, tree, "header")
  local body, title = body_of(tvb(1, 1):uint())
  if body and length > 0 then
    dissect_body(tvb, HEADER_BYTES, body_end, tree:add(tvb(HEADER_BYTES, length), "Body: " .. title), body)
  end
  local crc_at = tvb:len() - CRC_BYTES
  if crc_at > body_end then tree:add(fields.tag, tvb(body_end, crc_at - body_end)) end
  tree:add_le(fields.crc, tvb(crc_at, CRC_BYTES))
  tree:append_text(", " .. title)
  return title
end

-- What is wrong with decoded bytes, or nil.
local function fault(bytes)
  if not bytes then return "no COBS encoding" end
  local count = #bytes
  if count < HEADER_BYTES + CRC_BYTES then return "too short" end
  local given = 0
  for i = 0, CRC_BYTES - 1 do given = given * 256 + bytes[count - i] end
  if crc32(bytes, count - CRC_BYTES) ~= given then return "wrong CRC-32" end
  local length = bytes[HEADER_BYTES - 1] + 256 * bytes[HEADER_BYTES]
  local rest = count - CRC_BYTES - HEADER_BYTES - length
  if length > BODY_BYTES_MAX or (rest ~= 0 and rest ~= TAG_BYTES) then return "wrong length" end
  return nil
end

local function dissect_frame(tvb, first, last, root)
  local tree = root:add(proto, tvb(first, last - first + 1))
  local bytes = cobs_decode(tvb, first, last)
  local wrong = fault(bytes)
  if wrong then
    tree:add_proto_expert_info(bad_frame, "Bad frame: " .. wrong)
    tree:append_text(", bad frame: " .. wrong)
    return "bad frame (" .. wrong .. ")"
  end
  return dissect_plain(to_tvb(bytes), tree)
end

function proto.dissector(tvb, pinfo, root)
  local titles, first = {}, 0
  for at = 0, tvb:len() - 1 do
    if tvb(at, 1):uint() == 0 then
      if at > first then titles[#titles + 1] = dissect_frame(tvb, first, at, root) end
      first = at + 1
    end
  end
  pinfo.cols.protocol = "dosebench"
  pinfo.cols.info = table.concat(titles, "; ")
  if first < tvb:len() and pinfo.can_desegment > 0 then
    pinfo.desegment_offset = first
    pinfo.desegment_len = DESEGMENT_ONE_MORE_SEGMENT
  end
end

DissectorTable.get("wtap_encap"):add(wtap.USER0, proto)
DissectorTable.get("tcp.port"):add_for_decode_as(proto)
