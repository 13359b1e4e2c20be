"""Pump profiles: what a pump is, as data.

A profile says how large a step is, how fast the pump may go, what no regimen can raise, and what the reservoir, the
battery and the memory are. Profiles of this package lie in `profiles/`; others are found in directories that the caller
names. `Profile.device_config` is what a pump is given when it is flashed.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from dosebench_protocol.tables import COUNT_MAX, FRACTION_MAX
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from dosebench import tomlfile, units
from dosebench.deviceconfig import sealed
from dosebench.errors import DosebenchError
from dosebench.tomlfile import Problem, TomlFile, TomlFileError
from dosebench.units import DAY_MS, HOUR_MS

FLASH_FREEZE_MS: Final = 450
"""Longest time that a board may stand still for one flash operation, in ms (DESIGN, section 5: 400 ms and more)."""

THERAPY_SECTORS: Final = 2
"""Sectors of the two copies of the therapy."""
RING_SECTORS_MIN: Final = 2
"""Least sectors of a ring of records: the oldest is erased while the newest still holds all that matters."""

_EXTENDS_MAX: Final = 4
_MAY_BE_ZERO: Final = frozenset({"commissioned", "level_low", "battery_replaceable", "service_months"})


def reader(*dimensions: units.Dimension) -> BeforeValidator:
    """A pydantic validator that reads a quantity of one of `dimensions` into its exact base value."""
    return BeforeValidator(lambda text: units.value(text, *dimensions))


Volume = Annotated[Fraction, reader(units.VOLUME)]
VolumeRate = Annotated[Fraction, reader(units.VOLUME_RATE)]
Duration = Annotated[Fraction, reader(units.DURATION)]
Voltage = Annotated[Fraction, reader(units.VOLTAGE)]
Charge = Annotated[Fraction, reader(units.CHARGE)]
Current = Annotated[Fraction, reader(units.CURRENT)]
Share = Annotated[Fraction, reader(units.SHARE)]
Resistance = Annotated[Fraction, reader(units.RESISTANCE)]
Pressure = Annotated[Fraction, reader(units.PRESSURE)]
Compliance = Annotated[Fraction, reader(units.COMPLIANCE)]
Temperature = Annotated[Fraction, reader(units.TEMPERATURE)]
Count = Annotated[int, Field(strict=True, ge=1, le=COUNT_MAX)]
OnLow = Literal["keep", "minimum_rate", "stop"]
CellName = Literal["linear", "lithium_thionyl_chloride", "alkaline"]

CONVERTER_MV: Final = 3_300
"""Supply of a board's analogue-to-digital converter, in mV: no sensor can give more."""


class ProfileError(TomlFileError):
    """A profile with mistakes; all of them are in `problems`."""


class _Table(BaseModel):
    # A default is a quantity's text too: it is read when a profile is loaded, and not at the start of every command.
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, validate_default=True)


def _usual(text: str) -> Any:
    return Field(default=text)


class Delivery(_Table):
    """Motor and rates. Volumes in nL, rates in nL/ms, times in ms."""

    step_volume: Volume
    rate_min: VolumeRate
    rate_max: VolumeRate
    step_time: Duration
    activation_steps_max: Count
    activation_time_max: Duration
    lease: Duration


class Caps(_Table):
    """What no regimen can raise. Volumes in nL, rates in nL/ms."""

    hour: Volume
    day: Volume
    bolus: Volume
    bolus_rate: VolumeRate


class Reservoir(_Table):
    """Reservoir of the pump. Volumes in nL, times in ms.

    Attributes:
        capacity: What it holds at most.
        low, empty: Default levels of its alarms.
        on_low: Default of what a low reservoir does to the basal.
        lasts_min: A regimen that empties it sooner is taken for a slip.
        disagreement: More than this between measured and dead-reckoned content alarms (R20).
        reconcile: At a refill, delivery of less than this is too little for a ratio (R23).
    """

    capacity: Volume
    low: Volume
    empty: Volume
    on_low: OnLow
    lasts_min: Duration
    disagreement: Volume
    reconcile: Volume


class Battery(_Table):
    """Battery levels in mV, capacity in uAh, times in ms; for the twin its discharge curve, resistance and recovery.

    Attributes:
        start: Voltage of a fresh battery.
        low: Below it the battery is to be replaced, or the whole pump where that is not possible.
        stop: Below it nothing is delivered.
        capacity: Charge of a fresh battery.
        hysteresis: So far above `low` a warning ends.
        sag, rest: What a motor step takes off the voltage, and how long that shows after it.
        replaceable: Whether a battery can be changed; where it cannot, `low` is the elective replacement level (R31).
        cell: Name of its discharge curve.
        resistance_fresh, resistance_empty, recovery: Internal resistance, and how fast the voltage recovers.
    """

    start: Voltage
    low: Voltage
    stop: Voltage
    capacity: Charge
    hysteresis: Voltage
    sag: Voltage
    rest: Duration
    replaceable: Annotated[bool, Field(strict=True)]
    cell: CellName = "linear"
    resistance_fresh: Resistance = _usual("15 ohm")
    resistance_empty: Resistance = _usual("60 ohm")
    recovery: Duration = _usual("3 s")


