# Authorization: sessions, tags, sequence numbers, and the count of frames that were refused.
#
# HMAC-SHA256 is two calls of sha256 with a key that was padded before. Nothing here touches the therapy: a flood of bad
# frames can delay the opening of new sessions by a minute, and nothing else.

import hashlib

from const import const

from pump import wire
from pump.part import Part
from pump.refusal import Refusal

NO_SESSION = b"\x00\x00\x00\x00"
_BLOCK_BYTES = const(64)
_NOISE_BYTES = const(16)
_FREE_TRIES = const(3)
_BACKOFF_MS = const(1_000)
_BACKOFF_MS_MAX = const(60_000)
_RECORD_MS = const(3_600_000)
_COUNT_MASK = const(0x3FFFFFFF)


class Key:
    """A key of at most 64 bytes, padded for both hashes of HMAC."""

    def __init__(self, key):
        self._inner = _padded(key, 0x36)
        self._outer = _padded(key, 0x5C)

    def mac(self, data):
        """HMAC-SHA256 of the data."""
        inner = hashlib.sha256(self._inner)
        inner.update(data)
        outer = hashlib.sha256(self._outer)
        outer.update(inner.digest())
        return outer.digest()


def _padded(key, mask):
    block = bytearray(_BLOCK_BYTES)
    for at in range(_BLOCK_BYTES):
        block[at] = key[at] ^ mask if at < len(key) else mask
    return block


def _tags_equal(one, other):
    """Compares two tags in a time that does not depend on where they differ."""
    different = len(one) ^ len(other)
    for at in range(len(one)):
        different |= one[at] ^ other[at % len(other)]
    return different == 0


class Session:
    """One session: a key for each direction, the number of the last frame, and the time since then."""

    def __init__(self, key, session, role, host, context):
        self.id = session
        self.role = role
        self.host = host
        self.last = 0
        self.idle_ms = 0
        self._to_device = Key(key.mac(b"H" + context))
        self._from_device = Key(key.mac(b"D" + context))

    def pass_time(self, ms, limit):
        """Counts time up to a limit. Allocates nothing."""
        if self.idle_ms < limit:
            self.idle_ms += ms

    def accept_frame(self, sequence, limit):
        """Takes the number of a valid frame; returns whether the frame came before the limit."""
        self.last = sequence
        if self.idle_ms >= limit:
            return False
        self.idle_ms = 0
        return True

    def tag_is_valid(self, frame, end):
        """Returns whether the tag behind frame[:end] was made with the host's key."""
        wanted = self._to_device.mac(memoryview(frame)[:end])[: wire.TAG_BYTES]
        return _tags_equal(wanted, frame[end : end + wire.TAG_BYTES])

    def append_tag(self, frame, end):
        """Writes the tag behind frame[:end]; returns the end of the tag."""
        after = end + wire.TAG_BYTES
        frame[end:after] = self._from_device.mac(memoryview(frame)[:end])[: wire.TAG_BYTES]
        return after


