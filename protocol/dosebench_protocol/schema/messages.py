"""Every message between a host and the pump, defined once.

Only a subset of `construct` is allowed here, one that a microcontroller decodes with `struct` alone: little-endian
integers of fixed width, enumerations and flags over them, bytes of fixed length, length-prefixed bytes and bounded
arrays of flat structs. `dosebench_protocol.generate` refuses anything else.

Rules that keep old hosts and new devices talking:

* type numbers are append-only, in blocks of 16 by area; a reply has the number of its request with bit 7 set;
* new fields go to the end of a body; a decoder ignores bytes after the last field that it knows;
* `hello` and `stop` are frozen for ever, so that a mismatch can always be explained and a pump always be stopped.

Units are in the names: `_ms` milliseconds, `_ng` nanograms of drug, `_nl` nanolitres, `_steps` motor steps, `_mv`
millivolts, `_days` days. A pair `x_num`, `x_den` is the fraction x_num / x_den with both at most `FRACTION_MAX`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from construct import (
    Bytes,
    Construct,
    GreedyBytes,
    Int8ul,
    Int16ul,
    Int32ul,
    Prefixed,
    PrefixedArray,
    Struct,
)

from dosebench_protocol.schema.terms import (
    CHAIN_BYTES,
    CRC_BYTES,
    HASH_HEAD_BYTES,
    NONCE_BYTES,
    Alarm,
    BolusKind,
    Coding,
    Delivery,
    Mode,
    OnCap,
    OnLow,
    Priority,
    Reason,
    RecordKind,
    RefillLimit,
    ResetCause,
    Role,
    Sensor,
    SensorState,
    StopReason,
    Test,
    TestResult,
)

Header = Struct(
    "version" / Int8ul,
    "type" / Int8ul,
    "device" / Bytes(4),
    "session" / Bytes(4),
    "sequence" / Int32ul,
    "length" / Int16ul,
)
"""First bytes of every frame; `length` counts the body alone."""

Record = Struct(
    "sequence" / Int32ul,
    "day" / Int16ul,
    "ms" / Int32ul,
    "kind" / RecordKind,
    "code" / Int8ul,
    "a" / Int32ul,
    "b" / Int32ul,
    "c" / Int32ul,
    "d" / Int32ul,
    "e" / Int32ul,
    "chain" / Bytes(CHAIN_BYTES),
)
"""One journal record. `day` and `ms` are pump time since commissioning; the meaning of `code` and of the words `a` to
`e` by kind is in `dosebench_protocol.schema.kinds`."""

Drug = Struct(
    "name_bytes" / Int8ul,
    "step_ng_num" / Int32ul,
    "step_ng_den" / Int32ul,
    "bridge_ng_num" / Int32ul,
    "bridge_ng_den" / Int32ul,
)
"""What a step holds of one drug, in force and while a bridge runs, and the length of its name in `drug_names`."""

Cap = Struct("drug" / Int8ul, "minutes" / Int16ul, "ng" / Int32ul)
"""No more than `ng` of drug number `drug` (its place in `drugs`) in any window of `minutes`."""

Rate = Struct("num" / Int32ul, "den" / Int32ul)
"""Steps per millisecond."""

FlexStep = Struct("pattern" / Int8ul, "minute" / Int16ul, "rate" / Int8ul)
"""From `minute` of the day on, day pattern `pattern` runs at rate number `rate`."""

TitrationStep = Struct("day" / Int16ul, "rate" / Int8ul)
"""From day `day` of delivery on (the first is 0), the basal is rate number `rate`."""

Program = Struct(
    "format" / Int8ul,
    "therapy_id" / Bytes(8),
    "drugs" / PrefixedArray(Int8ul, Drug),
    "drug_names" / Prefixed(Int16ul, GreedyBytes),
    "step_nl_num" / Int32ul,
    "step_nl_den" / Int32ul,
    "mode" / Mode,
    "basal_num" / Int32ul,
    "basal_den" / Int32ul,
    "minimum_num" / Int32ul,
    "minimum_den" / Int32ul,
    "bolus_num" / Int32ul,
    "bolus_den" / Int32ul,
    "bolus_steps_max" / Int32ul,
    "reservoir_steps" / Int32ul,
    "low_steps" / Int32ul,
    "empty_steps" / Int32ul,
    "stability_days" / Int16ul,
    "on_low" / OnLow,
    "on_cap" / OnCap,
    "square_steps_max" / Int32ul,
    "patient_steps" / Int32ul,
    "patient_num" / Int32ul,
    "patient_den" / Int32ul,
    "patient_lockout_ms" / Int32ul,
    "patient_per_day" / Int8ul,
    "periodic_steps" / Int32ul,
    "periodic_ms" / Int32ul,
    "periodic_num" / Int32ul,
    "periodic_den" / Int32ul,
    "prime_steps_max" / Int32ul,
    "prime_num" / Int32ul,
    "prime_den" / Int32ul,
    "path_version" / Int16ul,
    "path_nl" / Int32ul,
    "stall_retry_minutes" / Int16ul,
    "bridge_steps" / Int32ul,
    "bridge_num" / Int32ul,
    "bridge_den" / Int32ul,
    "change_permille_max" / Int16ul,
    "weekdays" / Bytes(7),
    "caps" / PrefixedArray(Int8ul, Cap),
    "rates" / PrefixedArray(Int8ul, Rate),
    "flex" / PrefixedArray(Int16ul, FlexStep),
    "titration" / PrefixedArray(Int8ul, TitrationStep),
)
"""A program as the pump stores it: the encoded therapy. Rates are in steps per millisecond, `step_nl` is the volume of
a step. `reservoir_steps` is the content that the regimen was filled with: the first program of a pump that was never
filled takes it as the content.

