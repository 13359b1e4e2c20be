"""Keys of pumps, as this host keeps them.

A pump and its hosts share a key for each role. Keys get onto a pump with physical access only, when it is flashed; this
host keeps its copy in the operating system's keyring (`keyring`, an optional package), and where there is none in a
file that only its owner may read. The same file says which pumps there are and where their keys are.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from dosebench_protocol.codec import KEYED_ROLES
from dosebench_protocol.tables import KEY_BYTES

from dosebench.base.errors import DosebenchError
from dosebench.base.paths import state_dir

FILE: Final = "keys.json"
SERVICE: Final = "dosebench"
"""Name of this program in the operating system's keyring."""
FORMAT: Final = 2
"""Format 1 is that of dosebench 0.2.0, whose pumps this release does not speak to."""
OWNER_ONLY: Final = 0o600
LOCK_S: Final = 10.0
"""How long one process waits while another changes the keys."""


class KeyStoreError(DosebenchError):
    """The keys that this host keeps cannot be read or written."""


@dataclass(frozen=True)
class BoardKeys:
    """Keys of one pump.

    Attributes:
        pairing: Four random bytes that name this set of keys; no secret.
        roles: Key of each role that this host has.
    """

    pairing: bytes
    roles: Mapping[str, bytes] = field(repr=False)

    def for_role(self, least: str) -> tuple[str, bytes] | None:
        """The least role with a key that may do what `least` may, and its key; None when there is none."""
        enough = KEYED_ROLES[KEYED_ROLES.index(least) :]
        return next(((role, self.roles[role]) for role in enough if role in self.roles), None)


class KeySource(Protocol):
    """Where a client finds keys."""

    def get_keys(self, device: bytes) -> BoardKeys | None:
        """The keys of a pump by its id (4 bytes); None when this host has none."""


@dataclass(frozen=True)
class Pairing:
    """A pump that this host has keys of.

    Attributes:
        device: Id of the pump, 4 bytes.
        where: `keyring` or `file`.
        paired_at: When the keys came here, in ISO 8601.
        roles: Names of the roles.
    """

    device: bytes
    where: str
    paired_at: str
    roles: tuple[str, ...]


def new_keys() -> dict[str, bytes]:
    """A fresh random key for each role, from the operating system."""
    return {role: os.urandom(KEY_BYTES) for role in KEYED_ROLES}


def board_form(keys: Mapping[str, bytes]) -> dict[str, str]:
    """Keys as a board's configuration holds them: hexadecimal text by role. Flashing writes them, and nothing else."""
    return {role: key.hex() for role, key in keys.items()}


