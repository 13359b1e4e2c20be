# Whether what RAM holds is still what the firmware wrote there (R56).
#
# Nothing moves beyond a lease. So what decides what moves is looked at before each lease, before each order, and once
# an hour: most of it is known twice, and both have to agree; what a therapy set has to be as it was. What changes with
# every step has a check of its own that runs with it (Track, the guard's limits, the ledger's counts).

from pump.clock import DAY_MS, between
from pump.wire import BOLUS_KIND_PRIMING


class Memory:
    def __init__(self, delivery, clock, profile, ledger, store):
        self._delivery = delivery
        self._clock = clock
        self._profile = profile
        self._ledger = ledger
        self._store = store
        self._settings = profile.fold()
        self._therapy = 0
        self._day = 0
        self._ms = 0

    def seal(self):
        """A therapy was taken, or the pump booted: what is set now has to stay."""
        self._therapy = self._fold_therapy()
        self._mark()

    def sound(self):
        """Look at everything. Allocates: for leases and orders, between steps."""
        sound = (
            self._fold_therapy() == self._therapy
            and self._store.sound()
            and self._settings_sound()
            and self._ledger.is_intact()
            and self._time_sound()
            and self._plan_sound()
            and self._boluses_sound()
        )
        self._mark()
        return sound

    def age_ms(self):
        """How long ago everything was looked at."""
        return between(self._day, self._ms, self._clock.day, self._clock.ms)

    def _mark(self):
        clock = self._clock
        self._day, self._ms = clock.day, clock.ms
        self._delivery.guard.mark()

    def _fold_therapy(self):
        delivery = self._delivery
        total = delivery.plan.fold_therapy() ^ delivery.guard.fold_therapy() ^ delivery.schedule.fold_therapy()
        return total if delivery.therapy is None else total ^ delivery.therapy.fold()

    def _settings_sound(self):
        profile = self._profile
        return profile.fold() == self._settings and self._delivery.motor.bounds() == profile.motor_bounds()

    def _time_sound(self):
        """Clock and guard count the same time, each for itself; counts and places of the windows follow from it."""
        clock = self._clock
        passed = (clock.day - self._day) * DAY_MS + clock.ms - self._ms
        return clock.sound() and self._delivery.guard.whole(passed)

    def _plan_sound(self):
        delivery = self._delivery
        plan, clock = delivery.plan, self._clock
        if plan.bridge_left != delivery.guard.bridge_left() or not delivery.follows_alarms():
            return False
        if clock.known != plan.known:
            return False
        return plan.whole(clock.local_days(), clock.local_ms()) if clock.known else plan.whole(0, 0)

    def _boluses_sound(self):
        delivery = self._delivery
        schedule, facts = delivery.schedule, self._ledger.facts
        if schedule.running != facts.running or not schedule.whole():
            return False
        if schedule.bolus_left and schedule.bolus_left + schedule.bolus_made != facts.bolus_left:
            return False
        if schedule.square_left and schedule.square_left + schedule.square_made != facts.square_left:
            return False
        priming = schedule.bolus_left if schedule.bolus_kind == BOLUS_KIND_PRIMING else 0
        return delivery.guard.prime_left() <= priming

