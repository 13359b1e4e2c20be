"""The client: one pump on one serial port.

`PumpClient` speaks the protocol over anything that pyserial opens. It stands on four floors, each a module of its own:
frames and retries (`exchange`), keys and sessions (`sessions`), what the pump can be asked (`queries`), and commands
that are carried out at most once (`at_most_once`). Their errors can be imported from here too.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from hashlib import sha256
from types import TracebackType
from typing import Any, Final

from dosebench_protocol.codec import decode_struct
from dosebench_protocol.records import UNKNOWN_STEPS
from dosebench_protocol.tables import CHUNK_BYTES_MAX, HASH_HEAD_BYTES

from dosebench.base.errors import DosebenchError
from dosebench.link.at_most_once import AtMostOnce, CommandOutcome, EarlierCommandError, UnknownOutcomeError
from dosebench.link.exchange import GarbledError, LinkError, NotGenuineError, RefusedError, SilentError
from dosebench.link.queries import MismatchError
from dosebench.link.sessions import NotPairedError, RolledBackError, SessionRefusedError

__all__ = [
    "EPOCH",
    "CommandOutcome",
    "EarlierCommandError",
    "GarbledError",
    "LinkError",
    "MismatchError",
    "NotGenuineError",
    "NotPairedError",
    "PumpClient",
    "RefusedError",
    "RolledBackError",
    "SessionRefusedError",
    "SilentError",
    "UnknownOutcomeError",
    "program_hash",
]

HASH_BYTES: Final = 16
"""Length of a program hash on the wire."""
NG_MAX: Final = 0xFFFF_FFFF
"""The most drug that a command can name, in ng."""
EPOCH: Final = datetime(2000, 1, 1)
"""Midnight at which the pump's calendar begins."""


def program_hash(data: bytes) -> bytes:
    """The hash that names an encoded program on the wire: the first 16 bytes of its SHA-256."""
    # OpenSSL's hashes take 2 ms to load, and only programming needs them.
    return sha256(data).digest()[:HASH_BYTES]


