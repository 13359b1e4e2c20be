"""The wiring diagram of a bench as SVG, drawn from its file.

The board stands in the middle; what drives the pump is on its right, what it senses and its port are on its left. The
board's pins are drawn where they are needed, not in the order of its header, so that no two wires cross.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from typing import Final

from dosebench.base.units import format_amount, format_decimal
from dosebench.bench.file import Bench
from dosebench.bench.schema import (
    AnalogueInput,
    DcMotor,
    LoadCell,
    RotaryMechanics,
    SolenoidMotor,
    StepDirMotor,
    SyringeMechanics,
    UartPort,
    UnipolarMotor,
)

PITCH: Final = 26
TITLE: Final = 30
NET: Final = 17
GAP: Final = 22
TOP: Final = 92
LEFT_X, LEFT_WIDTH = 24, 250
BOARD_X, BOARD_WIDTH = 430, 220
RIGHT_X, RIGHT_WIDTH = 806, 210
CHAIN_X, CHAIN_WIDTH = 1092, 190
WIDTH: Final = CHAIN_X + CHAIN_WIDTH + 24

_INK: Final = "#1f2933"
_FAINT: Final = "#5f6b7a"
_WIRES: Final = {"out": "#b5541c", "in": "#1c6fb5", "adc": "#2d8a4e"}
"""Colours of wires by what the board's pin does: it drives, it reads a level, it measures a voltage."""
_NAMES: Final = {"out": "output", "in": "input", "adc": "converter"}
_SENSORS: Final = {
    "battery": "Battery or its place",
    "level": "Level sensor",
    "pressure": "Pressure sensor",
    "temperature": "Temperature sensor",
    "air": "Bubble detector",
}


@dataclass(frozen=True)
class Wire:
    """A wire from a pin of the board to a terminal of a part."""

    pin: int
    use: str
    terminal: str


@dataclass(frozen=True)
class Part:
    """One box: its wires, and what else it is connected to. `chain` are the boxes behind it."""

    title: str
    wires: tuple[Wire, ...]
    nets: tuple[str, ...] = ()
    chain: tuple[tuple[str, str], ...] = field(default=())

    def count_height(self) -> int:
        return TITLE + PITCH * len(self.wires) + NET * len(self.nets) + 6


def parts_of(bench: Bench) -> tuple[list[Part], list[Part]]:
    """The boxes on the left and on the right of the board."""
    return [*_port_parts(bench), *_sensor_parts(bench)], [
        *_drive_parts(bench),
        *_encoder_parts(bench),
        *_tone_parts(bench),
    ]


def _port_parts(bench: Bench) -> Iterator[Part]:
    port = bench.tables.port
    if isinstance(port, UartPort):
        wires = (Wire(port.tx, "out", "RX"), Wire(port.rx, "in", "TX"))
        yield Part("USB-to-serial adapter, 3.3 V", wires, ("GND to GND",))
    else:
        yield Part("Computer", (), ("USB cable to the board's USB port",))


def _sensor_parts(bench: Bench) -> Iterator[Part]:
    sensors = bench.tables.sensors
    for name, title in _SENSORS.items():
        sensor = getattr(sensors, name)
        if isinstance(sensor, LoadCell):
            wires = (Wire(sensor.data, "in", "DOUT"), Wire(sensor.clock, "out", "PD_SCK"))
            yield Part("HX711 with load cell (level)", wires, ("VCC to 3V3, GND to GND",))
        elif isinstance(sensor, AnalogueInput):
            supply = "plus to the divider, minus to GND" if name == "battery" else "supply to 3V3, GND to GND"
            divided = (f"divided by {format_decimal(sensor.divider, 4)} at the pin",) if sensor.divider != 1 else ()
            yield Part(title, (Wire(sensor.pin, "adc", "signal"),), (*divided, supply))
    if sensors.flow:
        yield Part("Flow meter", (Wire(sensors.flow.pin, "in", "pulses"),), ("supply to 3V3, GND to GND",))


