"""Columns of many records are what the records are, one by one."""

from __future__ import annotations

import pytest
from dosebench_protocol.bulk import COMMON, column, columns, kind_columns
from dosebench_protocol.records import UNKNOWN_STEPS, Record, RecordError, decode_records, field_names
from dosebench_protocol.tables import ENUMS
from hypothesis import given
from hypothesis import strategies as st

KINDS = ENUMS["RecordKind"]
U8, U16, U32 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32))
RECORDS = st.lists(
    st.builds(Record, U32, U16, U32, U8, U8, U32, U32, U32, U32, U32, st.binary(min_size=8, max_size=8)), max_size=30
)


@given(records=RECORDS)
def test_a_column_is_a_field_of_every_record(records: list[Record]) -> None:
    data = b"".join(record.to_bytes() for record in records)
    assert decode_records(data) == records
    found = columns(data)
    assert list(found) == ["sequence", "day", "ms", "kind", "chain"]
    for name, values in found.items():
        wanted = [getattr(record, "kind_number" if name == "kind" else name) for record in records]
        assert list(values) == wanted, name
        assert list(column(data, name)) == wanted


KIND = st.sampled_from(sorted(KINDS.values()))


@given(records=st.lists(st.tuples(KIND, U8, st.lists(U32, min_size=5, max_size=5)), max_size=30), kind=KIND)
def test_columns_of_a_kind_are_its_fields(records: list[tuple[int, int, list[int]]], kind: int) -> None:
    made = [
        Record._make((at, 1, 2, number, code, *words, bytes(8))) for at, (number, code, words) in enumerate(records)
    ]
    data = b"".join(record.to_bytes() for record in made)
    name = next(name for name, number in KINDS.items() if number == kind)
    found = kind_columns(data, name)
    mine = [record for record in made if record.kind == name]
    assert list(found["sequence"]) == [record.sequence for record in mine]
    assert set(found) == {*COMMON, *field_names(name)}
    for field in field_names(name):
        told = list(found[field])
        raw = [UNKNOWN_STEPS if value is None else value for value in (getattr(record, field) for record in mine)]
        if all(isinstance(value, int) and not isinstance(value, bool) for value in raw):
            assert told == raw, field
        assert len(told) == len(mine)


def test_half_a_record_is_refused() -> None:
    for act in (columns, lambda data: column(data, "ms")):
        with pytest.raises(RecordError, match="no whole number of records"):
            act(bytes(41))
