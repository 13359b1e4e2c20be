"""What both ends of the line agree on before any message: limits, and what numbers and bits mean.

The messages, records and programs that are made of these are in `messages`. Numbers are append-only: none gets another
meaning. Units are in the names, as there.
"""

from __future__ import annotations

from typing import Final

from construct import Enum, Int8ul

PROTOCOL_VERSION: Final = 2
"""Version in the first byte of every frame."""

FRACTION_MAX: Final = 1 << 29
"""Largest numerator or denominator of a rate. Two of them add up to 2^30, one more than a small int of a 32-bit board
holds: arithmetic takes something away before it adds the second one."""

COUNT_MAX: Final = (1 << 30) - 1
"""Largest count (steps, nanograms, records, commands) that the firmware handles without a heap integer."""

BODY_BYTES_MAX: Final = 1024
"""Longest message body, in bytes."""

RECORD_BYTES: Final = 40
"""Length of one journal record, in bytes."""

CHAIN_BYTES: Final = 8
"""Length of the truncated SHA-256 that chains each journal record to the one before it."""

PROGRAM_BYTES_MAX: Final = 3072
"""Longest encoded program, in bytes."""

CHUNK_BYTES_MAX: Final = 256
"""Most program bytes that one `program_chunk` carries."""

HEADER_BYTES: Final = 16
"""Length of the header, in bytes."""

TAG_BYTES: Final = 16
"""Length of an authentication tag, in bytes."""

NONCE_BYTES: Final = 16
"""Length of what each side adds to a new session so that no two are alike, in bytes."""

KEY_BYTES: Final = 32
"""Length of a role's key, in bytes: as long as the hash."""

SESSION_IDLE_MS: Final = 120_000
"""How long a session stays open without a frame, in milliseconds (chosen): as long as a staged program waits for its
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
"""Most flex day patterns of a program: one for each weekday."""

RATES_MAX: Final = 64
"""Most different rates of a program's flex patterns and titration."""

DRUGS_MAX: Final = 4
"""Most drugs of a program: what a step holds of each is counted apart."""

CAPS_MAX: Final = 12
"""Most rolling dose caps of a program, those of all its drugs together."""

GUARD_CAPS_MAX: Final = 8
"""Most caps that a pump accepts: its dose guard has a window for each, and a window takes half a kilobyte."""

CAP_MINUTES_MAX: Final = 2880
"""Longest window of a dose cap, in minutes."""

TITRATION_STEPS_MAX: Final = 64
"""Most steps of a titration."""

PATIENT_BOLUSES_MAX: Final = 24
"""Most patient boluses in 24 hours."""

PRIME_ARMED_MS: Final = 60_000
"""How long a priming bolus stays armed."""

LATCHED_MAX: Final = 16
"""Most alarms that are on at once. When another one comes, the least urgent that does not stop the pump gives way."""

HASH_HEAD_BYTES: Final = 8
"""How many bytes of the program hash a command names the program by that it was computed from."""

Mode = Enum(Int8ul, stopped=0, minimum_rate=1, continuous=2, flex=3, titration=4)
"""Infusion mode of a program (its basal part)."""

Delivery = Enum(Int8ul, unprogrammed=0, stopped=1, running=2, safe=3)
"""What the pump does now. `safe` waits for a person: see the alarms."""

StopReason = Enum(Int8ul, none=0, command=1, reservoir_empty=2, fault=3, mode=4, never_started=5)

OnLow = Enum(Int8ul, keep=0, minimum_rate=1, stop=2)
"""What a low reservoir does to the basal rate."""

OnCap = Enum(Int8ul, minimum_rate=0, stop=1)
"""Basal rate after a dose cap was reached, until the alarm is cleared; always as far as every window has room."""

BolusKind = Enum(Int8ul, none=0, clinician=1, patient=2, periodic=3, priming=4, patency=5)
"""What the running bolus is. Only one runs at a time; a square bolus waits for it."""

EndReason = Enum(Int8ul, completed=0, cancelled=1, cap=2, stopped=3, fault=4, empty=5, reset=6)
"""Why a bolus ended: delivered as asked, cancelled, cut by a dose cap, with a stop, with an alarm, with an empty
reservoir, or with a reset."""

RefillLimit = Enum(Int8ul, volume=0, stability=1, cap=2, none=3)

Alarm = Enum(
    Int8ul,
    none=0,
    reservoir_low=1,
    reservoir_empty=2,
    motor_stall=3,
    motor_runaway=4,
    therapy_lost=5,
    journal_damaged=6,
    dose_cap=7,
    clock_unknown=8,
    guard_disagrees=9,
    battery_low=10,
    missed_volume=11,
    flash_failed=12,
    reservoir_disagrees=13,
    occlusion=14,
    leak=15,
    free_flow=16,
    over_infusion=17,
    under_infusion=18,
    air=19,
    over_temperature=20,
    sensor_fault=21,
    elective_replacement=22,
    battery_empty=23,
    end_of_service=24,
    pump_stopped=25,
    alarm_repeated=26,
    resets_repeated=27,
    selftest_failed=28,
    refill_mismatch=29,
    therapy_unfit=30,
)
"""Numbers up to 255. What each alarm means and does is in `dosebench_protocol.alarms`."""

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
    not_supported=14,
    # 16..31: the command id
    counter_used=16,
    counter_old=17,
    outcome_unknown=18,
    # 32..63: transfer and validation of a program
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
    drug_count=62,
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
    program_differs=86,
    amount_differs=87,
    step_volume_differs=88,
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
    journal_of_another_version=106,
    # 112..: streams
    chain_differs=112,
    table_differs=113,
    too_often=114,
)
"""Why a request was refused. `dosebench.link.reasons` holds the sentence that goes with each."""

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
    dose_window=35,
    dose_windows_set=36,
    clock=48,
    implant=49,
    calibration=50,
    alarm_raised=64,
    alarm_cleared=65,
    missed=66,
    torn=67,
    alarm_ended=68,
    watchdog_test=69,
    selftest=70,
    service=71,
    alarm_displaced=72,
    clear_list=73,
    stall_recovered=74,
    refused=80,
    distrusted=81,
    state=96,
    # 97 was the record of a host in earlier formats
    identity=98,
    windows=99,
    patient_times=100,
    host_done=101,
    host_refused=102,
    calendar=103,
    mended=104,
    filled=105,
    latched=106,
    path=107,
    path_worth=108,
    seal=109,
    counter_floor=110,
    procedure_begun=112,
    procedure_ended=113,
)

SealCause = Enum(Int8ul, sector=0, session=1)
"""Why the journal was sealed: a sector begins, or a session ended."""

Coding = Enum(Int8ul, whole=0, delta=1)
"""How `journal_stream` packs its records."""
