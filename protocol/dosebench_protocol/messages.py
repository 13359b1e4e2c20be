"""Every message between a host and the pump, defined once.

Only a subset of `construct` is allowed here, one that a microcontroller decodes with `struct` alone: little-endian
integers of fixed width, enumerations and flags over them, bytes of fixed length, length-prefixed bytes and bounded
arrays of flat structs. `dosebench_protocol.generate` refuses anything else.

Rules that keep old hosts and new devices talking:

* type numbers are append-only, in blocks of 16 by area; a reply has the number of its request with bit 7 set;
* new fields go to the end of a body; a decoder ignores bytes after the last field that it knows;
* `hello` is frozen for ever, so that a mismatch can always be explained.

Units are in the names: `_ms` milliseconds, `_ng` nanograms of drug, `_nl` nanolitres, `_steps` motor steps, `_mv`
millivolts, `_days` days. A pair `x_num`, `x_den` is the fraction x_num / x_den with both at most `FRACTION_MAX`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from construct import (
    Bytes,
    Construct,
    Enum,
    FlagsEnum,
    GreedyBytes,
    Int8ul,
    Int16ul,
    Int32ul,
    Prefixed,
    PrefixedArray,
    Struct,
)

PROTOCOL_VERSION: Final = 1
"""Version in the first byte of every frame."""

FRACTION_MAX: Final = 1 << 29
"""Largest numerator or denominator of a rate: sums of two stay below 2^30, the small-int range of 32-bit boards."""

COUNT_MAX: Final = (1 << 30) - 1
"""Largest count (steps, nanograms, records, commands) that the firmware handles without a heap integer."""

BODY_BYTES_MAX: Final = 1024
"""Longest message body, in bytes."""

RECORD_BYTES: Final = 40
"""Length of one journal record, in bytes."""

CHAIN_BYTES: Final = 8
"""Length of the truncated SHA-256 that chains each journal record to the one before it."""

THERAPY_BYTES_MAX: Final = 3072
"""Longest encoded therapy, in bytes."""

CHUNK_BYTES_MAX: Final = 256
"""Most therapy bytes that one `therapy_chunk` carries."""

Header = Struct(
    "version" / Int8ul,
    "type" / Int8ul,
    "device" / Bytes(4),
    "session" / Bytes(4),
    "sequence" / Int32ul,
    "length" / Int16ul,
)
"""First bytes of every frame; `length` counts the body alone."""

HEADER_BYTES: Final = 16
"""Length of the header, in bytes."""

TAG_BYTES: Final = 16
"""Length of an authentication tag, in bytes."""

NONCE_BYTES: Final = 16
"""Length of what each side adds to a new session so that no two are alike, in bytes."""

KEY_BYTES: Final = 32
"""Length of a role's key, in bytes: as long as the hash."""

SESSION_IDLE_MS: Final = 120_000
"""How long a session stays open without a frame, in milliseconds (chosen): as long as a staged therapy waits for its
commit, so that a person can read and confirm it."""

OFFER_MS: Final = 10_000
"""How long the device waits for the first frame of a session that it offered, in milliseconds (chosen): three replies
of the slowest kind."""

CRC_BYTES: Final = 4
"""Length of the CRC-32, in bytes."""

PLAIN_BYTES_MAX: Final = HEADER_BYTES + BODY_BYTES_MAX + TAG_BYTES + CRC_BYTES
"""Longest frame before COBS, in bytes."""

