"""The firmware's files, and the hash by which a board knows its own code."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from dosebench.image.source import CODE_HASH_BYTES, OTHER_FIRMWARE, code_hash, firmware_dir, hash_of


def test_the_firmware_lies_in_the_tree_unless_another_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(OTHER_FIRMWARE, raising=False)
    assert (firmware_dir() / "main.py").is_file()
    assert (firmware_dir() / "pump" / "controller.py").is_file()
    monkeypatch.setenv(OTHER_FIRMWARE, str(tmp_path))
    assert firmware_dir() == tmp_path


def test_the_hash_is_over_path_length_and_content_in_order_of_path() -> None:
    code = {"b.py": b"22", "a.py": b"1"}
    wanted = hashlib.sha256(b"a.py\x001\x001" + b"b.py\x002\x0022").digest()[:CODE_HASH_BYTES]
    assert hash_of(code) == hash_of(dict(reversed(code.items()))) == wanted


@pytest.mark.parametrize(
    "other",
    [
        {"a.py": b"1", "b.py": b"23"},
        {"a.py": b"1"},
        {"a.py": b"1", "c.py": b"22"},
        {"a.py": b"12", "b.py": b"2"},
        {},
    ],
)
def test_any_change_is_another_hash(other: dict[str, bytes]) -> None:
    assert hash_of(other) != hash_of({"a.py": b"1", "b.py": b"22"})


def test_all_code_of_a_firmware_counts_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pump").mkdir()
    (tmp_path / "main.py").write_bytes(b"x = 1")
    (tmp_path / "pump" / "a.mpy").write_bytes(b"M")
    (tmp_path / "notes.txt").write_bytes(b"not code")
    monkeypatch.setenv(OTHER_FIRMWARE, str(tmp_path))
    code_hash.cache_clear()
    try:
        assert code_hash() == hash_of({"main.py": b"x = 1", "pump/a.mpy": b"M"})
        (tmp_path / "main.py").write_bytes(b"x = 2")
        assert code_hash() == hash_of({"main.py": b"x = 1", "pump/a.mpy": b"M"}), "read once in a process"
    finally:
        code_hash.cache_clear()
