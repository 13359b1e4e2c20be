"""MicroPython's raw REPL on an open pyserial port: a USB or UART port, a pseudo-terminal, or TCP.

The frames of the raw REPL are those of mpremote; what is ours is how the prompt is reached: a running pump does not
listen on it, and gives it up only within the two seconds after a reset.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any, Final

from dosebench.flashing.errors import BoardError, FlashError, LineLostError, NoReplError
from dosebench.link.ports import LOST

try:
    from mpremote.transport import TransportError
    from mpremote.transport_serial import SerialTransport
except ImportError as error:
    raise FlashError("mpremote is not installed", hint="pip install 'dosebench[boards]'") from error

BANNER: Final = b"raw REPL; CTRL-B to exit\r\n"
READ_S: Final = 20.0
"""How long a single read of the port may take: the answer to a byte of the raw REPL, on a busy host too (chosen)."""
ANSWER_S: Final = 30.0
"""Most that one act may take on a board: an emulated one reaches a few per cent of real time (chosen)."""
PROMPT_S: Final = 0.4
"""How long one Ctrl-C may take to bring the prompt before the next one is sent: five fit into the selector's window."""
QUIET_S: Final = 0.15
ASK_S: Final = 2.0
"""After so long without a prompt somebody is asked to press reset: a board whose program ends by Ctrl-C has come."""
LINES_SHOWN: Final = 3

Reopen = Callable[[], Any]


class Repl(SerialTransport):  # type: ignore[misc]
    """The raw REPL of one board.

    Args:
        port: An open pyserial port.
        reopen: Opens the port again after it vanished (a USB port does with each reset); None where it cannot vanish.
    """

    def __init__(self, port: Any, reopen: Reopen | None = None) -> None:
        # Not that of the base class, which opens a port by its own rules.
        self.in_raw_repl = False
        self.use_raw_paste = True
        self.device_name = str(getattr(port, "port", port))
        self.mounted = False
        self.is_pty = False
        self._reopen = reopen
        self._lock_port(port)

    def _lock_port(self, port: Any) -> None:
        self.serial = port
        port.timeout = READ_S

    def catch_prompt(self, patience_s: float, ask: Callable[[], None]) -> None:
        """Interrupt what runs there and reach the raw REPL.

        Args:
            patience_s: How long to go on sending Ctrl-C.
            ask: Called once when no prompt came at first: somebody is to press reset.

        Raises NoReplError when the patience ends, BoardError when the port is gone for good.
        """
        began = time.monotonic()
        asked = False
        heard = b""
        settle_s = PROMPT_S
        while time.monotonic() < began + patience_s:
            heard = (heard + self._send_interrupt())[-4096:]
            if BANNER in heard:
                if self._await_silence(settle_s):
                    return
                # The board was reset meanwhile, or is slow. Its window may be open now, so there is no time to lose.
                heard, settle_s = b"", min(2 * settle_s, READ_S)
            if not asked and time.monotonic() > began + ASK_S:
                asked = True
                ask()
        raise NoReplError(
            f"no MicroPython prompt at {self.device_name} within {patience_s:.0f} s{_format_heard(heard)}",
            hint="a running pump gives its prompt only within 2 s after a reset: press reset, or pull the plug and put "
            "it back, while this command waits; a board without MicroPython needs it first (docs/FLASHING.md)",
        )

    def read_until(
        self,
        min_num_bytes: int,
        ending: bytes,
        timeout: float | None = 10,
        data_consumer: None = None,
        timeout_overall: float | None = None,
    ) -> bytes:
        """As in mpremote, but it waits in the port's own read: a poll every 10 ms made most of the time of an act."""
        del min_num_bytes, data_consumer, timeout_overall
        data = b""
        heard = time.monotonic()
        while not data.endswith(ending):
            byte = bytes(self.serial.read(1))
            if byte:
                data += byte
                heard = time.monotonic()
            elif timeout is not None and time.monotonic() >= heard + timeout:
                break
        return data

    def _send_interrupt(self) -> bytes:
        """Send Ctrl-C and ask for the raw REPL; return what came."""
        try:
            self.serial.write(b"\r\x03\x03\x01")
            return self._read_until(PROMPT_S, BANNER)
        except OSError:
            self._find_again()
            return b""

    def _find_again(self) -> None:
        """Take the port once more after it vanished; it may be gone for the time of a reset."""
        if self._reopen is None:
            raise BoardError(f"{self.device_name} was lost", hint="check the cable, then try again") from None
        time.sleep(QUIET_S)
        try:
            self.serial.close()
            self._lock_port(self._reopen())
        except (OSError, FlashError):
            # It is not back yet.
            return

    def _read_until(self, seconds: float, ending: bytes) -> bytes:
        deadline = time.monotonic() + seconds
        heard = b""
        while ending not in heard and time.monotonic() < deadline:
            waiting = self.serial.in_waiting
            if waiting:
                heard += self.serial.read(waiting)
            else:
                time.sleep(0.01)
        return heard

    def _await_silence(self, patience_s: float) -> bool:
        """Banners of earlier tries may still come: wait for silence, then ask once more and leave its prompt unread.

        Returns whether the prompt is still there: a board that is reset now has given it up again.
        """
        try:
            while self._read_until(QUIET_S, b"\0no ending"):
                pass
            self.serial.write(b"\r\x01")
            self.serial.timeout = patience_s
            self.in_raw_repl = self.read_until(1, BANNER, timeout=patience_s).endswith(BANNER)
            self.serial.timeout = READ_S
        except OSError:
            self._find_again()
        return self.in_raw_repl

    def run_code(self, code: str) -> bytes:
        """Run code on the board; return what it printed. Raises BoardError."""
        try:
            said, wrong = self.exec_raw(code, timeout=ANSWER_S)
        except (TransportError, OSError) as error:
            raise LineLostError(
                f"the line to the board was lost: {error}", hint="check the cable, then flash again: it goes on there"
            ) from error
        if wrong:
            raise BoardError(f"the board says: {_last_line(bytes(wrong))}")
        return bytes(said)

    def run_last(self, code: str) -> None:
        """Run code after which the board listens no more, such as a reset; its answer may be cut off: none is read."""
        try:
            if not self.read_until(1, b">", timeout=READ_S).endswith(b">"):
                raise LineLostError("the board does not answer any more", hint="press reset")
            self.serial.write(code.encode() + b"\x04")
        except OSError as error:
            raise LineLostError(f"the board was not reset: {error}", hint="press reset") from error
        # A port that is closed at once drops what it has not sent. One that is gone has sent it: the board was quicker.
        with contextlib.suppress(*LOST):
            self.serial.flush()
        time.sleep(QUIET_S)

    def release_board(self) -> None:
        """Give the board back its friendly prompt."""
        try:
            self.exit_raw_repl()
        except OSError:
            # Whoever pulled the plug has what was wanted.
            return


def _format_heard(heard: bytes) -> str:
    """What came instead of a prompt, where that is text."""
    text = heard.decode("utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    readable = text and sum(char.isprintable() or char.isspace() for char in text) > 0.9 * len(text)
    return f"; it said: {' / '.join(lines[-LINES_SHOWN:])}" if readable and lines else ""


def _last_line(traceback: bytes) -> str:
    lines = traceback.decode("utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "nothing"
