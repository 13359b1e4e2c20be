"""The twin's side of the fake chips: time that passes inside the program, a turn of the shaft, and files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from dosebench.bench.file import sealed_bench
from dosebench.profile.parts import ERASE_US, PAGE_BYTES, WRITE_US_PER_PAGE
from dosebench.twin.bus import pack_reply
from dosebench.twin.flash import PowerCut
from dosebench.twin.machine import Machine
from dosebench.twin.runtimes import ProcessRuntime, RuntimeName
from dosebench.twin.twin import Twin, TwinSettings

FAKES: Final = Path(__file__).parents[1] / "boards" / "fakes"
FAMILIES: Final = ("rp2", "esp32")
OP_WAIT, OP_PASS, OP_STEP, OP_FILE_READ, OP_FILE_WRITE = 1, 18, 19, 20, 21
ENOSPC: Final = 28
FIFO_BYTES: Final = 32
"""Of an RP2's UART: what it keeps of a line while its interrupts are off."""

BENCH: Final[dict[str, Any]] = {
    "format": 1,
    "name": "fake",
    "port": {"kind": "uart", "id": 0, "tx": 0, "rx": 1, "baud": 115_200},
    "motor": {
        "kind": "step_dir",
        "step": 2,
        "dir": 3,
        "enable": 4,
        "enable_on": 0,
        "forward": 1,
        "pulses": 16,
        "pulse_us": 1_000,
    },
    "sense": {"pin": 5, "on": 1},
    "encoder": {"kind": "quadrature", "a": 6, "b": 7, "counts": 4},
    "flow": None,
    "adc": {
        "battery": {"pin": 26, "num": 2, "den": 1},
        "pressure": {"pin": 27, "num": 1, "den": 1},
        "temperature": {"pin": 28, "num": 1, "den": 1},
        "air": {"pin": 29, "num": 1, "den": 1},
        "level": {"pin": 30, "num": 1, "den": 1},
    },
    "hx711": None,
    "tone": {"pin": 12, "on": 1},
    "sleep": {"slice_ms": 0, "listen_ms": 0},
    "storage": {"kind": "files"},
}


class FakeMachine(Machine):
    """A machine whose firmware runs on a board file of a chip.

    Attributes:
        bench: What bench.json holds, without its checksum.
        files: The board's file system, by path.
        files_max: Bytes that fit into it.
        family: rp2 or esp32.
    """

    family: str = "rp2"
    bench: dict[str, Any]
    files: dict[str, bytes]
    files_max: int = 1 << 30

    def __post_init__(self) -> None:
        super().__post_init__()
        self.bench = {**BENCH, "family": self.family}
        if self.family == "esp32":
            self.bench["storage"] = {"kind": "partition", "label": "dosebench"}
        self.files = {}

    def _pass_flash(self, us: int) -> None:
        began = self.now_us
        super()._pass_flash(us)
        if self.family == "rp2":
            # Its interrupts were off: the line's bytes had the UART's own FIFO alone.
            self.to_device.drop_overrun(began, self.now_us, FIFO_BYTES)

    def handle_operation(self, op: int, a: int, b: int, c: int, payload: bytes) -> tuple[bytes, bytes]:
        value = 0
        out = b""
        if op == OP_PASS:
            self._pass_time(a)
        elif op == OP_STEP:
            self.plant.make_step(self.now_us)
        elif op == OP_FILE_READ:
            found = self._file(payload.decode())
            value = -1 if found is None else len(found)
            out = found or b""
        elif op == OP_FILE_WRITE:
            path, _, content = payload.partition(b"\0")
            value = self._write(path.decode(), content)
        else:
            return super().handle_operation(op, a, b, c, payload)
        return pack_reply(len(out), self.read_ticks(), value, self.plant.read_encoder()), out

    def _file(self, path: str) -> bytes | None:
        given: dict[str, Any] = {
            "/a/config.json": self.config,
            "/a/bench.json": sealed_bench(self.bench),
            "/a/manifest.json": {"code": self.code.hex()},
            "/keys.json": {role: key.hex() for role, key in self.keys.items()},
        }
        if path == "/id":
            return self.device_id.hex().encode()
        return json.dumps(given[path]).encode() if path in given else self.files.get(path)

    def _write(self, path: str, content: bytes) -> int:
        """A commit of littlefs: there wholly or not at all, for the time of an erase and of the pages."""
        if sum(map(len, self.files.values())) + len(content) - len(self.files.get(path, b"")) > self.files_max:
            return -ENOSPC
        when = self.flash._next_operation()
        if when is None or when == "after" or (when == "torn" and self.flash.operations & 1):
            self.files[path] = content
        if when is not None:
            raise PowerCut
        self._pass_flash(ERASE_US + (len(content) // PAGE_BYTES + 2) * WRITE_US_PER_PAGE)
        return 0


def machine_class(family: str) -> type[FakeMachine]:
    """The machine of a family."""
    return type(f"Fake{family}", (FakeMachine,), {"family": family})


def board_twin(
    settings: TwinSettings, family: str, script: str = "run.py", runtime: RuntimeName = "wasm", **bench: Any
) -> Twin:
    """A twin whose firmware runs on a fake chip; `bench` changes what bench.json says."""
    twin = Twin(settings)
    old = twin.machine
    machine = machine_class(family)(old.config, old.device_id, old.flash, old.plant, baud=old.baud)
    machine.keys, machine.random_bytes = old.keys, old.random_bytes
    machine.bench.update(bench)
    twin.machine = machine
    twin.booter = lambda: ProcessRuntime.start_child(machine, runtime, FAKES / script)
    return twin


def words(twin: Twin) -> list[list[str]]:
    """What the firmware's process has printed since the last look."""
    runtime = twin._runtime
    assert isinstance(runtime, ProcessRuntime)
    assert runtime.process is not None
    assert runtime.process.stderr is not None
    os.set_blocking(runtime.process.stderr.fileno(), False)
    return [line.split() for line in (runtime.process.stderr.read() or b"").decode().splitlines()]
