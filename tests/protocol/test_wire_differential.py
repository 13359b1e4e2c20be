"""The generated codec against construct: for every byte string and every value they must agree."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from dosebench_protocol.alarms import ALARMS, TRAITS
from dosebench_protocol.generate.device_codec import Directions, constant_prefix, wire_source
from dosebench_protocol.generate.vectors import all_bodies, body_vectors
from dosebench_protocol.plans import named_value
from dosebench_protocol.records import Record, hash_head
from dosebench_protocol.schema import kinds, messages, terms
from dosebench_protocol.schema.messages import MESSAGES
from dosebench_protocol.schema.model import NAMESPACE, plain_construct, read_body, schema, schema_hash
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_helpers import CONSTRUCTS, ROOT, codec_for, load, pack, packed, parsed, plain, unpacked
from wire_strategies import EXAMPLES_OF_EACH, SCHEMAS, construct_values, mutations, values_of

DEVICE = load((ROOT / "firmware" / "pump" / "wire.py").read_text(encoding="utf-8"))
BOTH = load(wire_source(schema(), Directions.BOTH))
BODIES = {body.name: body for body in all_bodies(schema()) if hasattr(BOTH, f"pack_{body.name}")}
SAMPLES = {(body.name, case): data for body, case, _, data in body_vectors(schema())}


def test_every_body_is_covered() -> None:
    missing = {body.name for body in all_bodies(schema())} - set(BODIES)
    assert all(CONSTRUCTS[name] is messages.Outcome for name in missing)
    assert all(hasattr(BOTH, f"unpack_{name}") for name in BODIES)


@pytest.mark.parametrize("name", BODIES)
@settings(deadline=None, max_examples=EXAMPLES_OF_EACH)
@given(data=st.data())
def test_pack_writes_what_construct_writes(name: str, data: st.DataObject) -> None:
    body = BODIES[name]
    values = data.draw(values_of(body))
    expected = CONSTRUCTS[name].build(construct_values(body, values))
    assert packed(BOTH, body, values, offset=data.draw(st.integers(0, 5))) == expected
    assert unpacked(BOTH, body, expected) == values


@pytest.mark.parametrize("name", BODIES)
@settings(deadline=None, max_examples=EXAMPLES_OF_EACH)
@given(data=st.data())
def test_unpack_agrees_on_every_byte_string(name: str, data: st.DataObject) -> None:
    body = BODIES[name]
    sample = st.sampled_from([SAMPLES[name, case] for case in ("zeros", "counting", "counts_max")])
    raw = data.draw(st.binary(max_size=body.bytes_min + 40) | sample.flatmap(mutations))
    agree(name, raw)


def agree(name: str, raw: bytes) -> None:
    body = BODIES[name]
    ours = unpacked(BOTH, body, raw)
    assert ours == parsed(plain_construct(body), body, raw)
    assert ours == parsed(CONSTRUCTS[name], body, raw)
    if hasattr(DEVICE, f"unpack_{name}"):
        assert unpacked(DEVICE, body, raw) == ours


def test_every_prefix_of_every_sample_agrees() -> None:
    for (name, case), data in SAMPLES.items():
        if name in BODIES and case != "largest":
            for size in range(len(data) + 1):
                agree(name, data[:size])


def test_many_random_mutations_agree() -> None:
    random = Random(20)
    pool = [(name, data) for (name, case), data in SAMPLES.items() if name in BODIES and case != "largest"]
    for _ in range(5_000):
        name, data = random.choice(pool)
        changed = bytearray(data)
        for _ in range(random.randrange(4)):
            changed[random.randrange(len(changed))] = random.choice([0, 1, 127, 255, random.randrange(256)])
        agree(name, bytes(changed[: random.randrange(len(changed) + 1)]) if random.random() < 0.4 else bytes(changed))


def test_unpack_reads_between_its_bounds_only() -> None:
    for (name, case), data in SAMPLES.items():
        if name in BODIES and case == "counting":
            unpack = getattr(BOTH, f"unpack_{name}")
            for buffer in (bytearray(b"\xee" * 7 + data + b"\xee" * 9), memoryview(b"\xee" * 7 + data + b"\xee" * 9)):
                assert list(unpack(buffer, 7, 7 + len(data))) == unpacked(BOTH, BODIES[name], data)
                with pytest.raises(ValueError, match="too short"):
                    unpack(buffer, 7, 6 + len(data))


def test_pack_needs_room_and_writes_nothing_without() -> None:
    for body, case, values, data in body_vectors(schema()):
        if body.name in BODIES and case == "counting":
            plain_values = [plain(field, values[field.name]) for field in body.fields]
            exact = bytearray(len(data) + 3)
            assert pack(BOTH, body, memoryview(exact), 3, plain_values) == len(exact)
            assert exact[3:] == data
            tight = bytearray(len(data) + 2)
            with pytest.raises(ValueError, match="no room"):
                pack(BOTH, body, tight, 3, plain_values)
            assert not any(tight)


def test_bytes_of_a_wrong_length_are_refused() -> None:
    buffer = bytearray(2000)
    with pytest.raises(ValueError, match="wrong length"):
        DEVICE.pack_session_close_reply(buffer, 0, 1, b"chained")
    with pytest.raises(ValueError, match="too long"):
        DEVICE.pack_hello_reply(buffer, 0, 1, bytes(8), bytes(4), 0, 1, 0, 1, 1, 1024, 0, bytes(256), b"", b"")
    with pytest.raises(ValueError, match="too long"):
        BOTH.pack_program_chunk_request(bytearray(70_000), 0, 0, bytes(65_536))


def test_the_device_codec_has_what_a_device_needs_and_no_more() -> None:
    names = {name for name in vars(DEVICE) if name.startswith(("pack_", "unpack_"))}
    assert {"pack_header", "unpack_header", "unpack_start_request", "pack_rejected", "pack_outcome"} < names
    assert not names & {"unpack_rejected", "unpack_outcome", "pack_bolus_request", "unpack_status_reply"}
    assert not names & {"pack_program", "unpack_program", "pack_record", "unpack_record", "pack_command"}
    for message in MESSAGES:
        request, reply = f"unpack_{message.name}_request", f"pack_{message.name}_reply"
        assert (request in names) == bool(message.request.subcons)
        assert (reply in names) == (message.reply is not messages.Outcome)
    assert names <= set(vars(BOTH))


def test_constants_are_those_of_the_schema() -> None:
    plan = schema()
    assert schema_hash() == DEVICE.SCHEMA_HASH
    for name, value in plan.limits:
        assert getattr(DEVICE, name) == value == NAMESPACE[name]
    for enum in plan.enums:
        for name, value in enum.members:
            assert getattr(DEVICE, f"{constant_prefix(enum.name)}_{name.upper()}") == value
    for message in MESSAGES:
        assert getattr(DEVICE, message.name.upper()) == message.type
    assert messages.Outcome.sizeof() == DEVICE.OUTCOME_BYTES
    assert (DEVICE.REPLY, DEVICE.REJECTED) == (0x80, messages.REJECTED)


def test_traits_are_those_of_the_alarm_table() -> None:
    assert len(DEVICE.ALARM_TRAITS) == 1 + len(ALARMS)
    for name, row in ALARMS.items():
        traits = DEVICE.alarm_traits(getattr(DEVICE, f"ALARM_{name.upper()}"))
        assert {effect for effect in ("safe", "halt", "block", "fallback") if traits & TRAITS[effect.upper()]} == (
            {row.effect} - {"none"}
        )
        assert bool(traits & DEVICE.TRAIT_NEEDS_CLEARING) == row.needs_clearing
        assert bool(traits & DEVICE.TRAIT_ESCALATES) == (row.escalates is not None)
        priority = (traits & DEVICE.TRAIT_PRIORITY) >> DEVICE.TRAIT_PRIORITY_SHIFT
        assert priority == getattr(DEVICE, f"PRIORITY_{row.priority.upper()}")
    assert DEVICE.alarm_traits(DEVICE.ALARM_NONE) == 0
    assert DEVICE.alarm_traits(255) == DEVICE.TRAIT_PRIORITY | DEVICE.TRAIT_NEEDS_CLEARING


@settings(deadline=None, max_examples=EXAMPLES_OF_EACH)
@given(data=st.data())
def test_a_program_is_read_into_attributes(data: st.DataObject) -> None:
    body = BODIES["program"]
    raw = data.draw(st.sampled_from([SAMPLES["program", case] for case in ("zeros", "counting")]).flatmap(mutations))
    for module in (DEVICE, BOTH):
        into = SimpleNamespace()
        wanted = unpacked(BOTH, body, raw)
        if wanted is None:
            with pytest.raises(ValueError, match="too short"):
                module.read_program(into, raw, 0, len(raw))
        else:
            module.read_program(into, raw, 0, len(raw))
            assert [getattr(into, field.name) for field in body.fields] == wanted
            assert len(vars(into)) == len(body.fields)


def test_a_status_is_packed_by_name_only() -> None:
    with pytest.raises(TypeError):
        DEVICE.pack_status_reply(bytearray(400), 0, *[0] * len(BODIES["status_reply"].fields))


U30 = st.integers(0, (1 << 30) - 1)


@given(st.data())
def test_fields_of_records_stand_where_the_host_reads_them(data: st.DataObject) -> None:
    """The places, shifts and masks of the firmware against the names of the host, for every kind."""
    kind = data.draw(st.sampled_from(sorted(kinds.KINDS)))
    words = data.draw(st.lists(U30, min_size=5, max_size=5))
    code = data.draw(st.integers(0, 255))
    raw = Record._make((7, 1, 2, getattr(DEVICE, f"RECORD_{kind.upper()}"), code, *words, bytes(8)))
    stored = list(raw[:10])
    fields = kinds.KINDS[kind].fields
    group = "COMMAND" if kind in kinds.COMMANDS else ""
    for at, field in enumerate(fields):
        name = f"{group if group and at < 4 else kind.upper()}_{field.name.upper()}"
        if field.is_entries:
            first = getattr(DEVICE, f"ENTRY_{name}")
            numbers = [DEVICE.entry_at(stored, first + entry) & 0xFF for entry in range(field.count)]
            assert raw.fields[field.name] == tuple(named_value("Alarm", number) for number in numbers if number)
        elif field.count > 1:
            first = getattr(DEVICE, f"AT_{name}")
            assert stored[first : first + field.count] == list(raw[4 + field.at : 4 + field.at + field.count])
        else:
            number = stored[getattr(DEVICE, f"AT_{name}")]
            if field.is_part:
                number = number >> getattr(DEVICE, f"SHIFT_{name}") & getattr(DEVICE, f"MASK_{name}")
            told = raw.fields.get(field.name)
            if isinstance(told, int) and not isinstance(told, bool):
                assert told == number, name
    if "host" in raw.fields:
        high = next(field for field in fields if field.name == "host_high")
        word = stored[4 + high.at] >> high.shift & 3
        assert DEVICE.id_bytes(stored[DEVICE.AT_COMMAND_HOST], word) == raw.host


@given(st.binary(min_size=4, max_size=16))
def test_ids_are_split_and_joined(data: bytes) -> None:
    low, high = DEVICE.id_low(data), DEVICE.id_high(data)
    assert low < 1 << 30
    assert high < 4
    assert DEVICE.id_bytes(low, high) == data[:4]
    assert low.to_bytes(4, "little") == hash_head(data)


@given(st.lists(st.integers(0, 1023), min_size=15, max_size=15))
def test_entries_are_put_and_found(entries: list[int]) -> None:
    record = [0] * 10
    for at, entry in enumerate(entries):
        DEVICE.put_entry(record, at, entry)
    assert [DEVICE.entry_at(record, at) for at in range(15)] == entries
    assert max(record) < 1 << 30


def test_roles_deny_what_they_do_not_name() -> None:
    roles = {message.type: int(terms.Role.encmapping[message.role]) for message in MESSAGES}
    for number in range(-300, 400):
        assert DEVICE.role_of(number) == roles.get(number, -1)
    assert list(DEVICE.CHANGES_STATE) == [message.type for message in MESSAGES if message.changes_state]
    assert DEVICE.role_of(DEVICE.STOP) == DEVICE.ROLE_NONE


@settings(deadline=None)
@given(SCHEMAS, st.data())
def test_any_schema_of_the_subset_gets_a_codec_that_agrees(construct: Any, data: st.DataObject) -> None:
    body = read_body("body", construct, {})
    module = codec_for(body)
    values = data.draw(values_of(body))
    built = construct.build(construct_values(body, values))
    assert packed(module, body, values) == built
    raw = data.draw(mutations(built))
    assert unpacked(module, body, raw) == parsed(construct, body, raw) == parsed(plain_construct(body), body, raw)
    assert unpacked(module, body, built) == values
