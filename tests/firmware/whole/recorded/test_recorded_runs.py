"""The pump does what it did when these runs were recorded, on every interpreter.

`STRENGTH` says how much of a recording must come again. `BYTES`: every byte of both rings. `EVENTS`: all the rest,
which outlives a change of formats: the events by name with their times and values, the times of the steps, what the
pump answered, and what it knows after a loss of power; but not the windows of the caps where a journal has wrapped, for
how much they count too much depends on where sectors begin.

`python tests/firmware/whole/recorded --write` records anew.
"""

from __future__ import annotations

import os
from typing import Any, Final, Literal

import pytest
from dosebench.twin.runtimes import RUNTIMES, RuntimeName
from dosebench_protocol.tables import ENUMS
from keeping import KEPT, load
from reading import first_difference
from runs import RUNS, carry_out

BYTES: Final = "bytes"
EVENTS: Final = "events"
STRENGTH: Literal["bytes", "events"] = EVENTS

OF_BYTES: Final = ("journal", "faults")
"""Parts of a recording that only `BYTES` compares."""
LAST: Final = ("steps", "end_ms", *OF_BYTES)
"""Parts that say that something differs, and not what: they are compared when all others are equal."""
NO_EVENTS: Final = {"state", "identity", "latched", "windows", "patient_times", "counter_floor", "calendar"} | {
    "host_done",
    "host_refused",
}
"""Kinds that only a checkpoint writes."""
NEVER_WRITTEN: Final = {"torn", "selftest"} | {
    "dose_window",
    "dose_windows_set",
    "stall_recovered",
    "path",
    "path_worth",
    "seal",
    "procedure_begun",
    "procedure_ended",
}
"""Kinds of the protocol that the firmware does not write."""
NOT_RECORDED: Final = {"alarm_displaced", "clear_list"}
"""Kinds that take more alarms than these runs have: `test_alarms_many.py` has them."""
PAIRS: Final = [
    (name, runtime)
    for name, run in RUNS.items()
    for runtime in RUNTIMES
    if runtime == "cpython" or run.everywhere or os.environ.get("DOSEBENCH_LONG")
]


def events_alone(name: str, recording: dict[str, Any]) -> dict[str, Any]:
    """What `EVENTS` compares of a recording."""
    left = {part: value for part, value in recording.items() if part not in OF_BYTES}
    if RUNS[name].wraps:
        status = left["state"]["status"]
        left["state"] = left["state"] | {"status": status | {"window_ng": len(status["window_ng"])}}
    return left


def difference(name: str, made: dict[str, Any], strength: str) -> str | None:
    """What differs first from the recording, in words; an event before a byte, for an event can be read."""
    kept = load(name)
    if strength == EVENTS:
        kept, made = events_alone(name, kept), events_alone(name, made)
    order = [*(part for part in kept if part not in LAST), *(part for part in LAST if part in kept)]
    return next((found for part in order if (found := first_difference(kept[part], made[part], part))), None)


@pytest.mark.parametrize(("name", "runtime"), PAIRS)
def test_a_run_comes_again(name: str, runtime: RuntimeName) -> None:
    found = difference(name, carry_out(RUNS[name], runtime), STRENGTH)
    if found:
        pytest.fail(f"{name} on {runtime}: {found}", pytrace=False)


def test_every_run_has_its_file_and_every_kind_of_event_its_run() -> None:
    assert {path.stem for path in KEPT.iterdir()} == set(RUNS)
    kinds = {event[2] for name in RUNS for event in load(name)["events"]}
    assert set(ENUMS["RecordKind"]) - kinds == NO_EVENTS | NEVER_WRITTEN | NOT_RECORDED


def test_a_difference_is_told_by_name() -> None:
    name = "clinician_bolus"
    made = load(name)
    assert difference(name, made, BYTES) is None
    made["journal"]["chain"] = ""
    assert difference(name, made, EVENTS) is None
    found = difference(name, made, BYTES)
    assert found is not None
    assert found.startswith("journal.chain")
    bolus = next(event for event in made["events"] if event[2] == "bolus")
    bolus[3]["steps"] += 1
    for strength in (BYTES, EVENTS):
        found = difference(name, made, strength)
        assert found is not None
        assert "bolus" in found
        assert "steps 61" in found
