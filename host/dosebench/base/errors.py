"""The root of every error that dosebench raises on purpose."""

from __future__ import annotations


class DosebenchError(Exception):
    """Something that the user can put right; its text is one or more plain sentences.

    Attributes:
        exit_code: What a command that ends with this error returns to the shell.
        hint: What to do about it, or None where the text says it already.
    """

    exit_code: int = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
