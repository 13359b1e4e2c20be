"""`dosebench diff`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from dosebench.commands import common
from dosebench.commands.check import library
from dosebench.errors import DosebenchError

if TYPE_CHECKING:
    from dosebench.program import Program

DEVICE: Final = "device"
"""What stands for the therapy that the pump has."""


class NoTherapyError(DosebenchError):
    """One side of a comparison is missing."""


@click.command()
@click.argument("old")
@click.argument("new")
@common.port_options
@click.option("--drugs", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Directory of drug files.")
@common.json_option
def diff(old: str, new: str, *, port: str | None, baud: int, drugs: Path | None, as_json: bool) -> None:
    """Show two therapies side by side, as before a pump is programmed: doses, volumes, ratios, limits, refill.

    OLD and NEW are regimen files, or "device" for what the pump at --port has in force. The date of the refill is that
    of a reservoir filled today.
    """
    from datetime import date  # noqa: PLC0415

    from dosebench.diff import compare, table  # noqa: PLC0415

    if old == new == DEVICE:
        raise click.UsageError("give at least one regimen file")
    before, after = _side(old, port, baud, drugs), _side(new, port, baud, drugs)
    review = compare(before, after, date.today())
    if as_json:
        same = before.encode() == after.encode()
        common.emit({"old": old, "new": new, "same": same, "review": review.to_json()})
        return
    from rich.console import Console  # noqa: PLC0415

    drawn = table(review)
    drawn.title = None
    drawn.columns[2].header, drawn.columns[3].header = Path(old).name, Path(new).name
    Console().print(drawn)


def _side(name: str, port: str | None, baud: int, drugs: Path | None) -> Program:
    """The program of a regimen file or of the pump. Raises NoTherapyError, RegimenError and the client's errors."""
    from dosebench.program import from_bytes  # noqa: PLC0415

    if name == DEVICE:
        with common.connected(port, baud) as client:
            return from_bytes(client.therapy()[1])
    if not Path(name).is_file():
        raise NoTherapyError(f"there is no regimen file {name}", hint='give a file, or "device" for what the pump has')
    from dosebench.check import load_regimen  # noqa: PLC0415

    program = load_regimen(Path(name), library(drugs)).program
    assert program is not None
    return program
