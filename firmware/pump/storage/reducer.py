# What records make of the facts. Nothing else assigns a fact: the running pump and the replay after a reset use the
# same reducer, so what runs is what a replay would find after a power cut.
#
# Two things are counted between records, and the next lease record shows them: steps, and steps that were due and not
# made.

from const import const

from pump import wire
from pump.clock import _earlier
from pump.storage.records import UNKNOWN

# As many as the limits of repeated alarms and resets can ask for.
_MOMENTS = const(16)
_RUNNING = const(16)
_REASON = const(15)

# Message type of each command record, to tell a repeat from another command with a used counter.
_TYPE_OF = {
    wire.RECORD_START: wire.START,
    wire.RECORD_STOP: wire.STOP,
    wire.RECORD_BOLUS: wire.BOLUS,
    wire.RECORD_BOLUS_CANCEL: wire.BOLUS_CANCEL,
    wire.RECORD_PATIENT_BOLUS: wire.PATIENT_BOLUS,
    wire.RECORD_SQUARE: wire.SQUARE_BOLUS,
    wire.RECORD_SQUARE_CANCEL: wire.SQUARE_CANCEL,
    wire.RECORD_PRIME_ARM: wire.PRIME_ARM,
    wire.RECORD_PRIME: wire.PRIME,
    wire.RECORD_PATENCY: wire.PATENCY,
    wire.RECORD_REFILL: wire.REFILL,
    wire.RECORD_COMMIT: wire.THERAPY_COMMIT,
    wire.RECORD_CLOCK: wire.CLOCK_SET,
    wire.RECORD_ALARM_CLEARED: wire.ALARM_CLEAR,
    wire.RECORD_SILENCE: wire.ALARM_SILENCE,
    wire.RECORD_IMPLANT: wire.IMPLANT,
}

_RESULTS = (wire.RECORD_REFUSED, wire.RECORD_HOST_DONE, wire.RECORD_HOST_REFUSED)

# Kind of the bolus that each of these records begins.
_LEASING = {
    wire.RECORD_BOLUS: wire.BOLUS_KIND_CLINICIAN,
    wire.RECORD_PATIENT_BOLUS: wire.BOLUS_KIND_PATIENT,
    wire.RECORD_PRIME: wire.BOLUS_KIND_PRIMING,
    wire.RECORD_PATENCY: wire.BOLUS_KIND_PATENCY,
    wire.RECORD_SQUARE: wire.BOLUS_KIND_NONE,
}


def state_code(running, stop_reason):
    """Code of a state record."""
    return stop_reason | _RUNNING if running else stop_reason


