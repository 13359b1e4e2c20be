"""The generated codec against construct: for every byte string and every value they must agree."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from dosebench_protocol.generate.device_codec import Directions, constant_prefix, wire_source
from dosebench_protocol.generate.vectors import all_bodies, body_vectors
from dosebench_protocol.schema import messages, terms
from dosebench_protocol.schema.messages import MESSAGES
from dosebench_protocol.schema.model import NAMESPACE, plain_construct, read_body, schema, schema_hash
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_helpers import CONSTRUCTS, ROOT, codec_for, known_bits, load, packed, parsed, plain, unpacked
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
    assert known_bits(body, ours) == parsed(CONSTRUCTS[name], body, raw)
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
            pack = getattr(BOTH, f"pack_{body.name}")
            plain_values = [plain(field, values[field.name]) for field in body.fields]
            exact = bytearray(len(data) + 3)
            assert pack(memoryview(exact), 3, *plain_values) == len(exact)
            assert exact[3:] == data
            tight = bytearray(len(data) + 2)
            with pytest.raises(ValueError, match="no room"):
                pack(tight, 3, *plain_values)
            assert not any(tight)


def test_bytes_of_a_wrong_length_are_refused() -> None:
    buffer = bytearray(2000)
    with pytest.raises(ValueError, match="wrong length"):
        DEVICE.pack_outcome(buffer, 0, b"desktop", 1, 0, 0, 0, 0, 0)
    with pytest.raises(ValueError, match="too long"):
        DEVICE.pack_hello_reply(buffer, 0, 1, bytes(8), bytes(4), 0, 1, 0, 1, 1, 1024, 0, bytes(256), b"", b"")
    with pytest.raises(ValueError, match="too long"):
        BOTH.pack_therapy_chunk_request(bytearray(70_000), 0, 0, bytes(65_536))


def test_the_device_codec_has_what_a_device_needs_and_no_more() -> None:
    names = {name for name in vars(DEVICE) if name.startswith(("pack_", "unpack_"))}
    assert {"pack_header", "unpack_header", "unpack_therapy", "pack_rejected", "pack_outcome"} < names
    assert not names & {"unpack_rejected", "unpack_outcome", "pack_bolus_request", "unpack_status_reply"}
    assert not names & {"pack_therapy", "pack_record", "unpack_record", "pack_command"}
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
