"""Days of a twin behind a progress bar, and the files and the table that they leave."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dosebench.base import units
from dosebench.base.units import MINUTE_MS
from dosebench.base.words import count_noun
from dosebench.cli.progress import show_progress
from dosebench.report import delivery
from dosebench.report.run_table import simulation_table, write_log
from dosebench.simulation.days import patient_orders, simulate_days

if TYPE_CHECKING:
    from dosebench.regimen.check import CheckResult
    from dosebench.simulation.days import SimulationResult



def run_days(
    result: CheckResult,
    days: float,
    runtime: Any,
    seed: int,
    quiet: bool = False,
    *,
    patient_every: str | None = None,
) -> SimulationResult:
    """Simulate a checked regimen behind a progress bar; `patient_every` is how often the patient asks for a bolus."""
    assert result.program is not None
    assert result.profile_name is not None
    orders = list(patient_orders(_every_ms(patient_every), days)) if patient_every is not None else []
    with show_progress("delivering", "days", quiet) as advance:
        return simulate_days(result.program, result.profile_name, days, runtime, seed, progress=advance, boluses=orders)


def _every_ms(text: str) -> int:
    every_ms = int(units.parse_value(text, units.DURATION))
    if every_ms < MINUTE_MS:
        raise click.UsageError("a patient asks once a minute at most")
    return every_ms


def leave_files(run: SimulationResult, title: str, log_file: Path | None, figure: Path | None) -> None:
    """Write the log and the figure where they are wanted."""
    if log_file is not None:
        write_log(log_file, run.records)
    if figure is not None:
        delivery.draw_delivery(delivery.simulation_curves(run, title), figure)


def show_run(run: SimulationResult, title: str) -> None:
    """Print the outcome as a table."""
    from rich.console import Console  # noqa: PLC0415

    Console().print(simulation_table(run, f"{title}, {count_noun(f'{run.days:g}', 'day')}"))
