"""`dosebench plan`."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from dosebench.base.words import count_noun
from dosebench.cli import options, output
from dosebench.cli.check_result import show_check
from dosebench.cli.options import FILE, bench_option, figure_path, load_library, pump_of
from dosebench.cli.output import title_of
from dosebench.regimen.check import check_regimen
from dosebench.regimen.summary import summarize_check
from dosebench.report.forecast import draw_forecast
from dosebench.therapy.forecast import forecast_delivery

if TYPE_CHECKING:
    from dosebench.therapy.forecast import Forecast

DAYS: Final = click.FloatRange(min=0, min_open=True, max=366)
DAY_S: Final = 86_400
ROWS_MAX: Final = 40
"""Most changes that the terminal shows; --json has all."""


@click.command()
@click.argument("file", type=FILE)
@click.option("--days", type=DAYS, default=7.0, show_default=True, help="Days to plan.")
@click.option("--from", "start", metavar="now|TIME", default="now", show_default=True, help="Local time of the start.")
@click.option("--patient", is_flag=True, help="Every patient bolus is taken as soon as it may be.")
@click.option("--figure", type=click.Path(dir_okay=False, path_type=Path), help="Draw the plan here: png, svg or pdf.")
@click.option("--drugs", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Directory of drug files.")
@bench_option
@options.json_option
def plan(
    file: Path,
    *,
    days: float,
    start: str,
    patient: bool,
    figure: Path | None,
    drugs: Path | None,
    bench: Path | None,
    as_json: bool,
) -> int:
    """Show what a regimen would deliver in the coming days: rates, boluses, totals, and when the reservoir is low.

    Exact, and without a pump: put in force and started at one moment, with the reservoir filled as the file says.
    """
    if figure is not None:
        figure_path(figure)
    result = check_regimen(file, load_library(drugs), pump=pump_of(bench))
    if result.program is None:
        if as_json:
            output.print_json(summarize_check(result))
        else:
            show_check(result)
        return 1
    made = forecast_delivery(
        result.program, output.parse_moment(start).replace(microsecond=0), Fraction(days), patient=patient
    )
    if figure is not None:
        draw_forecast(made, figure, title_of(summarize_check(result)))
    if as_json:
        output.print_json({"file": str(file)} | made.to_json() | {"figure": None if figure is None else str(figure)})
    else:
        _show_forecast(made, title_of(summarize_check(result)))
    return 0


def _show_forecast(made: Forecast, title: str) -> None:
    report = made.to_json()
    click.echo(title)
    events = _list_events(report)
    for at, text in events[:ROWS_MAX]:
        click.echo(f"{at:%a %Y-%m-%d %H:%M}  {text}")
    if len(events) > ROWS_MAX:
        click.echo(f"... and {len(events) - ROWS_MAX} more; --json has all")
    number, total = output.shown_number, report["totals"][-1]
    days = made.length_ms / 1000 / DAY_S
    click.echo(f"in {count_noun(number(days), 'day')}: {number(total['ug'])} ug in {number(total['ml'])} mL")


def _list_events(report: dict[str, Any]) -> list[tuple[datetime, str]]:
    """What happens, in order of time."""
    number = output.shown_number
    found = [
        (rate["at"], f"basal {number(rate['ug_per_h'])} ug/h = {number(rate['ml_per_day'])} mL/day")
        for rate in report["rates"]
    ]
    found += [
        (bolus["at"], f"{bolus['kind']} bolus {number(bolus['ug'])} ug = {number(bolus['ml'])} mL")
        for bolus in report["boluses"]
    ]
    names = {"reservoir_low": "reservoir low", "reservoir_empty": "reservoir empty", "bridge_through": "bridge through"}
    found += [(report[key], text) for key, text in names.items() if report[key] is not None]
    return sorted((datetime.fromisoformat(at), text) for at, text in found)
