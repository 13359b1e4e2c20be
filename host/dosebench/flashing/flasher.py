"""From what lies on a board to what should: a plan, and the acts that carry it out.

Everything goes into the slot that is not run. Its manifest is removed first and written last, and only then is the
name of the active slot replaced, by a rename. So the board boots the old firmware or the new one, whichever act is
the last that reaches it, and flashing again goes on from there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dosebench.flashing.checks import is_foreign
from dosebench.flashing.errors import BoardError
from dosebench.flashing.image import Image
from dosebench.flashing.layout import (
    ACTIVE,
    KEYS,
    MAIN,
    MANIFEST,
    ROOT,
    SLOTS,
    STORAGE,
    TRIAL,
    Slot,
    on_trial,
    other_slot,
    slot_dir,
)
from dosebench.flashing.shell import Held, Shell
from dosebench.link.keys import board_form

Progress = Callable[[int, int], None]
"""Bytes that were sent, and bytes that are to be sent."""


@dataclass(frozen=True)
class FlashPlan:
    """What is to be done.

    Attributes:
        slot: What is to run afterwards.
        switches: Whether that is to be made the active slot, or is it and is to be tried anew.
        remove: Paths in that slot that are in the way, or differ.
        copy: Paths that the other slot has already, as they should be.
        write: Path in the slot -> content that must be sent.
        keep: How many files of the slot are as they should be.
        manifest: What makes the slot whole; None where the slot is as it should be, and is left alone.
        main: The selector, where it differs.
        saves_main: A main.py of somebody else is put away first.
        keys: Content of the key file, where it is to be written.
    """

    slot: Slot
    switches: bool
    remove: tuple[str, ...] = ()
    copy: tuple[str, ...] = ()
    write: Mapping[str, bytes] = field(default_factory=dict)
    keep: int = 0
    manifest: bytes | None = None
    main: bytes | None = None
    saves_main: bool = False
    keys: bytes | None = field(default=None, repr=False)

    @property
    def changes(self) -> bool:
        """Whether anything is to be done at all."""
        return self.switches or bool(self.main or self.keys or self.manifest)

    @property
    def new_files(self) -> dict[str, int]:
        """Bytes of every file that takes room on the board and was not there, by path, but for copies."""
        files = {path: len(content) for path, content in self.write.items()}
        extra = {MANIFEST: self.manifest, MAIN: self.main, KEYS: self.keys}
        return files | {path: len(content) for path, content in extra.items() if content is not None}


def make_plan(held: Held, image: Image, selector: bytes, keys: Mapping[str, bytes] | None) -> FlashPlan:
    """What brings a board from what it holds to this image.

    Args:
        held: What lies on it.
        image: The slot as it should be.
        selector: The main.py as it should be.
        keys: By role, where they are to be written.
    """
    main = None if held.main == selector else selector
    key_file = None if keys is None else json.dumps(board_form(keys), separators=(",", ":")).encode()
    saves = main is not None and is_foreign(held.main)
    wanted = image.digests
    whole = wanted | {MANIFEST: hashlib.sha256(image.manifest).hexdigest()}
    # A slot may be whole and not yet switched to.
    slot = next((slot for slot in SLOTS if held.slots[slot] == whole), None)
    if slot is not None:
        switches = held.active != slot or held.failed == slot
        return FlashPlan(slot, switches, keep=len(wanted), main=main, saves_main=saves, keys=key_file)
    slot = other_slot(held.runs)
    there = {path: digest for path, digest in held.slots[slot].items() if path != MANIFEST}
    fits = {path for path, digest in there.items() if wanted.get(path) == digest}
    lacks = sorted(wanted.keys() - fits)
    near = held.slots[other_slot(slot)]
    copies = tuple(path for path in lacks if near.get(path) == wanted[path])
    return FlashPlan(
        slot,
        switches=True,
        remove=tuple(sorted(there.keys() - fits)),
        copy=copies,
        write={path: image.files[path] for path in lacks if path not in copies},
        keep=len(fits),
        manifest=image.manifest,
        main=main,
        saves_main=saves,
        keys=key_file,
    )


def count_room(plan: FlashPlan, held: Held) -> tuple[dict[str, int], int]:
    """Bytes of each file that the plan adds, and bytes that it removes before."""
    staged = slot_dir(plan.slot)
    near = slot_dir(other_slot(plan.slot))
    copies = {f"copy of {path}": held.sizes[f"{near}/{path}"] for path in plan.copy}
    freed = sum(held.sizes.get(f"{staged}/{path}", 0) for path in plan.remove)
    return plan.new_files | copies, freed


class Flasher:
    """Carries out a plan on a board.

    Args:
        shell: The board.
        progress: Is told what was sent.
        keyed: Called as soon as the board has its new keys, so that this host has them too whatever comes after.
    """

    def __init__(
        self,
        shell: Shell,
        progress: Progress = lambda _done, _total: None,
        keyed: Callable[[], None] = lambda: None,
    ) -> None:
        self._shell = shell
        self._progress = progress
        self._keyed = keyed
        self._sent = 0
        self._total = 0

    def carry_out(self, plan: FlashPlan, image: Image) -> None:
        """Bring the board to the image. Raises BoardError; whatever was done until then leaves a board that boots."""
        shell = self._shell
        self._total = sum(map(len, plan.write.values()))
        shell.make_dirs(ROOT)
        shell.make_dirs(STORAGE)
        if plan.manifest is not None:
            self._stage_image(plan, plan.manifest, image)
        if plan.keys is not None:
            shell.replace_file(KEYS, plan.keys)
            self._keyed()
        if plan.main is not None:
            if plan.saves_main:
                shell.keep_main()
            shell.replace_file(MAIN, plan.main)
        if plan.switches:
            # Before the switch: a mark of a slot that is not active is none.
            shell.replace_file(TRIAL, on_trial(plan.slot))
            shell.replace_file(ACTIVE, plan.slot.encode())

    def _stage_image(self, plan: FlashPlan, manifest: bytes, image: Image) -> None:
        shell, directory = self._shell, slot_dir(plan.slot)
        shell.make_dirs(directory)
        shell.remove_file(f"{directory}/{MANIFEST}")
        for path in plan.remove:
            shell.remove_file(f"{directory}/{path}")
        for parent in sorted({path.rpartition("/")[0] for path in (*plan.copy, *plan.write)} - {""}):
            shell.make_dirs(f"{directory}/{parent}")
        for path in plan.copy:
            shell.copy_file(f"{slot_dir(other_slot(plan.slot))}/{path}", f"{directory}/{path}")
        for path, content in plan.write.items():
            shell.write_file(f"{directory}/{path}", content, self._count_bytes)
        found = shell.list_digests(directory)
        if found != image.digests:
            odd = sorted(set(found.items()) ^ set(image.digests.items()))[0][0]
            raise BoardError(
                f"{odd} on the board is not what was sent: the slot is left alone, the board boots what it ran before",
                hint="flash again; when it happens again, the board's flash is worn or the line is bad",
            )
        shell.replace_file(f"{directory}/{MANIFEST}", manifest)

    def _count_bytes(self, sent: int) -> None:
        self._sent += sent
        self._progress(self._sent, self._total)
