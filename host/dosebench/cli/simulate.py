"""`dosebench simulate`."""

from __future__ import annotations

from pathlib import Path

import click

from dosebench.cli import options, output
from dosebench.cli.check_result import show_check
from dosebench.cli.options import FILE, figure_path, load_library
from dosebench.cli.output import title_of
from dosebench.cli.scenario import Files, run_scenario
from dosebench.cli.simulated_days import leave_files, run_days, show_run
from dosebench.regimen.check import check_regimen
from dosebench.regimen.summary import summarize_check

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
@options.json_option
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
    if scenario_file is not None and (days is not None or patient_every is not None):
        raise click.UsageError("a scenario says itself how long it is and who asks for what")
    if report is not None and scenario_file is None:
        raise click.UsageError("--report goes with --scenario")

    if figure is not None:
        figure_path(figure)
    result = check_regimen(file, load_library(drugs))
    if not result.ok:
        if as_json:
            output.print_json(summarize_check(result))
        else:
            show_check(result)
        return 1
    if scenario_file is not None:
        files = Files(log_file, figure, report)
        return run_scenario(result, scenario_file, files, runtime, seed, drugs=load_library(drugs), as_json=as_json)
    run = run_days(result, days or DAYS, runtime, seed, quiet=as_json, patient_every=patient_every)
    leave_files(run, title_of(summarize_check(result)), log_file, figure)
    if as_json:
        output.print_json(
            {"file": str(file)} | run.to_json() | {"log": _read_text(log_file), "figure": _read_text(figure)}
        )
    else:
        show_run(run, title_of(summarize_check(result)))
    return 1 if run.list_faults() else 0


def _read_text(path: Path | None) -> str | None:
    return None if path is None else str(path)
