"""Room on the file system of a board."""

from __future__ import annotations

import pytest
from directory_board import SELECTOR, held_by, image_of
from dosebench.flashing import checks
from dosebench.flashing.errors import FlashError
from dosebench.flashing.flasher import count_room, make_plan
from dosebench.flashing.image import Image
from dosebench.flashing.shell import About, Held


def _about(free: int, block: int = 4096) -> About:
    return About("micropython", (1, 28, 0), 0x1F06, "a board", "rp2", 236_000, block, free, "00")


def _room_for(image: Image, held: Held, free: int, sectors: int) -> None:
    checks.check_room(_about(free), held, *count_room(make_plan(held, image, SELECTOR, None), held), sectors)


def test_room_is_counted_in_blocks_with_the_journal_as_it_grows() -> None:
    image = image_of("new")
    # Five files, manifest and selector take a block or two each.
    blocks = len(image.files) + 1 + -(-len(SELECTOR) // 4096) + checks.SPARE_BLOCKS
    _room_for(image, held_by(), 4096 * (blocks + 64), 64)
    with pytest.raises(FlashError, match="256 KB for the journal as it grows; nothing was written"):
        _room_for(image, held_by(), 4096 * (blocks + 64) - 1, 64)
    _room_for(image, held_by(), 4096 * blocks, 0)
