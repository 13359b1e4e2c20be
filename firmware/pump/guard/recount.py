# Rebuilds the dose windows from the journal: after a reset, and when a program has other windows. A step is dated by
# the first record that includes it, so a window can be too strict, but never too lax.

import struct

from const import const

from pump import wire
from pump.clock import between
from pump.storage.records import RECORD_FORMAT

_WINDOW_DAYS = const(2)
_BODY_BYTES = const(32)
_WINDOWS = const(5)


class Recount:
    def __init__(self, ledger, guard, clock):
        self._ledger = ledger
        self._guard = guard
        self._clock = clock
        self._slot = bytearray(wire.RECORD_BYTES)
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
            record = self._read_record(sequence)
            if record is None:
                continue
            shown = _shown_high(record)
            passed = between(day, ms, record[wire.AT_DAY], record[wire.AT_MS]) if high >= 0 else 0
            if shown >= 0:
                replay = guard.replay_lost_steps if record[wire.AT_KIND] == wire.RECORD_BOOT else guard.replay_steps
                replay(passed, shown - high if high >= 0 else 0)
                high = shown
                day, ms = record[wire.AT_DAY], record[wire.AT_MS]
            self._apply_event(record)
        if high >= 0:
            guard.replay_steps(between(day, ms, self._clock.day, self._clock.ms), self._ledger.facts.high - high)

    def _read_record(self, sequence):
        if not self._ledger.journal.read(sequence, self._slot):
            return None
        return struct.unpack(RECORD_FORMAT, self._slot[:_BODY_BYTES])

    def _find_worth(self, first):
        """Drug in a step before the first change from record `first` on: (num, den), or None without a change."""
        self._worth = None
        for sequence in range(first, self._ledger.journal.next):
            record = self._read_record(sequence)
            worth = None if record is None else self._committed_worth(record)
            if worth is not None and worth[wire.AT_WORTH_OLD_NG_NUM]:
                return worth[wire.AT_WORTH_OLD_NG_NUM], worth[wire.AT_WORTH_OLD_NG_DEN]
        return None

    def _committed_worth(self, record):
        """The worth record, once its commit has followed; else None."""
        kind = record[wire.AT_KIND]
        if kind == wire.RECORD_WORTH:
            self._worth = record
        elif kind == wire.RECORD_COMMIT:
            worth = self._worth
            self._worth = None
            return worth
        elif kind == wire.RECORD_BOOT:
            self._worth = None
        return None

    def _apply_event(self, record):
        kind, guard = record[wire.AT_KIND], self._guard
        worth = self._committed_worth(record)
        if worth is not None:
            guard.change_worth(
                worth[wire.AT_WORTH_STEP_NG_NUM],
                worth[wire.AT_WORTH_STEP_NG_DEN],
                worth[wire.AT_WORTH_OLD_NG_NUM],
                worth[wire.AT_WORTH_OLD_NG_DEN],
                worth[wire.AT_WORTH_BRIDGE_STEPS],
            )
        elif kind == wire.RECORD_PRIME:
            guard.start_priming(record[wire.AT_PRIME_STEPS])
        elif kind == wire.RECORD_BOLUS_END or kind == wire.RECORD_CLOSE or kind == wire.RECORD_BOOT:
            guard.end_priming()
        elif kind == wire.RECORD_CALIBRATION and not record[wire.AT_CALIBRATION_CARRIED_ON]:
            guard.change_step(
                (record[wire.AT_CALIBRATION_OLD_NL_NUM], record[wire.AT_CALIBRATION_OLD_NL_DEN]),
                (record[wire.AT_CALIBRATION_STEP_NL_NUM], record[wire.AT_CALIBRATION_STEP_NL_DEN]),
            )
        elif kind == wire.RECORD_WINDOWS:
            place = record[wire.AT_WINDOWS_PLACE] >> wire.SHIFT_WINDOWS_PLACE & wire.MASK_WINDOWS_PLACE
            drug = record[wire.AT_WINDOWS_DRUG] >> wire.SHIFT_WINDOWS_DRUG & wire.MASK_WINDOWS_DRUG
            guard.raise_windows(drug, place, record[wire.AT_WINDOWS_NG : wire.AT_WINDOWS_NG + _WINDOWS])

    def _find_first(self):
        """Sequence number of the first record that is not older than two days."""
        journal = self._ledger.journal
        low, high = journal.first(), journal.next
        while low < high:
            middle = (low + high) // 2
            record = self._read_record(middle)
            if record is None or self._clock.day - record[wire.AT_DAY] > _WINDOW_DAYS:
                low = middle + 1
            else:
                high = middle
        return low


def _shown_high(record):
    """The upper bound of delivered steps that a record shows, or -1."""
    kind = record[wire.AT_KIND]
    return record[_HIGH_AT[kind]] if kind in _HIGH_AT else -1


_HIGH_AT = {
    wire.RECORD_LEASE: wire.AT_LEASE_HIGH_STEPS,
    wire.RECORD_CLOSE: wire.AT_CLOSE_HIGH_STEPS,
    wire.RECORD_STATE: wire.AT_STATE_HIGH_STEPS,
    wire.RECORD_BOLUS_END: wire.AT_BOLUS_END_HIGH_STEPS,
    wire.RECORD_SQUARE_END: wire.AT_SQUARE_END_HIGH_STEPS,
    wire.RECORD_PERIODIC_BOLUS: wire.AT_PERIODIC_BOLUS_HIGH_STEPS,
    wire.RECORD_BOOT: wire.AT_BOOT_HIGH_STEPS,
    wire.RECORD_START: wire.AT_START_HIGH_STEPS,
    wire.RECORD_STOP: wire.AT_STOP_HIGH_STEPS,
    wire.RECORD_REFILL: wire.AT_REFILL_HIGH_STEPS,
    wire.RECORD_BOLUS_CANCEL: wire.AT_BOLUS_CANCEL_HIGH_STEPS,
    wire.RECORD_SQUARE_CANCEL: wire.AT_SQUARE_CANCEL_HIGH_STEPS,
    wire.RECORD_COMMIT: wire.AT_COMMIT_HIGH_STEPS,
}
