"""What a bench may not be: pins that do not exist or are used twice, sensors that nobody wired, steps out of reach."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal, get_args

from dosebench.base import units
from dosebench.base.errors import DosebenchError
from dosebench.base.toml_file import Key, Problem, TomlFile
from dosebench.bench.mechanics import Motion, count_motion, full_steps_per_s, nearest_motion, unit_nl
from dosebench.bench.pins import BoardPins
from dosebench.bench.schema import (
    AnalogueInput,
    BenchTables,
    DcMotor,
    LoadCell,
    Sensed,
    SolenoidMotor,
    StepDirMotor,
    StrokeMechanics,
    UartPort,
    UnipolarMotor,
    UsbPort,
)
from dosebench.profile.calibrated import calibrate_profile
from dosebench.profile.parts import RAIL_MV

if TYPE_CHECKING:
    from dosebench.profile.model import Profile

STEP_ERROR_MAX: Final = Fraction(5, 100)
"""Most that a step from the mechanics may be off the profile's step volume (chosen: R1 asks for 5 % of the delivered
volume; calibration takes what is left of it)."""
CALIBRATION_MAX: Final = Fraction(20, 100)
"""Most that a measured step may be off the profile's (chosen: beyond it the mechanics are not what the file says)."""
START_PER_S_MAX: Final = {"step_dir": 600, "unipolar": 600}
"""Full steps (half steps of a unipolar motor) a second from which on a motor may not start by itself: data sheet of the
28BYJ-48, in-traction frequency; (chosen) the same for NEMA 17 motors without a ramp."""
PULSE_US_MIN: Final = 4
"""Shortest time from pulse to pulse: a DRV8825 wants 1.9 us of each level, the others less (their data sheets)."""
SLICE_MS_MAX: Final = 5_000
"""Longest slice of sleep: an RP2's watchdog bites after at most 8388 ms (its data sheet), and listening follows."""

Finding = tuple[Problem, bool]
"""A problem, and whether it refuses the bench."""
Use = Literal["in", "out", "adc"]


@dataclass(frozen=True)
class PinUse:
    """One pin and what it is for.

    Attributes:
        pin: GPIO number.
        key: Where the file says so.
        role: In words, such as "motor step".
        use: "out", "in" (digital), or "adc".
        wants_pull: Whether an input needs a pull resistor while nothing drives it.
    """

    pin: int
    key: Key
    role: str
    use: Use
    wants_pull: bool = False


def pin_uses(bench: BenchTables) -> list[PinUse]:
    """Every pin of a bench, in the order of the file's tables."""
    return [*_port_pins(bench), *_motor_pins(bench), *_feedback_pins(bench), *_sensor_pins(bench)]


def _port_pins(bench: BenchTables) -> Iterator[PinUse]:
    if isinstance(bench.port, UartPort):
        yield PinUse(bench.port.tx, ("port", "tx"), f"UART{bench.port.id} TX, to the adapter's RX", "out")
        yield PinUse(bench.port.rx, ("port", "rx"), f"UART{bench.port.id} RX, from the adapter's TX", "in")


def _motor_pins(bench: BenchTables) -> Iterator[PinUse]:
    motor = bench.motor
    if isinstance(motor, StepDirMotor):
        yield PinUse(motor.step, ("motor", "step"), "driver STEP", "out")
        yield PinUse(motor.dir, ("motor", "dir"), f"driver DIR, {motor.forward} is forward", "out")
        yield PinUse(motor.enable, ("motor", "enable"), f"driver ENABLE, on when {motor.enable_on}", "out")
    elif isinstance(motor, UnipolarMotor):
        for at, pin in enumerate(motor.coils):
            yield PinUse(pin, ("motor", "coils", at), f"driver IN{at + 1}", "out")
    else:
        what = "motor switch" if isinstance(motor, DcMotor) else "solenoid switch"
        yield PinUse(motor.pin, ("motor", "pin"), f"{what}, on when {motor.on}", "out")


def _feedback_pins(bench: BenchTables) -> Iterator[PinUse]:
    if bench.encoder:
        yield PinUse(bench.encoder.a, ("encoder", "a"), "encoder A", "in", True)
        if bench.encoder.b is not None:
            yield PinUse(bench.encoder.b, ("encoder", "b"), "encoder B", "in", True)
    if bench.sense:
        yield PinUse(bench.sense.pin, ("sense", "pin"), f"driver state, {bench.sense.on} when on", "in", True)
    if bench.tone:
        yield PinUse(bench.tone.pin, ("tone", "pin"), f"buzzer, sounds when {bench.tone.on}", "out")


