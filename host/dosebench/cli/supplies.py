"""`dosebench refill` and `implant`: what a person does to the reservoir, and how long the pump may serve."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import click
from dosebench_protocol.records import decode_records

from dosebench.base.words import count_noun
from dosebench.cli import options, output, pump
from dosebench.cli.pump import outcome_json, step_nl, volume_steps
from dosebench.therapy.program import from_bytes

if TYPE_CHECKING:
    from fractions import Fraction

    from dosebench_protocol.records import Record

    from dosebench.link.client import PumpClient

CHECK_RECORDS: Final = 60
"""Within so many records before a refill lies its check: a new sector begins with what the pump carries on."""

FLAGS: Final = {
    "agrees": "as the steps say",
    "too_little": "too little was delivered: the next start is refused until the alarm refill_mismatch is cleared",
    "too_much": "too much was delivered: the next start is refused until the alarm refill_mismatch is cleared",
    "not_judged": "too little was delivered since the last refill to tell",
}
"""What the pump made of a withdrawn volume."""


@click.command()
@click.argument("volume")
@click.option(
    "--withdrawn", metavar="VOLUME", help='What was withdrawn before filling, such as "2.1 mL": held against the steps.'
)
@options.port_options
@options.json_option
def refill(volume: str, withdrawn: str | None, port: str | None, baud: int, as_json: bool) -> None:
    """Tell the pump that its reservoir now holds VOLUME, such as "40 mL" (or "160000 steps").

    The whole content, not what was added. Rounded down to whole motor steps. With --withdrawn the pump compares what
    was left with what should have been: a delivery more than 14.5 % off raises an alarm and blocks the next start.
    """
    with pump.open_commands(port, baud) as client:
        nl = step_nl(client)
        steps = volume_steps(volume, nl)
        taken = None if withdrawn is None else volume_steps(withdrawn, nl)
        outcome = client.record_refill(steps, taken)
        state = client.read_status()
        values = outcome_json(client, outcome) | {
            "steps": steps,
            "volume_ml": float(steps * nl / 10**6),
            "lasts_days": output.lasts_days(state),
            **_refill_due(client, steps, state),
            "check": None if taken is None else _check_withdrawn(client, int(outcome["record"]), nl),
        }
    if as_json:
        output.print_json(values)
    else:
        click.echo(_describe_refill(values))


def _refill_due(client: PumpClient, steps: int, state: dict[str, Any]) -> dict[str, Any]:
    """The next refill with every patient bolus taken, and the drug's stability (R22)."""
    data = pump.program_bytes(client)
    if data is None:
        return {"refill_days": None, "refill_limit": None, "refill_date": None}
    reading = replace(from_bytes(data), reservoir_steps=steps).expected_reading()
    today = output.local_time(state["local_days"], 0).date() if state["clock_known"] else None
    return {
        "refill_days": reading.refill_days,
        "refill_limit": reading.refill_limit,
        "refill_date": today and today + timedelta(days=reading.refill_days),
    }


def _check_withdrawn(client: PumpClient, record: int, nl: Fraction) -> dict[str, Any] | None:
    """What the pump made of the withdrawn volume; None where it knew of no filling before."""
    found = _check_record(client, record)
    if found is None:
        return None
    fields = found.fields
    ratio = fields["ratio_permille"]
    volumes = ("expected", "withdrawn", "delivered_low", "delivered_high")
    return {f"{name}_ml": float(fields[f"{name}_steps"] * nl / 10**6) for name in volumes} | {
        "ratio": None if ratio is None else ratio / 1000,
        "flag": fields["flag"],
    }


def _check_record(client: PumpClient, record: int) -> Record | None:
    records = decode_records(b"".join(client.read_journal(max(0, record - CHECK_RECORDS))))
    before = [each for each in records if each.sequence < record]
    for each in reversed(before):
        if each.kind == "refill_check":
            return each
        if each.kind == "refill":
            break
    return None


def _describe_refill(values: dict[str, Any]) -> str:
    number = output.shown_number
    lines = [
        f"The reservoir holds {number(values['volume_ml'])} mL ({count_noun(values['steps'], 'step')})."
        + output.describe_lasting(values["lasts_days"])
    ]
    if values["refill_days"] is not None:
        when = f", {values['refill_date']}," if values["refill_date"] else ""
        lines.append(f"Refill it by day {values['refill_days']}{when} limited by {values['refill_limit']}.")
    if (check := values["check"]) is not None:
        ratio = "" if check["ratio"] is None else f", {number(100 * check['ratio'], 3)} % of what the steps say"
        lines.append(
            f"Withdrawn {number(check['withdrawn_ml'])} mL, expected {number(check['expected_ml'])} mL{ratio}: "
            f"{FLAGS[check['flag']]}."
        )
    return "\n".join(lines)


@click.command()
@click.argument("day", metavar="[DATE]", required=False)
@options.port_options
@options.json_option
def implant(day: str | None, port: str | None, baud: int, as_json: bool) -> None:
    """Show until when the pump may serve, or state once the DATE of its implant, such as 2026-03-01.

    Service ends 90 days after the elective replacement indicator of the battery, and some years of the calendar after
    the implant, whichever comes first. The pump's calendar must be set.
    """
    stated = None if day is None else output.parse_moment(day).date()
    with pump.open_commands(port, baud) as client:
        if stated is not None:
            client.record_implant(stated)
        state, service = client.read_status(), client.read_service()
    values = {"device_id": client.device_id} | _service_dates(state, service)
    output.print_answer(as_json, values, _describe_service(values))


def _service_dates(state: dict[str, Any], service: dict[str, int | None]) -> dict[str, Any]:
    cap = _date_after(service["cap_days"])
    left = service["replacement_left_days"]
    ends = cap
    if left is not None and state["clock_known"]:
        # A part of a day that is left ends on the day after.
        ms = state["local_ms"] + (service["replacement_left_ms"] or 0)
        after = output.local_time(state["local_days"] + left, ms).date()
        ends = after if cap is None else min(cap, after)
    return {
        "implant_date": _date_after(service["implant_days"]),
        "cap_date": cap,
        "replacement_date": _date_after(service["replacement_days"]),
        "replacement_left_days": left,
        "service_ends": ends,
        "ended": "end_of_service" in state["alarms"],
    }


def _date_after(days: int | None) -> date | None:
    return None if days is None else output.local_time(days, 0).date()


def _describe_service(values: dict[str, Any]) -> str:
    implanted, cap = values["implant_date"], values["cap_date"]
    lines = [f"Implanted {implanted}." if implanted else "No date of implant was stated."]
    if cap:
        lines.append(f"Its service life reaches to {cap}.")
    if values["replacement_left_days"] is not None:
        since = f" since {values['replacement_date']}" if values["replacement_date"] else ""
        lines.append(f"Elective replacement{since}: {values['replacement_left_days']} whole days of service are left.")
    if values["ended"]:
        lines.append("Service has ended.")
    elif values["service_ends"]:
        lines.append(f"Service ends on {values['service_ends']}.")
    return " ".join(lines)
