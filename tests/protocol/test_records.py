"""Journal records: their names by kind, and the chain."""

from __future__ import annotations

import pytest
from dosebench_protocol import records
from dosebench_protocol.errors import CodecError
from dosebench_protocol.records import (
    Record,
    RecordError,
    chain,
    decode_records,
    field_names,
    make_record,
    verify_chain,
)
from dosebench_protocol.schema import kinds, messages, terms

KIND_NUMBERS = {str(name): int(value) for name, value in terms.RecordKind.encmapping.items()}


def chained(count: int, first: int = 0, previous: bytes = records.GENESIS_CHAIN) -> list[Record]:
    made = []
    for sequence in range(first, first + count):
        one = make_record(
            "lease", sequence=sequence, low_steps=sequence, high_steps=sequence + 4, reservoir_steps=80_000
        )
        previous = chain(previous, one.to_bytes())
        made.append(one._replace(chain=previous))
    return made


def test_layout_is_that_of_the_schema() -> None:
    one = Record._make((77, 3, 1000, KIND_NUMBERS["boot"], 2, 1, 2, 3, 4, 5, b"8 bytes!"))
    assert len(one.to_bytes()) == terms.RECORD_BYTES == messages.Record.sizeof()
    container = messages.Record.parse(one.to_bytes())
    names = ("sequence", "day", "ms", "kind", "code", *"abcde", "chain")
    assert [container[name] for name in names] == [*one[:3], "boot", *one[4:]]
    assert one.kind == "boot"
    assert decode_records(one.to_bytes() * 2) == [one, one]


HOST = b"\x01\x02\x03\xff"
MAC = bytes(range(0xF0, 0x100))

EXAMPLES: list[tuple[str, tuple[int, ...], dict[str, object]]] = [
    (
        "boot",
        (2, 9, 100, 104, 1 << 16 | 2 << 8 | 3, 1),
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
        "bolus",
        (2 | 3 << 3, 0x3F030201, 7, 240, 100, 244),
        {"role": "operator", "host": HOST, "counter": 7, "steps": 240, "low_steps": 100, "allowance_steps": 244},
    ),
    (
        "refused",
        (71, 0x3F030201, 8, 0x32 | 3 << 8, 100, 101),
        {
            "reason": "bolus_over_maximum",
            "host": HOST,
            "counter": 8,
            "message": "bolus",
            "low_steps": 100,
            "high_steps": 101,
        },
    ),
    (
        "host_done",
        (0x32 - 0x20 | 3 << 6, 0x3F030201, 8, 240, 100, 101),
        {"message": "bolus", "host": HOST, "counter": 8, "accepted": 240, "low_steps": 100, "high_steps": 101},
    ),
    (
        "state",
        (0x11, 1, 2, 3, 2, 0xFFFFFFFF),
        {
            "stop_reason": "command",
            "running": True,
            "low_steps": 1,
            "high_steps": 2,
            "generation": 3,
            "alarm_count": 2,
            "reservoir_steps": None,
        },
    ),
    (
        "latched",
        (15, 3 | 0x119 << 10 | 200 << 20, 7, 0, 0, 0),
        {
            "place": 15,
            "alarms": ("motor_stall", "pump_stopped", "unknown_200", "dose_cap"),
            "escalated": ("pump_stopped",),
        },
    ),
    (
        "alarm_cleared",
        (2 | 3 << 3, 0x3F030201, 9, 3 | 14 << 10, 5, 6),
        {
            "role": "operator",
            "host": HOST,
            "counter": 9,
            "alarms": ("motor_stall", "occlusion"),
            "low_steps": 5,
            "high_steps": 6,
        },
    ),
    ("alarm_raised", (3, 3, 77, 0, 0, 0), {"alarm": "motor_stall", "priority": "high", "detail": 77}),
    ("alarm_displaced", (18, 3, 0, 0, 0, 0), {"alarm": "under_infusion", "by_alarm": "motor_stall"}),
    (
        "bolus_end",
        (1 | 4 << 3, 10, 20, 3, 13, 50),
        {
            "bolus_kind": "clinician",
            "end_reason": "fault",
            "low_steps": 10,
            "high_steps": 20,
            "delivered_low_steps": 3,
            "delivered_high_steps": 13,
            "asked_steps": 50,
        },
    ),
    ("windows", (5 | 1 << 4, 1, 2, 3, 4, 5), {"place": 5, "drug": 1, "ng": (1, 2, 3, 4, 5)}),
    ("patient_times", (5, 9, 8, 7, 0xFFFFFFFF, 0xFFFFFFFF), {"place": 5, "age_ms": (9, 8, 7)}),
    ("stage_dropped", (3, 200, 256, 0, 0, 0), {"drop": "reset", "received_bytes": 200, "length_bytes": 256}),
    ("stage_dropped", (9, 0, 0, 0, 0, 0), {"drop": "unknown_9", "received_bytes": 0, "length_bytes": 0}),
    (
        "commit",
        (0, 0, 1, 2, 0x1DCCBBAA, 5),
        {
            "role": "none",
            "host": bytes(4),
            "counter": 1,
            "generation": 2,
            "program_hash_head": b"\xaa\xbb\xcc\x1d",
            "high_steps": 5,
        },
    ),
    (
        "seal",
        (1, *(int.from_bytes(MAC, "little") >> 30 * at & 0x3FFFFFFF for at in range(4)), 0xFF | 5 << 8),
        {"seal_cause": "session", "mac": MAC, "key_number": 5},
    ),
    (
        "procedure_begun",
        (4, *(int.from_bytes(MAC[:15], "little") >> 30 * at & 0x3FFFFFFF for at in range(4)), 6),
        {"procedure": 4, "id": MAC[:15], "value": 6},
    ),
]


