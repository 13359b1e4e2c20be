"""Removal of the firmware from a board, cut at any act."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from directory_board import DirectoryBoard, booted, flash_board, image_of
from dosebench.flashing import removal
from dosebench.flashing.errors import BoardError
from dosebench.flashing.layout import (
    ACTIVE,
    KEYS,
    MAIN,
)
from dosebench.flashing.shell import Shell


def test_cut_at_any_act_of_a_removal_the_pump_never_runs_on_half_its_files(tmp_path: Path) -> None:
    flash_board(tmp_path / "whole", image_of("old"))
    for at in range(1, 40):
        root = tmp_path / f"board{at}"
        shutil.copytree(tmp_path / "whole", root)
        shell = Shell(DirectoryBoard(root, dies_at=at))
        try:
            removal.carry_out(shell, removal.make_removal(shell.read_held(), keep_journal=False))
        except BoardError:
            assert booted(root) in (None, "old")
            continue
        assert not list(root.iterdir())
        return
    pytest.fail("it does not end")


def test_removal_keeps_the_journal_where_it_is_asked_to(tmp_path: Path) -> None:
    root = tmp_path / "board"
    flash_board(root, image_of("old"))
    (root / "dosebench/flash/0").write_bytes(b"journal")
    shell = Shell(DirectoryBoard(root))
    planned = removal.make_removal(shell.read_held(), keep_journal=True)
    assert KEYS in planned.files
    assert ACTIVE in planned.files
    removal.carry_out(shell, planned)
    assert [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()] == ["dosebench/flash/0"]
    assert (planned.main, MAIN in planned.files) == (True, False)
