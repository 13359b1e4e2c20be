"""Writes docs/boards: a page and a wiring diagram for each example bench, from its file.

`python -m dosebench.bench.pages` rewrites them; `--check` fails where they are not what the files say.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dosebench.base import units
from dosebench.base.paths import examples_dir
from dosebench.bench.drawing import draw_bench
from dosebench.bench.file import Bench, load_bench
from dosebench.bench.mechanics import count_motion
from dosebench.bench.rules import pin_uses, shown_error
from dosebench.bench.schema import DcMotor, SolenoidMotor, StepDirMotor, UartPort, UnipolarMotor

_COPY: Final = "my-bench.toml"
"""What a reader's own copy of an example is called: calibrating writes into it."""
_MARK: Final = "<!-- Generated from examples/benches/{name}.toml by `make gen`; do not edit. -->"
_NEVER: Final = "A bench for tests and teaching. **Never for use on people.**"
_USES: Final = {"out": "output", "in": "input", "adc": "converter"}


def generate_pages() -> dict[str, str]:
    """Every generated file of docs/boards by name, with its text."""
    made = {}
    found = [load_bench(path) for path in sorted((examples_dir() / "benches").glob("*.toml"))]
    for bench in found:
        made[f"{bench.tables.name}.md"] = _write_page(bench)
        made[f"{bench.tables.name}.svg"] = draw_bench(bench)
    made["README.md"] = _write_index(found)
    return made


def _write_page(bench: Bench) -> str:
    tables = bench.tables
    lines = [
        f"# {tables.title}",
        "",
        _MARK.format(name=tables.name),
        "",
        f"{_NEVER} Its file is `examples/benches/{tables.name}.toml`, its pump the profile `{bench.nominal.name}`.",
        "",
        f"![Wiring diagram: {tables.title}]({tables.name}.svg)",
        "",
        "## Pins",
        "",
        *_pin_rows(bench),
        "",
        *_wiring_notes(bench),
        "",
        "## A step of the pump",
        "",
        *_step_rows(bench),
        "",
        "## Shopping list",
        "",
        *(f"- {part}" for part in tables.parts),
        "",
        "## First light",
        "",
        *(f"{number}. {step}" for number, step in enumerate(_first_light(bench), 1)),
    ]
    return "\n".join(lines) + "\n"


def _pin_rows(bench: Bench) -> Iterator[str]:
    board = bench.board
    header = " header pin |" if board.positions else ""
    yield f"| pin |{header} is | for |"
    yield f"|---|{'---|' if header else ''}---|---|"
    for use in sorted(pin_uses(bench.tables), key=lambda use: use.pin):
        place = f" {board.positions.get(use.pin, '')} |" if header else ""
        yield f"| {board.label_pin(use.pin)} |{place} {_USES[use.use]} | {use.role} |"


def _wiring_notes(bench: Bench) -> Iterator[str]:
    yield "- All grounds are one: of the board, the driver, the sensors, and every supply."
    if isinstance(bench.tables.port, UartPort):
        yield "- TX of the board goes to RX of the adapter, and RX to TX. The adapter works at 3.3 V, never at 5 V."
    if any(use.use == "adc" for use in pin_uses(bench.tables)):
        yield f"- {bench.board.hint}" if bench.board.hint else "- Keep the leads of the converter short."
    for note in bench.tables.notes:
        yield f"- {note}"
    for warning in bench.warnings:
        yield f"- `{warning.key}`: {warning.message}."


def _step_rows(bench: Bench) -> Iterator[str]:
    step, nominal = bench.motion, bench.nominal.delivery
    kind = bench.tables.motor.kind
    yield (
        f"A step of `{bench.nominal.name}` is {units.format_amount(nominal.step_volume, 'uL')}: "
        f"{count_motion(kind, step.units)}, "
        f"each of {units.format_amount(step.unit_nl, 'uL', 4)} by the mechanics in the file. Together that is "
        f"{units.format_amount(step.volume_nl, 'uL', 4)}, {shown_error(step, nominal.step_volume)} off, and takes "
        f"{units.format_amount(step.time_ms, 'ms', 4)} of the {units.format_amount(nominal.step_time, 'ms')} "
        f"that the profile gives it."
    )
    yield ""
    yield (
        "`dosebench calibrate` measures what it really is. Without an encoder the commanded steps are counted."
        if step.encoder_counts is None
        else f"The encoder sees {int(step.encoder_counts)} counts in it. `dosebench calibrate` measures its volume."
    )


