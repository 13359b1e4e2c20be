"""Journal records: what their fields say, by kind, and the hash chain that holds the records together.

Fields are read by the name that the schema gives them: `record.low_steps`, or all of a record as `record.fields`. Parts
of ids that stand in several words are joined, so that a host id is 4 bytes and a list of alarms a tuple of names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from struct import Struct as Packer
from typing import Any, Final, NamedTuple

from .errors import CodecError, ProtocolError
from .plans import named_number, named_value
from .tables import (
    BODIES,
    CHAIN_BYTES,
    COMMAND_BASE,
    ENTRIES_PER_WORD,
    ENTRY_BITS,
    ENUMS,
    JOINED,
    MESSAGES,
    RECORD_BYTES,
    RECORD_ENUMS,
    RECORD_KINDS,
    RecordField,
)

GENESIS_CHAIN: Final = bytes(CHAIN_BYTES)
"""Chain value before the first record of a journal."""

CHAINED_BYTES: Final = RECORD_BYTES - CHAIN_BYTES
"""How many bytes of a record, from its first, its chain value covers."""

UNKNOWN_STEPS: Final = 0xFFFFFFFF
"""Reservoir content, or another number, that the pump does not know; decoded as None."""

_RECORD = Packer(BODIES["record"][0][0])
_WORDS: Final = 5
"""Words of a record, after its code."""
_WORD_BITS: Final = 30
"""Bits of each word of an id that has several."""
_ESCALATED: Final = 0x100
"""Bit of an alarm's entry."""


class RecordError(ProtocolError):
    """Bytes that are no records, or records that do not follow each other."""


_NAMES: Final[Mapping[int, str]] = {number: name for name, number in ENUMS["RecordKind"].items()}


class Record(NamedTuple):
    """One journal record as it is stored.

    `day` and `ms` are pump time since commissioning; `kind_number` is the number of its kind, `chain` the hash that
    ties it to the record before. The code and the words are for this package: everyone else reads the fields of the
    kind by their names, as attributes.
    """

    sequence: int
    day: int
    ms: int
    kind_number: int
    raw_code: int
    word1: int
    word2: int
    word3: int
    word4: int
    word5: int
    chain: bytes

    @property
    def kind(self) -> str:
        """Name of its kind; `unknown_N` when a newer firmware wrote it."""
        return _NAMES.get(self.kind_number, f"unknown_{self.kind_number}")

    @property
    def fields(self) -> dict[str, Any]:
        """All fields of the kind by name, as plain values.

        Enumerations are names, alarms a tuple of names in the order of raising, a host id 4 bytes, a firmware version
        "1.2.3", unknown reservoir content None. Of an unknown kind: the raw numbers.
        """
        return {name: read(self) for name, read in _readers(self.kind).items()}

    @property
    def copied_from(self) -> int:
        """Of a record of the fault ring: the number of the journal record that it is a copy of."""
        return self.word5

    @property
    def copied_fields(self) -> dict[str, Any]:
        """Of a record of the fault ring: the fields that the copy holds; its last word names the record."""
        last = {field[0] for field in RECORD_KINDS.get(self.kind, ()) if _last_word(field) == _WORDS}
        return {name: value for name, value in self.fields.items() if name not in last}

    def __getattr__(self, name: str) -> Any:
        """The field of this name.

        Raises:
            AttributeError: Records of this kind have none of this name.
        """
        read = _readers(self.kind).get(name)
        if read is None:
            raise AttributeError(f"a {self.kind} record has no field {name!r}")
        return read(self)

    def to_bytes(self) -> bytes:
        """The record as it is stored, `RECORD_BYTES` long."""
        return _RECORD.pack(*self)


def make_record(
    kind: str, *, sequence: int = 0, day: int = 0, ms: int = 0, chain: bytes = GENESIS_CHAIN, **fields: Any
) -> Record:
    """A record of these fields, in the form in which `Record.fields` gives them; others are zero. For tests and tools.

    Raises:
        CodecError: No such kind or field, or a value that does not fit.
    """
    numbers = [0] * (1 + _WORDS)
    plan = {field[0]: field for field in RECORD_KINDS.get(kind, ())}
    if kind not in RECORD_KINDS:
        raise CodecError(f"no record kind is called {kind!r}")
    for name, value in fields.items():
        for part, number in _split(kind, name, value).items():
            if part not in plan:
                raise CodecError(f"{kind}: unknown field {name!r}; it has {', '.join(field_names(kind))}")
            _put(numbers, plan[part], f"{kind}.{name}", number)
    return Record._make((sequence, day, ms, ENUMS["RecordKind"][kind], *numbers, chain))


