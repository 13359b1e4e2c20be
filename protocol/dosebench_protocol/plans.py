"""Bodies by plan: plain values to bytes and back with `struct` alone, as the tables say. No I/O.

What the values look like is said in `codec`, which calls this with the plans of `tables`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from struct import Struct as Packer
from typing import Any

from .errors import CodecError
from .tables import BODY_BYTES_MAX, ENUMS, PROGRAM_BYTES_MAX, Field, Run, Tail

Values = dict[str, Any]
"""Fields of a body by name."""

_packer = cache(Packer)


def field_names(runs: Sequence[Run]) -> list[str]:
    """Names of all fields, in their order on the wire."""
    names: list[str] = []
    for _, fields, tail in runs:
        names += [field[0] for field in fields]
        names += [tail[0]] if tail else []
    return names


def pack(name: str, runs: Sequence[Run], values: Mapping[str, Any]) -> bytes:
    """Bytes of the body `name`.

    Raises:
        CodecError: A field is missing, unknown or out of range.
    """
    _check_names(name, field_names(runs), values)
    data = b"".join(_pack_run(name, run, values) for run in runs)
    kind, most = ("program", PROGRAM_BYTES_MAX) if name == "program" else ("body", BODY_BYTES_MAX)
    if len(data) > most:
        raise CodecError(f"{name}: {len(data)} bytes are more than a {kind}'s {most}")
    return data


def _check_names(where: str, names: Sequence[str], values: Mapping[str, Any]) -> None:
    if wrong := sorted(set(values) ^ set(names), key=str):
        kind = "unknown" if wrong[0] in values else "missing"
        raise CodecError(f"{where}: {kind} field {wrong[0]!r}; it has {', '.join(names) or 'none'}")


def _pack_run(name: str, run: Run, values: Mapping[str, Any]) -> bytes:
    pattern, fields, tail = run
    numbers = [_plain_value(f"{name}.{field[0]}", field, values[field[0]]) for field in fields]
    if tail is None:
        return _packer(pattern).pack(*numbers)
    count, data = _pack_tail(f"{name}.{tail[0]}", tail, values[tail[0]])
    return _packer(pattern).pack(*numbers, count) + data


def _pack_tail(where: str, tail: Tail, value: Any) -> tuple[int, bytes]:
    """What the prefix says, and the bytes after it."""
    _, width, pattern, fields = tail
    most = (1 << 8 * width) - 1
    if not fields:
        data = _checked_bytes(where, _listed(where, pattern, value) if pattern else value, 0, most)
        return len(data), data
    if not isinstance(value, list | tuple):
        raise CodecError(f"{where}: a list of rows wanted, not {type(value).__name__}")
    if len(value) > most:
        raise CodecError(f"{where}: {len(value)} rows; at most {most} wanted")
    rows = (_row_values(f"{where}[{number}]", fields, row) for number, row in enumerate(value))
    return len(value), b"".join(_packer(pattern).pack(*row) for row in rows)


def _listed(where: str, kind: str, value: Any) -> bytes:
    """The bytes of a list of names, or of numbers, of an enumeration."""
    if not isinstance(value, list | tuple | bytes):
        raise CodecError(f"{where}: a list of names wanted, not {type(value).__name__}")
    field = ("", kind, 1)
    return bytes(_plain_value(f"{where}[{number}]", field, one) for number, one in enumerate(value))


def _row_values(where: str, fields: Sequence[Field], row: Any) -> list[Any]:
    if not isinstance(row, Mapping):
        raise CodecError(f"{where}: fields by name wanted, not {type(row).__name__}")
    _check_names(where, [field[0] for field in fields], row)
    return [_plain_value(f"{where}.{field[0]}", field, row[field[0]]) for field in fields]


def _plain_value(where: str, field: Field, value: Any) -> Any:
    """The value as `struct` takes it, checked."""
    _, kind, size = field
    if kind == "bytes":
        return _checked_bytes(where, value, size, size)
    number = int(value) if isinstance(value, int) else _number(where, kind, value)
    if not 0 <= number < 1 << 8 * size:
        raise CodecError(f"{where}: {number} does not fit into {size} bytes")
    return number


def _checked_bytes(where: str, value: Any, least: int, most: int) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise CodecError(f"{where}: bytes wanted, not {type(value).__name__}")
    if not least <= len(value) <= most:
        raise CodecError(f"{where}: {len(value)} bytes; {least if least == most else f'at most {most}'} wanted")
    return bytes(value)


def _number(where: str, kind: str, value: Any) -> int:
    """The number of a name."""
    if kind in ENUMS:
        return named_number(where, kind, value)
    raise CodecError(f"{where}: {type(value).__name__} is no value for it")


def named_number(where: str, kind: str, name: Any) -> int:
    """The number of a name of an enumeration, `unknown_N` being N.

    Raises:
        CodecError: It is no such name; the text begins with `where`.
    """
    members = ENUMS[kind]
    if isinstance(name, str) and name in members:
        return members[name]
    prefix, _, digits = str(name).rpartition("_")
    if prefix == "unknown" and digits.isdecimal():
        return int(digits)
    raise CodecError(f"{where}: {name!r} is none of {', '.join(members)}")


def unpack(name: str, runs: Sequence[Run], data: bytes) -> Values:
    """Fields of the body `name` in `data`; bytes after the last field are ignored.

    Raises:
        CodecError: `data` is too short.
    """
    values: Values = {}
    at = 0
    for pattern, fields, tail in runs:
        packer = _packer(pattern)
        if len(data) - at < packer.size:
            raise _short(name, data)
        numbers = packer.unpack_from(data, at)
        at += packer.size
        values |= _named_values(fields, numbers)
        if tail is not None:
            length = numbers[-1] * (_packer(tail[2]).size if tail[3] else 1)
            if len(data) - at < length:
                raise _short(name, data)
            values[tail[0]] = _unpack_tail(tail, bytes(data[at : at + length]))
            at += length
    return values


def _short(name: str, data: bytes) -> CodecError:
    return CodecError(f"{name}: {len(data)} bytes are too short for it")


def _unpack_tail(tail: Tail, data: bytes) -> Any:
    _, _, pattern, fields = tail
    if not fields:
        return tuple(named_value(pattern, number) for number in data) if pattern else data
    return [_named_values(fields, row) for row in _packer(pattern).iter_unpack(data)]


def _named_values(fields: Sequence[Field], numbers: Sequence[Any]) -> Values:
    values = {}
    for (name, kind, _), number in zip(fields, numbers, strict=False):
        values[name] = number if kind in ("int", "bytes") else named_value(kind, number)
    return values


def named_value(kind: str, number: int) -> str:
    """The name of a number of an enumeration; `unknown_N` where it has none."""
    return _names(kind).get(number, f"unknown_{number}")


@cache
def _names(kind: str) -> Mapping[int, str]:
    return {number: name for name, number in ENUMS[kind].items()}
