"""Where what lies on a board's file system, and whether a file there is ours."""

from __future__ import annotations

from typing import Final, Literal

Slot = Literal["a", "b"]
SLOTS: Final[tuple[Slot, Slot]] = ("a", "b")

MAIN: Final = "/main.py"
"""The selector: what MicroPython runs after boot.py."""
ROOT: Final = "/dosebench"
ACTIVE: Final = f"{ROOT}/active"
"""Name of the slot that is run."""
TRIAL: Final = f"{ROOT}/trial"
"""The slot that was flashed last and has not turned yet, how often it was started so, and what ended it
(firmware/selector.py)."""
TRIAL_STARTS: Final = 4
"""So many starts without a turn, and the selector runs the other slot: STARTS in firmware/selector.py."""
KEYS: Final = f"{ROOT}/keys.json"
ID: Final = f"{ROOT}/id"
"""Id of the pump, where it is not that of the chip: eight hexadecimal digits."""
STORAGE: Final = f"{ROOT}/flash"
"""Directory of journal and therapy."""
KEPT_MAIN: Final = f"{ROOT}/main.before.py"
"""A main.py that was there before, for `dosebench unflash` to put back."""
NEW: Final = ".new"
"""Suffix of a file that is written aside and then renamed."""

MANIFEST: Final = "manifest.json"
CONFIG: Final = "config.json"
BENCH: Final = "bench.json"
SETTINGS: Final = (CONFIG, BENCH, MANIFEST)
"""Files of a slot that are no code."""

_SIGN: Final = b"/dosebench"


def slot_dir(slot: Slot) -> str:
    """Directory of a slot."""
    return f"{ROOT}/{slot}"


def on_trial(slot: Slot) -> bytes:
    """Content of the trial file for a slot that was flashed and not started yet."""
    return f"{slot} 0 ".encode()


def other_slot(slot: Slot | None) -> Slot:
    """The slot to stage into: the one that does not run."""
    return "b" if slot == "a" else "a"


def is_selector(content: bytes) -> bool:
    """Whether a main.py is a selector of ours, of whatever release: it names our directory."""
    return _SIGN in content