def field_names(kind: str) -> tuple[str, ...]:
    """Names of the fields of a kind, as `Record.fields` has them; of an unknown kind those of the raw numbers."""
    return tuple(_readers(kind))


def hash_head(program_hash: bytes) -> bytes:
    """The head of a program hash as records hold it: the low 30 bits of its first four bytes."""
    return program_hash[:3] + bytes([program_hash[3] & 0x3F])


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


# Reading

Reader = Callable[[Record], Any]


@cache
def _readers(kind: str) -> Mapping[str, Reader]:
    """What reads each field of a kind from a record, by name."""
    fields = {field[0]: field for field in RECORD_KINDS.get(kind, ())}
    if kind not in RECORD_KINDS:
        names = ("code", *(f"word{number}" for number in range(1, 1 + _WORDS)))
        return {name: partial(_number, at, 0, 0xFFFFFFFF) for at, name in enumerate(names)}
    readers: dict[str, Reader] = {}
    parts = {part: name for name, parts in JOINED.items() for part in parts if set(parts) <= fields.keys()}
    for name, field in fields.items():
        if name in parts:
            joined = parts[name]
            readers[joined] = partial(_JOINERS[joined], *(fields[part] for part in JOINED[joined]))
        else:
            readers[name] = _reader(field)
    if kind == "latched":
        readers["escalated"] = partial(_alarms, fields["alarms"], _ESCALATED)
    return readers


def _reader(field: RecordField) -> Reader:
    name, at, shift, bits, count = field
    if name == "id":
        return partial(_long_id, field)
    if bits == ENTRY_BITS and count > 1:
        return partial(_alarms, field, 0)
    if count > 1:
        return partial(_known_words, field)
    number = partial(_number, at, shift, (1 << bits) - 1)
    convert = _converter(name)
    return number if convert is None else lambda record: convert(number(record))


