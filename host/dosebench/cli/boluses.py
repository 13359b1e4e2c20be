"""`dosebench bolus` and `dosebench prime`: what a pump delivers besides its basal."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

from dosebench.base import units
from dosebench.base.units import MINUTE_MS
from dosebench.base.words import count_noun
from dosebench.cli import options, output, pump
from dosebench.cli.pump import dose_steps, outcome_json, read_therapy, volume_steps

if TYPE_CHECKING:
    from dosebench.link.client import PumpClient



@dataclass(frozen=True)
class _Order:
    """What the user asked for."""

    dose: str | None
    patient: bool
    square: bool
    over: str | None
    cancel: bool


@click.command()
@click.argument("dose", required=False)
@click.option("--patient", is_flag=True, help="Ask as the patient's button does: the dose is the therapy's.")
@click.option("--square", is_flag=True, help="Spread DOSE evenly over --over; it waits while another bolus runs.")
@click.option("--over", metavar="DURATION", help='How long a square bolus takes, such as "4 h".')
@click.option("--cancel", is_flag=True, help="End the running bolus; with --square, the square bolus.")
@options.port_options
@options.json_option
def bolus(
    *,
    dose: str | None,
    patient: bool,
    square: bool,
    over: str | None,
    cancel: bool,
    port: str | None,
    baud: int,
    as_json: bool,
) -> None:
    """Deliver DOSE as a single bolus on top of the basal, or cancel the one that runs.

    DOSE has a unit: "25 ug" of drug, "0.0125 mL", or "50 steps". It is rounded down to whole motor steps, and the
    answer says what was accepted. The pump refuses a patient bolus within its lockout, beyond its count of 24 hours, or
    where a dose limit has no room for all of it.
    """
    order = _Order(dose, patient, square, over, cancel)
    _check_options(order)
    duration_ms = _duration_ms(over) if over is not None else 0
    with pump.open_commands(port, baud) as client:
        therapy = read_therapy(client)
        if cancel:
            values, text = _cancel_bolus(client, therapy, square)
        elif patient:
            values, text = _give_patient(client, therapy)
        elif square:
            values, text = _give_square(client, therapy, str(dose), duration_ms)
        else:
            values, text = _give_clinician(client, therapy, str(dose))
    output.print_answer(as_json, values, text)


def _check_options(order: _Order) -> None:
    """Raise a usage error for options that do not fit each other."""
    if (order.dose is not None) + order.patient + order.cancel != 1:
        raise click.UsageError('give either a dose such as "25 ug", or --patient, or --cancel')
    if order.patient and order.square:
        raise click.UsageError("--square does not go with --patient")
    if (order.over is not None) != (order.square and not order.cancel):
        raise click.UsageError('a square bolus has a dose and a time: --square --over "4 h"')


def _duration_ms(text: str) -> int:
    return int(units.parse_value(text, units.DURATION))


def _give_clinician(client: PumpClient, therapy: dict[str, Any], dose: str) -> tuple[dict[str, Any], str]:
    steps = dose_steps(dose, therapy)
    return _describe_given(client, therapy, client.give_bolus(steps), _length_ms(steps, therapy, "bolus"))


def _give_patient(client: PumpClient, therapy: dict[str, Any]) -> tuple[dict[str, Any], str]:
    outcome = client.patient_bolus()
    return _describe_given(client, therapy, outcome, _length_ms(int(outcome["accepted"]), therapy, "patient"))


def _give_square(
    client: PumpClient, therapy: dict[str, Any], dose: str, duration_ms: int
) -> tuple[dict[str, Any], str]:
    outcome = client.square_bolus(dose_steps(dose, therapy), duration_ms)
    return _describe_given(client, therapy, outcome, Fraction(duration_ms))


def _length_ms(steps: int, therapy: dict[str, Any], kind: str) -> Fraction:
    return Fraction(steps * therapy[f"{kind}_den"], therapy[f"{kind}_num"])


def _describe_given(
    client: PumpClient, therapy: dict[str, Any], outcome: dict[str, Any], length_ms: Fraction
) -> tuple[dict[str, Any], str]:
    steps, number = int(outcome["accepted"]), output.shown_number
    state = client.read_status()
    old_steps = min(steps, int(state["bridge_left_steps"])) if therapy["bridge_steps"] else 0
    values = outcome_json(client, outcome) | {
        "steps": steps,
        "dose_ug": float(_held_ng(steps, old_steps, therapy) / 1000),
        "minutes": float(length_ms / MINUTE_MS),
        "lasts_days": output.lasts_days(state),
    }
    drug = therapy["drug"].decode(errors="replace")
    amount = f"{number(values['dose_ug'])} ug {drug} ({count_noun(steps, 'step')})"
    text = f"Accepted: {amount} over {number(values['minutes'], 3)} min.{output.describe_lasting(values['lasts_days'])}"
    if old_steps:
        text += f" The bridge is not through: {count_noun(old_steps, 'step')} of old drug."
    return values, text


def _held_ng(steps: int, old_steps: int, therapy: dict[str, Any]) -> Fraction:
    """Drug in so many steps, of which the first `old_steps` hold what a bridge has still to deliver."""
    old = Fraction(therapy["bridge_ng_num"], therapy["bridge_ng_den"]) if old_steps else Fraction(0)
    return old_steps * old + (steps - old_steps) * _step_ng(therapy)


def _cancel_bolus(client: PumpClient, therapy: dict[str, Any], square: bool) -> tuple[dict[str, Any], str]:
    outcome = client.square_cancel() if square else client.bolus_cancel()
    left = int(outcome["accepted"])
    values = outcome_json(client, outcome) | {
        "steps_not_delivered": left,
        "dose_not_delivered_ug": float(left * _step_ng(therapy) / 1000),
    }
    dose = output.shown_number(values["dose_not_delivered_ug"])
    return values, f"Cancelled; {dose} ug ({count_noun(left, 'step')}) were not given."


def _step_ng(therapy: dict[str, Any]) -> Fraction:
    """Drug in a step of the reservoir's solution."""
    return Fraction(therapy["step_ng_num"], therapy["step_ng_den"])


