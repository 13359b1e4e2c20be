# A programmed pump that does not deliver raises an alarm after a while (R43). Its time stays durable meanwhile.

from pump import wire
from pump.part import NEVER, Part


class Standstill(Part):
    """Writes records while nothing else does: pump time is as durable as the last record, so that a reset does not
    shorten the time that the pump was stopped."""

    def __init__(self, profile, ledger, alarms, effects, delivery):
        self._profile = profile
        self._ledger = ledger
        self._facts = ledger.facts
        self._alarms = alarms
        self._effects = effects
        self._delivery = delivery
        # Whether the pump has run for as long as tells one reset from repeated ones (R58), and said so in a record.
        self.time_recorded = False

    def stopped_ms(self):
        """Milliseconds that a programmed pump has been stopped; 0 while it delivers."""
        since = self._facts.stopped_since
        return 0 if self._delivery.therapy is None or since is None else self._facts.ms_since(since)

    def watch(self):
        """Raises the alarm, makes it urgent, and records the time, each when it is due."""
        alarms, profile = self._alarms, self._profile
        stopped = self.stopped_ms()
        if stopped >= profile.stopped_ms and not alarms.is_on(wire.ALARM_PUMP_STOPPED):
            self._effects.raise_alarm(wire.ALARM_PUMP_STOPPED, stopped)
        if stopped >= profile.stopped_high_ms:
            alarms.escalate_alarm(wire.ALARM_PUMP_STOPPED, stopped)
        if self._record_next_ms() == 0:
            self._record_time()

    def next_ms(self):
        """Milliseconds until watch() has something to do."""
        return min(self._alarm_next_ms(), self._record_next_ms())

    def _alarm_next_ms(self):
        if self._delivery.therapy is None or self._facts.stopped_since is None:
            return NEVER
        stopped, profile = self.stopped_ms(), self._profile
        if stopped < profile.stopped_ms:
            return profile.stopped_ms - stopped
        return profile.stopped_high_ms - stopped if stopped < profile.stopped_high_ms else NEVER

    def _record_next_ms(self):
        # Leases keep the time while the pump delivers; without them a record is written as often.
        if self._delivery.therapy is None or (self.time_recorded and self._facts.running):
            return NEVER
        due = self._profile.lease_ms if self.time_recorded else self._profile.resets_ms
        since = self._facts.ms_since(self._facts.written)
        return due - since if since < due else 0

    def _record_time(self):
        self.time_recorded = True
        if self._facts.running or self._facts.bolus_left:
            self._effects.renew_lease()
        else:
            self._ledger.close_lease(self._facts.stop_reason)
