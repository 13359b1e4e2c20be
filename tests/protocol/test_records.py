"""Journal records: their names by kind, and the chain."""

from __future__ import annotations

import pytest
from dosebench_protocol import records
from dosebench_protocol.records import KINDS, Record, RecordError, chain, decode_records, verify_chain
from dosebench_protocol.schema import messages, terms

KIND_NUMBERS = {str(name): int(value) for name, value in terms.RecordKind.encmapping.items()}


def record(kind: str, code: int = 0, numbers: tuple[int, ...] = (0,) * 5, sequence: int = 0) -> Record:
    a, b, c, d, e = numbers
    return Record(sequence, 3, 1000, KIND_NUMBERS[kind], code, a, b, c, d, e, bytes(8))


def chained(count: int, first: int = 0, previous: bytes = records.GENESIS_CHAIN) -> list[Record]:
    made = []
    for sequence in range(first, first + count):
        one = record("lease", numbers=(sequence, sequence + 4, 4, 0, 80_000), sequence=sequence)
        previous = chain(previous, one.to_bytes())
        made.append(one._replace(chain=previous))
    return made


def test_layout_is_that_of_the_schema() -> None:
    one = record("boot", 2, (1, 2, 3, 4, 5), 77)._replace(chain=b"8 bytes!")
    assert len(one.to_bytes()) == terms.RECORD_BYTES == messages.Record.sizeof()
    container = messages.Record.parse(one.to_bytes())
    assert [container[name] for name in ("sequence", "day", "ms", "code", *"abcde", "chain")] == [
        *(one.sequence, one.day, one.ms, one.code, one.a, one.b, one.c, one.d, one.e, one.chain)
    ]
    assert str(container.kind) == one.kind == "boot"
    assert decode_records(one.to_bytes() * 2) == [one, one]


def test_every_kind_has_its_fields() -> None:
    assert set(KINDS) == set(KIND_NUMBERS)
    for kind, plan in KINDS.items():
        names = {name for name in (plan.code, *plan.numbers) if name}
        fields = set(record(kind).fields)
        assert fields == (names - {"stop_reason+running"} | ({"stop_reason", "running"} if kind == "state" else set()))


@pytest.mark.parametrize(
    ("made", "fields"),
    [
        (
            record("boot", 2, (9, 100, 104, 1 << 16 | 2 << 8 | 3, 1)),
            {
                "reset_cause": "brown_out",
                "boot_count": 9,
                "low_steps": 100,
                "high_steps": 104,
                "firmware": "1.2.3",
                "records_voided": 1,
            },
        ),
        (
            record("bolus", 2, (int.from_bytes(b"desk", "little"), 7, 240, 100, 244)),
            {"role": "operator", "host": b"desk", "counter": 7, "steps": 240, "low_steps": 100, "allowance_steps": 244},
        ),
        (
            record("refused", 71, (int.from_bytes(b"desk", "little"), 8, 0x32, 100, 101)),
            {
                "reason": "bolus_over_maximum",
                "host": b"desk",
                "counter": 8,
                "message": "bolus",
                "low_steps": 100,
                "high_steps": 101,
            },
        ),
        (
            record("state", 0x11, (1, 2, 3, 4 | 1 << 30, 0xFFFFFFFF)),
            {
                "stop_reason": "command",
                "running": True,
                "low_steps": 1,
                "high_steps": 2,
                "generation": 3,
                "alarms": ("bit_30", "motor_stall"),
                "reservoir_steps": None,
            },
        ),
        (
            record("stage_dropped", 3, (200, 256, 0, 0, 0)),
            {"drop": "reset", "received_bytes": 200, "length_bytes": 256},
        ),
        (record("stage_dropped", 9), {"drop": "unknown_9", "received_bytes": 0, "length_bytes": 0}),
        (
            record("commit", 0, (0, 1, 2, int.from_bytes(b"\xaa\xbb\xcc\xdd", "little"), 5)),
            {
                "role": "none",
                "host": bytes(4),
                "counter": 1,
                "generation": 2,
                "program_hash_head": b"\xaa\xbb\xcc\xdd",
                "high_steps": 5,
            },
        ),
    ],
)
def test_fields_have_the_names_of_their_kind(made: Record, fields: dict[str, object]) -> None:
    assert made.fields == fields


def test_a_kind_of_a_newer_firmware_stays_readable() -> None:
    odd = record("boot", 1, (2, 3, 4, 5, 6))._replace(kind_number=200)
    assert odd.kind == "unknown_200"
    assert odd.fields == {"code": 1, "a": 2, "b": 3, "c": 4, "d": 5, "e": 6}


def test_a_cut_record_is_refused() -> None:
    assert decode_records(b"") == []
    with pytest.raises(RecordError, match="41 bytes"):
        decode_records(bytes(41))


def test_a_sound_chain_can_be_read_in_parts() -> None:
    journal = chained(10)
    middle = verify_chain(journal[:4])
    assert middle == journal[3].chain
    assert verify_chain(journal[4:], middle) == verify_chain(journal) == journal[-1].chain
    assert verify_chain([]) == bytes(8)


def test_any_change_to_a_record_breaks_the_chain() -> None:
    journal = chained(4)
    data = b"".join(one.to_bytes() for one in journal)
    for bit in range(0, 8 * len(data), 3):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(RecordError, match="record"):
            verify_chain(decode_records(bytes(changed)))


def test_a_missing_record_is_named() -> None:
    journal = chained(5)
    with pytest.raises(RecordError, match="record 3 follows record 1"):
        verify_chain([*journal[:2], *journal[3:]])
