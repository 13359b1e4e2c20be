"""Opening the pump's port: a device path, a pyserial URL, a USB serial number, or `sim://`."""

from __future__ import annotations

import os
from typing import Any, Final

from dosebench.base.errors import DosebenchError

BAUD: Final = 115_200
"""Default baud rate of the pump's port."""
PORT_VARIABLE: Final = "DOSEBENCH_PORT"
READ_TIMEOUT_S: Final = 0.1


def _port_errors() -> tuple[type[Exception], ...]:
    try:
        import termios  # noqa: PLC0415
    except ImportError:
        return (OSError,)
    return (OSError, termios.error)


LOST: Final = _port_errors()
"""What pyserial raises when a port goes away, as a board's USB port in a reset. `flush` and the end of opening let the
terminal's own error through, which is no OSError; Windows has none."""
NOT_OPENED: Final[tuple[type[Exception], ...]] = (*LOST, ValueError)
"""What pyserial raises when a port cannot be opened."""


class PortError(DosebenchError):
    """The port could not be opened or was lost. The message says what to do."""


def register_sim() -> None:
    """Teach pyserial the `sim://` scheme."""
    import serial  # noqa: PLC0415

    package = "dosebench.twin.urlhandlers"
    if package not in serial.protocol_handler_packages:
        serial.protocol_handler_packages.append(package)


def list_candidates() -> list[tuple[str, str, str]]:
    """USB serial ports here: (device, serial number, description)."""
    from serial.tools import list_ports  # noqa: PLC0415

    found = [port for port in list_ports.comports() if port.vid is not None]
    return [(str(port.device), str(port.serial_number or ""), str(port.description)) for port in found]


def choose_port(port: str | None) -> str:
    """The port to use: what was given, else the environment's DOSEBENCH_PORT, else the only USB serial port.

    Raises PortError when there is none or more than one.
    """
    port = port or os.environ.get(PORT_VARIABLE)
    if port:
        return _by_serial_number(port)
    found = list_candidates()
    if len(found) == 1:
        return found[0][0]
    if not found:
        raise PortError(
            "no port: no board is plugged in",
            hint=f"give --port (a device, a URL such as socket://HOST:PORT, or sim://NAME) or set {PORT_VARIABLE}",
        )
    listed = ", ".join(f"{device} ({number or text})" for device, number, text in found)
    raise PortError(f"several boards are plugged in: {listed}", hint="choose one with --port")


def _by_serial_number(port: str) -> str:
    if "://" in port or os.sep in port or port.upper().startswith("COM"):
        return port
    for device, number, _ in list_candidates():
        if port == number:
            return device
    return port


def open_port(port: str, baud: int = BAUD) -> Any:
    """Open a port for the client: exclusive, with a short read timeout. Raises PortError.

    `port` is whatever `serial.serial_for_url` takes, or `sim://NAME`.
    """
    import serial  # noqa: PLC0415

    register_sim()
    try:
        return serial.serial_for_url(port, baudrate=baud, timeout=READ_TIMEOUT_S, write_timeout=5, exclusive=True)
    except NOT_OPENED as error:
        raise _explain_error(port, error) from error


def _explain_error(port: str, error: Exception) -> PortError:
    if isinstance(error.__cause__, DosebenchError):
        return PortError(str(error.__cause__), hint=error.__cause__.hint)
    text = str(error)
    low = text.lower()
    number = getattr(error, "errno", None)
    if "exclusively lock" in low or "busy" in low or "in use" in low or number in (11, 16):
        return PortError(f"{port} is in use by another program", hint="close that program, or choose another --port")
    if number == 2 or "no such file" in low or "could not find" in low or "filenotfound" in low:
        listed = ", ".join(device for device, _, _ in list_candidates()) or "none"
        return PortError(f"there is no port {port}", hint=f"USB serial ports here: {listed}")
    if number == 13 or "permission" in low:
        return PortError(f"no permission to open {port}", hint="add yourself to the group that owns it (often dialout)")
    if "refused" in low:
        return PortError(
            f"nothing listens at {port}", hint="start `dosebench sim --tcp PORT` there, or what else serves it"
        )
    return PortError(f"could not open {port}: {text}")
