# The alarms that are on, the priority of the worst of them, and its tone.
#
# What is on is durable (facts.latched). Silence is not: after a reset the pump is loud again.
#
# At most 16 alarms are latched. When one more comes, the least urgent that does not stop the pump gives way. An alarm
# that gave way, or found no place, is recorded once: its cause may last, and flash must not wear for it.

from const import const

from pump import wire
from pump.part import NEVER, Part

_TONE_NON_CRITICAL = const(1)
_TONE_CRITICAL = const(2)
_STOPPING = wire.TRAIT_SAFE | wire.TRAIT_HALT
# What holds delivery back in any way: were such an alarm displaced, delivery would go on as if its cause were gone.
_HOLDING = _STOPPING | wire.TRAIT_BLOCK | wire.TRAIT_FALLBACK


class Alarms(Part):
    """Records alarms that begin and end, and sounds the tone. alarm_effects.py stops delivery where that is due."""

    def __init__(self, board, ledger, profile):
        self._board = board
        self._ledger = ledger
        self._profile = profile
        self._facts = ledger.facts
        # Alarms that are on and have no place among those that are latched.
        self._displaced = b""
        self._tone_ms = 0
        self.silenced_ms = 0
        self.tones = 0

    def is_on(self, alarm):
        return alarm in self._facts.latched

    def record_raised(self, alarm, detail):
        """Turns an alarm on; returns True if it was off."""
        # What runs in each round is short: a larger frame would be on the heap.
        return False if alarm in self._facts.latched else self._record_new(alarm, detail)

    def _record_new(self, alarm, detail):
        traits = wire.alarm_traits(alarm)
        full = len(self._facts.latched) >= wire.LATCHED_MAX
        if not full:
            self._displaced = b""
        elif alarm in self._displaced:
            return False
        gone = self._find_least(alarm, traits) if full else alarm
        if gone != alarm:
            self._displace(gone, alarm)
        self._write(traits >> wire.TRAIT_PRIORITY_SHIFT & wire.PRIORITY_HIGH, alarm, detail)
        if full and gone == alarm:
            self._displace(alarm, alarm)
        return True

    def _find_least(self, alarm, traits):
        """The alarm that has no place when `alarm` comes on top of a full list: the oldest of the least urgent that do
        not hold delivery back, or `alarm` itself."""
        least = self._find_least_without(_HOLDING, alarm, traits)
        if least == alarm and traits & _STOPPING:
            # All hold delivery back. One that stops the pump comes before those that only lower its rate or its start.
            least = self._find_least_without(_STOPPING, alarm, traits)
        return least

    def _find_least_without(self, effects, alarm, traits):
        facts = self._facts
        least, most = alarm, wire.PRIORITY_HIGH if traits & effects else facts.priority_of(alarm)
        for other in facts.latched:
            priority = facts.priority_of(other)
            # Of the same urgency the older one gives way.
            if (priority < most or (priority == most and least == alarm)) and not wire.alarm_traits(other) & effects:
                least, most = other, priority
        return least

    def _displace(self, alarm, by):
        self._ledger.write(wire.RECORD_ALARM_DISPLACED, alarm, by, 0, 0, 0, 0)
        self._displaced += bytes((alarm,))

    def escalate_alarm(self, alarm, detail):
        """Makes an alarm urgent that has been on for long."""
        if self.is_on(alarm) and alarm not in self._facts.escalated:
            self._write(wire.PRIORITY_HIGH, alarm, detail)

    def _write(self, priority, alarm, detail):
        self._ledger.write(wire.RECORD_ALARM_RAISED, alarm, priority, detail, 0, 0, 0)
        # What is new is heard, whatever was silenced before.
        self.silenced_ms = 0
        self._tone_ms = 0

    def is_repeated(self, alarm):
        """True if this alarm stopped delivery too often within the window of the profile (R44)."""
        stops = wire.alarm_traits(alarm) & _STOPPING
        return stops and self._facts.count_stops(alarm, self._profile.repeat_ms) >= self._profile.repeat_times

    def record_ended(self, alarm):
        """Turns an alarm off; returns True if it was on."""
        if alarm in self._displaced:
            self._forget(alarm)
        if alarm not in self._facts.latched:
            return False
        self._ledger.write(wire.RECORD_ALARM_ENDED, alarm, 0, 0, 0, 0, 0)
        return True

    def _forget(self, alarm):
        self._displaced = bytes([other for other in self._displaced if other != alarm])

    def longest_silence_ms(self):
        high = self._facts.priority == wire.PRIORITY_HIGH
        return self._profile.silence_high_ms if high else self._profile.silence_ms

    def silence_tone(self, ms):
        self.silenced_ms = ms
        self._tone_ms = 0

    # Tones

    def pass_time(self, ms):
        self.silenced_ms = self.silenced_ms - ms if self.silenced_ms > ms else 0
        self._tone_ms = self._tone_ms - ms if self._tone_ms > ms else 0

    def sound_tone(self):
        """Sounds the tone of the worst alarm when it is due."""
        priority = self._facts.priority
        if priority == wire.PRIORITY_NONE or self.silenced_ms or self._tone_ms:
            return
        high = priority == wire.PRIORITY_HIGH
        self._board.tone(_TONE_CRITICAL if high else _TONE_NON_CRITICAL)
        self.tones += 1
        self._tone_ms = self._profile.tone_high_ms if high else self._profile.tone_ms

    def next_ms(self):
        """Milliseconds until sound_tone() has something to do."""
        if not self._facts.latched:
            return NEVER
        return self.silenced_ms if self.silenced_ms > self._tone_ms else self._tone_ms
