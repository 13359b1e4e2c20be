"""Golden vectors and random bytes through the generated codec on MicroPython, 64 and 32 bits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from random import Random
from typing import Any

import pytest
from dosebench_protocol.frame import Frame, decode, encode
from dosebench_protocol.generate.device_codec import DEVICE_VERBS, POSITIONAL_FIELDS, Directions, wire_source
from dosebench_protocol.generate.vectors import all_bodies
from dosebench_protocol.schema.model import plain_construct, schema, schema_hash
from wire_helpers import CONSTRUCTS, ROOT, Runner, load, packed, parsed, run_unix, run_wasm, unpacked, write_lines
from wire_strategies import construct_values

GOLDEN = json.loads((ROOT / "protocol" / "golden" / "vectors.json").read_text(encoding="utf-8"))
BODIES = {body.name: body for body in all_bodies(schema())}
BOTH_SOURCE = wire_source(schema(), Directions.BOTH)
BOTH = load(BOTH_SOURCE)


def _json_value(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    return value.hex() if isinstance(value, bytes) else value


def _raw(value: Any) -> Any:
    if isinstance(value, list):
        return [tuple(map(_raw, row)) for row in value]
    return bytes.fromhex(value) if isinstance(value, str) else value


@pytest.mark.parametrize("vector", GOLDEN["bodies"], ids=lambda vector: f"{vector['body']}-{vector['case']}")
def test_golden_bodies_mean_what_they_say(vector: dict[str, Any]) -> None:
    body, data = BODIES[vector["body"]], bytes.fromhex(vector["hex"])
    names = [name for name, _ in vector["fields"]]
    values = [_raw(value) for _, value in vector["fields"]]
    assert names == [field.name for field in body.fields]
    assert parsed(plain_construct(body), body, data) == values
    assert CONSTRUCTS[body.name].build(construct_values(body, values)) == data
    if hasattr(BOTH, f"pack_{body.name}"):
        assert unpacked(BOTH, body, data) == values
        assert packed(BOTH, body, values) == data


@pytest.mark.parametrize("vector", GOLDEN["frames"], ids=lambda vector: vector["title"])
def test_golden_frames_mean_what_they_say(vector: dict[str, Any]) -> None:
    names = ("version", "type", "device", "session", "sequence", "body", "tag")
    frame = Frame(**{name: _raw(vector[name]) for name in names})
    assert encode(frame).hex() == vector["wire"]
    assert decode(bytes.fromhex(vector["wire"])[:-1]) == frame


def _cases() -> list[Any]:
    """[body, hex, values or None, whether it is exactly one body, names where it is packed by name]; golden ones first,
    then mutations of them."""
    golden = [(vector["body"], bytes.fromhex(vector["hex"])) for vector in GOLDEN["bodies"]]
    cases = [_case(name, data, True) for name, data in golden]
    random = Random(31)
    small = [(name, data) for name, data in golden if len(data) < 200]
    for _ in range(1500):
        name, data = random.choice(small)
        changed = bytearray(data)
        changed[random.randrange(len(changed))] = random.choice([0, 1, 63, 127, 128, 255])
        cut = random.randrange(len(changed) + 1) if random.random() < 0.5 else len(changed)
        cases.append(_case(name, bytes(changed[:cut]), False))
    return cases


def _case(name: str, data: bytes, whole: bool) -> Any:
    body = BODIES[name]
    names = [field.name for field in body.fields] if len(body.fields) > POSITIONAL_FIELDS else []
    return [name, data.hex(), _json_value(parsed(plain_construct(body), body, data)), whole, names]


@pytest.mark.parametrize("run", [run_unix, run_wasm], ids=["unix", "wasm32"])
def test_micropython_agrees_with_construct(run: Runner, tmp_path: Path) -> None:
    cases = _cases()
    write_lines(tmp_path / "cases.txt", cases)
    read = [name for name, verbs in DEVICE_VERBS.items() if "read" in verbs]
    fields = {name: [field.name for field in BODIES[name].fields] for name in read}
    (tmp_path / "fields.txt").write_text(json.dumps(fields), encoding="utf-8")
    shutil.copy(ROOT / "firmware" / "const.py", tmp_path / "const.py")
    shutil.copy(ROOT / "firmware" / "pump" / "wire.py", tmp_path / "wire.py")
    shutil.copy(Path(__file__).with_name("wire_on_device.py"), tmp_path / "script.py")
    (tmp_path / "wire_both.py").write_text(BOTH_SOURCE, encoding="utf-8")
    said = dict(line.split(" ", 1) for line in run(tmp_path).splitlines())
    done = [name for name, *_ in cases if hasattr(BOTH, f"unpack_{name}")]
    whole = [name for name, _, _, exact, _ in cases if exact and hasattr(BOTH, f"pack_{name}")]
    assert said["both"] == f"{len(done)} {len(whole)}"
    assert int(said["device"].split()[0]) > 500
    assert said["hash"] == schema_hash().hex()
    assert bytes.fromhex(said["roles"]) == bytes(BOTH.role_of(number) & 0xFF for number in range(-10, 300))
