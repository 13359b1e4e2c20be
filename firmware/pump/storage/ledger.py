# The durable facts of the pump. A fact changes in one way only: a record goes into the journal, then apply() takes it.
# A reset replays the same records through the same apply(), so what runs is what would be found after a power cut.

from pump import wire
from pump.clock import _earlier
from pump.storage.facts import Facts
from pump.storage.outcomes import HOSTS_MAX, Outcome
from pump.storage.records import UNKNOWN
from pump.wire import const

_AGES = const(5)
_WINDOWS = const(4)
# As many as the limits of repeated alarms and resets can ask for.
_MOMENTS = const(16)

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


class Ledger:
    """`low` and `high` bound the steps delivered in this pump's life; `allowance` is what an open lease may add."""

    def __init__(self, journal, faults, clock):
        self.journal = journal
        # Faults are kept twice: in the journal, which is the truth, and in a ring that routine records never overwrite.
        self.faults = faults
        self._copied = -1
        self._faults_told = 0
        self._clock = clock
        self.facts = Facts(clock)
        self.window_drug = None
        self.pattern_lag = None
        self.corrupted = False
        self._facts, self._counts = 0, 0
        self._reservoir_check = UNKNOWN
        journal.on_new_sector = self._checkpoint

    # What RAM must still hold (see memory.py)

    def whole(self):
        """Whether all facts are those that records and steps made."""
        return self._sound() and self.facts.reservoir == self._reservoir_check

    def _sound(self):
        return (
            self._clock.whole()
            and self._fold_facts() == self._facts
            and self.facts.low + self.facts.high + self.facts.allowance == self._counts
        )

    def _seal(self):
        self._facts = self._fold_facts()
        self._counts = self.facts.low + self.facts.high + self.facts.allowance
        self._reservoir_check = self.facts.reservoir

    def _fold_facts(self):
        """One number of what only records change."""
        # In two halves: above 2^30 each sum of it would be a number on the heap.
        total = self.facts.hash_head >> 16 ^ self.facts.hash_head & 0xFFFF
        total ^= self.facts.generation ^ self.facts.commit_high ^ self.facts.boot_count ^ self._copied
        total ^= (
            self.facts.periodic_from[0]
            ^ self.facts.periodic_from[1]
            ^ self.facts.period_begins
            ^ self.facts.clock_was_set
        )
        total ^= (
            self.facts.alarms
            ^ self.facts.escalated
            ^ self.facts.floor
            ^ self.facts.filled_low
            ^ self.facts.filled_high
            ^ self.facts.filled_day
        )
        total ^= self.facts.step_nl_num ^ self.facts.step_nl_den ^ self.facts.commit_unsure
        for fact in (self.facts.filled_steps, self.facts.replacement_local, self.facts.implant_days):
            total ^= fact >> 16 ^ fact & 0xFFFF
        for moment in (self.facts.stopped_since, self.facts.replacement_since):
            if moment is not None:
                total ^= moment[0] << 1 ^ moment[1]
        for moments in (self.facts.stops, self.facts.boots, self.facts.patient_times):
            for moment in moments:
                for number in moment:
                    total ^= number
        for known in self.facts.hosts:
            total ^= known.counter ^ known.type ^ known.reason ^ known.accepted ^ known.low ^ known.high ^ known.record
            host = known.host
            total ^= (host[0] | host[1] << 8) ^ (host[2] | host[3] << 8)
        return total

    # After a reset

    def replay(self):
        """Rebuild everything from the journal."""
        self.faults.scan(self._find_copied)
        self.journal.scan(self._replay_one)
        self._seal()

    def _find_copied(self, fields):
        self._copied = fields[9]

    def _replay_one(self, fields):
        sequence, day, ms, kind, code, a, b, c, d, e = fields
        self._clock.resume(day, ms)
        self.apply(sequence, kind, code, a, b, c, d, e)
        self._copy_fault(sequence, kind, code, a, b, c, d)

    def gone(self):
        """After a replay: whether records are known to have been in this flash that are in it no more."""
        return self._copied >= self.journal.next or self.faults.next < self._faults_told

    def failed(self):
        """Whether the flash did not take a record."""
        return self.journal.failed or self.faults.failed

    # Changing facts

    def write(self, kind, code, a, b, c, d, e):
        """Make one record durable, then take it. Returns its sequence number. Nothing wrong is made durable: when the
        facts in RAM are not those that records and steps made, they are `corrupted` and the record is dropped."""
        if not self._sound():
            self.corrupted = True
            return self.journal.next
        sequence = self.journal.append(kind, code, a, b, c, d, e)
        self.apply(sequence, kind, code, a, b, c, d, e)
        self._copy_fault(sequence, kind, code, a, b, c, d)
        self._seal()
        return sequence

    def _copy_fault(self, sequence, kind, code, a, b, c, d):
        # The copy names the record that it was made from: what a cut left without one gets it in the next replay, with
        # the time of the record itself.
        if kind in _FAULTS and sequence > self._copied:
            self.faults.append(kind, code, a, b, c, d, sequence)
            self._copied = sequence

    def command(self, kind, role, host, counter, c, d, e):
        """Write the record of a command, which names the role that gave it."""
        return self.write(kind, role, int.from_bytes(host, "little"), counter, c, d, e)

    def moved(self, commanded, moved):
        """The motor was told to move `commanded` steps and was seen to move `moved`."""
        self.facts.low += moved
        most = commanded if commanded > moved else moved
        self.facts.high += most
        before = self.facts.allowance
        self._use(most)
        self._counts += moved + most + self.facts.allowance - before
        if self._reservoir_check != UNKNOWN:
            self._reservoir_check = self._reservoir_check - most if self._reservoir_check > most else 0

    def add_missed(self, steps):
        """Counts steps that were missed, until a record shows them."""
        self.facts.missed += steps

    def apply(self, sequence, kind, code, a, b, c, d, e):
        self.facts.written = (self._clock.day, self._clock.ms)
        proven = self.facts.watchdog_armed
        self.facts.watchdog_armed = kind == wire.RECORD_WATCHDOG_TEST
        if kind in _TYPE_OF:
            self._apply_command(sequence, kind, code, a, b, c, d, e)
        elif kind == wire.RECORD_LEASE or kind == wire.RECORD_CLOSE:
            self.facts.low, self.facts.high, self.facts.allowance, self.facts.missed, self.facts.reservoir = (
                a,
                b,
                c,
                d,
                e,
            )
            if kind == wire.RECORD_LEASE:
                self.facts.titration_day = code
        elif kind == wire.RECORD_BOOT:
            self._apply_boot(code, proven, a, b, c)
        elif kind == wire.RECORD_ALARM_RAISED:
            self._apply_alarm(code, a, b)
        elif kind == wire.RECORD_ALARM_ENDED:
            self._alarms_left(b)
        elif kind == wire.RECORD_MISSED:
            self.facts.missed = b
        elif kind == wire.RECORD_WORTH:
            self.facts.period_begins = code != 0
        elif kind in _RESULTS:
            self._apply_result(sequence, kind, code, a, b, c, d, e)
        else:
            self._apply_bolus_or_state(kind, code, a, b, c, d, e)

    def _apply_bolus_or_state(self, kind, code, a, b, c, d, e):
        if kind == wire.RECORD_BOLUS_END:
            self._show(a, b)
            self.facts.bolus_left, self.facts.bolus_kind = 0, wire.BOLUS_KIND_NONE
        elif kind == wire.RECORD_SQUARE_END:
            self._show(a, b)
            self.facts.square_left = 0
        elif kind == wire.RECORD_PERIODIC_BOLUS:
            self._show(a, b)
            self.facts.bolus_left, self.facts.allowance = c, d
            self.facts.bolus_kind = wire.BOLUS_KIND_PERIODIC
            self.facts.periodic_from = (self._clock.day, self._clock.ms)
        elif kind == wire.RECORD_STATE:
            self._apply_state(code, a, b, c, d, e)
        elif kind == wire.RECORD_IDENTITY:
            self.facts.bolus_kind, self.facts.boot_count, self.facts.hash_head, self.facts.bolus_left = code, a, b, c
            self.facts.clock_was_set, self.facts.commit_high = d != 0, e
        elif kind == wire.RECORD_WINDOWS:
            self.facts.square_left = e
        elif kind == wire.RECORD_PATIENT_TIMES:
            self._apply_ages(code, (a, b, c, d, e))
        elif kind == wire.RECORD_COUNTER_FLOOR:
            self.facts.floor = max(self.facts.floor, a)
        elif kind == wire.RECORD_DISTRUSTED:
            self.facts.distrusted_at = (self._clock.day, self._clock.ms)
        elif kind == wire.RECORD_FILLED:
            self._fill(a, b, c, d)
        elif kind == wire.RECORD_SERVICE:
            self._apply_service(a, b, c, d)
        elif kind == wire.RECORD_CALENDAR:
            self._faults_told = d
            self.facts.commit_unsure = e
        elif kind == wire.RECORD_CALIBRATION:
            self._apply_calibration(code, a, b, e)

    def _fill(self, content, low, high, day):
        self.facts.filled_steps, self.facts.filled_low, self.facts.filled_high, self.facts.filled_day = (
            content,
            low,
            high,
            day,
        )

    def _apply_calibration(self, carried_on, num, den, content):
        self.facts.step_nl_num, self.facts.step_nl_den, self.facts.reservoir = num, den, content
        if not carried_on and self.facts.filled_steps != UNKNOWN:
            # What is withdrawn at the next refill is held against the steps of one volume only.
            self._fill(content, self.facts.low, self.facts.high, self.facts.filled_day)

    def _apply_service(self, day, ms, local_days, implant_days):
        self.facts.replacement_since = None if day == UNKNOWN else (day, ms)
        self.facts.replacement_local = local_days
        self.facts.implant_days = implant_days

    def _show(self, low, high):
        """A record shows what was delivered: in a replay, what came since the record before it used up its lease."""
        self._use(high - self.facts.high)
        self.facts.low, self.facts.high = low, high

    def _use(self, steps):
        self.facts.allowance = self.facts.allowance - steps if self.facts.allowance > steps else 0
        if self.facts.reservoir != UNKNOWN:
            self.facts.reservoir = self.facts.reservoir - steps if self.facts.reservoir > steps else 0

    def _apply_alarm(self, priority, raised, alarms):
        if raised & wire.ALARMS_ESCALATE and priority == wire.PRIORITY_HIGH:
            self.facts.escalated |= raised
        if raised & (wire.ALARMS_SAFE | wire.ALARMS_HALT) & ~self.facts.alarms:
            _push(self.facts.stops, (raised, self._clock.day, self._clock.ms))
        self.facts.alarms = alarms

    def _alarms_left(self, alarms):
        self.facts.alarms = alarms
        self.facts.escalated &= alarms

    def _apply_boot(self, cause, proven, boot_count, low, high):
        # The open lease counts as delivered, and is never repeated.
        self._show(low, high)
        self.facts.boot_count = boot_count
        self.facts.boot_cause = cause
        self.facts.allowance = 0
        self.facts.period_begins = False
        if not proven:
            # The bite of the watchdog's proof is no reset that anything is wrong with.
            _push(self.facts.boots, (self._clock.day, self._clock.ms))

    def _apply_state(self, code, low, high, generation, alarms, reservoir):
        self.facts.running = code >= 16
        self.facts.stop_reason = code & 15
        if not self.facts.running:
            self._stopped()
        self.facts.low, self.facts.high, self.facts.generation, self.facts.alarms, self.facts.reservoir = (
            low,
            high,
            generation,
            alarms,
            reservoir,
        )

    def _apply_ages(self, first, ages):
        # Ages in ms before this record, oldest first; `first` is the place of the first in the list. Places beyond the
        # end of the list are UNKNOWN.
        del self.facts.patient_times[first:]
        for age in ages:
            if age != UNKNOWN:
                self.facts.patient_times.append(_earlier(self._clock.day, self._clock.ms, age))

    def _apply_command(self, sequence, kind, role, a, b, c, d, e):
        low, high = d, e
        accepted = c
        if kind == wire.RECORD_COMMIT:
            self.facts.generation, self.facts.hash_head, self.facts.commit_high = c, d, e
            self.facts.commit_unsure = self.facts.high - self.facts.low
            self.facts.titration_day = 0
            if not self.facts.running:
                self._stopped()
            if self.facts.period_begins:
                self.facts.periodic_from = (self._clock.day, self._clock.ms)
        elif kind == wire.RECORD_CLOCK:
            self.facts.clock_was_set = True
        elif kind == wire.RECORD_ALARM_CLEARED:
            self._alarms_left(self.facts.alarms & ~c)
        elif kind == wire.RECORD_REFILL:
            self.facts.reservoir = c
            self._fill(c, d, e, self._clock.day)
        elif kind == wire.RECORD_IMPLANT:
            self.facts.implant_days = c
        elif kind == wire.RECORD_PRIME_ARM or kind == wire.RECORD_SILENCE:
            pass
        elif not self._apply_lease(kind, c, e):
            self._apply_delivery(kind, d, e)
        if kind in (wire.RECORD_COMMIT, wire.RECORD_CLOCK, wire.RECORD_PRIME_ARM) or kind in _LEASING:
            low, high = self.facts.low, self.facts.high
        if role != wire.ROLE_NONE:
            # A stop without a session may name any host: nothing of it counts for that one.
            self._note(_host_bytes(a), b, _TYPE_OF[kind], wire.REASON_DONE, accepted, low, high, sequence)

    def _apply_lease(self, kind, c, e):
        """A bolus that holds its lease in the same record: c steps, and e of allowance."""
        if kind not in _LEASING:
            return False
        self.facts.allowance = e
        if kind == wire.RECORD_SQUARE:
            self.facts.square_left = c
            return True
        self.facts.bolus_left = c
        self.facts.bolus_kind = _LEASING[kind]
        if kind == wire.RECORD_PATIENT_BOLUS:
            self.facts.patient_times.append((self._clock.day, self._clock.ms))
            if len(self.facts.patient_times) > wire.PATIENT_BOLUSES_MAX:
                self.facts.patient_times.pop(0)
        return True

    def _apply_delivery(self, kind, low, high):
        self._show(low, high)
        if kind == wire.RECORD_START:
            self.facts.running = True
            self.facts.stopped_since = None
            self.facts.stop_reason = wire.STOP_REASON_NONE
            self.facts.periodic_from = (self._clock.day, self._clock.ms)
        elif kind == wire.RECORD_STOP:
            self.facts.running = False
            self._stopped()
            self.facts.stop_reason = wire.STOP_REASON_COMMAND
            self.facts.allowance = 0
            self._end_boluses()
        elif kind == wire.RECORD_SQUARE_CANCEL:
            self.facts.square_left = 0
        else:
            self.facts.bolus_left = 0
            self.facts.bolus_kind = wire.BOLUS_KIND_NONE

    def _stopped(self):
        if self.facts.stopped_since is None:
            self.facts.stopped_since = (self._clock.day, self._clock.ms)

    def _end_boluses(self):
        self.facts.bolus_left = 0
        self.facts.bolus_kind = wire.BOLUS_KIND_NONE
        self.facts.square_left = 0

    def _apply_result(self, sequence, kind, code, a, b, c, d, e):
        if kind == wire.RECORD_HOST_DONE:
            message, reason, accepted = code, wire.REASON_DONE, c
        else:
            message, reason, accepted = c, code, 0
        self._note(_host_bytes(a), b, message, reason, accepted, d, e, sequence)

    def halt(self, reason):
        """Delivery ended without a command: make that durable with what was delivered."""
        self.facts.running = False
        self.facts.stop_reason = reason
        self._end_boluses()
        self.close(reason)
        self.write_state()

    def close(self, reason):
        """Show what was delivered, with no lease open."""
        self.write(
            wire.RECORD_CLOSE, reason, self.facts.low, self.facts.high, 0, self.facts.missed, self.facts.reservoir
        )

    # Command results, one per host

    def outcome(self, host):
        for outcome in self.facts.hosts:
            if outcome.host == host:
                return outcome
        return None

    def watermark(self, host):
        """The newest counter of a host: what is not above it is never carried out (again)."""
        known = self.outcome(host)
        return self.facts.floor if known is None else known.counter

    def _note(self, host, counter, message, reason, accepted, low, high, sequence):
        known = self.outcome(host)
        content = 0
        if known is not None:
            self.facts.hosts.remove(known)
            if known.counter == counter:
                # A new sector carries it on.
                content = known.content
        elif len(self.facts.hosts) == HOSTS_MAX:
            self.facts.floor = max(self.facts.floor, self.facts.hosts.pop(0).counter)
        self.facts.hosts.append(Outcome(host, counter, message, reason, accepted, low, high, sequence, content))

    # What a new sector begins with

    def write_state(self):
        code = self.facts.stop_reason | (16 if self.facts.running else 0)
        self.write(
            wire.RECORD_STATE,
            code,
            self.facts.low,
            self.facts.high,
            self.facts.generation,
            self.facts.alarms,
            self.facts.reservoir,
        )

    def write_filled(self, content):
        """The reservoir was filled without a command of its own."""
        self.write(wire.RECORD_FILLED, 0, content, self.facts.low, self.facts.high, self._clock.day, 0)

    def _checkpoint_supplies(self):
        if self.facts.filled_steps != UNKNOWN:
            self.write(
                wire.RECORD_FILLED,
                0,
                self.facts.filled_steps,
                self.facts.filled_low,
                self.facts.filled_high,
                self.facts.filled_day,
                0,
            )
        since = self.facts.replacement_since
        if since is not None or self.facts.implant_days != UNKNOWN:
            day, ms = (UNKNOWN, 0) if since is None else since
            self.write(wire.RECORD_SERVICE, 0, day, ms, self.facts.replacement_local, self.facts.implant_days, 0)

    def _checkpoint_calibration(self):
        num, den = self.facts.step_nl_num, self.facts.step_nl_den
        if num:
            self.write(wire.RECORD_CALIBRATION, 1, num, den, num, den, self.facts.reservoir)

    def _checkpoint(self):
        # Taken while a record is being appended: these must not change what that record is about to say.
        allowance, left, square = self.facts.allowance, self.facts.bolus_left, self.facts.square_left
        self.write_state()
        self.write(
            wire.RECORD_LEASE,
            self.facts.titration_day,
            self.facts.low,
            self.facts.high,
            allowance,
            self.facts.missed,
            self.facts.reservoir,
        )
        self.write(
            wire.RECORD_IDENTITY,
            self.facts.bolus_kind,
            self.facts.boot_count,
            self.facts.hash_head,
            left,
            1 if self.facts.clock_was_set else 0,
            self.facts.commit_high,
        )
        drug = self.window_drug() if self.window_drug is not None else []
        drug += [0] * (_WINDOWS - len(drug))
        self.write(wire.RECORD_WINDOWS, 0, drug[0], drug[1], drug[2], drug[3], square)
        self._checkpoint_ages()
        if self.facts.floor:
            self.write(wire.RECORD_COUNTER_FLOOR, 0, self.facts.floor, 0, 0, 0, 0)
        self._checkpoint_supplies()
        self._checkpoint_calibration()
        self._checkpoint_calendar()
        for known in list(self.facts.hosts):
            self._checkpoint_host(known, int.from_bytes(known.host, "little"))

    def _checkpoint_host(self, known, host):
        if known.reason == wire.REASON_DONE:
            self.write(wire.RECORD_HOST_DONE, known.type, host, known.counter, known.accepted, known.low, known.high)
        else:
            self.write(wire.RECORD_HOST_REFUSED, known.reason, host, known.counter, known.type, known.low, known.high)

    def _checkpoint_calendar(self):
        clock = self._clock
        lag = self.pattern_lag() if self.pattern_lag is not None else 0
        if clock.known:
            days, ms = clock.local_days(), clock.local_ms()
            self.write(wire.RECORD_CALENDAR, 1, days, ms, lag, self.faults.next, self.facts.commit_unsure)
        else:
            self.write(wire.RECORD_CALENDAR, 0, 0, 0, 0, self.faults.next, self.facts.commit_unsure)

    def _checkpoint_ages(self):
        ages = [self.facts.since(moment) for moment in self.facts.patient_times]
        for first in range(0, len(ages), _AGES):
            part = ages[first : first + _AGES]
            part += [UNKNOWN] * (_AGES - len(part))
            self.write(wire.RECORD_PATIENT_TIMES, first, part[0], part[1], part[2], part[3], part[4])


_FAULTS = (wire.RECORD_ALARM_RAISED, wire.RECORD_ALARM_ENDED, wire.RECORD_ALARM_CLEARED)
_RESULTS = (wire.RECORD_REFUSED, wire.RECORD_HOST_DONE, wire.RECORD_HOST_REFUSED)

_LEASING = {
    wire.RECORD_BOLUS: wire.BOLUS_KIND_CLINICIAN,
    wire.RECORD_PATIENT_BOLUS: wire.BOLUS_KIND_PATIENT,
    wire.RECORD_PRIME: wire.BOLUS_KIND_PRIMING,
    wire.RECORD_PATENCY: wire.BOLUS_KIND_PATENCY,
    wire.RECORD_SQUARE: wire.BOLUS_KIND_NONE,
}


def _push(moments, moment):
    moments.append(moment)
    if len(moments) > _MOMENTS:
        moments.pop(0)


def _host_bytes(number):
    return number.to_bytes(4, "little")
