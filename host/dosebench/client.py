"""The client: one pump on one serial port.

`PumpClient` speaks the protocol over anything that pyserial opens. It retries unanswered requests with the same command
id, so that nothing is carried out twice, and keeps the last frames for the error that may follow (the flight recorder).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Protocol

from dosebench_protocol import codec
from dosebench_protocol.frame import Deframer, Frame, encode
from dosebench_protocol.records import UNKNOWN_STEPS, decode_records
from dosebench_protocol.tables import CHUNK_BYTES_MAX, PROTOCOL_VERSION, REJECTED, SCHEMA_HASH

from dosebench.errors import DosebenchError
from dosebench.ports import PortError
from dosebench.reasons import sentence

REPLY_S: Final = 3.0
"""How long a reply may take: above the hold for a step (1 s) and the worst flash freeze of a commit (4 erases of
400 ms)."""
TRIES: Final = 3
RECORDED_FRAMES: Final = 32
RECORDS_PER_READ: Final = 25
HASH_BYTES: Final = 16
DAY_MS: Final = 86_400_000
EPOCH: Final = datetime(2000, 1, 1)
NO_SESSION: Final = bytes(4)
BROADCAST: Final = bytes(4)


class LinkError(DosebenchError):
    """The pump did not answer as a pump does. `transcript` holds the last frames."""

    transcript: tuple[str, ...] = ()


class SilentError(LinkError):
    """Nothing came back."""


class GarbledError(LinkError):
    """Bytes came back, but no frames: often a wrong baud rate."""


class MismatchError(LinkError):
    """The pump speaks another schema or protocol version than this host."""


class RefusedError(DosebenchError):
    """The pump refused. `reason` is the name of the protocol's `Reason`, `detail` its number."""

    def __init__(self, reason: str, detail: int = 0, message: str = "") -> None:
        super().__init__(sentence(reason, detail))
        self.reason = reason
        self.detail = detail
        self.request = message


class UnknownOutcomeError(LinkError):
    """A command was sent and never answered, and the pump could not be asked what became of it."""


class CommandIds(Protocol):
    """Where command ids come from. `next_id` must make the counter durable before it returns."""

    def next_id(self, device_id: bytes) -> tuple[bytes, int]:
        """Host id (4 bytes) and a counter that was never used before with this device."""


@dataclass
class MemoryIds:
    """Command ids of a host that forgets: for simulations and tests.

    Attributes:
        host: Four bytes.
        counter: Last counter that was used.
    """

    host: bytes = b"demo"
    counter: int = 0

    def next_id(self, device_id: bytes) -> tuple[bytes, int]:
        """The next counter, the same for all devices."""
        del device_id
        self.counter += 1
        return self.host, self.counter


def program_hash(data: bytes) -> bytes:
    """What names an encoded therapy on the wire: the first 16 bytes of its SHA-256."""
    # OpenSSL's hashes take 2 ms to load, and only programming needs them.
    from hashlib import sha256  # noqa: PLC0415

    return sha256(data).digest()[:HASH_BYTES]


def _known(value: int) -> int | None:
    return None if value == UNKNOWN_STEPS else value


