"""`dosebench status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click
from dosebench_protocol.alarms import ordered

from dosebench.base.words import count_noun
from dosebench.cli import options, output, pump
from dosebench.link.why import format_span

if TYPE_CHECKING:
    from dosebench.link.client import PumpClient

DAY_MS: Final = 86_400_000
NOT_TRUSTED: Final = ("bad_tags", "replays", "sessionless")
"""Fields of a status that count frames which were sound and not trusted."""
ERASES_MAX: Final = 100_000
"""Erases that a sector bears (W25Q family, data sheet: at least 100,000 program-erase cycles)."""
DAYS_PER_YEAR: Final = 365.25
LIFE_YEARS_SHOWN: Final = 1000
"""A longer life is told as more than this (chosen: nothing else of a pump lasts so long)."""

Ratio = tuple[int, int]
"""Numerator and denominator."""


@click.command()
@options.port_options
@click.option("--memory", is_flag=True, help="Show instead what the pump's flash holds, and how long it will last.")
@options.json_option
def status(port: str | None, baud: int, memory: bool, as_json: bool) -> None:
    """Show what the pump does now."""
    if memory:
        _show_memory(port, baud, as_json)
        return
    with pump.connect_pump(port, baud) as client:
        state, therapy = client.read_status(), pump.therapy_of(client)
        report = report_of(client.hello_reply, state, therapy) | {"measured_ml": _measured_content(client, state)}
    if as_json:
        output.print_json(report)
    else:
        output.print_rows(_list_rows(report))


def _measured_content(client: PumpClient, state: dict[str, Any]) -> float | None:
    """Content by the level sensor, in mL; None where there is none that can be believed."""
    steps = output.read_sensor(client, "level")
    return None if steps is None else _multiply_known((steps, 10**6), _counted_nl(state))


def _counted_nl(state: dict[str, Any]) -> Ratio:
    """Volume of the steps that the pump counts in, in nL."""
    return state["step_nl_num"], state["step_nl_den"]


def report_of(hello: dict[str, Any], state: dict[str, Any], therapy: dict[str, Any] | None) -> dict[str, Any]:
    """The pump's status with the units and names that people use; the keys of `status --json`, less `measured_ml`."""
    rate = (state["rate_num"], state["rate_den"])
    step_nl = (therapy["step_nl_num"], therapy["step_nl_den"]) if therapy else None
    step_ng = (therapy["step_ng_num"], therapy["step_ng_den"]) if therapy else None
    # What comes out while a bridge lasts is the old solution.
    bridged = therapy is not None and state["bridge_left_steps"] > 0
    now_ng = (therapy["bridge_ng_num"], therapy["bridge_ng_den"]) if therapy and bridged else step_ng
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
        "concentration_ug_per_ml": _multiply_known((1000, 1), step_ng, step_nl and step_nl[::-1]),
        "therapy_id": state["therapy_id"] if therapy else None,
        "generation": state["generation"],
        "daily_dose_ug": _multiply_known(rate, (DAY_MS, 1000), now_ng),
        "daily_volume_ml": _multiply_known(rate, (DAY_MS, 10**6), step_nl),
        "flex_step": flex_step(state, therapy) if therapy and therapy["mode"] == "flex" else None,
        "pattern_lag_s": state["pattern_lag_ms"] / 1000,
        "titration_day": state["titration_day"],
        "windows": [_window_values(row) for row in state["window_ng"]],
        "bolus_kind": state["bolus_kind"],
        "bolus_left_ug": _multiply_known((state["bolus_left_steps"], 1000), now_ng),
        "bolus_left_steps": state["bolus_left_steps"],
        "square_left_ug": _multiply_known((state["square_left_steps"], 1000), now_ng),
        "square_left_steps": state["square_left_steps"],
        "patient_left": state["patient_left"] if therapy and therapy["patient_steps"] else None,
        "lockout_left_s": state["lockout_left_ms"] / 1000,
        "step_ul": _multiply_known((1, 1000), _counted_nl(state)),
        "bridge_left_ml": _multiply_known((state["bridge_left_steps"], 10**6), step_nl),
        "bridge_left_steps": state["bridge_left_steps"],
        "reservoir_ml": _reservoir_content(state),
        "reservoir_low": bool(
            therapy and state["reservoir_known"] and state["reservoir_steps"] <= therapy["low_steps"]
        ),
        "delivered_steps_low": state["low_steps"],
        "delivered_steps_high": state["high_steps"],
        "missed_steps": state["missed_steps"],
        "battery_mv": state["battery_mv"],
        "alarms": ordered(state["alarms"]),
        "priority": state["priority"],
        "silenced_s": state["silenced_ms"] / 1000,
        "stopped_s": state["stopped_ms"] / 1000,
        "lasts_days": output.lasts_days(state),
        "pump_time": {"day": state["day"], "ms": state["ms"]},
        "local_time": _local_time(state),
        "journal_first": state["journal_first"],
        "journal_next": state["journal_next"],
        "boot_count": state["boot_count"],
        "bad_frames": state["bad_frames"],
        "staged_bytes": state["staged_bytes"],
        "paired": bool(state["paired"]),
        "session_role": state["session_role"],
        "session_left_s": state["session_left_ms"] / 1000,
        "not_trusted": {name: state[name] for name in NOT_TRUSTED},
    }


