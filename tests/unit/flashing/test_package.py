"""The package for mip: where each file goes, in an order in which an interruption leaves nothing that starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from directory_board import SELECTOR, image_of
from dosebench.flashing.errors import FlashError
from dosebench.flashing.image import manifest_of
from dosebench.flashing.package import INDEX, files_of, write_package


def test_files_lie_where_the_board_has_them_and_the_manifest_comes_after_what_it_vouches_for() -> None:
    image = image_of("new")
    files = files_of(image, SELECTOR)
    paths = list(files)
    assert not any(path.startswith("/") for path in paths)
    slot = [path for path in paths if path.startswith("dosebench/a/")]
    assert {path.removeprefix("dosebench/a/") for path in slot} == {*image.files, "manifest.json"}
    assert slot[-1] == "dosebench/a/manifest.json"
    assert paths[-3:] == ["dosebench/active", "main.py", INDEX]
    assert (files["dosebench/active"], files["main.py"]) == (b"a", SELECTOR)
    assert manifest_of(files["dosebench/a/manifest.json"]) is not None


def test_the_index_has_every_other_file_in_that_order() -> None:
    files = files_of(image_of("new"), SELECTOR)
    index = json.loads(files[INDEX])
    assert index["version"] == "new"
    assert index["urls"] == [[path, path] for path in files if path != INDEX]


def test_no_keys_are_in_it() -> None:
    assert not [path for path in files_of(image_of("new"), SELECTOR) if "keys" in path]


def test_a_package_is_written_into_a_directory_of_its_own(tmp_path: Path) -> None:
    files = files_of(image_of("new"), SELECTOR)
    write_package(files, tmp_path / "deep" / "package")
    found = {
        path.relative_to(tmp_path / "deep" / "package").as_posix() for path in tmp_path.rglob("*") if path.is_file()
    }
    assert found == set(files)
    assert (tmp_path / "deep/package/main.py").read_bytes() == SELECTOR


def test_a_directory_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(FlashError, match="not empty"):
        write_package({"a": b"1"}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(FlashError, match="file"):
        write_package({"a": b"1"}, tmp_path / "file")