def _last_word(field: RecordField) -> int:
    _, at, _, bits, count = field
    return at - 1 + (-(-count // ENTRIES_PER_WORD) if bits == ENTRY_BITS else count)


def _numbers(record: Record) -> tuple[int, int, int, int, int, int]:
    """The code and the words."""
    return record[4:10]


def _number(at: int, shift: int, mask: int, record: Record) -> int:
    return _numbers(record)[at] >> shift & mask


def _part(field: RecordField, record: Record) -> int:
    _, at, shift, bits, _ = field
    return _number(at, shift, (1 << bits) - 1, record)


def _words(field: RecordField, record: Record) -> tuple[int, ...]:
    return _numbers(record)[field[1] : field[1] + field[4]]


def _known_words(field: RecordField, record: Record) -> tuple[int, ...]:
    return tuple(word for word in _words(field, record) if word != UNKNOWN_STEPS)


def _alarms(field: RecordField, wanted: int, record: Record) -> tuple[str, ...]:
    entries = (
        _number(field[1] + at // ENTRIES_PER_WORD, at % ENTRIES_PER_WORD * ENTRY_BITS, (1 << ENTRY_BITS) - 1, record)
        for at in range(field[4])
    )
    return tuple(named_value("Alarm", entry & 0xFF) for entry in entries if entry and entry & wanted == wanted)


def _joined_words(words: Iterable[int], tail: int, size: int) -> bytes:
    number, shift = 0, 0
    for word in words:
        number |= (word & (1 << _WORD_BITS) - 1) << shift
        shift += _WORD_BITS
    return (number | tail << shift).to_bytes(size, "little")


def _long_id(field: RecordField, record: Record) -> bytes:
    return _joined_words(_words(field, record), 0, 15)


def _host(low: RecordField, high: RecordField, record: Record) -> bytes:
    return _joined_words([_part(low, record)], _part(high, record), 4)


def _mac(words: RecordField, tail: RecordField, record: Record) -> bytes:
    return _joined_words(_words(words, record), _part(tail, record), 16)


def _command(field: RecordField, record: Record) -> str:
    return _message_name(COMMAND_BASE + _part(field, record))


_JOINERS: Final[Mapping[str, Callable[..., Any]]] = {"host": _host, "message": _command, "mac": _mac}

_TRUTHS: Final = frozenset({"period_begins", "carried_on", "clock_known", "running"})
_PERHAPS_UNKNOWN: Final = frozenset(
    {
        "reservoir_steps",
        "content_steps",
        "ratio_permille",
        "replacement_day",
        "replacement_local_days",
        "implant_days",
    }
)


def _converter(name: str) -> Callable[[int], Any] | None:
    if name in RECORD_ENUMS:
        return partial(named_value, RECORD_ENUMS[name])
    if name in _TRUTHS:
        return bool
    if name in _PERHAPS_UNKNOWN:
        return _known
    return {"message": _message_name, "firmware": _version, "program_hash_head": _raw_bytes}.get(name)


def _message_name(value: int) -> str:
    return next((name for number, name, _, _ in MESSAGES if number == value), f"unknown_{value}")


def _version(value: int) -> str:
    return f"{value >> 16}.{value >> 8 & 255}.{value & 255}"


def _known(value: int) -> int | None:
    return None if value == UNKNOWN_STEPS else value


def _raw_bytes(value: int) -> bytes:
    return value.to_bytes(4, "little")


# Writing


def _split(kind: str, name: str, value: Any) -> dict[str, Any]:
    """The numbers of a field by the names of its parts."""
    where = f"{kind}.{name}"
    if name in ("alarms", "escalated"):
        bit = _ESCALATED if name == "escalated" else 0
        return {"alarms": [named_number(where, "Alarm", alarm) | bit for alarm in value]}
    if name in RECORD_ENUMS and isinstance(value, str):
        return {name: named_number(where, RECORD_ENUMS[name], value)}
    if name == "message":
        number = next((number for number, message, _, _ in MESSAGES if message == value), value)
        has_command = any(field[0] == "command" for field in RECORD_KINDS[kind])
        return {"command": number - COMMAND_BASE} if has_command else {name: number}
    if name == "firmware":
        major, minor, patch = map(int, value.split("."))
        return {name: major << 16 | minor << 8 | patch}
    if not isinstance(value, bytes):
        return {name: UNKNOWN_STEPS if value is None else value}
    number = int.from_bytes(value, "little")
    words = [number >> _WORD_BITS * at & (1 << _WORD_BITS) - 1 for at in range(4)]
    if name == "host":
        return {"host": words[0], "host_high": number >> _WORD_BITS}
    if name == "mac":
        return {"mac": words, "mac_tail": number >> 4 * _WORD_BITS}
    return {name: words if name == "id" else number}


def _put(numbers: list[int], field: RecordField, where: str, value: Any) -> None:
    _, at, shift, bits, count = field
    if count == 1:
        if not 0 <= value < 1 << bits:
            raise CodecError(f"{where}: {value} does not fit into {bits} bits")
        numbers[at] |= int(value) << shift
    elif len(value) > count:
        raise CodecError(f"{where}: {len(value)} numbers; at most {count} fit")
    elif bits == ENTRY_BITS:
        _put_alarms(numbers, at, value)
    else:
        padding = [UNKNOWN_STEPS if field[0] == "age_ms" else 0] * (count - len(value))
        numbers[at : at + count] = [*value, *padding]


def _put_alarms(numbers: list[int], at: int, entries: Iterable[int]) -> None:
    """Alarms from the first entry on; one that stands there already gets its bit."""
    for entry in entries:
        place = 0
        while (held := numbers[at + place // ENTRIES_PER_WORD] >> place % ENTRIES_PER_WORD * ENTRY_BITS) & 0xFF and (
            held & 0xFF != entry & 0xFF
        ):
            place += 1
        numbers[at + place // ENTRIES_PER_WORD] |= entry << place % ENTRIES_PER_WORD * ENTRY_BITS