`drugs` has one row for each drug, 1 to `DRUGS_MAX`; `drug_names` holds their names one after the other, of `name_bytes`
each. All sums of a drug are counted apart, and a cap names its drug.

What a program does not use is zero: `patient_steps`, `periodic_steps`, `prime_steps_max`, `bridge_steps`,
`square_steps_max`, `bolus_steps_max` and the fractions that go with them. A fraction is 0/0 or both numbers are in
1..`FRACTION_MAX`. While `bridge_steps` are pumped after the commit, the basal runs at `bridge`, and each step holds
`bridge_ng` of a drug: the old concentration, still in pump path and catheter. `weekdays` names the day pattern of
Monday to Sunday; each pattern begins at minute 0, and `flex` is in order of pattern and minute. A periodic bolus is due
every `periodic_ms` of delivery, for the first time one period after the start. `change_permille_max` bounds each rate
of a titration to so many thousandths more than the one before it; 0 is no bound. `path_version` is the version of the
table from which the volumes of pump path and catheter were taken, `path_nl` their sum (0: not stated).
`stall_retry_minutes` is how often a stalled motor tries a step; 0 is never."""

PROGRAM_FORMAT: Final = 2

_EMPTY = Struct()
_COMMAND = ("counter" / Int32ul,)
_COMPUTED_FROM = ("program_hash" / Bytes(HASH_HEAD_BYTES), "ng" / Int32ul)
"""What a dose was computed from: the program in force, and the drug in these steps, of the first drug."""


@dataclass(frozen=True)
class Message:
    """One request and its reply.

    Attributes:
        type: Number in the frame, 0 to 127; the reply has `type | 0x80`.
        name: Name in the generated code and in transcripts.
        role: Least role that may send it.
        request: Body of the request.
        reply: Body of the reply.
        changes_state: Whether it begins with the host's `counter` and is carried out at most once.
        doc: One sentence for the protocol page.
    """

    type: int
    name: str
    role: str
    request: Construct
    reply: Construct
    changes_state: bool
    doc: str


Rejected = Struct("type" / Int8ul, "reason" / Reason, "detail" / Int32ul)
"""Body of the reply `REJECTED`: the type of the request, why it was refused, and a number that helps (an offset, a
limit)."""

REJECTED: Final = 0xFF
"""Type of that reply."""

REPLY_BIT: Final = 0x80
"""Set in the type of every reply."""

Outcome = Struct(
    *_COMMAND,
    "reason" / Reason,
    "accepted" / Int32ul,
    "low_steps" / Int32ul,
    "high_steps" / Int32ul,
    "record" / Int32ul,
)
"""Outcome of the command `counter` of the session's host: `reason` done or why not, what was `accepted` (steps of a
bolus, generation of a commit), the interval of delivered lifetime steps when it was decided, and the journal record
that holds it. The counter is 0 in the reply to a `stop` without a session."""

Hello = Struct(
    "protocol" / Int8ul,
    "schema_hash" / Bytes(8),
    "device_id" / Bytes(4),
    "firmware_major" / Int8ul,
    "firmware_minor" / Int8ul,
    "firmware_patch" / Int8ul,
    "boot_count" / Int32ul,
    "reset_cause" / ResetCause,
    "body_bytes_max" / Int16ul,
    "heap_free_bytes" / Int32ul,
    "board" / Prefixed(Int8ul, GreedyBytes),
    "runtime" / Prefixed(Int8ul, GreedyBytes),
    "profile" / Prefixed(Int8ul, GreedyBytes),
)

Status = Struct(
    "delivery" / Delivery,
    "stop_reason" / StopReason,
    "mode" / Mode,
    "alarms" / PrefixedArray(Int8ul, Alarm),
    "generation" / Int32ul,
    "therapy_id" / Bytes(8),
    "day" / Int16ul,
    "ms" / Int32ul,
    "clock_known" / Int8ul,
    "local_days" / Int16ul,
    "local_ms" / Int32ul,
    "low_steps" / Int32ul,
    "high_steps" / Int32ul,
    "missed_steps" / Int32ul,
    "rate_num" / Int32ul,
    "rate_den" / Int32ul,
    "bolus_left_steps" / Int32ul,
    "reservoir_steps" / Int32ul,
    "reservoir_known" / Int8ul,
    "battery_mv" / Int16ul,
    "journal_first" / Int32ul,
    "journal_next" / Int32ul,
    "boot_count" / Int32ul,
    "bad_frames" / Int32ul,
    "staged_bytes" / Int16ul,
    "bolus_kind" / BolusKind,
    "square_left_steps" / Int32ul,
    "lockout_left_ms" / Int32ul,
    "patient_left" / Int8ul,
    "bridge_left_steps" / Int32ul,
    "pattern_lag_ms" / Int32ul,
    "titration_day" / Int8ul,
    "window_ng"
    / PrefixedArray(Int8ul, Struct("drug" / Int8ul, "minutes" / Int16ul, "ng" / Int32ul, "ng_max" / Int32ul)),
    "priority" / Priority,
    "silenced_ms" / Int32ul,
    "empty_minutes" / Int32ul,
    "stopped_ms" / Int32ul,
    "paired" / Int8ul,
    "session_role" / Role,
    "session_left_ms" / Int32ul,
    "bad_tags" / Int32ul,
    "replays" / Int32ul,
    "sessionless" / Int32ul,
    "step_nl_num" / Int32ul,
    "step_nl_den" / Int32ul,
    "path_nl" / Int32ul,
    "path_filled_nl" / Int32ul,
    "old_left_steps" / Int32ul,
)
"""What the pump does now. `alarms` are those that are on, at most `LATCHED_MAX`, in the order of raising; `priority`
is that of the alarm that is annunciated, `silenced_ms` how long its tone is still silenced. `empty_minutes` is how
long the reservoir lasts at the rate that runs, or would run after a start, with what a bolus under way still takes
(R25); 2^30 - 1 where nothing flows. `stopped_ms` is how long a programmed pump has been stopped, at most 2^29 - 1.

