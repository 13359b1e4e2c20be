"""Columns of many records are what the records are, one by one."""

from __future__ import annotations

import pytest
from dosebench_protocol.bulk import column, columns
from dosebench_protocol.records import Record, RecordError, decode_records
from hypothesis import given
from hypothesis import strategies as st

U8, U16, U32 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32))
RECORDS = st.lists(
    st.builds(Record, U32, U16, U32, U8, U8, U32, U32, U32, U32, U32, st.binary(min_size=8, max_size=8)), max_size=30
)


@given(records=RECORDS)
def test_a_column_is_a_field_of_every_record(records: list[Record]) -> None:
    data = b"".join(record.to_bytes() for record in records)
    assert decode_records(data) == records
    found = columns(data)
    for at, (name, values) in enumerate(found.items()):
        assert list(values) == [record[at] for record in records], name
        assert list(column(data, name)) == list(values)
    assert list(found) == ["sequence", "day", "ms", "kind", "code", "a", "b", "c", "d", "e", "chain"]


def test_half_a_record_is_refused() -> None:
    for act in (columns, lambda data: column(data, "ms")):
        with pytest.raises(RecordError, match="no whole number of records"):
            act(bytes(41))
