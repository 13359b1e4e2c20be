"""The host codec works from generated tables: it must agree with construct both ways, and must not need it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from random import Random
from typing import Any

import construct as cs
import pytest
from dosebench_protocol import codec, plans, tables
from dosebench_protocol.errors import CodecError
from dosebench_protocol.generate.host_tables import tables_source
from dosebench_protocol.generate.vectors import body_vectors
from dosebench_protocol.schema import kinds, messages, terms
from dosebench_protocol.schema.model import (
    NAMESPACE,
    ArrayField,
    BlobField,
    Body,
    Enumeration,
    Field,
    IntField,
    Schema,
    plain_construct,
    read_body,
    schema,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_helpers import CONSTRUCTS, load, parsed
from wire_strategies import EXAMPLES_OF_EACH, SCHEMAS, construct_values, mutations, values_of

PLAN = schema()
BODIES = {
    body.name: body for body in (*PLAN.shared, *(body for one in PLAN.messages for body in (one.request, one.reply)))
}
SAMPLES = {(body.name, case): data for body, case, _, data in body_vectors(PLAN)}

HEAVY = ("construct", "pydantic", "pint", "rich", "matplotlib", "serial.tools", "dosebench_protocol.schema.messages")
"""What no command may wait for that only talks to a pump."""


def run_python(source: str) -> str:
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "module", ["dosebench.link.client", "dosebench_protocol.codec", "dosebench_protocol.records", "dosebench.cli.main"]
)
def test_a_client_imports_nothing_heavy(module: str) -> None:
    told = run_python(f"import sys, {module}\nprint([name for name in {HEAVY!r} if name in sys.modules])")
    assert told == "[]"


def test_the_generator_imports_nothing_that_it_writes() -> None:
    told = run_python(
        "import sys, dosebench_protocol.generate\n"
        "print([name for name in sys.modules if name.startswith('dosebench_protocol.') and name.rpartition('.')[2] in"
        " ('tables', 'plans', 'codec', 'frame', 'records')])"
    )
    assert told == "[]"


def test_the_tables_say_what_the_schema_says() -> None:
    for name, value in (*PLAN.limits, ("REPLY_BIT", messages.REPLY_BIT), ("REJECTED", messages.REJECTED)):
        assert getattr(tables, name) == value == NAMESPACE[name]
    for enum in PLAN.enums:
        assert tables.ENUMS[enum.name] == dict(enum.members)
    assert tables.ENUMS["StageDrop"] == kinds.STAGE_DROP
    assert len(tables.ENUMS) == len(PLAN.enums) + 1
    assert {
        kind: tuple((one.name, one.at, one.shift, one.bits, one.count) for one in plan.fields)
        for kind, plan in kinds.KINDS.items()
    } == tables.RECORD_KINDS
    assert (tables.JOINED, tables.RECORD_ENUMS) == (kinds.JOINED, kinds.ENUM_OF)
    assert [body for body in tables.BODIES if body not in BODIES] == []
    for name, body in BODIES.items():
        assert plans.field_names(tables.BODIES[name]) == [field.name for field in body.fields]


def named(body: Body, values: Sequence[Any]) -> dict[str, Any]:
    """Plain values as the codec gives them, without the codec."""
    return {field.name: named_value(field, value) for field, value in zip(body.fields, values, strict=True)}


def named_value(field: Field, value: Any) -> Any:
    if isinstance(field, ArrayField):
        return [named(field.rows, row) for row in value]
    if isinstance(field, BlobField) and field.enum:
        return tuple(by_schema(field.enum, number) for number in value)
    return by_schema(field.enum, value) if isinstance(field, IntField) and field.enum else value


def by_schema(enum: Enumeration, value: int) -> Any:
    return next((name for name, number in enum.members if number == value), f"unknown_{value}")


@pytest.mark.parametrize("name", BODIES)
@settings(deadline=None, max_examples=EXAMPLES_OF_EACH)
@given(data=st.data())
def test_it_writes_and_reads_what_construct_does(name: str, data: st.DataObject) -> None:
    body = BODIES[name]
    values = data.draw(values_of(body))
    plain = construct_values(body, values)
    expected = CONSTRUCTS[name].build(plain)
    assert plans.pack(name, tables.BODIES[name], plain) == expected
    fields = plans.unpack(name, tables.BODIES[name], expected + data.draw(st.binary(max_size=9)))
    assert fields == named(body, values)
    assert plans.pack(name, tables.BODIES[name], fields) == expected


def agree(name: str, raw: bytes) -> None:
    """Construct and the host codec take the same byte strings and read the same from them."""
    body = BODIES[name]
    wanted = parsed(plain_construct(body), body, raw)
    if wanted is None:
        with pytest.raises(CodecError, match=f"^{name}: {len(raw)} bytes are too short for it$"):
            plans.unpack(name, tables.BODIES[name], raw)
        return
    got = plans.unpack(name, tables.BODIES[name], raw)
    assert got == named(body, wanted)
    assert list(got) == [field.name for field in body.fields]


@pytest.mark.parametrize("name", [name for name, body in BODIES.items() if body.fields])
@settings(deadline=None, max_examples=EXAMPLES_OF_EACH)
@given(data=st.data())
def test_it_agrees_with_construct_on_every_byte_string(name: str, data: st.DataObject) -> None:
    sample = st.sampled_from([SAMPLES[name, case] for case in ("zeros", "counting", "counts_max")])
    agree(name, data.draw(st.binary(max_size=BODIES[name].bytes_min + 40) | sample.flatmap(mutations)))


def test_it_agrees_on_every_prefix_and_many_mutations() -> None:
    random = Random(21)
    pool = [(name, data) for (name, case), data in SAMPLES.items() if case != "largest"]
    for name, data in pool:
        for size in range(len(data) + 1):
            agree(name, data[:size])
    for _ in range(5_000):
        name, data = random.choice(pool)
        changed = bytearray(data)
        for _ in range(random.randrange(1, 4)):
            changed[random.randrange(len(changed))] = random.choice([0, 1, 127, 255, random.randrange(256)])
        agree(name, bytes(changed[: random.randrange(len(changed) + 1)]) if random.random() < 0.4 else bytes(changed))


WRONG = st.sampled_from(
    [-1, 1 << 8, 1 << 16, 1 << 32, None, "x", 1.5, b"", bytes(3), bytes(300), [], ["x"], {}, [{}], [()]]
)


@pytest.mark.parametrize("name", [name for name, body in BODIES.items() if body.fields])
@settings(deadline=None, max_examples=EXAMPLES_OF_EACH)
@given(data=st.data())
def test_it_writes_nothing_that_construct_would_not_read_back(name: str, data: st.DataObject) -> None:
    body = BODIES[name]
    plain = construct_values(body, data.draw(values_of(body)))
    field = data.draw(st.sampled_from(body.fields)).name
    plain[field] = data.draw(WRONG)
    try:
        packed = plans.pack(name, tables.BODIES[name], plain)
    except CodecError as error:
        text = str(error)
    else:
        construct = plain_construct(body)
        assert construct.build(construct.parse(packed)) == packed
        return
    assert re.search(rf"{name}\.{field}(\[0\])?: |more than a body's", text)


def plan_of(body: Body) -> Any:
    """The generated plan of this body alone, whatever the schema says."""
    return load(tables_source(Schema((), (body,), (), ()))).BODIES["body"]


@settings(deadline=None)
@given(SCHEMAS, st.data())
def test_any_schema_of_the_subset_gets_a_plan_that_agrees(construct: Any, data: st.DataObject) -> None:
    body = read_body("body", construct, {})
    plan = plan_of(body)
    values = data.draw(values_of(body))
    plain = construct_values(body, values)
    built = construct.build(plain)
    if len(built) <= terms.BODY_BYTES_MAX:
        assert plans.pack("body", plan, plain) == built
        assert plans.unpack("body", plan, built) == plain
    raw = data.draw(mutations(built))
    try:
        wanted = {name: value for name, value in construct.parse(raw).items() if name != "_io"}
    except cs.ConstructError:
        with pytest.raises(CodecError, match="too short"):
            plans.unpack("body", plan, raw)
    else:
        assert plans.unpack("body", plan, raw) == wanted


def test_too_many_rows_are_refused() -> None:
    rows = cs.Struct("rows" / cs.PrefixedArray(cs.Int8ul, cs.Struct("x" / cs.Int8ul)))
    plan = plan_of(read_body("body", rows, {}))
    assert plans.pack("body", plan, {"rows": [{"x": 7}] * 255}) == b"\xff" + b"\x07" * 255
    with pytest.raises(CodecError, match=r"body\.rows: 256 rows; at most 255 wanted"):
        plans.pack("body", plan, {"rows": [{"x": 7}] * 256})


CAP = {"drug": 0, "minutes": 60, "ng": 5}


@pytest.mark.parametrize(
    ("caps", "text"),
    [
        (b"", r"program\.caps: a list of rows wanted, not bytes"),
        (CAP, r"program\.caps: a list of rows wanted, not dict"),
        ([(60, 5)], r"program\.caps\[0\]: fields by name wanted, not tuple"),
        ([CAP, {"drug": 0, "minutes": 60}], r"program\.caps\[1\]: missing field 'ng'; it has drug, minutes, ng"),
        ([{**CAP, "nl": 1}], r"program\.caps\[0\]: unknown field 'nl'"),
        ([CAP, CAP, {**CAP, "ng": 1 << 32}], r"program\.caps\[2\]\.ng: 4294967296 does not fit into 4 bytes"),
        ([{**CAP, "minutes": "60"}], r"program\.caps\[0\]\.minutes: str is no value for it"),
        ([CAP] * 256, r"program\.caps: 256 rows; at most 255 wanted"),
    ],
)
def test_a_row_that_cannot_be_encoded_is_named(caps: Any, text: str) -> None:
    fields = codec.decode_struct("program", SAMPLES["program", "zeros"])
    with pytest.raises(CodecError, match=f"^{text}"):
        codec.encode_struct("program", **{**fields, "caps": caps})


DRUG = {"name_bytes": 60, "step_ng_num": 1, "step_ng_den": 2, "bridge_ng_num": 0, "bridge_ng_den": 0}


def test_a_program_may_be_longer_than_a_body() -> None:
    """It travels in chunks: the fullest within the limits has room, one beyond `PROGRAM_BYTES_MAX` is refused."""
    fields = codec.decode_struct("program", SAMPLES["program", "zeros"])
    fields |= {
        "drugs": [DRUG] * terms.DRUGS_MAX,
        "drug_names": bytes(4 * 60),
        "caps": [CAP] * terms.CAPS_MAX,
        "rates": [{"num": 1, "den": 2}] * terms.RATES_MAX,
        "flex": [{"pattern": 0, "minute": 1, "rate": 2}] * terms.PATTERNS_MAX * terms.FLEX_STEPS_MAX,
        "titration": [{"day": 1, "rate": 2}] * terms.TITRATION_STEPS_MAX,
    }
    data = codec.encode_struct("program", **fields)
    assert terms.BODY_BYTES_MAX < len(data) <= terms.PROGRAM_BYTES_MAX
    assert codec.decode_struct("program", data) == fields
    spare, odd = divmod(terms.PROGRAM_BYTES_MAX - len(data), 4)
    fields["flex"] += fields["flex"][:1] * spare
    assert len(codec.encode_struct("program", **fields)) == terms.PROGRAM_BYTES_MAX - odd
    fields["flex"] += fields["flex"][:1]
    with pytest.raises(CodecError, match=f"program: {3076 - odd} bytes are more than a program's 3072"):
        codec.encode_struct("program", **fields)


def test_a_name_that_no_table_knows_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(KeyError):
        codec.encode_struct("nothing")
