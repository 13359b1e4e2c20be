# The durable facts of the pump. A fact changes in one way only: a record goes into the journal, then apply() takes it.
# A reset replays the same records through the same apply(), so what runs is what would be found after a power cut.

from pump import wire
from pump.clock import DAY_MS
from pump.wire import const

UNKNOWN = const(0xFFFFFFFF)
HOSTS_MAX = const(8)
_GAP_MS_MAX = const(0x1FFFFFFF)

# Message type of each command record, to tell a repeat from another command with a used counter.
_TYPE_OF = {
    wire.RECORD_START: wire.START,
    wire.RECORD_STOP: wire.STOP,
    wire.RECORD_BOLUS: wire.BOLUS,
    wire.RECORD_BOLUS_CANCEL: wire.BOLUS_CANCEL,
    wire.RECORD_REFILL: wire.REFILL,
    wire.RECORD_COMMIT: wire.THERAPY_COMMIT,
    wire.RECORD_CLOCK: wire.CLOCK_SET,
    wire.RECORD_ALARM_CLEARED: wire.ALARM_CLEAR,
}


class Outcome:
    """Result of the newest command of one host; `type` is 0 where a checkpoint no longer knows it."""

    def __init__(self, host, counter, message, reason, accepted, low, high, record):
        self.host = host
        self.counter = counter
        self.type = message
        self.reason = reason
        self.accepted = accepted
        self.low = low
        self.high = high
        self.record = record


