"""`dosebench start`, `stop`, `bolus`, `refill`, `clear` and `clock`: one command to the pump each."""

from __future__ import annotations

import math
import re
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import click

from dosebench.commands import common
from dosebench.errors import DosebenchError

if TYPE_CHECKING:
    from dosebench.client import PumpClient

_STEPS: Final = re.compile(r"\s*([0-9]+)\s*steps?\s*")


class AmountError(DosebenchError):
    """An amount that cannot be turned into motor steps of this pump."""


def _outcome_json(client: PumpClient, outcome: dict[str, Any]) -> dict[str, Any]:
    names = ("accepted", "low_steps", "high_steps", "record")
    return {"device_id": client.device_id} | {name: outcome[name] for name in names}


def _answer(as_json: bool, values: dict[str, Any], sentence: str) -> None:
    if as_json:
        common.emit(values)
    else:
        click.echo(sentence)


@click.command()
@common.port_options
@common.json_option
def start(port: str | None, baud: int, as_json: bool) -> None:
    """Start delivery of the therapy in force."""
    with common.commanding(port, baud) as client:
        values = _outcome_json(client, client.start())
    _answer(as_json, values, f"The pump delivers. {_count(values)}")


@click.command()
@common.port_options
@common.json_option
def stop(port: str | None, baud: int, as_json: bool) -> None:
    """Stop delivery, and a running bolus with it. Stopping a stopped pump is no error."""
    with common.commanding(port, baud) as client:
        values = _outcome_json(client, client.stop())
    _answer(as_json, values, f"The pump is stopped. {_count(values)}")


def _count(values: dict[str, Any]) -> str:
    low, high = values["low_steps"], values["high_steps"]
    return f"Delivered in its life: {low if low == high else f'{low} to {high}'} steps."


@click.command()
@click.argument("dose", required=False)
@click.option("--cancel", is_flag=True, help="End the running bolus.")
@common.port_options
@common.json_option
def bolus(dose: str | None, cancel: bool, port: str | None, baud: int, as_json: bool) -> None:
    """Deliver DOSE as a single bolus on top of the basal, or cancel the one that runs.

    DOSE has a unit: "25 ug" of drug, "0.0125 mL", or "50 steps". It is rounded down to whole motor steps, and the
    answer says what was accepted.
    """
    if cancel == (dose is not None):
        raise click.UsageError('give either a dose such as "25 ug", or --cancel')
    with common.commanding(port, baud) as client:
        therapy = _programmed(client)
        step_ng = Fraction(therapy["step_ng_num"], therapy["step_ng_den"])
        if dose is None:
            _cancelled(client, step_ng, as_json)
            return
        steps = dose_steps(dose, therapy)
        outcome = client.bolus(steps)
        values = _outcome_json(client, outcome) | _bolus_json(steps, step_ng, therapy)
    drug = therapy["drug"].decode(errors="replace")
    minutes = common.shown_number(values["minutes"], 3)
    text = f"Accepted: {common.shown_number(values['dose_ug'])} ug {drug} ({steps} steps) over {minutes} min."
    _answer(as_json, values, text)


def _bolus_json(steps: int, step_ng: Fraction, therapy: dict[str, Any]) -> dict[str, Any]:
    rate = Fraction(therapy["bolus_num"], therapy["bolus_den"])
    return {
        "steps": steps,
        "dose_ug": float(steps * step_ng / 1000),
        "minutes": float(steps / rate / 60_000) if rate else None,
    }


def _cancelled(client: PumpClient, step_ng: Fraction, as_json: bool) -> None:
    outcome = client.bolus_cancel()
    left = int(outcome["accepted"])
    values = _outcome_json(client, outcome) | {
        "steps_not_delivered": left,
        "dose_not_delivered_ug": float(left * step_ng / 1000),
    }
    _answer(
        as_json,
        values,
        f"Cancelled; {common.shown_number(values['dose_not_delivered_ug'])} ug ({left} steps) were not given.",
    )


