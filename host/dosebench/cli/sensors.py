"""`dosebench sensors` and `dosebench patency`: what the pump senses, and whether its catheter is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from dosebench.base.errors import DosebenchError
from dosebench.bench.patency import WATCHED, expected_peak, judge_patency
from dosebench.cli import options, output, pump
from dosebench.cli.pump import outcome_json, read_therapy
from dosebench.profile.load import load_profile

if TYPE_CHECKING:
    from dosebench.bench.patency import Patency
    from dosebench.link.client import PumpClient
    from dosebench.profile.model import Profile

FAULTY: Final = 1
"""Exit code when a sensor cannot be believed, or a catheter is not open."""
READINGS_PER_TAU: Final = 8
READINGS_BEFORE: Final = 8
WORDS: Final = {
    "open": "The catheter is open",
    "occluded": "The catheter is occluded: the pressure does not go away",
    "leaking": "The line leaks, is off, or holds air: the pressure does not rise",
}


@click.command()
@options.port_options
@options.json_option
def sensors(port: str | None, baud: int, as_json: bool) -> int:
    """Show what the pump's sensors read, and whether they can be believed.

    The exit code is 1 when one is open, shorted or stuck.
    """
    with pump.connect_pump(port, baud) as client:
        rows = client.read_sensors()
        step_nl = float(pump.step_nl(client))
    told = [_sensor_row(row, step_nl) for row in rows]
    if as_json:
        output.print_json({"device_id": client.device_id, "sensors": told})
    else:
        output.print_rows([(row["sensor"], _format_row(row)) for row in told])
    return FAULTY if any(row["state"] != "ok" for row in told) else 0


def _sensor_row(row: dict[str, Any], step_nl: float) -> dict[str, Any]:
    value, unit = _convert_value(row["sensor"], row["value"], step_nl)
    raw = None if row["sensor"] == "flow" else int(row["raw_mv"])
    return {"sensor": row["sensor"], "state": row["state"], "raw_mv": raw, "value": value, "unit": unit}


def _convert_value(sensor: str, value: int | None, step_nl: float) -> tuple[float | None, str]:
    """A value with its unit; one that is not known has the unit that it would have."""
    shown, unit = _in_unit(sensor, value or 0, step_nl)
    return (None if value is None else shown), unit


def _in_unit(sensor: str, value: int, step_nl: float) -> tuple[float, str]:
    if sensor == "pressure":
        return value / 1000, "kPa"
    if sensor == "temperature":
        return round(value / 1000 - 273.15, 2), "degC"
    if sensor == "level":
        return value * step_nl / 1e6, "mL"
    return (value, "counts") if sensor == "flow" else (value, "mV")


def _format_row(row: dict[str, Any]) -> str:
    value = "no value" if row["value"] is None else f"{output.shown_number(row['value'], 5)} {row['unit']}"
    if row["state"] != "ok" and row["value"] is not None:
        value = f"last {value}"
    raw = "" if row["raw_mv"] is None else f"{row['raw_mv']} mV"
    return f"{row['state']:6} {raw:>8}  {value}"


@click.command()
@options.port_options
@options.json_option
def patency(port: str | None, baud: int, as_json: bool) -> int:
    """Check that the catheter of a stopped pump is open, with a small test volume.

    The pump delivers the test volume of its profile. It is drug, and counts in every dose limit. The pressure before
    and after it tells whether the line is open, with its time constant, occluded, or leaking. The exit code is 1 unless
    it is open.
    """
    with pump.open_commands(port, baud) as client:
        read_therapy(client)
        profile = _find_profile(client)
        steps = int(profile.count_steps(profile.watch.patency))
        outcome, found = check_patency(client, profile, steps)
    values = {
        **outcome_json(client, outcome),
        "verdict": found.verdict,
        "steps": steps,
        "volume_ul": float(steps * profile.delivery.step_volume / 1000),
        "peak_kpa": found.peak_pa / 1000,
        "expected_kpa": found.expected_pa / 1000,
        "residual_kpa": found.residual_pa / 1000,
        "time_constant_s": found.time_constant_s,
        "expected_time_constant_s": float(profile.catheter.time_constant / 1000),
    }
    output.print_answer(as_json, values, _describe_result(values))
    return 0 if found.verdict == "open" else FAULTY


def _find_profile(client: PumpClient) -> Profile:
    return load_profile(client.hello_reply["profile"].decode(errors="replace"))


def check_patency(client: PumpClient, profile: Profile, steps: int) -> tuple[dict[str, Any], Patency]:
    """Deliver `steps`, and watch the pressure. Raises DosebenchError without a pressure sensor that can be believed."""
    tau_s = float(profile.catheter.time_constant / 1000)
    every_s = float(1 / profile.count_steps(profile.delivery.rate_max) / 1000)
    rise_pa = float(profile.delivery.step_volume / profile.catheter.compliance)
    before = [_read_pressure(client) for _ in range(READINGS_BEFORE)]
    outcome = client.test_patency(steps)
    began = client.clock()
    end_s = steps * every_s
    readings = []
    while (at := client.clock() - began) < end_s + WATCHED * tau_s:
        readings.append((at, float(_read_pressure(client))))
        client.wait_time(min(tau_s, every_s) / READINGS_PER_TAU)
    expected = expected_peak(steps, every_s, rise_pa, tau_s)
    return outcome, judge_patency(readings, sum(before) / len(before), end_s, expected)


def _read_pressure(client: PumpClient) -> int:
    pressure = output.read_sensor(client, "pressure")
    if pressure is None:
        raise DosebenchError(
            "this pump has no pressure sensor that can be believed", hint="`dosebench sensors` shows what it has"
        )
    return pressure


def _describe_result(values: dict[str, Any]) -> str:
    number = output.shown_number
    took, usual = values["time_constant_s"], values["expected_time_constant_s"]
    after = f", time constant {number(took, 3)} s (profile {number(usual, 3)} s)" if took else ""
    return (
        f"{WORDS[values['verdict']]}{after}. {number(values['volume_ul'])} uL raised it by "
        f"{number(values['peak_kpa'], 3)} kPa (expected {number(values['expected_kpa'], 3)}), "
        f"{number(values['residual_kpa'], 2)} kPa stayed."
    )
