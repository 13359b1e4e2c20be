"""Command ids, and what a host remembers of a pump between two sessions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


class OpenCommand(NamedTuple):
    """A command that was sent, or was about to be, and whose outcome is not known.

    Attributes:
        host: Four bytes.
        counter: Of that host.
        name: Message of the protocol.
    """

    host: bytes
    counter: int
    name: str


class CommandIds(Protocol):
    """Where command ids come from.

    A `pump` here is a device id and the pairing of its keys: with new keys it is another one.
    """

    @property
    def host_id(self) -> bytes:
        """The four bytes that name this host to pumps."""

    def next_id(self, pump: bytes, name: str, above: int) -> tuple[bytes, int]:
        """Host id and a counter above `above` that was never used before; durable, with `name`, when this returns."""

    def close_command(self, pump: bytes, counter: int) -> None:
        """The outcome of that command is known."""

    def open_commands(self, pump: bytes) -> list[OpenCommand]:
        """Commands to a pump whose outcome is not known, oldest first."""

    def known_head(self, pump: bytes) -> tuple[int, bytes] | None:
        """Number of the record that came next when this host last looked, and the chain value before it."""

    def keep_head(self, pump: bytes, head: tuple[int, bytes] | None) -> None:
        """Remember how far a pump's journal has come; None forgets it."""


@dataclass
class MemoryIds:
    """Command ids of a host that forgets: for simulations and tests.

    Attributes:
        host: Four bytes.
        counter: Last counter that was used.
    """

    host: bytes = b"demo"
    counter: int = 0
    _open: dict[bytes, list[OpenCommand]] = field(default_factory=dict)
    _heads: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)

    @property
    def host_id(self) -> bytes:
        """The four bytes that name this host to pumps."""
        return self.host

    def next_id(self, pump: bytes, name: str, above: int) -> tuple[bytes, int]:
        """The next counter, the same for all pumps."""
        self.counter = max(self.counter, above) + 1
        self._open.setdefault(pump, []).append(OpenCommand(self.host, self.counter, name))
        return self.host, self.counter

    def close_command(self, pump: bytes, counter: int) -> None:
        """The outcome of that command is known."""
        self._open[pump] = [one for one in self._open.get(pump, []) if one.counter != counter]

    def open_commands(self, pump: bytes) -> list[OpenCommand]:
        """Commands to a pump whose outcome is not known, oldest first."""
        return list(self._open.get(pump, []))

    def known_head(self, pump: bytes) -> tuple[int, bytes] | None:
        """What `keep_head` was given last."""
        return self._heads.get(pump)

    def keep_head(self, pump: bytes, head: tuple[int, bytes] | None) -> None:
        """Remember how far a pump's journal has come; None forgets it."""
        if head is None:
            self._heads.pop(pump, None)
        else:
            self._heads[pump] = head
