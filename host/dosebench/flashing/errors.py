"""What can go wrong between this host and a board that is being flashed."""

from __future__ import annotations

from dosebench.base.errors import DosebenchError


class FlashError(DosebenchError):
    """The board cannot be flashed, or not like this. Nothing on it was changed unless the text says so."""


class NoReplError(FlashError):
    """No MicroPython prompt came."""


class BoardError(FlashError):
    """The board refused an act, or the line to it was lost. Its pump boots old or new; flashing again goes on."""


class LineLostError(BoardError):
    """The board does not answer any more in the middle of its prompt."""
