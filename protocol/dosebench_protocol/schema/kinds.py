"""The meaning of `code` and of the five words of a journal record, by kind: what `construct` does not express.

A record has a code of 8 bits and five words of 32. The plan of a kind names them in this order, in a small notation:

- `name`: a whole word, or the whole code;
- `name:bits+name:bits`: parts of one word, the lowest bits first;
- `name*n`: the same name for `n` words, one after the other;
- `name[n]`: `n` alarms, three in a word, each an entry of ten bits (its number, and bit 8 where it escalated);
- `-`: unused and zero.

A name means the same in every kind. Numbers stay below 2^30, so that a board with 31-bit small integers reads them
without a heap integer; only 0xFFFFFFFF, for unknown, is greater. What is longer is split (`JOINED`). The generator
reads this module; hosts read what it wrote, through `records`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

STAGE_DROP: Final[Mapping[str, int]] = {"new_stage": 0, "timeout": 1, "abort": 2, "reset": 3}
"""Why a staged program was dropped: `drop` of a `stage_dropped` record."""

WORDS: Final = 5
"""Words of a record."""

ENTRY_BITS: Final = 10
"""Bits of an alarm in a word that holds three."""

ENTRIES_PER_WORD: Final = 3

COMMAND_BASE: Final = 0x20
"""Message types of commands are told in six bits from here on, where eight have no room."""


@dataclass(frozen=True, slots=True)
class RecordField:
    """One named part of a record.

    Attributes:
        name: Its name.
        at: 0 for the code, 1 to 5 for the words; of a field of several words the first.
        shift, bits: Place in the word.
        count: How many words (`name*n`) or entries (`name[n]`); 1 for a single number.
    """

    name: str
    at: int
    shift: int
    bits: int
    count: int = 1

    @property
    def is_entries(self) -> bool:
        """Whether it is a list of alarms."""
        return self.bits == ENTRY_BITS and self.count > 1

    @property
    def words(self) -> int:
        """How many words it takes."""
        return -(-self.count // ENTRIES_PER_WORD) if self.is_entries else self.count

    @property
    def is_part(self) -> bool:
        """Whether other fields share its word."""
        return self.count == 1 and self.bits < (8 if self.at == 0 else 32)


@dataclass(frozen=True, slots=True)
class KindPlan:
    """Fields of one record kind.

    Attributes:
        fields: In their order; unused words have none.
        doc: One sentence for the protocol page.
    """

    fields: tuple[RecordField, ...]
    doc: str

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the fields."""
        return tuple(field.name for field in self.fields)


class NotationError(Exception):
    """A plan that is not in the notation, or that does not fill a record exactly; the text names it."""


_TOKEN: Final = re.compile(
    r"-|(?P<one>[a-z]\w*)|(?P<many>[a-z]\w*)\*(?P<words>\d+)|(?P<list>[a-z]\w*)\[(?P<entries>\d+)\]"
)
_PART: Final = re.compile(r"([a-z]\w*):(\d+)")


def plan_fields(notation: str) -> tuple[RecordField, ...]:
    """The fields of a plan.

    Raises:
        NotationError: As the class says.
    """
    fields: list[RecordField] = []
    at = 0
    for token in notation.split():
        room = 8 if at == 0 else 32
        if "+" in token or ":" in token:
            made = list(_parts(token, at, room))
        elif found := _TOKEN.fullmatch(token):
            made = list(_whole(found, at, room))
        else:
            raise NotationError(f"{token!r} in {notation!r} is not in the notation of record plans")
        fields += made
        at += made[0].words if made else 1
    if at != 1 + WORDS or len({field.name for field in fields}) != len(fields):
        raise NotationError(f"{notation!r} needs a code, {WORDS} words, and names that differ")
    return tuple(fields)


def _whole(found: re.Match[str], at: int, room: int) -> Iterator[RecordField]:
    if name := found["one"]:
        yield RecordField(name, at, 0, room)
    elif name := found["many"]:
        yield RecordField(name, at, 0, room, int(found["words"]))
    elif name := found["list"]:
        yield RecordField(name, at, 0, ENTRY_BITS, int(found["entries"]))


def _parts(token: str, at: int, room: int) -> Iterator[RecordField]:
    shift = 0
    for part in token.split("+"):
        found = _PART.fullmatch(part)
        if found is None:
            raise NotationError(f"{part!r} in {token!r} is no name with a number of bits")
        bits = int(found[2])
        yield RecordField(found[1], at, shift, bits)
        shift += bits
    if shift > min(room, 30):
        raise NotationError(f"{token!r} has {shift} bits; {min(room, 30)} fit")


