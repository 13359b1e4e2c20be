"""`dosebench plot`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from dosebench_protocol.records import decode_records

from dosebench.cli import options, output
from dosebench.cli.options import figure_path
from dosebench.cli.pump import NoJournalError, held_journal
from dosebench.journal.history import build_history
from dosebench.journal.store import Store
from dosebench.report import delivery
from dosebench.therapy.program import from_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from dosebench.journal.history import History
    from dosebench.journal.store import Journal
    from dosebench.therapy.program import Program


@click.command()
@click.option("--device", metavar="ID", help="Pump, by its id or the beginning of it. Default: the only one held.")
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("delivery.png"),
    show_default=True,
    help="File to write: png, svg or pdf.",
)
@options.json_option
def plot(device: str | None, out: Path, as_json: bool) -> int:
    """Draw delivered against expected volume from the pulled journal.

    What was expected is computed from the programs that the journal names. Exit code 1 when the pump's own count was
    further from the schedule than a step, when it missed steps, or when a program is not known here.
    """
    figure_path(out)
    with Store.open() as store:
        journal = held_journal(store, device)
        history = _build_history(store, journal)
    if history is None:
        raise NoJournalError("the journal held here counts no steps yet", hint="run `dosebench log pull` again later")
    _draw_journal(journal, history, out)
    values = _journal_values(journal, history, out)
    if as_json:
        output.print_json(values)
    else:
        click.echo(
            f"{out}: {values['delivered_ml'] or 0:.6g} mL delivered, {values['expected_ml'] or 0:.6g} mL expected"
        )
        for head in values["unknown_programs"]:
            click.echo(f"the program {head} is not known here: its time is drawn as no delivery", err=True)
    return 0 if values["ok"] else 1


def _build_history(store: Store, journal: Journal) -> History | None:
    return build_history(decode_records(store.raw_records(journal)), _program_finder(store, journal.device))


def _program_finder(store: Store, device: bytes) -> Callable[[bytes], Program | None]:
    def find_program(head: bytes) -> Program | None:
        data = store.get_program(device, head)
        return from_bytes(data) if data else None

    return find_program


def _draw_journal(journal: Journal, history: History, out: Path) -> None:
    program = history.program
    title = f"Pump {journal.device.hex()}"
    if program is not None:
        daily = output.shown_number(program.daily_ng / 1000)
        title += f": {program.drug.name.decode(errors='replace')} {daily} ug/day"
    subtitle = f"from {journal.count} journal records, {journal.first} to {journal.last}: the pump's own count"
    delivery.draw_delivery(delivery.history_curves(history, title, subtitle), out)


def _journal_values(journal: Journal, history: History, out: Path) -> dict[str, Any]:
    delivered_nl, expected_nl = history.volumes_nl()[-1]
    delivered = history.points[-1].low - history.points[0].low
    expected = history.expected_steps(history.points[-1].t_ms)
    worst = max((abs(value) for value in history.list_deviations()), default=0)
    return {
        "ok": worst <= history.limit and not history.missed_steps and not history.unknown_programs,
        "device_id": journal.device,
        "figure": str(out),
        "records": journal.count,
        "delivered_steps": delivered,
        "expected_steps": float(expected),
        "delivered_ml": float(delivered_nl / 10**6) if history.program else None,
        "expected_ml": float(expected_nl / 10**6) if history.program else None,
        "max_deviation_steps": float(worst),
        "missed_steps": history.missed_steps,
        "unknown_programs": [head.hex() for head in history.unknown_programs],
    }
