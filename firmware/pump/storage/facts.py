# The durable facts of the pump: what its journal says about it. Only the reducer assigns them.

from pump import wire
from pump.clock import between
from pump.storage.records import UNKNOWN


class Facts:
    """`low` and `high` bound the steps delivered in this pump's life; `allowance` is what an open lease may add."""

    def __init__(self, clock):
        self._clock = clock
        self.low = 0
        self.high = 0
        self.allowance = 0
        self.missed = 0
        self.reservoir = UNKNOWN
        self.running = False
        self.stop_reason = wire.STOP_REASON_NEVER_STARTED
        self.bolus_kind = wire.BOLUS_KIND_NONE
        self.bolus_left = 0
        self.square_left = 0
        # Boluses without a record of their end: those that run, and those that a halt ended. The next boot writes it.
        self.open_kind = wire.BOLUS_KIND_NONE
        self.open_bolus = 0
        self.open_square = 0
        # Alarms that are latched, by number and in the order of raising, at most wire.LATCHED_MAX; of these, the ones
        # that have been on for so long that they became urgent; what all of them together do (wire.TRAIT_*), and the
        # priority of the worst.
        self.latched = b""
        self.escalated = b""
        self.traits = 0
        self.priority = wire.PRIORITY_NONE
        # Alarms that a clear_list named: they count with the command that follows.
        self.to_clear = b""
        self.generation = 0
        self.hash_head = 0
        # At the commit: high, and how far it was above low.
        self.commit_high, self.commit_unsure = 0, 0
        self.period_begins = False
        self.titration_day = 0
        self.boot_count = 0
        self.clock_was_set = False
        # When the last record was written: pump time is as durable as that.
        self.written = (0, 0)
        # When a programmed pump was stopped: (day, ms), or None while it delivers.
        self.stopped_since = None
        # (alarm, day, ms) of the last alarms that stopped delivery, and (day, ms) of the last boots, oldest first.
        self.stops = []
        self.boots = []
        # What the last refill left: content, lifetime steps and day of pump time then.
        self.filled_steps = UNKNOWN
        self.filled_low = 0
        self.filled_high = 0
        self.filled_day = 0
        # Pump time (day, ms) of the elective replacement indicator, and its local day; local day of the implant.
        self.replacement_since = None
        self.replacement_local = UNKNOWN
        self.implant_days = UNKNOWN
        # Volume of a step since the last calibration, in nL; 0 / 0: as the therapy says.
        self.step_nl_num, self.step_nl_den = 0, 0
        self.watchdog_armed = False
        self.boot_cause = wire.RESET_CAUSE_UNKNOWN
        # Records that the fault ring had when the newest sector of the journal began.
        self.faults_told = 0
        # Pump time of the last record about frames that were not trusted.
        self.distrusted_at = None
        # Pump times (day, ms) of patient boluses, oldest first, and of the start that periodic boluses count from: None
        # where no record tells it any more.
        self.patient_times = []
        self.periodic_from = None

    def checked(self):
        """Attributes that only records change (see integrity/checksums.py). low, high, allowance and reservoir change
        with steps: the ledger has checks of its own for them."""
        return (
            self.missed,
            self.running,
            self.stop_reason,
            self.bolus_kind,
            self.bolus_left,
            self.square_left,
            self.open_kind,
            self.open_bolus,
            self.open_square,
            self.latched,
            self.escalated,
            self.traits,
            self.priority,
            self.to_clear,
            self.generation,
            self.hash_head,
            self.commit_high,
            self.commit_unsure,
            self.period_begins,
            self.titration_day,
            self.boot_count,
            self.clock_was_set,
            self.written,
            self.stopped_since,
            self.stops,
            self.boots,
            self.filled_steps,
            self.filled_low,
            self.filled_high,
            self.filled_day,
            self.replacement_since,
            self.replacement_local,
            self.implant_days,
            self.step_nl_num,
            self.step_nl_den,
            self.watchdog_armed,
            self.boot_cause,
            self.faults_told,
            self.distrusted_at,
            self.patient_times,
            self.periodic_from,
        )

    # Alarms

    def worst_alarm(self, effect):
        """The newest of the most urgent latched alarms that have one of these traits (wire.TRAIT_*), or ALARM_NONE."""
        worst, urgent = wire.ALARM_NONE, wire.PRIORITY_NONE
        for alarm in self.latched:
            priority = self.priority_of(alarm)
            if priority >= urgent and wire.alarm_traits(alarm) & effect:
                worst, urgent = alarm, priority
        return worst

    def priority_of(self, alarm):
        """The priority of a latched alarm: one that escalated is urgent."""
        if alarm in self.escalated:
            return wire.PRIORITY_HIGH
        return (wire.alarm_traits(alarm) & wire.TRAIT_PRIORITY) >> wire.TRAIT_PRIORITY_SHIFT

    # Times

    def ms_since(self, moment):
        """Milliseconds of pump time since (day, ms), at most 2^29 - 1."""
        return between(moment[0], moment[1], self._clock.day, self._clock.ms)

    def count_patient_boluses(self, window_ms):
        """Number of patient boluses that began within `window_ms`."""
        count = 0
        for moment in self.patient_times:
            if self.ms_since(moment) < window_ms:
                count += 1
        return count

    def count_stops(self, alarm, window_ms):
        """Number of times that this alarm stopped delivery within `window_ms`."""
        return len([1 for raised, day, ms in self.stops if raised == alarm and self.ms_since((day, ms)) < window_ms])

    def count_boots(self, window_ms):
        """Number of boots within `window_ms` of pump time."""
        return len([1 for moment in self.boots if self.ms_since(moment) < window_ms])

    def unsure_since_commit(self):
        """Steps since the commit of the therapy that resets left open: they may have been delivered, or not."""
        return self.high - self.low - self.commit_unsure
