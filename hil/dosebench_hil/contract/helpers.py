"""What several tests of the contract need."""

from __future__ import annotations

import math
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from dosebench.link.client import PumpClient
from dosebench.link.command_ids import MemoryIds
from dosebench.therapy.program import Reading
from dosebench_protocol.records import Record, decode_records
from dosebench_protocol.tables import HASH_HEAD_BYTES

from dosebench_hil.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dosebench.therapy.program import Program

    from dosebench_hil.bench import Bench

DAY_MS: Final = 86_400_000
BOOKKEEPING: Final = frozenset(
    (
        *("lease", "close", "state", "identity", "windows", "patient_times", "worth", "filled", "service", "latched"),
        *("host_done", "host_refused", "calendar", "counter_floor", "alarm_ended", "path", "path_worth", "seal"),
    )
)
"""Record kinds that say nothing new of what happened."""
SECTOR_BEGINS: Final = "identity"
"""The record kind that is written at the beginning of a sector alone."""

MOVING_FIELDS: Final = frozenset(
    (
        "day",
        "ms",
        "local_days",
        "local_ms",
        "battery_mv",
        "bad_frames",
        "window_ng",
        "lockout_left_ms",
        "patient_left",
        "pattern_lag_ms",
        "silenced_ms",
        "empty_minutes",
        "stopped_ms",
        "session_left_ms",
        "bad_tags",
        "replays",
        "sessionless",
    )
)
"""Fields of a status that change while nothing happens: time and what hangs on it, and the counts of bad frames."""


def lasting_status(status: dict[str, Any]) -> dict[str, Any]:
    """What of a status only a command or a step changes."""
    return {name: value for name, value in status.items() if name not in MOVING_FIELDS}


def unwritten_status(status: dict[str, Any]) -> dict[str, Any]:
    """`lasting_status`, where the journal may have grown: dropping a stage writes a record."""
    return {name: value for name, value in lasting_status(status).items() if not name.startswith("journal_")}


def reading_of(answer: dict[str, Any]) -> Reading:
    """The reply to `program_verify` as the host's own readings are."""
    return Reading.from_answer(answer)


def lasting_outcome(outcome: dict[str, Any]) -> dict[str, Any]:
    """What of an outcome never changes.

    `record` may: when the journal begins a new sector, the outcome is carried on in a record of its own there.
    """
    return {name: value for name, value in outcome.items() if name != "record"}


def put_in_force(dut: PumpClient, program: Program) -> dict[str, Any]:
    """Stage, verify and commit a program; return the outcome of the commit."""
    dut.stage_program(program.encode_program())
    return dut.commit_program(program.encode_program())


def pump_ms(status: dict[str, Any]) -> int:
    """The pump's own time of a status, in milliseconds since commissioning."""
    return int(status["day"]) * DAY_MS + int(status["ms"])


def next_command(bench: Bench) -> int:
    """A counter that the bench's host has not used on this pump yet, nor has it used the one before."""
    bench.ids.counter += 2
    return bench.ids.counter


@contextmanager
def other_host(bench: Bench) -> Iterator[Wire]:
    """Frames by hand of a second host, in a session of its own. A pump has one session at a time."""
    if bench.client.session is not None:
        bench.wire.ask_pump("session_close")
        # The client opens another one when it needs it.
        bench.client.connect()
    host = bench.ids.host
    # As new to the pump as the first one.
    client = PumpClient(bench.line, MemoryIds(host[:3] + bytes([host[3] ^ 0xFF])))
    client.connect()
    wire = Wire(bench.line, client)
    yield wire
    wire.ask_pump("session_close")


def dose_fields(program: Program, steps: int) -> dict[str, Any]:
    """Fields of a bolus or a priming of `steps` that was computed from this program."""
    head = program.program_hash()[:HASH_HEAD_BYTES]
    return {"steps": steps, "program_hash": head, "ng": math.floor(steps * program.step_ng)}


def records_from(dut: PumpClient, first: int) -> list[Record]:
    """The journal's records from sequence number `first` on."""
    return decode_records(b"".join(dut.read_journal(first)))


def record_at(dut: PumpClient, sequence: int) -> Record:
    """One record of the journal."""
    return records_from(dut, sequence)[0]


def seconds_for(steps: int, rate: Fraction) -> float:
    """How long `steps` take at `rate` steps per millisecond, in seconds."""
    return float(steps / rate) / 1000


def story_kinds(kinds: Sequence[str]) -> list[str]:
    """Kinds of records that say what happened. Bookkeeping is left out: every sector of the journal begins with it."""
    return [kind for kind in kinds if kind not in BOOKKEEPING]


def written_kinds(kinds: Sequence[str]) -> list[str]:
    """Kinds of records that were written for a reason. What a new sector begins with is written for none."""
    return story_kinds(kinds) if SECTOR_BEGINS in kinds else list(kinds)


def count_boots(records: Sequence[Record]) -> int:
    """How often the pump was booted; the bite that proves the watchdog belongs to the boot before it."""
    kinds = [record.kind for record in records]
    proofs = sum(pair == ("watchdog_test", "boot") for pair in pairwise(kinds))
    return kinds.count("boot") - proofs