def _first_light(bench: Bench) -> Iterator[str]:
    yield (
        f"Copy the file to `{_COPY}`, put your own pins and mechanics into it, and run `dosebench bench check {_COPY}`."
    )
    yield "Wire everything but the motor's supply. Measure 3.3 V between 3V3 and GND, and no more at any pin."
    yield f"With MicroPython 1.24 or newer on the board: `dosebench flash --bench {_COPY}`."
    yield f"`dosebench status` answers, and `dosebench sensors` shows each sensor as ok{_describe_trust(bench)}."
    cell = bench.device_json()["hx711"]
    if cell is not None:
        yield (
            "Note what `dosebench sensors` shows of the load cell, in mV, with an empty and with a full reservoir. A "
            f"raw reading is {cell['offset']} + mV x {cell['den']} / {cell['num']} with the figures of this file: put "
            "both into `empty` and `full`, and do step 3 with `--update`."
        )
    regimen = _find_regimen(bench.nominal.name)
    yield f"`dosebench program {regimen}`. Nothing moves yet: the shaft turns freely, and the driver is off."
    yield _switch_on(bench)
    yield (
        "Pull the board's plug while it delivers, and plug it in again: nothing turns until it has booted, and "
        "`dosebench log show` counts the slice that was open as delivered."
    )
    yield "Fill the line with water, without air, and look at `dosebench watch` while it delivers."
    yield (
        f"`dosebench calibrate {_COPY} --amount STEPS`, with as many steps as the regimen allows in a bolus or a "
        f"priming; then step 3 with `--update`, and `dosebench program` again with `--bench {_COPY}`."
    )


def _describe_trust(bench: Bench) -> str:
    sensors = bench.tables.sensors
    tries = ["breathe on the temperature sensor"] if sensors.temperature else []
    tries += ["blow into the pressure port"] if sensors.pressure else []
    return f" with a figure that you believe: {', '.join(tries)}" if tries else " with a figure that you believe"


def _switch_on(bench: Bench) -> str:
    motor = bench.tables.motor
    if isinstance(motor, StepDirMotor):
        return (
            "Switch the motor's supply on; set the driver's current to what the motor bears. `dosebench start`: where "
            "the shaft turns the wrong way, change `forward`, and do step 3 with `--update`."
        )
    if isinstance(motor, UnipolarMotor):
        return (
            "Switch the motor's supply on. `dosebench start`: the four LEDs flash in turn. Where the shaft trembles or "
            "turns the wrong way, put the pins of `coils` into another order."
        )
    if isinstance(motor, SolenoidMotor):
        return "Switch the pump's supply on. `dosebench start`: one click for each step, and no coil that stays on."
    assert isinstance(motor, DcMotor)
    return (
        "Switch the motor's supply on. `dosebench start`: each step is a short turn that the encoder ends. A motor "
        "that runs on for the whole time of the step has no encoder signal: stop, and look at its wires."
    )


def _find_regimen(profile: str) -> str:
    """The first example regimen for a pump of that profile."""
    for path in sorted(examples_dir().glob("*.toml")):
        if path.stem not in ("mistakes", "c6-slip") and tomllib.loads(path.read_text())["profile"] == profile:
            return f"examples/{path.name}"
    raise LookupError(profile)


def _write_index(found: list[Bench]) -> str:
    lines = [
        "# Benches",
        "",
        "<!-- Generated from examples/benches by `make gen`; do not edit. -->",
        "",
        f"{_NEVER} No bench here was built: pins, voltages and motion were checked against data sheets and the bench "
        "files, and the boards' behaviour against simulated ones.",
        "",
        "| bench | board | pump | a step |",
        "|---|---|---|---|",
        *(
            f"| [{bench.tables.title}]({bench.tables.name}.md) | {bench.board.title} | `{bench.nominal.name}` | "
            f"{units.format_amount(bench.nominal.delivery.step_volume, 'uL')}: "
            f"{count_motion(bench.tables.motor.kind, bench.motion.units)} |"
            for bench in found
        ),
        "",
        "How a bench file is written, key by key: [../BENCHES.md](../BENCHES.md).",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write or check docs/boards of the source tree; the exit code is 1 where something is not up to date."""
    directory = examples_dir().parent / "docs" / "boards"
    made = generate_pages()
    stale = [name for name, text in made.items() if _is_outdated(directory / name, text)]
    stale += [path.name for path in sorted(directory.glob("*")) if path.name not in made]
    if "--check" in arguments:
        for name in stale:
            print(f"not up to date: docs/boards/{name}; run `make gen`")
        return 1 if stale else 0
    directory.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name in made:
            (directory / name).write_text(made[name], encoding="utf-8")
        else:
            (directory / name).unlink()
        print(f"wrote: docs/boards/{name}" if name in made else f"removed: docs/boards/{name}")
    return 0


def _is_outdated(path: Path, text: str) -> bool:
    return not path.is_file() or path.read_text(encoding="utf-8") != text


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