def _drive_parts(bench: Bench) -> Iterator[Part]:
    tables = bench.tables
    motor, sense = tables.motor, tables.sense
    chain = (("Motor", _describe_motor(bench)), ("Pump", _describe_pump(bench)))
    word = "ENABLE" if isinstance(motor, StepDirMotor) else "gate"
    read_back = (Wire(sense.pin, "in", f"{word}, read back"),) if sense else ()
    nets: tuple[str, ...]
    if isinstance(motor, StepDirMotor):
        wires = (Wire(motor.step, "out", "STEP"), Wire(motor.dir, "out", "DIR"), Wire(motor.enable, "out", "ENABLE"))
        nets = ("VIO (VDD) to 3V3, GND to GND", "VM to the motor supply, 100 uF at it")
        yield Part(tables.driver or "Stepper driver", wires + read_back, nets, chain)
    elif isinstance(motor, UnipolarMotor):
        coils = tuple(Wire(pin, "out", f"IN{at + 1}") for at, pin in enumerate(motor.coils))
        yield Part(tables.driver or "Driver", coils + read_back, ("VCC to 5 V, GND to GND",), chain)
    else:
        nets = ("100 ohm at the gate, 10 kohm to GND", "drain to the load, source to GND", "flyback diode at the load")
        yield Part(tables.driver or "Switch", (Wire(motor.pin, "out", "gate"), *read_back), nets, chain)


def _describe_motor(bench: Bench) -> str:
    motor, mechanics = bench.tables.motor, bench.tables.mechanics
    if isinstance(motor, SolenoidMotor):
        return f"coil, {format_amount(motor.on_time, 'ms')} a stroke"
    if isinstance(motor, DcMotor):
        return f"DC, {format_amount(motor.turn, 's')} a turn"
    if isinstance(mechanics, SyringeMechanics | RotaryMechanics) and isinstance(motor, StepDirMotor):
        return f"stepper, {mechanics.steps_per_turn} steps, 1/{mechanics.microsteps}"
    return "geared stepper, half steps"


def _describe_pump(bench: Bench) -> str:
    mechanics = bench.tables.mechanics
    if isinstance(mechanics, SyringeMechanics):
        return f"syringe {format_decimal(mechanics.bore)} mm, screw {format_decimal(mechanics.lead)} mm"
    if isinstance(mechanics, RotaryMechanics):
        return f"head, {format_amount(mechanics.turn_volume, 'uL')} a turn"
    return f"{format_amount(mechanics.stroke, 'uL')} a stroke"


def _encoder_parts(bench: Bench) -> Iterator[Part]:
    encoder = bench.tables.encoder
    if encoder:
        wires = [Wire(encoder.a, "in", "A")]
        if encoder.b is not None:
            wires.append(Wire(encoder.b, "in", "B"))
        title = f"Encoder, {encoder.counts_per_turn} counts a turn"
        yield Part(title, tuple(wires), ("supply to 3V3, GND to GND", "on the pump's shaft"))


def _tone_parts(bench: Bench) -> Iterator[Part]:
    if bench.tables.tone:
        yield Part("Buzzer with transistor", (Wire(bench.tables.tone.pin, "out", "base, by 1 kohm"),), ("GND to GND",))


# Drawing


def draw_bench(bench: Bench) -> str:
    """The diagram as an SVG document."""
    left, right = parts_of(bench)
    tall = max(_sum_height(left), _sum_height(right))
    height = TOP + tall + 62
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="Helvetica, Arial, sans-serif">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        _draw_text(LEFT_X, 34, bench.tables.title or bench.tables.name, size=20, weight="bold"),
        _draw_text(LEFT_X, 58, f"Wiring of {bench.tables.name}. For benches, never for people.", colour=_FAINT),
        _draw_box(BOARD_X, TOP, BOARD_WIDTH, tall, "#eaf1f7"),
        *_board_title(bench),
        *_draw_column(bench, left, tall, is_left=True),
        *_draw_column(bench, right, tall, is_left=False),
        *_draw_legend(height),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _board_title(bench: Bench) -> Iterator[str]:
    """The board's name, and below it what stands in brackets."""
    name, _, more = bench.board.title.partition(" (")
    yield _draw_text(BOARD_X + BOARD_WIDTH / 2, TOP + 20, name, size=14, weight="bold", anchor="middle")
    if more:
        yield _draw_text(BOARD_X + BOARD_WIDTH / 2, TOP + 36, f"({more}", size=11, colour=_FAINT, anchor="middle")


