"""What a check found, as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dosebench.base.words import YEAR_DAYS, count_noun, format_days
from dosebench.cli import output
from dosebench.regimen.summary import summarize_check

if TYPE_CHECKING:
    from dosebench.base.toml_file import Problem
    from dosebench.regimen.check import CheckResult


def show_check(result: CheckResult) -> None:
    """Print the figures, and every mistake and warning with its line."""
    figures = summarize_check(result)
    if result.ok:
        output.print_rows(_list_rows(figures))
    for problem in result.errors:
        _show_problem("error", result.file, problem, "red")
    for problem in result.warnings:
        _show_problem("confirm" if problem.needs_confirm else "warning", result.file, problem, "yellow")
    if result.errors:
        click.echo(f"{result.file}: {count_noun(len(result.errors), 'mistake')}; nothing would be programmed")
    elif result.needs_confirm:
        click.echo(f"{result.file}: good once you confirm what is marked confirm (--confirm)")
    else:
        click.echo(f"{result.file}: good")


def _show_problem(word: str, file: str, problem: Problem, colour: str) -> None:
    click.echo(f"{file}:{problem.line}: {click.style(word, fg=colour)}: {problem.message}")


def _list_rows(figures: dict[str, Any]) -> list[tuple[str, str]]:
    number, limits = output.shown_number, figures["limits"]
    return [
        ("therapy", f"{figures['title'] or figures['drug']} ({figures['mode'].replace('_', ' ')})"),
        ("pump", figures["profile"]),
        ("drug", f"{figures['drug']} {number(figures['concentration_ug_per_ml'])} ug/mL"),
        ("daily dose", f"{number(figures['daily_dose_ug'])} ug"),
        ("daily volume", f"{number(figures['daily_volume_ml'])} mL"),
        ("largest hour", f"{number(figures['largest_hour_ug'])} ug (basal)"),
        ("largest bolus", _describe_bolus(figures)),
        ("caps", f"{number(limits['per_hour_ug'])} ug per hour, {number(limits['per_day_ug'])} ug per 24 h"),
        ("refill", _describe_refill(figures["refill"])),
        ("battery", _describe_battery(figures["battery"])),
        ("program", figures["program_hash"]),
        *_change_rows(figures["change"]),
    ]


def _describe_bolus(figures: dict[str, Any]) -> str:
    largest = figures["bolus_max_ug"]
    return f"{output.shown_number(largest)} ug" if largest else "none"


def _describe_refill(refill: dict[str, Any]) -> str:
    text = f"day {output.shown_number(refill['due_days'])} after filling, limited by {refill['limited_by']}"
    empty = refill["empty_days"]
    return text if empty is None else f"{text}; empty on day {output.shown_number(empty)}"


def _describe_battery(battery: dict[str, Any]) -> str:
    years, service = battery["years_to_low"], battery["service_years"]
    text = f"low about {format_days(years * YEAR_DAYS)} after a fresh one, no alarm sounding"
    return text if service is None else f"{text}; service at most {service} years"


def _change_rows(change: dict[str, Any] | None) -> list[tuple[str, str]]:
    if change is None or change["previous_daily_dose_ug"] is None:
        return []
    ratio = change["ratio"]
    factor = f" (x {ratio:.3g})" if ratio is not None else ""
    return [
        (
            "before",
            f"{change['previous_drug']} {output.shown_number(change['previous_daily_dose_ug'])} ug a day{factor}",
        )
    ]