class Catheter(_Table):
    """The line to the tip: what it holds under pressure, how fast that runs out, what the pump head pushes at most."""

    compliance: Compliance = _usual("250 nL/kPa")
    time_constant: Duration = _usual("20 s")
    head_pressure_max: Pressure = _usual("200 kPa")


class Ambient(_Table):
    """Where the pump is: mean temperature and its daily amplitude, pressure at the tip, what the reservoir loses."""

    temperature: Temperature = _usual("310.15 K")
    swing: Temperature = _usual("0.5 K")
    posture: Pressure = _usual("3 kPa")
    evaporation: VolumeRate = _usual("0 nL/day")


class Watch(_Table):
    """When the catheter is occluded (pressure above the atmosphere, and rise above that of an open one), how hot the
    pump may be, and the test volume of a patency check."""

    occlusion: Pressure = _usual("50 kPa")
    occlusion_rise: Pressure = _usual("6 kPa")
    temperature_max: Temperature = _usual("328.15 K")
    patency: Volume = _usual("2 uL")


class _Analogue(_Table):
    low_output: Voltage
    high_output: Voltage
    noise: Voltage


class LevelSensor(_Analogue):
    """Reservoir level: linear from `low` to `high`; outputs in mV, `noise` is the standard deviation of a sample."""

    low: Volume
    high: Volume


class PressureSensor(_Analogue):
    """Absolute pressure at the catheter's inlet, as the level sensor."""

    low: Pressure
    high: Pressure


class TemperatureSensor(_Analogue):
    """Temperature of the pump, as the level sensor."""

    low: Temperature
    high: Temperature


class AirDetector(_Table):
    """Outputs with liquid and with air in the line; above `threshold` it is air."""

    liquid_output: Voltage
    air_output: Voltage
    threshold: Voltage
    noise: Voltage


class FlowMeter(_Table):
    """Volume of one count."""

    count: Volume


class Sensors(_Table):
    """The sensors that are fitted."""

    level: LevelSensor | None = None
    pressure: PressureSensor | None = None
    temperature: TemperatureSensor | None = None
    air: AirDetector | None = None
    flow: FlowMeter | None = None


class Alarms(_Table):
    """When alarms sound, how long they may be silenced, and what counts as too long or too often. Times in ms.

    Attributes:
        tone_repeat, tone_repeat_high: From one tone to the next; of high priority.
        silence, silence_high: Longest silence; while an alarm of high priority is on.
        stopped, stopped_high: How long a programmed pump may be stopped until it alarms, and until that is urgent.
        repeat_times, repeat_within: So often, within such a time, may the same alarm not stop delivery (R44).
        resets_max, resets_within: More boots than this, within such a span of pump time, are a fault (R58).
    """

    tone_repeat: Duration
    tone_repeat_high: Duration
    silence: Duration
    silence_high: Duration
    stopped: Duration
    stopped_high: Duration
    repeat_times: Annotated[int, Field(strict=True, ge=2, le=16)]
    repeat_within: Duration
    resets_max: Annotated[int, Field(strict=True, ge=1, le=15)]
    resets_within: Duration


class Supervision(_Table):
    """How often the pump looks at its sensors and at itself. Times in ms.

    Attributes:
        sense: From one round over the sensors to the next.
        retest: From one round of self-tests to the next.
        watchdog: Its time-out; longer than `sense`, so that feeding it costs no wake of its own.
    """

    sense: Duration
    retest: Duration
    watchdog: Duration


class Power(_Table):
    """Currents of the board; `wake_time` is how long a wake lasts at the current `awake`."""

    asleep: Current = _usual("6 uA")
    awake: Current = _usual("1 mA")
    wake_time: Duration = _usual("10 ms")
    motor: Current = _usual("2 mA")
    flash: Current = _usual("20 mA")
    tone: Current = _usual("5 mA")


