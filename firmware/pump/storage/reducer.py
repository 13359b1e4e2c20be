# What records make of the facts. Nothing else assigns a fact: the running pump and the replay after a reset use the
# same reducer, so what runs is what a replay would find after a power cut.
#
# Two things are counted between records, and the next lease record shows them: steps, and steps that were due and not
# made.

from const import const

from pump import wire
from pump.clock import _earlier
from pump.storage.records import CLEARED_MAX, ENTRIES, NUMBER, UNKNOWN

# As many as the limits of repeated alarms and resets can ask for.
_MOMENTS = const(16)
_AGES = const(5)

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
    wire.RECORD_COMMIT: wire.PROGRAM_COMMIT,
    wire.RECORD_CLOCK: wire.CLOCK_SET,
    wire.RECORD_ALARM_CLEARED: wire.ALARM_CLEAR,
    wire.RECORD_SILENCE: wire.ALARM_SILENCE,
    wire.RECORD_IMPLANT: wire.IMPLANT,
}

# Kind of the bolus that each of these records begins. All of them have steps and allowance in the same places.
_LEASING = {
    wire.RECORD_BOLUS: wire.BOLUS_KIND_CLINICIAN,
    wire.RECORD_PATIENT_BOLUS: wire.BOLUS_KIND_PATIENT,
    wire.RECORD_PRIME: wire.BOLUS_KIND_PRIMING,
    wire.RECORD_PATENCY: wire.BOLUS_KIND_PATENCY,
    wire.RECORD_SQUARE: wire.BOLUS_KIND_NONE,
}

# Commands that show low and high in the places of a start, and those of them up to which steps were delivered.
_DELIVERING = (wire.RECORD_START, wire.RECORD_STOP, wire.RECORD_BOLUS_CANCEL, wire.RECORD_SQUARE_CANCEL)
_SHOWING = _DELIVERING + (
    wire.RECORD_REFILL,
    wire.RECORD_ALARM_CLEARED,
    wire.RECORD_SILENCE,
    wire.RECORD_IMPLANT,
)


