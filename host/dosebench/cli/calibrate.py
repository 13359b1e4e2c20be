"""`dosebench calibrate`: the volume of a step, measured against a balance or a measured volume."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from dosebench.base.errors import DosebenchError
from dosebench.base.units import UnitError
from dosebench.base.words import count_noun
from dosebench.bench import calibration, edit
from dosebench.bench.calibration import Run, measured_nl
from dosebench.bench.file import load_bench
from dosebench.bench.rules import CALIBRATION_MAX
from dosebench.bench.schema import CalibrationStep
from dosebench.cli import options, output, pump
from dosebench.cli.options import FILE
from dosebench.cli.progress import show_progress
from dosebench.cli.pump import read_therapy, volume_steps

if TYPE_CHECKING:
    from dosebench.bench.calibration import Method, Result
    from dosebench.bench.file import Bench
    from dosebench.link.client import PumpClient

POLL_S: Final = 20.0
"""Longest time between two questions while a run delivers: the session stays open."""
TAUS: Final = 6
"""So many time constants of the line pass after a run before it is weighed: a four-hundredth is still in it then."""


class NotCalibratedError(DosebenchError):
    """A run of a calibration cannot be done, or its result cannot be taken."""


@dataclass(frozen=True)
class _Order:
    """What the user asked for."""

    amount: str
    runs: int
    celsius: float
    as_json: bool


@click.command()
@click.argument("file", type=FILE)
@click.option("--amount", default="200 steps", show_default=True, help='Of each run: "200 steps", or a volume.')
@click.option("--runs", type=click.IntRange(3, 50), default=5, show_default=True, help="How many runs.")
@click.option("--celsius", type=float, default=20.0, show_default=True, help="Temperature of the water.")
@click.option("--resolution", metavar="AMOUNT", help='Last digit of the instrument, such as "0.1 mg" or "10 uL".')
@click.option(
    "--from-csv", type=FILE, metavar="CSV", help="Take runs that were recorded elsewhere; no pump is needed then."
)
@click.option("-y", "--yes", is_flag=True, help="Write the result into FILE without asking.")
@options.port_options
@options.json_option
def calibrate(
    file: Path,
    *,
    amount: str,
    runs: int,
    celsius: float,
    resolution: str | None,
    from_csv: Path | None,
    yes: bool,
    port: str | None,
    baud: int,
    as_json: bool,
) -> int:
    """Measure the volume of a pump's step, and write it into its bench FILE.

    The pump is filled with water and delivers the same number of steps again and again, as a priming bolus while it is
    stopped, or as a clinician bolus on top of its basal while it runs; every step goes through the dose guard. After
    each run you give the mass on the balance ("52.3 mg") or a volume ("52 uL"). The result is the mean with its
    expanded uncertainty. Nothing changes in the pump: `dosebench flash --update --bench FILE` carries the step volume
    to the board, and the therapy has to be programmed again then.
    """
    bench = load_bench(file)
    calibration.water_density(celsius)
    digit_nl = 0.0 if resolution is None else calibration.measured_nl(resolution, celsius)[0]
    measured: list[Run]
    if from_csv is None:
        with pump.open_commands(port, baud) as client:
            measured, method = _measure_runs(client, bench, _Order(amount, runs, celsius, as_json))
    else:
        measured, method = calibration.from_csv(from_csv, celsius)
    result = calibration.evaluate_runs(measured, digit_nl, weighed=method == "mass")
    values = _report_calibration(file, bench, measured, result, method)
    wanted = _is_acceptable(bench, result) and _is_wanted(yes, as_json, file, values)
    values["written"] = wanted and _write_calibration(bench, result, method)
    output.print_answer(as_json, values, _describe_result(values))
    return 0 if _is_acceptable(bench, result) else 1


# Runs


def _measure_runs(client: PumpClient, bench: Bench, order: _Order) -> tuple[list[Run], Method]:
    therapy = read_therapy(client)
    step_nl = Fraction(therapy["step_nl_num"], therapy["step_nl_den"])
    steps = volume_steps(order.amount, step_nl)
    deliver = _choose_delivery(client, therapy, steps)
    settle_s = float(TAUS * bench.nominal.catheter.time_constant / 1000)
    runs: list[Run] = []
    methods: set[Method] = set()
    for number in range(1, order.runs + 1):
        _ask_value(f"Run {number} of {order.runs}: tare the balance, then press Enter", order.as_json, str, "")
        made = _deliver_run(client, deliver, steps, settle_s, quiet=order.as_json)
        volume, method = _ask_value(
            f"{count_noun(made, 'step')}. What does the balance show",
            order.as_json,
            lambda text: _parse_weight(text, order.celsius),
        )
        methods.add(method)
        runs.append(Run(made, volume))
    if len(methods) != 1:
        raise NotCalibratedError("some runs were weighed and some were not", hint="give all as mass, or all as volume")
    return runs, methods.pop()


def _ask_value(text: str, as_json: bool, convert: Callable[[str], Any], default: str | None = None) -> Any:
    return click.prompt(text, default=default, show_default=False, value_proc=convert, err=as_json)


def _parse_weight(text: str, celsius: float) -> tuple[float, Method]:
    try:
        volume, method = measured_nl(text, celsius)
    except UnitError as error:
        raise click.BadParameter(str(error)) from None
    if not volume:
        raise click.BadParameter("nothing was delivered: look at pump and line")
    return volume, method


def _choose_delivery(client: PumpClient, therapy: dict[str, Any], steps: int) -> Callable[[], None]:
    """How the pump delivers a run in the state that it is in. Raises NotCalibratedError where it cannot."""
    state = client.read_status()
    if state["delivery"] == "running":
        most = int(therapy["bolus_steps_max"])
        if not 1 <= steps <= most:
            raise NotCalibratedError(f"a run of {count_noun(steps, 'step')}: the therapy allows a bolus of 1 to {most}")

        def give_bolus() -> None:
            client.give_bolus(steps)

        return give_bolus
    most = int(therapy["prime_steps_max"])
    if not most:
        raise NotCalibratedError(
            "this therapy allows no priming", hint="start the pump for runs by bolus, or give the regimen a catheter"
        )
    if not 1 <= steps <= most:
        raise NotCalibratedError(f"a run of {count_noun(steps, 'step')}: the therapy allows a priming of 1 to {most}")

    def prime_path() -> None:
        client.prime_arm(steps, int(therapy["path_version"]))
        client.give_priming(steps)

    return prime_path


def _deliver_run(client: PumpClient, begin: Callable[[], None], steps: int, settle_s: float, quiet: bool) -> int:
    """Deliver a run and wait until the line is at rest; return the steps that the pump made meanwhile.

    Raises:
        NotCalibratedError: The pump stopped the run, or does not know how many steps it made.
    """
    before = _count_steps(client)
    begin()
    with show_progress("delivering", "steps", quiet) as moved:
        while left := int(client.read_status()["bolus_left_steps"]):
            moved(steps - left, steps)
            client.wait_time(POLL_S)
    client.wait_time(settle_s)
    low, high = (after - since for after, since in zip(_count_steps(client), before, strict=True))
    if low != high or low < steps:
        made = f"{low}" if low == high else f"{low} to {high}"
        raise NotCalibratedError(
            f"the pump made {made} of {count_noun(steps, 'step')}", hint="it was stopped or reset: see `dosebench why`"
        )
    return low


def _count_steps(client: PumpClient) -> tuple[int, int]:
    """Least and most steps of the pump's life: a reset in the past keeps them apart, and both grow with each step."""
    state = client.read_status()
    return int(state["low_steps"]), int(state["high_steps"])


