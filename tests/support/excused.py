"""Attributes of the pump's parts that no class declares as checked, and the reason why each may change unnoticed.

A part that decides what moves declares its attributes with `checked()`, or a check of its own runs with every change.
`"*"` excuses a whole class that decides nothing.
"""

from __future__ import annotations

from typing import Final

_STEPS: Final = "changes with each step; "
_FRAME: Final = "holds one frame or a stream of them, which the host judges by CRC, tag and chain"
_BOOT: Final = "is shown to the host and decides nothing after the boot"
_TURN: Final = "is made anew in each turn before it is used"
_SAMPLES: Final = "follows the next samples, and stops nothing that the guard permits"

EXCUSED: Final[dict[str, dict[str, str]]] = {
    # Dosing
    "Track": {"num den acc _crumb _check": _STEPS + "advance() compares it with a complement before it uses it"},
    "Schedule": {
        "bolus_left bolus_made _bolus_all square_left square_made _square_all": _STEPS
        + "the schedule adds it up, and the check of RAM compares it with the facts",
        "periodic_ms _periodic_passed _periodic_all": "the schedule adds up what passed and what is left",
        "running": "the check of RAM compares it with the facts",
        "bolus_kind": "only a priming bolus changes what is counted, and the check of RAM asks the guard for it",
        "periodic_waits": "is a pattern that no single flipped bit makes up",
        "periodic_began basal_due bolus_due square_due": _TURN,
    },
    "Plan": {
        "num den _index _titration_index": "the check of RAM finds it anew and compares",
        "known _day_number _at lag": "the check of RAM compares it with the clock",
        "titration_day _titration_ms _titration_sum": "the plan adds it up",
        "bridge_left": "the check of RAM compares it with the guard's count",
        "at_minimum closed": "the check of RAM compares it with the alarms that are on",
    },
    "Therapy": {"therapy_id drug_names": "is a name"},
    "Motor": {
        "_step_ms _steps_max _on_ms_max": "the check of RAM compares it with the profile",
        "_row _of_window _window lost": "counts lost steps towards the alarm; the encoder's count is the dose",
        "_position": "a wrong one shows as a runaway, which is an alarm",
        "moved stalled ran_away": _TURN,
    },
    "Delivery": {
        "distrusted": "a flip stops the pump, and the check of RAM runs again before the next lease",
        "missed refused _skipped_basal _skipped_bolus": "reports what was not delivered",
        "_bolus_cut _square_cut": "the schedule's count of the bolus must agree at its end",
    },
    # Guard
    "Window": {
        "_limit _check": "permit() compares it with its complement",
        "_counts sum": "the check of RAM adds the counts up",
        "_at _into_ms bucket_ms _marked_at _marked_ms": "the check of RAM compares it with the time that passed",
    },
    "Guard": {
        "_allowance _check_allowance": "permit() compares it with its complement",
        "_bridged _bridge_left _bridge_all _bridge_doubt": "the guard adds it up, and the plan counts the bridge, too",
        "_prime_left": "the check of RAM compares it with the schedule's priming bolus",
        "_elapsed": "the check of RAM compares it with the clock",
        "_enabled": "a stopped schedule asks for no step",
        "_caps": "its windows have checks of their own",
    },
    "Recount": {"_slot _worth": "is made anew in each recount"},
    "MulDiv": {"quotient remainder": "is a result, used at once"},
    # Storage
    "Facts": {
        "low high allowance": _STEPS + "the ledger has the sum of it",
        "reservoir": _STEPS + "the ledger has a second count of it",
    },
    "Outcome": {"content": "a wrong one refuses the repeat of a command"},
    "Ledger": {
        "corrupted": "a flip makes the pump start over",
        "_copied": "the ledger folds it with the facts",
        "_checksum _counts _reservoir_check": "is what the check compares with",
    },
    "Journal": {
        "_firsts _sector _slot next _chain": "what is written is read back, and the replay judges seal and chain",
        "_record _check _doubtful _probe _head _number _trial _unset_bit": "holds one record while it is in use",
        "voids damaged lost": _BOOT,
        "failed": "a flip refuses records, or lets the flash refuse one more",
        "foreign": "is read at the boot and when a session is opened, and a flip lets none be opened",
        "_run_next _run_sector _run_slot": "is where a stream continues, whose records the host judges",
    },
    "TherapyStore": {
        "program generation _hash": "the check of RAM hashes the program; the copies carry its generation",
        "mended": "is a count for the host",
    },
    # Integrity
    "RamCheck": {"_settings _therapy _day _ms": "is what the check compares with"},
    "SelfTest": {
        "_started_over _results _details _code _flashed failed since_ms": "is found anew by the next self-test",
        "boot_ms": _BOOT,
    },
    "Supervisor": {
        "_timeout_ms _reports": "a wrong one resets the pump, or lets the watchdog bite later",
        "_left_ms proving proven": _BOOT,
    },
    # Clock, profile, loop
    "Clock": {
        "day ms _sum": "the clock adds it up",
        "_ticks": "a wrong one is a jump of the time that the guard counts for itself",
        "_offset_days _offset_ms _check": "the check of RAM compares it with its checksum",
        "known": "the check of RAM compares it with the plan",
    },
    "Profile": {"is_valid name commissioned": _BOOT},
    "Boot": {"_distrusted _armed cause first_high first_record": _BOOT},
    "Pump": {"device_id _held_ms _time _watches": "a wrong one delays answers, or breaks the loop: the watchdog bites"},
    "WakeCounts": {"*": "counts for the host"},
    # Alarms and sensors
    "AlarmEffects": {"_damage_reported": "a wrong one reports damage once more"},
    "Alarms": {
        "_tone_ms silenced_ms tones": "is bounded by the profile, and the alarms that are on are facts",
        "_displaced": "says which alarms have a record already, and a wrong one records an alarm again, or does not",
    },
    "Battery": {"_ring _at _sum mv": _SAMPLES},
    "Reservoir": {"_ring _at _sum _rounds_left measured": _SAMPLES},
    "Line": {"*": _SAMPLES},
    "Meter": {"*": _SAMPLES},
    "LineWatch": {"meter air rested_ms found _alarms _detail": _SAMPLES},
    "Monitor": {"_since_ms _sensors _fitted _turn": "is the place in the round of sensors"},
    "Sensor": {"*": "a wrong scale makes samples that the other sensors and the counts contradict"},
    "Service": {"_cap_of _cap": "is found anew when the calendar or the implant changes"},
    "Standstill": {"time_recorded": "a wrong one writes one record more or less"},
    "Orders": {"_armed_steps _armed_ms": "the second command must name the steps again, and the guard limits them"},
    # Made for one check of a program
    "FlexBound": {"*": "is made for one check"},
    "Reading": {"*": "is made for one check"},
    "_Cursor": {"*": "is made for one decoding"},
    # The line
    "Coder": {"*": _FRAME},
    "Dispatcher": {"_device_id _answers _streams _commands": "a wrong one refuses requests"},
    "FlashQueries": {"*": _FRAME},
    "StatusQuery": {"*": _FRAME},
    "Gate": {"*": "a wrong one refuses a session: tags cover role, host and sequence"},
    "JournalStream": {"*": _FRAME},
    "Key": {"*": "a wrong one makes no valid tag"},
    "Link": {"*": _FRAME},
    "Session": {"*": "a wrong one refuses frames: tags cover role, host and sequence"},
    "Telemetry": {"*": _FRAME},
    "Upload": {"_stage _idle_ms": "the hash of the staged program is compared before the commit"},
    "Stage": {"*": "the hash of the staged program is compared before the commit"},
}


def excused(name: str) -> set[str]:
    """Names of the excused attributes of a class."""
    return {attribute for names in EXCUSED.get(name, {}) for attribute in names.split()}
