"""What a pump can be asked: nothing here changes anything, and nothing here needs a key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from dosebench_protocol.records import UNKNOWN_STEPS, decode_records
from dosebench_protocol.tables import PROTOCOL_VERSION, SCHEMA_HASH

from dosebench.base.errors import DosebenchError
from dosebench.link.exchange import BROADCAST, LinkError
from dosebench.link.sessions import SessionLink

if TYPE_CHECKING:
    from dosebench.link.command_ids import CommandIds
    from dosebench.link.keys import KeySource

RECORDS_PER_READ: Final = 25
"""What fits in a frame of 1024 bytes: 1000 bytes of records."""
DAY_MS: Final = 86_400_000


class MismatchError(LinkError):
    """The pump speaks another schema or protocol version than this host."""


class Queries(SessionLink):
    """A pump that can be asked.

    What it answered last is remembered: a command names the program and the step volume that it was computed from.

    Attributes:
        hello_reply: What it said of itself; empty before `connect`.
    """

    def __init__(self, port: Any, ids: CommandIds | None = None, keys: KeySource | None = None) -> None:
        super().__init__(port, ids, keys)
        self.hello_reply: dict[str, Any] = {}
        self._known_program: bytes | None = None
        self._known_step_nl: tuple[int, int] | None = None

    def connect(self) -> dict[str, Any]:
        """Say hello and check that both sides speak the same schema. Returns the hello reply.

        Raises SilentError, GarbledError or MismatchError.
        """
        self._session = None
        self._board_keys = None
        # It may be another pump than before.
        self._known_program = self._known_step_nl = None
        versions = {"protocol_min": PROTOCOL_VERSION, "protocol_max": PROTOCOL_VERSION}
        reply = self._ask_question("hello", device=BROADCAST, **versions)
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

    def read_status(self) -> dict[str, Any]:
        """The pump's status (`Status` of the protocol)."""
        status = self._ask_question("status")
        self._known_step_nl = status["step_nl_num"], status["step_nl_den"]
        return status

    def read_sensors(self) -> list[dict[str, Any]]:
        """What each fitted sensor says: name, state, raw_mv and value (None: no value) of the message `sensors`."""
        return [row | {"value": _known_or_none(row["value"])} for row in self._ask_question("sensors")["sensors"]]

    def read_service(self) -> dict[str, int | None]:
        """Days of the message `service`; None where it is unknown, or there is none."""
        return {name: _known_or_none(value) for name, value in self._ask_question("service").items()}

    def read_selftest(self) -> dict[str, Any]:
        """Results of the self-tests: `boot_ms`, `retest_ms`, and `results` by test with result and detail."""
        return self._ask_question("selftest")

    def read_counters(self) -> dict[str, Any]:
        """What the pump spent its energy on since its boot: steps, wakes by cause, tones, records."""
        return self._ask_question("counters")

    def read_memory(self) -> dict[str, Any]:
        """What the flash holds and how often its sectors were opened (`memory` of the protocol)."""
        return self._ask_question("memory")

    def telemetry_table(self) -> dict[str, Any]:
        """The text of the pump's table of telemetry fields, and its checksum (see `dosebench.link.telemetry`)."""
        return self._ask_question("telemetry_table")

    def read_program(self) -> tuple[int, bytes]:
        """Generation and bytes of the program in force. Raises RefusedError(not_programmed)."""
        data = b""
        while True:
            reply = self._ask_question("program_read", offset=len(data))
            data += reply["data"]
            if len(data) >= reply["length"]:
                self._known_program = data
                return reply["generation"], data

    # Records

    def journal_info(self) -> dict[str, Any]:
        """First and next sequence number, and the chain value of the newest record."""
        return self._ask_question("journal_info")

    def fault_info(self) -> dict[str, Any]:
        """First and next sequence number of the fault ring, and the chain value of its newest record."""
        return self._ask_question("fault_info")

    def read_journal(
        self, first: int | None = None, progress: Callable[[int, int], None] | None = None
    ) -> Iterator[bytes]:
        """Raw journal records (40 bytes each) from sequence number `first` (default: the oldest held) to the newest."""
        return self._read_records("journal", first, progress)

    def read_faults(
        self, first: int | None = None, progress: Callable[[int, int], None] | None = None
    ) -> Iterator[bytes]:
        """Raw records of the fault ring, as `read_journal`; `Record.copied_from` is the number of the journal's."""
        return self._read_records("fault", first, progress)

    def read_record(self, number: int) -> bytes:
        """One raw journal record. Raises RefusedError(record_gone, record_future)."""
        return bytes(self._ask_question("journal_read", first=number, count=1)["records"])

    def boot_ms(self) -> int:
        """Pump time of the last boot, in ms since commissioning; time without power counts as none.

        Raises DosebenchError when the journal holds no boot any more.
        """
        info = self.journal_info()
        for first in (max(info["next"] - RECORDS_PER_READ, info["first"]), info["first"]):
            for record in reversed(decode_records(b"".join(self.read_journal(first)))):
                if record.kind == "boot":
                    return record.day * DAY_MS + record.ms
        raise DosebenchError("the journal holds no boot any more")

    def _read_records(
        self, ring: str, first: int | None, progress: Callable[[int, int], None] | None
    ) -> Iterator[bytes]:
        info = self._ask_question(f"{ring}_info")
        at = info["first"] if first is None else max(first, info["first"])
        while at < info["next"]:
            count = min(RECORDS_PER_READ, info["next"] - at)
            reply = self._ask_question(f"{ring}_read", first=at, count=count)
            records = reply["records"]
            step = len(records) // count if count else 0
            for offset in range(0, len(records), step):
                yield records[offset : offset + step]
                at += 1
            if progress is not None:
                progress(at, info["next"])


def _known_or_none(value: int) -> int | None:
    return None if value == UNKNOWN_STEPS else value
