"""What can be broken in a simulated pump: every fault by name, what it does, and which values it takes.

`Twin.set_fault` and `dosebench sim --fault` set them; `docs/TWIN.md` has the same list.
"""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from dosebench.base.errors import DosebenchError

COMPLETE: Final = 1e9
"""Factor on the catheter's resistance that stands for no way through at all: a step would take centuries to pass."""
_WORDS: Final = {"on": True, "yes": True, "true": True, "off": False, "no": False, "false": False}

Value = bool | int | float


class FaultError(DosebenchError):
    """No such fault, or a value that it cannot take; the text says what is right."""


@dataclass(frozen=True)
class Kind:
    """What one fault is.

    Attributes:
        meaning: What it does, as a sentence.
        off: Its value when there is no such fault.
        usual: Its value when none is given.
        low, high: Smallest and largest value.
        unit: Of its value; empty for a plain number, a factor or a switch.
    """

    meaning: str
    off: Value
    usual: Value
    low: float
    high: float
    unit: str = ""


def _switch_fault(meaning: str) -> Any:
    return field(default=False, metadata={"kind": Kind(meaning, False, True, 0, 1)})


def _number_fault(meaning: str, usual: Value, low: float, high: float, *, unit: str = "", off: Value = 0.0) -> Any:
    return field(default=off, metadata={"kind": Kind(meaning, off, usual, low, high, unit)})


def _offset_fault(what: str) -> Any:
    return _number_fault(f"The {what} reads so much too high (negative: too low).", 200.0, -3300, 3300, unit="mV")


def _stuck_fault(what: str) -> Any:
    return _switch_fault(f"The {what} repeats its next reading for ever.")


def _open_fault(what: str) -> Any:
    return _switch_fault(f"The lead of the {what} is broken: it reads the top of its range.")


def _short_fault(what: str) -> Any:
    return _switch_fault(f"The lead of the {what} is shorted: it reads 0 mV.")


@dataclass(slots=True)
class Faults:
    """What is broken at the moment; `KINDS` describes each.

    Set them through `Plant.set_fault` or `Twin.set_fault`, which first account for the time until now.
    """

    stall: bool = _switch_fault("The motor does not turn.")
    slip: int = _number_fault("Every n-th step of the motor is lost.", 3, 1, 1_000_000, unit="steps", off=0)
    runaway: int = _number_fault("The motor makes so many steps by itself, once.", 4, 1, 10_000, unit="steps", off=0)
    driver_stuck: bool = _switch_fault("The motor driver stays energised and drains the battery.")
    step_volume_factor: float = _number_fault(
        "A step delivers its volume times this; the encoder does not see it, level and flow do.", 1.2, 0, 100, off=1.0
    )
    occlusion: float = _number_fault(
        "The catheter's resistance times this; without a value nothing passes any more.", COMPLETE, 1, COMPLETE
    )
    leak: float = _number_fault("This share of the flow leaves in front of the catheter's resistance.", 0.5, 0, 1)
    disconnect: bool = _switch_fault("The catheter has come off: nothing reaches its tip, no pressure is left.")
    free_flow: float = _number_fault(
        "So much siphons out of the reservoir through the line without the motor.", 1_000.0, 0, 1e6, unit="nL/s"
    )
    air: float = _number_fault(
        "Air in the line: its detector shows it, and the compliance is this many times larger.", 10.0, 1, 1_000
    )
    drain: float = _number_fault("Additional current out of the battery.", 1_000.0, 0, 1e6, unit="uA")
    overheat: float = _number_fault("The pump is so much warmer than its surroundings.", 30.0, 0, 200, unit="K")
    hang: bool = _switch_fault("The firmware stops running, until a reset.")
    code_flip: bool = _switch_fault("One bit of the firmware's code is not what was flashed.")
    battery_offset: float = _offset_fault("battery voltage")
    battery_stuck: bool = _stuck_fault("battery voltage")
    battery_open: bool = _open_fault("battery divider")
    battery_short: bool = _short_fault("battery divider")
    level_offset: float = _offset_fault("level sensor")
    level_stuck: bool = _stuck_fault("level sensor")
    level_open: bool = _open_fault("level sensor")
    level_short: bool = _short_fault("level sensor")
    pressure_offset: float = _offset_fault("pressure sensor")
    pressure_stuck: bool = _stuck_fault("pressure sensor")
    pressure_open: bool = _open_fault("pressure sensor")
    pressure_short: bool = _short_fault("pressure sensor")
    temperature_offset: float = _offset_fault("temperature sensor")
    temperature_stuck: bool = _stuck_fault("temperature sensor")
    temperature_open: bool = _open_fault("temperature sensor")
    temperature_short: bool = _short_fault("temperature sensor")
    air_offset: float = _offset_fault("air detector")
    air_stuck: bool = _stuck_fault("air detector")
    air_open: bool = _open_fault("air detector")
    air_short: bool = _short_fault("air detector")
    flow_stuck: bool = _switch_fault("The flow meter counts no more.")
    line_flip: float = _number_fault(
        "Of the bytes on the serial line, so many have a flipped bit.", 1.0, 0, 1000, unit="in 1000"
    )
    line_drop: float = _number_fault("Of the bytes on the serial line, so many are lost.", 1.0, 0, 1000, unit="in 1000")
    line_insert: float = _number_fault(
        "After so many of the bytes on the serial line comes one that nobody sent.", 1.0, 0, 1000, unit="in 1000"
    )
    line_repeat: float = _number_fault(
        "Of the bytes on the serial line, so many come twice.", 1.0, 0, 1000, unit="in 1000"
    )
    line_cut: bool = _switch_fault("The serial line is cut: nothing passes in either direction.")
    line_baud: float = _number_fault("The pump's baud rate times this.", 1.05, 0.1, 10, off=1.0)
    line_delay: float = _number_fault(
        "Everything on the serial line arrives so much later.", 100.0, 0, 60_000, unit="ms"
    )
    rx_overrun: int = _number_fault(
        "While flash is written or erased no interrupt is served: of what arrives meanwhile, the UART holds so many.",
        32,
        1,
        65_536,
        unit="bytes",
        off=0,
    )
    erase_time: float = _number_fault(
        "Erasing a sector takes so long instead of 45 ms; 400 ms is the worst of the data sheet.",
        400.0,
        0,
        10_000,
        unit="ms",
    )

    def set_fault(self, name: str, value: Value | str | None = None) -> None:
        """Set one fault; `value` None takes its usual value. `none` ends them all. Raises FaultError."""
        if name == "none":
            for each, kind in KINDS.items():
                setattr(self, each, kind.off)
            return
        setattr(self, name, check_value(name, value))

    def list_present(self) -> dict[str, Value]:
        """The faults that are there, by name."""
        return {name: value for name, value in asdict(self).items() if value != KINDS[name].off}