class PumpClient(AtMostOnce):
    """A pump behind an open pyserial port.

    Args:
        port: An open port. Where it has them (`sim://`), its `monotonic()` is the clock, its `keys` those of the board,
            and its `nonce()` gives the random bytes.
        ids: Source of command ids; None takes one that forgets.
        keys: Where to look for the pump's keys; None takes the port's, else this host's.
    """

    def __enter__(self) -> PumpClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the session, if one is open, and the port."""
        try:
            self._end_session()
        except DosebenchError:
            # The pump ends it by itself.
            self._session = None
        finally:
            self._port.close()

    # Programming

    def stage_program(self, program: bytes) -> dict[str, Any]:
        """Send an encoded program and return the pump's own `Reading` of it. Nothing is in force yet.

        Raises RefusedError with the pump's reason when it does not accept the program.
        """
        self._ask_question("program_begin", length=len(program), program_hash=program_hash(program))
        for offset in range(0, len(program), CHUNK_BYTES_MAX):
            self._ask_question("program_chunk", offset=offset, data=program[offset : offset + CHUNK_BYTES_MAX])
        return self._ask_question("program_verify")

    def commit_program(self, program: bytes) -> dict[str, Any]:
        """Put the staged and verified program in force."""
        outcome = self._run_command("program_commit", program_hash=program_hash(program))
        self._known_program = program
        return outcome

    def abort_stage(self) -> None:
        """Drop the stage, if there is one."""
        self._ask_question("program_abort")

    # Delivery

    def start_delivery(self) -> dict[str, Any]:
        """Start delivery."""
        return self._run_command("start")

    def stop_delivery(self) -> dict[str, Any]:
        """Stop delivery and cancel a running bolus. Needs no key, and waits for nothing else to be known.

        Raises LinkError when no answer comes; it may be repeated at will.
        """
        if self._session is not None:
            try:
                return self._stop_in_session()
            except (LinkError, RefusedError):
                # Whatever is wrong with the session: a stop without one is taken too.
                self._session = None
        return self._ask_plainly("stop", self.device_id)

    def _stop_in_session(self) -> dict[str, Any]:
        _, counter = self._ids.next_id(self._pump, "stop", self._newest)
        # It may be repeated at will: nobody needs to know whether this one came through.
        self._ids.close_command(self._pump, counter)
        return self._ask_in_open_session("stop", counter=counter)

    def give_bolus(self, steps: int) -> dict[str, Any]:
        """Deliver `steps` motor steps on top of the basal.

        This command, `square_bolus` and `give_priming` name the program that this client committed or read last, and
        the drug in their steps by it. The pump refuses them (`program_differs`, `amount_differs`) when another program
        is in force.
        """
        return self._run_command("bolus", steps=steps, **self._name_dose(steps))

    def bolus_cancel(self) -> dict[str, Any]:
        """End the running bolus."""
        return self._run_command("bolus_cancel")

    def patient_bolus(self) -> dict[str, Any]:
        """Ask for a bolus as the patient's button does."""
        return self._run_command("patient_bolus")

    def square_bolus(self, steps: int, duration_ms: int) -> dict[str, Any]:
        """Deliver `steps` evenly over `duration_ms`, on top of the basal."""
        return self._run_command("square_bolus", steps=steps, duration_ms=duration_ms, **self._name_dose(steps))

    def square_cancel(self) -> dict[str, Any]:
        """End the square bolus."""
        return self._run_command("square_cancel")

    def prime_arm(self, steps: int, path_version: int) -> dict[str, Any]:
        """First of two acts: arm a priming bolus of `steps` from this version of the path table."""
        return self._run_command("prime_arm", steps=steps, path_version=path_version)

    def give_priming(self, steps: int) -> dict[str, Any]:
        """Second of two acts: deliver the priming bolus that was armed within the last minute."""
        return self._run_command("prime", steps=steps, **self._name_dose(steps))

    def _name_dose(self, steps: int) -> dict[str, Any]:
        """Head of the hash of the program that `steps` were computed from, and the drug in them."""
        program = self._known_program
        if program is None:
            _, program = self.read_program()
        drug = decode_struct("program", program)["drugs"][0]
        ng = steps * drug["step_ng_num"] // drug["step_ng_den"]
        # A dose beyond what fits is above every limit: the pump says so.
        return {"program_hash": program_hash(program)[:HASH_HEAD_BYTES], "ng": min(ng, NG_MAX)}

    def test_patency(self, steps: int) -> dict[str, Any]:
        """Deliver the test volume of a patency check, in motor steps, while stopped."""
        return self._run_command("patency", steps=steps)

    # What a person does to the pump

    def record_refill(self, steps: int, withdrawn_steps: int | None = None) -> dict[str, Any]:
        """State that the reservoir now holds `steps`, and how many were withdrawn before; None where it is unknown.

        The command names the step volume of the status that this client read last. The pump refuses it
        (`step_volume_differs`) when its steps have another volume.
        """
        if self._known_step_nl is None:
            self.read_status()
        assert self._known_step_nl is not None
        num, den = self._known_step_nl
        withdrawn = UNKNOWN_STEPS if withdrawn_steps is None else withdrawn_steps
        return self._run_command("refill", steps=steps, withdrawn_steps=withdrawn, step_nl_num=num, step_nl_den=den)

    def record_implant(self, date: date) -> dict[str, Any]:
        """State the date of implant, once in the pump's life."""
        return self._run_command("implant", local_days=(date - EPOCH.date()).days)

    def set_clock(self, local: datetime) -> dict[str, Any]:
        """Set the pump's calendar to a local time."""
        since = local.replace(tzinfo=None) - EPOCH
        ms = (since - timedelta(days=since.days)) // timedelta(milliseconds=1)
        return self._run_command("clock_set", local_days=since.days, local_ms=ms)

    def alarm_clear(self, alarms: list[str]) -> dict[str, Any]:
        """Clear latched alarms by name."""
        return self._run_command("alarm_clear", alarms=alarms)

    def alarm_silence(self, ms: int) -> dict[str, Any]:
        """Silence the tones of the alarms that are on for `ms`; a new alarm, or a reset, ends the silence."""
        return self._run_command("alarm_silence", ms=ms)
