"""`dosebench longevity`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dosebench.base import toml_file
from dosebench.base.file_kinds import KINDS
from dosebench.base.words import format_days
from dosebench.cli import options, output
from dosebench.cli.options import figure_path, load_library
from dosebench.cli.output import title_of
from dosebench.profile import load as pump_profile
from dosebench.regimen.check import load_regimen
from dosebench.regimen.summary import summarize_check
from dosebench.report.longevity import GROUPS, NL_PER_ML, Point, draw_longevity, longevity_curve, share_text
from dosebench.therapy.energy import BatteryState, estimate_life, estimate_service, usage_of

if TYPE_CHECKING:
    import datetime

    from dosebench.profile.model import Profile
    from dosebench.therapy.energy import Service
    from dosebench.therapy.program import Program

DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.command()
@click.argument("what", metavar="PROFILE|REGIMEN")
@click.option("--implanted", type=DAY, help="Day of implantation, with a fresh battery; today without it.")
@click.option("--plot", "figure", type=click.Path(dir_okay=False, path_type=Path), help="Draw it: png, svg or pdf.")
@click.option("--drugs", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Directory of drug files.")
@options.json_option
def longevity(
    what: str, *, implanted: datetime.datetime | None, figure: Path | None, drugs: Path | None, as_json: bool
) -> None:
    """Show how long a battery lasts against the flow rate, and where its charge goes.

    WHAT is a pump profile, by name or file, or a regimen file. A regimen is shown as a point of the curve of its pump,
    with the dates of elective replacement (ERI) and of the end of service.
    """
    if figure is not None:
        figure_path(figure)
    profile, program, title = _read_given(what, drugs)
    mark = _point_for(profile, program) if program else None
    if figure is not None:
        draw_longevity(profile, figure, mark, title)
    day = implanted.date() if implanted else date.today()
    points = longevity_curve(profile)
    if as_json:
        output.print_json(
            {
                "profile": profile.name,
                "battery": _battery_values(profile),
                "curve": [point.to_json() for point in points],
                "regimen": _regimen_values(what, profile, mark, day) if mark else None,
                "figure": None if figure is None else str(figure),
            }
        )
        return
    _show_curve(profile, points)
    if mark is not None:
        output.print_rows(_regimen_lines(profile, title, mark, day))


def _read_given(what: str, drugs: Path | None) -> tuple[Profile, Program | None, str]:
    """The profile; and the program of a regimen with its title."""
    path = Path(what)
    if not path.is_file():
        return pump_profile.load_profile(what), None, ""
    if KINDS["profile"].marks & toml_file.read_toml(path).data.keys():
        return pump_profile.load_file(path), None, ""
    result = load_regimen(path, load_library(drugs))
    assert result.facts is not None
    assert result.facts.profile is not None
    return result.facts.profile, result.program, title_of(summarize_check(result))


def _point_for(profile: Profile, program: Program) -> Point:
    used = usage_of(profile, program)
    return Point(used.steps * float(program.step_nl) / NL_PER_ML, estimate_life(profile, used))


def _battery_values(profile: Profile) -> dict[str, Any]:
    return {
        "capacity_uah": float(profile.battery.capacity),
        "reserve": float(profile.energy.reserve),
        "service_years": profile.energy.service_years,
    }


def _regimen_values(what: str, profile: Profile, mark: Point, day: datetime.date) -> dict[str, Any]:
    dates = estimate_service(profile, mark.life, BatteryState.fresh_battery(day))
    told = {"implanted": day, "low": dates.low, "service_ends": dates.ends, "limited_by": dates.limited_by}
    return {"file": what} | mark.to_json() | told


def _show_curve(profile: Profile, points: list[Point]) -> None:
    until = "until ERI" if profile.kind == "implant" else "until low"
    capacity = float(profile.battery.capacity) / 1000
    click.echo(f"{profile.name}, {capacity:g} mAh; on the right what takes the charge, in %")
    click.echo(f"{'mL/day':>8}{'uA':>8}{until:>12}" + "".join(f"{name:>{len(name) + 2}}" for name in GROUPS))
    for point in points:
        life = point.life
        shares = {name: 100 * sum(life.shares[each] for each in names) for name, (names, _) in GROUPS.items()}
        cells = "".join(f"{share:>{len(name) + 2}.1f}" for name, share in shares.items())
        click.echo(f"{point.ml_per_day:>8g}{life.day_uah / 24:>8.1f}{format_days(life.days_to_low):>12}{cells}")
    if profile.energy.service_years:
        click.echo(f"Service ends after {profile.energy.service_years} calendar years, or 90 days after ERI.")


def _describe_dates(dates: Service) -> str:
    return ", if service lasted so long" if dates.low > dates.ends else ""


def _regimen_lines(profile: Profile, title: str, mark: Point, day: datetime.date) -> list[tuple[str, str]]:
    dates = estimate_service(profile, mark.life, BatteryState.fresh_battery(day))
    low = "ERI" if profile.kind == "implant" else "low"
    reasons = {
        "eri": "90 days after ERI",
        "service_life": f"{profile.energy.service_years} years after implantation",
        "empty": "the battery is empty",
    }
    return [
        ("regimen", title),
        ("flow", f"{mark.ml_per_day:.4g} mL/day, every patient bolus taken"),
        ("charge", f"{mark.life.day_uah:.1f} uAh/day = {mark.life.day_uah / 24:.1f} uA: {share_text(mark.life)}"),
        (
            low,
            f"{dates.low}, {format_days(mark.life.days_to_low)} from {day} with a fresh "
            f"battery{_describe_dates(dates)}",
        ),
        ("service ends", f"{dates.ends}, {reasons[dates.limited_by]}"),
    ]
