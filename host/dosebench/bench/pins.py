"""Pin tables of the boards that a bench can have: which pins exist, and what each can and cannot do.

Sources, by family:

* RP2040 datasheet, section 1.4.3 (functions of each GPIO) and 4.9 (converter); RP2350 datasheet, section 9.4, and its
  erratum E9 (pull-down of an input).
* Datasheets of Raspberry Pi Pico, Pico W, Pico 2 and Pico 2 W, section "pinout": what hangs on GPIO 23, 24, 25 and 29.
* ESP32 datasheet, tables of pins, of strapping pins and of the converters; ESP32-WROOM-32 datasheet (flash on GPIO 6 to
  11); ESP32-DevKitC user guide (header).
* ESP32-S3 datasheet, the same tables; ESP32-S3-DevKitC-1 user guide.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from dosebench.base.errors import DosebenchError

Family = Literal["rp2", "esp32"]


@dataclass(frozen=True)
class BoardPins:
    """One kind of board. Pins are GPIO numbers, not positions on the header.

    Attributes:
        name: Name in bench files.
        title: Name for people.
        family: Name of its board file in the firmware.
        header: Pins on the header that are free for a bench.
        taken: Pins that exist and are not free, with the reason.
        adc: Pins of the converter.
        inputs: Pins that can only be inputs, and have no pull resistors.
        doubtful: Pins that can be used with care, with the reason: strapping pins, and others with a past.
        uarts: By number of the UART its transmit and receive pins; empty sets: any pin.
        positions: Where a pin is on the header, where its name is not printed beside it; empty else.
        adc_shared: Pins whose converter the radio needs too.
        hint: What anybody who wires such a board should know.
    """

    name: str
    title: str
    family: Family
    header: frozenset[int]
    taken: Mapping[int, str]
    adc: frozenset[int]
    uarts: Mapping[int, tuple[frozenset[int], frozenset[int]]]
    inputs: frozenset[int] = frozenset()
    doubtful: Mapping[int, str] = field(default_factory=dict)
    adc_shared: frozenset[int] = frozenset()
    positions: Mapping[int, int] = field(default_factory=dict)
    hint: str = ""

    def label_pin(self, pin: int) -> str:
        """A pin as it is printed on the board, or in its pinout."""
        return f"GP{pin}" if self.family == "rp2" else f"IO{pin}"


def _same_reason(pins: tuple[int, ...], reason: str) -> dict[int, str]:
    return dict.fromkeys(pins, reason)


_PICO_HEADER: Final = frozenset((*range(23), 26, 27, 28))
_PICO_POSITIONS: Final = {
    **{0: 1, 1: 2, 2: 4, 3: 5, 4: 6, 5: 7, 6: 9, 7: 10, 8: 11, 9: 12, 10: 14, 11: 15, 12: 16, 13: 17, 14: 19, 15: 20},
    **{16: 21, 17: 22, 18: 24, 19: 25, 20: 26, 21: 27, 22: 29, 26: 31, 27: 32, 28: 34},
}
_PICO_TAKEN: Final = {
    23: "is the mode of the board's power supply",
    24: "senses the USB supply",
    25: "is the board's LED",
    29: "measures the board's own supply (VSYS / 3)",
}
_PICO_W_TAKEN: Final = {
    23: "switches the wireless chip",
    24: "is a data line of the wireless chip",
    25: "selects the wireless chip",
    29: "is the clock of the wireless chip",
}
_RP2_UARTS: Final = {
    0: (frozenset({0, 12, 16, 28}), frozenset({1, 13, 17, 29})),
    1: (frozenset({4, 8, 20, 24}), frozenset({5, 9, 21, 25})),
}
_E9: Final = (
    "Erratum E9 of the RP2350 (stepping A2): an input with its pull-down on may stay at 2 V. Give inputs a pull-up, or "
    "a pull-down of 8.2 kohm or less outside the chip."
)
_RP2_HINT: Final = "The converter measures against the board's 3.3 V, which is a few mV off AGND: short leads, AGND."


def _pico_pins(name: str, title: str, taken: Mapping[int, str], hint: str) -> BoardPins:
    return BoardPins(
        name,
        title,
        "rp2",
        _PICO_HEADER,
        taken,
        adc=frozenset({26, 27, 28}),
        uarts=_RP2_UARTS,
        positions=_PICO_POSITIONS,
        hint=hint,
    )


_ANY: Final = (frozenset[int](), frozenset[int]())

_ESP32: Final = BoardPins(
    name="esp32_devkit",
    title="ESP32-DevKitC (ESP32-WROOM-32)",
    family="esp32",
    header=frozenset((0, 2, 4, 5, *range(12, 20), 21, 22, 23, 25, 26, 27, 32, 33, 34, 35, 36, 39)),
    taken=_same_reason(tuple(range(6, 12)), "is wired to the flash chip")
    | _same_reason((1, 3), "is the serial line of the USB bridge, where the REPL is"),
    adc=frozenset((0, 2, 4, 12, 13, 14, 15, 25, 26, 27, *range(32, 37), 39)),
    uarts={1: _ANY, 2: _ANY},
    inputs=frozenset({34, 35, 36, 39}),
    adc_shared=frozenset((0, 2, 4, 12, 13, 14, 15, 25, 26, 27)),
    doubtful={
        0: "is a strapping pin: low at reset starts the boot loader",
        2: "is a strapping pin: it must be low or open while flashing",
        5: "is a strapping pin, high at reset: what it drives sees a pulse",
        12: "is a strapping pin: high at reset sets the flash to 1.8 V, and the board does not start",
        15: "is a strapping pin, high at reset: what it drives sees a pulse",
        14: "gives pulses at reset",
        16: "is wired to the PSRAM of WROVER modules",
        17: "is wired to the PSRAM of WROVER modules",
    },
    hint="The converter is useless below 0.1 V and above 3.1 V: keep sensors between.",
)

_ESP32_S3: Final = BoardPins(
    name="esp32_s3_devkit",
    title="ESP32-S3-DevKitC-1 (quad PSRAM, or none)",
    family="esp32",
    header=frozenset((*range(19), 21, *range(35, 43), 45, 46, 47, 48)),
    taken=_same_reason(tuple(range(26, 33)), "is wired to flash and PSRAM")
    | _same_reason((33, 34), "is not on the header")
    | _same_reason((19, 20), "is the USB port of the chip")
    | _same_reason((43, 44), "is the serial line of the USB bridge"),
    adc=frozenset(range(1, 19)),
    adc_shared=frozenset(range(11, 19)),
    uarts={1: _ANY, 2: _ANY},
    doubtful={
        0: "is a strapping pin: low at reset starts the boot loader",
        3: "is a strapping pin: it chooses the source of JTAG",
        45: "is a strapping pin: high at reset sets the flash to 1.8 V, and the board does not start",
        46: "is a strapping pin: it must be low or open while flashing",
        48: "drives the LED of the board",
        **_same_reason((35, 36, 37), "is wired to the PSRAM of modules with octal PSRAM"),
    },
    hint="The converter is useless below 0.1 V and above 3.1 V: keep sensors between.",
)

BOARDS: Final[Mapping[str, BoardPins]] = {
    board.name: board
    for board in (
        _pico_pins("pico", "Raspberry Pi Pico", _PICO_TAKEN, _RP2_HINT),
        _pico_pins("pico_w", "Raspberry Pi Pico W", _PICO_W_TAKEN, _RP2_HINT),
        _pico_pins("pico2", "Raspberry Pi Pico 2", _PICO_TAKEN, f"{_RP2_HINT} {_E9}"),
        _pico_pins("pico2_w", "Raspberry Pi Pico 2 W", _PICO_W_TAKEN, f"{_RP2_HINT} {_E9}"),
        _ESP32,
        _ESP32_S3,
    )
}
"""Every board by its name in bench files."""


def find_board(name: str) -> BoardPins:
    """The board of that name. Raises DosebenchError, with the nearest name."""
    board = BOARDS.get(name)
    if board is None:
        near = difflib.get_close_matches(name, BOARDS, n=1)
        guess = f'did you mean "{near[0]}"?' if near else f"known are {', '.join(BOARDS)}"
        raise DosebenchError(f'no board "{name}"; {guess}')
    return board
