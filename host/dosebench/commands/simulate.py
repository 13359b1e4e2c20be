"""`dosebench simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dosebench.base.words import counted
from dosebench.commands import common
from dosebench.commands.check import FILE, library
from dosebench.commands.check import show as show_check
from dosebench.commands.plot import figure_path
from dosebench.commands.progress import bar
from dosebench.regimen.summary import summarize

if TYPE_CHECKING:
    from dosebench.regimen.check import CheckResult
    from dosebench.simulation.days import SimulationResult

MINUTE_MS = 60_000
DAYS = 30.0
"""Virtual days of a simulation that does not say how many."""
OUT = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=FILE)
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help=f"Virtual days. Default: {DAYS:g}.")
@click.option("--scenario", "scenario_file", type=FILE, help="What happens to the pump, and when: a scenario file.")
@click.option("--report", type=OUT, help="With --scenario: write the case history here, html or md.")
@click.option(
    "--runtime",
    type=click.Choice(["unix", "wasm", "cpython"]),
    help="Interpreter of the firmware. Default: the best that is installed (see `dosebench doctor`).",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Decides the noise.")
@click.option("--patient-every", metavar="DURATION", help='Ask for a patient bolus so often, such as "6 h".')
@click.option("--log", "log_file", type=OUT, help="Write the journal here, as JSON lines.")
@click.option("--figure", type=OUT, help="Draw delivered against expected volume here: png, svg or pdf.")
@click.option("--drugs", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Directory of drug files.")
@common.json_option
def simulate(
    file: Path,
    *,
    days: float | None,
    scenario_file: Path | None,
    report: Path | None,
    runtime: str | None,
    seed: int,
    patient_every: str | None,
    log_file: Path | None,
    figure: Path | None,
    drugs: Path | None,
    as_json: bool,
) -> int:
    """Run a regimen on a simulated pump and compare every motor step with the exact schedule.

    The pump runs the real firmware and is reached through its serial port only. Exit code 1 when a step is more than
    half a step off while only the basal ran (and more than that allows for each bolus), a bolus was given or refused
    that should not have been, an alarm comes that should not, or the pump's journal disagrees with its motor.

    With --scenario the pump lives through what the file says (docs/SCENARIOS.md), and its expectations are judged too.
    """
    from dosebench.regimen.check import check  # noqa: PLC0415

    if scenario_file is not None and (days is not None or patient_every is not None):
        raise click.UsageError("a scenario says itself how long it is and who asks for what")
    if report is not None and scenario_file is None:
        raise click.UsageError("--report goes with --scenario")

    if figure is not None:
        figure_path(figure)
    result = check(file, library(drugs))
    if not result.ok:
        if as_json:
            common.emit(summarize(result))
        else:
            show_check(result)
        return 1
    if scenario_file is not None:
        from dosebench.commands.scenario import Files, run_scenario  # noqa: PLC0415

        files = Files(log_file, figure, report)
        return run_scenario(result, scenario_file, files, runtime, seed, drugs=library(drugs), as_json=as_json)
    run = run_days(result, days or DAYS, runtime, seed, quiet=as_json, patient_every=patient_every)
    leave_files(run, title_of(result), log_file, figure)
    if as_json:
        common.emit({"file": str(file)} | run.to_json() | {"log": _text(log_file), "figure": _text(figure)})
    else:
        show(run, title_of(result))
    return 1 if run.faults() else 0


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
    from dosebench.simulation.days import patient_orders  # noqa: PLC0415
    from dosebench.simulation.days import simulate as run  # noqa: PLC0415

    assert result.program is not None
    assert result.profile_name is not None
    orders = list(patient_orders(_every_ms(patient_every), days)) if patient_every is not None else []
    with bar("delivering", "days", quiet) as advance:
        return run(result.program, result.profile_name, days, runtime, seed, progress=advance, boluses=orders)


def _every_ms(text: str) -> int:
    from dosebench.base import units  # noqa: PLC0415

    every_ms = int(units.value(text, units.DURATION))
    if every_ms < MINUTE_MS:
        raise click.UsageError("a patient asks once a minute at most")
    return every_ms


def title_of(result: CheckResult) -> str:
    """One line that names a checked regimen, such as "baclofen 800 ug/day from 2000 ug/mL"."""
    figures, number = summarize(result), common.shown_number
    dose, concentration = number(figures["daily_dose_ug"]), number(figures["concentration_ug_per_ml"])
    return f"{figures['drug']} {dose} ug/day from {concentration} ug/mL"


def leave_files(run: SimulationResult, title: str, log_file: Path | None, figure: Path | None) -> None:
    """Write the log and the figure where they are wanted."""
    if log_file is not None:
        from dosebench.report.run_table import write_log  # noqa: PLC0415

        write_log(log_file, run.records)
    if figure is not None:
        from dosebench.report import delivery  # noqa: PLC0415

        delivery.draw(delivery.simulation_curves(run, title), figure)


def show(run: SimulationResult, title: str) -> None:
    """Print the outcome as a table."""
    from rich.console import Console  # noqa: PLC0415

    from dosebench.report.run_table import simulation_table  # noqa: PLC0415

    Console().print(simulation_table(run, f"{title}, {counted(f'{run.days:g}', 'day')}"))


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
