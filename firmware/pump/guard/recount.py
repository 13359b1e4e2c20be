# Rebuilds the dose windows from the journal: after a reset, and when a program has other windows. A step is dated by
# the first record that includes it, so a window can be too strict, but never too lax.

import struct

from const import const

from pump import wire
from pump.clock import between
from pump.storage.records import RECORD_FORMAT

_WINDOW_DAYS = const(2)
_BODY_BYTES = const(32)


class Recount:
    def __init__(self, ledger, guard, clock):
        self._ledger = ledger
        self._guard = guard
        self._clock = clock
        self._record = bytearray(wire.RECORD_BYTES)
        # The last worth record without the commit that it precedes.
        self._worth = None

    def rebuild_windows(self):
        """Counts again all that a window may still hold, up to now."""
        journal, guard = self._ledger.journal, self._guard
        first = self._find_first()
        guard.clear_windows(self._find_worth(first))
        self._worth = None
        high = -1
        day = ms = 0
        for sequence in range(first, journal.next):
            fields = self._read_fields(sequence)
            if fields is None:
                continue
            shown = _shown_high(fields)
            passed = between(day, ms, fields[1], fields[2]) if high >= 0 else 0
            if shown >= 0:
                replay = guard.replay_lost_steps if fields[3] == wire.RECORD_BOOT else guard.replay_steps
                replay(passed, shown - high if high >= 0 else 0)
                high = shown
                day, ms = fields[1], fields[2]
            self._apply_event(fields)
        if high >= 0:
            guard.replay_steps(between(day, ms, self._clock.day, self._clock.ms), self._ledger.facts.high - high)

    def _read_fields(self, sequence):
        if not self._ledger.journal.read(sequence, self._record):
            return None
        return struct.unpack(RECORD_FORMAT, self._record[:_BODY_BYTES])

    def _find_worth(self, first):
        """Drug in a step before the first change from record `first` on: (num, den), or None without a change."""
        self._worth = None
        for sequence in range(first, self._ledger.journal.next):
            fields = self._read_fields(sequence)
            worth = None if fields is None else self._committed_worth(fields)
            if worth is not None and worth[7]:
                return worth[7], worth[8]
        return None

    def _committed_worth(self, fields):
        """The fields of a worth record, once its commit has followed; else None."""
        kind = fields[3]
        if kind == wire.RECORD_WORTH:
            self._worth = fields
        elif kind == wire.RECORD_COMMIT:
            worth = self._worth
            self._worth = None
            return worth
        elif kind == wire.RECORD_BOOT:
            self._worth = None
        return None

    def _apply_event(self, fields):
        kind, guard = fields[3], self._guard
        worth = self._committed_worth(fields)
        if worth is not None:
            guard.change_worth(worth[5], worth[6], worth[7], worth[8], worth[9])
        elif kind == wire.RECORD_PRIME:
            guard.start_priming(fields[7])
        elif kind == wire.RECORD_BOLUS_END or kind == wire.RECORD_CLOSE or kind == wire.RECORD_BOOT:
            guard.end_priming()
        elif kind == wire.RECORD_CALIBRATION and not fields[4]:
            guard.change_step((fields[7], fields[8]), (fields[5], fields[6]))
        elif kind == wire.RECORD_WINDOWS:
            guard.raise_windows(fields[5:9])

    def _find_first(self):
        """Sequence number of the first record that is not older than two days."""
        journal = self._ledger.journal
        low, high = journal.first(), journal.next
        while low < high:
            middle = (low + high) // 2
            fields = self._read_fields(middle)
            if fields is None or self._clock.day - fields[1] > _WINDOW_DAYS:
                low = middle + 1
            else:
                high = middle
        return low


def _shown_high(fields):
    """The upper bound of delivered steps that a record shows, or -1."""
    kind = fields[3]
    if kind == wire.RECORD_LEASE or kind == wire.RECORD_CLOSE or kind == wire.RECORD_STATE:
        return fields[6]
    if kind == wire.RECORD_BOLUS_END or kind == wire.RECORD_SQUARE_END or kind == wire.RECORD_PERIODIC_BOLUS:
        return fields[6]
    if kind == wire.RECORD_BOOT:
        return fields[7]
    if kind in _COMMANDS_WITH_HIGH:
        return fields[9]
    return -1


_COMMANDS_WITH_HIGH = (
    wire.RECORD_START,
    wire.RECORD_STOP,
    wire.RECORD_REFILL,
    wire.RECORD_BOLUS_CANCEL,
    wire.RECORD_SQUARE_CANCEL,
    wire.RECORD_COMMIT,
)
