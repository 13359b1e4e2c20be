"""Journal records: what their fields say, by kind, and the hash chain that holds the records together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from struct import Struct as Packer
from typing import Any, Final, NamedTuple

from .errors import ProtocolError
from .plans import named_value
from .tables import BODIES, CHAIN_BYTES, ENUMS, MESSAGES, RECORD_BYTES, RECORD_KINDS

GENESIS_CHAIN: Final = bytes(CHAIN_BYTES)
"""Chain value before the first record of a journal."""

CHAINED_BYTES: Final = RECORD_BYTES - CHAIN_BYTES
"""How many bytes of a record, from its first, its chain value covers."""

UNKNOWN_STEPS: Final = 0xFFFFFFFF
"""Reservoir content, or another number, that the pump does not know; decoded as None."""

_RECORD = Packer(BODIES["record"][0][0])


class RecordError(ProtocolError):
    """Bytes that are no records, or records that do not follow each other."""


class KindPlan(NamedTuple):
    """Names of the fields of one record kind; None where a field is unused (zero).

    Attributes:
        code: Name of `code`.
        numbers: Names of `a` to `e`.
    """

    code: str | None
    numbers: tuple[str | None, ...]


KINDS: Final[Mapping[str, KindPlan]] = {kind: KindPlan._make(names) for kind, names in RECORD_KINDS.items()}
"""Every record kind by name."""

_NAMES: Final[Mapping[int, str]] = {number: name for name, number in ENUMS["RecordKind"].items()}


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
    # OpenSSL's hashes take 2 ms to load, and only journals need them.
    from hashlib import sha256  # noqa: PLC0415

    return sha256(previous + record[:CHAINED_BYTES]).digest()[:CHAIN_BYTES]


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


def _message_name(value: int) -> str:
    return next((name for number, name, _, _ in MESSAGES if number == value), f"unknown_{value}")


def _version(value: int) -> str:
    return f"{value >> 16}.{value >> 8 & 255}.{value & 255}"


def _known(value: int) -> int | None:
    return None if value == UNKNOWN_STEPS else value


def _raw_bytes(value: int) -> bytes:
    return value.to_bytes(4, "little")


_alarm_names = partial(named_value, "Alarm", 4)

_READERS: Final[Mapping[str, Callable[[int], Any]]] = {
    "reset_cause": partial(named_value, "ResetCause", 1),
    "priority": partial(named_value, "Priority", 1),
    "role": partial(named_value, "Role", 1),
    "stop_reason": partial(named_value, "StopReason", 1),
    "reason": partial(named_value, "Reason", 1),
    "drop": partial(named_value, "StageDrop", 1),
    "kind": partial(named_value, "BolusKind", 1),
    "titration_day": int,
    "place": int,
    "copy": int,
    "period_begins": bool,
    "carried_on": bool,
    "message": _message_name,
    "alarms": _alarm_names,
    "raised": _alarm_names,
    "ended": _alarm_names,
    "cleared": _alarm_names,
    "host": _raw_bytes,
    "program_hash_head": _raw_bytes,
    "firmware": _version,
    "reservoir_steps": _known,
    "content_steps": _known,
    "flag": partial(named_value, "RefillFlag", 1),
    "ratio_permille": _known,
    "replacement_day": _known,
    "replacement_local_days": _known,
    "implant_days": _known,
    "clock_known": bool,
}
