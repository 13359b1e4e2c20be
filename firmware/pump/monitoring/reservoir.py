# The volume in the reservoir, counted by steps (the ledger's) and measured by the level sensor. Their difference shows
# what neither shows alone: a leak, a worn pump head, a refill of another volume than was entered.

from array import array

from const import const

from pump import wire
from pump.small_int import mul_div
from pump.storage.records import UNKNOWN

_SAMPLES = const(10)
# Rounds after a refill, or after a level that jumped, before the two are compared: a refill takes its time.
_WAIT_ROUNDS = const(10)
# A delivery is as the steps say within 14.5 % (R23).
_LEAST_PERMILLE = const(855)
_MOST_PERMILLE = const(1145)


class Reservoir:
    """`measured` is the mean of ten samples of the level sensor in steps, or -1 without a plausible sensor."""

    def __init__(self, sensor, profile, ledger, effects):
        self._sensor = sensor
        self._profile = profile
        self._ledger = ledger
        self._facts = ledger.facts
        self._effects = effects
        self._ring = array("i", [0] * _SAMPLES)
        self._at = 0
        self._sum = 0
        self._rounds_left = 0
        self.measured = -1

    # The measured volume

    def restart_comparison(self):
        """Measures the level anew after a refill, and compares it later."""
        self._rounds_left = _WAIT_ROUNDS
        self.fill_samples()

    def fill_samples(self):
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

    def add_sample(self):
        """Adds a sample of the level."""
        if self._sensor is None:
            return
        sample = self._sensor.sample()
        if sample < 0 or self.measured < 0:
            self.fill_samples()
            return
        far = sample - self.measured
        most = self._profile.disagree_steps
        self._sum += sample - self._ring[self._at]
        self._ring[self._at] = sample
        self._at = (self._at + 1) % _SAMPLES
        self.measured = self._sum // _SAMPLES
        if far > most or far < -most:
            # The level jumped: a refill that is not entered yet, or a free flow. The grace that this gives does not
            # restart with the next jump.
            self.fill_samples()
            self._rounds_left = self._rounds_left or _WAIT_ROUNDS + 1
        if self._rounds_left:
            self._rounds_left -= 1

    def difference(self):
        """Measured less counted volume in steps; 0 while they cannot be compared."""
        if self.measured < 0 or self._facts.reservoir == UNKNOWN:
            return 0
        return self.measured - self._facts.reservoir

    def is_apart(self):
        most = self._profile.disagree_steps
        difference = self.difference()
        return difference > most or difference < -most

    def update_alarms(self):
        """Compares the two volumes when both are steady."""
        if self._rounds_left == 0 and self.is_apart():
            self._effects.raise_alarm(wire.ALARM_RESERVOIR_DISAGREES, self.measured)

    def lasting_alarms(self):
        """Alarms whose cause lasts."""
        return [wire.ALARM_RESERVOIR_DISAGREES] if self.is_apart() else []

    # The delivery before a refill

    def reconcile_refill(self, withdrawn):
        """Compares the withdrawn volume with the one that should be left: records it, and raises what follows."""
        facts = self._facts
        if facts.reservoir == UNKNOWN or facts.filled_steps == UNKNOWN:
            return
        gone = facts.filled_steps - withdrawn
        gone = gone if gone > 0 else 0
        low = facts.low - facts.filled_low
        high = facts.high - facts.filled_high
        flag = self._find_flag(gone, low, high)
        ratio = UNKNOWN
        if flag != wire.REFILL_FLAG_NOT_JUDGED and low + high > 0:
            ratio = mul_div(gone, 1000, (low + high + 1) // 2)[0]
        if flag == wire.REFILL_FLAG_TOO_LITTLE or flag == wire.REFILL_FLAG_TOO_MUCH:
            # The alarm comes first: after a power cut between the records it is on, and the refill must be repeated.
            self._effects.raise_alarm(wire.ALARM_REFILL_MISMATCH, withdrawn)
        self._ledger.write(wire.RECORD_REFILL_CHECK, flag, facts.reservoir, withdrawn, low, high, ratio)

    def _find_flag(self, gone, low, high):
        """The REFILL_FLAG for `gone` steps that left the reservoir, of which `low` to `high` were delivered."""
        least = self._profile.reconcile_steps
        if low < least:
            # Too little for a ratio. A difference as large as what a ratio needs is no error of measurement.
            return wire.REFILL_FLAG_TOO_MUCH if gone - high > least else wire.REFILL_FLAG_NOT_JUDGED
        if mul_div(gone, 1000, low)[0] < _LEAST_PERMILLE:
            return wire.REFILL_FLAG_TOO_LITTLE
        permille, rest = mul_div(gone, 1000, high)
        if permille > _MOST_PERMILLE or (permille == _MOST_PERMILLE and rest):
            return wire.REFILL_FLAG_TOO_MUCH
        return wire.REFILL_FLAG_AGREES