def _sensor_pins(bench: BenchTables) -> Iterator[PinUse]:
    for name in get_args(Sensed):
        sensor = getattr(bench.sensors, name)
        if isinstance(sensor, AnalogueInput):
            yield PinUse(sensor.pin, ("sensors", name, "pin"), f"{name} sensor", "adc")
        elif isinstance(sensor, LoadCell):
            yield PinUse(sensor.data, ("sensors", name, "data"), "HX711 DOUT", "in")
            yield PinUse(sensor.clock, ("sensors", name, "clock"), "HX711 PD_SCK", "out")
    if bench.sensors.flow:
        yield PinUse(bench.sensors.flow.pin, ("sensors", "flow", "pin"), "flow meter", "in", True)


def check_bench(file: TomlFile, bench: BenchTables, board: BoardPins, profile: Profile) -> Iterator[Finding]:
    """Everything that is wrong with a bench, or worth a second look."""
    for key, message, code in _find_errors(bench, board, profile):
        yield file.make_problem(key, message, code), True
    for key, message, code in _find_warnings(bench, board):
        yield file.make_problem(key, message, code), False


Said = tuple[Key, str, str]
"""Key, message and code of a problem."""


def _find_errors(bench: BenchTables, board: BoardPins, profile: Profile) -> Iterator[Said]:
    yield from _pin_errors(bench, board)
    yield from _uart_errors(bench, board)
    yield from _sensor_errors(bench, profile)
    yield from _voltage_errors(bench, profile)
    yield from _find_range_errors(bench)
    yield from _motion_errors(bench, profile)
    yield from _encoder_errors(bench, profile)
    yield from _sleep_errors(bench)
    yield from _storage_errors(bench, board)
    yield from _calibration_errors(bench, profile)


# Pins


def _pin_errors(bench: BenchTables, board: BoardPins) -> Iterator[Said]:
    first: dict[int, PinUse] = {}
    for use in pin_uses(bench):
        name = board.label_pin(use.pin)
        if before := first.get(use.pin):
            yield use.key, f"{name} is the pin of {'.'.join(map(str, before.key))} already", "pin-twice"
        first.setdefault(use.pin, use)
        if use.pin in board.taken:
            yield use.key, f"{name} of the {board.title} {board.taken[use.pin]}", "pin-taken"
        elif use.pin not in board.header:
            yield use.key, f"the {board.title} has no pin {name} on its header", "pin-missing"
        elif use.use == "adc" and use.pin not in board.adc:
            yield use.key, f"{name} has no converter; these have: {_list_pins(board, board.adc)}", "pin-adc"
        elif use.use == "out" and use.pin in board.inputs:
            yield use.key, f"{name} can only be an input", "pin-input-only"


def _list_pins(board: BoardPins, pins: frozenset[int]) -> str:
    return ", ".join(board.label_pin(pin) for pin in sorted(pins))


def _uart_errors(bench: BenchTables, board: BoardPins) -> Iterator[Said]:
    port = bench.port
    if not isinstance(port, UartPort):
        return
    if port.id not in board.uarts:
        known = " and ".join(map(str, board.uarts))
        yield ("port", "id"), f"the {board.title} has UART {known} for a bench, not {port.id}", "uart"
        return
    for name, pin, able in zip(("tx", "rx"), (port.tx, port.rx), board.uarts[port.id], strict=True):
        if able and pin not in able:
            free = _list_pins(board, able & board.header)
            yield (
                ("port", name),
                f"{board.label_pin(pin)} is no {name.upper()} of UART{port.id}; these are: {free}",
                "uart-pin",
            )


# Sensors


def _sensor_errors(bench: BenchTables, profile: Profile) -> Iterator[Said]:
    wired, without = bench.sensors, bench.sensors.without
    if wired.battery is None:
        yield ("sensors", "battery"), "is missing: the pump judges its supply before every start", "sensor-missing"
    for name in ("level", "pressure", "temperature", "air", "flow"):
        has, needs = getattr(wired, name) is not None, getattr(profile.sensors, name) is not None
        if needs and not has and name not in without:
            yield (
                ("sensors", name),
                f'is missing: the profile {profile.name} has it; wire it, or say without = ["{name}"]',
                "sensor-missing",
            )
        elif has and not needs:
            yield ("sensors", name), f"the profile {profile.name} has no such sensor", "sensor-unknown"
        elif name in without and (has or not needs):
            why = "it is wired below" if has else f"the profile {profile.name} has no such sensor"
            yield ("sensors", "without"), f'names "{name}", but {why}', "sensor-without"
    if isinstance(wired.level, LoadCell) and wired.level.empty == wired.level.full:
        yield ("sensors", "level", "full"), "is the same reading as empty", "load-cell"


