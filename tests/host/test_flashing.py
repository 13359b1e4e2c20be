"""What `dosebench flash` plans and does, act by act, on a board whose file system is a directory."""

from __future__ import annotations

import builtins
import gc
import hashlib
import importlib.util
import io
import json
import os
import shutil
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from dosebench.flashing import checks, removal
from dosebench.flashing.errors import BoardError, FlashError
from dosebench.flashing.flasher import Flasher, count_room, make_plan
from dosebench.flashing.image import Image, ImageError, manifest_of, older_formats
from dosebench.flashing.layout import (
    ACTIVE,
    KEYS,
    MAIN,
    MANIFEST,
    NEW,
    SLOTS,
    TRIAL_STARTS,
    Slot,
    is_selector,
    on_trial,
    slot_dir,
)
from dosebench.flashing.shell import About, Held, Shell
from dosebench.image.source import firmware_dir, hash_of
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


def _image(word: str, **more: bytes) -> Image:
    main, compiled = f"WORD = '{word}'".encode(), b"M\x06\x00\x1f" + word.encode()
    files = {"main.py": main, "pump/a.mpy": compiled, "pump/same.py": b"1"}
    return Image(files | {"config.json": b"{}", "bench.json": b"{}"} | more, "rp2", word)


def _flash(root: Path, image: Image, **options: Any) -> DirectoryBoard:
    board = DirectoryBoard(root, **options)
    shell = Shell(board)
    held = shell.read_held()
    keys = None if held.has_keys else new_keys()
    Flasher(shell).carry_out(make_plan(held, image, SELECTOR, keys), image)
    return board


def _booted(root: Path) -> str | None:
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


# At any act


@pytest.mark.requirement("R54")
@pytest.mark.parametrize("when", ["before", "within", "after"])
def test_cut_at_any_act_of_an_update_it_boots_old_or_new_and_goes_on(tmp_path: Path, when: str) -> None:
    _flash(tmp_path / "old", _image("older"))
    _flash(tmp_path / "old", _image("old", **{"gone.py": b"2"}))
    # The selector changes too.
    (tmp_path / "old/main.py").write_bytes(SELECTOR + b"# of old\n")
    keys = (tmp_path / "old/dosebench/keys.json").read_bytes()
    new = _image("new", **{"come.py": b"3"})
    shutil.copytree(tmp_path / "old", tmp_path / "all")
    acts = _flash(tmp_path / "all", new).acts
    assert acts > 20
    versions = []
    for at in range(1, acts + 1):
        root = tmp_path / f"board{at}"
        shutil.copytree(tmp_path / "old", root)
        with pytest.raises(BoardError):
            _flash(root, new, dies_at=at, when=when)
        versions.append(_booted(root))
        _flash(root, new)
        assert _booted(root) == "new"
        assert (root / "dosebench/keys.json").read_bytes() == keys
    # Once it is new it stays new.
    assert set(versions) == ({"old", "new"} if when == "after" else {"old"})
    assert versions == sorted(versions, reverse=True)


@pytest.mark.requirement("R54")
@pytest.mark.parametrize("when", ["before", "within", "after"])
def test_cut_at_any_act_of_the_first_flashing_it_boots_nothing_or_the_whole(tmp_path: Path, when: str) -> None:
    acts = _flash(tmp_path / "all", _image("new")).acts
    for at in range(1, acts + 1):
        root = tmp_path / f"board{at}"
        with pytest.raises(BoardError):
            _flash(root, _image("new"), dies_at=at, when=when)
        assert _booted(root) in (None, "new")
        _flash(root, _image("new"))
        assert _booted(root) == "new"


def test_cut_at_any_act_of_a_removal_the_pump_never_runs_on_half_its_files(tmp_path: Path) -> None:
    _flash(tmp_path / "whole", _image("old"))
    for at in range(1, 40):
        root = tmp_path / f"board{at}"
        shutil.copytree(tmp_path / "whole", root)
        shell = Shell(DirectoryBoard(root, dies_at=at))
        try:
            removal.carry_out(shell, removal.make_removal(shell.read_held(), keep_journal=False))
        except BoardError:
            assert _booted(root) in (None, "old")
            continue
        assert not list(root.iterdir())
        return
    pytest.fail("it does not end")


def test_a_file_that_was_not_written_as_sent_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _flash(tmp_path / "board", _image("old"))
    write = Shell.write_file

    def bad(self: Shell, path: str, content: bytes, *more: Any) -> None:
        write(self, path, b"M\x06\x00\x1fnew!" if path.endswith("a.mpy") else content, *more)

    monkeypatch.setattr(Shell, "write_file", bad)
    with pytest.raises(BoardError, match=r"pump/a\.mpy on the board is not what was sent"):
        _flash(tmp_path / "board", _image("new"))
    assert _booted(tmp_path / "board") == "old"


# Plans


