"""Hypothesis strategies for bodies: their values, damaged bytes, and schemas of the allowed subset."""

from __future__ import annotations

from typing import Any

from construct import Bytes, GreedyBytes, Int8ul, Int16ul, Int32ul, Prefixed, PrefixedArray, Struct
from dosebench_protocol.schema.model import ArrayField, BlobField, Body, BytesField, Field, IntField
from hypothesis import settings
from hypothesis import strategies as st

EXAMPLES_OF_EACH: int = settings.default.max_examples * 2 // 5
"""For a property that is asked of each body: forty, and eight hundred in a campaign."""


def values_of(body: Body) -> st.SearchStrategy[list[Any]]:
    return st.tuples(*map(value_of, body.fields)).map(list)


def value_of(field: Field) -> st.SearchStrategy[Any]:
    match field:
        case IntField(width=width):
            most = (1 << 8 * width) - 1
            return st.integers(0, most) | st.sampled_from([0, 1, most, min(most, 1 << 30), min(most, (1 << 30) - 1)])
        case BytesField(length=length):
            return st.binary(min_size=length, max_size=length)
        case BlobField(width=width):
            return st.binary(max_size=40) | st.sampled_from([bytes(255), b"\xff" * 254])
        case ArrayField(rows=rows):
            return st.lists(values_of(rows).map(tuple), max_size=5)


def construct_values(body: Body, values: list[Any]) -> dict[str, Any]:
    named = {}
    for field, value in zip(body.fields, values, strict=True):
        rows = field.rows.fields if isinstance(field, ArrayField) else ()
        named[field.name] = (
            [{row.name: one for row, one in zip(rows, item, strict=True)} for item in value] if rows else value
        )
    return named


def mutations(sample: bytes) -> st.SearchStrategy[bytes]:
    """The sample cut, with bytes changed, with bytes appended."""
    changes = st.lists(st.tuples(st.integers(0, len(sample) - 1), st.integers(0, 255)), max_size=3)
    return st.builds(_mutate, st.just(sample), changes, st.integers(-len(sample), 30), st.binary(max_size=30))


def _mutate(sample: bytes, changes: list[tuple[int, int]], size: int, more: bytes) -> bytes:
    changed = bytearray(sample)
    for at, value in changes:
        changed[at] = value
    return bytes(changed[:size]) if size < 0 else bytes(changed) + more


INTEGERS = st.sampled_from([Int8ul, Int16ul, Int32ul])
FIXED = INTEGERS | st.integers(1, 20).map(Bytes)
PREFIX = st.sampled_from([Int8ul, Int16ul])


def named(subcons: list[Any]) -> Any:
    return Struct(*(f"f{index}" / subcon for index, subcon in enumerate(subcons)))


ROWS = st.lists(FIXED, min_size=1, max_size=4).map(named)
ANY_FIELD = FIXED | st.builds(lambda size: Prefixed(size, GreedyBytes), PREFIX) | st.builds(PrefixedArray, PREFIX, ROWS)

SCHEMAS = st.lists(ANY_FIELD, min_size=1, max_size=7).map(named)
"""Structs of the subset that a microcontroller decodes."""
