# The records that a new sector begins with: all that matters of the sectors before it, which may be erased.

from const import const

from pump import wire
from pump.storage.records import UNKNOWN
from pump.storage.reducer import state_code

_AGES = const(5)
_WINDOWS = const(4)


class Checkpoint:
    """`guard` says what its dose windows hold, and `plan` how far the pattern is behind the calendar."""

    def __init__(self, facts, outcomes, faults, clock, guard, plan):
        self._facts = facts
        self._outcomes = outcomes
        self._faults = faults
        self._clock = clock
        self._guard = guard
        self._plan = plan

    def write_records(self, append):
        """Writes all records with append(kind, code, a, b, c, d, e), which also applies them. They repeat facts, and
        change none."""
        facts = self._facts
        code = state_code(facts.running, facts.stop_reason)
        append(wire.RECORD_STATE, code, facts.low, facts.high, facts.generation, facts.alarms, facts.reservoir)
        append(
            wire.RECORD_LEASE,
            facts.titration_day,
            facts.low,
            facts.high,
            facts.allowance,
            facts.missed,
            facts.reservoir,
        )
        append(
            wire.RECORD_IDENTITY,
            facts.bolus_kind,
            facts.boot_count,
            facts.hash_head,
            facts.bolus_left,
            1 if facts.clock_was_set else 0,
            facts.commit_high,
        )
        self._write_windows(append)
        self._write_patient_times(append)
        if self._outcomes.floor:
            append(wire.RECORD_COUNTER_FLOOR, 0, self._outcomes.floor, 0, 0, 0, 0)
        self._write_supplies(append)
        self._write_calendar(append)
        # Each record moves its host to the end of the list.
        for known in list(self._outcomes.hosts):
            _write_outcome(append, known)

    def _write_windows(self, append):
        drug = [nanograms for _, nanograms, _ in self._guard.window_rows()]
        drug += [0] * (_WINDOWS - len(drug))
        append(wire.RECORD_WINDOWS, 0, drug[0], drug[1], drug[2], drug[3], self._facts.square_left)

    def _write_patient_times(self, append):
        facts = self._facts
        ages = [facts.ms_since(moment) for moment in facts.patient_times]
        for first in range(0, len(ages), _AGES):
            part = ages[first : first + _AGES]
            part += [UNKNOWN] * (_AGES - len(part))
            append(wire.RECORD_PATIENT_TIMES, first, part[0], part[1], part[2], part[3], part[4])

    def _write_supplies(self, append):
        facts = self._facts
        if facts.filled_steps != UNKNOWN:
            append(
                wire.RECORD_FILLED, 0, facts.filled_steps, facts.filled_low, facts.filled_high, facts.filled_day, 0
            )
        since = facts.replacement_since
        if since is not None or facts.implant_days != UNKNOWN:
            day, ms = (UNKNOWN, 0) if since is None else since
            append(wire.RECORD_SERVICE, 0, day, ms, facts.replacement_local, facts.implant_days, 0)
        num, den = facts.step_nl_num, facts.step_nl_den
        if num:
            append(wire.RECORD_CALIBRATION, 1, num, den, num, den, facts.reservoir)

    def _write_calendar(self, append):
        clock, facts = self._clock, self._facts
        known, days, ms, lag = 0, 0, 0, 0
        if clock.known:
            known, days, ms, lag = 1, clock.local_days(), clock.local_ms(), self._plan.lag_ms()
        append(wire.RECORD_CALENDAR, known, days, ms, lag, self._faults.next, facts.commit_unsure)


def _write_outcome(append, known):
    host = int.from_bytes(known.host, "little")
    if known.reason == wire.REASON_DONE:
        append(wire.RECORD_HOST_DONE, known.type, host, known.counter, known.accepted, known.low, known.high)
    else:
        append(wire.RECORD_HOST_REFUSED, known.reason, host, known.counter, known.type, known.low, known.high)
