"""`dosebench flash`: plans and acts, cut at any act, on a board whose file system is a directory."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from directory_board import SELECTOR, DirectoryBoard, booted, flash_board, held_by, image_of
from dosebench.flashing.errors import BoardError
from dosebench.flashing.flasher import count_room, make_plan
from dosebench.flashing.image import ImageError
from dosebench.flashing.layout import (
    TRIAL_STARTS,
    on_trial,
)
from dosebench.flashing.shell import Shell


@pytest.mark.requirement("R54")
@pytest.mark.parametrize("when", ["before", "within", "after"])
def test_cut_at_any_act_of_an_update_it_boots_old_or_new_and_goes_on(tmp_path: Path, when: str) -> None:
    flash_board(tmp_path / "old", image_of("older"))
    flash_board(tmp_path / "old", image_of("old", **{"gone.py": b"2"}))
    # The selector changes too.
    (tmp_path / "old/main.py").write_bytes(SELECTOR + b"# of old\n")
    keys = (tmp_path / "old/dosebench/keys.json").read_bytes()
    new = image_of("new", **{"come.py": b"3"})
    shutil.copytree(tmp_path / "old", tmp_path / "all")
    acts = flash_board(tmp_path / "all", new).acts
    assert acts > 20
    versions = []
    for at in range(1, acts + 1):
        root = tmp_path / f"board{at}"
        shutil.copytree(tmp_path / "old", root)
        with pytest.raises(BoardError):
            flash_board(root, new, dies_at=at, when=when)
        versions.append(booted(root))
        flash_board(root, new)
        assert booted(root) == "new"
        assert (root / "dosebench/keys.json").read_bytes() == keys
    # Once it is new it stays new.
    assert set(versions) == ({"old", "new"} if when == "after" else {"old"})
    assert versions == sorted(versions, reverse=True)


@pytest.mark.requirement("R54")
@pytest.mark.parametrize("when", ["before", "within", "after"])
def test_cut_at_any_act_of_the_first_flashing_it_boots_nothing_or_the_whole(tmp_path: Path, when: str) -> None:
    acts = flash_board(tmp_path / "all", image_of("new")).acts
    for at in range(1, acts + 1):
        root = tmp_path / f"board{at}"
        with pytest.raises(BoardError):
            flash_board(root, image_of("new"), dies_at=at, when=when)
        assert booted(root) in (None, "new")
        flash_board(root, image_of("new"))
        assert booted(root) == "new"


def test_a_file_that_was_not_written_as_sent_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flash_board(tmp_path / "board", image_of("old"))
    write = Shell.write_file

    def bad(self: Shell, path: str, content: bytes, *more: Any) -> None:
        write(self, path, b"M\x06\x00\x1fnew!" if path.endswith("a.mpy") else content, *more)

    monkeypatch.setattr(Shell, "write_file", bad)
    with pytest.raises(BoardError, match=r"pump/a\.mpy on the board is not what was sent"):
        flash_board(tmp_path / "board", image_of("new"))
    assert booted(tmp_path / "board") == "old"


def test_what_is_there_is_not_sent_again() -> None:
    plan = make_plan(held_by("a", SELECTOR, a=image_of("old")), image_of("new"), SELECTOR, None)
    assert (plan.slot, plan.switches, plan.main, plan.keys) == ("b", True, None, None)
    assert set(plan.copy) == {"bench.json", "config.json", "pump/same.py"}
    assert set(plan.write) == {"main.py", "pump/a.mpy"}
    back = make_plan(held_by("b", SELECTOR, a=image_of("new"), b=image_of("old")), image_of("new"), SELECTOR, None)
    assert (back.slot, back.switches, dict(back.write), back.manifest) == ("a", True, {}, None)
    same = make_plan(held_by("b", SELECTOR, b=image_of("new")), image_of("new"), SELECTOR, None)
    assert not same.changes


def test_the_slot_that_would_run_is_never_staged_into() -> None:
    for active, slots, staged in (
        (None, {}, "a"),
        ("a", {"a": image_of("1")}, "b"),
        ("b", {"a": image_of("1"), "b": image_of("2")}, "a"),
        ("a", {"b": image_of("1")}, "a"),
        (None, {"b": image_of("1")}, "a"),
        (None, {"a": image_of("1"), "b": image_of("2")}, "b"),
    ):
        held = held_by(active, SELECTOR, **slots)  # type: ignore[arg-type]
        assert make_plan(held, image_of("new"), SELECTOR, None).slot == staged != held.runs


def test_flashing_tries_a_slot_that_failed_anew(tmp_path: Path) -> None:
    for word in ("old", "new"):
        flash_board(tmp_path, image_of(word))
        assert (tmp_path / "dosebench/trial").read_bytes() == on_trial("a" if word == "old" else "b")
    (tmp_path / "dosebench/trial").write_text(f"b {TRIAL_STARTS} MemoryError()")
    assert booted(tmp_path) == "old"
    held = Shell(DirectoryBoard(tmp_path)).read_held()
    assert (held.active, held.runs, held.failed, held.why_failed) == ("b", "a", "b", "MemoryError()")
    flash_board(tmp_path, image_of("new"))
    assert booted(tmp_path) == "new"
    assert Shell(DirectoryBoard(tmp_path)).read_held().failed is None


def test_the_selector_is_written_where_it_differs_and_a_foreign_one_is_kept() -> None:
    ours = make_plan(held_by("a", b"# /dosebench of old", a=image_of("old")), image_of("new"), SELECTOR, None)
    assert (ours.main, ours.saves_main) == (SELECTOR, False)
    foreign = make_plan(held_by(None, b"import blink"), image_of("new"), SELECTOR, None)
    assert (foreign.main, foreign.saves_main) == (SELECTOR, True)
    empty = make_plan(held_by(None, b"\n"), image_of("new"), SELECTOR, None)
    assert (empty.main, empty.saves_main) == (SELECTOR, False)


def test_a_slot_never_holds_a_source_beside_its_compiled_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="shadowed"):
        image_of("new", **{"pump/a.py": b"1"})
    root = tmp_path / "board"
    flash_board(root, image_of("old", **{"pump/b.py": b"1"}))
    flash_board(root, image_of("newer"))
    flash_board(root, image_of("new", **{"pump/b.mpy": b"M\x06\x00\x1f"}))
    assert booted(root) == "new"
    assert not (root / "dosebench/a/pump/b.py").exists()


def test_what_is_removed_before_makes_room_and_what_is_copied_takes_it() -> None:
    big = {"big.py": bytes(40_960)}
    held = held_by("a", SELECTOR, a=image_of("old", **big), b=image_of("older", **{"big.py": bytes(40_959)}))
    need, freed = count_room(make_plan(held, image_of("new", **big), SELECTOR, None), held)
    assert need["copy of big.py"] == 40_960
    assert freed > 40_959