def _trust_rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Rows about keys and frames that were not trusted, where there is something to say."""
    rows = [] if report["paired"] else [("keys", "none: unpaired, takes nothing but questions and stop")]
    counts = [f"{count} {name.replace('_', ' ')}" for name, count in report["not_trusted"].items() if count]
    return rows + ([("not trusted", f"since the boot: {', '.join(counts)}")] if counts else [])


def _show_memory(port: str | None, baud: int, as_json: bool) -> None:
    with pump.connect_pump(port, baud) as client:
        told, state = client.read_memory(), client.read_status()
    report = memory_report(told, state["day"] + state["ms"] / DAY_MS)
    if as_json:
        output.print_json(report)
    else:
        output.print_rows(_memory_lines(report))


def memory_report(told: dict[str, Any], age_days: float) -> dict[str, Any]:
    """What the flash holds and how it wears; the keys of `dosebench status --memory --json`.

    Args:
        told: Reply to `memory`.
        age_days: Pump time, over which the wear was.
    """
    rings = {}
    for name in ("routine", "fault"):
        ring = {key: told[f"{name}_{key}"] for key in ("first", "next", "sectors", "opened", "voids", "damaged")}
        ring["erases_per_sector"] = ring["opened"] / ring["sectors"] if ring["sectors"] else 0.0
        rings[name] = ring | {"life_years": life_years(ring["erases_per_sector"], age_days)}
    generation = told["program_generation"]
    therapy = {"generation": generation, "mended": told["program_mended"], "erases_per_sector": float(generation)}
    return {
        "age_days": age_days,
        **rings,
        "therapy": therapy | {"life_years": life_years(generation, age_days)},
    }


def life_years(erases: float, age_days: float) -> float | None:
    """Years until `ERASES_MAX` at the wear so far; None where there was none."""
    return ERASES_MAX / erases * age_days / DAYS_PER_YEAR if erases and age_days else None


def _memory_lines(report: dict[str, Any]) -> list[tuple[str, str]]:
    lines = []
    for name, label in (("routine", "journal"), ("fault", "faults")):
        ring = report[name]
        held = f"{ring['next'] - ring['first']} records held of {ring['next']}"
        lines.append((label, f"{held}, {ring['sectors']} sectors"))
        amiss = f"{count_noun(ring['voids'], 'record')} cut, {ring['damaged']} damaged"
        lines.append((f"{label} at boot", amiss if ring["voids"] or ring["damaged"] else "all sound"))
        lines.append((f"{label} wear", _describe_wear(ring)))
    therapy = report["therapy"]
    mended = f", {therapy['mended']} copies mended since the boot" if therapy["mended"] else ""
    lines += [("therapy", f"generation {therapy['generation']}{mended}"), ("therapy wear", _describe_wear(therapy))]
    return lines


def _describe_wear(part: dict[str, Any]) -> str:
    number = output.shown_number
    erases = f"{number(part['erases_per_sector'], 3)} erases of each sector"
    years = part["life_years"]
    if years is None:
        return erases
    lasts = f"more than {LIFE_YEARS_SHOWN} years" if years > LIFE_YEARS_SHOWN else f"{number(years, 3)} years"
    return f"{erases}, {lasts} at this rate"


def _window_values(row: dict[str, int]) -> dict[str, float]:
    """A rolling window: its length, what it holds and may hold, and what room that leaves."""
    held, most = row["ng"], row["ng_max"]
    return {
        "minutes": row["minutes"],
        "dose_ug": held / 1000,
        "cap_ug": most / 1000,
        "room_ug": max(0, most - held) / 1000,
    }


def flex_step(state: dict[str, Any], therapy: dict[str, Any]) -> dict[str, Any] | None:
    """The step of the day pattern that runs: `pattern` from 1, and the time `at` which it began.

    While the pattern runs after or ahead of the calendar, its own time is one of two; the rate tells which. None where
    the clock is unknown or the rate that runs is another.
    """
    if not state["clock_known"]:
        return None
    now, lag = state["local_days"] * DAY_MS + state["local_ms"], state["pattern_lag_ms"]
    for at in (now - lag, now + lag):
        step = _step_at(at, therapy)
        rate = therapy["rates"][step["rate"]]
        if (rate["num"], rate["den"]) == (state["rate_num"], state["rate_den"]):
            return {"pattern": step["pattern"] + 1, "at": f"{step['minute'] // 60:02}:{step['minute'] % 60:02}"}
    return None


def _step_at(at_ms: int, therapy: dict[str, Any]) -> dict[str, int]:
    """The flex step of a local time in ms since 2000-01-01, a Saturday."""
    pattern = therapy["weekdays"][(at_ms // DAY_MS + 5) % 7]
    minute = at_ms % DAY_MS // 60_000
    steps: list[dict[str, int]] = [step for step in therapy["flex"] if step["pattern"] == pattern]
    return [step for step in steps if step["minute"] <= minute][-1]


def _multiply_known(*factors: Ratio | None) -> float | None:
    """The product of fractions, rounded once; None where one is not known. `fractions` would cost 4 ms of a start."""
    numerator = denominator = 1
    for factor in factors:
        if factor is None:
            return None
        numerator *= factor[0]
        denominator *= factor[1]
    return numerator / denominator


def _reservoir_content(state: dict[str, Any]) -> float | None:
    if not state["reservoir_known"]:
        return None
    return _multiply_known((state["reservoir_steps"], 10**6), _counted_nl(state))


def _local_time(state: dict[str, Any]) -> str | None:
    if not state["clock_known"]:
        return None
    return output.local_time(state["local_days"], state["local_ms"]).isoformat(timespec="milliseconds")


def _list_rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    lines = [
        ("pump", f"{report['device_id'].hex()}  {report['profile']} on {report['board']}"),
        ("firmware", f"{report['firmware']}  ({report['runtime']})"),
        ("delivery", _describe_delivery(report)),
    ]
    if report["drug"] is not None:
        lines += _therapy_lines(report)
    hours = report["pump_time"]["ms"] / 3_600_000
    lines += [
        ("battery", f"{report['battery_mv']} mV"),
        ("clock", _describe_clock(report)),
        (
            "age",
            f"{count_noun(report['pump_time']['day'], 'day')} {hours:.1f} h, "
            f"{count_noun(report['boot_count'], 'boot')}",
        ),
        ("journal", f"{count_noun(report['journal_next'], 'record')}, from {report['journal_first']}"),
        ("alarms", _describe_alarms(report)),
        *_trust_rows(report),
    ]
    return lines


def _describe_alarms(report: dict[str, Any]) -> str:
    """The alarms that are on, the most urgent first."""
    if not report["alarms"]:
        return "none"
    silenced = report["silenced_s"]
    silent = f", silenced for {output.shown_number(silenced / 60, 3)} min" if silenced else ""
    return f"{', '.join(report['alarms'])} ({report['priority']} priority{silent}): see `dosebench alarms`"


def _therapy_lines(report: dict[str, Any]) -> list[tuple[str, str]]:
    number = output.shown_number
    lines = [
        ("drug", f"{report['drug']} {number(report['concentration_ug_per_ml'])} ug/mL"),
        ("rate now", f"{number(report['daily_dose_ug'])} ug/day = {number(report['daily_volume_ml'])} mL/day"),
        *_window_lines(report["windows"]),
        *_bolus_lines(report),
    ]
    reservoir = report["reservoir_ml"]
    content = "unknown: run `dosebench refill`" if reservoir is None else f"{number(reservoir)} mL"
    if report["measured_ml"] is not None:
        content += f" ({number(report['measured_ml'], 3)} mL measured)"
    if report["lasts_days"] is not None:
        content += f", empty in {output.format_span(report['lasts_days'])} at this rate"
    lines.append(("reservoir", content + (" (low)" if report["reservoir_low"] else "")))
    low, high = report["delivered_steps_low"], report["delivered_steps_high"]
    lines.append(("delivered", f"{count_noun(low, 'step')} in all" if low == high else f"{low} to {high} steps in all"))
    if report["missed_steps"]:
        lines.append(("missed", count_noun(report["missed_steps"], "step")))
    return lines


def _window_lines(windows: list[dict[str, float]]) -> list[tuple[str, str]]:
    number = output.shown_number
    lines = []
    for window in windows:
        hours, minutes = divmod(int(window["minutes"]), 60)
        length = f"{window['minutes']} min" if minutes else f"{hours} h"
        held, most, room = (number(window[name]) for name in ("dose_ug", "cap_ug", "room_ug"))
        lines.append((f"last {length}", f"{held} ug of at most {most} ug: room for {room} ug"))
    return lines


def _bolus_lines(report: dict[str, Any]) -> list[tuple[str, str]]:
    """What runs besides the basal, and what the patient may ask for."""
    number = output.shown_number
    lines = []
    if report["bolus_left_steps"]:
        left = f"{number(report['bolus_left_ug'])} ug to go ({count_noun(report['bolus_left_steps'], 'step')})"
        lines.append(("bolus", f"{report['bolus_kind']}, {left}"))
    if report["square_left_steps"]:
        waits = ", waiting for the other one" if report["bolus_left_steps"] else ""
        left = f"{number(report['square_left_ug'])} ug to go ({count_noun(report['square_left_steps'], 'step')})"
        lines.append(("square", f"{left}{waits}"))
    if report["bridge_left_steps"]:
        lines.append(("bridge", f"{number(report['bridge_left_ml'])} mL of the old solution still to go"))
    if report["patient_left"] is not None:
        lockout = report["lockout_left_s"]
        locked = f", locked for {number(lockout / 60, 3)} min" if lockout else ""
        lines.append(("patient", f"{count_noun(report['patient_left'], 'bolus')} left in 24 h{locked}"))
    return lines


def _describe_delivery(report: dict[str, Any]) -> str:
    if report["delivery"] == "unprogrammed":
        return "not programmed: run `dosebench program FILE`"
    if report["delivery"] == "running":
        return f"running, {_describe_mode(report)}"
    if report["delivery"] == "safe":
        return "safe state: see the alarms, put the cause right, then `dosebench clear`"
    return f"stopped ({report['stop_reason']}) for {format_span(report['stopped_s'] * 1000)}"


def _describe_clock(report: dict[str, Any]) -> str:
    return report["local_time"] or "not set: run `dosebench clock --set now`"


def _describe_mode(report: dict[str, Any]) -> str:
    """The mode, and what of it runs now."""
    if report["mode"] == "titration":
        return f"titration, day {report['titration_day']}"
    step = report["flex_step"]
    if report["mode"] != "flex" or report["bridge_left_steps"]:
        return str(report["mode"])
    if step is None:
        return "flex, at the fallback rate" if report["local_time"] is None else "flex"
    lag = report["pattern_lag_s"]
    apart = f", {output.shown_number(lag, 4)} s from the calendar" if lag else ""
    return f"flex, pattern {step['pattern']} since {step['at']}{apart}"
