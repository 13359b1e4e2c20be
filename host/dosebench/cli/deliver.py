"""`dosebench start`, `stop` and `clock`: one command to the pump each; and what volumes and doses are in steps."""

from __future__ import annotations

from typing import Any

import click

from dosebench.base.words import count_noun
from dosebench.cli import options, output, pump
from dosebench.cli.pump import outcome_json


@click.command()
@options.port_options
@options.json_option
def start(port: str | None, baud: int, as_json: bool) -> None:
    """Start delivery of the therapy in force."""
    with pump.open_commands(port, baud) as client:
        values = outcome_json(client, client.start_delivery()) | {"lasts_days": output.lasts_days(client.read_status())}
    output.print_answer(
        as_json, values, f"The pump delivers. {_describe_count(values)}{output.describe_lasting(values['lasts_days'])}"
    )


@click.command()
@options.port_options
@options.json_option
def stop(port: str | None, baud: int, as_json: bool) -> None:
    """Stop delivery, and a running bolus with it. Stopping a stopped pump is no error."""
    # Without the store: whatever is wrong with this host's files, the pump can be stopped.
    with pump.connect_pump(port, baud) as client:
        values = outcome_json(client, client.stop_delivery())
    output.print_answer(as_json, values, f"The pump is stopped. {_describe_count(values)}")


def _describe_count(values: dict[str, Any]) -> str:
    low, high = values["low_steps"], values["high_steps"]
    return f"Delivered in its life: {count_noun(low if low == high else f'{low} to {high}', 'step')}."


@click.command()
@click.option("--set", "value", metavar="now|TIME", help='"now", or a local time such as 2026-03-01T08:00.')
@options.port_options
@options.json_option
def clock(value: str | None, port: str | None, baud: int, as_json: bool) -> None:
    """Show the pump's calendar, or set it. Lockouts and dose windows do not depend on it."""
    moment = None if value is None else output.parse_moment(value)
    with pump.open_commands(port, baud) as client:
        if moment is not None:
            client.set_clock(moment)
        state = client.read_status()
    shown = output.local_time(state["local_days"], state["local_ms"]) if state["clock_known"] else None
    values = {
        "device_id": client.device_id,
        "local_time": shown.isoformat(timespec="milliseconds") if shown else None,
        "pump_time": {"day": state["day"], "ms": state["ms"]},
    }
    text = f"{shown:%Y-%m-%d %H:%M:%S}" if shown else "not set: run `dosebench clock --set now`"
    output.print_answer(as_json, values, text)
