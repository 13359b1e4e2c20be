"""What a simulation showed, for people: a table for the terminal, and the journal as a log file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dosebench.base import units
from dosebench.base.words import count_noun
from dosebench.journal.history import DAY_MS, Calendar, record_json
from dosebench.simulation.days import SimulationResult

if TYPE_CHECKING:
    from dosebench_protocol.records import Record
    from rich.table import Table

QUIET_KINDS: Final = frozenset(
    {"lease", "state", "identity", "windows", "patient_times", "worth", "filled", "service", "latched", "clear_list"}
    | {"host_done", "host_refused", "path", "path_worth", "seal"}
)
"""Record kinds that are bookkeeping; the table of events leaves them out."""


def simulation_table(result: SimulationResult, title: str) -> Table:
    """The outcome as a table: expected, delivered, deviation, events, next refill."""
    from rich.table import Table as RichTable  # noqa: PLC0415

    table = RichTable(title=title, title_justify="left", show_header=False, title_style="bold")
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for label, value in simulation_rows(result):
        table.add_row(label, value)
    faults = result.list_faults()
    table.add_section()
    table.add_row("verdict", "[green]as ordered[/]" if not faults else "[red]NOT as ordered[/]")
    for fault in faults:
        table.add_row("", f"[red]{fault}[/]")
    return table


def simulation_rows(result: SimulationResult) -> list[tuple[str, str]]:
    """Label and text of each line of the table."""
    program = result.program
    made = len(result.step_times_ms)
    deviation = result.max_deviation
    records = count_noun(len(result.journal), "record")
    return [
        ("delivered", _format_steps(result, Fraction(made))),
        ("expected", _format_steps(result, result.expected_steps)),
        ("steps", f"{made} made, {units.format_decimal(result.expected_steps, 8)} due"),
        (
            "largest deviation",
            f"{units.format_decimal(deviation, 6)} steps = {units.format_amount(deviation * program.step_nl, 'uL', 4)}",
        ),
        ("allowed", f"{units.format_decimal(result.limit, 6)} steps"),
        *([("boluses", boluses)] if (boluses := _format_boluses(result)) else []),
        ("events", _format_events(result)),
        ("alarms", _format_alarms(result)),
        ("next refill", _format_refill(result)),
        ("charge", f"{result.used_uah / 1000:.4g} mAh used, {result.estimated_uah / 1000:.4g} mAh estimated"),
        ("journal", f"{records}, hash chain {'whole' if result.journal_whole else 'BROKEN'}"),
        (
            "speed",
            f"{result.days / result.wall_s:.1f} pump days per second on {result.runtime_version} ({result.runtime})",
        ),
    ]


def _format_steps(result: SimulationResult, steps: Fraction) -> str:
    volume = units.format_amount(steps * result.program.step_nl, "mL", 8)
    return f"{volume} = {units.format_amount(result.drug_ng(steps), 'ug')}"


def _format_boluses(result: SimulationResult) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in result.boluses.items() if count)


def _format_events(result: SimulationResult) -> str:
    seen = {kind: count for kind, count in result.events.items() if kind not in QUIET_KINDS}
    return ", ".join(f"{count} {kind}" if count > 1 else kind for kind, count in seen.items())


def _format_alarms(result: SimulationResult) -> str:
    return ", ".join(f"{name} on day {at / DAY_MS:.1f}" for name, at in result.alarms) or "none"


def _format_refill(result: SimulationResult) -> str:
    reading = result.program.expected_reading()
    left = reading.refill_days - result.days
    when = f"in {left:.1f} days" if left > 0 else f"{-left:.1f} days ago"
    return f"day {reading.refill_days} ({reading.refill_limit}), {when}"


def write_log(path: Path, records: Iterable[Record]) -> None:
    """Write records as JSON lines, one a record, with both times and the fields by name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    calendar = Calendar()
    with path.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(record_json(record, calendar.local_time(record))) + "\n")
