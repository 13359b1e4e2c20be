-- Wireshark dissector of the dosebench protocol: COBS frames, header, bodies.
-- Generated from protocol/dosebench_protocol (messages.py, terms.py), do not edit; `make gen`
--
-- Each packet of link type USER0 (DLT 147) holds frames with their delimiters; over TCP use "Decode As... dosebench".
--   tshark -X lua_script:dosebench.lua -r capture.pcap

local SCHEMA_HASH = "167fc1ab4c7772e9"
local HEADER_BYTES, TAG_BYTES, CRC_BYTES, BODY_BYTES_MAX = 16, 16, 4, 1024
local REJECTED, RECORD_BYTES = 255, 40
local unpack_all = table.unpack or unpack

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
local EndReason = {
  [0] = "completed",
  [1] = "cancelled",
  [2] = "cap",
  [3] = "stopped",
  [4] = "fault",
  [5] = "empty",
  [6] = "reset",
}
local RefillLimit = {
  [0] = "volume",
  [1] = "stability",
  [2] = "cap",
  [3] = "none",
}
local Alarm = {
  [0] = "none",
  [1] = "reservoir_low",
  [2] = "reservoir_empty",
  [3] = "motor_stall",
  [4] = "motor_runaway",
  [5] = "therapy_lost",
  [6] = "journal_damaged",
  [7] = "dose_cap",
  [8] = "clock_unknown",
  [9] = "guard_disagrees",
  [10] = "battery_low",
  [11] = "missed_volume",
  [12] = "flash_failed",
  [13] = "reservoir_disagrees",
  [14] = "occlusion",
  [15] = "leak",
  [16] = "free_flow",
  [17] = "over_infusion",
  [18] = "under_infusion",
  [19] = "air",
  [20] = "over_temperature",
  [21] = "sensor_fault",
  [22] = "elective_replacement",
  [23] = "battery_empty",
  [24] = "end_of_service",
  [25] = "pump_stopped",
  [26] = "alarm_repeated",
  [27] = "resets_repeated",
  [28] = "selftest_failed",
  [29] = "refill_mismatch",
  [30] = "therapy_unfit",
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
  [14] = "not_supported",
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
  [62] = "drug_count",
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
  [86] = "program_differs",
  [87] = "amount_differs",
  [88] = "step_volume_differs",
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
  [106] = "journal_of_another_version",
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
  [35] = "dose_window",
  [36] = "dose_windows_set",
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
  [72] = "alarm_displaced",
  [73] = "clear_list",
  [74] = "stall_recovered",
  [80] = "refused",
  [81] = "distrusted",
  [96] = "state",
  [98] = "identity",
  [99] = "windows",
  [100] = "patient_times",
  [101] = "host_done",
  [102] = "host_refused",
  [103] = "calendar",
  [104] = "mended",
  [105] = "filled",
  [106] = "latched",
  [107] = "path",
  [108] = "path_worth",
  [109] = "seal",
  [110] = "counter_floor",
  [112] = "procedure_begun",
  [113] = "procedure_ended",
}
local SealCause = {
  [0] = "sector",
  [1] = "session",
}
local Coding = {
  [0] = "whole",
  [1] = "delta",
}
local StageDrop = {
  [0] = "new_stage",
  [1] = "timeout",
  [2] = "abort",
  [3] = "reset",
}
local MESSAGES = {
  [1] = { name = "hello", request = "hello_request", reply = "hello_reply" },
  [2] = { name = "session_open", request = "session_open_request", reply = "session_open_reply" },
  [3] = { name = "session_close", request = "session_close_request", reply = "session_close_reply" },
  [16] = { name = "status", request = "status_request", reply = "status_reply" },
  [32] = { name = "program_begin", request = "program_begin_request", reply = "program_begin_reply" },
  [33] = { name = "program_chunk", request = "program_chunk_request", reply = "program_chunk_reply" },
  [34] = { name = "program_verify", request = "program_verify_request", reply = "program_verify_reply" },
  [35] = { name = "program_commit", request = "program_commit_request", reply = "program_commit_reply" },
  [36] = { name = "program_abort", request = "program_abort_request", reply = "program_abort_reply" },
  [37] = { name = "program_read", request = "program_read_request", reply = "program_read_reply" },
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
  [62] = { name = "dose_windows_set", request = "dose_windows_set_request", reply = "dose_windows_set_reply" },
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
  program = {
    { name = "format", kind = "int", width = 1 },
    { name = "therapy_id", kind = "bytes", length = 8 },
    { name = "drugs", kind = "array", width = 1, rows = { { name = "name_bytes", kind = "int", width = 1 }, { name = "step_ng_num", kind = "int", width = 4 }, { name = "step_ng_den", kind = "int", width = 4 }, { name = "bridge_ng_num", kind = "int", width = 4 }, { name = "bridge_ng_den", kind = "int", width = 4 } } },
    { name = "drug_names", kind = "blob", width = 2, text = true },
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
    { name = "path_nl", kind = "int", width = 4 },
    { name = "stall_retry_minutes", kind = "int", width = 2 },
    { name = "bridge_steps", kind = "int", width = 4 },
    { name = "bridge_num", kind = "int", width = 4 },
    { name = "bridge_den", kind = "int", width = 4 },
    { name = "change_permille_max", kind = "int", width = 2 },
    { name = "weekdays", kind = "bytes", length = 7 },
    { name = "caps", kind = "array", width = 1, rows = { { name = "drug", kind = "int", width = 1 }, { name = "minutes", kind = "int", width = 2 }, { name = "ng", kind = "int", width = 4 } } },
    { name = "rates", kind = "array", width = 1, rows = { { name = "num", kind = "int", width = 4 }, { name = "den", kind = "int", width = 4 } } },
    { name = "flex", kind = "array", width = 2, rows = { { name = "pattern", kind = "int", width = 1 }, { name = "minute", kind = "int", width = 2 }, { name = "rate", kind = "int", width = 1 } } },
    { name = "titration", kind = "array", width = 1, rows = { { name = "day", kind = "int", width = 2 }, { name = "rate", kind = "int", width = 1 } } },
  },
  command = {
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
    { name = "alarms", kind = "blob", width = 1, list = Alarm },
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
    { name = "window_ng", kind = "array", width = 1, rows = { { name = "drug", kind = "int", width = 1 }, { name = "minutes", kind = "int", width = 2 }, { name = "ng", kind = "int", width = 4 }, { name = "ng_max", kind = "int", width = 4 } } },
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
    { name = "path_nl", kind = "int", width = 4 },
    { name = "path_filled_nl", kind = "int", width = 4 },
    { name = "old_left_steps", kind = "int", width = 4 },
  },
  program_begin_request = {
    { name = "length", kind = "int", width = 2 },
    { name = "program_hash", kind = "bytes", length = 16 },
  },
  program_begin_reply = {
    { name = "length", kind = "int", width = 2 },
  },
  program_chunk_request = {
    { name = "offset", kind = "int", width = 2 },
    { name = "data", kind = "blob", width = 2 },
  },
  program_chunk_reply = {
    { name = "received", kind = "int", width = 2 },
  },
  program_verify_request = {},
  program_verify_reply = {
    { name = "therapy_id", kind = "bytes", length = 8 },
    { name = "program_hash", kind = "bytes", length = 16 },
    { name = "mode", kind = "int", width = 1, enum = Mode },
    { name = "daily_steps", kind = "int", width = 4 },
    { name = "daily_volume_nl", kind = "int", width = 4 },
    { name = "refill_days", kind = "int", width = 2 },
    { name = "refill_limit", kind = "int", width = 1, enum = RefillLimit },
    { name = "bolus_steps_max", kind = "int", width = 4 },
    { name = "bridge_ms", kind = "int", width = 4 },
    { name = "drugs", kind = "array", width = 1, rows = { { name = "name_bytes", kind = "int", width = 1 }, { name = "daily_dose_ng", kind = "int", width = 4 }, { name = "hour_dose_ng", kind = "int", width = 4 }, { name = "weekly_dose_ng", kind = "int", width = 4 }, { name = "periodic_dose_ng", kind = "int", width = 4 }, { name = "patient_dose_ng", kind = "int", width = 4 } } },
    { name = "drug_names", kind = "blob", width = 2, text = true },
    { name = "caps", kind = "array", width = 1, rows = { { name = "drug", kind = "int", width = 1 }, { name = "minutes", kind = "int", width = 2 }, { name = "ng", kind = "int", width = 4 } } },
  },
  program_commit_request = {
    { name = "counter", kind = "int", width = 4 },
    { name = "program_hash", kind = "bytes", length = 16 },
  },
  program_commit_reply = {
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  program_abort_request = {},
  program_abort_reply = {
    { name = "dropped", kind = "int", width = 1 },
  },
  program_read_request = {
    { name = "offset", kind = "int", width = 2 },
  },
  program_read_reply = {
    { name = "generation", kind = "int", width = 4 },
    { name = "length", kind = "int", width = 2 },
    { name = "offset", kind = "int", width = 2 },
    { name = "data", kind = "blob", width = 2 },
  },
  start_request = {
    { name = "counter", kind = "int", width = 4 },
  },
  start_reply = {
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  stop_request = {
    { name = "counter", kind = "int", width = 4 },
  },
  stop_reply = {
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  bolus_request = {
    { name = "counter", kind = "int", width = 4 },
    { name = "steps", kind = "int", width = 4 },
    { name = "program_hash", kind = "bytes", length = 8 },
    { name = "ng", kind = "int", width = 4 },
  },
  bolus_reply = {
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  bolus_cancel_request = {
    { name = "counter", kind = "int", width = 4 },
  },
  bolus_cancel_reply = {
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  refill_request = {
    { name = "counter", kind = "int", width = 4 },
    { name = "steps", kind = "int", width = 4 },
    { name = "withdrawn_steps", kind = "int", width = 4 },
    { name = "step_nl_num", kind = "int", width = 4 },
    { name = "step_nl_den", kind = "int", width = 4 },
  },
  refill_reply = {
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  outcome_request = {
    { name = "counter", kind = "int", width = 4 },
  },
  outcome_reply = {
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  alarm_clear_request = {
    { name = "counter", kind = "int", width = 4 },
    { name = "alarms", kind = "blob", width = 1, list = Alarm },
  },
  alarm_clear_reply = {
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  patient_bolus_request = {
    { name = "counter", kind = "int", width = 4 },
  },
  patient_bolus_reply = {
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  square_bolus_request = {
    { name = "counter", kind = "int", width = 4 },
    { name = "steps", kind = "int", width = 4 },
    { name = "duration_ms", kind = "int", width = 4 },
    { name = "program_hash", kind = "bytes", length = 8 },
    { name = "ng", kind = "int", width = 4 },
  },
  square_bolus_reply = {
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  square_cancel_request = {
    { name = "counter", kind = "int", width = 4 },
  },
  square_cancel_reply = {
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  prime_arm_request = {
    { name = "counter", kind = "int", width = 4 },
    { name = "steps", kind = "int", width = 4 },
    { name = "path_version", kind = "int", width = 2 },
  },
  prime_arm_reply = {
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  prime_request = {
    { name = "counter", kind = "int", width = 4 },
    { name = "steps", kind = "int", width = 4 },
    { name = "program_hash", kind = "bytes", length = 8 },
    { name = "ng", kind = "int", width = 4 },
  },
  prime_reply = {
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  alarm_silence_request = {
    { name = "counter", kind = "int", width = 4 },
    { name = "ms", kind = "int", width = 4 },
  },
  alarm_silence_reply = {
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  patency_request = {
    { name = "counter", kind = "int", width = 4 },
    { name = "steps", kind = "int", width = 4 },
  },
  patency_reply = {
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  dose_windows_set_request = {
    { name = "counter", kind = "int", width = 4 },
    { name = "rows", kind = "array", width = 1, rows = { { name = "drug", kind = "int", width = 1 }, { name = "minutes", kind = "int", width = 2 }, { name = "ng", kind = "int", width = 4 }, { name = "age_minutes", kind = "int", width = 2 } } },
  },
  dose_windows_set_reply = {
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  clock_set_request = {
    { name = "counter", kind = "int", width = 4 },
    { name = "local_days", kind = "int", width = 2 },
    { name = "local_ms", kind = "int", width = 4 },
  },
  clock_set_reply = {
    { name = "counter", kind = "int", width = 4 },
    { name = "reason", kind = "int", width = 1, enum = Reason },
    { name = "accepted", kind = "int", width = 4 },
    { name = "low_steps", kind = "int", width = 4 },
    { name = "high_steps", kind = "int", width = 4 },
    { name = "record", kind = "int", width = 4 },
  },
  implant_request = {
    { name = "counter", kind = "int", width = 4 },
    { name = "local_days", kind = "int", width = 2 },
  },
  implant_reply = {
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
    { name = "program_generation", kind = "int", width = 4 },
    { name = "program_mended", kind = "int", width = 2 },
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
local COMMAND_BASE, ENTRY_BITS = 32, 10
local RECORD_KINDS = {
  [1] = { { "reset_cause", 0, 0, 8, 1, ResetCause }, { "boot_count", 1, 0, 32, 1 }, { "low_steps", 2, 0, 32, 1 }, { "high_steps", 3, 0, 32, 1 }, { "firmware", 4, 0, 32, 1 }, { "records_voided", 5, 0, 32, 1 } },
  [2] = { { "titration_day", 0, 0, 8, 1 }, { "low_steps", 1, 0, 32, 1 }, { "high_steps", 2, 0, 32, 1 }, { "allowance_steps", 3, 0, 32, 1 }, { "missed_steps", 4, 0, 32, 1 }, { "reservoir_steps", 5, 0, 32, 1 } },
  [3] = { { "stop_reason", 0, 0, 8, 1, StopReason }, { "low_steps", 1, 0, 32, 1 }, { "high_steps", 2, 0, 32, 1 }, { "missed_steps", 4, 0, 32, 1 }, { "reservoir_steps", 5, 0, 32, 1 } },
  [16] = { { "role", 0, 0, 3, 1, Role }, { "host_high", 0, 3, 2, 1 }, { "host", 1, 0, 32, 1 }, { "counter", 2, 0, 32, 1 }, { "low_steps", 4, 0, 32, 1 }, { "high_steps", 5, 0, 32, 1 } },
  [17] = { { "role", 0, 0, 3, 1, Role }, { "host_high", 0, 3, 2, 1 }, { "host", 1, 0, 32, 1 }, { "counter", 2, 0, 32, 1 }, { "low_steps", 4, 0, 32, 1 }, { "high_steps", 5, 0, 32, 1 } },
  [18] = { { "role", 0, 0, 3, 1, Role }, { "host_high", 0, 3, 2, 1 }, { "host", 1, 0, 32, 1 }, { "counter", 2, 0, 32, 1 }, { "steps", 3, 0, 32, 1 }, { "low_steps", 4, 0, 32, 1 }, { "allowance_steps", 5, 0, 32, 1 } },
  [19] = { { "bolus_kind", 0, 0, 3, 1, BolusKind }, { "end_reason", 0, 3, 4, 1, EndReason }, { "low_steps", 1, 0, 32, 1 }, { "high_steps", 2, 0, 32, 1 }, { "delivered_low_steps", 3, 0, 32, 1 }, { "delivered_high_steps", 4, 0, 32, 1 }, { "asked_steps", 5, 0, 32, 1 } },
  [20] = { { "role", 0, 0, 3, 1, Role }, { "host_high", 0, 3, 2, 1 }, { "host", 1, 0, 32, 1 }, { "counter", 2, 0, 32, 1 }, { "steps_not_delivered", 3, 0, 32, 1 }, { "low_steps", 4, 0, 32, 1 }, { "high_steps", 5, 0, 32, 1 } },
  [21] = { { "role", 0, 0, 3, 1, Role }, { "host_high", 0, 3, 2, 1 }, { "host", 1, 0, 32, 1 }, { "counter", 2, 0, 32, 1 }, { "steps", 3, 0, 32, 1 }, { "low_steps", 4, 0, 32, 1 }, { "high_steps", 5, 0, 32, 1 } },
  [22] = { { "role", 0, 0, 3, 1, Role }, { "host_high", 0, 3, 2, 1 }, { "host", 1, 0, 32, 1 }, { "counter", 2, 0, 32, 1 }, { "steps", 3, 0, 32, 1 }, { "low_steps", 4, 0, 32, 1 }, { "allowance_steps", 5, 0, 32, 1 } },
  [23] = { { "low_steps", 1, 0, 32, 1 }, { "high_steps", 2, 0, 32, 1 }, { "steps", 3, 0, 32, 1 }, { "allowance_steps", 4, 0, 32, 1 } },
  [24] = { { "role", 0, 0, 3, 1, Role }, { "host_high", 0, 3, 2, 1 }, { "host", 1, 0, 32, 1 }, { "counter", 2, 0, 32, 1 }, { "steps", 3, 0, 32, 1 }, { "duration_ms", 4, 0, 32, 1 }, { "allowance_steps", 5, 0, 32, 1 } },
  [25] = { { "end_reason", 0, 0, 8, 1, EndReason }, { "low_steps", 1, 0, 32, 1 }, { "high_steps", 2, 0, 32, 1 }, { "delivered_low_steps", 3, 0, 32, 1 }, { "delivered_high_steps", 4, 0, 32, 1 }, { "asked_steps", 5, 0, 32, 1 } },
  [26] = { { "role", 0, 0, 3, 1, Role }, { "host_high", 0, 3, 2, 1 }, { "host", 1, 0, 32, 1 }, { "counter", 2, 0, 32, 1 }, { "steps_not_delivered", 3, 0, 32, 1 }, { "low_steps", 4, 0, 32, 1 }, { "high_steps", 5, 0, 32, 1 } },
  [27] = { { "role", 0, 0, 3, 1, Role }, { "host_high", 0, 3, 2, 1 }, { "host", 1, 0, 32, 1 }, { "counter", 2, 0, 32, 1 }, { "steps", 3, 0, 32, 1 }, { "path_version", 4, 0, 32, 1 }, { "low_steps", 5, 0, 32, 1 } },
  [28] = { { "role", 0, 0, 3, 1, Role }, { "host_high", 0, 3, 2, 1 }, { "host", 1, 0, 32, 1 }, { "counter", 2, 0, 32, 1 }, { "steps", 3, 0, 32, 1 }, { "path_version", 4, 0, 32, 1 }, { "allowance_steps", 5, 0, 32, 1 } },
  [29] = { { "role", 0, 0, 3, 1, Role }, { "host_high", 0, 3, 2, 1 }, { "host", 1, 0, 32, 1 }, { "counter", 2, 0, 32, 1 }, { "silence_ms", 3, 0, 32, 1 }, { "low_steps", 4, 0, 32, 1 }, { "high_steps", 5, 0, 32, 1 } },
  [30] = { { "flag", 0, 0, 8, 1, RefillFlag }, { "expected_steps", 1, 0, 32, 1 }, { "withdrawn_steps", 2, 0, 32, 1 }, { "delivered_low_steps", 3, 0, 32, 1 }, { "delivered_high_steps", 4, 0, 32, 1 }, { "ratio_permille", 5, 0, 32, 1 } },
  [31] = { { "role", 0, 0, 3, 1, Role }, { "host_high", 0, 3, 2, 1 }, { "host", 1, 0, 32, 1 }, { "counter", 2, 0, 32, 1 }, { "steps", 3, 0, 32, 1 }, { "step_every_ms", 4, 0, 32, 1 }, { "allowance_steps", 5, 0, 32, 1 } },
  [32] = { { "role", 0, 0, 3, 1, Role }, { "host_high", 0, 3, 2, 1 }, { "host", 1, 0, 32, 1 }, { "counter", 2, 0, 32, 1 }, { "generation", 3, 0, 32, 1 }, { "program_hash_head", 4, 0, 32, 1 }, { "high_steps", 5, 0, 32, 1 } },
  [33] = { { "drop", 0, 0, 8, 1, StageDrop }, { "received_bytes", 1, 0, 32, 1 }, { "length_bytes", 2, 0, 32, 1 } },
  [34] = { { "period_begins", 0, 0, 1, 1 }, { "drug", 0, 1, 2, 1 }, { "step_ng_num", 1, 0, 32, 1 }, { "step_ng_den", 2, 0, 32, 1 }, { "old_ng_num", 3, 0, 32, 1 }, { "old_ng_den", 4, 0, 32, 1 }, { "bridge_steps", 5, 0, 32, 1 } },
  [35] = { { "drug", 0, 0, 8, 1 }, { "minutes", 1, 0, 32, 1 }, { "ng", 2, 0, 32, 1 }, { "age_minutes", 3, 0, 32, 1 } },
  [36] = { { "role", 0, 0, 3, 1, Role }, { "host_high", 0, 3, 2, 1 }, { "host", 1, 0, 32, 1 }, { "counter", 2, 0, 32, 1 }, { "rows", 3, 0, 32, 1 }, { "low_steps", 4, 0, 32, 1 }, { "high_steps", 5, 0, 32, 1 } },
  [48] = { { "role", 0, 0, 3, 1, Role }, { "host_high", 0, 3, 2, 1 }, { "host", 1, 0, 32, 1 }, { "counter", 2, 0, 32, 1 }, { "local_days", 3, 0, 32, 1 }, { "local_ms", 4, 0, 32, 1 } },
  [49] = { { "role", 0, 0, 3, 1, Role }, { "host_high", 0, 3, 2, 1 }, { "host", 1, 0, 32, 1 }, { "counter", 2, 0, 32, 1 }, { "implant_days", 3, 0, 32, 1 }, { "low_steps", 4, 0, 32, 1 }, { "high_steps", 5, 0, 32, 1 } },
  [50] = { { "carried_on", 0, 0, 8, 1 }, { "step_nl_num", 1, 0, 32, 1 }, { "step_nl_den", 2, 0, 32, 1 }, { "old_nl_num", 3, 0, 32, 1 }, { "old_nl_den", 4, 0, 32, 1 }, { "reservoir_steps", 5, 0, 32, 1 } },
  [64] = { { "alarm", 0, 0, 8, 1, Alarm }, { "priority", 1, 0, 32, 1, Priority }, { "detail", 2, 0, 32, 1 } },
  [65] = { { "role", 0, 0, 3, 1, Role }, { "host_high", 0, 3, 2, 1 }, { "host", 1, 0, 32, 1 }, { "counter", 2, 0, 32, 1 }, { "alarms", 3, 0, 10, 3 }, { "low_steps", 4, 0, 32, 1 }, { "high_steps", 5, 0, 32, 1 } },
  [66] = { { "missed_now_steps", 1, 0, 32, 1 }, { "missed_steps", 2, 0, 32, 1 } },
  [67] = { { "slots_voided", 1, 0, 32, 1 } },
  [68] = { { "alarm", 0, 0, 8, 1, Alarm } },
  [69] = { { "timeout_ms", 1, 0, 32, 1 } },
  [70] = { { "failed", 1, 0, 32, 1 }, { "detail", 2, 0, 32, 1 }, { "passed", 3, 0, 32, 1 } },
  [71] = { { "replacement_day", 1, 0, 32, 1 }, { "replacement_ms", 2, 0, 32, 1 }, { "replacement_local_days", 3, 0, 32, 1 }, { "implant_days", 4, 0, 32, 1 }, { "battery_mv", 5, 0, 32, 1 } },
  [72] = { { "alarm", 0, 0, 8, 1, Alarm }, { "by_alarm", 1, 0, 32, 1, Alarm } },
  [73] = { { "alarms", 1, 0, 10, 12 } },
  [74] = { { "missed_steps", 1, 0, 32, 1 }, { "stalled_ms", 2, 0, 32, 1 } },
  [80] = { { "reason", 0, 0, 8, 1, Reason }, { "host", 1, 0, 32, 1 }, { "counter", 2, 0, 32, 1 }, { "message", 3, 0, 8, 1 }, { "host_high", 3, 8, 2, 1 }, { "low_steps", 4, 0, 32, 1 }, { "high_steps", 5, 0, 32, 1 } },
  [81] = { { "bad_tags", 1, 0, 32, 1 }, { "replays", 2, 0, 32, 1 }, { "sessionless", 3, 0, 32, 1 } },
  [96] = { { "stop_reason", 0, 0, 4, 1, StopReason }, { "running", 0, 4, 1, 1 }, { "low_steps", 1, 0, 32, 1 }, { "high_steps", 2, 0, 32, 1 }, { "generation", 3, 0, 32, 1 }, { "alarm_count", 4, 0, 32, 1 }, { "reservoir_steps", 5, 0, 32, 1 } },
  [98] = { { "bolus_kind", 0, 0, 3, 1, BolusKind }, { "clock_known", 0, 3, 1, 1 }, { "boot_count", 1, 0, 32, 1 }, { "program_hash_head", 2, 0, 32, 1 }, { "bolus_left_steps", 3, 0, 32, 1 }, { "square_left_steps", 4, 0, 32, 1 }, { "commit_high_steps", 5, 0, 32, 1 } },
  [99] = { { "place", 0, 0, 4, 1 }, { "drug", 0, 4, 4, 1 }, { "ng", 1, 0, 32, 5 } },
  [100] = { { "place", 0, 0, 8, 1 }, { "age_ms", 1, 0, 32, 5 } },
  [101] = { { "command", 0, 0, 6, 1 }, { "host_high", 0, 6, 2, 1 }, { "host", 1, 0, 32, 1 }, { "counter", 2, 0, 32, 1 }, { "accepted", 3, 0, 32, 1 }, { "low_steps", 4, 0, 32, 1 }, { "high_steps", 5, 0, 32, 1 } },
  [102] = { { "reason", 0, 0, 8, 1, Reason }, { "host", 1, 0, 32, 1 }, { "counter", 2, 0, 32, 1 }, { "message", 3, 0, 8, 1 }, { "host_high", 3, 8, 2, 1 }, { "low_steps", 4, 0, 32, 1 }, { "high_steps", 5, 0, 32, 1 } },
  [103] = { { "clock_known", 0, 0, 8, 1 }, { "local_days", 1, 0, 32, 1 }, { "local_ms", 2, 0, 32, 1 }, { "pattern_lag_ms", 3, 0, 32, 1 }, { "fault_records", 4, 0, 32, 1 }, { "commit_unsure_steps", 5, 0, 32, 1 } },
  [104] = { { "copy", 0, 0, 8, 1 }, { "generation", 1, 0, 32, 1 } },
  [105] = { { "content_steps", 1, 0, 32, 1 }, { "low_steps", 2, 0, 32, 1 }, { "high_steps", 3, 0, 32, 1 }, { "filled_day", 4, 0, 32, 1 } },
  [106] = { { "place", 0, 0, 8, 1 }, { "alarms", 1, 0, 10, 15 } },
  [107] = { { "carried_on", 0, 0, 8, 1 }, { "path_version", 1, 0, 32, 1 }, { "filled_nl", 2, 0, 32, 1 }, { "volume_nl", 3, 0, 32, 1 }, { "old_left_steps", 4, 0, 32, 1 } },
  [108] = { { "drug", 0, 0, 8, 1 }, { "ng_num", 1, 0, 32, 1 }, { "ng_den", 2, 0, 32, 1 } },
  [109] = { { "seal_cause", 0, 0, 8, 1, SealCause }, { "mac", 1, 0, 32, 4 }, { "mac_tail", 5, 0, 8, 1 }, { "key_number", 5, 8, 22, 1 } },
  [110] = { { "counter", 1, 0, 32, 1 } },
  [112] = { { "procedure", 0, 0, 8, 1 }, { "id", 1, 0, 32, 4 }, { "value", 5, 0, 32, 1 } },
  [113] = { { "result", 0, 0, 8, 1 }, { "id", 1, 0, 32, 4 }, { "value", 5, 0, 32, 1 } },
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

-- Names of the numbers in a list of one byte each.
local function list_names(names, range)
  local found = {}
  for i = 0, range:len() - 1 do
    local number = range(i, 1):uint()
    found[#found + 1] = names[number] or tostring(number)
  end
  return table.concat(found, ", ")
end

-- A number of a record by the place of its field: 0 is the code, and words follow.
local function record_number(tvb, offset, at, shift, bits)
  local value
  if at == 0 then value = tvb(offset + 11, 1):uint() else value = tvb(offset + 8 + 4 * at, 4):le_uint() end
  return math.floor(value / 2 ^ shift) % 2 ^ bits
end

-- The fields of a record by the names of its kind.
local function add_record_fields(tvb, offset, tree)
  for _, field in ipairs(RECORD_KINDS[tvb(offset + 10, 1):uint()] or {}) do
    local name, at, shift, bits, count, names = unpack_all(field)
    local texts = {}
    for i = 0, count - 1 do
      local is_entry = count > 1 and bits == ENTRY_BITS
      local value
      if is_entry then
        value = record_number(tvb, offset, at + math.floor(i / 3), i % 3 * ENTRY_BITS, bits)
      else
        value = record_number(tvb, offset, at + i, shift, bits)
      end
      local escalated = is_entry and value >= 256
      if is_entry then names, value = Alarm, value % 256 end
      local text = names and names[value] or string.format("%d", value)
      if name == "command" and MESSAGES[COMMAND_BASE + value] then text = MESSAGES[COMMAND_BASE + value].name end
      if not is_entry or value ~= 0 then texts[#texts + 1] = text .. (escalated and " (escalated)" or "") end
    end
    tree:add(tvb(offset, RECORD_BYTES), name .. ": " .. table.concat(texts, ", "))
  end
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
    tree:add_le(fields[key], range)
  else
    local item = tree:add(fields[key], range)
    if spec.list then item:append_text(" (" .. list_names(spec.list, range) .. ")") end
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
      add_record_fields(tvb, offset, branch)
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