KINDS: Final[dict[str, Kind]] = {each.name: each.metadata["kind"] for each in fields(Faults)}


def check_value(name: str, value: Value | str | None = None) -> Value:
    """The value that a fault takes. Raises FaultError: no such fault (with the nearest), or no such value."""
    kind = KINDS.get(name)
    if kind is None:
        near = difflib.get_close_matches(name, [*KINDS, "none"], n=1, cutoff=0.5)
        guess = f'; did you mean "{near[0]}"?' if near else ""
        raise FaultError(f'there is no fault "{name}"{guess}', hint="`dosebench sim --faults` lists them all")
    if value is None:
        return kind.usual
    number = _parse_value(name, kind, value) if isinstance(value, str) else value
    if isinstance(kind.off, bool):
        if number not in (0, 1):
            raise FaultError(f"{name} is on or off, not {value}")
        return bool(number)
    if number != kind.off and not kind.low <= number <= kind.high:
        raise FaultError(f"{name} takes {_format_range(kind)}, not {value}")
    if isinstance(kind.off, int) and number != int(number):
        raise FaultError(f"{name} takes whole numbers, not {value}")
    return int(number) if isinstance(kind.off, int) else float(number)


def parse_fault(text: str) -> tuple[str, str | None]:
    """What `Faults.set_fault` takes for `NAME`, `NAME=VALUE` or `none`, as on a command line. Raises FaultError."""
    name, equals, value = text.partition("=")
    if name != "none" or equals:
        check_value(name, value if equals else None)
    return name, value if equals else None


def format_faults(present: dict[str, Value]) -> str:
    """Faults for people: `occlusion, slip=10`; "no faults" when there are none."""
    told = [name if value == KINDS[name].usual else f"{name}={value:g}" for name, value in present.items()]
    return ", ".join(told) or "no faults"


def _parse_value(name: str, kind: Kind, text: str) -> Value:
    word = _WORDS.get(text.strip().lower())
    if word is not None:
        return kind.usual if word else kind.off
    try:
        return float(text)
    except ValueError:
        raise FaultError(f"{name} takes {_format_range(kind)}, not {text!r}") from None


def _format_range(kind: Kind) -> str:
    if isinstance(kind.off, bool):
        return "on or off"
    return f"{kind.low:g} to {kind.high:g}" + (f" {kind.unit}" if kind.unit else "")