class Energy(_Table):
    """What wears the battery beside delivery, and when its service ends.

    Attributes:
        listening: Mean current of the receiver that hears a host.
        self_discharge: What the battery loses by itself in a year, as a share of its capacity.
        reserve: Share of the charge that is left when the battery is at its low level: for the service after it.
        service_years: Calendar years after which service ends whatever the battery holds (R31); None is no such end.
    """

    listening: Current = _usual("0 uA")
    self_discharge: Share = _usual("0 %")
    reserve: Share = _usual("10 %")
    service_years: Annotated[int, Field(strict=True, ge=1, le=50)] | None = None


class Journal(_Table):
    """Flash of the pump, in sectors of 4096 bytes: `THERAPY_SECTORS` for the therapy, `fault_sectors` for the ring of
    fault records, and the rest for the routine journal."""

    flash_sectors: Count
    fault_sectors: Count


class Profile(_Table):
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


def _points(name: str, sensor: _Analogue, low: int, high: int, unit: str = "") -> dict[str, int | str]:
    outputs: dict[str, int | str] = {
        f"{name}_low_mv": int(sensor.low_output),
        f"{name}_high_mv": int(sensor.high_output),
    }
    return outputs | {f"{name}_low{unit}": low, f"{name}_high{unit}": high}


def _pair(name: str, value: Fraction) -> dict[str, int | str]:
    return {f"{name}_num": value.numerator, f"{name}_den": value.denominator}


_Fault = tuple[tuple[str, ...], str]


def _faults(profile: Profile) -> Iterator[_Fault]:
    """What contradicts itself in a profile whose single figures are right: (key, message)."""
    yield from _zero_faults(profile)
    yield from _sensor_faults(profile.sensors)
    if profile.delivery.step_volume and profile.delivery.rate_max:
        yield from _motor_faults(profile)
        yield from _order_faults(profile)
        yield from _integer_faults(profile)
    yield from _ring_faults(profile)


def _zero_faults(profile: Profile) -> Iterator[_Fault]:
    for table in ("delivery", "caps", "reservoir", "battery", "alarms", "supervision"):
        for name, value in getattr(profile, table):
            if value == 0 and not isinstance(value, bool):
                yield (table, name), "must be above zero"
    if not profile.power.asleep:
        yield ("power", "asleep"), "must be above zero"
    if profile.energy.reserve >= 1:
        yield ("energy", "reserve"), "leaves no charge to deliver with: it is a share below 100 %"


def _sensor_faults(sensors: Sensors) -> Iterator[_Fault]:
    for name in ("level", "pressure", "temperature"):
        sensor = getattr(sensors, name)
        if sensor is None:
            continue
        if not sensor.low < sensor.high:
            yield ("sensors", name, "low"), f"is not below sensors.{name}.high"
        if not 0 < sensor.low_output < sensor.high_output < CONVERTER_MV:
            yield (
                ("sensors", name, "low_output"),
                f"must be above 0 and below high_output, and that below {CONVERTER_MV} mV, to tell a broken lead",
            )
    if (air := sensors.air) and not air.liquid_output < air.threshold < air.air_output < CONVERTER_MV:
        yield ("sensors", "air", "threshold"), f"must lie between the two outputs, and these below {CONVERTER_MV} mV"
    if sensors.flow and not sensors.flow.count:
        yield ("sensors", "flow", "count"), "must be above zero"


def _ring_faults(profile: Profile) -> Iterator[_Fault]:
    faults = profile.journal.fault_sectors
    routine = profile.journal.flash_sectors - THERAPY_SECTORS - faults
    if faults < RING_SECTORS_MIN:
        yield ("journal", "fault_sectors"), f"must be at least {RING_SECTORS_MIN}: a ring erases one sector at a time"
    if routine < RING_SECTORS_MIN:
        yield (
            ("journal", "flash_sectors"),
            f"leaves {routine} sectors for the routine journal beside the therapy's {THERAPY_SECTORS} and the faults' "
            f"{faults}; at least {RING_SECTORS_MIN} are needed",
        )


def _motor_faults(profile: Profile) -> Iterator[_Fault]:
    delivery = profile.delivery
    gap_ms = 1 / profile.steps(delivery.rate_max) - delivery.step_time
    if gap_ms <= FLASH_FREEZE_MS:
        yield (
            ("delivery", "rate_max"),
            f"leaves {units.decimal(gap_ms, 4)} ms between two steps; more than {FLASH_FREEZE_MS} ms are needed, "
            "because flash is written only between steps and one operation can hold a board that long",
        )
    if delivery.activation_time_max < delivery.activation_steps_max * delivery.step_time:
        yield ("delivery", "activation_time_max"), "is shorter than activation_steps_max steps take"