@pytest.mark.parametrize(("kind", "numbers", "fields"), EXAMPLES)
def test_fields_have_the_names_of_their_kind(kind: str, numbers: tuple[int, ...], fields: dict[str, object]) -> None:
    made = Record._make((1, 3, 1000, KIND_NUMBERS[kind], *numbers, bytes(8)))
    assert made.fields == fields
    assert {name: getattr(made, name) for name in field_names(kind)} == fields
    assert make_record(kind, sequence=1, day=3, ms=1000, **fields) == made


@pytest.mark.parametrize("kind", sorted(KIND_NUMBERS))
def test_every_kind_has_its_fields(kind: str) -> None:
    """Every name of the plan is a field, but for parts of one that stands in several words."""
    assert set(records.RECORD_KINDS) == set(KIND_NUMBERS)
    parts = {part for name, parts in kinds.JOINED.items() for part in parts if part != name}
    joined = {"message"} if "command" in kinds.KINDS[kind].names else set()
    escalated = {"escalated"} if kind == "latched" else set()
    assert set(field_names(kind)) == set(kinds.KINDS[kind].names) - parts | joined | escalated
    assert set(make_record(kind).fields) == set(field_names(kind))


def test_a_field_of_another_kind_is_no_field() -> None:
    with pytest.raises(AttributeError, match="a torn record has no field 'low_steps'"):
        _ = make_record("torn").low_steps
    with pytest.raises(AttributeError):
        _ = make_record("lease").a


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("smoke", {}, "no record kind is called 'smoke'"),
        ("torn", {"steps": 1}, "torn: unknown field 'steps'; it has slots_voided"),
        ("start", {"role": 8}, r"start\.role: 8 does not fit into 3 bits"),
        ("windows", {"ng": (1, 2, 3, 4, 5, 6)}, r"windows\.ng: 6 numbers; at most 5 fit"),
        ("alarm_ended", {"alarm": "smoke"}, "'smoke' is none of none, reservoir_low"),
    ],
)
def test_a_record_that_cannot_be_made_is_named(kind: str, fields: dict[str, object], text: str) -> None:
    with pytest.raises(CodecError, match=text):
        make_record(kind, **fields)


def test_a_copy_of_the_fault_ring_names_its_record() -> None:
    copy = make_record("alarm_cleared", host=HOST, alarms=["leak"], low_steps=5)._replace(word5=1234)
    assert copy.copied_from == 1234
    assert copy.copied_fields == {name: value for name, value in copy.fields.items() if name != "high_steps"}
    whole = make_record("clear_list", alarms=["leak"] * 12)
    assert whole.copied_fields == whole.fields


def test_numbers_of_records_stay_small_ints() -> None:
    """What a board reads is below 2^30, but for unknown, which is all ones."""
    for kind, plan in kinds.KINDS.items():
        for field in plan.fields:
            assert field.shift + field.bits <= 30 or (field.shift, field.bits) == (0, 32), kind
    with pytest.raises(kinds.NotationError, match="32 bits; 30 fit"):
        kinds.plan_fields("- a:16+b:16 - - - -")


@pytest.mark.parametrize(
    "notation", ["", "a b c d e", "- a b c d e f", "- a a - - -", "- A - - - -", "- x[16]", "a:4+b:5 - - - - -"]
)
def test_a_plan_that_does_not_fill_a_record_is_refused(notation: str) -> None:
    with pytest.raises(kinds.NotationError):
        kinds.plan_fields(notation)


def test_a_kind_of_a_newer_firmware_stays_readable() -> None:
    odd = make_record("boot")._replace(kind_number=200, raw_code=1, word1=2, word5=6)
    assert odd.kind == "unknown_200"
    assert odd.fields == {"code": 1, "word1": 2, "word2": 0, "word3": 0, "word4": 0, "word5": 6}


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
