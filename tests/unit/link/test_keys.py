"""Keys on this host: made, kept in a file or the operating system's keyring, forgotten."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
from dosebench.base.paths import state_dir
from dosebench.link import keys
from dosebench.link.keys import KeyStore, KeyStoreError, board_form, new_keys
from filelock import FileLock

PUMP = b"\x01\x02\x03\x04"


def test_keys_are_random_and_whole() -> None:
    one, other = new_keys(), new_keys()
    assert {len(key) for key in one.values()} == {32}
    assert len({*one.values(), *other.values()}) == 6
    assert board_form({"operator": b"\x01\x02"}) == {"operator": "0102"}
    assert "0102" not in repr(keys.BoardKeys(PUMP, {"operator": b"\x01\x02"}))


class FakeRing(ModuleType):
    """A keyring in memory, in the place of the package."""

    def __init__(self, backend: object) -> None:
        super().__init__("keyring")
        self.kept: dict[tuple[str, str], str] = {}
        self.backend = backend
        self.locked = False

    def get_keyring(self) -> object:
        return self.backend

    def _open(self) -> None:
        if self.locked:
            raise sys.modules["keyring.errors"].KeyringError("locked")

    def get_password(self, service: str, name: str) -> str | None:
        self._open()
        return self.kept.get((service, name))

    def set_password(self, service: str, name: str, text: str) -> None:
        self._open()
        self.kept[service, name] = text

    def delete_password(self, service: str, name: str) -> None:
        self._open()
        if self.kept.pop((service, name), None) is None:
            raise sys.modules["keyring.errors"].KeyringError("no such password")


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> FakeRing:
    """The package `keyring` with a backend that works."""
    errors, backends, fail = (ModuleType(f"keyring.{name}") for name in ("errors", "backends", "backends.fail"))
    errors.KeyringError = type("KeyringError", (Exception,), {})  # type: ignore[attr-defined]
    fail.Keyring = type("Keyring", (), {})  # type: ignore[attr-defined]
    fake = FakeRing(object())
    for name, module in (("", fake), (".errors", errors), (".backends", backends), (".backends.fail", fail)):
        monkeypatch.setitem(sys.modules, f"keyring{name}", module)
    return fake


def test_keys_of_real_boards_go_to_the_keyring(ring: FakeRing, state: Path) -> None:
    made = new_keys()
    assert KeyStore().put_keys(PUMP, made) == "keyring"
    assert not any(key.hex() in (state / "keys.json").read_text() for key in made.values())
    held = KeyStore().get_keys(PUMP)
    assert held is not None
    assert dict(held.roles) == made
    assert [(one.device, one.where) for one in KeyStore().list_pairings()] == [(PUMP, "keyring")]
    ring.locked = True
    with pytest.raises(KeyStoreError, match="locked"):
        KeyStore().get_keys(PUMP)
    ring.locked = False
    assert KeyStore().forget_keys(PUMP)
    assert ring.kept == {}


def test_without_a_backend_or_when_it_is_locked_the_file_serves(ring: FakeRing) -> None:
    made = new_keys()
    ring.locked = True
    assert KeyStore().put_keys(PUMP, made) == "file"
    ring.locked = False
    ring.backend = sys.modules["keyring.backends.fail"].Keyring()
    assert KeyStore().put_keys(PUMP, made) == "file"
    held = KeyStore().get_keys(PUMP)
    assert held is not None
    assert dict(held.roles) == made


def test_keys_that_the_keyring_lost(ring: FakeRing) -> None:
    KeyStore().put_keys(PUMP, new_keys())
    ring.kept.clear()
    with pytest.raises(KeyStoreError, match="does not give them"):
        KeyStore().get_keys(PUMP)
    assert KeyStore().forget_keys(PUMP)
    assert KeyStore().list_pairings() == []


def test_keys_that_another_process_is_changing_are_waited_for_and_then_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    KeyStore().put_keys(PUMP, new_keys(), secret=False)
    monkeypatch.setattr(keys, "LOCK_S", 0.05)
    with FileLock(state_dir() / "keys.json.lock"), pytest.raises(KeyStoreError, match="another process holds it"):
        KeyStore().forget_keys(PUMP)
    assert KeyStore().forget_keys(PUMP)
