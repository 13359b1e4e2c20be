"""Many journal records at once: into columns and into objects, against `struct` and against construct."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from struct import Struct as Packer
from typing import Final

from construct import GreedyRange
from dosebench_protocol.bulk import columns, kind_columns
from dosebench_protocol.records import Record, decode_records, field_names
from dosebench_protocol.schema import messages, terms
from dosebench_protocol.tables import BODIES

from .measure import Figure, interleave_rounds, ratio_figure, shown_figure

ROUNDS: Final = 20
RECORDS: Final = 4_000
REPEATS: Final = 5
PEER_RECORDS: Final = 400
"""construct takes so long that it is given fewer; times are those of one record."""
TOLERANCE: Final = 0.3
COLUMNS_MAX: Final = 1.9
OBJECTS_MAX: Final = 3.5
PLAIN: Final = Packer(BODIES["record"][0][0])
STRUCT: Final = "list(struct.iter_unpack)"
PEER: Final = "construct GreedyRange"


def measure_figures(rounds: int = ROUNDS) -> list[Figure]:
    """Times of a record, and ratios to plain `struct` and to construct."""
    data = b"".join(
        Record(n, n // 100, 1000 * n, 2, 0, n, n + 4, 4, 0, 80_000 - n, n.to_bytes(8, "big")).to_bytes()
        for n in range(RECORDS)
    )
    few = data[: PEER_RECORDS * terms.RECORD_BYTES]
    peer = GreedyRange(messages.Record)
    # All records are leases, so that the columns of that kind say what the objects say.
    whole, objects = kind_columns(few, "lease"), decode_records(few)
    assert [list(column) for column in columns(few).values()] == [list(whole[name]) for name in columns(few)]
    assert all(list(whole[name]) == [getattr(one, name) for one in objects] for name in field_names("lease"))
    assert [record.chain for record in peer.parse(few)] == [record.chain for record in decode_records(few)]
    acts: dict[str, Callable[[], object]] = {
        STRUCT: lambda: list(PLAIN.iter_unpack(data)),
        "columns": partial(columns, data),
        "columns of a kind": partial(kind_columns, data, "lease"),
        "objects": partial(decode_records, data),
    }
    contestants = {name: partial(measure_seconds, act, RECORDS) for name, act in acts.items()}
    contestants[PEER] = partial(measure_seconds, partial(peer.parse, few), PEER_RECORDS)
    times = interleave_rounds(contestants, rounds)
    return [
        ratio_figure(f"bulk: columns / {STRUCT}", times, ("columns", STRUCT), TOLERANCE, COLUMNS_MAX),
        ratio_figure(f"bulk: objects / {STRUCT}", times, ("objects", STRUCT), TOLERANCE, OBJECTS_MAX),
        ratio_figure(f"bulk: columns / {PEER}", times, ("columns", PEER), TOLERANCE),
        ratio_figure(f"bulk: objects / {PEER}", times, ("objects", PEER), TOLERANCE),
        *(shown_figure(f"bulk: a record, {name}", values, "us", 1e6) for name, values in times.items()),
    ]


def measure_seconds(act: Callable[[], object], records: int) -> float:
    """Seconds of the processor for one record: what else runs does not count."""
    began = time.process_time()
    for _ in range(REPEATS):
        act()
    return (time.process_time() - began) / (REPEATS * records)
