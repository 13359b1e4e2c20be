"""What a run of a pump comes to, in words that outlive the formats: names and numbers, and no place in a record.

Events are records of what happened. A checkpoint repeats what a pump knows at the head of a new sector; its records are
no events, for which of them there are depends on the format alone. They are told by how they come: from a `state` that
`lease` and `identity` follow, to the first record of another kind. A `state` alone repeats what its neighbours say.

A record of an alarm says which one began or ended; its event also names all that are on from then on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from dosebench_protocol.records import GENESIS_CHAIN, Record, decode_records

Event = list[Any]
"""`[day, ms, kind, {name: value}]`."""

_OPENING: Final = ("state", "lease", "identity")
_CARRIED_ON: Final = (
    "latched",
    "windows",
    "patient_times",
    "counter_floor",
    "filled",
    "service",
    "calibration",
    "path",
    "path_worth",
    "calendar",
)
_HOSTS: Final = ("host_done", "host_refused")
"""What a checkpoint ends with, behind the calendar. A `service` there is an event that opened the sector."""
_OF_THE_FORMAT: Final = (
    "firmware",
    "program_hash_head",
    "received_bytes",
    "length_bytes",
    "carried_on",
    "end_reason",
)
"""Fields that follow the release or the program's format, and not what happened, or that the first formats had not: why
a bolus ended."""
_ENDS: Final = ("bolus_end", "square_end")


def digest(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def plain(value: Any) -> Any:
    """The value as JSON holds it: bytes in hex, tuples and sets of names as lists."""
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        made = [plain(one) for one in value]
        return sorted(made) if made and all(isinstance(one, str) for one in made) else made
    return value


def checkpoint_length(records: list[Record], at: int) -> int:
    """How many records from `at` on are a checkpoint; 0 when none begins there."""
    if tuple(record.kind for record in records[at : at + len(_OPENING)]) != _OPENING:
        return 0
    end = at + len(_OPENING)
    kinds: tuple[str, ...] = _CARRIED_ON
    while end < len(records) and records[end].kind in kinds:
        if records[end].kind == "calendar":
            kinds = _HOSTS
        end += 1
    return end - at


def events_of(records: list[Record]) -> list[Event]:
    """The events of a journal, in order."""
    events: list[Event] = []
    on: set[str] = set()
    at = 0
    while at < len(records):
        length = checkpoint_length(records, at)
        if length == 0 and records[at].kind != "state":
            events.append(_event_of(records[at], records[at].fields, on))
        at += max(length, 1)
    return events


def _event_of(record: Record, fields: Mapping[str, Any], on: set[str]) -> Event:
    """One record by names. `on` are the alarms that are on, which the record may change."""
    shown = {name: plain(value) for name, value in fields.items() if name not in _OF_THE_FORMAT}
    if record.kind == "stage_dropped":
        shown["complete"] = fields["received_bytes"] == fields["length_bytes"]
    elif record.kind in _ENDS:
        # The first formats had one number, and a reset left 0 there; what was delivered is in the steps.
        del shown["delivered_high_steps"]
    elif record.kind == "alarm_raised":
        on.add(record.alarm)
        shown["alarms"] = sorted(on)
    elif record.kind == "alarm_ended":
        on.discard(record.alarm)
        shown["alarms"] = sorted(on)
    elif record.kind == "alarm_cleared":
        on -= set(record.alarms)
    return [record.day, record.ms, record.kind, shown]


def fault_events(records: Iterable[Record]) -> list[Event]:
    """The events of the fault ring, without the last word, which is the number of the record that each repeats."""
    on: set[str] = set()
    return [_event_of(record, record.copied_fields, on) for record in records]


def ring_of(data: bytes) -> dict[str, Any]:
    """A ring by its bytes, and by the head of its chain."""
    records = decode_records(data)
    head = records[-1].chain if records else GENESIS_CHAIN
    return {"sha256": digest(data), "records": len(records), "chain": head.hex()}


def first_difference(kept: Any, made: Any, place: str = "") -> str | None:
    """The first place where two recordings differ, in words; None where they are equal."""
    if isinstance(kept, dict) and isinstance(made, dict):
        for name in [*kept, *(name for name in made if name not in kept)]:
            if name not in made or name not in kept:
                where = "only in the recording" if name in kept else "new"
                return f"{place}.{name} is {where}: {kept.get(name, made.get(name))!r}"
            if found := first_difference(kept[name], made[name], f"{place}.{name}"):
                return found
        return None
    if isinstance(kept, list) and isinstance(made, list):
        return _list_difference(kept, made, place)
    return None if kept == made else f"{place}: {kept!r} was recorded, {made!r} was made"


def _list_difference(kept: list[Any], made: list[Any], place: str) -> str | None:
    for at, (one, other) in enumerate(zip(kept, made, strict=False)):
        if one != other:
            detail = first_difference(one, other, f"{place}[{at}]") if _alike(one, other) else None
            return detail or f"{place}[{at}]:\n  recorded {told(one)}\n  made     {told(other)}"
    if len(kept) == len(made):
        return None
    longer, word = (kept, "recorded") if len(kept) > len(made) else (made, "made")
    following = told(longer[min(len(kept), len(made))])
    return f"{place}: {len(kept)} were recorded, {len(made)} were made; the first that only was {word}: {following}"


def _alike(one: Any, other: Any) -> bool:
    return isinstance(one, dict) and isinstance(other, dict)


def told(event: Any) -> str:
    """An event, or another entry of a list, for people."""
    if isinstance(event, list) and len(event) == 4 and isinstance(event[3], dict):
        day, ms, kind, fields = event
        values = ", ".join(f"{name} {value}" for name, value in fields.items())
        return f"day {day} {ms / 1000:.3f} s {kind}: {values}"
    return repr(event)
