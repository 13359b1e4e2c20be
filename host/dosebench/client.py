"""The client: one pump on one serial port.

`PumpClient` speaks the protocol over anything that pyserial opens. What changes something goes through a session, which
is opened when it is needed first. The client retries unanswered requests with the same command id, so that nothing is
carried out twice; it gives no further command while it does not know what became of one; and it keeps the last frames
for the error that may follow (the flight recorder).
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dosebench_protocol import codec
from dosebench_protocol.codec import KEYED_ROLES
from dosebench_protocol.frame import Deframer, Frame, encode
from dosebench_protocol.records import UNKNOWN_STEPS, decode_records
from dosebench_protocol.tables import (
    CHUNK_BYTES_MAX,
    NONCE_BYTES,
    PROTOCOL_VERSION,
    REJECTED,
    REPLY_BIT,
    SCHEMA_HASH,
)

from dosebench.commandids import CommandIds, MemoryIds, OpenCommand
from dosebench.errors import DosebenchError
from dosebench.ports import PortError
from dosebench.reasons import sentence

if TYPE_CHECKING:
    from dosebench_protocol.auth import Session

    from dosebench.keys import BoardKeys, KeySource

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
SESSIONS_MAX: Final = 3
"""How often a session that the pump has lost is opened again for one request."""
GOODBYE_S: Final = 0.5
"""How long the client waits for the pump to agree that the session is over."""
_LOST: Final = ("no_session", "bad_tag", "replayed")
"""Refusals after which a session is opened anew."""


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


class SessionRefusedError(RefusedError):
    """The pump opens no session: `session_busy`, with the milliseconds that another host's lasts, or `backing_off`."""


class EarlierCommandError(DosebenchError):
    """A command was not sent, because what became of an earlier one had to be found out first; the text says it.

    Attributes:
        outcomes: What became of each, oldest first.
    """

    def __init__(self, message: str, outcomes: tuple[Settled, ...]) -> None:
        super().__init__(message, hint="look at `dosebench status`; give the new command again if it is still wanted")
        self.outcomes = outcomes


class NotPairedError(DosebenchError):
    """This host has no key for the pump, or the pump has none."""


class NotGenuineError(LinkError):
    """What answers does not have this pump's key, or has another one."""


class RolledBackError(DosebenchError):
    """The pump's journal does not continue what this host saw of it: the pump may have forgotten what it delivered."""

    exit_code = 3


