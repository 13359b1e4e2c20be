"""Bench files: how a pump is wired on a bench, as TOML, and what its board is told of it.

`load_bench` reads a file and reports every mistake with its key and line. `Bench.device_json` is what the board file of
the firmware reads (`bench.json`), `Bench.device_config` are the pump's settings with the calibrated step volume.
`docs/boards/` shows the benches of `examples/benches/`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

from dosebench.base import toml_file
from dosebench.base.errors import DosebenchError
from dosebench.base.file_kinds import of_another_kind
from dosebench.base.toml_file import Key, Problem, TomlFile, TomlFileError
from dosebench.bench import schema
from dosebench.bench.mechanics import COUNTED_AS, Motion, nearest_motion
from dosebench.bench.pins import BoardPins, find_board
from dosebench.bench.rules import check_bench
from dosebench.bench.schema import BenchTables
from dosebench.profile.calibrated import calibrate_profile
from dosebench.profile.device_config import CHECKSUM_DIGITS, seal_config
from dosebench.profile.load import load_profile
from dosebench.profile.model import Profile

DEVICE_FORMAT: Final = 1
"""Version of `bench.json`."""
_LOAD_CELL_NUM_MAX: Final = 63
"""Largest numerator of a load cell's scale: the difference of two readings of 24 bits times it stays below 2^30."""
_DIVIDER_NUM_MAX: Final = 79
"""Largest numerator of a divider: 4095 counts of a converter times 3300 mV times it stay below 2^30."""
_TAGS: Final = frozenset({"uart", "step_dir", "unipolar", "dc", "solenoid", "syringe", "rotary", "stroke"}) | {
    "usb",
    "analogue",
    "hx711",
}
"""Tags of the unions of tables that differ by their `kind`."""
_SENSOR_KEYS: Final = {
    "level": ("level_low_mv", "level_high_mv", "level_low", "level_high"),
    "pressure": ("pressure_low_mv", "pressure_high_mv", "pressure_low_pa", "pressure_high_pa"),
    "temperature": ("temperature_low_mv", "temperature_high_mv", "temperature_low_mk", "temperature_high_mk"),
    "air": ("air_mv",),
    "flow": ("flow_nl_num", "flow_nl_den"),
}
"""Settings of the pump by which its firmware knows that it has a sensor."""


class BenchError(TomlFileError):
    """A bench file with mistakes; all of them are in `problems`."""


@dataclass(frozen=True)
class Bench:
    """A bench whose file is right.

    Attributes:
        file: The file, with the line of each key.
        tables: What it says.
        board: Pins of its board.
        nominal: The pump profile that it names, with the nominal step volume.
        motion: One step of the pump in units of its motor.
        warnings: What is allowed and worth a second look.
    """

    file: TomlFile
    tables: BenchTables
    board: BoardPins
    nominal: Profile
    motion: Motion
    warnings: tuple[Problem, ...]

    @property
    def step_nl(self) -> Fraction:
        """Volume of a step in nL: measured, where it was calibrated, else the profile's."""
        calibration = self.tables.calibration
        return calibration.step_volume if calibration else self.nominal.delivery.step_volume

    def calibrated_profile(self) -> Profile:
        """The pump as it is on this bench: its profile with the calibrated step volume. Raises ProfileError."""
        return calibrate_profile(self.nominal, self.step_nl)

    def device_config(self) -> dict[str, int | str]:
        """The pump's settings on this bench, sealed (`config.json`): without the sensors that it does without."""
        config = dict(self.calibrated_profile().device_config())
        for sensor in self.tables.sensors.without:
            for name in _SENSOR_KEYS[sensor]:
                config.pop(name, None)
        return seal_config(config)

    def device_json(self) -> dict[str, Any]:
        """What the board is told of its wiring, sealed (`bench.json`): see `sealed_bench`."""
        bench = self.tables
        return sealed_bench(
            {
                "format": DEVICE_FORMAT,
                "family": self.board.family,
                "name": bench.name,
                "port": _port_settings(bench),
                "motor": _motor_settings(bench, self.motion),
                "sense": _switch_settings(bench.sense),
                "encoder": _encoder_settings(bench, self.motion),
                "flow": {"pin": bench.sensors.flow.pin, "counts": bench.sensors.flow.counts}
                if bench.sensors.flow
                else None,
                "adc": dict(_converter_settings(bench)),
                "hx711": _load_cell(bench, self.nominal),
                "tone": _switch_settings(bench.tone),
                "sleep": {"slice_ms": int(bench.sleep.slice), "listen_ms": int(bench.sleep.listen)},
                "storage": _storage_settings(bench),
            }
        )