def _order_faults(profile: Profile) -> Iterator[_Fault]:
    delivery, caps, reservoir, battery = profile.delivery, profile.caps, profile.reservoir, profile.battery
    orders = (
        (("delivery", "rate_min"), delivery.rate_min, "delivery.rate_max", delivery.rate_max),
        (("caps", "bolus_rate"), caps.bolus_rate, "delivery.rate_max", delivery.rate_max),
        (("delivery", "rate_min"), delivery.rate_min, "caps.bolus_rate", caps.bolus_rate),
        (("delivery", "rate_min"), delivery.rate_min * HOUR_MS, "caps.hour, over an hour", caps.hour),
        (("delivery", "rate_min"), delivery.rate_min * DAY_MS, "caps.day, over a day", caps.day),
        (("caps", "bolus"), caps.bolus, "caps.hour", caps.hour),
        (("caps", "hour"), caps.hour, "caps.day", caps.day),
        (("reservoir", "empty"), reservoir.empty, "reservoir.low", reservoir.low),
        (("reservoir", "low"), reservoir.low, "reservoir.capacity", reservoir.capacity),
        (("reservoir", "disagreement"), reservoir.disagreement, "reservoir.capacity", reservoir.capacity),
        (("reservoir", "reconcile"), reservoir.reconcile, "reservoir.capacity", reservoir.capacity),
        (("battery", "stop"), battery.stop, "battery.low", battery.low),
        (("battery", "low"), battery.low, "battery.start", battery.start),
        (("battery", "hysteresis"), battery.hysteresis, "battery.start less battery.low", battery.start - battery.low),
        (("battery", "sag"), battery.sag, "battery.low less battery.stop", battery.low - battery.stop),
        (("alarms", "silence_high"), profile.alarms.silence_high, "2 min (R42)", Fraction(120_000)),
        (("alarms", "silence_high"), profile.alarms.silence_high, "alarms.silence", profile.alarms.silence),
        (("alarms", "stopped"), profile.alarms.stopped, "alarms.stopped_high", profile.alarms.stopped_high),
        (("alarms", "stopped_high"), profile.alarms.stopped_high, "6 days, which the pump can count", 6 * DAY_MS),
    )
    for key, lower, upper_name, upper in orders:
        if lower > upper:
            yield key, f"is above {upper_name}"


def _integer_faults(profile: Profile) -> Iterator[_Fault]:
    for name, value in profile.device_config().items():
        limit = FRACTION_MAX if name.endswith(("_num", "_den")) else COUNT_MAX
        lowest = 0 if name in _MAY_BE_ZERO else 1
        if isinstance(value, int) and not lowest <= value <= limit:
            yield (), f"{name} is {value}, which the firmware cannot take: {lowest} to {limit}"
    whole = {
        ("delivery", "lease"): profile.delivery.lease,
        ("delivery", "step_time"): profile.delivery.step_time,
        ("delivery", "activation_time_max"): profile.delivery.activation_time_max,
        ("reservoir", "capacity"): profile.steps(profile.reservoir.capacity),
    }
    for key, figure in whole.items():
        if figure.denominator != 1:
            yield key, "is not a whole number of milliseconds or steps"


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
    own = tomlfile.read(path)
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
            return tomlfile.read(path)
    names = builtin_names()
    if name in names:
        text = resources.files("dosebench").joinpath("profiles", f"{name}.toml").read_text(encoding="utf-8")
        return tomlfile.parse(text, f"{name}.toml")
    near = difflib.get_close_matches(name, names, n=1)
    guess = f'did you mean "{near[0]}"?' if near else f"known are {', '.join(names)}"
    raise DosebenchError(f'no pump profile "{name}"; {guess}')


def _validate(file: TomlFile) -> Profile:
    try:
        profile = Profile.model_validate(file.data)
    except ValidationError as error:
        raise ProfileError(file.name, _problems(file, error)) from None
    faults = [file.problem(key, message, "contradiction") for key, message in _faults(profile)]
    if faults:
        raise ProfileError(file.name, faults)
    return profile


def _problems(file: TomlFile, error: ValidationError) -> Iterator[Problem]:
    for item, problem in zip(error.errors(), tomlfile.from_validation(file, error), strict=True):
        key = tuple(item["loc"])
        if item["type"] == "extra_forbidden":
            yield file.problem(key, tomlfile.unknown_key(str(key[-1]), _known(key[:-1])), "unknown-key")
        else:
            yield problem


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _known(table: tuple[Any, ...]) -> list[str]:
    model: type[BaseModel] = Profile
    for name in table:
        annotation = model.model_fields[name].annotation
        model = next(kind for kind in (annotation, *get_args(annotation)) if _is_table(kind))
    return [field.alias or name for name, field in model.model_fields.items()] + ([] if table else ["extends"])