@click.command()
@click.argument("volume")
@click.option("--arm", is_flag=True, help="First of the two acts: arm a priming of VOLUME, and move nothing.")
@options.port_options
@options.json_option
def prime(volume: str, arm: bool, port: str | None, baud: int, as_json: bool) -> None:
    """Prime the pump's path with VOLUME, such as "0.34 mL", in two deliberate acts on a stopped pump.

    First `dosebench prime --arm VOLUME`, then `dosebench prime VOLUME` with the same volume within a minute. Rounded
    down to whole motor steps. It counts in no dose limit of the therapy: it fills what is empty.
    """
    with pump.open_commands(port, baud) as client:
        therapy = read_therapy(client)
        step_nl = Fraction(therapy["step_nl_num"], therapy["step_nl_den"])
        version = int(therapy["path_version"])
        steps = volume_steps(volume, step_nl)
        outcome = client.prime_arm(steps, version) if arm else client.give_priming(steps)
    values = outcome_json(client, outcome) | {
        "armed": arm,
        "steps": steps,
        "volume_ml": float(steps * step_nl / 10**6),
        "minutes": float(_length_ms(steps, therapy, "prime") / MINUTE_MS),
        "path_version": version,
    }
    output.print_answer(as_json, values, _describe_priming(values))


def _describe_priming(values: dict[str, Any]) -> str:
    number = output.shown_number
    steps = count_noun(values["steps"], "step")
    amount = f"{number(values['volume_ml'])} mL ({steps}), path table version {values['path_version']}"
    if values["armed"]:
        return f"Armed for a minute: {amount}. Nothing moves before `dosebench prime` with the same volume."
    return f"Priming: {amount}, over {number(values['minutes'], 3)} min."