class Reducer:
    def __init__(self, facts, outcomes, clock):
        self._facts = facts
        self._outcomes = outcomes
        self._clock = clock

    # Between records

    def count_steps(self, commanded, moved):
        """Counts the `commanded` steps of the motor and those that it `moved`. Returns the greater one, which the lease
        counts."""
        facts = self._facts
        most = commanded if commanded > moved else moved
        facts.low += moved
        facts.high += most
        self._use_lease(most)
        return most

    def count_missed(self, steps):
        self._facts.missed += steps

    def _use_lease(self, steps):
        facts = self._facts
        facts.allowance = facts.allowance - steps if facts.allowance > steps else 0
        if facts.reservoir != UNKNOWN:
            facts.reservoir = facts.reservoir - steps if facts.reservoir > steps else 0

    # Records

    def apply_record(self, sequence, kind, code, a, b, c, d, e):
        facts = self._facts
        facts.written = (self._clock.day, self._clock.ms)
        armed = facts.watchdog_armed
        facts.watchdog_armed = kind == wire.RECORD_WATCHDOG_TEST
        if kind in _TYPE_OF:
            self._apply_command(sequence, kind, code, a, b, c, d, e)
        elif kind in _RESULTS:
            self._apply_result(sequence, kind, code, a, b, c, d, e)
        elif kind == wire.RECORD_LEASE or kind == wire.RECORD_CLOSE:
            self._apply_lease(kind, code, a, b, c, d, e)
        elif kind == wire.RECORD_BOOT:
            self._apply_boot(code, armed, a, b, c)
        elif kind == wire.RECORD_ALARM_RAISED:
            self._apply_alarm(code, a, b)
        elif kind == wire.RECORD_ALARM_ENDED:
            self._keep_alarms(b)
        elif kind == wire.RECORD_MISSED:
            facts.missed = b
        elif kind == wire.RECORD_WORTH:
            facts.period_begins = code != 0
        elif kind == wire.RECORD_DISTRUSTED:
            facts.distrusted_at = facts.written
        elif not self._apply_bolus(kind, a, b, c, d):
            self._apply_checkpoint(kind, code, a, b, c, d, e)

    def _apply_lease(self, kind, code, low, high, allowance, missed, reservoir):
        facts = self._facts
        facts.low, facts.high, facts.allowance = low, high, allowance
        facts.missed, facts.reservoir = missed, reservoir
        if kind == wire.RECORD_LEASE:
            facts.titration_day = code
        elif code != wire.STOP_REASON_NONE:
            self._end_delivery(code)

    def _apply_boot(self, cause, armed, boot_count, low, high):
        # The open lease counts as delivered, and is never repeated.
        self._show_steps(low, high)
        facts = self._facts
        facts.boot_count = boot_count
        facts.boot_cause = cause
        facts.allowance = 0
        facts.period_begins = False
        if not armed:
            # The bite of the watchdog's proof is no reset that anything is wrong with.
            _push(facts.boots, facts.written)

    def _show_steps(self, low, high):
        """Takes low and high of a record. In a replay, the steps since the record before used up its lease."""
        facts = self._facts
        self._use_lease(high - facts.high)
        facts.low, facts.high = low, high

    def _apply_bolus(self, kind, a, b, c, d):
        """Applies what the pump does with boluses unasked. Returns whether this is such a record."""
        facts = self._facts
        if kind == wire.RECORD_BOLUS_END:
            self._show_steps(a, b)
            self._set_bolus(0, wire.BOLUS_KIND_NONE)
        elif kind == wire.RECORD_SQUARE_END:
            self._show_steps(a, b)
            self._set_square(0)
        elif kind == wire.RECORD_PERIODIC_BOLUS:
            self._show_steps(a, b)
            facts.allowance = d
            self._set_bolus(c, wire.BOLUS_KIND_PERIODIC)
            facts.periodic_from = facts.written
        else:
            return False
        return True

    def _set_bolus(self, steps, kind):
        facts = self._facts
        facts.bolus_left = facts.open_bolus = steps
        facts.bolus_kind = facts.open_kind = kind

    def _set_square(self, steps):
        self._facts.square_left = self._facts.open_square = steps

    def _end_delivery(self, reason):
        facts = self._facts
        facts.running = False
        facts.stop_reason = reason
        facts.bolus_left = facts.square_left = 0
        facts.bolus_kind = wire.BOLUS_KIND_NONE
        self._begin_standstill()

    def _begin_standstill(self):
        if self._facts.stopped_since is None:
            self._facts.stopped_since = self._facts.written

    # Alarms

    def _apply_alarm(self, priority, raised, alarms):
        facts = self._facts
        if raised & wire.ALARMS_ESCALATE and priority == wire.PRIORITY_HIGH:
            facts.escalated |= raised
        if raised & (wire.ALARMS_SAFE | wire.ALARMS_HALT) & ~facts.alarms:
            _push(facts.stops, (raised, facts.written[0], facts.written[1]))
        facts.alarms = alarms

    def _keep_alarms(self, alarms):
        self._facts.alarms = alarms
        self._facts.escalated &= alarms

    # What a new sector begins with, and supplies

    def _apply_checkpoint(self, kind, code, a, b, c, d, e):
        facts = self._facts
        if kind == wire.RECORD_STATE:
            self._apply_state(code, a, b, c, d, e)
        elif kind == wire.RECORD_IDENTITY:
            facts.boot_count, facts.hash_head = a, b
            self._set_bolus(c, code)
            facts.clock_was_set, facts.commit_high = d != 0, e
        elif kind == wire.RECORD_WINDOWS:
            self._set_square(e)
        elif kind == wire.RECORD_PATIENT_TIMES:
            self._apply_ages(code, (a, b, c, d, e))
        elif kind == wire.RECORD_COUNTER_FLOOR:
            self._outcomes.raise_floor(a)
        elif kind == wire.RECORD_FILLED:
            self._fill_reservoir(a, b, c, d)
        elif kind == wire.RECORD_SERVICE:
            facts.replacement_since = None if a == UNKNOWN else (a, b)
            facts.replacement_local, facts.implant_days = c, d
        elif kind == wire.RECORD_CALENDAR:
            facts.faults_told, facts.commit_unsure = d, e
        elif kind == wire.RECORD_CALIBRATION:
            self._apply_calibration(code, a, b, e)

    def _apply_state(self, code, low, high, generation, alarms, reservoir):
        facts = self._facts
        facts.running = code >= _RUNNING
        facts.stop_reason = code & _REASON
        if not facts.running:
            self._begin_standstill()
        facts.low, facts.high, facts.generation = low, high, generation
        facts.alarms, facts.reservoir = alarms, reservoir

    def _apply_ages(self, first, ages):
        # Ages in ms before this record, oldest first; `first` is the index of the first in the list. Beyond the end of
        # the list they are UNKNOWN.
        times = self._facts.patient_times
        del times[first:]
        for age in ages:
            if age != UNKNOWN:
                times.append(_earlier(self._clock.day, self._clock.ms, age))

    def _fill_reservoir(self, content, low, high, day):
        facts = self._facts
        facts.filled_steps, facts.filled_low, facts.filled_high, facts.filled_day = content, low, high, day

    def _apply_calibration(self, repeated, num, den, content):
        facts = self._facts
        facts.step_nl_num, facts.step_nl_den, facts.reservoir = num, den, content
        if not repeated and facts.filled_steps != UNKNOWN:
            # The next refill compares what is withdrawn with steps of one volume only.
            self._fill_reservoir(content, facts.low, facts.high, facts.filled_day)

    # Commands

    def _apply_command(self, sequence, kind, role, a, b, c, d, e):
        facts = self._facts
        low, high = d, e
        if kind in _LEASING:
            self._begin_bolus(kind, c, e)
        elif kind == wire.RECORD_COMMIT:
            self._apply_commit(c, d, e)
        elif kind == wire.RECORD_CLOCK:
            facts.clock_was_set = True
        elif kind == wire.RECORD_ALARM_CLEARED:
            self._keep_alarms(facts.alarms & ~c)
        elif kind == wire.RECORD_REFILL:
            facts.reservoir = c
            self._fill_reservoir(c, d, e, self._clock.day)
        elif kind == wire.RECORD_IMPLANT:
            facts.implant_days = c
        elif kind != wire.RECORD_PRIME_ARM and kind != wire.RECORD_SILENCE:
            self._show_steps(d, e)
            self._apply_delivery(kind)
        if role == wire.ROLE_NONE:
            # A stop without a session can name any host, so it does not count as a command of that host.
            return
        if kind in _SHOWING_NO_STEPS or kind in _LEASING:
            low, high = facts.low, facts.high
        self._outcomes.store_outcome(_host_bytes(a), b, _TYPE_OF[kind], wire.REASON_DONE, c, low, high, sequence)

    def _begin_bolus(self, kind, steps, allowance):
        """Begins a bolus, whose record is the lease of its steps, too."""
        facts = self._facts
        facts.allowance = allowance
        if kind == wire.RECORD_SQUARE:
            self._set_square(steps)
            return
        self._set_bolus(steps, _LEASING[kind])
        if kind == wire.RECORD_PATIENT_BOLUS:
            facts.patient_times.append(facts.written)
            if len(facts.patient_times) > wire.PATIENT_BOLUSES_MAX:
                facts.patient_times.pop(0)

    def _apply_commit(self, generation, hash_head, high):
        facts = self._facts
        facts.generation, facts.hash_head, facts.commit_high = generation, hash_head, high
        facts.commit_unsure = facts.high - facts.low
        facts.titration_day = 0
        if not facts.running:
            self._begin_standstill()
        if facts.period_begins:
            facts.periodic_from = facts.written

    def _apply_delivery(self, kind):
        facts = self._facts
        if kind == wire.RECORD_START:
            facts.running = True
            facts.stopped_since = None
            facts.stop_reason = wire.STOP_REASON_NONE
            facts.periodic_from = facts.written
        elif kind == wire.RECORD_STOP:
            facts.allowance = 0
            self._set_bolus(0, wire.BOLUS_KIND_NONE)
            self._set_square(0)
            self._end_delivery(wire.STOP_REASON_COMMAND)
        elif kind == wire.RECORD_SQUARE_CANCEL:
            self._set_square(0)
        else:
            self._set_bolus(0, wire.BOLUS_KIND_NONE)

    def _apply_result(self, sequence, kind, code, a, b, c, d, e):
        message, reason, accepted = c, code, 0
        if kind == wire.RECORD_HOST_DONE:
            message, reason, accepted = code, wire.REASON_DONE, c
        self._outcomes.store_outcome(_host_bytes(a), b, message, reason, accepted, d, e, sequence)


# Command records that do not show low and high.
_SHOWING_NO_STEPS = (wire.RECORD_COMMIT, wire.RECORD_CLOCK, wire.RECORD_PRIME_ARM)


def _push(moments, moment):
    moments.append(moment)
    if len(moments) > _MOMENTS:
        moments.pop(0)


def _host_bytes(number):
    return number.to_bytes(4, "little")
