"""What the journal of a scenario's run tells once it is pulled: its records in bench time, and what follows from them.

Times that are given and returned beside a record are in ms since the start of delivery; those of a `Boot` and of a
`Disturbance` in virtual ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dosebench_protocol.alarms import ALARMS
from dosebench_protocol.records import Record, RecordError, verify_chain

from dosebench.base.errors import DosebenchError
from dosebench.journal.history import pump_ms
from dosebench.simulation.deviation import Boot, Disturbance
from dosebench.simulation.scenario_result import AlarmSpan

CLEARING: Final = ("clear_list", "alarm_cleared")
"""Record kinds that name alarms which a person cleared."""


def boots_of(records: Sequence[Record], boots_us: Sequence[int]) -> list[Boot]:
    """Each boot's record beside the bench's own time of it. Raises DosebenchError where their numbers differ."""
    found = [pump_ms(record) for record in records if record.kind == "boot"]
    if len(found) != len(boots_us):
        raise DosebenchError(f"the firmware was started {len(boots_us)} times, its journal holds {len(found)} boots")
    return [Boot(at_us // 1000, at) for at_us, at in zip(boots_us, found, strict=True)]


def timed_by_bench(records: Sequence[Record], boots: Sequence[Boot], start_ms: int) -> list[tuple[int, Record]]:
    """Each record with its time since the start of delivery by the bench's clock."""
    timed, at = [], -1
    for record in records:
        if record.kind == "boot":
            at += 1
        timed.append((pump_ms(record) + boots[max(at, 0)].shift_ms - start_ms, record))
    return timed


def is_chain_intact(records: Sequence[Record]) -> bool:
    """Whether sequence and hash chain hold from the first record of the pump's life on."""
    try:
        verify_chain(records)
    except RecordError:
        return False
    return bool(records) and records[0].sequence == 0


def safe_stops(timed: Sequence[tuple[int, Record]], start_ms: int) -> list[Disturbance]:
    """Moments at which an alarm stopped delivery at once: a step that was due then is not made (R10)."""
    found: dict[int, Disturbance] = {}
    for at_ms, record in timed:
        if record.kind == "alarm_raised" and ALARMS[record.alarm].effect == "safe":
            # Alarms that one turn of the loop raises stop the pump once.
            found.setdefault(at_ms, Disturbance(at_ms + start_ms, at_ms + start_ms, record.alarm))
    return list(found.values())


def held_back(timed: Sequence[tuple[int, Record]], start_ms: int, end_ms: int) -> list[Disturbance]:
    """Times in which a full dose window held basal back, until its alarm is cleared: no schedule knows how much."""
    found: list[Disturbance] = []
    since: tuple[int, int] | None = None
    missed = 0
    for at_ms, record in timed:
        fields = record.fields
        missed = fields.get("missed_steps", missed)
        if record.kind == "alarm_raised" and record.alarm == "dose_cap" and since is None:
            since = (at_ms, missed)
        elif record.kind in CLEARING and "dose_cap" in record.alarms and since is not None:
            found += [Disturbance(since[0] + start_ms, at_ms + start_ms, "dose_cap")] if missed != since[1] else []
            since = None
    if since is not None and missed != since[1]:
        found.append(Disturbance(since[0] + start_ms, end_ms, "dose_cap"))
    return found


def _ended_alarms(record: Record) -> list[tuple[str, str]]:
    """Alarms that a record ends, and how."""
    if record.kind in CLEARING:
        return [(name, "cleared") for name in record.alarms]
    ends = {"alarm_ended": "ended", "alarm_displaced": "displaced"}
    return [(record.alarm, ends[record.kind])] if record.kind in ends else []


def alarm_spans(timed: Sequence[tuple[int, Record]]) -> list[AlarmSpan]:
    """Every alarm from its raising to its end, in order of time."""
    on: dict[str, int] = {}
    spans = []
    for at_ms, record in timed:
        if record.kind == "alarm_raised":
            on.setdefault(record.alarm, at_ms)
        for name, how in _ended_alarms(record):
            if name in on:
                spans.append(AlarmSpan(name, on.pop(name), at_ms, how))
    spans += [AlarmSpan(name, at_ms, None, "on") for name, at_ms in on.items()]
    return sorted(spans, key=lambda span: span.from_ms)
