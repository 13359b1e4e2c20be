# What was delivered in the last two days, told to the dose guard from the journal: after a reset, and when the windows
# of a therapy change. A step counts when a later record first shows it: a window may be too strict, never too lax.

import struct

from const import const

from pump import wire
from pump.clock import between

_WINDOW_DAYS = const(2)
_FORMAT = "<IHIBBIIIII"


class History:
    def __init__(self, ledger, guard, clock):
        self._ledger = ledger
        self._guard = guard
        self._clock = clock
        self._record = bytearray(wire.RECORD_BYTES)
        self._announced = None

    def tell(self):
        """Recount everything that a window may still hold, up to now."""
        journal = self._ledger.journal
        first = self._first_within()
        self._guard.clear_windows(self._worth_at(first))
        self._announced = None
        high = -1
        day = ms = 0
        for sequence in range(first, journal.next):
            if not journal.read(sequence, self._record):
                continue
            fields = struct.unpack(_FORMAT, self._record[:32])
            shown = _shown_high(fields)
            passed = between(day, ms, fields[1], fields[2]) if high >= 0 else 0
            if shown >= 0:
                recall = self._guard.replay_lost_steps if fields[3] == wire.RECORD_BOOT else self._guard.replay_steps
                recall(passed, shown - high if high >= 0 else 0)
                high = shown
                day, ms = fields[1], fields[2]
            self._tell_event(fields)
        if high >= 0:
            self._guard.replay_steps(between(day, ms, self._clock.day, self._clock.ms), self._ledger.facts.high - high)

    def _worth_at(self, first):
        """What a step held before the first change that will be told: (num, den), or None when none changed it."""
        journal = self._ledger.journal
        self._announced = None
        for sequence in range(first, journal.next):
            if journal.read(sequence, self._record):
                worth = self._committed_worth(struct.unpack(_FORMAT, self._record[:32]))
                if worth is not None and worth[7]:
                    return worth[7], worth[8]
        return None

    def _committed_worth(self, fields):
        """The fields of a worth record, once the commit that it announced has followed; else None."""
        kind = fields[3]
        if kind == wire.RECORD_WORTH:
            self._announced = fields
        elif kind == wire.RECORD_COMMIT:
            worth = self._announced
            self._announced = None
            return worth
        elif kind == wire.RECORD_BOOT:
            self._announced = None
        return None

    def _tell_event(self, fields):
        kind = fields[3]
        worth = self._committed_worth(fields)
        if worth is not None:
            self._guard.change_worth(worth[5], worth[6], worth[7], worth[8], worth[9])
        elif kind == wire.RECORD_PRIME:
            self._guard.start_priming(fields[7])
        elif kind == wire.RECORD_BOLUS_END or kind == wire.RECORD_CLOSE or kind == wire.RECORD_BOOT:
            self._guard.end_priming()
        elif kind == wire.RECORD_CALIBRATION and not fields[4]:
            self._guard.change_step((fields[7], fields[8]), (fields[5], fields[6]))
        elif kind == wire.RECORD_WINDOWS:
            self._guard.raise_windows(fields[5:9])

    def _first_within(self):
        """Sequence number of the first record that is not older than two days."""
        journal = self._ledger.journal
        low, high = journal.first(), journal.next
        while low < high:
            middle = (low + high) // 2
            if not journal.read(middle, self._record) or self._too_old(struct.unpack(_FORMAT, self._record[:32])):
                low = middle + 1
            else:
                high = middle
        return low

    def _too_old(self, fields):
        return self._clock.day - fields[1] > _WINDOW_DAYS


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
