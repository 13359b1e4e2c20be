"""`dosebench program`: check, stage, review, confirm, commit."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from dosebench_protocol.records import hash_head

from dosebench.base.errors import DosebenchError
from dosebench.base.words import count_noun
from dosebench.cli import options, output
from dosebench.cli import pump as pump_
from dosebench.cli.battery import battery_of
from dosebench.cli.check_result import show_check
from dosebench.cli.options import FILE, bench_option, load_library, pump_of
from dosebench.journal.store import Store
from dosebench.link.client import RefusedError
from dosebench.regimen import review as diff
from dosebench.regimen.check import check_regimen
from dosebench.regimen.summary import summarize_check
from dosebench.therapy.program import from_bytes
from dosebench.therapy.reading import reading_json, same_reading

if TYPE_CHECKING:
    from dosebench.link.client import PumpClient
    from dosebench.profile.model import Profile
    from dosebench.regimen.check import CheckResult
    from dosebench.regimen.review import Review
    from dosebench.therapy.energy import BatteryState
    from dosebench.therapy.program import Program, Reading


class NotProgrammedError(DosebenchError):
    """The pump was not programmed; what it had before is still in force."""


@dataclass(frozen=True)
class _Order:
    """What the user asked for."""

    file: Path
    drugs: Path | None
    pump: Profile | None
    yes: bool
    confirm: bool
    start: bool
    set_clock: bool
    as_json: bool


@click.command()
@click.argument("file", type=FILE)
@options.port_options
@click.option("--drugs", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Directory of drug files.")
@bench_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask: the new therapy is confirmed by this option.")
@click.option("--confirm", is_flag=True, help="Take the warnings that need it as confirmed.")
@click.option("--start", is_flag=True, help="Start delivery afterwards.")
@click.option("--set-clock/--no-set-clock", default=True, show_default=True, help="Set the pump's calendar to now.")
@options.json_option
def program(
    file: Path,
    *,
    port: str | None,
    baud: int,
    drugs: Path | None,
    bench: Path | None,
    yes: bool,
    confirm: bool,
    start: bool,
    set_clock: bool,
    as_json: bool,
) -> int:
    """Program a pump with a regimen file.

    The pump reads the program by itself; its reading is shown beside the old therapy, and nothing is in force before
    you confirm it. When anything goes wrong before that, the old therapy runs on and the pump keeps nothing of the new
    one.
    """
    if not yes and (as_json or not sys.stdin.isatty()):
        raise click.UsageError("a person must confirm the new therapy, and this is no terminal: give --yes")
    order = _Order(file, drugs, pump_of(bench), yes, confirm, start, set_clock, as_json)
    alone = check_regimen(file, load_library(drugs), pump=order.pump)
    if not alone.ok:
        return _show_refusal(alone, as_json)
    with _open_session(port, baud) as (store, client):
        report = _program_pump(order, store, client)
    if report is None:
        return 1
    if as_json:
        output.print_json(report)
    else:
        _say_done(report)
    return 0


@contextmanager
def _open_session(port: str | None, baud: int) -> Iterator[tuple[Store, PumpClient]]:
    with Store.open() as store, pump_.connect_pump(port, baud, store) as client:
        yield store, client


def _show_refusal(result: CheckResult, as_json: bool) -> int:
    if as_json:
        output.print_json(summarize_check(result))
    else:
        show_check(result)
    return 1


def _program_pump(order: _Order, store: Store, client: PumpClient) -> dict[str, Any] | None:
    """The report of a program that is in force; None when the check against the old therapy refused it."""
    old = _in_force(client)
    result = check_regimen(order.file, load_library(order.drugs), old, pump=order.pump)
    new = result.program
    if new is None:
        _show_refusal(result, order.as_json)
        return None
    review = diff.compare_programs(old, new, None, _find_battery(result, client))
    with _stage_dropped_on_failure(client):
        theirs = _stage_program(client, new)
        _confirm_review(order, result, review, theirs)
        outcome = _commit_program(client, new)
    store.add_program(client.device_id, hash_head(new.program_hash()), new.encode_program(), str(order.file))
    return _finish_program(order, client, result, review, theirs=theirs, outcome=outcome)


def _find_battery(result: CheckResult, client: PumpClient) -> tuple[Profile, BatteryState] | None:
    """The pump that the regimen is for, and its battery as it tells."""
    profile = result.facts.profile if result.facts else None
    return (profile, battery_of(client, profile)) if profile else None


def _in_force(client: PumpClient) -> Program | None:
    try:
        return from_bytes(client.read_program()[1])
    except RefusedError as refused:
        if refused.reason == "not_programmed":
            return None
        raise


@contextmanager
def _stage_dropped_on_failure(client: PumpClient) -> Iterator[None]:
    try:
        yield
    except BaseException:
        # The error that matters is the one under way; a pump that cannot be reached drops the stage by itself.
        with contextlib.suppress(DosebenchError):
            client.abort_stage()
        raise


def _stage_program(client: PumpClient, new: Program) -> Reading:
    return same_reading(new, client.stage_program(new.encode_program()))


def _commit_program(client: PumpClient, new: Program) -> dict[str, Any]:
    """Put the confirmed program in force; stage it once more where the pump dropped it while a person was reading."""
    try:
        return client.commit_program(new.encode_program())
    except RefusedError as refused:
        if refused.reason != "no_stage":
            raise
    _stage_program(client, new)
    return client.commit_program(new.encode_program())


def _confirm_review(order: _Order, result: CheckResult, review: Review, theirs: Reading) -> None:
    """Show both therapies and the pump's reading; ask. Raises NotProgrammedError on a no."""
    if not order.as_json:
        _show_review(review, theirs)
        for warning in result.warnings:
            click.echo(f"{click.style('warning', fg='yellow')}: line {warning.line}: {warning.message}")
    if result.needs_confirm and not order.confirm:
        _confirm_warnings(order, result)
    if not order.yes and not click.confirm("Program the pump with the new therapy?", default=False):
        raise NotProgrammedError("not confirmed: the pump keeps what it had")


