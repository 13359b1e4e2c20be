# The alarms that are on, the priority of the worst of them, and its tone.
#
# What is on is durable (ledger.facts.alarms). Silence is not: after a reset the pump is loud again.

from const import const

from pump import wire
from pump.part import NEVER, Part

_TONE_NON_CRITICAL = const(1)
_TONE_CRITICAL = const(2)
_STOPPING = wire.ALARMS_SAFE | wire.ALARMS_HALT


class Alarms(Part):
    """Records alarms that begin and end, and sounds the tone. alarm_effects.py stops delivery where that is due."""

    def __init__(self, board, ledger, profile):
        self._board = board
        self._ledger = ledger
        self._profile = profile
        self._tone_ms = 0
        self.silenced_ms = 0
        self.tones = 0

    def is_on(self, alarms):
        return self._ledger.facts.alarms & alarms != 0

    def priority(self):
        """The highest priority among the alarms that are on."""
        alarms = self._ledger.facts.alarms
        if alarms & wire.ALARMS_HIGH or self._ledger.facts.escalated:
            return wire.PRIORITY_HIGH
        if alarms & wire.ALARMS_MEDIUM:
            return wire.PRIORITY_MEDIUM
        return wire.PRIORITY_LOW if alarms else wire.PRIORITY_NONE

    def record_raised(self, alarm, detail):
        """Turns alarms on; returns True if one of them was off."""
        ledger = self._ledger
        new = alarm & ~ledger.facts.alarms
        if not new:
            return False
        self._write(_priority_of(new), new, detail)
        return True

    def escalate_alarm(self, alarm, detail):
        """Makes an alarm urgent that has been on for long."""
        if self.is_on(alarm) and not self._ledger.facts.escalated & alarm:
            self._write(wire.PRIORITY_HIGH, alarm, detail)

    def _write(self, priority, alarm, detail):
        ledger = self._ledger
        ledger.write(wire.RECORD_ALARM_RAISED, priority, alarm, ledger.facts.alarms | alarm, detail, 0, 0)
        # What is new is heard, whatever was silenced before.
        self.silenced_ms = 0
        self._tone_ms = 0

    def is_repeated(self, alarm):
        """True if one of these stopped delivery too often within the window of the profile (R44)."""
        alarm &= _STOPPING
        facts, profile = self._ledger.facts, self._profile
        return alarm != 0 and facts.count_stops(alarm, profile.repeat_ms) >= profile.repeat_times

    def record_ended(self, alarm):
        """Turns alarms off; returns True if one of them was on."""
        ended = self._ledger.facts.alarms & alarm
        if not ended:
            return False
        self._ledger.write(wire.RECORD_ALARM_ENDED, 0, ended, self._ledger.facts.alarms & ~ended, 0, 0, 0)
        return True

    def longest_silence_ms(self):
        high = self.priority() == wire.PRIORITY_HIGH
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
        priority = self.priority()
        if priority == wire.PRIORITY_NONE or self.silenced_ms or self._tone_ms:
            return
        high = priority == wire.PRIORITY_HIGH
        self._board.tone(_TONE_CRITICAL if high else _TONE_NON_CRITICAL)
        self.tones += 1
        self._tone_ms = self._profile.tone_high_ms if high else self._profile.tone_ms

    def next_ms(self):
        """Milliseconds until sound_tone() has something to do."""
        if not self._ledger.facts.alarms:
            return NEVER
        return self.silenced_ms if self.silenced_ms > self._tone_ms else self._tone_ms


def _priority_of(alarms):
    if alarms & wire.ALARMS_HIGH:
        return wire.PRIORITY_HIGH
    return wire.PRIORITY_MEDIUM if alarms & wire.ALARMS_MEDIUM else wire.PRIORITY_LOW
