"""What this host keeps between commands: its id, its command counter, pulled journals and sent programs.

One SQLite file in the state directory. Two processes may use it at once: a counter is durable before the command that
carries it is sent, and is never given out twice. With it the command is noted as open, until its outcome is known: what
a process leaves open when it dies, the next one asks for. The newest record of each pump's journal is remembered, so
that a journal that goes back is noticed.

A journal is kept as the pump stores it, 40 bytes a record, in *epochs*: when a pump no longer has the records that were
pulled from it (it was flashed anew, or replaced by one with the same id), a new epoch begins and the old one stays.
The fault ring is kept in the same way; in the file its epochs are negative.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Final

from dosebench_protocol.bulk import column
from dosebench_protocol.records import GENESIS_CHAIN, Record, RecordError, decode_records, verify_chain
from dosebench_protocol.tables import CHAIN_BYTES, COUNT_MAX

from dosebench.base.errors import DosebenchError
from dosebench.base.paths import state_dir
from dosebench.link.command_ids import OpenCommand

SCHEMA_VERSION: Final = 3
"""Versions 1 and 2 are those of dosebench 0.2.0, whose records mean something else."""
FILE: Final = "dosebench.sqlite3"
BUSY_S: Final = 10.0
"""How long to wait for another process that writes."""

_SCHEMA: Final = """
CREATE TABLE host (id BLOB NOT NULL, counter INTEGER NOT NULL);
CREATE TABLE journals (
    id INTEGER PRIMARY KEY,
    device BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    begun_at TEXT NOT NULL,
    UNIQUE (device, epoch)
);
CREATE TABLE records (
    journal INTEGER NOT NULL REFERENCES journals (id),
    sequence INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (journal, sequence)
) WITHOUT ROWID;
CREATE TABLE programs (
    id INTEGER PRIMARY KEY,
    device BLOB NOT NULL,
    hash_head BLOB NOT NULL,
    at TEXT NOT NULL,
    file TEXT NOT NULL,
    data BLOB NOT NULL
);
CREATE TABLE open_commands (
    pump BLOB NOT NULL,
    host BLOB NOT NULL,
    counter INTEGER NOT NULL,
    name TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (pump, counter)
) WITHOUT ROWID;
CREATE TABLE heads (pump BLOB PRIMARY KEY, next INTEGER NOT NULL, chain BLOB NOT NULL) WITHOUT ROWID;
"""


class StoreError(DosebenchError):
    """The store cannot be used, or what was pulled does not fit what is held."""


@dataclass(frozen=True)
class Journal:
    """One epoch of a pump's journal.

    Attributes:
        id: Of this epoch in the store.
        device: Id of the pump, four bytes.
        epoch: 1 for the first journal that was pulled from this id; -1 for the first fault ring.
        count: Records held.
        first, last: Sequence numbers of the oldest and newest record held; None without records.
    """

    id: int
    device: bytes
    epoch: int
    count: int
    first: int | None
    last: int | None


class Store:
    """The open store. Implements `commandids.CommandIds`. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            # Transactions are opened by hand: a counter must be on disk before next_id() returns.
            self._db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        except sqlite3.Error as error:
            raise self._unusable_error(error) from error
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._prepare_schema()
        except sqlite3.Error as error:
            self._db.close()
            raise self._unusable_error(error) from error
        except StoreError:
            self._db.close()
            raise

    def _unusable_error(self, error: sqlite3.Error) -> StoreError:
        return StoreError(
            f"the store {self._path} cannot be used: {error}",
            hint="check its permissions and the disk, or set DOSEBENCH_STATE to another directory",
        )

    @classmethod
    def open(cls) -> Store:
        """The store of this host, made when it is missing. Raises StoreError."""
        return cls(state_dir() / FILE)

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _prepare_schema(self) -> None:
        with self._begin_write():
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version > SCHEMA_VERSION:
                raise StoreError(
                    f"the store {self._path} has version {version}; this dosebench knows up to {SCHEMA_VERSION}",
                    hint="update dosebench, or set DOSEBENCH_STATE to another directory",
                )
            if version == 0:
                self._create_schema(_SCHEMA)
                self._db.execute("INSERT INTO host VALUES (?, 0)", (os.urandom(4),))
                self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            elif version < SCHEMA_VERSION:
                raise StoreError(
                    f"the store {self._path} was written by dosebench 0.2.0, whose journals this release cannot read",
                    hint="move the file away (0.2.0 still reads it), or set DOSEBENCH_STATE to another directory",
                )

    def _create_schema(self, schema: str) -> None:
        for statement in schema.split(";\n"):
            self._db.execute(statement)

    @contextmanager
    def _begin_write(self) -> Iterator[None]:
        """One transaction that holds the write lock from its start. Raises StoreError when it cannot be written."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise self._unusable_error(error) from error
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    # Command ids

    @property
    def host_id(self) -> bytes:
        """The four bytes that name this host to pumps; drawn once."""
        (host,) = self._db.execute("SELECT id FROM host").fetchone()
        return bytes(host)

    def next_id(self, pump: bytes, name: str, above: int) -> tuple[bytes, int]:
        """Host id and a counter for the command `name`, which is open from now on; durable when this returns.

        The counter was never used before, with any pump, and is greater than `above`. Raises StoreError after 2^30 - 1
        commands.
        """
        with self._begin_write():
            host, counter = self._db.execute(
                "UPDATE host SET counter = MAX(counter, ?) + 1 RETURNING id, counter", (above,)
            ).fetchone()
            if counter > COUNT_MAX:
                raise StoreError("this host has used up its command counters", hint=f"remove {self._path}")
            now = datetime.now(UTC).isoformat(timespec="seconds")
            self._db.execute("INSERT INTO open_commands VALUES (?, ?, ?, ?, ?)", (pump, host, counter, name, now))
        return bytes(host), int(counter)

    def close_command(self, pump: bytes, counter: int) -> None:
        """The outcome of a command is known."""
        with self._begin_write():
            self._db.execute("DELETE FROM open_commands WHERE pump = ? AND counter = ?", (pump, counter))

    def open_commands(self, pump: bytes) -> list[OpenCommand]:
        """Commands to a pump whose outcome this host does not know, oldest first."""
        rows = self._db.execute(
            "SELECT host, counter, name FROM open_commands WHERE pump = ? ORDER BY counter", (pump,)
        ).fetchall()
        return [OpenCommand(bytes(host), int(counter), str(name)) for host, counter, name in rows]

    # What the pump's journal came to

    def known_head(self, pump: bytes) -> tuple[int, bytes] | None:
        """Number of the record that came next when this host last looked, and the chain value before it."""
        row = self._db.execute("SELECT next, chain FROM heads WHERE pump = ?", (pump,)).fetchone()
        return (int(row[0]), bytes(row[1])) if row else None

    def keep_head(self, pump: bytes, head: tuple[int, bytes] | None) -> None:
        """Remember how far a pump's journal has come; None forgets it."""
        with self._begin_write():
            if head is None:
                self._db.execute("DELETE FROM heads WHERE pump = ?", (pump,))
            else:
                self._db.execute("INSERT OR REPLACE INTO heads VALUES (?, ?, ?)", (pump, *head))

    # Journals

    def list_journals(self, device: bytes | None = None, *, faults: bool = False) -> list[Journal]:
        """All epochs that are held, of one pump or of all, oldest first: of the journal, or of the fault ring."""
        rows = self._db.execute(
            "SELECT j.id, j.device, j.epoch, COUNT(r.sequence), MIN(r.sequence), MAX(r.sequence)"
            " FROM journals j LEFT JOIN records r ON r.journal = j.id"
            " WHERE (?1 IS NULL OR j.device = ?1) AND (j.epoch < 0) = ?2 GROUP BY j.id ORDER BY j.id",
            (device, faults),
        )
        return [Journal(*row) for row in rows]

    def newest_journal(self, device: bytes, *, faults: bool = False) -> Journal | None:
        """The epoch that pulls from this pump go to; None before the first pull."""
        return max(self.list_journals(device, faults=faults), key=lambda journal: abs(journal.epoch), default=None)

    def begin_epoch(self, device: bytes, *, faults: bool = False) -> Journal:
        """Begin a new journal, or a new fault ring, of this pump."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._begin_write():
            self._db.execute(
                "INSERT INTO journals (device, epoch, begun_at)"
                " SELECT ?1, ?3 * (1 + COALESCE(MAX(ABS(epoch)), 0)), ?2 FROM journals"
                " WHERE device = ?1 AND ?3 * epoch > 0",
                (device, now, -1 if faults else 1),
            )
        journal = self.newest_journal(device, faults=faults)
        assert journal is not None
        return journal

    def get_record(self, journal: Journal, sequence: int) -> bytes | None:
        """One raw record; None when it is not held."""
        row = self._db.execute(
            "SELECT data FROM records WHERE journal = ? AND sequence = ?", (journal.id, sequence)
        ).fetchone()
        return bytes(row[0]) if row else None

    def raw_records(self, journal: Journal) -> bytes:
        """All raw records of an epoch, one after the other, in order."""
        rows = self._db.execute("SELECT data FROM records WHERE journal = ? ORDER BY sequence", (journal.id,))
        return b"".join(row[0] for row in rows)

    def add_records(self, journal: Journal, raw: Sequence[bytes]) -> int:
        """Keep records that follow each other. Records that are held already are compared, not written.

        The hash chain is checked: from the record before the first one if it is held, else from the first one on (a
        pump forgets its oldest records, so the first may have no predecessor).

        Returns:
            How many were new.

        Raises:
            StoreError: They do not fit each other or what is held; nothing was written.
        """
        if not raw:
            return 0
        with self._begin_write():
            records = decode_records(b"".join(raw))
            before = self.get_record(journal, records[0].sequence - 1)
            anchor = GENESIS_CHAIN if records[0].sequence == 0 else before[-CHAIN_BYTES:] if before else None
            try:
                verify_from(anchor, records)
            except RecordError as error:
                raise _broken_error(journal.device, error) from error
            rows = [(journal.id, record.sequence, data) for record, data in zip(records, raw, strict=True)]
            for _, sequence, data in rows:
                if (self.get_record(journal, sequence) or data) != data:
                    raise _broken_error(journal.device, f"record {sequence} differs from the one that is held")
            changes = self._db.total_changes
            self._db.executemany("INSERT OR IGNORE INTO records VALUES (?, ?, ?)", rows)
            return self._db.total_changes - changes

    # Programs

    def add_program(self, device: bytes, hash_head: bytes, data: bytes, file: str = "") -> None:
        """Keep an encoded program that a pump accepted; `hash_head` names it in the pump's journal (4 bytes)."""
        if self.get_program(device, hash_head) == data:
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._begin_write():
            self._db.execute(
                "INSERT INTO programs (device, hash_head, at, file, data) VALUES (?, ?, ?, ?, ?)",
                (device, hash_head, now, file, data),
            )

    def get_program(self, device: bytes, hash_head: bytes) -> bytes | None:
        """The newest encoded program of that name; None when this host never saw it."""
        row = self._db.execute(
            "SELECT data FROM programs WHERE device = ? AND hash_head = ? ORDER BY id DESC LIMIT 1", (device, hash_head)
        ).fetchone()
        return bytes(row[0]) if row else None