class KeyStore:
    """The keys of this host. Reads nothing until it is asked."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path if path is not None else state_dir() / FILE

    def get_keys(self, device: bytes) -> BoardKeys | None:
        """The keys of a pump; None when this host has none. Raises KeyStoreError."""
        kept = self._read_file().get(device.hex())
        if kept is None:
            return None
        held = kept["keys"] if kept["where"] == "file" else _from_keyring(device)
        return BoardKeys(bytes.fromhex(kept["pairing"]), {role: bytes.fromhex(key) for role, key in held.items()})

    def put_keys(self, device: bytes, keys: Mapping[str, bytes], *, secret: bool = True) -> str:
        """Keep the keys of a pump in place of those that were kept. Raises KeyStoreError.

        Args:
            device: Id of the pump, 4 bytes.
            keys: By role.
            secret: Whether they are worth the keyring; those of simulated boards lie beside the board anyway.

        Returns:
            Where they are: `keyring` or `file`.
        """
        held = {role: key.hex() for role, key in keys.items()}
        in_keyring = secret and _to_keyring(device, held)
        entry = {
            "pairing": os.urandom(4).hex(),
            "where": "keyring" if in_keyring else "file",
            "paired_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "roles": list(held),
            "keys": {} if in_keyring else held,
        }
        with self._lock_file():
            self._write_file(self._read_file() | {device.hex(): entry})
        return str(entry["where"])

    def forget_keys(self, device: bytes) -> bool:
        """Forget the keys of a pump; return whether there were any. Raises KeyStoreError."""
        with self._lock_file():
            pumps = self._read_file()
            kept = pumps.pop(device.hex(), None)
            if kept is None:
                return False
            if kept["where"] == "keyring":
                _out_of_keyring(device)
            self._write_file(pumps)
        return True

    def list_pairings(self) -> list[Pairing]:
        """Every pump that this host has keys of, by id. Raises KeyStoreError."""
        return [
            Pairing(bytes.fromhex(device), kept["where"], kept["paired_at"], tuple(kept["roles"]))
            for device, kept in sorted(self._read_file().items())
        ]

    @contextmanager
    def _lock_file(self) -> Iterator[None]:
        """No other process changes the file between reading and writing it. Raises KeyStoreError."""
        from filelock import FileLock, Timeout  # noqa: PLC0415

        lock = FileLock(self._path.with_name(f"{self._path.name}.lock"), timeout=LOCK_S, mode=OWNER_ONLY)
        try:
            lock.acquire()
        except Timeout as error:
            raise self._unusable_error("another process holds it") from error
        except OSError as error:
            raise self._unusable_error(error) from error
        try:
            yield
        finally:
            lock.release()

    def _read_file(self) -> dict[str, Any]:
        try:
            kept = json.loads(self._path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self._unusable_error(error) from error
        if not isinstance(kept, dict) or kept.get("format") != FORMAT:
            raise KeyStoreError(
                f"the key file {self._path} was written by another release, and so were the pumps that it has keys of",
                hint="move the file away and flash each pump with this release: that sets keys (pair is for sim://)",
            )
        pumps: dict[str, Any] = kept["pumps"]
        return pumps

    def _write_file(self, pumps: Mapping[str, Any]) -> None:
        try:
            write_private(self._path, json.dumps({"format": FORMAT, "pumps": pumps}, indent=1).encode())
        except OSError as error:
            raise self._unusable_error(error) from error

    def _unusable_error(self, why: object) -> KeyStoreError:
        return KeyStoreError(
            f"the key file {self._path} cannot be used: {why}",
            hint="check its permissions and the disk, or set DOSEBENCH_STATE to another directory",
        )


def write_private(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace a file by one that only its owner may read; on the disk on return, if `durable`. Raises OSError."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "wb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    temporary.replace(path)


def _load_keyring() -> Any:
    """The operating system's keyring; None where the package or a backend is missing."""
    try:
        import keyring  # noqa: PLC0415
        from keyring.backends.fail import Keyring as Nowhere  # noqa: PLC0415
    except ImportError:
        return None
    return None if isinstance(keyring.get_keyring(), Nowhere) else keyring


def _from_keyring(device: bytes) -> dict[str, str]:
    ring = _load_keyring()
    text = None if ring is None else _call_keyring(ring.get_password, SERVICE, device.hex())
    if text is None:
        raise KeyStoreError(
            f"the keys of pump {device.hex()} are in the operating system's keyring, which does not give them",
            hint="unlock the keyring (the package `keyring` must be installed), or pair the pump anew",
        )
    held: dict[str, str] = json.loads(text)
    return held


def _to_keyring(device: bytes, held: Mapping[str, str]) -> bool:
    ring = _load_keyring()
    if ring is None:
        return False
    try:
        _call_keyring(ring.set_password, SERVICE, device.hex(), json.dumps(held))
    except KeyStoreError:
        # A locked or headless session: the file serves.
        return False
    return True


def _out_of_keyring(device: bytes) -> None:
    ring = _load_keyring()
    # What is gone already cannot be deleted: the keyring would refuse.
    if ring is not None and _call_keyring(ring.get_password, SERVICE, device.hex()) is not None:
        _call_keyring(ring.delete_password, SERVICE, device.hex())


def _call_keyring(call: Any, *arguments: str) -> Any:
    from keyring.errors import KeyringError  # noqa: PLC0415

    try:
        return call(*arguments)
    except KeyringError as error:
        raise KeyStoreError(
            f"the operating system's keyring refuses: {error}", hint="unlock it, then try again"
        ) from error
