"""Sessions with a pump: what changes something goes through one, which is opened when it is needed first.

The pump proves that it has the key, and that its journal continues what this host saw of it. A session that the pump
has lost is opened again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from dosebench_protocol import codec
from dosebench_protocol.auth import Challenge, Session
from dosebench_protocol.codec import KEYED_ROLES
from dosebench_protocol.frame import Frame
from dosebench_protocol.tables import NONCE_BYTES, REJECTED

from dosebench.base.errors import DosebenchError
from dosebench.link.command_ids import CommandIds, MemoryIds
from dosebench.link.exchange import TRIES, Exchange, LinkError, NotGenuineError, RefusedError
from dosebench.link.keys import BoardKeys, KeyStore
from dosebench.link.reasons import explain_reason

if TYPE_CHECKING:

    from dosebench.link.keys import KeySource

SESSIONS_MAX: Final = 3
"""How often a session that the pump has lost is opened again for one request."""
GOODBYE_S: Final = 0.5
"""How long the host waits for the pump to agree that the session is over."""


class SessionRefusedError(RefusedError):
    """The pump opens no session: `session_busy`, with the milliseconds that another host's lasts, or `backing_off`."""


class NotPairedError(DosebenchError):
    """This host has no key for the pump, or the pump has none."""


class RolledBackError(DosebenchError):
    """The pump's journal does not continue what this host saw of it: the pump may have forgotten what it delivered."""

    exit_code = 3


class _SessionLostError(LinkError):
    """The pump does not know the session any more."""


class SessionLink(Exchange):
    """The frames at one port, and the session that they go through where they need one.

    Args:
        port: As `Exchange` takes it; its `keys`, where it has them (`sim://`), are those of the board.
        ids: Source of command ids; None takes one that forgets.
        keys: Where to look for the pump's keys; None takes the port's, else this host's.
    """

    def __init__(self, port: Any, ids: CommandIds | None = None, keys: KeySource | None = None) -> None:
        super().__init__(port)
        self._ids: CommandIds = ids if ids is not None else MemoryIds()
        self._keys = keys
        self._session: Session | None = None
        self._newest = 0
        self._continues = False
        self._board_keys: BoardKeys | None = None

    @property
    def session(self) -> Session | None:
        """The open session; None before the first request that needs one."""
        return self._session

    @property
    def _pump(self) -> bytes:
        """What names this pump to the source of command ids: with new keys it is another one."""
        assert self._board_keys is not None
        return self.device_id + self._board_keys.pairing

    def open_session(self, role: str) -> Session:
        """Open a session that may do what `role` may, unless one is open already.

        Raises:
            NotPairedError: There is no key for it here, or the pump has none.
            NotGenuineError: The pump does not have the key.
            RolledBackError: The pump's journal went back.
            SessionRefusedError: Another host has one, or too many bad tags came.
        """
        least = role if role in KEYED_ROLES else KEYED_ROLES[0]
        if self._session is None or not self._session.allows(least):
            self._open_session(least)
        if not self._continues:
            raise self._rolled_back()
        assert self._session is not None
        return self._session

    def _open_session(self, least: str) -> None:
        # Only what changes something needs a session.
        role, key = self._key_for(least)
        for _ in range(TRIES):
            nonce = self._random(NONCE_BYTES)
            reply = self._offer_session(role, nonce)
            fields = codec.decode_reply("session_open", reply.body)
            challenge = Challenge(
                self.device_id, reply.session, fields["boot_count"], role, self._ids.host_id, nonce, fields["nonce"]
            )
            session = Session(key, challenge)
            if session.is_ours(reply):
                break
        else:
            raise self._link_error(
                NotGenuineError,
                f"what answers as pump {self.device_id.hex()} does not have the key that this host has for it",
                "it is another board with the same id, or it was paired anew: `dosebench pair` sets new keys",
            )
        self._session = session
        self._newest = fields["counter"]
        try:
            self._continues = self._check_head(fields["journal_next"], fields["chain"])
        except DosebenchError:
            # Nobody knows whether the journal goes on: the next request opens a session and looks again.
            self._session = None
            raise

    def _offer_session(self, role: str, nonce: bytes) -> Frame:
        body = codec.encode_request("session_open", role=role, host=self._ids.host_id, nonce=nonce)
        frame = Frame(codec.by_name("session_open").type, self.device_id, body=body)
        reply = self._exchange_frames("session_open", frame, None)
        if reply.type == REJECTED:
            try:
                self._unpack_reply("session_open", reply)
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
        if self._keys is not None:
            return self._keys.get_keys(self.device_id)
        own = getattr(self._port, "keys", None)
        if own is not None:
            return BoardKeys(b"port", own)
        return KeyStore().get_keys(self.device_id)

    # The journal goes on

    def _is_remembered(self) -> bool:
        """Whether the pump behind this port is the same one the next time."""
        return self._keys is not None or getattr(self._port, "keys", None) is None

    def _check_head(self, following: int, chain: bytes) -> bool:
        """Whether the pump's journal goes on from what this host saw last; remembers how far it has come if so."""
        if not self._is_remembered():
            return True
        head = self._ids.known_head(self._pump)
        if head is not None and not self._is_continued(head, following, chain):
            return False
        self._ids.keep_head(self._pump, (following, chain))
        return True

    def _is_continued(self, head: tuple[int, bytes], following: int, chain: bytes) -> bool:
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
        self._send_frame(session.seal(frame), "session_close")
        reply = self._await_reply(frame.type, [frame.sequence], session, GOODBYE_S)
        if reply is not None and reply.tag and self._continues and self._is_remembered():
            fields = self._unpack_reply("session_close", reply)
            self._ids.keep_head(self._pump, (fields["journal_next"], fields["chain"]))

    # Streams: one request, many replies

    def send_request(self, name: str, **fields: Any) -> int:
        """Send a request and wait for nothing; returns its sequence number, which its replies bear."""
        frame = Frame(codec.by_name(name).type, self.device_id, sequence=self.next_sequence())
        frame = replace(frame, body=codec.encode_request(name, **fields))
        self._send_frame(frame if self._session is None else self._session.seal(frame), name)
        return frame.sequence

    def receive_replies(self, name: str, numbers: Collection[int], within_s: float) -> list[dict[str, Any]]:
        """Replies to `name` that bear one of `numbers`, as soon as there are some; none after `within_s`.

        Raises RefusedError when one of them is a refusal.
        """
        kind = codec.by_name(name).type
        deadline = self.clock() + within_s
        while self.clock() < deadline:
            frames = self._deframer.feed(self._read_frame())
            if replies := [frame for frame in frames if self._is_reply(frame, kind, numbers, self._session)]:
                return [self._unpack_reply(name, frame) for frame in replies]
        return []

    # One question

    def _ask_question(self, name: str, *, device: bytes | None = None, **fields: Any) -> dict[str, Any]:
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
            try:
                self.open_session(role)
                return self._ask_in_open_session(name, **fields)
            except _SessionLostError as lost:
                self._session = None
                why = str(lost)
        raise self._link_error(
            NotGenuineError,
            f"the pump does not keep a session for {name}: {why}",
            "somebody else may be using it, or something on the line changes frames",
        )

    def _ask_in_open_session(self, name: str, **fields: Any) -> dict[str, Any]:
        assert self._session is not None
        body = codec.encode_request(name, **fields)
        reply = self._exchange_frames(name, Frame(codec.by_name(name).type, self.device_id, body=body), self._session)
        if not reply.tag:
            raise _SessionLostError(explain_reason(self._describe_refusal(reply)))
        return self._unpack_reply(name, reply)
