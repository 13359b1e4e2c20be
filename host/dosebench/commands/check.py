"""`dosebench check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dosebench.base.words import YEAR_DAYS, counted, lasting
from dosebench.commands import common
from dosebench.regimen.summary import summarize

if TYPE_CHECKING:
    from dosebench.base.toml_file import Problem
    from dosebench.profile.model import Profile
    from dosebench.regimen.check import CheckResult

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


bench_option = click.option(
    "--bench", type=FILE, help="Bench file of the pump: doses are counted in the step that was calibrated."
)


@click.command()
@click.argument("file", type=FILE)
@click.option("--previous", type=FILE, help="Regimen that this one replaces: the change is checked too.")
@click.option("--drugs", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Directory of drug files.")
@bench_option
@click.option("--confirm", is_flag=True, help="Take the warnings that need it as confirmed.")
@common.json_option
def check(
    file: Path, *, previous: Path | None, drugs: Path | None, bench: Path | None, confirm: bool, as_json: bool
) -> int:
    """Check a regimen file and show what it would deliver.

    Exit code 1 when the file has mistakes, or warnings that a person must confirm (--confirm does).
    """
    from dosebench.regimen.check import check as check_file  # noqa: PLC0415

    result = check_file(file, library(drugs), previous, pump=pump_of(bench))
    if as_json:
        common.emit(summarize(result))
    else:
        show(result)
    return 0 if result.ok and (confirm or not result.needs_confirm) else 1


def library(directory: Path | None) -> Any:
    """The drug library with the files of a directory before its own; None for the usual one."""
    if directory is None:
        return None
    from dosebench.regimen import drugs  # noqa: PLC0415

    return drugs.load([directory])


def pump_of(bench: Path | None) -> Profile | None:
    """The pump of a bench file, with its calibrated step; None without one. Raises BenchError."""
    if bench is None:
        return None
    from dosebench.bench.file import load as load_bench  # noqa: PLC0415

    return load_bench(bench).profile()


def show(result: CheckResult) -> None:
    """Print the figures, and every mistake and warning with its line."""
    figures = summarize(result)
    if result.ok:
        common.rows(_lines(figures))
    for problem in result.errors:
        _problem("error", result.file, problem, "red")
    for problem in result.warnings:
        _problem("confirm" if problem.needs_confirm else "warning", result.file, problem, "yellow")
    if result.errors:
        click.echo(f"{result.file}: {counted(len(result.errors), 'mistake')}; nothing would be programmed")
    elif result.needs_confirm:
        click.echo(f"{result.file}: good once you confirm what is marked confirm (--confirm)")
    else:
        click.echo(f"{result.file}: good")


def _problem(word: str, file: str, problem: Problem, colour: str) -> None:
    click.echo(f"{file}:{problem.line}: {click.style(word, fg=colour)}: {problem.message}")


def _lines(figures: dict[str, Any]) -> list[tuple[str, str]]:
    number, limits = common.shown_number, figures["limits"]
    return [
        ("therapy", f"{figures['title'] or figures['drug']} ({figures['mode'].replace('_', ' ')})"),
        ("pump", figures["profile"]),
        ("drug", f"{figures['drug']} {number(figures['concentration_ug_per_ml'])} ug/mL"),
        ("daily dose", f"{number(figures['daily_dose_ug'])} ug"),
        ("daily volume", f"{number(figures['daily_volume_ml'])} mL"),
        ("largest hour", f"{number(figures['largest_hour_ug'])} ug (basal)"),
        ("largest bolus", _bolus(figures)),
        ("caps", f"{number(limits['per_hour_ug'])} ug per hour, {number(limits['per_day_ug'])} ug per 24 h"),
        ("refill", _refill(figures["refill"])),
        ("battery", _battery(figures["battery"])),
        ("program", figures["program_hash"]),
        *_change(figures["change"]),
    ]


def _bolus(figures: dict[str, Any]) -> str:
    largest = figures["bolus_max_ug"]
    return f"{common.shown_number(largest)} ug" if largest else "none"


def _refill(refill: dict[str, Any]) -> str:
    text = f"day {common.shown_number(refill['due_days'])} after filling, limited by {refill['limited_by']}"
    empty = refill["empty_days"]
    return text if empty is None else f"{text}; empty on day {common.shown_number(empty)}"


def _battery(battery: dict[str, Any]) -> str:
    years, service = battery["years_to_low"], battery["service_years"]
    text = f"low about {lasting(years * YEAR_DAYS)} after a fresh one, no alarm sounding"
    return text if service is None else f"{text}; service at most {service} years"


def _change(change: dict[str, Any] | None) -> list[tuple[str, str]]:
    if change is None or change["previous_daily_dose_ug"] is None:
        return []
    ratio = change["ratio"]
    factor = f" (x {ratio:.3g})" if ratio is not None else ""
    return [
        (
            "before",
            f"{change['previous_drug']} {common.shown_number(change['previous_daily_dose_ug'])} ug a day{factor}",
        )
    ]
