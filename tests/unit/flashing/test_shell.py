"""What a board says of itself, its files and its slots."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from directory_board import SELECTOR, DirectoryBoard, booted, flash_board, held_by, image_of
from dosebench.flashing.errors import FlashError
from dosebench.flashing.flasher import make_plan
from dosebench.flashing.layout import (
    TRIAL_STARTS,
)
from dosebench.flashing.shell import Shell


def test_a_slot_that_failed_is_the_one_to_stage_into() -> None:
    image = image_of("new")
    both = {"a": image_of("1"), "b": image_of("2")}
    held = replace(held_by("b", SELECTOR, **both), failed="b")
    assert (held.runs, make_plan(held, image, SELECTOR, None).slot) == ("a", "b")
    # Its bench is another one: the selector does not fall back, and neither does the plan.
    other_bench = replace(held_by("b", SELECTOR, **both | {"a": image_of("1", **{"bench.json": b"[]"})}), failed="b")
    assert (other_bench.runs, make_plan(other_bench, image, SELECTOR, None).slot) == ("b", "a")
    # The other one failed once, and is not the one to run: that changes nothing.
    assert replace(held, active="a").runs == "a"
    alone = replace(held_by("b", SELECTOR, b=image_of("2")), failed="b")
    assert alone.runs == "b"


@pytest.mark.parametrize("content", ["", "b", "b x", f"b {TRIAL_STARTS - 1} ", "\0\0", f"c {TRIAL_STARTS} "])
def test_a_mark_that_says_nothing_fails_no_slot(tmp_path: Path, content: str) -> None:
    for word in ("old", "new"):
        flash_board(tmp_path, image_of(word))
    (tmp_path / "dosebench/trial").write_text(content)
    assert booted(tmp_path) == "new"
    held = Shell(DirectoryBoard(tmp_path)).read_held()
    assert (held.runs, held.failed) == ("b", None)


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
