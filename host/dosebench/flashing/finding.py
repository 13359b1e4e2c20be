"""Which boards are plugged in, and the port of the one that is meant."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from dosebench.link import ports
from dosebench.link.ports import PortError

RP2, ESP32, BRIDGE, OTHER = "rp2", "esp32", "bridge", "other"
USB_IDS: Final[dict[tuple[int, int | None], tuple[str, str]]] = {
    (0x2E8A, 0x0005): (RP2, "MicroPython on RP2"),
    (0x2E8A, 0x000C): (BRIDGE, "Debug Probe, UART of its target"),
    (0x2E8A, None): (RP2, "RP2 board"),
    (0x303A, 0x1001): (ESP32, "ESP32, USB serial of the chip"),
    (0x303A, 0x4001): (ESP32, "MicroPython on ESP32"),
    (0x303A, None): (ESP32, "ESP32 board"),
    (0xF055, None): (OTHER, "MicroPython board"),
    (0x10C4, 0xEA60): (BRIDGE, "CP210x bridge, as on ESP32 boards"),
    (0x1A86, None): (BRIDGE, "CH34x bridge, as on ESP32 boards"),
    (0x0403, None): (BRIDGE, "FTDI bridge"),
}
"""(vendor, product or None for any) -> family and what it is. 2E8A is Raspberry Pi's vendor id, 303A Espressif's, F055
that of MicroPython's own boards, the rest are those of USB-UART bridges."""


@dataclass(frozen=True)
class Found:
    """A serial port of the USB.

    Attributes:
        device: Path or name.
        serial_number: Of the USB device; empty where it has none.
        location: Of the socket that it is plugged into, such as "1-1.4"; it stays over a reset.
        family: `rp2`, `esp32`, `bridge` (a USB-UART bridge: any board may be behind it) or `other`.
        what: In words.
    """

    device: str
    serial_number: str
    location: str
    family: str
    what: str

    def __str__(self) -> str:
        names = [name for name in (self.serial_number, self.location) if name]
        return f"{self.device} ({self.what}{''.join(f', {name}' for name in names)})"


def find_boards() -> list[Found]:
    """Every port of the USB that may be a board, surest first."""
    from serial.tools import list_ports  # noqa: PLC0415

    found = [_identify_port(port) for port in list_ports.comports() if port.vid is not None]
    order = (RP2, ESP32, OTHER, BRIDGE)
    return sorted(
        (board for board in found if board is not None), key=lambda board: (order.index(board.family), board.device)
    )


def _identify_port(port: Any) -> Found | None:
    told = USB_IDS.get((port.vid, port.pid)) or USB_IDS.get((port.vid, None))
    if told is None:
        return None
    return Found(str(port.device), str(port.serial_number or ""), str(port.location or ""), *told)


def choose_port(port: str | None) -> str:
    """The port to use: as given (a device, a pyserial URL, a serial number, a USB location), else the only board.

    Raises PortError when there is none, or more than one.
    """
    there = find_boards()
    if port:
        return next((board.device for board in there if port in (board.serial_number, board.location)), None) or (
            ports.choose_port(port)
        )
    if len(there) == 1:
        return there[0].device
    if not there:
        raise PortError(
            "no board is plugged in",
            hint="a new Pico has no serial port before MicroPython is on it: hold BOOTSEL while plugging it in, and "
            "copy the UF2 file onto the drive that appears (docs/FLASHING.md); or give --port",
        )
    listed = "".join(f"\n  {board}" for board in there)
    raise PortError(
        f"several boards are plugged in:{listed}", hint="choose one with --port: any of these names will do"
    )


def same_board(device: str) -> str:
    """The name that is sure to lead to the board again after its USB port vanished: its location, where it has one."""
    return next((board.location for board in find_boards() if board.device == device and board.location), device)


def as_json() -> list[dict[str, str]]:
    """The boards, for scripts."""
    return [asdict(board) for board in find_boards()]