def _programmed(client: PumpClient) -> dict[str, Any]:
    from dosebench.client import RefusedError  # noqa: PLC0415

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
        from dosebench import units  # noqa: PLC0415

        amount = units.parse(dose, units.MASS, units.VOLUME)
        unit = "ng" if amount.dimension is units.MASS else "nl"
        steps = math.floor(amount.value * therapy[f"step_{unit}_den"] / therapy[f"step_{unit}_num"])
    if steps < 1:
        step_ug = float(Fraction(therapy["step_ng_num"], therapy["step_ng_den"]) / 1000)
        raise AmountError(f"{dose} is less than one motor step ({common.shown_number(step_ug)} ug)")
    return steps


@click.command()
@click.argument("volume")
@common.port_options
@common.json_option
def refill(volume: str, port: str | None, baud: int, as_json: bool) -> None:
    """Tell the pump that its reservoir now holds VOLUME, such as "40 mL" (or "160000 steps").

    The whole content, not what was added. Rounded down to whole motor steps.
    """
    with common.commanding(port, baud) as client:
        step_nl = _step_nl(client)
        steps = _volume_steps(volume, step_nl)
        outcome = client.refill(steps)
        values = _outcome_json(client, outcome) | {"steps": steps, "volume_ml": float(steps * step_nl / 10**6)}
    _answer(as_json, values, f"The reservoir holds {common.shown_number(values['volume_ml'])} mL ({steps} steps).")


def _step_nl(client: PumpClient) -> Fraction:
    """Volume of a step in nL: from the therapy, else from the profile that the pump names."""
    therapy = common.therapy_of(client)
    if therapy is not None:
        return Fraction(therapy["step_nl_num"], therapy["step_nl_den"])
    from dosebench.profile import load  # noqa: PLC0415

    return load(client.hello_reply["profile"].decode()).delivery.step_volume


def _volume_steps(volume: str, step_nl: Fraction) -> int:
    if counted := _STEPS.fullmatch(volume):
        return int(counted[1])
    from dosebench import units  # noqa: PLC0415

    return math.floor(units.value(volume, units.VOLUME) / step_nl)


@click.command()
@click.argument("alarms", nargs=-1, metavar="[ALARM]...")
@common.port_options
@common.json_option
def clear(alarms: tuple[str, ...], port: str | None, baud: int, as_json: bool) -> None:
    """Clear alarms whose cause is gone: those that are named, or all that are on.

    Clearing the last fault leaves the safe state; the pump is stopped then, and `dosebench start` starts it.
    """
    with common.commanding(port, baud) as client:
        wanted = _known_alarms(alarms) or list(client.status()["alarms"])
        if wanted:
            client.alarm_clear(wanted)
        left = list(client.status()["alarms"])
    values = {"device_id": client.device_id, "cleared": wanted, "alarms": left}
    text = f"Cleared: {', '.join(wanted)}." if wanted else "No alarm is on."
    _answer(as_json, values, f"{text} Still on: {', '.join(left)}." if left else text)


def _known_alarms(names: tuple[str, ...]) -> list[str]:
    from dosebench_protocol.messages import Alarm  # noqa: PLC0415

    known = [str(name) for name in Alarm.flags]
    if wrong := [name for name in names if name not in known]:
        raise click.UsageError(f"there is no alarm {wrong[0]}; known are {', '.join(known)}")
    return list(names)


@click.command()
@click.option("--set", "value", metavar="now|TIME", help='"now", or a local time such as 2026-03-01T08:00.')
@common.port_options
@common.json_option
def clock(value: str | None, port: str | None, baud: int, as_json: bool) -> None:
    """Show the pump's calendar, or set it. Lockouts and dose windows do not depend on it."""
    moment = None if value is None else _moment(value)
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
    _answer(as_json, values, f"{shown:%Y-%m-%d %H:%M:%S}" if shown else "not set: run `dosebench clock --set now`")


def _moment(value: str) -> datetime:
    if value == "now":
        return datetime.now()
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.UsageError(f"{value} is no time; write 2026-03-01T08:00, or now") from None
    if not 2000 <= moment.year < 2170:
        raise click.UsageError(f"the pump's calendar goes from 2000 to 2169, not to {moment.year}")
    return moment
