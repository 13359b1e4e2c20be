"""`dosebench start`, `stop` and `clock`: one command to the pump each; and what volumes and doses are in steps."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import click

from dosebench.base.errors import DosebenchError
from dosebench.base.words import counted
from dosebench.commands import common

if TYPE_CHECKING:
    from dosebench.link.client import PumpClient

_STEPS: Final = re.compile(r"\s*([0-9]+)\s*steps?\s*")


class AmountError(DosebenchError):
    """An amount that cannot be turned into motor steps of this pump."""


def outcome_json(client: PumpClient, outcome: dict[str, Any]) -> dict[str, Any]:
    """What every command to a pump prints of its outcome."""
    names = ("accepted", "low_steps", "high_steps", "record")
    return {"device_id": client.device_id} | {name: outcome[name] for name in names}


@click.command()
@common.port_options
@common.json_option
def start(port: str | None, baud: int, as_json: bool) -> None:
    """Start delivery of the therapy in force."""
    with common.commanding(port, baud) as client:
        values = outcome_json(client, client.start()) | {"lasts_days": common.lasts_days(client.status())}
    common.answer(as_json, values, f"The pump delivers. {_count(values)}{common.lasts(values['lasts_days'])}")


@click.command()
@common.port_options
@common.json_option
def stop(port: str | None, baud: int, as_json: bool) -> None:
    """Stop delivery, and a running bolus with it. Stopping a stopped pump is no error."""
    with common.commanding(port, baud) as client:
        values = outcome_json(client, client.stop())
    common.answer(as_json, values, f"The pump is stopped. {_count(values)}")


def _count(values: dict[str, Any]) -> str:
    low, high = values["low_steps"], values["high_steps"]
    return f"Delivered in its life: {counted(low if low == high else f'{low} to {high}', 'step')}."


def programmed(client: PumpClient) -> dict[str, Any]:
    """Fields of the therapy in force. Raises RefusedError(not_programmed)."""
    from dosebench.link.client import RefusedError  # noqa: PLC0415

    therapy = common.therapy_of(client)
    if therapy is None:
        raise RefusedError("not_programmed")
    return therapy


def dose_steps(dose: str, therapy: dict[str, Any]) -> int:
    """Whole motor steps of a dose of drug ("25 ug"), a volume ("10 uL") or a count ("50 steps"), rounded down.

    Args:
        dose: The text.
        therapy: Fields of the therapy in force.

    Raises:
        UnitError: It is no such text.
        AmountError: It is less than one step.
    """
    if counted := _STEPS.fullmatch(dose):
        steps = int(counted[1])
    else:
        from dosebench.base import units  # noqa: PLC0415

        amount = units.parse(dose, units.MASS, units.VOLUME)
        unit = "ng" if amount.dimension is units.MASS else "nl"
        steps = math.floor(amount.value * therapy[f"step_{unit}_den"] / therapy[f"step_{unit}_num"])
    if steps < 1:
        step_ug = float(Fraction(therapy["step_ng_num"], therapy["step_ng_den"]) / 1000)
        raise AmountError(f"{dose} is less than one motor step ({common.shown_number(step_ug)} ug)")
    return steps


def step_nl(client: PumpClient) -> Fraction:
    """Volume of a step in nL, by the pump's settings."""
    state = client.status()
    return Fraction(state["step_nl_num"], state["step_nl_den"])


def volume_steps(volume: str, step_nl: Fraction) -> int:
    """Whole motor steps of a volume ("40 mL") or a count ("160000 steps"), rounded down. Raises UnitError."""
    if counted := _STEPS.fullmatch(volume):
        return int(counted[1])
    from dosebench.base import units  # noqa: PLC0415

    return math.floor(units.value(volume, units.VOLUME) / step_nl)


@click.command()
@click.option("--set", "value", metavar="now|TIME", help='"now", or a local time such as 2026-03-01T08:00.')
@common.port_options
@common.json_option
def clock(value: str | None, port: str | None, baud: int, as_json: bool) -> None:
    """Show the pump's calendar, or set it. Lockouts and dose windows do not depend on it."""
    moment = None if value is None else common.moment(value)
    with common.commanding(port, baud) as client:
        if moment is not None:
            client.set_clock(moment)
        state = client.status()
    shown = common.local_time(state["local_days"], state["local_ms"]) if state["clock_known"] else None
    values = {
        "device_id": client.device_id,
        "local_time": shown.isoformat(timespec="milliseconds") if shown else None,
        "pump_time": {"day": state["day"], "ms": state["ms"]},
    }
    text = f"{shown:%Y-%m-%d %H:%M:%S}" if shown else "not set: run `dosebench clock --set now`"
    common.answer(as_json, values, text)
