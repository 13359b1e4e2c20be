"""Many journal records at once, by column, by a plan that is made once from the generated tables.

A column is cut out of the bytes by its stride, not value by value. Numbers come as `array`, which is compact and
slices and sums like a list; chain values come as a list of bytes. As objects they come from `records.decode_records`.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Mapping
from functools import cache
from struct import Struct as Packer
from typing import Any, Final

from .records import RecordError
from .tables import BODIES, RECORD_BYTES

Column = Any
"""`array` of u8 ("B"), u16 ("H") or u32 ("I"), or a list of bytes."""

_CODES: Final[Mapping[int, str]] = {array(code).itemsize: code for code in "BHI"}


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
    """The records in `data` by column: `sequence`, `day`, `ms`, `kind` (its number), `code`, `a` to `e`, `chain`.

    Raises:
        RecordError: `data` is no whole number of records.
    """
    _check(data)
    return {name: cut(data) for name, cut in _plan().items()}


def column(data: bytes, name: str) -> Column:
    """One of the columns alone.

    Raises:
        RecordError: `data` is no whole number of records.
    """
    _check(data)
    return _plan()[name](data)


def _check(data: bytes) -> None:
    if len(data) % RECORD_BYTES:
        raise RecordError(f"{len(data)} bytes are no whole number of records of {RECORD_BYTES} bytes")
