"""`dosebench bench`: check how a bench is wired, and list the example benches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dosebench.base import units
from dosebench.base.paths import examples_dir
from dosebench.base.words import count_noun
from dosebench.bench.file import BenchError, load_bench
from dosebench.bench.mechanics import count_motion
from dosebench.bench.pins import BOARDS
from dosebench.bench.rules import pin_uses, shown_error
from dosebench.cli import options, output
from dosebench.cli.options import FILE

if TYPE_CHECKING:
    from dosebench.base.toml_file import Problem
    from dosebench.bench.file import Bench


@click.group()
def bench() -> None:
    """Check bench files: which pins drive and sense the pump, and what a step of it is."""


@bench.command("check")
@click.argument("file", type=FILE)
@options.json_option
def check_bench(file: Path, as_json: bool) -> int:
    """Check a bench file, and show its pins, its step volume and its highest rate.

    Exit code 1 when the file has mistakes.
    """
    try:
        found = load_bench(file)
    except BenchError as error:
        if as_json:
            output.print_json(_empty_report(file) | {"errors": [_problem_values(one) for one in error.problems]})
        else:
            _show_problems(file, "error", error.problems, "red")
            click.echo(f"{file}: {count_noun(len(error.problems), 'mistake')}")
        return 1
    if as_json:
        output.print_json(report_bench(file, found))
    else:
        _show_bench(file, found)
    return 0


_FIGURES = ("name", "title", "board", "profile", "pins", "step", "rate_max_ml_per_h", "rate_reach_ml_per_h", "device")


def _empty_report(file: Path) -> dict[str, Any]:
    return {"file": str(file), "ok": False, **dict.fromkeys(_FIGURES), "errors": [], "warnings": []}


def report_bench(file: Path, found: Bench) -> dict[str, Any]:
    """What a bench is, as JSON values under stable keys."""
    profile, step = found.calibrated_profile(), found.motion
    calibration = found.tables.calibration
    per_hour = units.in_unit(profile.delivery.rate_max, "mL/h")
    return {
        "file": str(file),
        "ok": True,
        "name": found.tables.name,
        "title": found.tables.title,
        "board": found.board.name,
        "profile": profile.name,
        "pins": [
            {"pin": use.pin, "name": found.board.label_pin(use.pin), "use": use.use, "role": use.role}
            for use in sorted(pin_uses(found.tables), key=lambda use: use.pin)
        ],
        "step": {
            "nominal_ul": float(found.nominal.delivery.step_volume / 1000),
            "mechanics_ul": float(step.volume_nl / 1000),
            "error_percent": float(100 * step.relative_error(found.nominal.delivery.step_volume)),
            "measured_ul": float(calibration.step_volume / 1000) if calibration else None,
            "units": step.units,
            "made_of": count_motion(found.tables.motor.kind, step.units),
            "time_ms": float(step.time_ms),
            "encoder_counts": None if step.encoder_counts is None else int(step.encoder_counts),
        },
        "rate_max_ml_per_h": float(per_hour),
        "rate_reach_ml_per_h": float(step.volume_nl / step.time_ms * 3_600_000 / 10**6),
        "device": found.device_json(),
        "errors": [],
        "warnings": [_problem_values(one) for one in found.warnings],
    }


def _problem_values(problem: Problem) -> dict[str, Any]:
    return {"key": problem.key, "line": problem.line, "message": problem.message, "code": problem.code}


def _show_bench(file: Path, found: Bench) -> None:
    told, number = report_bench(file, found), output.shown_number
    step = told["step"]
    click.echo(f"{told['title'] or told['name']}: {found.board.title}, pump {told['profile']}")
    output.print_rows([(row["name"], f"{row['use']:3}  {row['role']}") for row in told["pins"]])
    click.echo(
        f"step      {number(step['nominal_ul'])} uL are {step['made_of']}, in {number(step['time_ms'])} ms: "
        f"{number(step['mechanics_ul'], 4)} uL by the mechanics "
        f"({shown_error(found.motion, found.nominal.delivery.step_volume)})"
    )
    if step["measured_ul"] is not None:
        click.echo(f"measured  {number(step['measured_ul'])} uL a step: with it doses are counted")
    click.echo(
        f"highest   {number(told['rate_max_ml_per_h'], 4)} mL/h of the profile; without pauses the motor reaches "
        f"{number(told['rate_reach_ml_per_h'], 4)} mL/h"
    )
    if found.board.hint:
        click.echo(f"note      {found.board.hint}")
    _show_problems(file, "warning", found.warnings, "yellow")
    click.echo(f"{file}: good")


def _show_problems(file: Path, word: str, problems: tuple[Problem, ...], colour: str) -> None:
    for problem in problems:
        where = f"{problem.key}: " if problem.key else ""
        click.echo(f"{file}:{problem.line}: {click.style(word, fg=colour)}: {where}{problem.message}")


@bench.command("list")
@options.json_option
def list_benches(as_json: bool) -> None:
    """List the example benches of this package, and the boards that a bench can have."""
    benches = []
    for path in sorted((examples_dir() / "benches").glob("*.toml")):
        found = load_bench(path)
        benches.append(
            {
                "name": found.tables.name,
                "title": found.tables.title,
                "board": found.board.name,
                "profile": found.nominal.name,
                "file": str(path),
            }
        )
    boards = [{"board": one.name, "title": one.title, "family": one.family} for one in BOARDS.values()]
    if as_json:
        output.print_json({"benches": benches, "boards": boards})
        return
    output.print_rows([(row["name"], f"{row['title']}  ({row['file']})") for row in benches])
    click.echo()
    output.print_rows([(row["board"], row["title"]) for row in boards])