class Gate(Part):
    """Decides which requests are authorized. One session is open; an offered one replaces it when it is first used."""

    def __init__(self, board, device_id, ledger):
        self._board = board
        self._device_id = device_id
        self._ledger = ledger
        self._keys = [None if key is None else Key(key) for key in board.role_keys]
        self.paired = any(self._keys)
        self._opened = None
        self._offered = None
        self._session_count = 0
        self._failures = 0
        self._backoff_ms = 0
        self.bad_tags = 0
        self.replays = 0
        self.sessionless = 0
        self._recorded = [0, 0, 0]
        self._unrecorded = False

    def pass_time(self, ms):
        """Counts the time. Allocates nothing: it runs with every turn of the loop."""
        if self._opened is not None:
            self._opened.pass_time(ms, wire.SESSION_IDLE_MS)
        if self._offered is not None:
            self._offered.pass_time(ms, wire.OFFER_MS)
        if self._backoff_ms:
            self._backoff_ms = self._backoff_ms - ms if self._backoff_ms > ms else 0

    def left_ms(self):
        """Milliseconds until the open session expires without another frame; 0 if no session is open."""
        session = self._opened
        if session is None or session.idle_ms >= wire.SESSION_IDLE_MS:
            return 0
        return wire.SESSION_IDLE_MS - session.idle_ms

    def role(self):
        """The role of the open session."""
        return self._opened.role if self.left_ms() else wire.ROLE_NONE

    # Opening and closing

    def offer_session(self, role, host, nonce, boot_count):
        """Returns a new session, which its first valid frame opens, and the pump's nonce. Raises Refusal."""
        if not self.paired:
            raise Refusal(wire.REASON_UNPAIRED)
        key = self._key(role)
        if key is None:
            raise Refusal(wire.REASON_ROLE, role)
        if self._backoff_ms:
            raise Refusal(wire.REASON_BACKING_OFF, self._backoff_ms)
        self._require_free(host)
        self._session_count = (self._session_count + 1) & _COUNT_MASK
        counts = boot_count.to_bytes(4, "little") + self._session_count.to_bytes(4, "little")
        noise = bytearray(_NOISE_BYTES)
        self._board.random(noise)
        # Keyed and counted: a nonce never repeats and cannot be predicted, even if the board's noise is constant.
        mine = key.mac(b"N" + self._device_id + counts + bytes(noise))[: wire.NONCE_BYTES]
        session = mine[:4] if mine[:4] != NO_SESSION else b"\x01\x00\x00\x00"
        context = self._device_id + session + counts[:4] + bytes([role]) + host + nonce + mine
        self._offered = Session(key, session, role, host, context)
        return self._offered, mine

    def _key(self, role):
        at = role - wire.ROLE_OPERATOR
        return self._keys[at] if 0 <= at < len(self._keys) else None

    def _require_free(self, host):
        if self.left_ms() and self._opened.host != host:
            raise Refusal(wire.REASON_SESSION_BUSY, self.left_ms())

    def close_session(self):
        self._opened = None

    # Every frame

    def identify_session(self, link):
        """Returns the session of the request; None for one without a session that needs no authorization. Raises
        Refusal. The caller compares the role of the session with the role that the message needs."""
        need = wire.role_of(link.type)
        if need < 0:
            raise Refusal(wire.REASON_UNKNOWN_TYPE, link.type)
        if link.session == NO_SESSION and not link.tagged:
            if need > wire.ROLE_OBSERVER:
                self._refuse_sessionless()
            return None
        session = self._verify_frame(link)
        if session is self._offered:
            self._require_free(session.host)
            self._opened = session
            self._offered = None
        return session

    def _verify_frame(self, link):
        session = self._find_session(link)
        if session is None:
            self._refuse_sessionless()
        if not session.tag_is_valid(link.frame, link.body_end):
            self._count_bad_tag()
            raise Refusal(wire.REASON_BAD_TAG)
        self._failures = 0
        if not session.last < link.sequence <= wire.COUNT_MAX:
            self.replays = (self.replays + 1) & _COUNT_MASK
            self._unrecorded = True
            raise Refusal(wire.REASON_REPLAYED, session.last)
        limit = wire.SESSION_IDLE_MS if session is self._opened else wire.OFFER_MS
        if not session.accept_frame(link.sequence, limit):
            # The session has expired. The frame is genuine, so it is not counted.
            raise Refusal(wire.REASON_NO_SESSION)
        return session

    def _find_session(self, link):
        if not link.tagged:
            return None
        for session in (self._opened, self._offered):
            if session is not None and session.id == link.session:
                return session
        return None

    # Refused frames

    def _refuse_sessionless(self):
        self.sessionless = (self.sessionless + 1) & _COUNT_MASK
        self._unrecorded = True
        raise Refusal(wire.REASON_NO_SESSION if self.paired else wire.REASON_UNPAIRED)

    def _count_bad_tag(self):
        self.bad_tags = (self.bad_tags + 1) & _COUNT_MASK
        self._unrecorded = True
        self._failures = min(self._failures + 1, 16)
        if self._failures >= _FREE_TRIES:
            self._backoff_ms = min(_BACKOFF_MS << (self._failures - _FREE_TRIES), _BACKOFF_MS_MAX)

    def has_counts(self):
        """Returns whether frames were refused since the last record of them."""
        return self._unrecorded

    def record_counts(self):
        """Writes the new counts to the journal, at most once an hour: a flood wears no flash and hides nothing."""
        facts = self._ledger.facts
        if facts.distrusted_at is not None and facts.ms_since(facts.distrusted_at) < _RECORD_MS:
            return
        counts = [self.bad_tags, self.replays, self.sessionless]
        new = [(counts[at] - self._recorded[at]) & _COUNT_MASK for at in range(3)]
        self._recorded = counts
        self._unrecorded = False
        self._ledger.write(wire.RECORD_DISTRUSTED, 0, new[0], new[1], new[2], 0, 0)
