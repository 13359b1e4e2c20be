"""What the fields of a journal record mean, by kind, and the hash chain that holds the records together.

Numbers in `a` to `e` are u32. A host id there is its 4 raw bytes read little-endian; so is the head of a program hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from struct import Struct as Packer
from typing import Any, Final, NamedTuple

from .errors import ProtocolError
from .messages import CHAIN_BYTES, MESSAGES, RECORD_BYTES, Alarm, Reason, RecordKind, ResetCause, StopReason

GENESIS_CHAIN: Final = bytes(CHAIN_BYTES)
"""Chain value before the first record of a journal."""

CHAINED_BYTES: Final = RECORD_BYTES - CHAIN_BYTES
"""How many bytes of a record, from its first, its chain value covers."""

UNKNOWN_STEPS: Final = 0xFFFFFFFF
"""Reservoir content that the pump does not know; decoded as None."""

STAGE_DROP: Final[Mapping[str, int]] = {"new_stage": 0, "timeout": 1, "abort": 2, "reset": 3}
"""Why a staged therapy was dropped: `code` of a `stage_dropped` record."""

_RECORD = Packer("<IHIBBIIIII8s")


class RecordError(ProtocolError):
    """Bytes that are no records, or records that do not follow each other."""


@dataclass(frozen=True, slots=True)
class KindPlan:
    """Names of the fields of one record kind; None where a field is unused (zero).

    Attributes:
        code: Name of `code`.
        numbers: Names of `a` to `e`.
        doc: One sentence for the protocol page.
    """

    code: str | None
    numbers: tuple[str | None, str | None, str | None, str | None, str | None]
    doc: str


def _plan(names: str, doc: str) -> KindPlan:
    code, a, b, c, d, e = (None if name == "-" else name for name in names.split())
    return KindPlan(code, (a, b, c, d, e), doc)


KINDS: Final[Mapping[str, KindPlan]] = {
    "boot": _plan("reset_cause boot_count low_steps high_steps firmware records_voided", "The firmware started."),
    "lease": _plan(
        "- low_steps high_steps allowance_steps missed_steps reservoir_steps", "Steps that may be moved from now on."
    ),
    "close": _plan(
        "stop_reason low_steps high_steps - missed_steps reservoir_steps", "Delivery ended, no lease is open."
    ),
    "start": _plan("- host counter - low_steps high_steps", "Delivery was started."),
    "stop": _plan("- host counter - low_steps high_steps", "Delivery was stopped."),
    "bolus": _plan("- host counter steps low_steps allowance_steps", "A bolus was accepted, with its lease."),
    "bolus_end": _plan("- low_steps high_steps delivered_steps asked_steps -", "A bolus ended."),
    "bolus_cancel": _plan("- host counter steps_not_delivered low_steps high_steps", "A bolus was cancelled."),
    "refill": _plan("- host counter steps low_steps high_steps", "The reservoir holds so much from now on."),
    "commit": _plan("- host counter generation program_hash_head low_steps", "A therapy came into force."),
    "stage_dropped": _plan("drop received_bytes length_bytes - - -", "A staged therapy was dropped."),
    "clock": _plan("- host counter local_days local_ms -", "The local calendar was set."),
    "alarm_raised": _plan("- raised alarms detail - -", "An alarm was raised."),
    "alarm_cleared": _plan("- host counter cleared low_steps high_steps", "Alarms were cleared."),
    "missed": _plan("- missed_now_steps missed_steps - - -", "Steps that were due were not made."),
    "torn": _plan("- slots_voided - - - -", "Records torn by a power cut were voided."),
    "alarm_ended": _plan("- ended alarms - - -", "Alarms ended by themselves: their cause is gone."),
    "refused": _plan("reason host counter message low_steps high_steps", "A command was refused."),
    "state": _plan(
        "stop_reason+running low_steps high_steps generation alarms reservoir_steps", "What the pump is at, whole."
    ),
    "host": _plan("reason host counter accepted low_steps high_steps", "Newest command of a host, carried on."),
    "identity": _plan(
        "- boot_count program_hash_head bolus_left_steps clock_known -",
        "More of what the pump is at: therapy, clock, open bolus.",
    ),
}
"""Every record kind by name."""

_NAMES: Final[Mapping[int, str]] = {int(value): str(name) for name, value in RecordKind.encmapping.items()}


class Record(NamedTuple):
    """One journal record as it is stored.

    `day` and `ms` are pump time since commissioning; `kind_number` is the number of its kind, `chain` the hash that
    ties it to the record before.
    """

    sequence: int
    day: int
    ms: int
    kind_number: int
    code: int
    a: int
    b: int
    c: int
    d: int
    e: int
    chain: bytes

    @property
    def kind(self) -> str:
        """Name of its kind; `unknown_N` when a newer firmware wrote it."""
        return _NAMES.get(self.kind_number, f"unknown_{self.kind_number}")

    @property
    def fields(self) -> dict[str, Any]:
        """`code` and `a` to `e` under the names of the kind, as plain values.

        Enumerations are names, alarms a sorted tuple of names, a host id 4 bytes, a firmware version "1.2.3", unknown
        reservoir content None. Of an unknown kind: the raw numbers.
        """
        plan = KINDS.get(self.kind)
        numbers = (self.a, self.b, self.c, self.d, self.e)
        if plan is None:
            return dict(zip(("code", "a", "b", "c", "d", "e"), (self.code, *numbers), strict=True))
        named = dict(_code_fields(plan.code, self.code))
        for name, value in zip(plan.numbers, numbers, strict=True):
            if name is not None:
                named[name] = _READERS.get(name, int)(value)
        return named

    def to_bytes(self) -> bytes:
        """The record as it is stored, `RECORD_BYTES` long."""
        return _RECORD.pack(*self)


def decode_records(data: bytes) -> list[Record]:
    """The records in `data`, one after the other.

    Raises:
        RecordError: `data` is no whole number of records.
    """
    if len(data) % RECORD_BYTES:
        raise RecordError(f"{len(data)} bytes are no whole number of records of {RECORD_BYTES} bytes")
    return [Record._make(values) for values in _RECORD.iter_unpack(data)]


def chain(previous: bytes, record: bytes) -> bytes:
    """Chain value of a record: of the one before it and its own first `CHAINED_BYTES` bytes."""
    return hashlib.sha256(previous + record[:CHAINED_BYTES]).digest()[:CHAIN_BYTES]


def verify_chain(records: Iterable[Record], previous: bytes = GENESIS_CHAIN) -> bytes:
    """Check that records follow each other without a gap and that each chain value fits.

    Args:
        records: In order.
        previous: Chain value of the record before the first.

    Returns:
        Chain value of the last record (`previous` without records), to go on with.

    Raises:
        RecordError: Names the first record that does not fit.
    """
    expected: int | None = None
    for record in records:
        if expected is not None and record.sequence != expected:
            raise RecordError(f"record {record.sequence} follows record {expected - 1}")
        if record.chain != chain(previous, record.to_bytes()):
            raise RecordError(f"record {record.sequence} does not fit the chain: it or one before it was changed")
        previous, expected = record.chain, record.sequence + 1
    return previous


def _code_fields(name: str | None, code: int) -> Iterable[tuple[str, Any]]:
    if name == "stop_reason+running":
        yield "stop_reason", _READERS["stop_reason"](code & 15)
        yield "running", bool(code >> 4 & 1)
    elif name is not None:
        yield name, _READERS[name](code)


def _name_of(names: Mapping[int, str], value: int) -> str:
    return names.get(value, f"unknown_{value}")


def _flag_names(value: int) -> tuple[str, ...]:
    return tuple(sorted(_ALARM_BITS.get(1 << bit, f"bit_{bit}") for bit in range(32) if value >> bit & 1))


def _version(value: int) -> str:
    return f"{value >> 16}.{value >> 8 & 255}.{value & 255}"


def _known_steps(value: int) -> int | None:
    return None if value == UNKNOWN_STEPS else value


def _raw_bytes(value: int) -> bytes:
    return value.to_bytes(4, "little")


def _enum_reader(enum: Any) -> Callable[[int], str]:
    return partial(_name_of, {int(value): str(name) for name, value in enum.encmapping.items()})


_ALARM_BITS: Final[Mapping[int, str]] = {int(value): str(name) for name, value in Alarm.flags.items()}

_READERS: Final[Mapping[str, Callable[[int], Any]]] = {
    "reset_cause": _enum_reader(ResetCause),
    "stop_reason": _enum_reader(StopReason),
    "reason": _enum_reader(Reason),
    "drop": partial(_name_of, {value: name for name, value in STAGE_DROP.items()}),
    "message": partial(_name_of, {message.type: message.name for message in MESSAGES}),
    "alarms": _flag_names,
    "raised": _flag_names,
    "cleared": _flag_names,
    "host": _raw_bytes,
    "program_hash_head": _raw_bytes,
    "firmware": _version,
    "reservoir_steps": _known_steps,
    "clock_known": bool,
}
