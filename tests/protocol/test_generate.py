"""The generator: what it writes is up to date, drift is noticed, and what the firmware could not decode is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import construct as cs
import pytest
from construct import (
    Bytes,
    Enum,
    GreedyBytes,
    Int8ul,
    Int16ul,
    Int32ul,
    Prefixed,
    PrefixedArray,
    Struct,
    this,
)
from dosebench_protocol.alarms import ALARMS
from dosebench_protocol.generate import __main__
from dosebench_protocol.generate.device_codec import wire_source
from dosebench_protocol.schema import kinds, terms
from dosebench_protocol.schema.messages import MESSAGES, Message
from dosebench_protocol.schema.model import (
    NAMESPACE,
    Enumeration,
    SchemaError,
    check_alarms,
    describe,
    hash_of,
    read,
    read_body,
    schema,
    schema_hash,
)
from wire_helpers import ROOT


def test_committed_files_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["--check"]) == 0, capsys.readouterr().out


def test_generated_files_say_so() -> None:
    for name in __main__.OUTPUTS:
        assert "do not edit; `make gen`" in (ROOT / name).read_text(encoding="utf-8")[:400], name


def test_the_firmware_codec_stays_small() -> None:
    lines = wire_source(schema()).splitlines()
    # (chosen) A constant costs a board nothing, because the image has its number; each other line costs heap.
    assert len([line for line in lines if "= const(" not in line]) < 480
    assert max(map(len, lines)) <= 120


def test_generation_is_repeatable_and_only_writes_what_changed(tmp_path: Path) -> None:
    (tmp_path / "protocol").mkdir()
    assert len(__main__.generate(schema(), tmp_path)) == len(__main__.OUTPUTS)
    assert __main__.generate(schema(), tmp_path) == []
    for name in __main__.OUTPUTS:
        assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes()


@pytest.mark.parametrize("name", sorted(__main__.OUTPUTS))
def test_an_edited_or_missing_file_fails_the_check(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "protocol").mkdir()
    __main__.generate(schema(), tmp_path)
    assert __main__.main(["--check"], tmp_path) == 0
    path = tmp_path / name
    path.write_bytes(path.read_bytes().replace(b"bolus", b"bulus", 1))
    assert __main__.main(["--check"], tmp_path) == 1
    assert capsys.readouterr().out == f"out of date, run `make gen`: {name}\n"
    path.unlink()
    assert __main__.main(["--check"], tmp_path) == 1
    assert __main__.main([], tmp_path) == 0
    assert path.read_bytes() == (ROOT / name).read_bytes()


def test_an_edited_schema_fails_the_check_from_the_command_line(tmp_path: Path) -> None:
    _copy_tree(tmp_path)
    assert _check(tmp_path).returncode == 0
    definition = tmp_path / "protocol" / "dosebench_protocol" / "schema" / "terms.py"
    text = definition.read_text(encoding="utf-8")
    assert "reservoir_empty=69" in text
    definition.write_text(text.replace("reservoir_empty=69", "reservoir_empty=255"), encoding="utf-8")
    done = _check(tmp_path)
    # All but the table of alarms, which is not made from the reasons.
    assert (done.returncode, done.stdout.count("out of date")) == (1, len(__main__.OUTPUTS) - 1)
    assert "docs/ALARMS.md" not in done.stdout


def _copy_tree(root: Path) -> None:
    """The protocol package with all that is generated from it, below another root."""
    shutil.copytree(ROOT / "protocol", root / "protocol", ignore=shutil.ignore_patterns("__pycache__"))
    for name in __main__.OUTPUTS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)


def _check(root: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(root / "protocol"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "dosebench_protocol.generate", "--check"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=root)


def test_the_generator_does_without_what_it_writes(tmp_path: Path) -> None:
    _copy_tree(tmp_path)
    tables = tmp_path / "protocol" / "dosebench_protocol" / "tables.py"
    tables.write_text("raise SystemError\n", encoding="utf-8")
    done = _check(tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == "out of date, run `make gen`: protocol/dosebench_protocol/tables.py\n"


def test_without_a_source_tree_there_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["--check"], tmp_path) == 2
    assert "run it from a checkout" in capsys.readouterr().err


def _changed(which: str, /, **changes: Any) -> tuple[Message, ...]:
    return tuple(replace(message, **changes) if message.name == which else message for message in MESSAGES)


@pytest.mark.parametrize(
    "definitions",
    [
        _changed("bolus", request=Struct("counter" / Int32ul, "steps" / Int16ul)),
        _changed("bolus", request=Struct("counter" / Int32ul, "volume" / Int32ul)),
        _changed("journal_info", reply=Struct("next" / Int32ul, "first" / Int32ul, "chain" / Bytes(8))),
        _changed("start", role="observer"),
        _changed("journal_stream", type=0x55),
        MESSAGES[:-1],
    ],
)
def test_every_change_of_meaning_changes_the_hash_and_all_outputs(definitions: tuple[Message, ...]) -> None:
    plan = read(definitions, NAMESPACE)
    assert hash_of(plan) != schema_hash()
    changed = {path.relative_to(ROOT).as_posix() for path in __main__.stale(plan, ROOT)}
    assert changed == set(__main__.OUTPUTS) - {"docs/ALARMS.md"}


def test_a_change_of_words_changes_no_hash() -> None:
    plan = read(_changed("bolus", doc="Another sentence."), NAMESPACE)
    assert hash_of(plan) == schema_hash()
    assert [path.name for path in __main__.stale(plan, ROOT)] == ["PROTOCOL.md"]


def test_an_enumeration_takes_part_in_the_hash() -> None:
    reasons = {str(name): int(value) for name, value in terms.Reason.encmapping.items()}
    other = Enum(Int8ul, **reasons, new_reason=255)
    assert hash_of(read(MESSAGES, {**NAMESPACE, "Extra": other})) != schema_hash()


def test_stop_is_frozen_for_ever() -> None:
    lines = describe(schema()).splitlines()
    at = lines.index("message 49 stop role=0 changes_state=1")
    assert lines[at + 1] == "  stop_request: counter u32"
    assert lines[at + 2].startswith("  stop_reply: counter u32, reason u8 Reason, ")


def test_hello_is_frozen_for_ever() -> None:
    lines = describe(schema()).splitlines()
    at = lines.index("message 1 hello role=0 changes_state=0")
    assert lines[at + 1 : at + 3] == [
        "  hello_request: protocol_min u8, protocol_max u8",
        "  hello_reply: protocol u8, schema_hash 8 bytes, device_id 4 bytes, firmware_major u8, firmware_minor u8, "
        "firmware_patch u8, boot_count u32, reset_cause u8 ResetCause, body_bytes_max u16, heap_free_bytes u32, "
        "board u8 + bytes, runtime u8 + bytes, profile u8 + bytes",
    ]


WIDE = Enum(Int32ul, x=1)

OUTSIDE: list[tuple[str, Any]] = [
    ("big-endian", cs.Int16ub),
    ("big-endian byte", cs.Int32sb),
    ("signed", cs.Int16sl),
    ("64 bits", cs.Int64ul),
    ("24 bits", cs.Int24ul),
    ("float", cs.Float32l),
    ("half float", cs.Float16l),
    ("varint", cs.VarInt),
    ("computed length", Bytes(this.other)),
    ("no bytes", Bytes(0)),
    ("unbounded bytes", GreedyBytes),
    ("text", cs.PascalString(Int8ul, "utf8")),
    ("C string", cs.CString("utf8")),
    ("padded text", cs.PaddedString(8, "utf8")),
    ("nested struct", Struct("x" / Int8ul)),
    ("fixed array", cs.Array(3, Int8ul)),
    ("greedy range", cs.GreedyRange(Int8ul)),
    ("array of integers", PrefixedArray(Int8ul, Int32ul)),
    ("array of blobs", PrefixedArray(Int8ul, Struct("x" / Prefixed(Int8ul, GreedyBytes)))),
    ("array of nothing", PrefixedArray(Int8ul, Struct())),
    ("array counted in 32 bits", PrefixedArray(Int32ul, Struct("x" / Int8ul))),
    ("sequence", cs.Sequence(Int8ul, Int8ul)),
    ("list of numbers of 4 bytes", PrefixedArray(Int8ul, WIDE)),
    ("focused sequence", cs.FocusedSeq("x", "x" / Int8ul)),
    ("32 bits prefix", Prefixed(Int32ul, GreedyBytes)),
    ("varint prefix", Prefixed(cs.VarInt, GreedyBytes)),
    ("prefixed struct", Prefixed(Int8ul, Struct("x" / Int8ul))),
    ("prefix that counts itself", Prefixed(Int8ul, GreedyBytes, includelength=True)),
    ("nameless enumeration", Enum(Int8ul, on=1)),
    ("optional", cs.Optional(Int8ul)),
    ("switch", cs.Switch(this.kind, {1: Int8ul})),
    ("condition", cs.If(this.kind, Int8ul)),
    ("constant", cs.Const(b"\x01")),
    ("default", cs.Default(Int8ul, 1)),
    ("rebuild", cs.Rebuild(Int8ul, 1)),
    ("computed", cs.Computed(1)),
    ("padding", cs.Padding(2)),
    ("flag", cs.Flag),
    ("bits", cs.BitStruct("x" / cs.BitsInteger(8))),
    ("checksum", cs.Checksum(Bytes(4), bytes, this.x)),
    ("pointer", cs.Pointer(4, Int8ul)),
    ("mapping", cs.Mapping(Int8ul, {"x": 1})),
    ("hook", Int8ul * (lambda _obj, _context: None)),
]


@pytest.mark.parametrize("subcon", [subcon for _, subcon in OUTSIDE], ids=[name for name, _ in OUTSIDE])
def test_what_the_firmware_cannot_decode_is_refused_by_name(subcon: Any) -> None:
    with pytest.raises(SchemaError, match=r"body\.field"):
        read_body("body", Struct("before" / Int8ul, "field" / subcon), {id(WIDE): Enumeration("Wide", 4, ())})


@pytest.mark.parametrize("name", ["buf", "off", "n", "class", "a-b", "_hidden", "_run0", "len", "range", "pack_into"])
def test_a_name_that_generated_code_cannot_use_is_refused(name: str) -> None:
    with pytest.raises(SchemaError, match="cannot be used"):
        read_body("body", Struct(name / Int8ul), {})


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Int8ul, "a body is a Struct, not FormatField"),
        (lambda: Struct(Int8ul), "a field without a name"),
        (lambda: Struct("x" / Int8ul, "x" / Int8ul), "two fields have the same name"),
        (lambda: Struct("x" / Bytes(1000), "y" / Bytes(25)), "1025 bytes do not fit"),
    ],
)
def test_a_body_that_makes_no_sense_is_refused(make: Callable[[], Any], text: str) -> None:
    with pytest.raises(SchemaError, match=text):
        read_body("body", make(), {})


EMPTY = Struct()


@pytest.mark.parametrize(
    ("definitions", "names", "text"),
    [
        (_changed("start", type=0x31), {}, "unique and in ascending order"),
        (_changed(MESSAGES[-1].name, type=0x7F), {}, "type 127 is outside"),
        (_changed("start", name="stop"), {}, "names must be unique"),
        (_changed("start", role="nurse"), {}, "no role is called 'nurse'"),
        (_changed("start", request=EMPTY), {}, "start: a request that changes state begins with counter"),
        (MESSAGES, {"Odd": Enum(Int8ul, x=256)}, r"Odd\.x: 256 does not fit"),
        (MESSAGES, {"Odd": Enum(Int8ul, x=1, y=1)}, "Odd: two members have the same value"),
        (MESSAGES, {"Odd": Enum(cs.VarInt, x=1)}, "Odd: an enumeration stands on an integer"),
        (MESSAGES, {"Odd": Enum(cs.Int16ub, x=1)}, "Odd: format"),
        (_changed("implant", type=0x61), {}, "implant: records hold the type of a command in 6 bits above 32"),
    ],
)
def test_a_schema_that_contradicts_itself_is_refused(
    definitions: tuple[Message, ...], names: dict[str, Any], text: str
) -> None:
    with pytest.raises(SchemaError, match=text):
        read(definitions, {**NAMESPACE, **names})


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"none": 0, "smoke": 1}, r"Alarm\.air: must stand in Alarm and"),
        ({"none": 0, **dict(zip(ALARMS, range(2, 99), strict=False))}, "its numbers must follow each other"),
    ],
)
def test_alarms_that_are_not_those_of_the_table_are_refused(members: dict[str, int], text: str) -> None:
    with pytest.raises(SchemaError, match=text):
        check_alarms((Enumeration("Alarm", 1, tuple(members.items())),))


def test_two_constants_of_one_name_are_refused() -> None:
    with pytest.raises(SchemaError, match="two constants would be called MODE_STOPPED"):
        wire_source(read(_changed("program_verify", name="mode_stopped"), NAMESPACE))


def test_a_record_kind_without_fields_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "KINDS", {kind: plan for kind, plan in kinds.KINDS.items() if kind != "torn"})
    with pytest.raises(SchemaError, match=r"RecordKind\.torn: must stand in RecordKind and in kinds\.KINDS"):
        read(MESSAGES, NAMESPACE)
