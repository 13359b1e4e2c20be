# What the reservoir holds, two ways: by the steps (the ledger's), and by its level sensor. Beside each other they show
# what neither shows alone: a leak, a worn pump head, a refill that was not what was said.

from array import array

from const import const

from pump import wire
from pump.small_int import mul_div
from pump.storage.records import UNKNOWN

_SAMPLES = const(10)
# Rounds after a refill, or after a level that jumped, before the two are compared: somebody is at work on it.
_SETTLE_ROUNDS = const(10)
# A delivery is as the steps say within 14.5 % (R23).
_LEAST_PERMILLE = const(855)
_MOST_PERMILLE = const(1145)


class Reservoir:
    """`measured` is the mean of ten samples of the level sensor in steps, -1 where there is none to be believed."""

    def __init__(self, sensor, profile, ledger, effects):
        self._sensor = sensor
        self._profile = profile
        self._ledger = ledger
        self._facts = ledger.facts
        self._effects = effects
        self._ring = array("i", [0] * _SAMPLES)
        self._at = 0
        self._sum = 0
        self._settle = 0
        self.measured = -1

    # The measured volume

    def settle(self):
        """Somebody is at work on the reservoir: look at the level anew, and compare it later."""
        self._settle = _SETTLE_ROUNDS
        self.look()

    def look(self):
        """Takes ten samples at once, where there is a sensor."""
        if self._sensor is None:
            return
        total = 0
        sound = True
        for at in range(_SAMPLES):
            sample = self._sensor.sample()
            sound = sound and sample >= 0
            self._ring[at] = sample
            total += sample
        self._sum = total
        self.measured = total // _SAMPLES if sound else -1

    def watch(self):
        """One more sample of the level."""
        if self._sensor is None:
            return
        sample = self._sensor.sample()
        if sample < 0 or self.measured < 0:
            self.look()
            return
        far = sample - self.measured
        most = self._profile.disagree_steps
        self._sum += sample - self._ring[self._at]
        self._ring[self._at] = sample
        self._at = (self._at + 1) % _SAMPLES
        self.measured = self._sum // _SAMPLES
        if far > most or far < -most:
            # It jumped: a refill of which nothing was said yet, or a free flow. The time that this gives does not begin
            # again with the next jump.
            self.look()
            self._settle = self._settle or _SETTLE_ROUNDS + 1
        if self._settle:
            self._settle -= 1

    def difference(self):
        """Measured less dead-reckoned volume in steps; 0 while they cannot be compared."""
        if self.measured < 0 or self._facts.reservoir == UNKNOWN:
            return 0
        return self.measured - self._facts.reservoir

    def apart(self):
        most = self._profile.disagree_steps
        difference = self.difference()
        return difference > most or difference < -most

    def judge(self):
        """Compare the two, when both have settled."""
        if self._settle == 0 and self.apart():
            self._effects.raise_alarm(wire.ALARM_RESERVOIR_DISAGREES, self.measured)

    def present(self):
        """Alarms whose cause is there."""
        return wire.ALARM_RESERVOIR_DISAGREES if self.apart() else 0

    # What a refill shows of the delivery before it

    def reconcile(self, withdrawn):
        """Hold what was withdrawn against what should have been left: write that down, and raise what follows."""
        facts = self._facts
        if facts.reservoir == UNKNOWN or facts.filled_steps == UNKNOWN:
            return
        gone = facts.filled_steps - withdrawn
        gone = gone if gone > 0 else 0
        low = facts.low - facts.filled_low
        high = facts.high - facts.filled_high
        flag = self._flag(gone, low, high)
        ratio = UNKNOWN
        if flag != wire.REFILL_FLAG_NOT_JUDGED and low + high > 0:
            ratio = mul_div(gone, 1000, (low + high + 1) // 2)[0]
        if flag == wire.REFILL_FLAG_TOO_LITTLE or flag == wire.REFILL_FLAG_TOO_MUCH:
            # The alarm comes first: a power cut between the records leaves it on, and the refill to be said again.
            self._effects.raise_alarm(wire.ALARM_REFILL_MISMATCH, withdrawn)
        self._ledger.write(wire.RECORD_REFILL_CHECK, flag, facts.reservoir, withdrawn, low, high, ratio)

    def _flag(self, gone, low, high):
        """`gone` left the reservoir, between `low` and `high` by the steps: what is certainly outside is flagged."""
        least = self._profile.reconcile_steps
        if low < least:
            # Too little for a ratio. More than the whole of what a ratio needs is no error of measurement.
            return wire.REFILL_FLAG_TOO_MUCH if gone - high > least else wire.REFILL_FLAG_NOT_JUDGED
        if mul_div(gone, 1000, low)[0] < _LEAST_PERMILLE:
            return wire.REFILL_FLAG_TOO_LITTLE
        permille, rest = mul_div(gone, 1000, high)
        if permille > _MOST_PERMILLE or (permille == _MOST_PERMILLE and rest):
            return wire.REFILL_FLAG_TOO_MUCH
        return wire.REFILL_FLAG_AGREES