def flatten_values(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of JSON values by their path, with dots between: ("motor.coils.0", 2). Nothing is a leaf: None."""
    if isinstance(value, Mapping):
        for key in value:
            yield from flatten_values(value[key], f"{name}.{key}" if name else key)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for at, item in enumerate(value):
            yield from flatten_values(item, f"{name}.{at}")
    else:
        yield name, value


def sealed_bench(wiring: Mapping[str, Any]) -> dict[str, Any]:
    """The wiring of a board with the checksum over all the rest.

    The checksum is that of `device_config.seal_config` over the leaves of the nested values: the first eight bytes, in
    hex, of the SHA-256 over "path=value;" of each, in the order of the paths. Numbers are whole, and nothing is "None".
    """
    rest = {name: value for name, value in wiring.items() if name != "checksum"}
    leaves = dict(flatten_values(rest))
    told = "".join(f"{path}={leaves[path]};" for path in sorted(leaves))
    return rest | {"checksum": hashlib.sha256(told.encode()).hexdigest()[:CHECKSUM_DIGITS]}


def load_bench(path: Path, directories: Sequence[Path] = ()) -> Bench:
    """Read a bench file.

    Args:
        path: The file.
        directories: Where pump profiles are looked for before those of the package, after the file's own directory.

    Raises:
        DosebenchError: It cannot be read.
        BenchError: It has mistakes; all of them, with their lines.
    """
    return from_file(toml_file.read_toml(path), [path.parent, *directories])


def from_file(file: TomlFile, directories: Sequence[Path] = ()) -> Bench:
    """The bench in a parsed file; as `load_bench`."""
    if other := of_another_kind(file, "bench"):
        raise BenchError(file.name, [other])
    problems = []
    try:
        bench = BenchTables.model_validate(file.data)
    except ValidationError as error:
        mistakes = map(_strip_tags, error.errors(include_url=False))
        problems = toml_file.from_mistakes(file, mistakes, partial(_report_unknown, file))
        problems += [problem for _, problem in _find_named(file, directories).values() if problem]
        raise BenchError(file.name, _by_line(problems)) from None
    named = _find_named(file, directories)
    problems = [problem for _, problem in named.values() if problem]
    if problems:
        raise BenchError(file.name, _by_line(problems))
    board, profile = named["board"][0], named["profile"][0]
    found = list(check_bench(file, bench, board, profile))
    errors = [problem for problem, is_error in found if is_error]
    step = nearest_motion(bench, profile.delivery.step_volume)
    if errors or step is None:
        raise BenchError(file.name, _by_line(errors))
    warnings = tuple(_by_line([problem for problem, is_error in found if not is_error]))
    return Bench(file, bench, board, profile, step, warnings)


def _strip_tags(item: Any) -> dict[str, Any]:
    """A mistake of pydantic without the tags of unions: ("motor", "step_dir", "step") is motor.step."""
    place = tuple(part for part in item["loc"] if part not in _TAGS)
    if item["type"] == "union_tag_not_found":
        return {**item, "loc": (*place, "kind"), "type": "missing"}
    if item["type"] == "union_tag_invalid":
        known = item["ctx"]["expected_tags"].replace("'", "")
        what = f'"{item["ctx"]["tag"]}" is no kind of {place[-1]}; known are {known}'
        return {**item, "loc": (*place, "kind"), "type": "value_error", "ctx": {"error": what}}
    return {**item, "loc": place}


def _find_named(file: TomlFile, directories: Sequence[Path]) -> dict[str, tuple[Any, Problem | None]]:
    """Board and profile that the file names, each with the problem where there is none of that name."""
    found: dict[str, tuple[Any, Problem | None]] = {}
    for key, finder in (("board", find_board), ("profile", lambda name: load_profile(name, directories))):
        name = file.data.get(key)
        if not isinstance(name, str):
            found[key] = (None, None)
            continue
        try:
            found[key] = (finder(name), None)
        except DosebenchError as error:
            found[key] = (None, file.make_problem((key,), str(error), key))
    return found


def _by_line(problems: Sequence[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: problem.line)


def _report_unknown(file: TomlFile, key: Key) -> Problem:
    return file.make_problem(key, toml_file.unknown_key(str(key[-1]), _known_keys(file, key[:-1])), "unknown-key")


def _known_keys(file: TomlFile, table: Key) -> list[str]:
    """Keys of the table at that place; of a table with several kinds, those of the kind that the file names."""
    models: list[type[BaseModel]] = [BenchTables]
    data: Any = file.data
    for name in table:
        data = data[name]
        if isinstance(name, str):
            models = [one for model in models for one in _table_models(model.model_fields[name].annotation)]
    kind = data.get("kind") if isinstance(data, dict) else None
    of_kind = [one for one in models if "kind" in one.model_fields and kind in _union_kinds(one)] or models
    return sorted({name for model in of_kind for name in model.model_fields})


def _union_kinds(model: type[BaseModel]) -> tuple[Any, ...]:
    return get_args(model.model_fields["kind"].annotation)


def _table_models(annotation: Any) -> list[type[BaseModel]]:
    """Every table in an annotation."""
    if isinstance(annotation, type):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for part in get_args(annotation) for model in _table_models(part)]


# What the board is told


def _port_settings(bench: BenchTables) -> dict[str, Any]:
    port = bench.port
    if isinstance(port, schema.UsbPort):
        return {"kind": "usb"}
    return {"kind": "uart", "id": port.id, "tx": port.tx, "rx": port.rx, "baud": port.baud}


def _motor_settings(bench: BenchTables, step: Motion) -> dict[str, Any]:
    motor, on = bench.motor, schema.parse_level
    told: dict[str, Any] = {"kind": motor.kind}
    if isinstance(motor, schema.StepDirMotor):
        told |= {"step": motor.step, "dir": motor.dir, "enable": motor.enable, "enable_on": on(motor.enable_on)}
        told |= {"forward": on(motor.forward), "pulse_us": int(motor.pulse * 1000)}
    elif isinstance(motor, schema.UnipolarMotor):
        told |= {"coils": list(motor.coils), "half_step_ms": int(motor.half_step)}
    else:
        told |= {"pin": motor.pin, "on": on(motor.on)}
    if isinstance(motor, schema.SolenoidMotor):
        return told | {"on_ms": int(motor.on_time), "off_ms": int(motor.off_time)}
    return told | {COUNTED_AS[motor.kind]: step.units}


def _switch_settings(table: schema.Sense | schema.Tone | None) -> dict[str, int] | None:
    return {"pin": table.pin, "on": schema.parse_level(table.on)} if table else None


def _encoder_settings(bench: BenchTables, step: Motion) -> dict[str, Any] | None:
    encoder = bench.encoder
    if encoder is None or step.encoder_counts is None:
        return None
    told: dict[str, Any] = {"kind": encoder.kind, "a": encoder.a}
    if encoder.b is not None:
        told["b"] = encoder.b
    return told | {"counts": int(step.encoder_counts)}


def _converter_settings(bench: BenchTables) -> Iterator[tuple[str, dict[str, int]]]:
    for name in get_args(schema.Sensed):
        sensor = getattr(bench.sensors, name)
        if isinstance(sensor, schema.AnalogueInput):
            num, den = _shorten_fraction(sensor.divider, _DIVIDER_NUM_MAX)
            yield name, {"pin": sensor.pin, "num": num, "den": den, "offset_mv": int(sensor.offset)}


def _load_cell(bench: BenchTables, profile: Profile) -> dict[str, Any] | None:
    """The load cell as the sensor whose voltages the profile has: (raw - offset) * num / den is mV."""
    cell, level = bench.sensors.level, profile.sensors.level
    if not isinstance(cell, schema.LoadCell) or level is None:
        return None
    scale = (level.high_output - level.low_output) / (cell.full - cell.empty)
    num, den = _shorten_fraction(scale, _LOAD_CELL_NUM_MAX)
    offset = cell.empty - round(level.low_output * den / num)
    return {"sensor": "level", "data": cell.data, "clock": cell.clock, "offset": offset, "num": num, "den": den}


def _shorten_fraction(scale: Fraction, num_max: int) -> tuple[int, int]:
    """The nearest fraction whose numerator is at most `num_max`, with its sign there."""
    size = abs(scale)
    choices = [Fraction(num, max(1, round(num / size))) for num in range(1, num_max + 1)]
    best = min(choices, key=lambda choice: abs(choice - size))
    return (best.numerator if scale > 0 else -best.numerator), best.denominator


def _storage_settings(bench: BenchTables) -> dict[str, Any]:
    storage = bench.storage
    return {"kind": "files"} if storage.kind == "files" else {"kind": "partition", "label": storage.label}