class Settled(NamedTuple):
    """What became of a command whose outcome was not known.

    Attributes:
        command: Name of its message.
        counter: Its number.
        carried_out: Whether the pump carried it out; None where nobody can know any more.
        reason: `done`, why the pump refused it, `outcome_unknown` where it never came to the pump, or `record_gone`.
        record: Number of the journal record that holds it; None where there is none.
        outcome: The pump's `Outcome`; None where it has none, or the journal alone knows the command.
    """

    command: str
    counter: int
    carried_out: bool | None
    reason: str
    record: int | None = None
    outcome: dict[str, Any] | None = None

    def sentence(self) -> str:
        """One sentence about it."""
        if self.carried_out is None:
            return f"whether the {self.command} before this one was carried out is not in the pump's journal any more"
        if self.carried_out:
            return f"the {self.command} before this one was carried out (journal record {self.record})"
        if self.record is None:
            return f"the {self.command} before this one was never carried out"
        return f"the {self.command} before this one was refused: {sentence(self.reason)}"


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
        port: An open port. Where it has them (`sim://`), its `monotonic()` is the clock, its `keys` those of the board,
            and its `nonce()` gives the random bytes.
        ids: Source of command ids.
        keys: Where to look for the pump's keys; None takes the port's, else this host's.
    """

    def __init__(self, port: Any, ids: CommandIds | None = None, keys: KeySource | None = None) -> None:
        self._port = port
        self._ids: CommandIds = ids if ids is not None else MemoryIds()
        self._keys = keys
        self.clock: Callable[[], float] = getattr(port, "monotonic", time.monotonic)
        self._random: Callable[[int], bytes] = getattr(port, "nonce", os.urandom)
        self._deframer = Deframer()
        self._sequence = 0
        self._recorder: deque[str] = deque(maxlen=RECORDED_FRAMES)
        self._heard = 0
        self._untrusted: str | None = None
        self._session: Session | None = None
        self._newest = 0
        self._continues = False
        self._board_keys: BoardKeys | None = None
        self.device_id = BROADCAST
        self.hello_reply: dict[str, Any] = {}

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
        self._session = None
        self._board_keys = None
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

    def record(self, number: int) -> bytes:
        """One raw journal record. Raises RefusedError(record_gone, record_future)."""
        return bytes(self._ask("journal_read", first=number, count=1)["records"])

    def telemetry_table(self) -> dict[str, Any]:
        """The text of the pump's table of telemetry fields, and its checksum (see `dosebench.telemetry`)."""
        return self._ask("telemetry_table")

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
        """Stop delivery and cancel a running bolus. Needs no key, and waits for nothing else to be known.

        Raises LinkError when no answer comes; it may be repeated at will.
        """
        if self._session is not None:
            try:
                return self._stop_in_session()
            except (LinkError, RefusedError):
                # Whatever is wrong with the session: a stop without one is taken too.
                self._session = None
        return self._ask_plainly("stop", self.device_id, host=self._ids.host_id, counter=0)

    def _stop_in_session(self) -> dict[str, Any]:
        host, counter = self._ids.next_id(self._pump, "stop", self._newest)
        # It may be repeated at will: nobody needs to know whether this one came through.
        self._ids.settle(self._pump, counter)
        return self._ask_in_open_session("stop", host=host, counter=counter)

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
    # At most once

    def settle(self) -> tuple[Settled, ...]:
        """Find out what became of commands whose outcome is not known, this host's earlier processes included.

        Raises UnknownOutcomeError when the pump cannot be asked.
        """
        self._session_for("operator")
        return tuple(self._settle(one) for one in self._ids.unsettled(self._pump))

    def _command(self, name: str, **fields: Any) -> dict[str, Any]:
        """Send one command; every retry carries the same id.

        Raises RefusedError, UnknownOutcomeError, EarlierCommandError, or whatever keeps a session from being opened.
        """
        self._session_for(codec.by_name(name).role)
        if known := self.settle():
            raise EarlierCommandError(
                f"{'; '.join(one.sentence() for one in known)}. The new {name} was not sent", known
            )
        return self._send_command(name, **fields)

    def _send_command(self, name: str, **fields: Any) -> dict[str, Any]:
        host, counter = self._ids.next_id(self._pump, name, self._newest)
        try:
            outcome = self._ask_in_session(name, codec.by_name(name).role, host=host, counter=counter, **fields)
        except PortError as error:
            raise self._unknown(name, error) from error
        except (LinkError, SessionRefusedError, NotPairedError) as error:
            outcome = self._resolve(OpenCommand(host, counter, name), error)
        except RefusedError:
            # It came with a tag: the pump has decided.
            self._ids.settle(self._pump, counter)
            raise
        self._ids.settle(self._pump, counter)
        if outcome["reason"] != "done":
            raise RefusedError(str(outcome["reason"]), 0, name)
        return outcome

    def _resolve(self, command: OpenCommand, error: DosebenchError) -> dict[str, Any]:
        # Never dose again: ask what became of it.
        try:
            known = self._settle(command)
        except (LinkError, RefusedError, NotPairedError, PortError):
            raise self._unknown(command.name, error) from error
        if known.carried_out is None:
            raise self._unknown(command.name, error) from error
        if known.record is None:
            raise SilentError(
                f"{error}; the pump answers now and says that it never carried out this {command.name}",
                hint="send it again if it is still wanted",
            ) from error
        if not known.carried_out:
            raise RefusedError(known.reason, 0, command.name)
        if known.outcome is None:
            raise EarlierCommandError(known.sentence(), (known,))
        return known.outcome

    def _unknown(self, name: str, error: DosebenchError) -> LinkError:
        return self._failed(
            UnknownOutcomeError,
            f"no answer to {name} ({error}): it is not known whether the pump carried it out",
            "do not repeat it; the next command asks first, and `dosebench status` and `dosebench log show` tell",
        )

    def _settle(self, command: OpenCommand) -> Settled:
        """Ask what became of one command. The session's numbers only grow, so a frame of it that is still on its way
        comes too late from here on."""
        try:
            outcome = self._ask_in_session("outcome", "operator", host=command.host, counter=command.counter)
            reason, record = str(outcome["reason"]), int(outcome["record"])
            known = Settled(command.name, command.counter, reason == "done", reason, record, outcome)
        except RefusedError as refused:
            if refused.reason == "outcome_unknown":
                known = Settled(command.name, command.counter, False, refused.reason)
            elif refused.reason == "counter_old":
                known = self._in_journal(command)
            else:
                raise
        self._ids.settle(self._pump, command.counter)
        return known

    def _in_journal(self, command: OpenCommand) -> Settled:
        """Look for a command in the pump's journal: a newer one of this host took its place in the pump's memory."""
        records = decode_records(b"".join(self.journal()))
        for record in records:
            fields = record.fields
            if fields.get("host") == command.host and fields.get("counter") == command.counter:
                reason = str(fields.get("reason", "done"))
                return Settled(command.name, command.counter, reason == "done", reason, record.sequence)
        if records and records[0].sequence:
            return Settled(command.name, command.counter, None, "record_gone")
        return Settled(command.name, command.counter, False, "outcome_unknown")

    # Sessions

    @property
    def session(self) -> Session | None:
        """The open session; None before the first request that needs one."""
        return self._session

    @property
    def _pump(self) -> bytes:
        """What names this pump to the source of command ids: with new keys it is another one."""
        assert self._board_keys is not None
        return self.device_id + self._board_keys.pairing

    def next_sequence(self) -> int:
        """A sequence number that was not used before."""
        self._sequence += 1
        return self._sequence

    def open_session(self, role: str) -> Session:
        """Open a session that may do what `role` may, unless one is open already.

        Raises:
            NotPairedError: There is no key for it here, or the pump has none.
            NotGenuineError: The pump does not have the key.
            RolledBackError: The pump's journal went back.
            SessionRefusedError: Another host has one, or too many bad tags came.
        """
        return self._session_for(role)

    def _session_for(self, role: str) -> Session:
        least = role if role in KEYED_ROLES else KEYED_ROLES[0]
        if self._session is None or not self._session.allows(least):
            self._open_session(least)
        if not self._continues:
            raise self._rolled_back()
        assert self._session is not None
        return self._session

    def _open_session(self, least: str) -> None:
        # Only what changes something needs a session.
        from dosebench_protocol.auth import Challenge, Session  # noqa: PLC0415

        role, key = self._key_for(least)
        for _ in range(TRIES):
            nonce = self._random(NONCE_BYTES)
            reply = self._offer(role, nonce)
            fields = codec.decode_reply("session_open", reply.body)
            challenge = Challenge(
                self.device_id, reply.session, fields["boot_count"], role, self._ids.host_id, nonce, fields["nonce"]
            )
            session = Session(key, challenge)
            if session.is_ours(reply):
                break
        else:
            raise self._failed(
                NotGenuineError,
                f"what answers as pump {self.device_id.hex()} does not have the key that this host has for it",
                "it is another board with the same id, or it was paired anew: `dosebench pair` sets new keys",
            )
        self._session = session
        self._newest = fields["counter"]
        self._continues = self._check_head(fields["journal_next"], fields["chain"])

    def _offer(self, role: str, nonce: bytes) -> Frame:
        body = codec.encode_request("session_open", role=role, host=self._ids.host_id, nonce=nonce)
        frame = Frame(codec.by_name("session_open").type, self.device_id, body=body)
        reply = self._exchange("session_open", frame, None)
        if reply.type == REJECTED:
            try:
                self._unpack("session_open", reply)
            except RefusedError as refused:
                if refused.reason == "unpaired":
                    raise NotPairedError(str(refused), hint="`dosebench pair` sets its keys") from refused
                raise SessionRefusedError(refused.reason, refused.detail, refused.request) from refused
        return reply

    def _key_for(self, least: str) -> tuple[str, bytes]:
        if self._board_keys is None:
            self._board_keys = self._find_keys()
        found = self._board_keys.for_role(least) if self._board_keys is not None else None
        if found is None:
            raise NotPairedError(
                f"this host has no {least} key for pump {self.device_id.hex()}",
                hint="keys are set with the board at hand: `dosebench pair`; stop, status and log need none",
            )
        return found

    def _find_keys(self) -> BoardKeys | None:
        # Only what changes something needs keys.
        from dosebench.keys import BoardKeys, KeyStore  # noqa: PLC0415

        if self._keys is not None:
            return self._keys.get(self.device_id)
        own = getattr(self._port, "keys", None)
        if own is not None:
            return BoardKeys(b"port", own)
        return KeyStore().get(self.device_id)

    def _remembers(self) -> bool:
        """Whether the pump behind this port is the same one the next time."""
        return self._keys is not None or getattr(self._port, "keys", None) is None

    def _check_head(self, following: int, chain: bytes) -> bool:
        """Whether the pump's journal goes on from what this host saw last; remembers how far it has come if so."""
        if not self._remembers():
            return True
        head = self._ids.head(self._pump)
        if head is not None and not self._goes_on(head, following, chain):
            return False
        self._ids.keep_head(self._pump, (following, chain))
        return True

    def _goes_on(self, head: tuple[int, bytes], following: int, chain: bytes) -> bool:
        before, seen = head
        if following <= before:
            return (following, chain) == head
        try:
            reply = self._ask_in_open_session("journal_read", first=before - 1, count=1)
        except RefusedError as refused:
            # The pump has gone on so far that it has overwritten what was seen.
            if refused.reason != "record_gone":
                raise
            return True
        return bytes(reply["records"]).endswith(seen)

    def _rolled_back(self) -> RolledBackError:
        return RolledBackError(
            f"the journal of pump {self.device_id.hex()} does not continue what this host saw of it: its flash was set "
            "back, cut or replaced, and it may have forgotten what it delivered. Nothing was sent",
            hint="compare the log with the pump's reservoir; `dosebench pair --accept-journal` goes on from the "
            "journal as it is now",
        )

    def _end_session(self) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        frame = Frame(codec.by_name("session_close").type, self.device_id, sequence=self.next_sequence())
        self._send(session.seal(frame), "session_close")
        reply = self._await_reply(frame.type, [frame.sequence], session, GOODBYE_S)
        if reply is not None and reply.tag and self._continues and self._remembers():
            fields = codec.parse_reply("session_close", reply)
            self._ids.keep_head(self._pump, (fields["journal_next"], fields["chain"]))

    # Streams: one request, many replies

    def random(self, length: int) -> bytes:
        """Random bytes, those of the port where it has its own (`sim://`)."""
        return self._random(length)

    def tell(self, name: str, **fields: Any) -> int:
        """Send a request and wait for nothing; returns its sequence number, which its replies bear."""
        frame = Frame(codec.by_name(name).type, self.device_id, sequence=self.next_sequence())
        frame = replace(frame, body=codec.encode_request(name, **fields))
        self._send(frame if self._session is None else self._session.seal(frame), name)
        return frame.sequence

    def hear(self, name: str, numbers: Collection[int], within_s: float) -> list[dict[str, Any]]:
        """Replies to `name` that bear one of `numbers`, as soon as there are some; none after `within_s`.

        Raises RefusedError when one of them is a refusal.
        """
        kind = codec.by_name(name).type | REPLY_BIT
        deadline = self.clock() + within_s
        while self.clock() < deadline:
            frames = self._deframer.feed(self._read())
            fitting = [frame for frame in frames if frame.sequence in numbers and frame.type in (kind, REJECTED)]
            trusted = [frame for frame in fitting if self._is_trusted(frame, self._session)]
            if trusted:
                return [self._unpack(name, frame) for frame in trusted]
        return []

    # Frames

    def _ask(self, name: str, *, device: bytes | None = None, **fields: Any) -> dict[str, Any]:
        """One question. It goes through a session if it needs one, or if one is open."""
        role = codec.by_name(name).role
        if role in KEYED_ROLES:
            return self._ask_in_session(name, role, **fields)
        if self._session is not None and device is None:
            try:
                return self._ask_in_open_session(name, **fields)
            except _SessionLostError:
                self._session = None
        return self._ask_plainly(name, self.device_id if device is None else device, **fields)

    def _ask_in_session(self, name: str, role: str, **fields: Any) -> dict[str, Any]:
        for _ in range(SESSIONS_MAX):
            self._session_for(role)
            try:
                return self._ask_in_open_session(name, **fields)
            except _SessionLostError as lost:
                self._session = None
                why = str(lost)
        raise self._failed(
            NotGenuineError,
            f"the pump does not keep a session for {name}: {why}",
            "somebody else may be using it, or something on the line changes frames",
        )

    def _ask_in_open_session(self, name: str, **fields: Any) -> dict[str, Any]:
        assert self._session is not None
        body = codec.encode_request(name, **fields)
        reply = self._exchange(name, Frame(codec.by_name(name).type, self.device_id, body=body), self._session)
        if not reply.tag:
            raise _SessionLostError(sentence(self._refusal(reply)))
        return self._unpack(name, reply)

    def _ask_plainly(self, name: str, device: bytes, **fields: Any) -> dict[str, Any]:
        frame = Frame(codec.by_name(name).type, device, body=codec.encode_request(name, **fields))
        return self._unpack(name, self._exchange(name, frame, None))

    def _exchange(self, name: str, frame: Frame, session: Session | None) -> Frame:
        """Send a request until a reply comes; each try has a number of its own.

        In a session the reply bears a good tag, or it is a refusal after which the session must be opened anew.
        """
        self._heard = 0
        self._untrusted = None
        numbers: list[int] = []
        for _ in range(TRIES):
            numbers.append(self.next_sequence())
            numbered = replace(frame, sequence=numbers[-1])
            self._send(numbered if session is None else session.seal(numbered), name)
            reply = self._await_reply(frame.type, numbers, session, REPLY_S)
            if reply is not None:
                return reply
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

    def _await_reply(self, kind: int, numbers: list[int], session: Session | None, within_s: float) -> Frame | None:
        deadline = self.clock() + within_s
        while self.clock() < deadline:
            for frame in self._deframer.feed(self._read()):
                self._note(f"< type {frame.type:#04x} seq {frame.sequence} {frame.body.hex()}")
                fits = frame.sequence in numbers and frame.type in (kind | 0x80, REJECTED)
                if fits and self._is_trusted(frame, session):
                    return frame
        return None

    def _is_trusted(self, frame: Frame, session: Session | None) -> bool:
        if session is None or (frame.tag and session.is_ours(frame)):
            return True
        if frame.tag or frame.type != REJECTED:
            return False
        # Nobody vouches for it. That the session is gone may be believed: it costs a new one.
        self._untrusted = self._refusal(frame)
        return self._untrusted in _LOST

    @staticmethod
    def _refusal(frame: Frame) -> str:
        return str(codec.decode_struct("rejected", frame.body)["reason"])

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
        if self._untrusted is not None:
            return self._failed(
                NotGenuineError,
                f"{port} answered {name} without a tag, which anybody could: {sentence(self._untrusted)}",
                "connect again; if it happens again, look at what else is on the line",
            )
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


class _SessionLostError(LinkError):
    """The pump does not know the session any more."""