def _voltage_errors(bench: BenchTables, profile: Profile) -> Iterator[Said]:
    """The highest voltage of each sensor, at the pin."""
    sensors = profile.sensors
    highest = {
        "battery": profile.battery.start,
        "level": sensors.level.high_output if sensors.level else None,
        "pressure": sensors.pressure.high_output if sensors.pressure else None,
        "temperature": sensors.temperature.high_output if sensors.temperature else None,
        "air": sensors.air.air_output if sensors.air else None,
    }
    for name, most in highest.items():
        wired = getattr(bench.sensors, name)
        if most is None or not isinstance(wired, AnalogueInput):
            continue
        at_pin = (most - wired.offset) / wired.divider
        if at_pin > RAIL_MV:
            yield (
                ("sensors", name, "divider"),
                f"leaves {units.format_amount(at_pin, 'mV', 4)} at the pin when the pump reads "
                f"{units.format_amount(most, 'mV', 4)}; "
                f"a pin bears {RAIL_MV} mV",
                "voltage",
            )


# Motion


def _find_range_errors(bench: BenchTables) -> Iterator[Said]:
    motor, sleep = bench.motor, bench.sleep
    times: dict[Key, Fraction] = {("sleep", "slice"): sleep.slice, ("sleep", "listen"): sleep.listen}
    positive: dict[Key, Fraction] = {}
    if isinstance(motor, StepDirMotor):
        positive[("motor", "pulse")] = motor.pulse * 1000
    elif isinstance(motor, UnipolarMotor):
        positive[("motor", "half_step")] = motor.half_step
    elif isinstance(motor, DcMotor):
        positive[("motor", "turn")] = motor.turn
    else:
        positive |= {("motor", "on_time"): motor.on_time, ("motor", "off_time"): motor.off_time}
    for key, time in (times | positive).items():
        unit = "microsecond" if key[-1] == "pulse" else "millisecond"
        if time.denominator != 1:
            yield key, f"is not a whole number of {unit}s", "whole"
        elif key in positive and time < (PULSE_US_MIN if key[-1] == "pulse" else 1):
            yield key, "is too short for a driver" if key[-1] == "pulse" else f"is less than a {unit}", "whole"


def _motion_errors(bench: BenchTables, profile: Profile) -> Iterator[Said]:
    motor, step_nl = bench.motor, profile.delivery.step_volume
    if isinstance(motor, SolenoidMotor) != isinstance(bench.mechanics, StrokeMechanics):
        wanted = "stroke" if isinstance(motor, SolenoidMotor) else "syringe or rotary"
        yield ("mechanics", "kind"), f"of a motor of kind {motor.kind} are those of kind {wanted}", "mechanics"
        return
    step = nearest_motion(bench, step_nl)
    if step is None:
        if unit_nl(bench) is not None:
            yield ("mechanics",), "move nothing", "mechanics"
        return
    if abs(step.relative_error(step_nl)) > STEP_ERROR_MAX:
        yield ("mechanics",), _describe_mismatch(motor.kind, step, step_nl), "step-volume"
    if isinstance(motor, SolenoidMotor) and step.units != 1:
        yield (
            ("mechanics", "stroke"),
            f"must be one step of the pump, {units.format_amount(step_nl, 'uL')}",
            "step-volume",
        )
    if step.time_ms > profile.delivery.step_time:
        yield (
            ("motor",),
            f"takes {units.format_amount(step.time_ms, 'ms', 4)} for a step of the pump "
            f"({count_motion(motor.kind, step.units)}); "
            f"the profile {profile.name} gives it {units.format_amount(profile.delivery.step_time, 'ms', 4)}",
            "step-time",
        )


def _describe_mismatch(kind: str, step: Motion, step_nl: Fraction) -> str:
    return (
        f"make a step of {units.format_amount(step.volume_nl, 'uL', 4)} ({count_motion(kind, step.units)}, each of "
        f"{units.format_amount(step.unit_nl, 'uL', 4)}), {shown_error(step, step_nl)} off the "
        f"{units.format_amount(step_nl, 'uL')} of "
        f"the profile; at most {units.format_amount(STEP_ERROR_MAX, '%')} is allowed. Use a finer drive, or "
        f"another profile"
    )