class PumpClient:
    """A pump behind an open pyserial port.

    Args:
        port: An open port; its `monotonic()` is the clock where it has one (`sim://`).
        ids: Source of command ids.
        baud: For messages only.
    """

    def __init__(self, port: Any, ids: CommandIds | None = None) -> None:
        self._port = port
        self._ids: CommandIds = ids if ids is not None else MemoryIds()
        self.clock: Callable[[], float] = getattr(port, "monotonic", time.monotonic)
        self._deframer = Deframer()
        self._sequence = 0
        self._recorder: deque[str] = deque(maxlen=RECORDED_FRAMES)
        self._heard = 0
        self.device_id = BROADCAST
        self.hello_reply: dict[str, Any] = {}

    def __enter__(self) -> PumpClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the port."""
        self._port.close()

    @property
    def port(self) -> Any:
        """The pyserial port."""
        return self._port

    def transcript(self) -> tuple[str, ...]:
        """The last frames in both directions, oldest first."""
        return tuple(self._recorder)

    # Asking

    def connect(self) -> dict[str, Any]:
        """Say hello and check that both sides speak the same schema. Returns the hello reply.

        Raises SilentError, GarbledError or MismatchError.
        """
        versions = {"protocol_min": PROTOCOL_VERSION, "protocol_max": PROTOCOL_VERSION}
        reply = self._ask("hello", device=BROADCAST, **versions)
        self.device_id = reply["device_id"]
        self.hello_reply = reply
        self._check_schema(reply)
        return reply

    def _check_schema(self, reply: dict[str, Any]) -> None:
        if reply["protocol"] != PROTOCOL_VERSION or reply["schema_hash"] != SCHEMA_HASH:
            firmware = f"{reply['firmware_major']}.{reply['firmware_minor']}.{reply['firmware_patch']}"
            raise MismatchError(
                f"the pump runs firmware {firmware} with protocol {reply['protocol']} and schema "
                f"{reply['schema_hash'].hex()}; this host speaks protocol {PROTOCOL_VERSION} and schema "
                f"{SCHEMA_HASH.hex()}",
                hint="put the same release on both sides: update the host package, or flash the firmware that came "
                "with it",
            )

    def status(self) -> dict[str, Any]:
        """The pump's status (`Status` of the protocol)."""
        return self._ask("status")

    def journal_info(self) -> dict[str, Any]:
        """First and next sequence number, and the chain value of the newest record."""
        return self._ask("journal_info")

    def memory(self) -> dict[str, Any]:
        """What the flash holds and how often its sectors were opened (`memory` of the protocol)."""
        return self._ask("memory")

    def faults(self, first: int | None = None, progress: Callable[[int, int], None] | None = None) -> Iterator[bytes]:
        """Raw records of the fault ring, as `journal`. In `e` each holds the number of its record in the journal."""
        return self._records("fault", first, progress)

    def journal(self, first: int | None = None, progress: Callable[[int, int], None] | None = None) -> Iterator[bytes]:
        """Raw journal records (40 bytes each) from sequence number `first` (default: the oldest held) to the newest."""
        return self._records("journal", first, progress)

    def fault_info(self) -> dict[str, Any]:
        """First and next sequence number of the fault ring, and the chain value of its newest record."""
        return self._ask("fault_info")

    def _records(self, ring: str, first: int | None, progress: Callable[[int, int], None] | None) -> Iterator[bytes]:
        info = self._ask(f"{ring}_info")
        at = info["first"] if first is None else max(first, info["first"])
        while at < info["next"]:
            count = min(RECORDS_PER_READ, info["next"] - at)
            reply = self._ask(f"{ring}_read", first=at, count=count)
            records = reply["records"]
            step = len(records) // count if count else 0
            for offset in range(0, len(records), step):
                yield records[offset : offset + step]
                at += 1
            if progress is not None:
                progress(at, info["next"])

    def therapy(self) -> tuple[int, bytes]:
        """Generation and bytes of the therapy in force. Raises RefusedError(not_programmed)."""
        data = b""
        while True:
            reply = self._ask("therapy_read", offset=len(data))
            data += reply["data"]
            if len(data) >= reply["length"]:
                return reply["generation"], data

    # Programming

    def stage(self, program: bytes) -> dict[str, Any]:
        """Send an encoded therapy and let the pump read it back: its own `Reading`. Nothing is in force yet.

        Raises RefusedError with the pump's reason when it does not take the therapy.
        """
        self._ask("therapy_begin", length=len(program), program_hash=program_hash(program))
        for offset in range(0, len(program), CHUNK_BYTES_MAX):
            self._ask("therapy_chunk", offset=offset, data=program[offset : offset + CHUNK_BYTES_MAX])
        return self._ask("therapy_verify")

    def commit(self, program: bytes) -> dict[str, Any]:
        """Put the staged and verified therapy in force."""
        return self._command("therapy_commit", program_hash=program_hash(program))

    def abort(self) -> None:
        """Drop the stage, if there is one."""
        self._ask("therapy_abort")

    # Commands

    def start(self) -> dict[str, Any]:
        """Start delivery."""
        return self._command("start")

    def stop(self) -> dict[str, Any]:
        """Stop delivery and cancel a running bolus."""
        return self._command("stop")

    def bolus(self, steps: int) -> dict[str, Any]:
        """Deliver `steps` motor steps on top of the basal."""
        return self._command("bolus", steps=steps)

    def bolus_cancel(self) -> dict[str, Any]:
        """End the running bolus."""
        return self._command("bolus_cancel")

    def patient_bolus(self) -> dict[str, Any]:
        """Ask for a bolus as the patient's button does."""
        return self._command("patient_bolus")

    def square_bolus(self, steps: int, duration_ms: int) -> dict[str, Any]:
        """Deliver `steps` evenly over `duration_ms`, on top of the basal."""
        return self._command("square_bolus", steps=steps, duration_ms=duration_ms)

    def square_cancel(self) -> dict[str, Any]:
        """End the square bolus."""
        return self._command("square_cancel")

    def prime_arm(self, steps: int, path_version: int) -> dict[str, Any]:
        """First of two acts: arm a priming bolus of `steps` from this version of the path table."""
        return self._command("prime_arm", steps=steps, path_version=path_version)

    def prime(self, steps: int) -> dict[str, Any]:
        """Second of two acts: deliver the priming bolus that was armed within the last minute."""
        return self._command("prime", steps=steps)

    def refill(self, steps: int, withdrawn_steps: int | None = None) -> dict[str, Any]:
        """State that the reservoir now holds `steps`, and what was withdrawn before; None where nobody measured."""
        withdrawn = UNKNOWN_STEPS if withdrawn_steps is None else withdrawn_steps
        return self._command("refill", steps=steps, withdrawn_steps=withdrawn)

    def implant(self, date: date) -> dict[str, Any]:
        """State the date of implant, once in the pump's life."""
        return self._command("implant", local_days=(date - EPOCH.date()).days)

    def sensors(self) -> list[dict[str, Any]]:
        """What each fitted sensor says: name, state, raw_mv and value (None: no value) of the message `sensors`."""
        return [row | {"value": _known(row["value"])} for row in self._ask("sensors")["sensors"]]

    def service(self) -> dict[str, int | None]:
        """Days of the message `service`; None where it is unknown, or there is none."""
        return {name: _known(value) for name, value in self._ask("service").items()}

    def patency(self, steps: int) -> dict[str, Any]:
        """Deliver the test volume of a patency check, in motor steps, while stopped."""
        return self._command("patency", steps=steps)

    def wait(self, seconds: float) -> None:
        """Let time pass on the port's own clock; what arrives meanwhile is dropped."""
        deadline = self.clock() + seconds
        while self.clock() < deadline:
            self._read()


    def alarm_clear(self, alarms: list[str]) -> dict[str, Any]:
        """Clear latched alarms by name."""
        return self._command("alarm_clear", alarms=alarms)

    def set_clock(self, local: datetime) -> dict[str, Any]:
        """Set the pump's calendar to a local time."""
        since = local.replace(tzinfo=None) - EPOCH
        ms = (since - timedelta(days=since.days)) // timedelta(milliseconds=1)
        return self._command("clock_set", local_days=since.days, local_ms=ms)

    def alarm_silence(self, ms: int) -> dict[str, Any]:
        """Silence the tones of the alarms that are on for `ms`; a new alarm, or a reset, ends the silence."""
        return self._command("alarm_silence", ms=ms)

    def selftest(self) -> dict[str, Any]:
        """Results of the self-tests: `boot_ms`, `retest_ms`, and `results` by test with result and detail."""
        return self._ask("selftest")

    def counters(self) -> dict[str, Any]:
        """What the pump spent its energy on since its boot: steps, wakes by cause, tones, records."""
        return self._ask("counters")

    def boot_ms(self) -> int:
        """Pump time of the last boot, in ms since commissioning; time without power counts as none.

        Raises DosebenchError when the journal holds no boot any more.
        """
        info = self.journal_info()
        for first in (max(info["next"] - RECORDS_PER_READ, info["first"]), info["first"]):
            for record in reversed(decode_records(b"".join(self.journal(first)))):
                if record.kind == "boot":
                    return record.day * DAY_MS + record.ms
        raise DosebenchError("the journal holds no boot any more")

    def _command(self, name: str, **fields: Any) -> dict[str, Any]:
        """Send one command; every retry carries the same id. Raises RefusedError or UnknownOutcomeError."""
        host, counter = self._ids.next_id(self.device_id)
        try:
            outcome = self._ask(name, host=host, counter=counter, **fields)
        except (SilentError, GarbledError) as error:
            outcome = self._resolve(name, host, counter, error)
        if outcome["reason"] != "done":
            raise RefusedError(str(outcome["reason"]), 0, name)
        return outcome

    def _resolve(self, name: str, host: bytes, counter: int, error: LinkError) -> dict[str, Any]:
        # Never dose again: ask what became of it.
        try:
            return self._ask("outcome", host=host, counter=counter)
        except RefusedError as refused:
            if refused.reason != "outcome_unknown":
                raise
            raise SilentError(
                f"{error}; the pump answers now and says that it never carried out this {name}",
                hint="send it again if it is still wanted",
            ) from error
        except LinkError:
            raise self._failed(
                UnknownOutcomeError,
                f"no answer to {name}: it is not known whether the pump carried it out",
                "do not repeat it; reconnect and look at `dosebench status` and `dosebench log show`",
            ) from error

    # Frames

    def _ask(self, name: str, *, device: bytes | None = None, **fields: Any) -> dict[str, Any]:
        message = codec.by_name(name)
        body = codec.encode_request(name, **fields)
        self._sequence += 1
        frame = Frame(
            type=message.type,
            device=self.device_id if device is None else device,
            session=NO_SESSION,
            sequence=self._sequence,
            body=body,
        )
        self._heard = 0
        for _ in range(TRIES):
            self._send(frame, name)
            reply = self._await_reply(frame)
            if reply is not None:
                return self._unpack(name, reply)
        raise self._nothing(name)

    def _send(self, frame: Frame, name: str) -> None:
        self._note(f"> {name} seq {frame.sequence} {frame.body.hex()}")
        try:
            # A leading delimiter ends whatever noise the line holds.
            self._port.write(b"\x00" + encode(frame))
        except OSError as error:
            raise PortError(
                f"the port was lost while writing: {error}", hint="check the cable, then try again"
            ) from error

    def _await_reply(self, sent: Frame) -> Frame | None:
        deadline = self.clock() + REPLY_S
        while self.clock() < deadline:
            for frame in self._deframer.feed(self._read()):
                self._note(f"< type {frame.type:#04x} seq {frame.sequence} {frame.body.hex()}")
                if frame.sequence == sent.sequence and frame.type in (sent.type | 0x80, REJECTED):
                    return frame
        return None

    def _read(self) -> bytes:
        try:
            data = bytes(self._port.read(1))
            if data:
                data += bytes(self._port.read(self._port.in_waiting))
        except OSError as error:
            raise PortError(
                f"the port was lost while reading: {error}", hint="check the cable, then try again"
            ) from error
        self._heard += len(data)
        return data

    def _unpack(self, name: str, frame: Frame) -> dict[str, Any]:
        try:
            return codec.parse_reply(name, frame)
        except codec.RejectedError as rejected:
            raise RefusedError(rejected.reason, rejected.detail, name) from None

    def _nothing(self, name: str) -> LinkError:
        port = getattr(self._port, "port", "the port")
        if self._heard:
            return self._failed(
                GarbledError,
                f"{port} answered {name} with {self._heard} bytes that are no frames",
                f"the baud rate {getattr(self._port, 'baudrate', '')} may be wrong (the pump's is 115200), "
                "or something else answers there (a REPL?)",
            )
        return self._failed(
            SilentError,
            f"no answer to {name} from {port} in {TRIES} tries of {REPLY_S:g} s",
            "is the pump powered, is this its port, and is the baud rate right?",
        )

    def _failed(self, kind: type[LinkError], text: str, hint: str) -> LinkError:
        error = kind(text, hint=hint)
        error.transcript = self.transcript()
        return error

    def _note(self, line: str) -> None:
        self._recorder.append(f"{self.clock():.3f} {line}")
