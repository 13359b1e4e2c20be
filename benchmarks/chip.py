"""The firmware on the 32-bit MicroPython: instructions by WebAssembly fuel, which repeat exactly.

Instructions are those of the WebAssembly machine, not of a chip: they say whether the same work has become more, not
how many microseconds it takes. Each count is the difference between a run of 2 N and one of N, so that boot and
compilation cancel out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dosebench.image.source import OTHER_FIRMWARE
from dosebench.link.client import program_hash
from dosebench.profile.device_config import seal_config
from dosebench.profile.load import load_profile
from dosebench_protocol.auth import Challenge, Session, device_nonce, session_id
from dosebench_protocol.codec import by_name, encode_request
from dosebench_protocol.frame import Frame, encode
from dosebench_protocol.records import Record
from dosebench_protocol.tables import NONCE_BYTES

from .measure import Figure
from .therapy import PROFILE, encode_program

TOLERANCE: Final = 0.03
SCRIPTS: Final = Path(__file__).parent / "device"
EVENTS: Final = 1_000
FRAMES: Final = 100
SECTORS: Final = 16
"""Flash of the board in memory: it lies in the heap."""
HARD_STEPS: Final = 1 << 20
CHUNK: Final = bytes(range(256))
LEASE_RECORDS: Final = 50
LEASES: Final = b"".join(
    Record(at, 3 + at // 24, at % 24 * 3_600_000 + 54 * at, 2, 0, 67 * at, 67 * at, 134, 0, 80_000 - 67 * at, bytes(8))
    .to_bytes()
    for at in range(LEASE_RECORDS)
)
"""Two days of leases: what most of a journal is."""
DEVICE: Final = b"ram1"
HOST: Final = b"host"
ROLE: Final = "programmer"
KEY: Final = bytes(range(32))
"""Of the board in memory (`device/ram_board.py`)."""
class ChipError(Exception):
    """A script failed, or two runs of it did not count the same."""


def measure_figures(rounds: int = 2) -> list[Figure]:
    """Instructions and bytes; every count is taken `rounds` times and must be the same."""
    flash = {"flash_sectors": SECTORS, "fault_sectors": 4, "watchdog_ms": 0}
    config = seal_config(load_profile(PROFILE).device_config() | flash)
    basics = {"PROGRAM": encode_program(), "HARD_STEPS": HARD_STEPS}
    whole = {"CONFIG": config, "REQUESTS": request_frames()}
    found = {
        "chip: plan, schedule and guard, one step": count_instructions("events.py", EVENTS, basics, rounds),
        "chip: whole pump, one step": count_instructions("turns.py", EVENTS, whole, rounds),
    }
    coding = count_instructions("coding.py", 20, {"RECORDS": LEASES}, rounds)
    found["chip: delta coding, one record"] = coding / LEASE_RECORDS
    for way in ("call", "find"):
        title = f"chip: a byte by {'a method call' if way == 'call' else 'find and slices'} (for scale)"
        found[title] = count_instructions("bytewise.py", FRAMES, {"WAY": way}, rounds) / 256
    asked: dict[str, dict[str, Any]] = {"status": {}, "program_chunk": {"offset": 0, "data": CHUNK}}
    for name, fields in asked.items():
        frame = request_frame(name, 1, **fields)
        params = {"REQUEST": frame, "UNPACK": f"unpack_{name}_request" if fields else ""}
        title = f"chip: receive a byte of {name} ({len(frame)} bytes)"
        found[title] = count_instructions("receive.py", FRAMES, params, rounds) / len(frame)
    return [Figure(title, value, "instructions", tolerance=TOLERANCE) for title, value in found.items()]


def request_frame(name: str, sequence: int, session: Session | None = None, **fields: Any) -> bytes:
    """A request on the wire, with a tag where it goes through a session."""
    frame = Frame(by_name(name).type, DEVICE, sequence=sequence, body=encode_request(name, **fields))
    return encode(frame if session is None else session.seal(frame))


def request_frames() -> list[bytes]:
    """What makes a fresh pump deliver the therapy."""
    data = encode_program()
    nonce = device_nonce(KEY, DEVICE, 1, 1, bytes(16))
    session = Session(KEY, Challenge(DEVICE, session_id(nonce), 1, ROLE, HOST, bytes(NONCE_BYTES), nonce))
    return [
        request_frame("session_open", 1, role=ROLE, host=HOST, nonce=bytes(NONCE_BYTES)),
        request_frame("program_begin", 2, session, length=len(data), program_hash=program_hash(data)),
        request_frame("program_chunk", 3, session, offset=0, data=data),
        request_frame("program_verify", 4, session),
        request_frame("program_commit", 5, session, counter=1, program_hash=program_hash(data)),
        request_frame("start", 6, session, counter=2),
    ]


def count_instructions(script: str, number: int, params: dict[str, Any], rounds: int) -> float:
    """Instructions of one of `number` repetitions."""
    counts = {
        tuple(int(run_script(script, params | {"N": n}, fuel=True).split()[-1]) for n in (number, 2 * number))
        for _ in range(rounds)
    }
    if len(counts) != 1:
        raise ChipError(f"{script} did not count the same each time: {sorted(counts)}")
    once, twice = counts.pop()
    return (twice - once) / number


def run_script(
    script: str,
    params: dict[str, Any],
    *,
    fuel: bool = False,
    firmware: Path | None = None,
    files: Mapping[str, bytes] | None = None,
) -> str:
    """What a script of device/ prints, or with `fuel` how many instructions it took; it finds `params` as a module.

    `firmware` is the directory of the firmware, the tree's own without it; `files` lie beside the script.
    """
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for path in SCRIPTS.glob("*.py"):
            shutil.copy(path, directory)
        (directory / "params.py").write_text("".join(f"{key} = {value!r}\n" for key, value in params.items()))
        for file, content in (files or {}).items():
            (directory / file).write_bytes(content)
        command = [sys.executable, "-m", "dosebench.twin.wasm_child", str(directory / script)]
        done = subprocess.run(
            [*command, *(["--fuel"] if fuel else [])],
            env=os.environ | ({} if firmware is None else {OTHER_FIRMWARE: str(firmware)}),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    if done.returncode:
        raise ChipError(f"{script} failed: {done.stdout}{done.stderr}")
    return done.stderr if fuel else done.stdout
