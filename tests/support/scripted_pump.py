"""A pump in a few lines, behind a port of its own: it answers as a test tells it to, and time is virtual.

Every reply starts from the fields of a body of zeros, so that a test names only those that it is about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, NamedTuple

from dosebench.link.keys import BoardKeys
from dosebench_protocol import auth, codec
from dosebench_protocol.frame import Deframer, Frame, encode, signed_part
from dosebench_protocol.records import GENESIS_CHAIN, chain, make_record
from dosebench_protocol.tables import PROTOCOL_VERSION, REJECTED, REPLY_BIT, SCHEMA_HASH, TAG_BYTES

DEVICE = b"\x0a\x0b\x0c\x0d"
ROLE_KEYS = {"operator": b"o" * 32, "programmer": b"p" * 32, "service": b"s" * 32}
TIMEOUT_S = 0.1
"""Virtual time that a read takes when nothing comes."""
BLANK = bytes(400)
"""Longer than any reply without arrays."""
DRUG = {"name_bytes": 4, "step_ng_num": 25, "step_ng_den": 2, "bridge_ng_num": 0, "bridge_ng_den": 0}
PROGRAM = codec.encode_struct(
    "program", **codec.decode_struct("program", BLANK) | {"drugs": [DRUG], "drug_names": b"drug"}
)
"""What is in force: zero but for its drug."""


class Refusal(NamedTuple):
    """An answer that refuses; without a tag where `is_sealed` is False."""

    reason: str
    detail: int = 0
    is_sealed: bool = True


Answer = dict[str, Any] | Refusal | bytes | None
"""Fields of a reply, a refusal, bytes that are no frame, or silence."""


def blank(name: str, **fields: Any) -> dict[str, Any]:
    """The reply to `name` with every field zero but those that are given."""
    made = codec.decode_reply(name, BLANK)
    assert fields.keys() <= made.keys(), fields.keys() - made.keys()
    return made | fields


def records(
    count: int, first: int = 0, before: bytes = GENESIS_CHAIN, kind: str = "lease", **fields: Any
) -> list[bytes]:
    """Raw journal records of one kind that chain."""
    made = []
    for sequence in range(first, first + count):
        raw = make_record(kind, sequence=sequence, ms=sequence, **fields).to_bytes()
        before = chain(before, raw)
        made.append(raw[: -len(before)] + before)
    return made


class OneKey:
    """Keys of the scripted pump, for clients that remember the board (a `dosebench.link.keys.KeySource`)."""

    def __init__(self, roles: dict[str, bytes] | None = None, pairing: bytes = b"pair") -> None:
        self.roles = ROLE_KEYS if roles is None else roles
        self.pairing = pairing

    def get_keys(self, device: bytes) -> BoardKeys | None:
        return BoardKeys(self.pairing, self.roles) if device == DEVICE else None


@dataclass
class ScriptedPump:
    """The port, and the pump behind it.

    Attributes:
        answers: By message: what answers a request, from its fields; without an entry the pump does what a good one
            does. An entry may be a constant, a function of the fields, or a list of such for one request each.
        asked: Name and fields of every request that came through.
        lost_requests, lost_replies: How many requests of a message the line loses, and how many replies.
        journal: Raw records that it holds.
        program: What is in force, encoded.
        role_keys: Keys of its roles; those that prove it in a session.
    """

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    lost_requests: dict[str, int] = field(default_factory=dict)
    lost_replies: dict[str, int] = field(default_factory=dict)
    journal: list[bytes] = field(default_factory=list)
    program: bytes = PROGRAM
    role_keys: dict[str, bytes] = field(default_factory=lambda: dict(ROLE_KEYS))
    outcomes: dict[tuple[bytes, int], dict[str, Any]] = field(default_factory=dict)
    newest_counter: int = 0
    now_s: float = 100.0
    baudrate: int = 115_200
    port: str = "scripted"
    is_open: bool = True
    boots: int = 1

    def __post_init__(self) -> None:
        self._deframer = Deframer()
        self._queue = bytearray()
        self._random = Random(7)
        self._sessions: dict[bytes, tuple[bytes, bytes]] = {}
        self._hosts: dict[bytes, bytes] = {}

    # The port

    def write(self, data: bytes) -> int:
        for frame in self._deframer.feed(data):
            self._hear(frame)
        return len(data)

    def read(self, size: int = 1) -> bytes:
        if not self._queue:
            self.now_s += TIMEOUT_S
        taken = bytes(self._queue[:size])
        del self._queue[:size]
        return taken

    @property
    def in_waiting(self) -> int:
        return len(self._queue)

    def monotonic(self) -> float:
        return self.now_s

    def nonce(self, length: int) -> bytes:
        return self._random.randbytes(length)

    def close(self) -> None:
        self.is_open = False

    # The pump

    def names(self) -> list[str]:
        """Names of every request that came through."""
        return [name for name, _ in self.asked]

    def forget_sessions(self) -> None:
        """What a reset does to sessions."""
        self._sessions.clear()
        self.boots += 1

    def say(self, name: str, sequence: int, **fields: Any) -> None:
        """Put one reply without a session on the line."""
        frame = Frame(codec.by_name(name).type | REPLY_BIT, DEVICE, sequence=sequence)
        self._queue += encode(replace(frame, body=codec.encode_reply(name, **blank(name, **fields))))

    def noise(self, data: bytes) -> None:
        """Put bytes on the line."""
        self._queue += data

    def _hear(self, frame: Frame) -> None:
        name = codec.by_type(frame.type).name
        if self._is_lost(self.lost_requests, name):
            return
        fields = codec.decode_request(name, frame.body)
        self.asked.append((name, fields))
        self._answer(name, frame, self._decide(name, frame, fields))

    @staticmethod
    def _is_lost(counts: dict[str, int], name: str) -> bool:
        counts[name] = counts.get(name, 0) - 1
        return counts[name] >= 0

    def _decide(self, name: str, frame: Frame, fields: dict[str, Any]) -> Answer:
        given = self.answers.get(name)
        if isinstance(given, list):
            given = given.pop(0) if given else None
        if given is not None:
            return given(fields) if callable(given) else given  # type: ignore[no-any-return]
        if any(frame.session) and frame.session not in self._sessions:
            return Refusal("no_session", is_sealed=False)
        host = self._hosts.get(frame.session, bytes(4))
        if codec.by_name(name).changes_state:
            return self._carry_out(host, fields.get("counter", 0))
        if name == "outcome":
            return self.outcomes.get((host, fields["counter"])) or Refusal("outcome_unknown")
        good: Callable[[dict[str, Any]], Answer] = getattr(self, f"_{name}", lambda _: blank(name))
        return good(fields)

    def _answer(self, name: str, frame: Frame, answer: Answer) -> None:
        if answer is None or self._is_lost(self.lost_replies, name):
            return
        if isinstance(answer, bytes):
            self._queue += answer
            return
        reply = Frame(frame.type | REPLY_BIT, DEVICE, frame.session, frame.sequence)
        if isinstance(answer, Refusal):
            body = codec.encode_struct("rejected", type=frame.type, reason=answer.reason, detail=answer.detail)
            reply = replace(reply, type=REJECTED, body=body)
        else:
            reply = replace(reply, body=codec.encode_reply(name, **answer))
            if name == "session_open":
                reply = replace(reply, session=auth.session_id(answer["nonce"]))
        if reply.session in self._sessions and not (isinstance(answer, Refusal) and not answer.is_sealed):
            key = self._sessions[reply.session][1]
            reply = replace(reply, tag=auth.mac(key, signed_part(reply))[:TAG_BYTES])
        self._queue += encode(reply)

    def _carry_out(self, host: bytes, counter: int) -> Answer:
        known = self.outcomes.get((host, counter))
        if known is None:
            known = blank("outcome", counter=counter, record=len(self.outcomes) + 1)
            self.outcomes[host, counter] = known
        return known

    def _hello(self, fields: dict[str, Any]) -> Answer:
        del fields
        return blank("hello", device_id=DEVICE, protocol=PROTOCOL_VERSION, schema_hash=SCHEMA_HASH)

    def _session_open(self, fields: dict[str, Any]) -> Answer:
        role, nonce = fields["role"], self._random.randbytes(16)
        session = auth.session_id(nonce)
        key = self.role_keys[role]
        context = auth.Challenge(DEVICE, session, self.boots, role, fields["host"], fields["nonce"], nonce).context()
        self._hosts[session] = fields["host"]
        self._sessions[session] = auth.mac(key, b"H" + context), auth.mac(key, b"D" + context)
        head = self.journal[-1][-8:] if self.journal else GENESIS_CHAIN
        return blank(
            "session_open", nonce=nonce, boot_count=self.boots, counter=self.newest_counter,
            journal_next=self._next(), chain=head,
        )  # fmt: skip

    def _session_close(self, fields: dict[str, Any]) -> Answer:
        return blank("session_close", **self._ends(fields))

    def _program_read(self, fields: dict[str, Any]) -> Answer:
        data = self.program[fields["offset"] :][:256]
        return blank("program_read", generation=1, length=len(self.program), offset=fields["offset"], data=data)

    def _first(self) -> int:
        return int.from_bytes(self.journal[0][:4], "little") if self.journal else 0

    def _next(self) -> int:
        return self._first() + len(self.journal)

    def _ends(self, fields: dict[str, Any]) -> dict[str, Any]:
        del fields
        return {"journal_next": self._next(), "chain": self.journal[-1][-8:] if self.journal else GENESIS_CHAIN}

    def _journal_info(self, fields: dict[str, Any]) -> Answer:
        chained = self._ends(fields)["chain"]
        return blank("journal_info", first=self._first(), next=self._next(), chain=chained)

    def _journal_read(self, fields: dict[str, Any]) -> Answer:
        at = fields["first"] - self._first()
        if at < 0:
            return Refusal("record_gone")
        if at >= len(self.journal):
            return Refusal("record_future")
        return blank("journal_read", first=fields["first"], records=joined(self.journal[at : at + fields["count"]]))


def joined(raw: Iterable[bytes]) -> bytes:
    """Records one after the other."""
    return b"".join(raw)