def _sum_height(parts: Iterable[Part]) -> int:
    heights = [part.count_height() for part in parts]
    return sum(heights) + GAP * (len(heights) - 1) + TITLE


def _draw_column(bench: Bench, parts: list[Part], tall: int, is_left: bool) -> Iterator[str]:
    y = TOP + TITLE + (tall - _sum_height(parts)) // 2
    for part in parts:
        yield from _draw_part(bench, part, y, is_left)
        y += part.count_height() + GAP


def _draw_part(bench: Bench, part: Part, y: int, is_left: bool) -> Iterator[str]:
    x, width = (LEFT_X, LEFT_WIDTH) if is_left else (RIGHT_X, RIGHT_WIDTH)
    yield _draw_box(x, y, width, part.count_height(), "#f6f4ee")
    yield _draw_text(x + 12, y + 20, part.title, size=13, weight="bold")
    for at, wire in enumerate(part.wires):
        yield from _draw_wire(bench, wire, y + TITLE + PITCH * at + PITCH // 2, is_left)
    for at, net in enumerate(part.nets):
        yield _draw_text(x + 12, y + TITLE + PITCH * len(part.wires) + NET * at + 13, net, size=11, colour=_FAINT)
    if part.chain:
        yield from _draw_chain(part, y)


def _draw_wire(bench: Bench, wire: Wire, y: int, is_left: bool) -> Iterator[str]:
    colour = _WIRES[wire.use]
    edge, board = (LEFT_X + LEFT_WIDTH, BOARD_X) if is_left else (RIGHT_X, BOARD_X + BOARD_WIDTH)
    inward = 1 if is_left else -1
    anchor = "start" if is_left else "end"
    yield f'<path d="M{edge} {y}H{board}" stroke="{colour}" stroke-width="2.2" fill="none"/>'
    for end in (edge, board):
        yield f'<circle cx="{end}" cy="{y}" r="4" fill="{colour}"/>'
    position = bench.board.positions.get(wire.pin)
    where = f" (pin {position})" if position else ""
    label = f"{bench.board.label_pin(wire.pin)}{where}"
    yield _draw_text(board + 12 * inward, y + 4, label, size=13, anchor=anchor)
    yield _draw_text(edge - 12 * inward, y + 4, wire.terminal, size=13, anchor="end" if is_left else "start")


def _draw_chain(part: Part, y: int) -> Iterator[str]:
    height = 46
    middle = RIGHT_X + RIGHT_WIDTH
    at = y
    for place, (title, what) in enumerate(part.chain):
        yield _draw_box(CHAIN_X, at, CHAIN_WIDTH, height, "#f1ecf5")
        yield _draw_text(CHAIN_X + 10, at + 19, title, size=13, weight="bold")
        yield _draw_text(CHAIN_X + 10, at + 36, what, size=11, colour=_FAINT)
        if place == 0:
            line = at + height // 2
            yield f'<path d="M{middle} {line}H{CHAIN_X}" stroke="{_INK}" stroke-width="3.5"/>'
            leads = "leads" if part.nets else ""
            yield _draw_text((middle + CHAIN_X) / 2, line - 8, leads, size=11, colour=_FAINT, anchor="middle")
        else:
            centre = CHAIN_X + CHAIN_WIDTH / 2
            yield f'<path d="M{centre} {at - GAP}V{at}" stroke="{_INK}" stroke-width="3.5"/>'
        at += height + GAP


def _draw_legend(height: int) -> Iterator[str]:
    x = LEFT_X
    for use, colour in _WIRES.items():
        yield f'<path d="M{x} {height - 26}h34" stroke="{colour}" stroke-width="2.2"/>'
        yield _draw_text(x + 42, height - 22, f"{_NAMES[use]} of the board", size=12)
        x += 190
    yield _draw_text(
        x, height - 22, "All grounds are one; pins stand in the order of the parts.", size=12, colour=_FAINT
    )


def _draw_box(x: float, y: float, width: float, height: float, fill: str) -> str:
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="7" fill="{fill}" stroke="{_INK}" '
        'stroke-width="1.3"/>'
    )


def _draw_text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 13,
    colour: str = _INK,
    anchor: str = "start",
    weight: str = "normal",
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{colour}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{escape(text, quote=False)}</text>"
    )
