"""The tables of a bench file and their keys: port, motor, mechanics, encoder, sensors, tone, sleep, storage.

Pins are GPIO numbers. Quantities are read from their text ("1 ms", "26.7 mm") into exact base values: times in ms,
lengths in mm, volumes in nL, voltages in mV.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from dosebench.profile.schema import Duration, Voltage, Volume

PIN_MAX: Final = 63
"""Largest pin number that any format of this package has."""
DIVIDER_MIN: Final = Fraction(1, 10)
DIVIDER_MAX: Final = 10
"""What a divider may divide by: the fraction that a board counts with is then at most 0.5 % off (see `file`)."""
COUNTS_MAX: Final = 100_000
"""Most pulses, half steps or counts in a turn of any mechanics, or in a step of the pump."""
RAW_MAX: Final = 1 << 23
"""An HX711 gives 24 bits with a sign (its data sheet)."""

_LENGTH: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*mm\s*")
_RATIO: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*:\s*([0-9]+(?:\.[0-9]+)?)\s*")


def _parse_length(text: object) -> Fraction:
    match = _LENGTH.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f'{text!r} is no length; give one in mm, e.g. "26.7 mm"')
    return Fraction(match[1])


def _parse_ratio(text: object) -> Fraction:
    match = _RATIO.fullmatch(text) if isinstance(text, str) else None
    if match is None or not Fraction(match[1]) or not Fraction(match[2]):
        raise ValueError(f'{text!r} is no ratio; write turns of the motor to turns of the pump, e.g. "5:1"')
    return Fraction(match[1]) / Fraction(match[2])


def _parse_factor(number: object) -> Fraction:
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError(f"{number!r} is no number; it is what the divider divides by, e.g. 2")
    factor = Fraction(str(number))
    if not DIVIDER_MIN <= factor <= DIVIDER_MAX:
        raise ValueError(f"{number!r} is out of range: {float(DIVIDER_MIN)} to {DIVIDER_MAX}")
    return factor


def _local_date(value: object) -> str:
    match = re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}", value if type(value) is str else "")
    if match is None:
        raise ValueError(f'{value!r} is no time; write it like "2026-03-01T08:00:00"')
    return match[0]


Length = Annotated[Fraction, BeforeValidator(_parse_length)]
Ratio = Annotated[Fraction, BeforeValidator(_parse_ratio)]
Factor = Annotated[Fraction, BeforeValidator(_parse_factor)]
Moment = Annotated[str, BeforeValidator(_local_date)]
Pin = Annotated[int, Field(strict=True, ge=0, le=PIN_MAX)]
Counts = Annotated[int, Field(strict=True, ge=1, le=COUNTS_MAX)]
Raw = Annotated[int, Field(strict=True, ge=-RAW_MAX, lt=RAW_MAX)]
Level = Literal["high", "low"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
Sensed = Literal["battery", "level", "pressure", "temperature", "air"]
"""Sensors that a channel of the converter reads."""


class Table(BaseModel):
    """A table of a bench file. Keys that it does not have are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, validate_default=True)


class UartPort(Table):
    """The protocol on a UART; `baud` in bits per second."""

    kind: Literal["uart"]
    id: Annotated[int, Field(strict=True, ge=0, le=2)]
    tx: Pin
    rx: Pin
    baud: Annotated[int, Field(strict=True, ge=9_600, le=1_000_000)] = 115_200


class UsbPort(Table):
    """The protocol on the board's own USB port, in place of the REPL."""

    kind: Literal["usb"]


class StepDirMotor(Table):
    """A stepper motor behind a driver with the inputs STEP, DIR and ENABLE.

    Attributes:
        step, dir, enable: Pins.
        enable_on: Level at which the driver is on.
        forward: Level of `dir` at which the pump delivers.
        pulse: Time from one pulse to the next.
    """

    kind: Literal["step_dir"]
    step: Pin
    dir: Pin
    enable: Pin
    enable_on: Level = "low"
    forward: Level = "high"
    pulse: Duration


class UnipolarMotor(Table):
    """A unipolar stepper motor with four coils behind transistors, run in half steps of `half_step` each."""

    kind: Literal["unipolar"]
    coils: Annotated[list[Pin], Field(min_length=4, max_length=4)]
    half_step: Duration


class DcMotor(Table):
    """A direct-current motor that runs until its encoder has counted enough.

    Attributes:
        pin, on: Pin of its switch, and the level that turns it.
        turn: How long a turn of the pump head takes at the motor's supply.
    """

    kind: Literal["dc"]
    pin: Pin
    on: Level = "high"
    turn: Duration


class SolenoidMotor(Table):
    """A pump that moves its stroke with each pulse of a coil: `on_time` energised, `off_time` until the next."""

    kind: Literal["solenoid"]
    pin: Pin
    on: Level = "high"
    on_time: Duration
    off_time: Duration


class SyringeMechanics(Table):
    """A syringe whose plunger a screw pushes.

    Attributes:
        bore: Inner diameter of the barrel.
        lead: How far a turn of the screw moves the plunger.
        steps_per_turn: Full steps of the motor, 200 for one of 1.8 degrees.
        microsteps: Pulses for a full step, as the driver is set.
        gear: Turns of the motor to turns of the screw.
    """

    kind: Literal["syringe"]
    bore: Length
    lead: Length
    steps_per_turn: Counts = 200
    microsteps: Counts = 1
    gear: Ratio = Field(default="1:1")  # type: ignore[assignment]