FRAME_BYTES_MAX: Final = PLAIN_BYTES_MAX + -(-PLAIN_BYTES_MAX // 254) + 1
"""Longest frame on the wire, in bytes, with COBS overhead and delimiter."""

Role = Enum(Int8ul, none=0, observer=1, operator=2, programmer=3, service=4)
"""Who may send a message; each role may send what the ones before it may."""

ResetCause = Enum(Int8ul, unknown=0, power_on=1, brown_out=2, watchdog=3, software=4)

FLEX_STEPS_MAX: Final = 48
"""Most steps of one flex day pattern."""

PATTERNS_MAX: Final = 7
"""Most flex day patterns of a therapy: one for each weekday."""

RATES_MAX: Final = 64
"""Most different rates of a therapy's flex patterns and titration."""

CAPS_MAX: Final = 4
"""Most rolling dose caps of a therapy."""

CAP_MINUTES_MAX: Final = 2880
"""Longest window of a dose cap, in minutes."""

TITRATION_STEPS_MAX: Final = 64
"""Most steps of a titration."""

PATIENT_BOLUSES_MAX: Final = 24
"""Most patient boluses in 24 hours."""

PRIME_ARMED_MS: Final = 60_000
"""How long a priming bolus stays armed."""

Mode = Enum(Int8ul, stopped=0, minimum_rate=1, continuous=2, flex=3, titration=4)
"""Infusion mode of a therapy (its basal part)."""

Delivery = Enum(Int8ul, unprogrammed=0, stopped=1, running=2, safe=3)
"""What the pump does now. `safe` waits for a person: see the alarms."""

StopReason = Enum(Int8ul, none=0, command=1, reservoir_empty=2, fault=3, mode=4, never_started=5)

OnLow = Enum(Int8ul, keep=0, minimum_rate=1, stop=2)
"""What a low reservoir does to the basal rate."""

OnCap = Enum(Int8ul, minimum_rate=0, stop=1)
"""Basal rate after a dose cap was reached, until the alarm is cleared; always as far as every window has room."""

BolusKind = Enum(Int8ul, none=0, clinician=1, patient=2, periodic=3, priming=4, patency=5)
"""What the running bolus is. Only one runs at a time; a square bolus waits for it."""

RefillLimit = Enum(Int8ul, volume=0, stability=1, cap=2, none=3)

Alarm = FlagsEnum(
    Int32ul,
    reservoir_low=1,
    reservoir_empty=2,
    motor_stall=4,
    motor_runaway=8,
    therapy_lost=16,
    journal_damaged=32,
    dose_cap=64,
    clock_unknown=128,
    guard_disagrees=256,
    battery_low=512,
    missed_volume=1024,
    flash_failed=2048,
    reservoir_disagrees=4096,
    occlusion=8192,
    leak=16384,
    free_flow=32768,
    over_infusion=65536,
    under_infusion=131072,
    air=262144,
    over_temperature=524288,
    sensor_fault=1048576,
    elective_replacement=2097152,
    battery_empty=4194304,
    end_of_service=8388608,
    pump_stopped=16777216,
    alarm_repeated=33554432,
    resets_repeated=67108864,
    selftest_failed=134217728,
    refill_mismatch=268435456,
)
"""Bits below 2^30. What each alarm means and does is in `dosebench_protocol.alarms`."""

Priority = Enum(Int8ul, none=0, low=1, medium=2, high=3)
"""Priority of an alarm, and of the one that is annunciated."""

Test = Enum(
    Int8ul,
    code=0,
    settings=1,
    therapy=2,
    journal=3,
    memory=4,
    clock=5,
    watchdog=6,
    driver=7,
    tone=8,
    battery=9,
    sensors=10,
)
"""What the pump tests about itself, at power-on and again while it runs."""

TestResult = Enum(Int8ul, not_run=0, passed=1, failed=2, not_fitted=3)

Sensor = Enum(Int8ul, battery=0, level=1, pressure=2, temperature=3, air=4, flow=5)
"""What the pump senses; the first five are channels of its converter, the last is the flow meter."""

SensorState = Enum(Int8ul, ok=0, open=1, short=2, stuck=3)

RefillFlag = Enum(Int8ul, agrees=0, too_little=1, too_much=2, not_judged=3)
"""What a withdrawn volume says of the delivery since the refill before: as the steps say, less, more, or nothing
because too little was delivered to tell."""

Reason = Enum(
    Int8ul,
    done=0,
    # 1..15: the frame or the message
    malformed=1,
    unknown_type=2,
    wrong_device=3,
    wrong_version=4,
    role=5,
    too_long=6,
    busy=7,
    no_session=8,
    bad_tag=9,
    replayed=10,
    unpaired=11,
    session_busy=12,
    backing_off=13,
    # 16..31: the command id
    counter_used=16,
    counter_old=17,
    outcome_unknown=18,
    # 32..63: therapy transfer and validation
    no_stage=32,
    stage_gap=33,
    stage_incomplete=34,
    stage_hash=35,
    not_verified=36,
    therapy_format=37,
    therapy_fraction=38,
    therapy_mode=39,
    rate_below_minimum=40,
    rate_above_maximum=41,
    step_volume=42,
    reservoir_size=43,
    bolus_size=44,
    bolus_rate=45,
    cap_missing=46,
    cap_below_basal=47,
    cap_above_hard=48,
    concentration=49,
    level_order=50,
    flex_order=51,
    flex_rate=52,
    titration_order=53,
    titration_change=54,
    bridge=55,
    cap_window=56,
    patient_bolus=57,
    periodic_bolus=58,
    priming=59,
    weekday=60,
    readings_differ=61,
    # 64..95: delivery
    not_programmed=64,
    already_running=65,
    already_stopped=66,
    not_running=67,
    safe_state=68,
    reservoir_empty=69,
    bolus_running=70,
    bolus_over_maximum=71,
    bolus_over_cap=72,
    bolus_zero=73,
    no_bolus=74,
    lockout=75,
    patient_count=76,
    no_patient_bolus=77,
    square_running=78,
    square_over_maximum=79,
    square_rate=80,
    no_square=81,
    priming_not_armed=82,
    priming_volume=83,
    priming_path=84,
    still_running=85,
    # 96..: clock, journal, alarms
    clock_value=96,
    record_gone=97,
    record_future=98,
    alarm_present=99,
    flash_failed=100,
    silence_time=101,
    start_blocked=102,
    no_alarm=103,
    implanted=104,
    implant_date=105,
    # 112..: streams
    chain_differs=112,
    table_differs=113,
    too_often=114,
)
"""Why a request was refused. `dosebench.reasons` holds the sentence that goes with each."""

RecordKind = Enum(
    Int8ul,
    boot=1,
    lease=2,
    close=3,
    start=16,
    stop=17,
    bolus=18,
    bolus_end=19,
    bolus_cancel=20,
    refill=21,
    patient_bolus=22,
    periodic_bolus=23,
    square=24,
    square_end=25,
    square_cancel=26,
    prime_arm=27,
    prime=28,
    silence=29,
    refill_check=30,
    patency=31,
    commit=32,
    stage_dropped=33,
    worth=34,
    clock=48,
    implant=49,
    alarm_raised=64,
    alarm_cleared=65,
    missed=66,
    torn=67,
    alarm_ended=68,
    watchdog_test=69,
    selftest=70,
    service=71,
    refused=80,
    distrusted=81,
    state=96,
    host=97,
    identity=98,
    windows=99,
    patient_times=100,
    host_done=101,
    host_refused=102,
    calendar=103,
    mended=104,
    filled=105,
    counter_floor=110,
)

Coding = Enum(Int8ul, whole=0, delta=1)
"""How `journal_stream` packs its records."""

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
"""One journal record. `day` and `ms` are pump time since commissioning; the meaning of `code` and `a`..`e` by kind is
in `dosebench_protocol.kinds`."""

Cap = Struct("minutes" / Int16ul, "ng" / Int32ul)
"""No more than `ng` in any window of `minutes`."""

Rate = Struct("num" / Int32ul, "den" / Int32ul)
"""Steps per millisecond."""

FlexStep = Struct("pattern" / Int8ul, "minute" / Int16ul, "rate" / Int8ul)
"""From `minute` of the day on, day pattern `pattern` runs at rate number `rate`."""

TitrationStep = Struct("day" / Int16ul, "rate" / Int8ul)
"""From day `day` of delivery on (the first is 0), the basal is rate number `rate`."""

Therapy = Struct(
    "format" / Int8ul,
    "therapy_id" / Bytes(8),
    "drug" / Prefixed(Int8ul, GreedyBytes),
    "step_ng_num" / Int32ul,
    "step_ng_den" / Int32ul,
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
    "bridge_steps" / Int32ul,
    "bridge_num" / Int32ul,
    "bridge_den" / Int32ul,
    "bridge_ng_num" / Int32ul,
    "bridge_ng_den" / Int32ul,
    "change_permille_max" / Int16ul,
    "weekdays" / Bytes(7),
    "caps" / PrefixedArray(Int8ul, Cap),
    "rates" / PrefixedArray(Int8ul, Rate),
    "flex" / PrefixedArray(Int16ul, FlexStep),
    "titration" / PrefixedArray(Int8ul, TitrationStep),
)
"""A therapy as the pump stores it. Rates are in steps per millisecond; `step_ng` is the drug in one step, `step_nl` its
volume. `reservoir_steps` is what the regimen was filled with: the first therapy of a pump that was never filled takes
it as the content.

What a therapy does not use is zero: `patient_steps`, `periodic_steps`, `prime_steps_max`, `bridge_steps`,
`square_steps_max`, `bolus_steps_max` and the fractions that go with them. While `bridge_steps` are pumped after the
commit, the basal runs at `bridge`, and each step holds `bridge_ng` of drug: the old concentration, still in pump path
and catheter. `weekdays` names the day pattern of Monday to Sunday; each pattern begins at minute 0, and `flex` is in
order of pattern and minute. A periodic bolus is due every `periodic_ms` of delivery, for the first time one period
after the start. `change_permille_max` bounds each rate of a titration to so many thousandths more than the one before
it; 0 is no bound. `path_version` is the version of the table from which the volumes of pump path and catheter were
taken."""

THERAPY_FORMAT: Final = 1

_EMPTY = Struct()
_COMMAND = ("host" / Bytes(4), "counter" / Int32ul)


@dataclass(frozen=True)
class Message:
    """One request and its reply.

    Attributes:
        type: Number in the frame, 0 to 127; the reply has `type | 0x80`.
        name: Name in the generated code and in transcripts.
        role: Least role that may send it.
        request: Body of the request.
        reply: Body of the reply.
        changes_state: Whether it carries a command id (`host`, `counter`) and is carried out at most once.
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
"""What became of a command: `reason` done or why not, what was `accepted` (steps of a bolus, generation of a commit),
the interval of delivered lifetime steps when it was decided, and the journal record that holds it."""

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
    "alarms" / Alarm,
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
    "window_ng" / PrefixedArray(Int8ul, Struct("minutes" / Int16ul, "ng" / Int32ul, "ng_max" / Int32ul)),
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
)
"""What the pump does now. `priority` is that of the alarm that is annunciated, `silenced_ms` how long its tone is still
silenced. `empty_minutes` is how long the reservoir lasts at the rate that runs, or would run after a start, with what a
bolus under way still takes (R25); 2^30 - 1 where nothing flows. `stopped_ms` is how long a programmed pump has been
stopped, at most 2^29 - 1.

`paired` says whether the pump has keys; `session_role` is that of the open control session, and `session_left_ms` how
long it lasts without another frame. Frames that were sound and not trusted, since the boot: `bad_tags` (the tag did not
fit), `replays` (its number was used before), `sessionless` (it needed a session and named none that is open)."""

Reading = Struct(
    "therapy_id" / Bytes(8),
    "program_hash" / Bytes(16),
    "mode" / Mode,
    "drug" / Prefixed(Int8ul, GreedyBytes),
    "daily_steps" / Int32ul,
    "daily_dose_ng" / Int32ul,
    "daily_volume_nl" / Int32ul,
    "hour_dose_ng" / Int32ul,
    "refill_days" / Int16ul,
    "refill_limit" / RefillLimit,
    "bolus_steps_max" / Int32ul,
    "weekly_dose_ng" / Int32ul,
    "periodic_dose_ng" / Int32ul,
    "patient_dose_ng" / Int32ul,
    "bridge_ms" / Int32ul,
    "caps" / PrefixedArray(Int8ul, Cap),
)
"""The device's own reading of a staged therapy: what the operator confirms. It is computed by the dose guard's reading
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
        "therapy_begin",
        "programmer",
        Struct("length" / Int16ul, "program_hash" / Bytes(16)),
        Struct("length" / Int16ul),
        False,
        "Open a stage for a therapy of `length` bytes whose SHA-256 begins with `program_hash`; drops an older stage.",
    ),
    Message(
        0x21,
        "therapy_chunk",
        "programmer",
        Struct("offset" / Int16ul, "data" / Prefixed(Int16ul, GreedyBytes)),
        Struct("received" / Int16ul),
        False,
        "Bytes of the staged therapy; repeats of what has arrived are accepted, gaps are not.",
    ),
    Message(
        0x22,
        "therapy_verify",
        "programmer",
        _EMPTY,
        Reading,
        False,
        "The device checks the stage by itself and answers with its own reading of it.",
    ),
    Message(
        0x23,
        "therapy_commit",
        "programmer",
        Struct(*_COMMAND, "program_hash" / Bytes(16)),
        Outcome,
        True,
        "Make the verified stage the therapy. The old one runs until the new one is durable.",
    ),
    Message(0x24, "therapy_abort", "programmer", _EMPTY, Struct("dropped" / Int8ul), False, "Drop the stage."),
    Message(
        0x25,
        "therapy_read",
        "observer",
        Struct("offset" / Int16ul),
        Struct("generation" / Int32ul, "length" / Int16ul, "offset" / Int16ul, "data" / Prefixed(Int16ul, GreedyBytes)),
        False,
        "Bytes of the therapy that is in force, from `offset`.",
    ),
    Message(0x30, "start", "operator", Struct(*_COMMAND), Outcome, True, "Start delivery of the therapy."),
    Message(
        0x31,
        "stop",
        "none",
        Struct(*_COMMAND),
        Outcome,
        True,
        "Stop delivery and cancel a running bolus. Taken from anyone; a repeat stops again.",
    ),
    Message(
        0x32,
        "bolus",
        "operator",
        Struct(*_COMMAND, "steps" / Int32ul),
        Outcome,
        True,
        "Deliver a single bolus on top of the basal.",
    ),
    Message(0x33, "bolus_cancel", "operator", Struct(*_COMMAND), Outcome, True, "End the running bolus."),
    Message(
        0x34,
        "refill",
        "operator",
        Struct(*_COMMAND, "steps" / Int32ul, "withdrawn_steps" / Int32ul),
        Outcome,
        True,
        "State what the reservoir holds now, and what was withdrawn before it was filled (0xFFFFFFFF: not measured).",
    ),
    Message(
        0x35,
        "outcome",
        "observer",
        Struct(*_COMMAND),
        Outcome,
        False,
        "Ask what became of a command. Never carries anything out.",
    ),
    Message(
        0x36,
        "alarm_clear",
        "operator",
        Struct(*_COMMAND, "alarms" / Alarm),
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
        Struct(*_COMMAND, "steps" / Int32ul, "duration_ms" / Int32ul),
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
        Struct(*_COMMAND, "steps" / Int32ul),
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
        "Records of the fault ring from `first` on: copies of the journal's, which name their record in `e`.",
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
            "therapy_generation" / Int32ul,
            "therapy_mended" / Int16ul,
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
        "temperature in mK, flow in counts; `value` is the last that could be used, of battery and level a mean.",
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
