"""`dosebench diff`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from dosebench.base.errors import DosebenchError
from dosebench.cli import options, output
from dosebench.cli import pump as pump_
from dosebench.cli.battery import battery_of, profile_of
from dosebench.cli.options import bench_option, load_library, pump_of
from dosebench.regimen.check import load_regimen
from dosebench.regimen.review import build_table, compare_programs
from dosebench.therapy.energy import BatteryState
from dosebench.therapy.program import from_bytes

if TYPE_CHECKING:
    from dosebench.profile.model import Profile
    from dosebench.regimen.drugs import DrugLibrary
    from dosebench.therapy.program import Program

DEVICE: Final = "device"
"""What stands for the therapy that the pump has."""


class NoTherapyError(DosebenchError):
    """One side of a comparison is missing."""


@click.command()
@click.argument("old")
@click.argument("new")
@options.port_options
@click.option("--drugs", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Directory of drug files.")
@bench_option
@options.json_option
def diff(
    old: str, new: str, *, port: str | None, baud: int, drugs: Path | None, bench: Path | None, as_json: bool
) -> None:
    """Show two therapies side by side, as before a pump is programmed: doses, volumes, ratios, limits, refill.

    OLD and NEW are regimen files, or "device" for what the pump at --port has in force. The date of the refill is that
    of a reservoir filled today. The battery's dates are those of a new one, implanted today; with "device" of the
    pump's own, by its count of days, steps and wakes.
    """
    if old == new == DEVICE:
        raise click.UsageError("give at least one regimen file")
    files = _Files(load_library(drugs), pump_of(bench))
    before, after = (_read_device(port, baud) if name == DEVICE else _read_file(name, files) for name in (old, new))
    review = compare_programs(before.program, after.program, date.today(), _choose_battery(before, after))
    if as_json:
        same = before.program.encode_program() == after.program.encode_program()
        output.print_json({"old": old, "new": new, "same": same, "review": review.to_json()})
        return
    from rich.console import Console  # noqa: PLC0415

    drawn = build_table(review)
    drawn.title = None
    drawn.columns[2].header, drawn.columns[3].header = Path(old).name, Path(new).name
    Console().print(drawn)


@dataclass(frozen=True)
class _Side:
    """A program; the profile of its pump, where it is known here; and what the pump tells of its battery."""

    program: Program
    profile: Profile | None
    battery: BatteryState | None = None


@dataclass(frozen=True)
class _Files:
    """What regimen files are read with."""

    drugs: DrugLibrary | None
    pump: Profile | None


def _read_file(name: str, files: _Files) -> _Side:
    """A regimen file. Raises NoTherapyError and RegimenError."""
    if not Path(name).is_file():
        raise NoTherapyError(f"there is no regimen file {name}", hint='give a file, or "device" for what the pump has')
    result = load_regimen(Path(name), files.drugs, pump=files.pump)
    assert result.program is not None
    assert result.facts is not None
    return _Side(result.program, result.facts.profile)


def _read_device(port: str | None, baud: int) -> _Side:
    with pump_.connect_pump(port, baud) as client:
        program, profile = from_bytes(client.read_program()[1]), profile_of(client)
        return _Side(program, profile, battery_of(client, profile) if profile else None)


def _choose_battery(before: _Side, after: _Side) -> tuple[Profile, BatteryState] | None:
    """The pump and its battery: that of a device, else a new one."""
    for side in (before, after):
        if side.profile is not None and side.battery is not None:
            return side.profile, side.battery
    return (after.profile, BatteryState.fresh_battery(date.today())) if after.profile else None
