"""From screws, gears and tubes to the motion of one step of the pump."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from dosebench.bench.schema import (
    DcMotor,
    RotaryMechanics,
    SolenoidMotor,
    StepDirMotor,
    StrokeMechanics,
    SyringeMechanics,
    UnipolarMotor,
)

if TYPE_CHECKING:
    from dosebench.bench.schema import BenchTables

NL_PER_MM3: Final = 1_000
"""A cubic millimetre is a microlitre (SI)."""
_PI: Final = Fraction(math.pi)

_UNITS: Final = {
    "step_dir": ("pulse of the driver", "pulses of the driver"),
    "unipolar": ("half step", "half steps"),
    "dc": ("count of the encoder", "counts of the encoder"),
    "solenoid": ("stroke", "strokes"),
}
COUNTED_AS: Final = {"step_dir": "pulses", "unipolar": "half_steps", "dc": "counts", "solenoid": "strokes"}
"""What a step of the pump is counted in on the board, by kind of motor."""


@dataclass(frozen=True)
class Motion:
    """One step of the pump in units of its motor.

    Attributes:
        units: How many pulses, half steps, counts or strokes make the step.
        unit_nl: Volume of one of them, from the mechanics.
        volume_nl: Volume of the step that they make.
        time_ms: How long they take.
        encoder_counts: Counts of the encoder in it, exactly; None without one.
    """

    units: int
    unit_nl: Fraction
    time_ms: Fraction
    encoder_counts: Fraction | None

    @property
    def volume_nl(self) -> Fraction:
        """Volume of the step that they make, from the mechanics."""
        return self.units * self.unit_nl

    def relative_error(self, step_nl: Fraction) -> Fraction:
        """How much more than `step_nl` a step holds, as a share of it."""
        return self.volume_nl / step_nl - 1


def count_motion(kind: str, count: int) -> str:
    """So many units of a kind of motor in words, such as "16 pulses of the driver"."""
    return f"{count} {_UNITS[kind][count != 1]}"


def turn_nl(bench: BenchTables) -> Fraction | None:
    """Volume that a turn of the pump's shaft moves, in nL; None where nothing turns.

    Of a syringe: the area of its bore, pi / 4 times the diameter squared, times the lead of the screw.
    """
    mechanics = bench.mechanics
    if isinstance(mechanics, SyringeMechanics):
        return _PI / 4 * mechanics.bore**2 * mechanics.lead * NL_PER_MM3
    return mechanics.turn_volume if isinstance(mechanics, RotaryMechanics) else None


def unit_nl(bench: BenchTables) -> Fraction | None:
    """Volume of one unit of the motor, in nL; None where mechanics and motor do not go together."""
    motor, mechanics, turn = bench.motor, bench.mechanics, turn_nl(bench)
    if isinstance(motor, SolenoidMotor):
        return mechanics.stroke if isinstance(mechanics, StrokeMechanics) else None
    if turn is None or isinstance(mechanics, StrokeMechanics):
        return None
    if isinstance(motor, DcMotor):
        return turn / bench.encoder.counts_per_turn if bench.encoder else None
    return turn / (mechanics.steps_per_turn * mechanics.microsteps * mechanics.gear)


def nearest_motion(bench: BenchTables, step_nl: Fraction) -> Motion | None:
    """The motion that comes nearest to a step of `step_nl`, of at least one unit; None as `unit_nl`."""
    unit = unit_nl(bench)
    if not unit:
        return None
    count = max(1, round(step_nl / unit))
    return Motion(count, unit, _time_ms(bench, count * unit, count), _count_units(bench, count * unit))


def _time_ms(bench: BenchTables, volume: Fraction, count: int) -> Fraction:
    motor, turn = bench.motor, turn_nl(bench)
    if isinstance(motor, StepDirMotor):
        return count * motor.pulse
    if isinstance(motor, UnipolarMotor):
        return count * motor.half_step
    if isinstance(motor, SolenoidMotor):
        return count * (motor.on_time + motor.off_time)
    return motor.turn * volume / turn if turn else Fraction(0)


def _count_units(bench: BenchTables, volume: Fraction) -> Fraction | None:
    turn = turn_nl(bench)
    if bench.encoder is None or not turn:
        return None
    return bench.encoder.counts_per_turn * volume / turn


def full_steps_per_s(bench: BenchTables) -> Fraction | None:
    """How fast a stepper motor is asked to start, in full steps a second; None for other motors."""
    motor, mechanics = bench.motor, bench.mechanics
    if isinstance(motor, UnipolarMotor):
        return 1000 / motor.half_step if motor.half_step else None
    if not isinstance(motor, StepDirMotor) or isinstance(mechanics, StrokeMechanics) or not motor.pulse:
        return None
    return 1000 / (motor.pulse * mechanics.microsteps)
