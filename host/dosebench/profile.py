"""Pump profiles: what a pump is, as data.

A profile says how large a step is, how fast the pump may go, what no regimen can raise, and what the reservoir, the
battery and the memory are. Profiles of this package lie in `profiles/`; others are found in directories that the caller
names. `Profile.device_config` is what a pump is given when it is flashed.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dosebench.base import toml_file, units
from dosebench.base.errors import DosebenchError
from dosebench.base.file_kinds import of_another_kind
from dosebench.base.toml_file import Key, Problem, TomlFile, TomlFileError
from dosebench.deviceconfig import sealed
from dosebench.profilerules import contradictions, measured_faults
from dosebench.profiletables import (
    Alarms,
    Ambient,
    AnalogueSensor,
    Battery,
    Caps,
    Catheter,
    Delivery,
    Energy,
    Journal,
    Power,
    Reservoir,
    Sensors,
    Supervision,
    Table,
    Watch,
)

_EXTENDS_MAX: Final = 4


class ProfileError(TomlFileError):
    """A profile with mistakes; all of them are in `problems`."""


class Profile(Table):
    """One kind of pump.

    Every figure is exact. `steps(volume)` of the delivery figures is a whole number or a fraction that the firmware can
    take, and the gap between two steps at the highest rate outlasts a flash operation; loading a profile checks both.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, populate_by_name=True)

    format: Literal[1]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
    kind: Annotated[Literal["implant", "external"], Field(alias="class")]
    title: Annotated[str, Field(max_length=80)] = ""
    delivery: Delivery
    caps: Caps
    reservoir: Reservoir
    battery: Battery
    alarms: Alarms
    supervision: Supervision
    journal: Journal
    power: Power = Field(default_factory=Power)
    energy: Energy = Field(default_factory=Energy)
    catheter: Catheter = Field(default_factory=Catheter)
    ambient: Ambient = Field(default_factory=Ambient)
    watch: Watch = Field(default_factory=Watch)
    sensors: Sensors = Field(default_factory=Sensors)

    def steps(self, volume_nl: Fraction) -> Fraction:
        """How many steps `volume_nl` is, exactly (not rounded)."""
        return volume_nl / self.delivery.step_volume

    def calibrated(self, step_nl: Fraction) -> Profile:
        """This pump with a step volume that was measured, in nL; contents and caps round down to whole steps of it.

        Raises:
            ProfileError: The firmware cannot take what follows from it.
        """
        if step_nl == self.delivery.step_volume:
            return self
        delivery = self.delivery.model_copy(update={"step_volume": step_nl})
        pump = self.model_copy(update={"delivery": delivery})
        faults = [Problem("", 1, message, "contradiction") for message in measured_faults(pump)]
        if faults:
            raise ProfileError(f"{self.name} with a step of {units.show(step_nl, 'uL')}", faults)
        return pump

    def device_config(self) -> dict[str, int | str]:
        """The figures that a pump is given when it is flashed.

        Returns:
            Names and whole numbers below 2^30; a pair `x_num`, `x_den` is a fraction with both at most 2^29. Rates are
            in steps per millisecond, times in ms, counts in steps, voltages in mV. A sensor that is fitted has its two
            points: level in steps, absolute pressure in Pa, temperature in mK; `air_mv` is where air begins, and a
            count of the flow meter is `flow_nl_num` / `flow_nl_den` nL. `rise_pa` is what a step raises the pressure in
            the line by, `catheter_ms` its time constant.
        """
        delivery, caps, reservoir = self.delivery, self.caps, self.reservoir
        config: dict[str, int | str] = {"profile": self.name}
        config |= _pair("step_nl", delivery.step_volume)
        config |= _pair("rate_min", self.steps(delivery.rate_min))
        config |= _pair("rate_max", self.steps(delivery.rate_max))
        config |= {
            "hard_hour_steps": int(self.steps(caps.hour)),
            "hard_day_steps": int(self.steps(caps.day)),
            "bolus_steps_max": int(self.steps(caps.bolus)),
            "reservoir_steps_max": int(self.steps(reservoir.capacity)),
            "lease_ms": int(delivery.lease),
            "step_ms": int(delivery.step_time),
            "activation_steps_max": delivery.activation_steps_max,
            "activation_ms_max": int(delivery.activation_time_max),
            "low_steps_default": math.ceil(self.steps(reservoir.low)),
            "empty_steps_default": math.ceil(self.steps(reservoir.empty)),
            "disagree_steps": math.floor(self.steps(reservoir.disagreement)),
            "reconcile_steps": math.ceil(self.steps(reservoir.reconcile)),
            "flash_sectors": self.journal.flash_sectors,
            "fault_sectors": self.journal.fault_sectors,
            "commissioned": 0,
        }
        config |= self._battery() | self._supervision() | self._line_config() | self._sensor_config()
        return sealed(config)

    def _battery(self) -> dict[str, int | str]:
        battery = self.battery
        return {
            "battery_low_mv": int(battery.low),
            "battery_stop_mv": int(battery.stop),
            "battery_hysteresis_mv": int(battery.hysteresis),
            "battery_sag_mv": int(battery.sag),
            "battery_rest_ms": int(battery.rest),
            "battery_replaceable": int(battery.replaceable),
            "service_months": 12 * (self.energy.service_years or 0),
        }

    def _line_config(self) -> dict[str, int | str]:
        watch = self.watch
        return {
            "rise_pa": round(self.delivery.step_volume / self.catheter.compliance),
            "catheter_ms": int(self.catheter.time_constant),
            "occlusion_pa": int(watch.occlusion),
            "occlusion_rise_pa": int(watch.occlusion_rise),
            "temperature_max_mk": int(watch.temperature_max),
            "patency_steps": int(self.steps(watch.patency)),
        }

    def _supervision(self) -> dict[str, int | str]:
        alarms, supervision = self.alarms, self.supervision
        return {
            "sense_ms": int(supervision.sense),
            "retest_ms": int(supervision.retest),
            "watchdog_ms": int(supervision.watchdog),
            "tone_ms": int(alarms.tone_repeat),
            "tone_high_ms": int(alarms.tone_repeat_high),
            "silence_ms": int(alarms.silence),
            "silence_high_ms": int(alarms.silence_high),
            "stopped_ms": int(alarms.stopped),
            "stopped_high_ms": int(alarms.stopped_high),
            "repeat_times": alarms.repeat_times,
            "repeat_ms": int(alarms.repeat_within),
            "resets_max": alarms.resets_max,
            "resets_ms": int(alarms.resets_within),
        }

    def _sensor_config(self) -> dict[str, int | str]:
        sensors = self.sensors
        config: dict[str, int | str] = {}
        if level := sensors.level:
            config |= _points("level", level, int(self.steps(level.low)), int(self.steps(level.high)))
        if pressure := sensors.pressure:
            config |= _points("pressure", pressure, int(pressure.low), int(pressure.high), "_pa")
        if temperature := sensors.temperature:
            config |= _points("temperature", temperature, int(temperature.low), int(temperature.high), "_mk")
        if sensors.air:
            config["air_mv"] = int(sensors.air.threshold)
        if sensors.flow:
            config |= _pair("flow_nl", sensors.flow.count)
        return config