class Ledger:
    """`low` and `high` bound the steps delivered in this pump's life; `allowance` is what an open lease may add."""

    def __init__(self, journal, clock, guard):
        self.journal = journal
        self._clock = clock
        self._guard = guard
        self.low = 0
        self.high = 0
        self.allowance = 0
        self.missed = 0
        self.reservoir = UNKNOWN
        self.running = False
        self.stop_reason = wire.STOP_REASON_NEVER_STARTED
        self.bolus_left = 0
        self.alarms = 0
        self.generation = 0
        self.hash_head = 0
        self.boot_count = 0
        self.clock_was_set = False
        self.hosts = []
        self._recalling = False
        journal.on_new_sector = self._checkpoint

    # After a reset

    def replay(self):
        """Rebuild everything from the journal; what the open lease allowed counts as delivered."""
        self.journal.scan(self._replay_one)
        self._guard.recall(0, self.allowance)

    def _replay_one(self, fields):
        sequence, day, ms, kind, code, a, b, c, d, e = fields
        passed = _between(self._clock.day, self._clock.ms, day, ms)
        self._clock.resume(day, ms)
        before = self.high
        self.apply(sequence, kind, code, a, b, c, d, e)
        # What was delivered before the oldest record is older than any window.
        self._guard.recall(passed, self.high - before if self._recalling else 0)
        self._recalling = True

    # Changing facts

    def write(self, kind, code, a, b, c, d, e):
        """Make one record durable, then take it. Returns its sequence number."""
        sequence = self.journal.append(kind, code, a, b, c, d, e)
        self.apply(sequence, kind, code, a, b, c, d, e)
        return sequence

    def command(self, kind, host, counter, c, d, e):
        return self.write(kind, 0, int.from_bytes(host, "little"), counter, c, d, e)

    def moved(self, commanded, moved):
        """The motor was told to move `commanded` steps and was seen to move `moved`."""
        self.low += moved
        most = commanded if commanded > moved else moved
        self.high += most
        if self.reservoir != UNKNOWN:
            self.reservoir = self.reservoir - most if self.reservoir > most else 0
        self.allowance = self.allowance - most if self.allowance > most else 0

    def apply(self, sequence, kind, code, a, b, c, d, e):
        if kind in _TYPE_OF:
            self._apply_command(sequence, kind, a, b, c, d, e)
        elif kind == wire.RECORD_LEASE or kind == wire.RECORD_CLOSE:
            self.low, self.high, self.allowance, self.missed, self.reservoir = a, b, c, d, e
        elif kind == wire.RECORD_BOOT:
            self._apply_boot(a, b, c)
        elif kind == wire.RECORD_BOLUS_END:
            self.low, self.high, self.bolus_left = a, b, 0
        elif kind == wire.RECORD_ALARM_RAISED or kind == wire.RECORD_ALARM_ENDED:
            self.alarms = b
        elif kind == wire.RECORD_MISSED:
            self.missed = b
        elif kind == wire.RECORD_STATE:
            self._apply_state(code, a, b, c, d, e)
        elif kind == wire.RECORD_IDENTITY:
            self.boot_count, self.hash_head, self.bolus_left = a, b, c
            self.clock_was_set = d != 0
        elif kind == wire.RECORD_HOST or kind == wire.RECORD_REFUSED:
            self._apply_result(sequence, kind, code, a, b, c, d, e)

    def _apply_boot(self, boot_count, low, high):
        # The open lease counts as delivered, and is never repeated.
        if self.reservoir != UNKNOWN:
            lost = high - self.high
            self.reservoir = self.reservoir - lost if self.reservoir > lost else 0
        self.boot_count, self.low, self.high = boot_count, low, high
        self.allowance = 0

    def _apply_state(self, code, low, high, generation, alarms, reservoir):
        self.running = code >= 16
        self.stop_reason = code & 15
        self.low, self.high, self.generation, self.alarms, self.reservoir = low, high, generation, alarms, reservoir

    def _apply_command(self, sequence, kind, a, b, c, d, e):
        accepted = 0
        if kind == wire.RECORD_COMMIT:
            self.generation, self.hash_head, accepted = c, d, c
            d, e = self.low, self.high
        elif kind == wire.RECORD_CLOCK:
            self.clock_was_set = True
            d, e = self.low, self.high
        elif kind == wire.RECORD_BOLUS:
            self.low, self.bolus_left, self.allowance, accepted = d, c, e, c
            e = self.high
        elif kind == wire.RECORD_ALARM_CLEARED:
            self.alarms &= ~c
            accepted = c
        elif kind == wire.RECORD_REFILL:
            self.reservoir, accepted = c, c
        else:
            self._apply_delivery(kind, d, e)
            accepted = c
        self._note(Outcome(_host_bytes(a), b, _TYPE_OF[kind], wire.REASON_DONE, accepted, d, e, sequence))

    def _apply_delivery(self, kind, low, high):
        self.low, self.high = low, high
        if kind == wire.RECORD_START:
            self.running = True
            self.stop_reason = wire.STOP_REASON_NONE
        elif kind == wire.RECORD_STOP:
            self.running = False
            self.stop_reason = wire.STOP_REASON_COMMAND
            self.allowance = 0
            self.bolus_left = 0
        else:
            self.bolus_left = 0

    def _apply_result(self, sequence, kind, code, a, b, c, d, e):
        refused = kind == wire.RECORD_REFUSED
        message = c if refused else 0
        self._note(Outcome(_host_bytes(a), b, message, code, 0 if refused else c, d, e, sequence))

    def halt(self, reason):
        """Delivery ended without a command: make that durable with what was delivered."""
        self.running = False
        self.stop_reason = reason
        self.bolus_left = 0
        self.write(wire.RECORD_CLOSE, reason, self.low, self.high, 0, self.missed, self.reservoir)
        self.write_state()

    # Command results, one per host

    def outcome(self, host):
        for outcome in self.hosts:
            if outcome.host == host:
                return outcome
        return None

    def _note(self, outcome):
        known = self.outcome(outcome.host)
        if known is not None:
            self.hosts.remove(known)
        elif len(self.hosts) == HOSTS_MAX:
            self.hosts.pop(0)
        self.hosts.append(outcome)

    # What a new sector begins with

    def write_state(self):
        code = self.stop_reason | (16 if self.running else 0)
        self.write(wire.RECORD_STATE, code, self.low, self.high, self.generation, self.alarms, self.reservoir)

    def _checkpoint(self):
        # Taken while a record is being appended: these must not change what that record is about to say.
        allowance, left = self.allowance, self.bolus_left
        self.write_state()
        self.write(wire.RECORD_LEASE, 0, self.low, self.high, allowance, self.missed, self.reservoir)
        self.write(
            wire.RECORD_IDENTITY, 0, self.boot_count, self.hash_head, left, 1 if self.clock_was_set else 0, 0
        )
        for known in list(self.hosts):
            host = int.from_bytes(known.host, "little")
            self.write(
                wire.RECORD_HOST, known.reason, host, known.counter, known.accepted, known.low, known.high
            )


def _host_bytes(number):
    return number.to_bytes(4, "little")


def _between(day, ms, later_day, later_ms):
    days = later_day - day
    if days > 5:
        return _GAP_MS_MAX
    return days * DAY_MS + later_ms - ms