def _held(active: Slot | None = None, main: bytes | None = None, **slots: Image) -> Held:
    files: dict[Slot, dict[str, str]] = {slot: {} for slot in SLOTS}
    sizes = {}
    for slot in SLOTS:
        if slot in slots:
            image = slots[slot]
            files[slot] = image.digests | {MANIFEST: hashlib.sha256(image.manifest).hexdigest()}
            sizes |= {f"{slot_dir(slot)}/{path}": len(content) for path, content in image.files.items()}
    manifests = {slot: slots[slot].manifest for slot in SLOTS if slot in slots}
    return Held(active, files, sizes, main, manifests)


def test_what_is_there_is_not_sent_again() -> None:
    plan = make_plan(_held("a", SELECTOR, a=_image("old")), _image("new"), SELECTOR, None)
    assert (plan.slot, plan.switches, plan.main, plan.keys) == ("b", True, None, None)
    assert set(plan.copy) == {"bench.json", "config.json", "pump/same.py"}
    assert set(plan.write) == {"main.py", "pump/a.mpy"}
    back = make_plan(_held("b", SELECTOR, a=_image("new"), b=_image("old")), _image("new"), SELECTOR, None)
    assert (back.slot, back.switches, dict(back.write), back.manifest) == ("a", True, {}, None)
    same = make_plan(_held("b", SELECTOR, b=_image("new")), _image("new"), SELECTOR, None)
    assert not same.changes


def test_the_slot_that_would_run_is_never_staged_into() -> None:
    for active, slots, staged in (
        (None, {}, "a"),
        ("a", {"a": _image("1")}, "b"),
        ("b", {"a": _image("1"), "b": _image("2")}, "a"),
        ("a", {"b": _image("1")}, "a"),
        (None, {"b": _image("1")}, "a"),
        (None, {"a": _image("1"), "b": _image("2")}, "b"),
    ):
        held = _held(active, SELECTOR, **slots)  # type: ignore[arg-type]
        assert make_plan(held, _image("new"), SELECTOR, None).slot == staged != held.runs


def test_a_slot_that_failed_is_the_one_to_stage_into() -> None:
    image = _image("new")
    both = {"a": _image("1"), "b": _image("2")}
    held = replace(_held("b", SELECTOR, **both), failed="b")
    assert (held.runs, make_plan(held, image, SELECTOR, None).slot) == ("a", "b")
    # Its bench is another one: the selector does not fall back, and neither does the plan.
    other_bench = replace(_held("b", SELECTOR, **both | {"a": _image("1", **{"bench.json": b"[]"})}), failed="b")
    assert (other_bench.runs, make_plan(other_bench, image, SELECTOR, None).slot) == ("b", "a")
    # The other one failed once, and is not the one to run: that changes nothing.
    assert replace(held, active="a").runs == "a"
    alone = replace(_held("b", SELECTOR, b=_image("2")), failed="b")
    assert alone.runs == "b"


def test_flashing_tries_a_slot_that_failed_anew(tmp_path: Path) -> None:
    for word in ("old", "new"):
        _flash(tmp_path, _image(word))
        assert (tmp_path / "dosebench/trial").read_bytes() == on_trial("a" if word == "old" else "b")
    (tmp_path / "dosebench/trial").write_text(f"b {TRIAL_STARTS} MemoryError()")
    assert _booted(tmp_path) == "old"
    held = Shell(DirectoryBoard(tmp_path)).read_held()
    assert (held.active, held.runs, held.failed, held.why_failed) == ("b", "a", "b", "MemoryError()")
    _flash(tmp_path, _image("new"))
    assert _booted(tmp_path) == "new"
    assert Shell(DirectoryBoard(tmp_path)).read_held().failed is None


@pytest.mark.parametrize("content", ["", "b", "b x", f"b {TRIAL_STARTS - 1} ", "\0\0", f"c {TRIAL_STARTS} "])
def test_a_mark_that_says_nothing_fails_no_slot(tmp_path: Path, content: str) -> None:
    for word in ("old", "new"):
        _flash(tmp_path, _image(word))
    (tmp_path / "dosebench/trial").write_text(content)
    assert _booted(tmp_path) == "new"
    held = Shell(DirectoryBoard(tmp_path)).read_held()
    assert (held.runs, held.failed) == ("b", None)


def test_host_and_selector_count_the_same_starts() -> None:
    assert f"\nSTARTS = {TRIAL_STARTS}\n".encode() in SELECTOR


def test_the_selector_is_written_where_it_differs_and_a_foreign_one_is_kept() -> None:
    ours = make_plan(_held("a", b"# /dosebench of old", a=_image("old")), _image("new"), SELECTOR, None)
    assert (ours.main, ours.saves_main) == (SELECTOR, False)
    foreign = make_plan(_held(None, b"import blink"), _image("new"), SELECTOR, None)
    assert (foreign.main, foreign.saves_main) == (SELECTOR, True)
    empty = make_plan(_held(None, b"\n"), _image("new"), SELECTOR, None)
    assert (empty.main, empty.saves_main) == (SELECTOR, False)


