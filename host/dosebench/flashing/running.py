"""The pump on a board, asked over its protocol port: before it is flashed, and after."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from dosebench.base.errors import DosebenchError
from dosebench.base.words import count_noun
from dosebench.flashing.errors import FlashError
from dosebench.link import ports
from dosebench.link.client import LinkError, PumpClient, RefusedError, SilentError

LINE_TIMEOUT_S: Final = 0.1
WINDOW_S: Final = 2.5
"""The selector's window after a reset, and half a second: before that no pump answers."""
PROVING_ROLE: Final = "service"
"""The role whose key is proven: keys are written all together."""


class BolusRunningError(FlashError):
    """A bolus runs, and a reset would cut it."""


class NoHelloError(FlashError):
    """The firmware is on the board, and its pump did not answer."""


class OtherFirmwareError(FlashError):
    """The pump that answers is not the one that was flashed: its slot gave way to the other one."""


@dataclass(frozen=True)
class Running:
    """What a pump said of itself.

    Attributes:
        device: Its id, 4 bytes.
        firmware: Of its firmware, such as "0.2.0".
        delivery: State of the delivery.
        bolus_steps: What is left of its boluses, the square one included.
    """

    device: bytes
    firmware: str
    delivery: str
    bolus_steps: int


def ask_running(port: Any) -> Running | None:
    """What the pump behind an open port does; None when nothing there speaks the protocol of this release."""
    patient, port.timeout = port.timeout, LINE_TIMEOUT_S
    try:
        client = PumpClient(port)
        # Somebody waits to be told what to do, and most often nobody is there who would answer.
        client.tries = 1
        hello = client.connect()
        state = client.read_status()
    except (LinkError, RefusedError):
        return None
    finally:
        port.timeout = patient
    boluses = state["bolus_left_steps"] + state["square_left_steps"]
    return Running(client.device_id, firmware_of(hello), str(state["delivery"]), boluses)


def ask_at(url: str, baud: int) -> Running | None:
    """As `ask_running`, at a port that is opened for it. Raises PortError."""
    with ports.open_port(url, baud) as port:
        return ask_running(port)


def check_no_bolus(running: Running | None) -> None:
    """Raises BolusRunningError."""
    if running is not None and running.bolus_steps:
        raise BolusRunningError(
            f"pump {running.device.hex()} delivers a bolus with {count_noun(running.bolus_steps, 'step')} to go: "
            "flashing would cut it",
            hint="wait for its end, or end it with `dosebench bolus --cancel`",
        )


def check_code(selftest: dict[str, Any], code: bytes) -> None:
    """The pump runs this code: the detail of its self-test `code` is the first three bytes of the hash.

    Raises OtherFirmwareError.
    """
    if all(row["detail"] == int.from_bytes(code[:3], "big") for row in selftest["results"] if row["test"] == "code"):
        return
    raise OtherFirmwareError(
        "the new firmware is on the board and did not run: the pump that answers is that of the other slot",
        hint="`dosebench flash --update --dry-run` shows what ended it, and so does the REPL port at a boot",
    )


def firmware_of(hello: dict[str, Any]) -> str:
    """Such as "0.2.0"."""
    return f"{hello['firmware_major']}.{hello['firmware_minor']}.{hello['firmware_patch']}"


def hello_after_reset(reach: Callable[[], Any], within_s: float, *, code: bytes, proves_keys: bool) -> dict[str, Any]:
    """What the pump says after it was flashed and reset.

    Args:
        reach: Opens its protocol port; raises PortError while that is not back.
        within_s: How long to try.
        code: Hash of the code that was flashed.
        proves_keys: Whether to open a session too, with the keys of this host.

    Raises NoHelloError, OtherFirmwareError; NotPairedError and NotGenuineError when the keys do not fit.
    """
    deadline = time.monotonic() + within_s
    time.sleep(WINDOW_S)
    while True:
        last: DosebenchError
        try:
            with PumpClient(reach()) as client:
                hello = client.connect()
                check_code(client.read_selftest(), code)
                if proves_keys:
                    client.open_session(PROVING_ROLE)
                return hello
        except (ports.PortError, SilentError) as error:
            last = error
        if time.monotonic() > deadline:
            raise NoHelloError(
                f"the firmware is on the board, and its pump did not answer: {last}",
                hint="look at what the board prints on its REPL port after a reset",
            ) from last
        time.sleep(LINE_TIMEOUT_S)
