"""Sessions as the host sees them: keys from a role's key and two nonces, and the tags of frames.

The firmware has its own implementation in `pump/link/session.py`, on SHA-256 alone; `docs/PROTOCOL.md` says what both
do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .codec import KEYED_ROLES
from .errors import ProtocolError
from .frame import Frame, signed_part
from .tables import COUNT_MAX, ENUMS, KEY_BYTES, NONCE_BYTES, TAG_BYTES


class AuthError(ProtocolError):
    """A key, nonce or sequence number that no session can use."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """What both sides have put into a session.

    Attributes:
        device: Id of the device, 4 bytes.
        session: Id of the session, 4 bytes, not zero.
        boot_count: Boots of the device so far.
        role: One of `KEYED_ROLES`.
        host: Id of the host, 4 bytes.
        host_nonce, device_nonce: `NONCE_BYTES` each.
    """

    device: bytes
    session: bytes
    boot_count: int
    role: str
    host: bytes
    host_nonce: bytes
    device_nonce: bytes

    def context(self) -> bytes:
        """The bytes that the keys of both directions are derived from."""
        return b"".join(
            (
                self.device,
                self.session,
                self.boot_count.to_bytes(4, "little"),
                bytes([role_number(self.role)]),
                self.host,
                self.host_nonce,
                self.device_nonce,
            )
        )


def role_number(role: str) -> int:
    """Number of a role that has a key.

    Raises:
        AuthError: It has none.
    """
    if role not in KEYED_ROLES:
        raise AuthError(f"the role {role!r} has no key; those that have are {', '.join(KEYED_ROLES)}")
    return ENUMS["Role"][role]


def mac(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA256, 32 bytes."""
    # OpenSSL's hashes take 2 ms to load, and only sessions need them.
    import hmac  # noqa: PLC0415

    return hmac.digest(key, data, "sha256")


def device_nonce(role_key: bytes, device: bytes, boot_count: int, session_count: int, noise: bytes) -> bytes:
    """The nonce that a device draws: for tests and for devices that are simulated without their firmware.

    Args:
        role_key: Key of the role that was asked for.
        device: Id of the device.
        boot_count: Boots so far, the running one included.
        session_count: `session_open` requests in this boot, this one included.
        noise: 16 bytes of the board's random generator.
    """
    counts = boot_count.to_bytes(4, "little") + session_count.to_bytes(4, "little")
    return mac(role_key, b"N" + device + counts + noise)[:NONCE_BYTES]


def session_id(nonce: bytes) -> bytes:
    """Id of the session that a device's nonce makes: its first 4 bytes, never zero."""
    return nonce[:4] if any(nonce[:4]) else b"\x01\x00\x00\x00"


class Session:
    """The host's end of one session: seals requests and checks replies.

    Args:
        role_key: Key of the role, `KEY_BYTES` long.
        challenge: What both sides have put in.

    Raises:
        AuthError: The key does not have its length.
    """

    def __init__(self, role_key: bytes, challenge: Challenge) -> None:
        if len(role_key) != KEY_BYTES:
            raise AuthError(f"a key has {KEY_BYTES} bytes, not {len(role_key)}")
        context = challenge.context()
        self.challenge = challenge
        self._to_device = mac(role_key, b"H" + context)
        self._from_device = mac(role_key, b"D" + context)

    @property
    def id(self) -> bytes:
        """Four bytes that go into every header."""
        return self.challenge.session

    @property
    def role(self) -> str:
        """The role that it was opened in."""
        return self.challenge.role

    def allows(self, role: str) -> bool:
        """Whether this session may send what needs `role`."""
        return ENUMS["Role"][role] <= ENUMS["Role"][self.role]

    def seal(self, frame: Frame) -> Frame:
        """`frame` with this session's id and its tag.

        Raises:
            AuthError: Its sequence number is not in 1..COUNT_MAX.
        """
        if not 1 <= frame.sequence <= COUNT_MAX:
            raise AuthError(f"sequence number {frame.sequence} is not in 1..{COUNT_MAX}")
        named = replace(frame, session=self.id, tag=b"")
        return replace(named, tag=mac(self._to_device, signed_part(named))[:TAG_BYTES])

    def is_ours(self, reply: Frame) -> bool:
        """Whether `reply` is of this session and bears a good tag. Takes the same time for every wrong tag."""
        import hmac  # noqa: PLC0415

        wanted = mac(self._from_device, signed_part(reply))[:TAG_BYTES]
        return reply.session == self.id and hmac.compare_digest(wanted, reply.tag)
