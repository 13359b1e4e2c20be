"""Twins by URL: nameless ones that end with their port, and named ones that are kept between commands.

A named twin lives in a directory: flash, plant and time as files, and its firmware as a process that waits on two FIFOs
for whoever opens the port next. When that process is gone (a restart of the computer, `dosebench sim --stop`), the next
opening boots the firmware from its flash, as after a loss of power.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import parse_qsl, urlsplit

from dosebench.base.errors import DosebenchError
from dosebench.base.paths import state_dir
from dosebench.link.keys import KeyStore, board_form, new_keys, write_private
from dosebench.twin.plant import Plant
from dosebench.twin.runtimes import RUNTIMES, ProcessRuntime, Runtime, boot_detached, default_runtime
from dosebench.twin.twin import Twin, TwinSettings

DEFAULT_PROFILE: Final = "implant-40"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FORMAT: Final = 5
"""Format of the kept files; up to 4 their flash holds journals of dosebench 0.2.0."""


class SimError(DosebenchError):
    """A `sim://` URL that cannot be opened; the text says why."""


@dataclass(frozen=True)
class SimOptions:
    """What a `sim://` URL asks for.

    Attributes:
        name: Empty for a twin that ends with its port.
        profile: Pump profile, by name or path.
        runtime: Interpreter of the firmware.
        seed: Decides the noise.
        baud: Of the pump's UART.
    """

    name: str
    profile: str
    runtime: str
    seed: int
    baud: int

    @classmethod
    def parse_url(cls, url: str) -> SimOptions:
        """Read `sim://NAME?profile=&runtime=&seed=&baud=`. Raises SimError."""
        parts = urlsplit(url)
        name = parts.netloc + parts.path.rstrip("/")
        if parts.scheme != "sim" or (name and not _NAME.fullmatch(name)):
            raise SimError(f"{url} is no simulated port: write sim:// or sim://NAME (letters, digits, . _ -)")
        given = dict(parse_qsl(parts.query))
        if unknown := set(given) - {"profile", "runtime", "seed", "baud"}:
            raise SimError(f"{url}: unknown option {sorted(unknown)[0]!r}; there are profile, runtime, seed and baud")
        runtime = given.get("runtime", default_runtime())
        if runtime not in RUNTIMES:
            raise SimError(f"{url}: runtime must be one of {', '.join(RUNTIMES)}, not {runtime!r}")
        try:
            seed, baud = int(given.get("seed", "0")), int(given.get("baud", "115200"))
        except ValueError:
            raise SimError(f"{url}: seed and baud are whole numbers") from None
        return cls(name, given.get("profile", DEFAULT_PROFILE), runtime, seed, baud)

    def make_settings(self) -> TwinSettings:
        """Settings of the twin. Raises ProfileError when there is no such profile."""
        return profile_settings(self.profile, self.runtime, self.seed, self.baud, self.name)


def profile_settings(profile: str, runtime: str | None, seed: int, baud: int = 115_200, name: str = "") -> TwinSettings:
    """Settings of a twin of a pump profile: the firmware's figures, and the plant's constants."""
    from dosebench.profile.load import load_profile  # noqa: PLC0415
    from dosebench.twin.from_profile import plant_settings  # noqa: PLC0415

    loaded = load_profile(profile)
    config, plant = loaded.device_config(), plant_settings(loaded)
    return TwinSettings(config, runtime, seed, baud, plant, _device_id(name))  # type: ignore[arg-type]


def _device_id(name: str) -> bytes | None:
    return hashlib.sha256(name.encode()).digest()[:4] if name else None


def open_url(url: str) -> tuple[Twin, Callable[[], None]]:
    """The twin of a `sim://` URL, powered, and what lets go of it again. Raises SimError."""
    options = SimOptions.parse_url(url)
    if not options.name:
        twin = Twin(options.make_settings()).power_on()
        return twin, twin.close
    kept = NamedTwin(options)
    return kept.open_twin(), kept.release_twin


def sims_dir() -> Path:
    """Where named twins live."""
    return state_dir() / "sims"


def list_names() -> list[str]:
    """Names of all twins that are kept."""
    directory = sims_dir()
    if not directory.is_dir():
        return []
    return sorted(path.name for path in directory.iterdir() if (path / "twin.json").exists())


class NamedTwin:
    """The files of one named twin, locked while it is open."""

    def __init__(self, options: SimOptions) -> None:
        self.options = options
        self.directory = sims_dir() / options.name
        self._lock: IO[bytes] | None = None
        self._twin: Twin | None = None
        self._pid = 0

    def open_twin(self) -> Twin:
        """Find or make the twin and power it. Raises SimError when another program has it."""
        if not hasattr(os, "mkfifo"):
            raise SimError("named simulations need FIFOs, which this system lacks: use sim:// or `dosebench sim --tcp`")
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock = self._take_lock("lock", f"sim://{self.options.name} is in use by another program")
        try:
            self._twin = self._load_twin() if (self.directory / "twin.json").exists() else self._create_twin()
        except BaseException:
            self._lock.close()
            raise
        (self.directory / "open").touch()
        return self._twin

    def _take_lock(self, file: str, message: str) -> IO[bytes]:
        import fcntl  # noqa: PLC0415

        handle = (self.directory / file).open("wb")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            raise SimError(message, hint="wait for it to end, or use another name") from None
        return handle

    def _create_twin(self) -> Twin:
        settings = self.options.make_settings()
        # Whoever makes a board sets its keys.
        settings.keys = new_keys()
        twin = Twin(settings)
        twin.booter = self._make_booter(twin)
        twin.power_on()
        KeyStore().put_keys(twin.machine.device_id, twin.machine.keys, secret=False)
        return twin

    def set_keys(self, keys: Mapping[str, bytes]) -> None:
        """Flash new keys onto the open board, as somebody with the board in their hands does. It boots with them."""
        twin = self._twin
        if twin is None:
            raise SimError(f"sim://{self.options.name} is not open")
        twin.power_off()
        twin.machine.keys = keys
        twin.power_on()

    def flash_config(self, config: Mapping[str, Any]) -> None:
        """Flash other settings onto the open board, which boots with them; therapy, journal and keys stay."""
        twin = self._twin
        if twin is None:
            raise SimError(f"sim://{self.options.name} is not open")
        twin.power_off()
        twin.machine.config = dict(config)
        twin.power_on()

    def _load_twin(self) -> Twin:
        kept = json.loads((self.directory / "twin.json").read_text())
        if kept.get("format") != _FORMAT:
            name = self.options.name
            raise SimError(
                f"sim://{name} was made by another release, and this firmware cannot read its journal",
                hint=f"run `dosebench sim --remove {name}`, or use another name",
            )
        self._check_options(kept["options"])
        twin = Twin(self._kept_settings(kept["config"]))
        twin.machine.keys = {role: bytes.fromhex(key) for role, key in kept["keys"].items()}
        self._restore_state(twin, kept)
        twin.booter = self._make_booter(twin)
        if self._is_alive() and not (self.directory / "open").exists():
            self._pid = kept["pid"]
            runtime = ProcessRuntime(twin.machine, twin.runtime_name, *reversed(self._open_fifos()))
            runtime.waiting = True
            self._own_process(runtime)
            twin.attach_firmware(runtime, kept["wake_us"])
            return twin
        # The firmware is gone, or was left in the middle of something: its last saved state loses power now.
        stop_process(self.directory)
        return twin.power_on("brown_out")

    def _check_options(self, kept: dict[str, Any]) -> None:
        asked = {"profile": self.options.profile, "runtime": self.options.runtime}
        for key, value in asked.items():
            default = DEFAULT_PROFILE if key == "profile" else default_runtime()
            if kept[key] != value and value != default:
                raise SimError(
                    f"sim://{self.options.name} was made with {key} {kept[key]}, not {value}",
                    hint=f"use another name, or `dosebench sim --remove {self.options.name}`",
                )
        self.options = SimOptions(
            self.options.name, kept["profile"], kept["runtime"], kept["seed"], kept["baud"]
        )

    def _kept_settings(self, config: dict[str, Any]) -> TwinSettings:
        # As it was flashed, whatever became of the profile's file, which need not be read. The plant is restored.
        options = self.options
        return TwinSettings(
            config, options.runtime, options.seed, options.baud, device_id=_device_id(options.name)  # type: ignore[arg-type]
        )

    def _make_booter(self, twin: Twin) -> Callable[[], Runtime]:
        return lambda: self._boot_firmware(twin)

    def _own_process(self, runtime: ProcessRuntime) -> None:
        runtime.log = self.directory / "firmware.log"
        runtime.end_detached = lambda: stop_process(self.directory)

    def _boot_firmware(self, twin: Twin) -> Runtime:
        inward, outward = self._fifo_paths()
        for path in (inward, outward):
            path.unlink(missing_ok=True)
            os.mkfifo(path)
        alive = self._take_lock("alive", f"sim://{self.options.name} still has a firmware process")
        with (self.directory / "firmware.log").open("wb") as log:
            runtime, self._pid = boot_detached(
                twin.machine, twin.runtime_name, (inward, outward), log, alive.fileno()
            )
        alive.close()
        self._own_process(runtime)
        (self.directory / "pid").write_text(str(self._pid))
        return runtime

    def _fifo_paths(self) -> tuple[Path, Path]:
        return self.directory / "to-firmware", self.directory / "from-firmware"

    def _open_fifos(self) -> tuple[int, int]:
        inward, outward = self._fifo_paths()
        return os.open(inward, os.O_RDWR), os.open(outward, os.O_RDWR)

    def _is_alive(self) -> bool:
        # The firmware's process holds a lock on this file for as long as it lives.
        try:
            self._take_lock("alive", "").close()
        except SimError:
            return True
        return False

    def release_twin(self) -> None:
        """Save everything and let go; the firmware waits where it is."""
        twin, lock = self._twin, self._lock
        if twin is None or lock is None:
            return
        self._save_state(twin)
        twin.detach_firmware()
        (self.directory / "open").unlink(missing_ok=True)
        lock.close()
        self._twin = None

    def _save_state(self, twin: Twin) -> None:
        options = {
            "profile": self.options.profile,
            "runtime": twin.runtime_name,
            "seed": self.options.seed,
            "baud": self.options.baud,
        }
        kept = {"format": _FORMAT, "options": options, "config": twin.machine.config, "pid": self._pid}
        kept |= {"keys": board_form(twin.machine.keys), "wake_us": twin.wake_us} | take_snapshot(twin)
        (self.directory / "flash.bin").write_bytes(twin.flash.data)
        (self.directory / "steps.bin").write_bytes(twin.plant.steps_us.tobytes())
        write_private(self.directory / "twin.json", json.dumps(kept).encode(), durable=False)

    def _restore_state(self, twin: Twin, kept: dict[str, Any]) -> None:
        machine = twin.machine
        steps = array("q", (self.directory / "steps.bin").read_bytes())
        machine.plant = Plant.restore_state(kept["plant"], steps)
        machine.flash.data[:] = (self.directory / "flash.bin").read_bytes()
        machine.flash.operations, machine.flash.erases = kept["flash_operations"], kept["flash_erases"]
        machine.now_us, machine.booted_us = kept["now_us"], kept["booted_us"]
        machine.watchdog_us, machine.reset_cause = kept["watchdog_us"], kept["reset_cause"]
        machine.code = bytes.fromhex(kept["code"])
        machine.to_device.restore_state(kept["to_device"])
        machine.to_host.restore_state(kept["to_host"])


def take_snapshot(twin: Twin) -> dict[str, Any]:
    """State of plant, time and line as JSON values; flash and step times are kept apart."""
    machine = twin.machine
    return {
        "now_us": machine.now_us,
        "booted_us": machine.booted_us,
        "watchdog_us": machine.watchdog_us,
        "reset_cause": machine.reset_cause,
        "code": machine.code.hex(),
        "plant": machine.plant.save_state(),
        "flash_operations": machine.flash.operations,
        "flash_erases": machine.flash.erases,
        "to_device": machine.to_device.save_state(),
        "to_host": machine.to_host.save_state(),
    }


def stop_process(directory: Path) -> bool:
    """End the firmware's process of a named twin, as a loss of power does. Returns whether there was one."""
    import fcntl  # noqa: PLC0415

    pid, alive = directory / "pid", directory / "alive"
    if not pid.exists() or not alive.exists():
        return False
    with alive.open("wb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.kill(int(pid.read_text()), signal.SIGKILL)
            fcntl.flock(handle, fcntl.LOCK_EX)
            return True
    return False


def stop_twin(name: str) -> bool:
    """Cut the power of a named twin; the next opening boots it. Returns whether it ran."""
    directory = _existing_directory(name)
    return stop_process(directory)


def remove_twin(name: str) -> None:
    """Forget a named twin. Raises SimError when there is none."""
    directory = _existing_directory(name)
    stop_process(directory)
    shutil.rmtree(directory)


def _existing_directory(name: str) -> Path:
    directory = sims_dir() / name
    if not _NAME.fullmatch(name) or not directory.is_dir():
        raise SimError(f"there is no simulation {name!r}", hint="`dosebench sim --list` shows which there are")
    return directory
