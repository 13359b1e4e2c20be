"""Images and their manifests."""

from __future__ import annotations

import pytest
from directory_board import image_of
from dosebench.flashing.image import Image, ImageError, manifest_of, newer_formats, outdated_formats
from dosebench.image.source import hash_of


def test_an_image_needs_what_a_slot_needs() -> None:
    with pytest.raises(ImageError, match="needs a main"):
        Image({"main.py": b"", "config.json": b"{}"}, "rp2", "1")


def test_the_manifest_names_what_the_board_checks() -> None:
    image = image_of("new")
    told = manifest_of(image.manifest)
    assert told is not None
    assert told["files"] == image.digests
    code = {path: image.files[path] for path in ("main.py", "pump/a.mpy", "pump/same.py")}
    assert told["code"] == hash_of(code).hex()
    assert manifest_of(image.manifest[:-1]) is None
    assert manifest_of(b"[]") is None
    assert newer_formats(told["formats"]) == outdated_formats(told["formats"]) == []
    assert newer_formats(told["formats"] | {"journal": 99, "other": 1}) == ["journal", "other"]
    assert outdated_formats(told["formats"] | {"journal": 1, "therapy": 1, "bench": 0}) == ["journal", "therapy"]
