"""Journals that a test writes by the names of their records and fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dosebench_protocol.records import GENESIS_CHAIN, Record, chain, make_record

DAY_MS = 86_400_000


def named(kind: str, t_ms: int = 0, **fields: Any) -> Record:
    """A record that is not chained yet, at `t_ms` of pump time; fields that are not given are zero."""
    day, ms = divmod(t_ms, DAY_MS)
    return make_record(kind, day=day, ms=ms, **fields)


def chained(records: Iterable[Record], first: int = 0, before: bytes = GENESIS_CHAIN) -> list[Record]:
    """The same records numbered and chained."""
    made = []
    for sequence, record in enumerate(records, first):
        plain = record._replace(sequence=sequence)
        before = chain(before, plain.to_bytes())
        made.append(plain._replace(chain=before))
    return made