class Reducer:
    """Applies records: tuples in the order of the record, whose fields have their places in wire (AT_*)."""

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

    def apply_record(self, record):
        facts, kind = self._facts, record[wire.AT_KIND]
        facts.written = (self._clock.day, self._clock.ms)
        armed = facts.watchdog_armed
        facts.watchdog_armed = kind == wire.RECORD_WATCHDOG_TEST
        if kind in _TYPE_OF:
            self._apply_command(kind, record)
        elif kind == wire.RECORD_LEASE:
            self._apply_lease(record)
        elif kind == wire.RECORD_CLOSE:
            self._apply_close(record)
        elif kind == wire.RECORD_BOOT:
            self._apply_boot(record, armed)
        elif kind == wire.RECORD_MISSED:
            facts.missed = record[wire.AT_MISSED_MISSED_STEPS]
        elif kind == wire.RECORD_WORTH:
            facts.period_begins = (
                record[wire.AT_WORTH_PERIOD_BEGINS] >> wire.SHIFT_WORTH_PERIOD_BEGINS & wire.MASK_WORTH_PERIOD_BEGINS
                != 0
            )
        elif kind == wire.RECORD_DISTRUSTED:
            facts.distrusted_at = facts.written
        elif not (
            self._apply_result(kind, record)
            or self._apply_bolus(kind, record)
            or self._apply_alarm(kind, record)
            or self._apply_state(kind, record)
        ):
            self._apply_supplies(kind, record)

    def _apply_lease(self, record):
        facts = self._facts
        facts.low, facts.high = record[wire.AT_LEASE_LOW_STEPS], record[wire.AT_LEASE_HIGH_STEPS]
        facts.allowance = record[wire.AT_LEASE_ALLOWANCE_STEPS]
        facts.missed = record[wire.AT_LEASE_MISSED_STEPS]
        facts.reservoir = record[wire.AT_LEASE_RESERVOIR_STEPS]
        facts.titration_day = record[wire.AT_LEASE_TITRATION_DAY]

    def _apply_close(self, record):
        facts = self._facts
        facts.low, facts.high = record[wire.AT_CLOSE_LOW_STEPS], record[wire.AT_CLOSE_HIGH_STEPS]
        facts.allowance = 0
        facts.missed = record[wire.AT_CLOSE_MISSED_STEPS]
        facts.reservoir = record[wire.AT_CLOSE_RESERVOIR_STEPS]
        reason = record[wire.AT_CLOSE_STOP_REASON]
        if reason != wire.STOP_REASON_NONE:
            self._end_delivery(reason)

    def _apply_boot(self, record, armed):
        # The open lease counts as delivered, and is never repeated.
        self._show_steps(record[wire.AT_BOOT_LOW_STEPS], record[wire.AT_BOOT_HIGH_STEPS])
        facts = self._facts
        facts.boot_count = record[wire.AT_BOOT_BOOT_COUNT]
        facts.boot_cause = record[wire.AT_BOOT_RESET_CAUSE]
        facts.allowance = 0
        facts.period_begins = False
        facts.to_clear = b""
        if not armed:
            # The bite of the watchdog's proof is no reset that anything is wrong with.
            _push(facts.boots, facts.written)

    def _show_steps(self, low, high):
        """Takes low and high of a record. In a replay, the steps since the record before used up its lease."""
        facts = self._facts
        self._use_lease(high - facts.high)
        facts.low, facts.high = low, high

    def _apply_bolus(self, kind, record):
        """What the pump does with boluses unasked. Returns whether this is such a record."""
        facts = self._facts
        if kind == wire.RECORD_BOLUS_END:
            self._show_steps(record[wire.AT_BOLUS_END_LOW_STEPS], record[wire.AT_BOLUS_END_HIGH_STEPS])
            self._set_bolus(0, wire.BOLUS_KIND_NONE)
        elif kind == wire.RECORD_SQUARE_END:
            self._show_steps(record[wire.AT_SQUARE_END_LOW_STEPS], record[wire.AT_SQUARE_END_HIGH_STEPS])
            self._set_square(0)
        elif kind == wire.RECORD_PERIODIC_BOLUS:
            self._show_steps(record[wire.AT_PERIODIC_BOLUS_LOW_STEPS], record[wire.AT_PERIODIC_BOLUS_HIGH_STEPS])
            facts.allowance = record[wire.AT_PERIODIC_BOLUS_ALLOWANCE_STEPS]
            self._set_bolus(record[wire.AT_PERIODIC_BOLUS_STEPS], wire.BOLUS_KIND_PERIODIC)
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

    def _apply_alarm(self, kind, record):
        """What alarms do that nobody asked. Returns whether this is such a record."""
        if kind == wire.RECORD_ALARM_RAISED:
            self._latch_alarm(record[wire.AT_ALARM_RAISED_ALARM], record[wire.AT_ALARM_RAISED_PRIORITY])
        elif kind == wire.RECORD_ALARM_ENDED:
            self._release_alarms((record[wire.AT_ALARM_ENDED_ALARM],))
        elif kind == wire.RECORD_ALARM_DISPLACED:
            self._release_alarms((record[wire.AT_ALARM_DISPLACED_ALARM],))
        elif kind == wire.RECORD_CLEAR_LIST:
            self._facts.to_clear += _read_alarms(record, wire.ENTRY_CLEAR_LIST_ALARMS, ENTRIES, 0)
        elif kind == wire.RECORD_LATCHED:
            self._apply_latched(record)
        else:
            return False
        return True

    def _latch_alarm(self, alarm, priority):
        facts, traits = self._facts, wire.alarm_traits(alarm)
        latched, escalated = facts.latched, facts.escalated
        if alarm not in latched:
            if traits & (wire.TRAIT_SAFE | wire.TRAIT_HALT):
                _push(facts.stops, (alarm, facts.written[0], facts.written[1]))
            if len(latched) < wire.LATCHED_MAX:
                latched += bytes((alarm,))
        if traits & wire.TRAIT_ESCALATES and priority == wire.PRIORITY_HIGH and alarm not in escalated:
            escalated += bytes((alarm,))
        self._set_latched(latched, escalated)

    def _release_alarms(self, alarms):
        facts = self._facts
        self._set_latched(bytes([alarm for alarm in facts.latched if alarm not in alarms]), facts.escalated)

    def _set_latched(self, latched, escalated):
        facts = self._facts
        facts.latched = latched
        facts.escalated = bytes([alarm for alarm in escalated if alarm in latched])
        together = worst = 0
        for alarm in latched:
            traits = wire.alarm_traits(alarm)
            together |= traits
            worst = max(worst, traits & wire.TRAIT_PRIORITY)
        facts.traits = together
        facts.priority = wire.PRIORITY_HIGH if facts.escalated else worst >> wire.TRAIT_PRIORITY_SHIFT

    def _apply_latched(self, record):
        facts, place = self._facts, record[wire.AT_LATCHED_PLACE]
        shown = _read_alarms(record, wire.ENTRY_LATCHED_ALARMS, ENTRIES, 0)
        urgent = _read_alarms(record, wire.ENTRY_LATCHED_ALARMS, ENTRIES, NUMBER)
        # What follows has a record of its own, or was cut off by the record of the state.
        latched = facts.latched[:place] + shown + facts.latched[place + ENTRIES :]
        self._set_latched(latched, bytes([alarm for alarm in facts.escalated if alarm not in shown]) + urgent)

    # What a new sector begins with, and supplies

    def _apply_state(self, kind, record):
        """What a record repeats of the state. Returns whether this is such a record."""
        facts = self._facts
        if kind == wire.RECORD_STATE:
            self._apply_summary(record)
        elif kind == wire.RECORD_IDENTITY:
            self._apply_identity(record)
        elif kind == wire.RECORD_PATIENT_TIMES:
            self._apply_ages(record)
        elif kind == wire.RECORD_COUNTER_FLOOR:
            self._outcomes.raise_floor(record[wire.AT_COUNTER_FLOOR_COUNTER])
        elif kind == wire.RECORD_CALENDAR:
            facts.faults_told = record[wire.AT_CALENDAR_FAULT_RECORDS]
            facts.commit_unsure = record[wire.AT_CALENDAR_COMMIT_UNSURE_STEPS]
        else:
            return False
        return True

    def _apply_summary(self, record):
        facts, code = self._facts, record[wire.AT_STATE_RUNNING]
        facts.running = code >> wire.SHIFT_STATE_RUNNING & wire.MASK_STATE_RUNNING != 0
        facts.stop_reason = record[wire.AT_STATE_STOP_REASON] >> wire.SHIFT_STATE_STOP_REASON & (
            wire.MASK_STATE_STOP_REASON
        )
        if not facts.running:
            self._begin_standstill()
        facts.low, facts.high = record[wire.AT_STATE_LOW_STEPS], record[wire.AT_STATE_HIGH_STEPS]
        facts.generation = record[wire.AT_STATE_GENERATION]
        facts.reservoir = record[wire.AT_STATE_RESERVOIR_STEPS]
        # Where records were lost, what is latched beyond this number ended in one of them.
        if len(facts.latched) > record[wire.AT_STATE_ALARM_COUNT]:
            self._set_latched(facts.latched[: record[wire.AT_STATE_ALARM_COUNT]], facts.escalated)

    def _apply_identity(self, record):
        facts, code = self._facts, record[wire.AT_IDENTITY_BOLUS_KIND]
        facts.boot_count = record[wire.AT_IDENTITY_BOOT_COUNT]
        facts.hash_head = record[wire.AT_IDENTITY_PROGRAM_HASH_HEAD]
        self._set_bolus(
            record[wire.AT_IDENTITY_BOLUS_LEFT_STEPS],
            code >> wire.SHIFT_IDENTITY_BOLUS_KIND & wire.MASK_IDENTITY_BOLUS_KIND,
        )
        self._set_square(record[wire.AT_IDENTITY_SQUARE_LEFT_STEPS])
        code = record[wire.AT_IDENTITY_CLOCK_KNOWN]
        facts.clock_was_set = code >> wire.SHIFT_IDENTITY_CLOCK_KNOWN & wire.MASK_IDENTITY_CLOCK_KNOWN != 0
        facts.commit_high = record[wire.AT_IDENTITY_COMMIT_HIGH_STEPS]

    def _apply_ages(self, record):
        # Ages in ms before this record, oldest first; `place` is the index of the first in the list. Beyond the end of
        # the list they are UNKNOWN.
        times = self._facts.patient_times
        del times[record[wire.AT_PATIENT_TIMES_PLACE] :]
        for age in record[wire.AT_PATIENT_TIMES_AGE_MS : wire.AT_PATIENT_TIMES_AGE_MS + _AGES]:
            if age != UNKNOWN:
                times.append(_earlier(self._clock.day, self._clock.ms, age))

    def _apply_supplies(self, kind, record):
        facts = self._facts
        if kind == wire.RECORD_FILLED:
            facts.filled_steps = record[wire.AT_FILLED_CONTENT_STEPS]
            facts.filled_low, facts.filled_high = record[wire.AT_FILLED_LOW_STEPS], record[wire.AT_FILLED_HIGH_STEPS]
            facts.filled_day = record[wire.AT_FILLED_FILLED_DAY]
        elif kind == wire.RECORD_SERVICE:
            day = record[wire.AT_SERVICE_REPLACEMENT_DAY]
            facts.replacement_since = None if day == UNKNOWN else (day, record[wire.AT_SERVICE_REPLACEMENT_MS])
            facts.replacement_local = record[wire.AT_SERVICE_REPLACEMENT_LOCAL_DAYS]
            facts.implant_days = record[wire.AT_SERVICE_IMPLANT_DAYS]
        elif kind == wire.RECORD_CALIBRATION:
            self._apply_calibration(record)

    def _fill_reservoir(self, content):
        """From now on the reservoir is compared with this content."""
        facts = self._facts
        facts.filled_steps, facts.filled_low, facts.filled_high = content, facts.low, facts.high

    def _apply_calibration(self, record):
        facts = self._facts
        facts.step_nl_num = record[wire.AT_CALIBRATION_STEP_NL_NUM]
        facts.step_nl_den = record[wire.AT_CALIBRATION_STEP_NL_DEN]
        facts.reservoir = record[wire.AT_CALIBRATION_RESERVOIR_STEPS]
        if not record[wire.AT_CALIBRATION_CARRIED_ON] and facts.filled_steps != UNKNOWN:
            # The next refill compares what is withdrawn with steps of one volume only.
            self._fill_reservoir(facts.reservoir)

    # Commands

    def _apply_command(self, kind, record):
        """Applies a command, and remembers its outcome. What it accepted is the number behind its counter."""
        facts = self._facts
        accepted = record[wire.AT_COMMAND_COUNTER + 1]
        if kind in _LEASING:
            self._begin_bolus(kind, record)
        elif kind in _DELIVERING:
            self._show_steps(record[wire.AT_START_LOW_STEPS], record[wire.AT_START_HIGH_STEPS])
            self._apply_delivery(kind)
        elif kind == wire.RECORD_COMMIT:
            self._apply_commit(record)
        elif kind == wire.RECORD_CLOCK:
            facts.clock_was_set = True
        elif kind == wire.RECORD_ALARM_CLEARED:
            accepted = self._apply_clearing(record)
        elif kind == wire.RECORD_REFILL:
            facts.reservoir = record[wire.AT_REFILL_STEPS]
            facts.filled_steps, facts.filled_day = facts.reservoir, self._clock.day
            facts.filled_low = record[wire.AT_REFILL_LOW_STEPS]
            facts.filled_high = record[wire.AT_REFILL_HIGH_STEPS]
        elif kind == wire.RECORD_IMPLANT:
            facts.implant_days = record[wire.AT_IMPLANT_IMPLANT_DAYS]
        if record[wire.AT_COMMAND_ROLE] >> wire.SHIFT_COMMAND_ROLE & wire.MASK_COMMAND_ROLE == wire.ROLE_NONE:
            # A stop without a session names no host.
            return
        host = wire.id_bytes(
            record[wire.AT_COMMAND_HOST],
            record[wire.AT_COMMAND_HOST_HIGH] >> wire.SHIFT_COMMAND_HOST_HIGH & wire.MASK_COMMAND_HOST_HIGH,
        )
        low, high = facts.low, facts.high
        if kind in _SHOWING:
            low, high = record[wire.AT_START_LOW_STEPS], record[wire.AT_START_HIGH_STEPS]
        self._store_outcome(record, host, _TYPE_OF[kind], wire.REASON_DONE, accepted, low, high)

    def _store_outcome(self, record, host, message, reason, accepted, low, high):
        counter = record[wire.AT_COMMAND_COUNTER]
        self._outcomes.store_outcome(host, counter, message, reason, accepted, low, high, record[wire.AT_SEQUENCE])

    def _begin_bolus(self, kind, record):
        """The record of a bolus is the lease of its steps, too."""
        facts, steps = self._facts, record[wire.AT_BOLUS_STEPS]
        facts.allowance = record[wire.AT_BOLUS_ALLOWANCE_STEPS]
        if kind == wire.RECORD_SQUARE:
            self._set_square(steps)
            return
        self._set_bolus(steps, _LEASING[kind])
        if kind == wire.RECORD_PATIENT_BOLUS:
            facts.patient_times.append(facts.written)
            if len(facts.patient_times) > wire.PATIENT_BOLUSES_MAX:
                facts.patient_times.pop(0)

    def _apply_commit(self, record):
        facts = self._facts
        facts.generation = record[wire.AT_COMMIT_GENERATION]
        facts.hash_head = record[wire.AT_COMMIT_PROGRAM_HASH_HEAD]
        facts.commit_high = record[wire.AT_COMMIT_HIGH_STEPS]
        facts.commit_unsure = facts.high - facts.low
        facts.titration_day = 0
        if not facts.running:
            self._begin_standstill()
        if facts.period_begins:
            facts.periodic_from = facts.written

    def _apply_clearing(self, record):
        """Clears the alarms of this record and of the lists before it; returns their number."""
        alarms, self._facts.to_clear = self._facts.to_clear, b""
        alarms += _read_alarms(record, wire.ENTRY_ALARM_CLEARED_ALARMS, CLEARED_MAX, 0)
        self._release_alarms(alarms)
        return len(alarms)

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

    def _apply_result(self, kind, record):
        """The result of a command without its effect. Returns whether this is such a record."""
        low, high = record[wire.AT_RESULT_LOW_STEPS], record[wire.AT_RESULT_HIGH_STEPS]
        if kind == wire.RECORD_HOST_DONE:
            host = wire.id_bytes(
                record[wire.AT_RESULT_HOST],
                record[wire.AT_HOST_DONE_HOST_HIGH] >> wire.SHIFT_HOST_DONE_HOST_HIGH & wire.MASK_HOST_DONE_HOST_HIGH,
            )
            message = record[wire.AT_HOST_DONE_COMMAND] >> wire.SHIFT_HOST_DONE_COMMAND & wire.MASK_HOST_DONE_COMMAND
            accepted = record[wire.AT_HOST_DONE_ACCEPTED]
            self._store_outcome(record, host, wire.COMMAND_BASE + message, wire.REASON_DONE, accepted, low, high)
        elif kind == wire.RECORD_REFUSED or kind == wire.RECORD_HOST_REFUSED:
            word = record[wire.AT_REFUSED_MESSAGE]
            host = wire.id_bytes(
                record[wire.AT_RESULT_HOST], word >> wire.SHIFT_REFUSED_HOST_HIGH & wire.MASK_REFUSED_HOST_HIGH
            )
            message = word >> wire.SHIFT_REFUSED_MESSAGE & wire.MASK_REFUSED_MESSAGE
            self._store_outcome(record, host, message, record[wire.AT_REFUSED_REASON], 0, low, high)
        else:
            return False
        return True


def _read_alarms(record, first, count, above):
    """Numbers of the alarms in `count` entries from entry `first` on: of all with `above` 0, of those that became
    urgent with NUMBER."""
    entries = [wire.entry_at(record, first + at) for at in range(count)]
    return bytes([entry & NUMBER for entry in entries if entry > above])


def _push(moments, moment):
    moments.append(moment)
    if len(moments) > _MOMENTS:
        moments.pop(0)
