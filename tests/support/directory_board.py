"""A board whose file system is a directory, the images it is flashed with, and what it would boot."""

from __future__ import annotations

import builtins
import gc
import hashlib
import importlib.util
import io
import json
import os
import sys
import types
from pathlib import Path
from typing import Any, Final

import pytest
from dosebench.flashing.errors import BoardError
from dosebench.flashing.flasher import Flasher, make_plan
from dosebench.flashing.image import Image
from dosebench.flashing.layout import (
    MANIFEST,
    NEW,
    SLOTS,
    Slot,
    is_selector,
    slot_dir,
)
from dosebench.flashing.shell import Held, Shell
from dosebench.image.source import firmware_dir
from dosebench.link.keys import new_keys

SELECTOR: Final = (firmware_dir() / "selector.py").read_bytes()


class DirectoryBoard:
    """Runs what is sent to a board, with the root of its file system at a directory.

    It dies at act number `dies_at` (from 1): before it, within it (a file is open and still empty), or after it.
    """

    def __init__(self, root: Path, *, dies_at: int = 0, when: str = "after") -> None:
        root.mkdir(exist_ok=True)
        self.root = root
        self.acts = 0
        self.resets = 0
        self._dies_at = dies_at
        self._when = when
        own = {"open": self._open, "__import__": self._import}
        self._names: dict[str, Any] = {"__builtins__": vars(builtins) | own}

    def run_code(self, code: str) -> bytes:
        self.acts += 1
        if self.acts == self._dies_at and self._when == "before":
            raise BoardError("cut")
        if self.acts == self._dies_at and self._when == "within":
            code = code.partition("\n")[0] if "open(" in code else ""
        said = io.StringIO()
        self._names["__builtins__"]["print"] = lambda *words: print(*words, file=said)
        try:
            exec(code, self._names)
        except OSError as error:
            raise BoardError(str(error)) from error
        if self.acts == self._dies_at:
            raise BoardError("cut")
        return said.getvalue().encode()

    def run_last(self, code: str) -> None:
        assert "machine.reset()" in code
        self.resets += 1

    def _at(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def _open(self, path: str, mode: str = "r") -> Any:
        # What a board writes is there at once in the worst case, and in its buffer in the best.
        return self._at(path).open(mode, **({"buffering": 0} if "b" in mode else {}))

    def _import(self, name: str, *_: Any) -> Any:
        if name == "os":
            shim = types.SimpleNamespace(**{act: self._rooted(act) for act in ("mkdir", "remove", "rmdir", "listdir")})
            shim.stat = lambda path: tuple(os.stat(self._at(path)))
            shim.rename = lambda old, new: os.replace(self._at(old), self._at(new))
            shim.statvfs = lambda _: (4096, 4096, 64, 60, 60)
            return shim
        if name == "gc":
            return types.SimpleNamespace(collect=gc.collect, mem_free=lambda: 200_000, mem_alloc=lambda: 36_000)
        if name == "machine":
            return types.SimpleNamespace(unique_id=lambda: b"\x01\x02")
        return __import__(name)

    def _rooted(self, act: str) -> Any:
        return lambda path: getattr(os, act)(self._at(path))


def image_of(word: str, **more: bytes) -> Image:
    main, compiled = f"WORD = '{word}'".encode(), b"M\x06\x00\x1f" + word.encode()
    files = {"main.py": main, "pump/a.mpy": compiled, "pump/same.py": b"1"}
    return Image(files | {"config.json": b"{}", "bench.json": b"{}"} | more, "rp2", word)


def flash_board(root: Path, image: Image, **options: Any) -> DirectoryBoard:
    board = DirectoryBoard(root, **options)
    shell = Shell(board)
    held = shell.read_held()
    keys = None if held.has_keys else new_keys()
    Flasher(shell).carry_out(make_plan(held, image, SELECTOR, keys), image)
    return board


def booted(root: Path) -> str | None:
    """Version of the slot that the selector would run, whose files are all as its manifest says; None without one."""
    if not (root / "main.py").exists() or not is_selector((root / "main.py").read_bytes()):
        return None
    spec = importlib.util.spec_from_file_location("selector_of_a_board", root / "main.py")
    assert spec is not None
    assert spec.loader is not None
    selector = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "micropython", types.ModuleType("micropython"))
        spec.loader.exec_module(selector)
    slots = selector.order(str(root / "dosebench"))
    if not slots:
        return None
    directory = root / "dosebench" / slots[0]
    manifest = json.loads((directory / MANIFEST).read_text())
    for path, digest in manifest["files"].items():
        assert hashlib.sha256((directory / path).read_bytes()).hexdigest() == digest, path
    paths = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}
    assert paths - {MANIFEST, MANIFEST + NEW} == set(manifest["files"])
    return str(manifest["version"])


def held_by(active: Slot | None = None, main: bytes | None = None, **slots: Image) -> Held:
    files: dict[Slot, dict[str, str]] = {slot: {} for slot in SLOTS}
    sizes = {}
    for slot in SLOTS:
        if slot in slots:
            image = slots[slot]
            files[slot] = image.digests | {MANIFEST: hashlib.sha256(image.manifest).hexdigest()}
            sizes |= {f"{slot_dir(slot)}/{path}": len(content) for path, content in image.files.items()}
    manifests = {slot: slots[slot].manifest for slot in SLOTS if slot in slots}
    return Held(active, files, sizes, main, manifests)