def test_a_slot_never_holds_a_source_beside_its_compiled_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="shadowed"):
        _image("new", **{"pump/a.py": b"1"})
    root = tmp_path / "board"
    _flash(root, _image("old", **{"pump/b.py": b"1"}))
    _flash(root, _image("newer"))
    _flash(root, _image("new", **{"pump/b.mpy": b"M\x06\x00\x1f"}))
    assert _booted(root) == "new"
    assert not (root / "dosebench/a/pump/b.py").exists()


def test_an_image_needs_what_a_slot_needs() -> None:
    with pytest.raises(ImageError, match="needs a main"):
        Image({"main.py": b"", "config.json": b"{}"}, "rp2", "1")


# The manifest


def test_the_manifest_names_what_the_board_checks() -> None:
    image = _image("new")
    told = manifest_of(image.manifest)
    assert told is not None
    assert told["files"] == image.digests
    code = {path: image.files[path] for path in ("main.py", "pump/a.mpy", "pump/same.py")}
    assert told["code"] == hash_of(code).hex()
    assert manifest_of(image.manifest[:-1]) is None
    assert manifest_of(b"[]") is None
    assert older_formats(told["formats"]) == []
    assert older_formats(told["formats"] | {"journal": 99, "other": 1}) == ["journal", "other"]


# Room


def _about(free: int, block: int = 4096) -> About:
    return About("micropython", (1, 28, 0), 0x1F06, "a board", "rp2", 236_000, block, free, "00")


def _room_for(image: Image, held: Held, free: int, sectors: int) -> None:
    checks.check_room(_about(free), held, *count_room(make_plan(held, image, SELECTOR, None), held), sectors)


def test_room_is_counted_in_blocks_with_the_journal_as_it_grows() -> None:
    image = _image("new")
    # Five files, manifest and selector take a block or two each.
    blocks = len(image.files) + 1 + -(-len(SELECTOR) // 4096) + checks.SPARE_BLOCKS
    _room_for(image, _held(), 4096 * (blocks + 64), 64)
    with pytest.raises(FlashError, match="256 KB for the journal as it grows; nothing was written"):
        _room_for(image, _held(), 4096 * (blocks + 64) - 1, 64)
    _room_for(image, _held(), 4096 * blocks, 0)


def test_what_is_removed_before_makes_room_and_what_is_copied_takes_it() -> None:
    big = {"big.py": bytes(40_960)}
    held = _held("a", SELECTOR, a=_image("old", **big), b=_image("older", **{"big.py": bytes(40_959)}))
    need, freed = count_room(make_plan(held, _image("new", **big), SELECTOR, None), held)
    assert need["copy of big.py"] == 40_960
    assert freed > 40_959


# What a board says


def test_a_board_is_told_from_its_own_words(tmp_path: Path) -> None:
    shell = Shell(DirectoryBoard(tmp_path / "board"))
    about = shell.read_about()
    assert (about.heap_bytes, about.free_bytes, about.unique_id) == (236_000, 60 * 4096, "0102")
    assert shell.device_id() == hashlib.sha256(b"\x01\x02").digest()[:4]
    shell.make_dirs("/dosebench")
    shell.write_file("/dosebench/id", b"0a0b0c0d\n")
    assert shell.device_id() == bytes.fromhex("0a0b0c0d")
    assert not shell.holds_pump()


def test_what_is_no_micropython_is_said_so() -> None:
    class Other:
        def run_code(self, code: str) -> bytes:
            del code
            return b"login:"

        def run_last(self, code: str) -> None:
            del code

    with pytest.raises(FlashError, match="it says 'login:'"):
        Shell(Other()).read_about()


@pytest.mark.parametrize("size", [0, 1, 767, 768, 769, 5000])
def test_files_of_any_length_and_content_arrive(tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) * 20
    sent: list[int] = []
    shell = Shell(DirectoryBoard(tmp_path / "board"))
    shell.write_file("/x", content[:size], sent.append)
    assert (tmp_path / "board/x").read_bytes() == content[:size]
    assert sum(sent) == size
    assert shell.read_file("/x") == content[:size]


def test_removal_keeps_the_journal_where_it_is_asked_to(tmp_path: Path) -> None:
    root = tmp_path / "board"
    _flash(root, _image("old"))
    (root / "dosebench/flash/0").write_bytes(b"journal")
    shell = Shell(DirectoryBoard(root))
    planned = removal.make_removal(shell.read_held(), keep_journal=True)
    assert KEYS in planned.files
    assert ACTIVE in planned.files
    removal.carry_out(shell, planned)
    assert [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()] == ["dosebench/flash/0"]
    assert (planned.main, MAIN in planned.files) == (True, False)
