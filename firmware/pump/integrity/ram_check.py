# Checks that RAM still holds what the firmware wrote there (R56).
#
# Nothing moves beyond a lease. So all that decides what moves is checked before each lease, before each command, and
# once an hour: most of it exists twice, and both must agree; what a therapy set must be unchanged. What changes with
# every step has a check of its own that runs with it (Track, the guard's limits, the ledger's counts).

from pump.clock import DAY_MS, between
from pump.integrity.checksums import fold
from pump.wire import BOLUS_KIND_PRIMING


class RamCheck:
    def __init__(self, delivery, clock, profile, ledger, store):
        self._delivery = delivery
        self._clock = clock
        self._profile = profile
        self._ledger = ledger
        self._store = store
        self._settings = self._fold_settings()
        self._therapy = 0
        self._day = 0
        self._ms = 0

    def renew_checksum(self):
        """Takes over what is set now, after a boot or a new therapy: it must stay."""
        self._therapy = self._fold_therapy()
        self._restart_time()

    def is_intact(self):
        """Returns whether everything is as it must be. Allocates: for leases and orders, between steps."""
        intact = (
            self._fold_therapy() == self._therapy
            and self._store.is_intact()
            and self._settings_intact()
            and self._ledger.is_intact()
            and self._time_intact()
            and self._plan_intact()
            and self._boluses_intact()
        )
        self._restart_time()
        return intact

    def age_ms(self):
        """Milliseconds since the last is_intact()."""
        return between(self._day, self._ms, self._clock.day, self._clock.ms)

    def _restart_time(self):
        clock = self._clock
        self._day, self._ms = clock.day, clock.ms
        self._delivery.guard.start_span()

    def _fold_therapy(self):
        delivery = self._delivery
        total = fold(delivery.plan) ^ fold(delivery.guard) ^ fold(delivery.schedule)
        return total if delivery.therapy is None else total ^ fold(delivery.therapy)

    def _settings_intact(self):
        profile = self._profile
        bounded = self._delivery.motor.bounds() == profile.motor_bounds()
        return bounded and self._fold_settings() == self._settings

    def _fold_settings(self):
        """Folds what no therapy changes: figures of the profile, and where the flash is divided."""
        ledger = self._ledger
        return fold(self._profile) ^ fold(self._store) ^ fold(ledger.journal) ^ fold(ledger.faults)

    def _time_intact(self):
        """Compares the times that clock and guard count. Counts and places of the windows follow from them."""
        clock = self._clock
        passed = (clock.day - self._day) * DAY_MS + clock.ms - self._ms
        return clock.offset_intact() and self._delivery.guard.counts_intact(passed)

    def _plan_intact(self):
        delivery = self._delivery
        plan, clock = delivery.plan, self._clock
        if plan.bridge_left != delivery.guard.bridge_left() or not delivery.follows_alarms():
            return False
        if clock.known != plan.known:
            return False
        return plan.is_consistent(clock.local_days(), clock.local_ms()) if clock.known else plan.is_consistent(0, 0)

    def _boluses_intact(self):
        delivery = self._delivery
        schedule, facts = delivery.schedule, self._ledger.facts
        if schedule.running != facts.running or not schedule.counts_intact():
            return False
        if schedule.bolus_left and schedule.bolus_left + schedule.bolus_made != facts.bolus_left:
            return False
        if schedule.square_left and schedule.square_left + schedule.square_made != facts.square_left:
            return False
        priming = schedule.bolus_left if schedule.bolus_kind == BOLUS_KIND_PRIMING else 0
        return delivery.guard.prime_left() <= priming
