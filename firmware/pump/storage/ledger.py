# The way to change durable facts: a record goes into the journal, and the reducer applies it to the facts.

from const import const

from pump import wire
from pump.refusal import Refusal
from pump.storage.checkpoint import Checkpoint, pack_alarms, state_code
from pump.storage.facts import Facts
from pump.storage.outcomes import Outcomes
from pump.storage.records import CLEARED_MAX, NOT_WRITTEN, UNKNOWN
from pump.storage.reducer import Reducer

_FAULTS = (
    wire.RECORD_ALARM_RAISED,
    wire.RECORD_ALARM_ENDED,
    wire.RECORD_ALARM_CLEARED,
    wire.RECORD_ALARM_DISPLACED,
    wire.RECORD_CLEAR_LIST,
)
# Alarms of a clear list: the last word of a record is none that a copy in the fault ring has.
_LISTED_MAX = const(12)


class Ledger:
    """Writes records and replays them. `facts` and `outcomes` are what they amount to.

    `fold` makes one number of what an object declares as checked (see integrity/checksums.py). The checkpoint at the
    head of a sector asks `guard` and `plan`.
    """

    def __init__(self, journal, faults, clock, guard, plan, fold):
        self.journal = journal
        # Faults are written twice: into the journal, and into a ring that routine records never overwrite. The journal
        # is the truth.
        self.faults = faults
        self.facts = Facts(clock)
        self.outcomes = Outcomes()
        self.corrupted = False
        self._clock = clock
        self._reducer = Reducer(self.facts, self.outcomes, clock)
        self._checkpoint = Checkpoint(self.facts, self.outcomes, faults, clock, guard, plan)
        self._fold = fold
        # The newest record that was copied into the fault ring.
        self._copied = -1
        self._checksum, self._counts, self._reservoir_check = 0, 0, UNKNOWN

    # Whether RAM is intact (see integrity/ram_check.py)

    def is_intact(self):
        """Returns whether all facts are those that records and steps made."""
        return self._is_writable() and self.facts.reservoir == self._reservoir_check

    def _is_writable(self):
        # A record carries the content of the reservoir, and that of a refill sets it: writing does not depend on it.
        return self._clock.time_intact() and self._fold_facts() == self._checksum and self._sum_counts() == self._counts

    def _fold_facts(self):
        return self._fold(self.facts) ^ self._fold(self.outcomes) ^ self._copied

    def _sum_counts(self):
        return self.facts.low + self.facts.high + self.facts.allowance

    def _renew_checksum(self):
        self._checksum = self._fold_facts()
        self._counts = self._sum_counts()
        self._reservoir_check = self.facts.reservoir

    # After a reset

    def replay(self):
        """Rebuilds all facts from the journal."""
        self.faults.scan(self._find_copied)
        if not self.faults.foreign:
            self.journal.scan(self._replay_record)
        if self.is_foreign():
            self.journal.close()
            self.faults.close()
        self._renew_checksum()

    def _find_copied(self, record):
        self._copied = record[wire.AT_COPIED]

    def _replay_record(self, record):
        self._clock.resume_at(record[wire.AT_DAY], record[wire.AT_MS])
        self._apply_record(record)

    def is_foreign(self):
        """After a replay: whether this flash holds the journal of another version, which this one must not touch."""
        return self.journal.foreign or self.faults.foreign

    def has_lost_records(self):
        """Returns whether records are known, after a replay, to have been in this flash that are not in it now."""
        return self._copied >= self.journal.next or self.faults.next < self.facts.faults_told

    def has_failed(self):
        """Returns whether the flash rejected a record."""
        return self.journal.failed or self.faults.failed

    # Records

    def write(self, kind, code, a, b, c, d, e):
        """Makes one record durable, then applies it. Returns its sequence number, or NOT_WRITTEN.

        A record that the flash rejects is applied all the same: what stops the pump and sounds an alarm must not depend
        on the flash. When RAM is not intact, nothing wrong becomes durable: the facts are `corrupted`, and the record
        is neither written nor applied.
        """
        sequence = self._append(kind, code, a, b, c, d, e)
        if not self.corrupted:
            self._apply_numbers(self.journal.next if sequence < 0 else sequence, kind, code, a, b, c, d, e)
            self._renew_checksum()
        return sequence

    def command(self, kind, role, host, counter, c, d, e):
        """Makes a command and its effect durable, and applies them. Raises Refusal, and applies nothing, when the
        record could not be written."""
        code, number = _command_code(role, host), wire.id_low(host)
        sequence = self._append(kind, code, number, counter, c, d, e)
        if sequence < 0:
            raise Refusal(wire.REASON_FLASH_FAILED)
        self._apply_numbers(sequence, kind, code, number, counter, c, d, e)
        self._renew_checksum()

    def command_clearing(self, role, host, counter, alarms):
        """Make the command that clears `alarms` durable, as command() does; what it has no room for goes before it."""
        for first in range(CLEARED_MAX, len(alarms), _LISTED_MAX):
            words = pack_alarms(alarms[first : first + _LISTED_MAX])
            self.write(wire.RECORD_CLEAR_LIST, 0, words[0], words[1], words[2], words[3], 0)
        words = pack_alarms(alarms[:CLEARED_MAX])
        facts = self.facts
        self.command(wire.RECORD_ALARM_CLEARED, role, host, counter, words[0], facts.low, facts.high)

    def _append(self, kind, code, a, b, c, d, e):
        if not self._is_writable():
            self.corrupted = True
            return NOT_WRITTEN
        journal = self.journal
        if journal.needs_sector() and journal.open_sector():
            self._checkpoint.write_records(self._append_checkpoint)
        return journal.append(kind, code, a, b, c, d, e)

    def _append_checkpoint(self, kind, code, a, b, c, d, e):
        sequence = self.journal.append(kind, code, a, b, c, d, e)
        if sequence >= 0:
            self._apply_numbers(sequence, kind, code, a, b, c, d, e)

    def _apply_numbers(self, sequence, kind, code, a, b, c, d, e):
        self._apply_record((sequence, self._clock.day, self._clock.ms, kind, code, a, b, c, d, e))

    def _apply_record(self, record):
        self._reducer.apply_record(record)
        sequence = record[wire.AT_SEQUENCE]
        if record[wire.AT_KIND] in _FAULTS and sequence > self._copied:
            # The copy names the record that it was made from: what a cut left without one gets it in the next replay,
            # with the time of the record itself.
            if self.faults.needs_sector():
                self.faults.open_sector()
            self.faults.append(*record[wire.AT_KIND : wire.AT_COPIED], sequence)
            self._copied = sequence

    # Between records

    def count_steps(self, commanded, moved):
        """Counts the `commanded` steps of the motor and those that it `moved`. Allocates nothing."""
        facts = self.facts
        before = facts.allowance
        most = self._reducer.count_steps(commanded, moved)
        self._counts += moved + most + facts.allowance - before
        if self._reservoir_check != UNKNOWN:
            self._reservoir_check = self._reservoir_check - most if self._reservoir_check > most else 0

    def count_missed(self, steps):
        """Counts steps that were due and not made; the next lease record shows them."""
        if not self.is_intact():
            self.corrupted = True
            return
        self._reducer.count_missed(steps)
        self._renew_checksum()

    # Records that several parts write

    def record_stop(self, role, host, counter):
        """Records the command that stopped delivery; returns the sequence number. A stop is a stop even if the flash
        rejects the record."""
        facts = self.facts
        code = _command_code(role, host)
        sequence = self.write(wire.RECORD_STOP, code, wire.id_low(host), counter, 0, facts.low, facts.high)
        self.close_lease(wire.STOP_REASON_COMMAND)
        return self.journal.next if sequence < 0 else sequence

    def record_halt(self, reason):
        """Makes an end of delivery without a command durable, together with what was delivered."""
        self.close_lease(reason)
        self._write_state(self.facts.reservoir)

    def close_lease(self, reason):
        """Records what was delivered, with no lease open. A reason other than NONE ends delivery."""
        facts = self.facts
        self.write(wire.RECORD_CLOSE, reason, facts.low, facts.high, 0, facts.missed, facts.reservoir)

    def record_filling(self, content):
        """Records the content of a reservoir that was filled without a command."""
        self._write_state(content)
        facts = self.facts
        self.write(wire.RECORD_FILLED, 0, content, facts.low, facts.high, self._clock.day, 0)

    def _write_state(self, reservoir):
        facts = self.facts
        alarms = len(facts.latched)
        self.write(wire.RECORD_STATE, state_code(facts), facts.low, facts.high, facts.generation, alarms, reservoir)


def _command_code(role, host):
    return role << wire.SHIFT_COMMAND_ROLE | wire.id_high(host) << wire.SHIFT_COMMAND_HOST_HIGH
