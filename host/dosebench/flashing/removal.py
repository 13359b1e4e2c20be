"""Off a board again: what `dosebench unflash` removes and puts back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dosebench.flashing.layout import KEPT_MAIN, MAIN, ROOT, STORAGE, is_selector
from dosebench.flashing.shell import Held, Shell


@dataclass(frozen=True)
class Removal:
    """What is to be removed.

    Attributes:
        main: Whether /main.py is ours and goes.
        restores: Whether a main.py that was there before comes back.
        files: Every file below /dosebench that goes, with its bytes.
        kept: Those that stay.
    """

    main: bool
    restores: bool
    files: Mapping[str, int]
    kept: Mapping[str, int]

    @property
    def is_empty(self) -> bool:
        """Whether nothing of ours is there."""
        return not self.main and not self.files


def make_removal(held: Held, *, keep_journal: bool) -> Removal:
    """What leaves nothing of ours on a board, but journal and therapy where they are to stay."""
    kept = {path: size for path, size in held.sizes.items() if keep_journal and path.startswith(f"{STORAGE}/")}
    ours = held.main is not None and is_selector(held.main)
    return Removal(
        ours,
        ours and KEPT_MAIN in held.sizes,
        {path: size for path, size in held.sizes.items() if path not in kept},
        kept,
    )


def carry_out(shell: Shell, removal: Removal) -> None:
    """Remove it: main.py first, so that the board boots to its prompt whatever comes after. Raises BoardError."""
    if removal.restores:
        shell.rename_file(KEPT_MAIN, MAIN)
    elif removal.main:
        shell.remove_file(MAIN)
    if not removal.kept:
        shell.remove_tree(ROOT)
        return
    for path in removal.files:
        shell.remove_file(path)
    for name in sorted({path.split("/")[2] for path in removal.files if path.count("/") > 2}):
        directory = f"{ROOT}/{name}"
        if directory != STORAGE:
            shell.remove_tree(directory)