def verify_from(anchor: bytes | None, records: Sequence[Record]) -> None:
    """Check the chain of records that follow each other.

    Args:
        anchor: Chain value before the first; None where it is not known: then the first one is taken as it is.
        records: One or more, in order.

    Raises:
        RecordError: Names the first that does not fit.
    """
    if anchor is not None:
        verify_chain(records, anchor)
        return
    verify_chain(records[1:], records[0].chain)
    if len(records) > 1 and records[1].sequence != records[0].sequence + 1:
        raise RecordError(f"record {records[1].sequence} follows record {records[0].sequence}")


def verify_held(records: Sequence[Record]) -> None:
    """Check the chain of a pulled journal: each stretch without a gap by itself, from record 0 where it is held.

    Raises:
        RecordError: Names the first record that does not fit.
    """
    stretch: list[Record] = []
    for record in records:
        if stretch and record.sequence != stretch[-1].sequence + 1:
            _verify_stretch(stretch)
            stretch = []
        stretch.append(record)
    if stretch:
        _verify_stretch(stretch)


def _verify_stretch(records: Sequence[Record]) -> None:
    verify_from(GENESIS_CHAIN if records[0].sequence == 0 else None, records)


def _broken_error(device: bytes, why: object) -> StoreError:
    return StoreError(
        f"the journal of pump {device.hex()} is not whole: {why}",
        hint="pull again; if it happens again, the pump's flash or this host's store was changed",
    )


def find_gaps(raw: bytes) -> list[tuple[int, int]]:
    """Sequence numbers that are missing between raw records: (first, last) of each gap."""
    return [(a + 1, b - 1) for a, b in pairwise(column(raw, "sequence")) if b != a + 1]
