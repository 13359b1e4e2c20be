# The records that a new sector begins with: all that matters of the sectors before it, which may be erased.

from const import const

from pump import wire
from pump.storage.records import ENTRIES, ESCALATED, UNKNOWN

_AGES = const(5)
_WINDOWS = const(5)
_WORDS = const(5)


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
        append(
            wire.RECORD_STATE,
            state_code(facts),
            facts.low,
            facts.high,
            facts.generation,
            len(facts.latched),
            facts.reservoir,
        )
        append(
            wire.RECORD_LEASE,
            facts.titration_day,
            facts.low,
            facts.high,
            facts.allowance,
            facts.missed,
            facts.reservoir,
        )
        known = 1 if facts.clock_was_set else 0
        append(
            wire.RECORD_IDENTITY,
            facts.bolus_kind << wire.SHIFT_IDENTITY_BOLUS_KIND | known << wire.SHIFT_IDENTITY_CLOCK_KNOWN,
            facts.boot_count,
            facts.hash_head,
            facts.bolus_left,
            facts.square_left,
            facts.commit_high,
        )
        self._write_alarms(append)
        self._write_windows(append)
        self._write_patient_times(append)
        if self._outcomes.floor:
            append(wire.RECORD_COUNTER_FLOOR, 0, self._outcomes.floor, 0, 0, 0, 0)
        self._write_supplies(append)
        self._write_calendar(append)
        # Each record moves its host to the end of the list.
        for known in list(self._outcomes.hosts):
            _write_outcome(append, known)

    def _write_alarms(self, append):
        latched, escalated = self._facts.latched, self._facts.escalated
        for place in range(0, len(latched), ENTRIES):
            append(wire.RECORD_LATCHED, place, *pack_alarms(latched[place : place + ENTRIES], escalated))

    def _write_windows(self, append):
        """A record for each five caps of a drug; `place` counts them from the first cap of that drug."""
        drugs = {}
        for row in self._guard.window_rows():
            drugs.setdefault(row[0], []).append(row[2])
        for drug in sorted(drugs):
            held = drugs[drug]
            for place in range(0, len(held), _WINDOWS):
                part = _fill_words(held[place : place + _WINDOWS], 0)
                append(wire.RECORD_WINDOWS, place << wire.SHIFT_WINDOWS_PLACE | drug << wire.SHIFT_WINDOWS_DRUG, *part)

    def _write_patient_times(self, append):
        facts = self._facts
        ages = [facts.ms_since(moment) for moment in facts.patient_times]
        for place in range(0, len(ages), _AGES):
            append(wire.RECORD_PATIENT_TIMES, place, *_fill_words(ages[place : place + _AGES], UNKNOWN))

    def _write_supplies(self, append):
        facts = self._facts
        if facts.filled_steps != UNKNOWN:
            append(wire.RECORD_FILLED, 0, facts.filled_steps, facts.filled_low, facts.filled_high, facts.filled_day, 0)
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


def state_code(facts):
    """Code of a state record."""
    running = 1 if facts.running else 0
    return facts.stop_reason << wire.SHIFT_STATE_STOP_REASON | running << wire.SHIFT_STATE_RUNNING


def pack_alarms(alarms, escalated=b""):
    """Five words that hold up to ENTRIES alarms."""
    record = [0] * (wire.AT_CODE + 1 + _WORDS)
    for at, alarm in enumerate(alarms):
        wire.put_entry(record, at, alarm | ESCALATED if alarm in escalated else alarm)
    return record[wire.AT_CODE + 1 :]


def _fill_words(values, empty):
    return values + [empty] * (_WORDS - len(values))


def _write_outcome(append, known):
    host, high = wire.id_low(known.host), wire.id_high(known.host)
    if known.reason == wire.REASON_DONE:
        code = (known.type - wire.COMMAND_BASE) << wire.SHIFT_HOST_DONE_COMMAND | high << wire.SHIFT_HOST_DONE_HOST_HIGH
        append(wire.RECORD_HOST_DONE, code, host, known.counter, known.accepted, known.low, known.high)
    else:
        message = known.type << wire.SHIFT_HOST_REFUSED_MESSAGE | high << wire.SHIFT_HOST_REFUSED_HOST_HIGH
        append(wire.RECORD_HOST_REFUSED, known.reason, host, known.counter, message, known.low, known.high)