# The result


def _report_calibration(file: Path, bench: Bench, runs: list[Run], result: Result, method: Method) -> dict[str, Any]:
    before = float(bench.step_nl)
    return {
        "file": str(file),
        "method": method,
        "runs": [
            {"steps": run.steps, "volume_ul": run.volume_nl / 1000, "step_ul": run.step_nl / 1000} for run in runs
        ],
        "steps": result.steps,
        "step_ul": float(result.rounded_nl() / 1000),
        "spread_ul": result.spread_nl / 1000,
        "uncertainty_ul": result.uncertainty_nl / 1000,
        "coverage": result.coverage,
        "before_ul": before / 1000,
        "nominal_ul": float(bench.nominal.delivery.step_volume / 1000),
        "change_percent": 100 * (result.step_nl / before - 1),
        "significant": abs(result.step_nl - before) > result.uncertainty_nl,
        "acceptable": _is_acceptable(bench, result),
        "written": False,
    }


def _is_acceptable(bench: Bench, result: Result) -> bool:
    return abs(result.rounded_nl() / bench.nominal.delivery.step_volume - 1) <= CALIBRATION_MAX


def _is_wanted(yes: bool, as_json: bool, file: Path, values: dict[str, Any]) -> bool:
    if yes or as_json or not sys.stdin.isatty():
        return yes
    click.echo(_describe_figures(values))
    return click.confirm(f"Write {output.shown_number(values['step_ul'])} uL into {file}?", default=False)


def _write_calibration(bench: Bench, result: Result, method: Method) -> bool:
    step = CalibrationStep.model_construct(
        measured=datetime.now().isoformat(timespec="seconds"),
        step_volume=result.rounded_nl(),
        uncertainty=Fraction(f"{result.uncertainty_nl:.3g}"),
        before=bench.step_nl,
        spread=Fraction(f"{result.spread_nl:.3g}"),
        runs=result.runs,
        steps=result.steps,
        method=method,
    )
    edit.write_calibration(bench, step)
    return True


def _describe_figures(values: dict[str, Any]) -> str:
    number = output.shown_number
    within = "." if values["significant"] else ", which is within the uncertainty."
    return (
        f"A step is {number(values['step_ul'])} uL, +- {number(values['uncertainty_ul'], 2)} uL (95 %, "
        f"{count_noun(len(values['runs']), 'run')} of {count_noun(values['steps'], 'step')} in all, standard deviation "
        f"{number(values['spread_ul'], 2)} uL): {values['change_percent']:+.3g} % against "
        f"{number(values['before_ul'])} uL until now{within}"
    )


def _describe_result(values: dict[str, Any]) -> str:
    if not values["acceptable"]:
        after = (
            f"That is too far from the {output.shown_number(values['nominal_ul'])} uL of the profile: look at pump, "
            "line, and the mechanics of the bench file. Nothing was written."
        )
    elif values["written"]:
        after = (
            f"Written into {values['file']}. `dosebench flash --update --bench {values['file']}` carries it to the "
            "board; program the pump again then, with the same --bench."
        )
    else:
        after = f"Nothing was written into {values['file']}: --yes does that without a question."
    return f"{_describe_figures(values)}\n{after}"