def _plan(notation: str, doc: str) -> KindPlan:
    return KindPlan(plan_fields(notation), doc)


def _command(rest: str, doc: str) -> KindPlan:
    """A command of a host: role and host id, its counter, and what is its own."""
    return _plan(f"role:3+host_high:2 host counter {rest}", doc)


JOINED: Final[Mapping[str, tuple[str, ...]]] = {
    "host": ("host", "host_high"),
    "message": ("command",),
    "mac": ("mac", "mac_tail"),
}
"""What a host puts together, by the name that it has then: the fields that it comes from. A host id is 4 bytes, read
little-endian: the low 30 bits and the high 2. A MAC is 16 bytes, read little-endian: four words of 30 bits, and 8."""


ENUM_OF: Final[Mapping[str, str]] = {
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
"""Enumeration of each field whose numbers have names."""

KINDS: Final[Mapping[str, KindPlan]] = {
    "boot": _plan("reset_cause boot_count low_steps high_steps firmware records_voided", "The firmware started."),
    "lease": _plan(
        "titration_day low_steps high_steps allowance_steps missed_steps reservoir_steps",
        "Steps that may be moved from now on.",
    ),
    "close": _plan(
        "stop_reason low_steps high_steps - missed_steps reservoir_steps", "Delivery ended, no lease is open."
    ),
    "start": _command("- low_steps high_steps", "Delivery was started."),
    "stop": _command("- low_steps high_steps", "Delivery was stopped; without a session host and counter are zero."),
    "bolus": _command("steps low_steps allowance_steps", "A bolus was accepted, with its lease."),
    "bolus_end": _plan(
        "bolus_kind:3+end_reason:4 low_steps high_steps delivered_low_steps delivered_high_steps asked_steps",
        "A bolus ended: why, and bounds of what was delivered of it.",
    ),
    "patient_bolus": _command("steps low_steps allowance_steps", "A patient bolus began, with its lease."),
    "periodic_bolus": _plan(
        "- low_steps high_steps steps allowance_steps -", "A periodic bolus began, with its lease."
    ),
    "square": _command("steps duration_ms allowance_steps", "A square bolus began, with its lease."),
    "square_end": _plan(
        "end_reason low_steps high_steps delivered_low_steps delivered_high_steps asked_steps",
        "A square bolus ended: why, and bounds of what was delivered of it.",
    ),
    "square_cancel": _command("steps_not_delivered low_steps high_steps", "A square bolus was cancelled."),
    "prime_arm": _command("steps path_version low_steps", "A priming bolus was armed."),
    "prime": _command("steps path_version allowance_steps", "A priming bolus began, with its lease."),
    "patency": _command("steps step_every_ms allowance_steps", "The test volume of a patency check, with its lease."),
    "bolus_cancel": _command("steps_not_delivered low_steps high_steps", "A bolus was cancelled."),
    "refill": _command("steps low_steps high_steps", "The reservoir holds so much from now on."),
    "refill_check": _plan(
        "flag expected_steps withdrawn_steps delivered_low_steps delivered_high_steps ratio_permille",
        "Before a refill: withdrawn against expected volume, and delivery by it over delivery by steps.",
    ),
    "commit": _command("generation program_hash_head high_steps", "A program came into force."),
    "stage_dropped": _plan("drop received_bytes length_bytes - - -", "A staged program was dropped."),
    "worth": _plan(
        "period_begins:1+drug:2 step_ng_num step_ng_den old_ng_num old_ng_den bridge_steps",
        "What a step holds of a drug, and held before the commit that follows.",
    ),
    "dose_window": _plan(
        "drug minutes ng age_minutes - -",
        "A replaced pump gave so much of a drug within so many minutes, which ended so long ago: counts with the "
        "`dose_windows_set` that follows.",
    ),
    "dose_windows_set": _command("rows low_steps high_steps", "Dose windows were carried over from a replaced pump."),
    "clock": _command("local_days local_ms -", "The local calendar was set."),
    "implant": _command("implant_days low_steps high_steps", "The date of implant was stated."),
    "calibration": _plan(
        "carried_on step_nl_num step_nl_den old_nl_num old_nl_den reservoir_steps",
        "A step has another volume since this boot, and the content is counted in the new ones; also carried on.",
    ),
    "alarm_raised": _plan("alarm priority detail - - -", "An alarm was raised, or became urgent."),
    "alarm_cleared": _command(
        "alarms[3] low_steps high_steps", "Alarms were cleared: these, and those of each `clear_list` right before."
    ),
    "missed": _plan("- missed_now_steps missed_steps - - -", "Steps that were due were not made."),
    "torn": _plan("- slots_voided - - - -", "Records torn by a power cut were voided."),
    "alarm_ended": _plan("alarm - - - - -", "The cause of an alarm is gone, and the alarm with it."),
    "silence": _command("silence_ms low_steps high_steps", "The tones of the alarms were silenced."),
    "watchdog_test": _plan("- timeout_ms - - - -", "The watchdog is armed, and must bite before the next record."),
    "selftest": _plan("- failed detail passed - -", "A self-test failed: bits of the tests, by number."),
    "service": _plan(
        "- replacement_day replacement_ms replacement_local_days implant_days battery_mv",
        "The elective replacement indicator came on, at this pump time; also carried on, with the date of implant.",
    ),
    "alarm_displaced": _plan(
        "alarm by_alarm - - - -",
        "An alarm gave way to another because no more can be latched; or it was never latched, and names itself.",
    ),
    "clear_list": _plan("- alarms[12] -", "More alarms of the `alarm_cleared` that follows; counts with it."),
    "stall_recovered": _plan("- missed_steps stalled_ms - - -", "The motor turns again after a stall."),
    "refused": _plan("reason host counter message:8+host_high:2 low_steps high_steps", "A command was refused."),
    "distrusted": _plan(
        "- bad_tags replays sessionless - -", "Frames that were not trusted since the last such record; one an hour."
    ),
    "counter_floor": _plan(
        "- counter - - - -", "A host that the pump has forgotten is refused up to this counter; carried on."
    ),
    "state": _plan(
        "stop_reason:4+running:1 low_steps high_steps generation alarm_count reservoir_steps",
        "The state of the pump; the alarms follow in `latched` records.",
    ),
    "host_done": _plan(
        "command:6+host_high:2 host counter accepted low_steps high_steps",
        "Newest command of a host, carried on: it was done.",
    ),
    "host_refused": _plan(
        "reason host counter message:8+host_high:2 low_steps high_steps",
        "Newest command of a host, carried on: it was refused.",
    ),
    "calendar": _plan(
        "clock_known local_days local_ms pattern_lag_ms fault_records commit_unsure_steps",
        "What the calendar shows at this record, how many faults were recorded so far, and how far apart the bounds of "
        "the delivered steps were at the commit.",
    ),
    "mended": _plan("copy generation - - - -", "A damaged copy of the program was written anew from the other one."),
    "identity": _plan(
        "bolus_kind:3+clock_known:1 boot_count program_hash_head bolus_left_steps square_left_steps commit_high_steps",
        "More of the state: program, clock, open boluses.",
    ),
    "windows": _plan(
        "place:4+drug:4 ng*5", "A drug in the windows of its caps, from this place on; a record for each five."
    ),
    "filled": _plan("- content_steps low_steps high_steps filled_day -", "What the last refill left, carried on."),
    "patient_times": _plan("place age_ms*5", "How long ago patient boluses were."),
    "latched": _plan("place alarms[15]", "Alarms that are latched, from this place on, in the order of raising."),
    "path": _plan(
        "carried_on path_version filled_nl volume_nl old_left_steps -",
        "How much of pump path and catheter is filled, of how much, and how many steps of the old solution are in it.",
    ),
    "path_worth": _plan("drug ng_num ng_den - - -", "What a step of the old solution in the path holds of a drug."),
    "seal": _plan(
        "seal_cause mac*4 mac_tail:8+key_number:22",
        "MAC over the chain value before it, under the sealing key after so many replacements.",
    ),
    "procedure_begun": _plan("procedure id*4 value", "A procedure began; hosts name procedures by 120 bits."),
    "procedure_ended": _plan("result id*4 value", "A procedure ended."),
}
"""Every record kind by name."""

COMMANDS: Final[tuple[str, ...]] = tuple(
    kind for kind, plan in KINDS.items() if plan.names[:4] == ("role", "host_high", "host", "counter")
)
"""Kinds of the commands of hosts: their first fields are in the same places."""

RESULTS: Final[tuple[str, ...]] = ("refused", "host_done", "host_refused")
"""Kinds that hold the result of a command without being the command."""
