"""Many journal records at once, by column, by a plan that is made once from the generated tables.

A column is cut out of the bytes by its stride, not value by value. Numbers come as `array`, which is compact and
slices and sums like a list; chain values come as a list of bytes. What all records have is in `columns`, the fields of
one kind are in `kind_columns`, by their names. As objects they come from `records.decode_records`.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Mapping
from functools import cache
from struct import Struct as Packer
from typing import Any, Final

from .records import RecordError, decode_records, field_names
from .tables import BODIES, ENUMS, RECORD_BYTES, RECORD_KINDS

Column = Any
"""`array` of u8 ("B"), u16 ("H") or u32 ("I"), or a list of bytes."""

_WORDS: Final = ("code", "a", "b", "c", "d", "e")
"""Columns by the number of the word, of which 0 is the code."""

_CODES: Final[Mapping[int, str]] = {array(code).itemsize: code for code in "BHI"}


COMMON: Final = ("sequence", "day", "ms", "kind", "chain")
"""Columns that every record has; `kind` is its number."""


@cache
def _plan() -> dict[str, Callable[[bytes], Column]]:
    """Name of each column, and what cuts it out of the bytes of whole records."""
    cutters: dict[str, Callable[[bytes], Column]] = {}
    at = 0
    for name, kind, size in BODIES["record"][0][1]:
        cutters[name] = _bytes_cutter(at, size) if kind == "bytes" else _number_cutter(at, size)
        at += size
    return cutters


def _number_cutter(at: int, size: int) -> Callable[[bytes], Column]:
    # The bytes are read as numbers of this size from the first place on that lies a whole number of them before it.
    code, skip, stride = _CODES[size], at % size, RECORD_BYTES // size
    first = at // size

    def cut(data: bytes) -> Column:
        numbers = array(code, data[skip : len(data) - (size - skip)] if skip else data)
        if sys.byteorder == "big":
            numbers.byteswap()
        return numbers[first::stride]

    return cut


def _bytes_cutter(at: int, size: int) -> Callable[[bytes], Column]:
    values = Packer(f"{at}x{size}s{RECORD_BYTES - at - size}x")
    return lambda data: [value for (value,) in values.iter_unpack(data)]


def columns(data: bytes) -> dict[str, Column]:
    """What all records in `data` have, by column: those of `COMMON`.

    Raises:
        RecordError: `data` is no whole number of records.
    """
    _check(data)
    return {name: _plan()[name](data) for name in COMMON}


def column(data: bytes, name: str) -> Column:
    """One of the columns of `COMMON` alone.

    Raises:
        RecordError: `data` is no whole number of records.
    """
    _check(data)
    return _plan()[name](data)


def kind_columns(data: bytes, kind: str) -> dict[str, Column]:
    """The records of one kind in `data`: the columns of `COMMON`, and each field of the kind by its name.

    A field that is a whole word comes as the pump wrote it, as `array`; any other comes as a list of the values that
    `Record.fields` gives.

    Raises:
        RecordError: `data` is no whole number of records.
    """
    number = ENUMS["RecordKind"][kind]
    places = [at for at, found in enumerate(column(data, "kind")) if found == number]
    rows = b"".join(data[at * RECORD_BYTES : (at + 1) * RECORD_BYTES] for at in places)
    whole = {name: at for name, at, shift, bits, count in RECORD_KINDS[kind] if count == 1 and bits == 32}
    found = columns(rows)
    records = decode_records(rows)
    for name in field_names(kind):
        is_word = name in whole and name != "host"
        found[name] = _plan()[_WORDS[whole[name]]](rows) if is_word else [getattr(one, name) for one in records]
    return found


def _check(data: bytes) -> None:
    if len(data) % RECORD_BYTES:
        raise RecordError(f"{len(data)} bytes are no whole number of records of {RECORD_BYTES} bytes")