def shown_error(step: Motion, step_nl: Fraction) -> str:
    """The error of a step in percent with its sign, such as "+0.6 %"."""
    percent = 100 * step.relative_error(step_nl)
    return f"{'-' if percent < 0 else '+'}{units.format_decimal(abs(percent), 2 if abs(percent) < 10 else 3)} %"


def _encoder_errors(bench: BenchTables, profile: Profile) -> Iterator[Said]:
    encoder, motor = bench.encoder, bench.motor
    if encoder is None:
        if isinstance(motor, DcMotor):
            yield ("encoder",), "is missing: a direct-current motor runs until its encoder has counted", "encoder"
        return
    if isinstance(motor, SolenoidMotor):
        yield ("encoder",), "has nothing to count: nothing turns in a solenoid pump", "encoder"
        return
    if (encoder.kind == "quadrature") != (encoder.b is not None):
        yield ("encoder", "b"), "is the second channel of a quadrature encoder, and of no other", "encoder"
    step = nearest_motion(bench, profile.delivery.step_volume)
    counts = step.encoder_counts if step else None
    if counts is not None and (counts.denominator != 1 or counts < 1):
        yield (
            ("encoder", "counts_per_turn"),
            f"gives {units.format_decimal(counts, 5)} counts for a step of the pump; only a whole number can be "
            f"held against "
            "the motor, step by step",
            "encoder",
        )


def _sleep_errors(bench: BenchTables) -> Iterator[Said]:
    sleep = bench.sleep
    if not sleep.slice:
        return
    if isinstance(bench.port, UsbPort):
        yield ("sleep", "slice"), "does not go with a USB port: it is gone while the board sleeps", "sleep"
    if sleep.slice > SLICE_MS_MAX:
        yield ("sleep", "slice"), f"is longer than {units.show_time(SLICE_MS_MAX)}: STOP would stay unheard", "sleep"
    if not sleep.listen:
        yield ("sleep", "listen"), "must be above zero: STOP would never be heard", "sleep"


def _storage_errors(bench: BenchTables, board: BoardPins) -> Iterator[Said]:
    storage = bench.storage
    if storage.kind == "partition" and board.family != "esp32":
        yield ("storage", "kind"), f"the {board.title} has no partitions; use files", "storage"
    if (storage.kind == "partition") != (storage.label is not None):
        yield ("storage", "label"), "is the name of a partition, and of nothing else", "storage"


def _calibration_errors(bench: BenchTables, profile: Profile) -> Iterator[Said]:
    calibration = bench.calibration
    if calibration is None:
        return
    nominal = profile.delivery.step_volume
    if abs(calibration.step_volume / nominal - 1) > CALIBRATION_MAX:
        yield (
            ("calibration", "step_volume"),
            f"is more than {units.format_amount(CALIBRATION_MAX, '%')} off the profile's "
            f"{units.format_amount(nominal, 'uL')}: look at "
            "mechanics and file",
            "calibration",
        )
        return
    try:
        calibrate_profile(profile, calibration.step_volume)
    except DosebenchError as error:
        yield ("calibration", "step_volume"), str(error), "calibration"


# Worth a second look


def _find_warnings(bench: BenchTables, board: BoardPins) -> Iterator[Said]:
    for use in pin_uses(bench):
        name = board.label_pin(use.pin)
        if doubt := board.doubtful.get(use.pin):
            yield use.key, f"{name} {doubt}", "pin-doubtful"
        if use.use == "adc" and use.pin in board.adc_shared:
            yield use.key, f"{name} shares its converter with the radio: Wi-Fi has to stay off", "pin-adc-shared"
        if use.wants_pull and use.pin in board.inputs:
            yield use.key, f"{name} has no pull resistor: give it one, 10 kohm to 3.3 V", "pin-pull"
    rate, most = full_steps_per_s(bench), START_PER_S_MAX.get(bench.motor.kind, 0)
    if rate is not None and rate > most:
        yield (
            ("motor",),
            f"starts at {units.format_decimal(rate, 4)} steps a second; above {most} it may stall",
            "start-rate",
        )
    if bench.encoder is None and not isinstance(bench.motor, SolenoidMotor):
        yield ("motor",), "runs without an encoder: a stall or a slip is not noticed by its steps", "open-loop"