def _confirm_warnings(order: _Order, result: CheckResult) -> None:
    texts = "; ".join(problem.message for problem in result.needs_confirm)
    if order.yes:
        raise NotProgrammedError(f"this must be confirmed by name: {texts}", hint="give --confirm if it is meant so")
    for problem in result.needs_confirm:
        if not click.confirm(f"{problem.message}. Is that meant so?", default=False):
            raise NotProgrammedError("not confirmed: the pump keeps what it had")


def _show_review(review: Review, theirs: Reading) -> None:
    from rich.console import Console  # noqa: PLC0415

    Console().print(diff.build_table(review))
    click.echo("The battery's dates follow from the pump's own count of days, steps and wakes, were nothing changed.")
    number = output.shown_number
    click.echo(
        f"The pump's own reading, equal to this host's: {theirs.drug.name.decode(errors='replace')}, "
        f"{theirs.mode.replace('_', ' ')}, {number(theirs.drug.daily_dose_ng / 1000)} ug a day in "
        f"{number(theirs.daily_volume_nl / 10**6)} mL ({count_noun(theirs.daily_steps, 'step')}), "
        f"{number(theirs.drug.hour_dose_ng / 1000)} ug in its largest hour, refill on day {theirs.refill_days}."
    )


def _finish_program(
    order: _Order,
    client: PumpClient,
    result: CheckResult,
    review: Review,
    *,
    theirs: Reading,
    outcome: dict[str, Any],
) -> dict[str, Any]:
    """What follows the commit: the clock and the start; and the report."""
    clock = datetime.now().replace(microsecond=0) if order.set_clock else None
    if clock is not None:
        client.set_clock(clock)
    if order.start and client.read_status()["delivery"] != "running":
        client.start_delivery()
    state = client.read_status()
    return {
        "device_id": client.device_id,
        "file": str(order.file),
        "generation": outcome["accepted"],
        "record": outcome["record"],
        "reading": reading_json(theirs),
        "review": review.to_json(),
        "warnings": [{"line": problem.line, "message": problem.message} for problem in result.warnings],
        "clock": clock,
        "delivery": state["delivery"],
        "lasts_days": output.lasts_days(state),
    }


def _say_done(report: dict[str, Any]) -> None:
    click.echo(f"Programmed: therapy {report['generation']} of pump {report['device_id'].hex()} is in force.")
    if report["delivery"] == "running":
        click.echo(f"The pump delivers.{output.describe_lasting(report['lasts_days'])}")
    else:
        click.echo(
            f"The pump does not deliver yet: run `dosebench start`.{output.describe_lasting(report['lasts_days'])}"
        )


