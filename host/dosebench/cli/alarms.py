"""`dosebench alarms`, `silence`, `clear` and `selftest`: what the pump says about itself, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click
from dosebench_protocol.alarms import ALARMS, EFFECTS, ordered

from dosebench.base import units
from dosebench.cli import options, output, pump
from dosebench.link.client import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dosebench.link.client import PumpClient

ALARMS_ON: Final = 1
"""Exit code of `alarms`, and of a `clear` that leaves some: an alarm is on."""

TESTS: Final = {
    "code": "the firmware's code is what was flashed",
    "settings": "the pump's settings are what was flashed",
    "therapy": "a valid copy of the therapy in force",
    "journal": "the journal is whole, and its flash takes records",
    "memory": "therapy and limits in RAM are what was committed",
    "clock": "the millisecond counter runs",
    "watchdog": "the watchdog bites when it is not fed",
    "driver": "the motor driver is off when it is switched off",
    "tone": "the tone output",
    "battery": "the battery carries the motor",
    "sensors": "every sensor that is fitted gives a plausible value",
}
"""What each self-test looks at."""


@click.command()
@click.option("--table", is_flag=True, help="Show every alarm that there is, not only those that are on.")
@options.port_options
@options.json_option
def alarms(table: bool, port: str | None, baud: int, as_json: bool) -> int:
    """Show the alarms that are on, the most urgent first, each with its cause and what to do about it.

    The exit code is 1 when an alarm is on.
    """
    if table:
        _print_rows([_alarm_row(name) for name in ALARMS], as_json)
        return 0
    with pump.connect_pump(port, baud) as client:
        state = client.read_status()
    rows = [_alarm_row(name) for name in ordered(state["alarms"])]
    if as_json:
        output.print_json({"alarms": rows, "priority": state["priority"], "silenced_s": state["silenced_ms"] / 1000})
    else:
        _print_rows(rows, as_json=False)
        if state["silenced_ms"]:
            click.echo(f"The tones are silenced for another {state['silenced_ms'] / 60_000:.1f} min.")
    return ALARMS_ON if rows else 0


def _alarm_row(name: str) -> dict[str, Any]:
    """An alarm with its row of the table; one that this host does not know has none."""
    row = ALARMS.get(name)
    if row is None:
        return {"alarm": name, "priority": "high", "effect": "unknown to this host: update it"}
    return {
        "alarm": name,
        "priority": row.priority,
        "effect": row.effect,
        "does": EFFECTS[row.effect],
        "needs_clearing": row.needs_clearing,
        "cause": row.cause,
        "remedy": row.remedy,
        "rules": list(row.rules),
    }


def _print_rows(rows: Sequence[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        output.print_json({"alarms": list(rows)})
        return
    if not rows:
        click.echo("No alarm is on.")
    for row in rows:
        click.echo(f"{row['alarm']}  ({row['priority']} priority)")
        for title in ("cause", "remedy", "does"):
            if title in row:
                click.echo(f"  {title + ':':8} {row[title]}")


@click.command()
@click.argument("duration", default="2 min")
@options.port_options
@options.json_option
def silence(duration: str, port: str | None, baud: int, as_json: bool) -> None:
    """Silence the tones of the alarms that are on, for DURATION ("90 s", "2 h").

    They sound again after that time, with a new alarm, or after a reset. While an alarm of high priority is on, two
    minutes are the most.
    """
    ms = int(units.parse_value(duration, units.DURATION))
    with pump.open_commands(port, baud) as client:
        client.alarm_silence(ms)
        state = client.read_status()
    values = {"device_id": client.device_id, "silenced_s": state["silenced_ms"] / 1000, "alarms": state["alarms"]}
    output.print_answer(as_json, values, f"Silenced for {ms / 60_000:g} min: {', '.join(state['alarms'])}.")


@click.command()
@click.argument("names", nargs=-1, metavar="[ALARM]...")
@options.port_options
@options.json_option
def clear(names: tuple[str, ...], port: str | None, baud: int, as_json: bool) -> int:
    """Clear alarms whose cause is gone: those that are named, or all that wait for it.

    Clearing the last alarm that stopped the pump leaves the safe state; the pump is stopped then, and `dosebench start`
    starts it. The exit code is 1 when a named alarm, or one that waits to be cleared, stays on.
    """
    wanted = _known_alarms(names)
    with pump.open_commands(port, baud) as client:
        cleared, kept = _clear_alarms(client, wanted)
        left = list(client.read_status()["alarms"])
    values = {"device_id": client.device_id, "cleared": cleared, "cause_still_there": kept, "alarms": left}
    output.print_answer(as_json, values, _describe_clearing(cleared, kept, left))
    return ALARMS_ON if kept else 0


def _clear_alarms(client: PumpClient, wanted: list[str]) -> tuple[list[str], list[str]]:
    """Clear one alarm after the other: what was cleared, and what the pump keeps because its cause is there."""
    on = client.read_status()["alarms"]
    cleared, kept = [], []
    for name in wanted or [name for name in on if name not in ALARMS or ALARMS[name].needs_clearing]:
        try:
            client.alarm_clear([name])
            cleared.append(name)
        except RefusedError as refused:
            if refused.reason != "alarm_present":
                raise
            kept.append(name)
    return cleared, kept


def _describe_clearing(cleared: list[str], kept: list[str], left: list[str]) -> str:
    said = [f"Cleared: {', '.join(cleared)}."] if cleared else []
    if kept:
        said.append(f"The cause is still there: {', '.join(kept)}; see `dosebench alarms`.")
    if others := [name for name in left if name not in kept]:
        said.append(f"Still on, until the cause is gone: {', '.join(others)}.")
    return " ".join(said) or "No alarm is on."


def _known_alarms(names: tuple[str, ...]) -> list[str]:
    if wrong := [name for name in names if name not in ALARMS]:
        raise click.UsageError(f"there is no alarm {wrong[0]}; known are {', '.join(ALARMS)}")
    return list(names)


@click.command()
@options.port_options
@options.json_option
def selftest(port: str | None, baud: int, as_json: bool) -> int:
    """Show what the pump tested about itself: at its boot, and again while it runs.

    The exit code is 1 when a test failed; the pump is in its safe state then.
    """
    with pump.connect_pump(port, baud) as client:
        told = client.read_selftest()
    failed = [row["test"] for row in told["results"] if row["result"] == "failed"]
    if as_json:
        output.print_json({**told, "failed": failed})
    else:
        rows = [(row["test"], f"{_describe_row(row):12} {TESTS.get(row['test'], '')}") for row in told["results"]]
        rows.append(("boot", f"the tests of the boot took {told['boot_ms'] / 1000:.1f} s"))
        rows.append(("again", f"{told['retest_ms'] / 60_000:.1f} min ago"))
        output.print_rows(rows)
    return ALARMS_ON if failed else 0


def _describe_row(row: dict[str, Any]) -> str:
    return str(row["result"]).replace("_", " ")
