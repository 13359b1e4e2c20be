"""What a pump stores, and what a perfect one delivers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dosebench.base.errors import DosebenchError
from dosebench.therapy.program import Program, Reading

if TYPE_CHECKING:
    pass


def list_disagreements(own: Reading, device: Reading) -> list[str]:
    """Names of the figures in which the pump's reading of a program differs from the host's: any is a fault."""
    return [name for name, value in vars(own).items() if getattr(device, name) != value]


def same_reading(program: Program, answer: dict[str, Any]) -> Reading:
    """The pump's reading of a staged program, when it is the host's.

    Args:
        program: What was staged.
        answer: The reply to `therapy_verify`.

    Raises:
        DosebenchError: Host and pump read it differently; names the figures.
    """
    theirs = Reading.from_answer(answer)
    if names := list_disagreements(program.expected_reading(), theirs):
        raise DosebenchError(f"host and pump read the program differently: {', '.join(names)}")
    return theirs
