"""`dosebench status`."""

from __future__ import annotations

from typing import Any, Final

import click

from dosebench.commands import common

DAY_MS: Final = 86_400_000

Ratio = tuple[int, int]
"""Numerator and denominator."""


@click.command()
@common.port_options
@common.json_option
def status(port: str | None, baud: int, as_json: bool) -> None:
    """Show what the pump does now."""
    with common.connected(port, baud) as client:
        state, therapy = client.status(), common.therapy_of(client)
        report = report_of(client.hello_reply, state, therapy)
    if as_json:
        common.emit(report)
    else:
        common.rows(_lines(report))


def report_of(hello: dict[str, Any], state: dict[str, Any], therapy: dict[str, Any] | None) -> dict[str, Any]:
    """The pump's status with the units and names that people use; the keys of `dosebench status --json`."""
    rate = (state["rate_num"], state["rate_den"])
    step_nl = (therapy["step_nl_num"], therapy["step_nl_den"]) if therapy else None
    step_ng = (therapy["step_ng_num"], therapy["step_ng_den"]) if therapy else None
    return {
        "device_id": hello["device_id"],
        "firmware": f"{hello['firmware_major']}.{hello['firmware_minor']}.{hello['firmware_patch']}",
        "board": hello["board"].decode(errors="replace"),
        "runtime": hello["runtime"].decode(errors="replace"),
        "profile": hello["profile"].decode(errors="replace"),
        "delivery": state["delivery"],
        "stop_reason": state["stop_reason"],
        "mode": state["mode"],
        "drug": therapy["drug"].decode(errors="replace") if therapy else None,
        "concentration_ug_per_ml": _product((1000, 1), step_ng, step_nl and step_nl[::-1]),
        "therapy_id": state["therapy_id"] if therapy else None,
        "generation": state["generation"],
        "daily_dose_ug": _product(rate, (DAY_MS, 1000), step_ng),
        "daily_volume_ml": _product(rate, (DAY_MS, 10**6), step_nl),
        "hour_dose_ug": state["hour_ng"] / 1000,
        "hour_cap_ug": therapy["hour_ng_max"] / 1000 if therapy else None,
        "day_dose_ug": state["day_ng"] / 1000,
        "day_cap_ug": therapy["day_ng_max"] / 1000 if therapy else None,
        "bolus_left_ug": _product((state["bolus_left_steps"], 1000), step_ng),
        "bolus_left_steps": state["bolus_left_steps"],
        "reservoir_ml": _reservoir(state, step_nl),
        "reservoir_low": bool(
            therapy and state["reservoir_known"] and state["reservoir_steps"] <= therapy["low_steps"]
        ),
        "delivered_steps_low": state["low_steps"],
        "delivered_steps_high": state["high_steps"],
        "missed_steps": state["missed_steps"],
        "battery_mv": state["battery_mv"],
        "alarms": list(state["alarms"]),
        "pump_time": {"day": state["day"], "ms": state["ms"]},
        "local_time": _local(state),
        "journal_first": state["journal_first"],
        "journal_next": state["journal_next"],
        "boot_count": state["boot_count"],
        "bad_frames": state["bad_frames"],
        "staged_bytes": state["staged_bytes"],
    }


def _product(*factors: Ratio | None) -> float | None:
    """The product of fractions, rounded once; None where one is not known. `fractions` would cost 4 ms of a start."""
    numerator = denominator = 1
    for factor in factors:
        if factor is None:
            return None
        numerator *= factor[0]
        denominator *= factor[1]
    return numerator / denominator


def _reservoir(state: dict[str, Any], step_nl: Ratio | None) -> float | None:
    if not state["reservoir_known"]:
        return None
    return _product((state["reservoir_steps"], 10**6), step_nl)


def _local(state: dict[str, Any]) -> str | None:
    if not state["clock_known"]:
        return None
    return common.local_time(state["local_days"], state["local_ms"]).isoformat(timespec="milliseconds")


def _lines(report: dict[str, Any]) -> list[tuple[str, str]]:
    lines = [
        ("pump", f"{report['device_id'].hex()}  {report['profile']} on {report['board']}"),
        ("firmware", f"{report['firmware']}  ({report['runtime']})"),
        ("delivery", _delivery(report)),
    ]
    if report["drug"] is not None:
        lines += _therapy_lines(report)
    hours = report["pump_time"]["ms"] / 3_600_000
    lines += [
        ("battery", f"{report['battery_mv']} mV"),
        ("clock", _clock(report)),
        ("age", f"{report['pump_time']['day']} days {hours:.1f} h, {report['boot_count']} boots"),
        ("journal", f"{report['journal_next']} records, from {report['journal_first']}"),
        ("alarms", ", ".join(report["alarms"]) or "none"),
    ]
    return lines


def _therapy_lines(report: dict[str, Any]) -> list[tuple[str, str]]:
    number = common.shown_number
    lines = [
        ("drug", f"{report['drug']} {number(report['concentration_ug_per_ml'])} ug/mL"),
        ("rate now", f"{number(report['daily_dose_ug'])} ug/day = {number(report['daily_volume_ml'])} mL/day"),
        ("this hour", f"{number(report['hour_dose_ug'])} ug of at most {number(report['hour_cap_ug'])} ug"),
        ("last 24 h", f"{number(report['day_dose_ug'])} ug of at most {number(report['day_cap_ug'])} ug"),
    ]
    if report["bolus_left_steps"]:
        left = report["bolus_left_ug"]
        lines.append(("bolus", f"{number(left)} ug to go ({report['bolus_left_steps']} steps)"))
    reservoir = report["reservoir_ml"]
    content = "unknown: run `dosebench refill`" if reservoir is None else f"{number(reservoir)} mL"
    lines.append(("reservoir", content + (" (low)" if report["reservoir_low"] else "")))
    low, high = report["delivered_steps_low"], report["delivered_steps_high"]
    lines.append(("delivered", f"{low} steps in all" if low == high else f"{low} to {high} steps in all"))
    if report["missed_steps"]:
        lines.append(("missed", f"{report['missed_steps']} steps"))
    return lines


def _delivery(report: dict[str, Any]) -> str:
    if report["delivery"] == "unprogrammed":
        return "not programmed: run `dosebench program FILE`"
    if report["delivery"] == "running":
        return f"running, {report['mode']}"
    if report["delivery"] == "safe":
        return "safe state: see the alarms, put the cause right, then `dosebench clear`"
    return f"stopped ({report['stop_reason']})"


def _clock(report: dict[str, Any]) -> str:
    return report["local_time"] or "not set: run `dosebench clock --set now`"
