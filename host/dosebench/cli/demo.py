"""`dosebench demo`: the main job, on the published regimens that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from dosebench.base.paths import examples_dir
from dosebench.cli import options, output
from dosebench.cli.check_result import show_check
from dosebench.cli.output import title_of
from dosebench.cli.simulated_days import leave_files, run_days, show_run
from dosebench.regimen.check import load_regimen
from dosebench.regimen.summary import summarize_check
from dosebench.twin.runtimes import default_runtime

if TYPE_CHECKING:
    from dosebench.simulation.days import SimulationResult

CASES: Final = (("c5-baclofen-800", 30.0), ("c2-baclofen-96", 7.0))
"""Regimen and virtual days."""

RUNTIME_NAMES: Final = {"unix": "MicroPython", "wasm": "32-bit MicroPython", "cpython": "CPython"}
STEPS: Final = (
    "A simulated board boots the firmware on {runtime}, is programmed through pyserial with the file above,",
    "delivers for {days:g} virtual days, and its journal is downloaded over the same serial link.",
)


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out/demo"),
    show_default=True,
    help="Results.",
)
@click.option(
    "--days", type=click.FloatRange(min=0, min_open=True), help="Virtual days of each case instead of its own."
)
@click.option("--runtime", type=click.Choice(["unix", "wasm", "cpython"]), help="Interpreter of the firmware.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Decides the noise.")
@options.json_option
def demo(out: Path, days: float | None, runtime: str | None, seed: int, as_json: bool) -> int:
    """Run the main job on published regimens: program, deliver, download, compare every step.

    Leaves a log (JSON lines) and a figure of each in the directory --out.
    """
    results = []
    for name, own_days in CASES:
        results.append((name, _run_case(name, days or own_days, runtime, seed, out, quiet=as_json)))
    if as_json:
        cases = [{"case": name} | result.to_json() | _list_files(out, name) for name, result in results]
        output.print_json({"ok": not any(result.list_faults() for _, result in results), "cases": cases})
    return 1 if any(result.list_faults() for _, result in results) else 0


def _run_case(name: str, days: float, runtime: str | None, seed: int, out: Path, *, quiet: bool) -> SimulationResult:
    result = load_regimen(examples_dir() / f"{name}.toml")
    if not quiet:
        click.secho(f"\n{name}", bold=True)
        show_check(result)
        for line in STEPS:
            click.echo(line.format(runtime=RUNTIME_NAMES[runtime or default_runtime()], days=days))
    run = run_days(result, days, runtime, seed, quiet)
    files = _list_files(out, name)
    leave_files(run, title_of(summarize_check(result)), Path(files["log"]), Path(files["figure"]))
    if not quiet:
        show_run(run, title_of(summarize_check(result)))
        click.echo(f"log {files['log']}, figure {files['figure']}")
    return run


def _list_files(out: Path, name: str) -> dict[str, str]:
    return {"log": str(out / f"{name}.jsonl"), "figure": str(out / f"{name}.png")}
