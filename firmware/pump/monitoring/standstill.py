# A programmed pump that does not deliver: it says so after a while (R43), and keeps its time durable meanwhile.

from pump import wire
from pump.wire import const

_NEVER = const(0x3FFFFFFF)


class Standstill:
    """Pump time is as durable as the last record, and what was stopped for long must stay so over a reset."""

    def __init__(self, pump):
        self._pump = pump
        self._ledger = pump.ledger
        # Whether the pump has run for as long as tells one reset from repeated ones (R58), and said so in a record.
        self.settled = False

    def ms(self):
        """How long a programmed pump has been stopped; 0 while it delivers."""
        since = self._ledger.facts.stopped_since
        return 0 if self._pump.therapy is None or since is None else self._ledger.facts.since(since)

    def watch(self):
        """Raise the alarm, make it urgent, and write the time down, each when it is due."""
        pump, profile = self._pump, self._pump.profile
        stopped = self.ms()
        if stopped >= profile.stopped_ms and not pump.alarms.on(wire.ALARM_PUMP_STOPPED):
            pump.alarm(wire.ALARM_PUMP_STOPPED, stopped)
        if stopped >= profile.stopped_high_ms:
            pump.alarms.escalate(wire.ALARM_PUMP_STOPPED, stopped)
        if self._mark_next_ms() == 0:
            self._mark_time()

    def next_ms(self):
        """Milliseconds until watch() has something to do."""
        return min(self._alarm_next_ms(), self._mark_next_ms())

    def _alarm_next_ms(self):
        if self._pump.therapy is None or self._ledger.facts.stopped_since is None:
            return _NEVER
        stopped, profile = self.ms(), self._pump.profile
        if stopped < profile.stopped_ms:
            return profile.stopped_ms - stopped
        return profile.stopped_high_ms - stopped if stopped < profile.stopped_high_ms else _NEVER

    def _mark_next_ms(self):
        # Leases keep the time while the pump delivers; without them a record is written as often.
        if self._pump.therapy is None or (self.settled and self._ledger.facts.running):
            return _NEVER
        due = self._pump.profile.lease_ms if self.settled else self._pump.profile.resets_ms
        since = self._ledger.facts.since(self._ledger.facts.written)
        return due - since if since < due else 0

    def _mark_time(self):
        self.settled = True
        if self._ledger.facts.running or self._ledger.facts.bolus_left:
            self._pump.lease()
        else:
            self._ledger.close(self._ledger.facts.stop_reason)