def _points(name: str, sensor: AnalogueSensor, low: int, high: int, unit: str = "") -> dict[str, int | str]:
    outputs: dict[str, int | str] = {
        f"{name}_low_mv": int(sensor.low_output),
        f"{name}_high_mv": int(sensor.high_output),
    }
    return outputs | {f"{name}_low{unit}": low, f"{name}_high{unit}": high}


def _pair(name: str, value: Fraction) -> dict[str, int | str]:
    return {f"{name}_num": value.numerator, f"{name}_den": value.denominator}


def builtin_names() -> list[str]:
    """Names of the profiles that come with the package, sorted."""
    files = resources.files("dosebench").joinpath("profiles").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def load(name: str, directories: Sequence[Path] = ()) -> Profile:
    """Load a profile by its name.

    Args:
        name: Name of a file without ".toml", such as "implant-40".
        directories: Where to look before the profiles of the package, in order.

    Raises:
        DosebenchError: No such profile; names the nearest.
        ProfileError: The file has mistakes.
    """
    file = _merged(name, directories, _EXTENDS_MAX)
    profile = _validate(file)
    if profile.name != name:
        problem = file.problem(("name",), f'is "{profile.name}", but the file is called "{name}"', "name")
        raise ProfileError(file.name, [problem])
    return profile


def load_file(path: Path) -> Profile:
    """Load a profile from a file of its own; what it extends is looked for beside it and in the package."""
    own = toml_file.read(path)
    return _validate(_extended(own, [path.parent], _EXTENDS_MAX))


def _merged(name: str, directories: Sequence[Path], depth: int) -> TomlFile:
    return _extended(_find(name, directories), directories, depth)


def _extended(own: TomlFile, directories: Sequence[Path], depth: int) -> TomlFile:
    data = dict(own.data)
    base_name = data.pop("extends", None)
    if base_name is None:
        return own
    if depth == 0 or not isinstance(base_name, str):
        raise ProfileError(own.name, [own.problem(("extends",), "must name a profile, at most 4 deep", "extends")])
    base = _merged(base_name, directories, depth - 1)
    for key, value in base.data.items():
        if key in ("name", "title"):
            continue
        data[key] = _over(value, data[key]) if key in data else value
    return TomlFile(own.name, data, own.lines)


def _over(base: Any, own: Any) -> Any:
    """A table of a profile with what its base has besides, at any depth; anything else is the profile's own."""
    if not (isinstance(base, dict) and isinstance(own, dict)):
        return own
    return base | {key: _over(base[key], value) if key in base else value for key, value in own.items()}


def _find(name: str, directories: Sequence[Path]) -> TomlFile:
    for directory in directories:
        path = directory / f"{name}.toml"
        if path.is_file() and path.parent == directory:
            return toml_file.read(path)
    names = builtin_names()
    if name in names:
        text = resources.files("dosebench").joinpath("profiles", f"{name}.toml").read_text(encoding="utf-8")
        return toml_file.parse(text, f"{name}.toml")
    near = difflib.get_close_matches(name, names, n=1)
    guess = f'did you mean "{near[0]}"?' if near else f"known are {', '.join(names)}"
    raise DosebenchError(f'no pump profile "{name}"; {guess}')


def _validate(file: TomlFile) -> Profile:
    if other := of_another_kind(file, "profile"):
        raise ProfileError(file.name, [other])
    try:
        profile = Profile.model_validate(file.data)
    except ValidationError as error:
        raise ProfileError(file.name, toml_file.from_validation(file, error, partial(_unknown, file))) from None
    faults = [file.problem(key, message, "contradiction") for key, message in contradictions(profile)]
    if faults:
        raise ProfileError(file.name, faults)
    return profile


def _unknown(file: TomlFile, key: Key) -> Problem:
    return file.problem(key, toml_file.unknown_key(str(key[-1]), _known(key[:-1])), "unknown-key")


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _known(table: tuple[Any, ...]) -> list[str]:
    model: type[BaseModel] = Profile
    for name in table:
        annotation = model.model_fields[name].annotation
        model = next(kind for kind in (annotation, *get_args(annotation)) if _is_table(kind))
    return [field.alias or name for name, field in model.model_fields.items()] + ([] if table else ["extends"])