class RotaryMechanics(Table):
    """A head that moves `turn_volume` with each turn: peristaltic, or any other.

    Attributes:
        steps_per_turn: Full steps of the motor (of the geared shaft, where `gear` is left out); half steps where the
            motor is unipolar. Of no use with a direct-current motor, which has the counts of its encoder.
        microsteps, gear: As of a syringe.
    """

    kind: Literal["rotary"]
    turn_volume: Volume
    steps_per_turn: Counts = 200
    microsteps: Counts = 1
    gear: Ratio = Field(default="1:1")  # type: ignore[assignment]


class StrokeMechanics(Table):
    """A pump that moves `stroke` with each pulse."""

    kind: Literal["stroke"]
    stroke: Volume


class Sense(Table):
    """A pin that reads back whether the motor's driver is on."""

    pin: Pin
    on: Level = "high"


class Encoder(Table):
    """An encoder on the pump's shaft, with `counts_per_turn` of that shaft.

    `pulse` has one channel, `a`, whose rising edges are counted: as many as it has lines. `quadrature` has `a` and `b`,
    in which the direction shows, and both edges of `a` are counted: twice as many.
    """

    kind: Literal["pulse", "quadrature"]
    a: Pin
    b: Pin | None = None
    counts_per_turn: Counts


class FlowInput(Table):
    """A flow meter that gives pulses: `counts` of them for each count of the profile's flow meter."""

    pin: Pin
    counts: Annotated[int, Field(strict=True, ge=1, le=1_000)] = 1


class AnalogueInput(Table):
    """A sensor at the converter. What the pump works with is the voltage at the pin times `divider`, plus `offset`."""

    pin: Pin
    divider: Factor = Field(default=1)  # type: ignore[assignment]
    offset: Voltage = Field(default="0 mV")  # type: ignore[assignment]


class LoadCell(Table):
    """An HX711 with a load cell in place of the level sensor.

    Attributes:
        data, clock: Its pins DOUT and PD_SCK.
        empty, full: Its raw reading with the reservoir at the profile's `sensors.level.low` and `high`.
    """

    kind: Literal["hx711"]
    data: Pin
    clock: Pin
    empty: Raw
    full: Raw


def _level_kind(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return "analogue" if kind is None else "hx711"


class Sensors(Table):
    """The sensors that are wired. `without` names those that the profile has and this bench has not."""

    battery: AnalogueInput | None = None
    level: (
        Annotated[
            Annotated[AnalogueInput, Tag("analogue")] | Annotated[LoadCell, Tag("hx711")], Discriminator(_level_kind)
        ]
        | None
    ) = None
    pressure: AnalogueInput | None = None
    temperature: AnalogueInput | None = None
    air: AnalogueInput | None = None
    flow: FlowInput | None = None
    without: list[Literal["level", "pressure", "temperature", "air", "flow"]] = Field(default_factory=list)


class Tone(Table):
    """A buzzer with its own oscillator."""

    pin: Pin
    on: Level = "high"


class Sleep(Table):
    """Light sleep between events, in slices after each of which the port is listened at.

    Attributes:
        slice: Longest time in which nothing is heard, STOP included; 0 is no sleep at all.
        listen: How long the pump listens after it.
    """

    slice: Duration = Field(default="0 ms")  # type: ignore[assignment]
    listen: Duration = Field(default="0 ms")  # type: ignore[assignment]


class Storage(Table):
    """Where therapy and journal lie: files of the board's file system, or a partition of its own (ESP32)."""

    kind: Literal["files", "partition"] = "files"
    label: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,16}$")] | None = None


class CalibrationStep(Table):
    """One calibration, as `dosebench calibrate` writes it.

    Attributes:
        measured: When, in local time.
        step_volume: Mean volume of a step of the pump.
        uncertainty: Its expanded uncertainty, 95 %.
        before: Step volume until then.
        runs, steps: How many runs, and steps in all of them.
        method: "mass" or "volume".
        spread: Standard deviation of the runs.
    """

    measured: Moment
    step_volume: Volume
    uncertainty: Volume
    before: Volume
    spread: Volume
    runs: Counts
    steps: Annotated[int, Field(strict=True, ge=1)]
    method: Literal["mass", "volume"]


class Calibration(Table):
    """The step volume that was measured, and every measurement until now, oldest first."""

    step_volume: Volume
    history: list[CalibrationStep] = Field(min_length=1)


Port = Annotated[UartPort | UsbPort, Field(discriminator="kind")]
Motor = Annotated[StepDirMotor | UnipolarMotor | DcMotor | SolenoidMotor, Field(discriminator="kind")]
Mechanics = Annotated[SyringeMechanics | RotaryMechanics | StrokeMechanics, Field(discriminator="kind")]


class BenchTables(Table):
    """A whole bench file, with nothing missing."""

    format: Literal[1]
    name: Name
    title: Annotated[str, Field(max_length=80)] = ""
    board: str
    profile: str
    driver: Annotated[str, Field(max_length=60)] = ""
    parts: list[Annotated[str, Field(max_length=120)]] = Field(default_factory=list)
    notes: list[Annotated[str, Field(max_length=240)]] = Field(default_factory=list)
    port: Port
    motor: Motor
    mechanics: Mechanics
    encoder: Encoder | None = None
    sense: Sense | None = None
    sensors: Sensors = Field(default_factory=Sensors)
    tone: Tone | None = None
    sleep: Sleep = Field(default_factory=Sleep)
    storage: Storage = Field(default_factory=Storage)
    calibration: Calibration | None = None


def parse_level(word: Level) -> int:
    """A level as the board has it."""
    return 1 if word == "high" else 0