`paired` says whether the pump has keys; `session_role` is that of the open control session, and `session_left_ms` how
long it lasts without another frame. Frames that were sound and not trusted, since the boot: `bad_tags` (the tag did
not fit), `replays` (its number was used before), `sessionless` (it needed a session and named none that is open).

`step_nl_num` / `step_nl_den` is the volume of a step in nL by the pump's settings; a program that was made for another
one is not delivered. `path_nl` is the volume of pump path and catheter (0: not stated), `path_filled_nl` how much of
it is filled, and `old_left_steps` how many steps of an old solution are still in it."""

DrugReading = Struct(
    "name_bytes" / Int8ul,
    "daily_dose_ng" / Int32ul,
    "hour_dose_ng" / Int32ul,
    "weekly_dose_ng" / Int32ul,
    "periodic_dose_ng" / Int32ul,
    "patient_dose_ng" / Int32ul,
)
"""Doses of one drug by the pump's reading."""

Reading = Struct(
    "therapy_id" / Bytes(8),
    "program_hash" / Bytes(16),
    "mode" / Mode,
    "daily_steps" / Int32ul,
    "daily_volume_nl" / Int32ul,
    "refill_days" / Int16ul,
    "refill_limit" / RefillLimit,
    "bolus_steps_max" / Int32ul,
    "bridge_ms" / Int32ul,
    "drugs" / PrefixedArray(Int8ul, DrugReading),
    "drug_names" / Prefixed(Int16ul, GreedyBytes),
    "caps" / PrefixedArray(Int8ul, Cap),
)
"""The device's own reading of a staged program: what the operator confirms. It is computed by the dose guard's reading
of the program, and the pump refuses a program that its schedule reads otherwise.

All are rounded down to whole units. `daily_*` is the largest day of the basal (of the week's patterns, of a titration)
with its periodic boluses; `hour_dose_ng` its largest hour of basal; `weekly_dose_ng` seven days by the calendar (a
titration: seven of its largest); `periodic_dose_ng` and `patient_dose_ng` what a day's periodic boluses and all
allotted patient boluses add (the first is in `daily_*`, the second is not); `bridge_ms` how long the bridge takes
without boluses. `refill_days` counts from a reservoir filled with `reservoir_steps` and every patient bolus taken."""

MESSAGES: Final = (
    Message(
        0x01,
        "hello",
        "none",
        Struct("protocol_min" / Int8ul, "protocol_max" / Int8ul),
        Hello,
        False,
        "Who is there: protocol, schema, device, firmware. Frozen for ever.",
    ),
    Message(
        0x02,
        "session_open",
        "none",
        Struct("role" / Role, "host" / Bytes(4), "nonce" / Bytes(NONCE_BYTES)),
        Struct(
            "nonce" / Bytes(NONCE_BYTES),
            "boot_count" / Int32ul,
            "idle_ms" / Int32ul,
            "counter" / Int32ul,
            "journal_next" / Int32ul,
            "chain" / Bytes(CHAIN_BYTES),
        ),
        False,
        "Ask for a session in `role`. The reply bears its id and the first tag; the first tagged frame opens it.",
    ),
    Message(
        0x03,
        "session_close",
        "operator",
        _EMPTY,
        Struct("journal_next" / Int32ul, "chain" / Bytes(CHAIN_BYTES)),
        False,
        "End the session; what it staged and did not commit is dropped.",
    ),
    Message(0x10, "status", "observer", _EMPTY, Status, False, "What the pump does now."),
    Message(
        0x20,
        "program_begin",
        "programmer",
        Struct("length" / Int16ul, "program_hash" / Bytes(16)),
        Struct("length" / Int16ul),
        False,
        "Open a stage for a program of `length` bytes whose SHA-256 begins with `program_hash`; drops an older stage.",
    ),
    Message(
        0x21,
        "program_chunk",
        "programmer",
        Struct("offset" / Int16ul, "data" / Prefixed(Int16ul, GreedyBytes)),
        Struct("received" / Int16ul),
        False,
        "Bytes of the staged program; repeats of what has arrived are accepted, gaps are not.",
    ),
    Message(
        0x22,
        "program_verify",
        "programmer",
        _EMPTY,
        Reading,
        False,
        "The device checks the stage by itself and answers with its own reading of it.",
    ),
    Message(
        0x23,
        "program_commit",
        "programmer",
        Struct(*_COMMAND, "program_hash" / Bytes(16)),
        Outcome,
        True,
        "Bring the verified stage into force. The old program runs until the new one is durable.",
    ),
    Message(0x24, "program_abort", "programmer", _EMPTY, Struct("dropped" / Int8ul), False, "Drop the stage."),
    Message(
        0x25,
        "program_read",
        "observer",
        Struct("offset" / Int16ul),
        Struct("generation" / Int32ul, "length" / Int16ul, "offset" / Int16ul, "data" / Prefixed(Int16ul, GreedyBytes)),
        False,
        "Bytes of the program that is in force, from `offset`.",
    ),
    Message(0x30, "start", "operator", Struct(*_COMMAND), Outcome, True, "Start delivery."),
    Message(
        0x31,
        "stop",
        "none",
        Struct(*_COMMAND),
        Outcome,
        True,
        "Stop delivery and cancel a running bolus. Frozen for ever: taken from anyone, also for the device id of zeros "
        "and under any version. Without a session its body is empty and the outcome's counter 0; it belongs to no "
        "host, and on a stopped pump it writes nothing. In a session a repeat stops again.",
    ),
    Message(
        0x32,
        "bolus",
        "operator",
        Struct(*_COMMAND, "steps" / Int32ul, *_COMPUTED_FROM),
        Outcome,
        True,
        "Deliver a single bolus on top of the basal.",
    ),
    Message(0x33, "bolus_cancel", "operator", Struct(*_COMMAND), Outcome, True, "End the running bolus."),
    Message(
        0x34,
        "refill",
        "operator",
        Struct(
            *_COMMAND,
            "steps" / Int32ul,
            "withdrawn_steps" / Int32ul,
            "step_nl_num" / Int32ul,
            "step_nl_den" / Int32ul,
        ),
        Outcome,
        True,
        "State what the reservoir holds now, and what was withdrawn before it was filled (0xFFFFFFFF: not measured).",
    ),
    Message(
        0x35,
        "outcome",
        "operator",
        Struct(*_COMMAND),
        Outcome,
        False,
        "Ask for the outcome of a command of the session's host. Never carries anything out.",
    ),
    Message(
        0x36,
        "alarm_clear",
        "operator",
        Struct(*_COMMAND, "alarms" / PrefixedArray(Int8ul, Alarm)),
        Outcome,
        True,
        "Clear latched alarms whose cause is gone; clearing the last fault leaves the safe state, stopped.",
    ),
    Message(
        0x37,
        "patient_bolus",
        "operator",
        Struct(*_COMMAND),
        Outcome,
        True,
        "The patient asks for a bolus: refused within the lockout, beyond the count of 24 hours, or when it does not "
        "fit.",
    ),
    Message(
        0x38,
        "square_bolus",
        "operator",
        Struct(*_COMMAND, "steps" / Int32ul, "duration_ms" / Int32ul, *_COMPUTED_FROM),
        Outcome,
        True,
        "Deliver a dose evenly over a time, on top of the basal; it waits while another bolus runs.",
    ),
    Message(0x39, "square_cancel", "operator", Struct(*_COMMAND), Outcome, True, "End the square bolus."),
    Message(
        0x3A,
        "prime_arm",
        "programmer",
        Struct(*_COMMAND, "steps" / Int32ul, "path_version" / Int16ul),
        Outcome,
        True,
        "First of two acts: arm a priming bolus of this volume from this version of the path table, while stopped.",
    ),
    Message(
        0x3B,
        "prime",
        "programmer",
        Struct(*_COMMAND, "steps" / Int32ul, *_COMPUTED_FROM),
        Outcome,
        True,
        "Second of two acts: deliver the priming bolus that was armed less than a minute ago.",
    ),
    Message(
        0x3C,
        "alarm_silence",
        "operator",
        Struct(*_COMMAND, "ms" / Int32ul),
        Outcome,
        True,
        "Silence the tones of the alarms that are on; they sound again after that time, or with a new alarm.",
    ),
    Message(
        0x3D,
        "patency",
        "operator",
        Struct(*_COMMAND, "steps" / Int32ul),
        Outcome,
        True,
        "Deliver the test volume of a patency check while stopped: at most what the profile allows, counted as drug.",
    ),
    Message(
        0x3E,
        "dose_windows_set",
        "programmer",
        Struct(
            *_COMMAND,
            "rows"
            / PrefixedArray(
                Int8ul,
                Struct("drug" / Int8ul, "minutes" / Int16ul, "ng" / Int32ul, "age_minutes" / Int16ul),
            ),
        ),
        Outcome,
        True,
        "Carry over what a replaced pump gave: `ng` of a drug within `minutes`, which ended `age_minutes` ago.",
    ),
    Message(
        0x40,
        "clock_set",
        "operator",
        Struct(*_COMMAND, "local_days" / Int16ul, "local_ms" / Int32ul),
        Outcome,
        True,
        "Set the local calendar: days since 2000-01-01 and milliseconds of that day.",
    ),
    Message(
        0x41,
        "implant",
        "programmer",
        Struct(*_COMMAND, "local_days" / Int16ul),
        Outcome,
        True,
        "State once the local date of implant, in days since 2000-01-01: the service life counts from it.",
    ),
    Message(
        0x50,
        "journal_info",
        "observer",
        _EMPTY,
        Struct("first" / Int32ul, "next" / Int32ul, "chain" / Bytes(CHAIN_BYTES)),
        False,
        "Which records the journal holds, and the chain value of the newest.",
    ),
    Message(
        0x51,
        "journal_read",
        "observer",
        Struct("first" / Int32ul, "count" / Int8ul),
        Struct("first" / Int32ul, "records" / Prefixed(Int16ul, GreedyBytes)),
        False,
        "Records from `first` on, as many as fit into one body.",
    ),
    Message(
        0x52,
        "fault_info",
        "observer",
        _EMPTY,
        Struct("first" / Int32ul, "next" / Int32ul, "chain" / Bytes(CHAIN_BYTES)),
        False,
        "Which records the fault ring holds, and the chain value of the newest.",
    ),
    Message(
        0x53,
        "fault_read",
        "observer",
        Struct("first" / Int32ul, "count" / Int8ul),
        Struct("first" / Int32ul, "records" / Prefixed(Int16ul, GreedyBytes)),
        False,
        "Records of the fault ring from `first` on: copies of the journal's, whose last word names the record.",
    ),
    Message(
        0x54,
        "journal_stream",
        "observer",
        Struct(
            "stream" / Int8ul, "first" / Int32ul, "until" / Int32ul, "coding" / Coding, "chain" / Bytes(CHAIN_BYTES)
        ),
        Struct(
            "stream" / Int8ul,
            "first" / Int32ul,
            "chain" / Bytes(CHAIN_BYTES),
            "data" / Prefixed(Int16ul, GreedyBytes),
        ),
        False,
        "Records from `first` on in many replies, none of which begins at `until` or behind; asked again, it goes on.",
    ),
    Message(
        0x60,
        "selftest",
        "observer",
        _EMPTY,
        Struct(
            "boot_ms" / Int32ul,
            "retest_ms" / Int32ul,
            "results" / PrefixedArray(Int8ul, Struct("test" / Test, "result" / TestResult, "detail" / Int32ul)),
        ),
        False,
        "Results of the self-tests: how long those of the boot took, how long ago the last round was, each by name.",
    ),
    Message(
        0x61,
        "counters",
        "observer",
        _EMPTY,
        Struct(
            "up_minutes" / Int32ul,
            "steps" / Int32ul,
            "wakes_delivery" / Int32ul,
            "wakes_sensors" / Int32ul,
            "wakes_watchdog" / Int32ul,
            "wakes_link" / Int32ul,
            "wakes_other" / Int32ul,
            "tones" / Int32ul,
            "records" / Int32ul,
        ),
        False,
        "What the pump spent its energy on since its boot: steps, wakes by cause, tones, journal records.",
    ),
    Message(
        0x62,
        "memory",
        "observer",
        _EMPTY,
        Struct(
            "routine_first" / Int32ul,
            "routine_next" / Int32ul,
            "routine_sectors" / Int16ul,
            "routine_opened" / Int32ul,
            "routine_voids" / Int16ul,
            "routine_damaged" / Int16ul,
            "fault_first" / Int32ul,
            "fault_next" / Int32ul,
            "fault_sectors" / Int16ul,
            "fault_opened" / Int32ul,
            "fault_voids" / Int16ul,
            "fault_damaged" / Int16ul,
            "program_generation" / Int32ul,
            "program_mended" / Int16ul,
        ),
        False,
        "What the flash holds, how often its sectors were opened (erased), and what the last boot found amiss.",
    ),
    Message(
        0x63,
        "sensors",
        "observer",
        _EMPTY,
        Struct(
            "sensors"
            / PrefixedArray(
                Int8ul, Struct("sensor" / Sensor, "state" / SensorState, "raw_mv" / Int16ul, "value" / Int32ul)
            ),
        ),
        False,
        "A sample of every sensor that is fitted: battery and air in mV, level in steps, absolute pressure in Pa, "
        "temperature in mK, flow in counts; `value` is the last that could be used, of battery and level a mean; "
        "0xFFFFFFFF: there is none.",
    ),
    Message(
        0x64,
        "service",
        "observer",
        _EMPTY,
        Struct(
            "implant_days" / Int32ul,
            "cap_days" / Int32ul,
            "replacement_days" / Int32ul,
            "replacement_left_ms" / Int32ul,
            "replacement_left_days" / Int32ul,
            "filled_age_days" / Int32ul,
        ),
        False,
        "Dates of the pump's service as days since 2000-01-01: implant, the cap of its service life, the elective "
        "replacement indicator; what is left of the 90 days after it; how many days ago the reservoir was filled. "
        "0xFFFFFFFF: unknown, or there is none.",
    ),
    Message(
        0x70,
        "telemetry_table",
        "observer",
        _EMPTY,
        Struct("checksum" / Bytes(CRC_BYTES), "text" / Prefixed(Int16ul, GreedyBytes)),
        False,
        "What can be subscribed: one line for each field, with name, unit and type.",
    ),
    Message(
        0x71,
        "telemetry_subscribe",
        "observer",
        Struct("checksum" / Bytes(CRC_BYTES), "fields" / Int32ul, "period_ms" / Int32ul, "lasts_ms" / Int32ul),
        Struct(
            "number" / Int32ul,
            "skipped" / Int32ul,
            "day" / Int16ul,
            "ms" / Int32ul,
            "values" / PrefixedArray(Int8ul, Struct("value" / Int32ul)),
        ),
        False,
        "A sample of the chosen fields now and every `period_ms`, for `lasts_ms`; asked again, it lasts longer.",
    ),
)
"""All messages, in order of their type."""
