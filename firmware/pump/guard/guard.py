# The dose guard: decides what may be delivered. It can only say no.
#
# It shares no state and no decoder with the schedule: it reads the program from its bytes by itself (program.py), keeps
# its own copy of the limits beside their complements, and counts what the motor reports into its own windows. Windows
# of the therapy count drug: steps in units of what a step holds now. The pump's hard windows count steps as they are.

from array import array

from pump.guard.program import Program
from pump.small_int import MulDiv
from pump.wire import FRACTION_MAX, const

_MASK = const(0x3FFFFFFF)
_BUCKETS = const(241)
_HARD_HOUR_BUCKET_MS = const(15_000)
_HARD_DAY_BUCKET_MS = const(360_000)
_MINUTE_MS = const(60_000)
_FULL = const(65_535)
_ELAPSED = const(0x1FFFFFFF)


class Window:
    """Steps delivered in a rolling window, in 240 buckets and the current one: never less than the true sum, and at
    most one bucket too much. The limit is in steps."""

    def __init__(self, bucket_ms):
        self._counts = array("H", bytes(2 * _BUCKETS))
        self._at = 0
        self._into_ms = 0
        self.bucket_ms = bucket_ms
        self.sum = 0
        self._limit = 0
        self._check = _MASK
        self._marked_at = 0
        self._marked_ms = 0

    def restrict(self, limit):
        self._limit = limit
        self._check = _MASK - limit

    def sound(self):
        """Whether the limit still equals its complement: a flipped bit in RAM shows here."""
        return self._limit == _MASK - self._check

    def mark(self):
        """Keep where in time the window is, for whole()."""
        self._marked_at = self._at
        self._marked_ms = self._into_ms

    def whole(self, passed):
        """Whether the counts add up to the sum, and it is where `passed` ms since mark() lead (see ram_check.py)."""
        buckets, into = divmod(self._marked_ms + passed, self.bucket_ms)
        at = (self._marked_at + buckets) % _BUCKETS
        return sum(self._counts) == self.sum and self._into_ms == into and self._at == at

    def advance(self, ms):
        self._into_ms += ms
        if self._into_ms < self.bucket_ms:
            return
        passed = self._into_ms // self.bucket_ms
        self._into_ms -= passed * self.bucket_ms
        if passed > _BUCKETS:
            # Nothing in it is as young as that.
            self._at = (self._at + passed) % _BUCKETS
            passed = _BUCKETS
        while passed:
            self._at = 0 if self._at == _BUCKETS - 1 else self._at + 1
            self.sum -= self._counts[self._at]
            self._counts[self._at] = 0
            passed -= 1

    def add(self, steps):
        # A full bucket stays full: 65535 steps in 1/240 of a window are beyond any motor.
        room = _FULL - self._counts[self._at]
        part = steps if steps < room else room
        self._counts[self._at] += part
        self.sum += part

    def empty(self):
        for i in range(_BUCKETS):
            self._counts[i] = 0
        self.sum = 0

    def room(self):
        return self._limit - self.sum if self.sum < self._limit else 0

    def raise_to(self, steps):
        """At least `steps` are in this window: count what is missing as delivered now."""
        if self.sum < steps:
            self.add(steps - self.sum)

    def revalue(self, ratio):
        """Turn counts of old steps into counts of new ones that hold the same drug.

        Rounded up from the newest bucket backwards, so that what is left when old buckets go is never too little.
        """
        self.sum = 0
        old = 0
        at = self._at
        for _ in range(_BUCKETS):
            old += self._counts[at]
            count = ratio.up(old) - self.sum
            self._counts[at] = count if count < _FULL else _FULL
            self.sum += self._counts[at]
            at = at - 1 if at else _BUCKETS - 1


class Ratio:
    """How many new steps hold the drug of old ones: (old_num / old_den) / (num / den), in small ints."""

    def __init__(self, division):
        self._division = division
        self._num = 1
        self._den = 1

    def set(self, old, new):
        # At a commit or after a reset, never while dosing: these products may need heap integers.
        num, den = _reduced(old[0] * new[1], old[1] * new[0])
        while num > FRACTION_MAX or den > FRACTION_MAX:
            # Too long for a division in small ints: shortened to the strict side.
            num, den = (num + 1) // 2, den // 2 or 1
        self._num = num
        self._den = den

    def checked(self):
        return self._num, self._den

    def up(self, steps):
        """New steps, rounded up: at most one too many, or a few where the fraction was shortened."""
        return self._division.up(steps, self._num, self._den)


def _reduced(a, b):
    x, y = a, b
    while y:
        x, y = y, x % y
    return a // x, b // x


class Guard:
    def __init__(self, hard_hour_steps, hard_day_steps):
        self._division = MulDiv()
        self._hour = Window(_HARD_HOUR_BUCKET_MS)
        self._day = Window(_HARD_DAY_BUCKET_MS)
        self._hour.restrict(hard_hour_steps)
        self._day.restrict(hard_day_steps)
        self._caps = []
        self._minutes = []
        self._worth = (0, 1)
        self._ratio = Ratio(self._division)
        self._bridged = 0
        self._bridge_left = 0
        # Of these, how many are only left if what resets left open was not delivered.
        self._bridge_doubt = 0
        self._prime_left = 0
        self._prime_max = 0
        self._bridge_all = 0
        self._elapsed = 0
        self._enabled = False
        self._allowance = 0
        self._check_allowance = _MASK

    # Limits

    def adopt(self, data):
        """Take the limits from a program's own bytes. Returns whether the windows keep what they hold: not when their
        lengths change, then the history has to be told again (see recall)."""
        program = Program(data)
        minutes = [minute for minute, _ in program.caps]
        same = minutes == self._minutes
        if not same:
            self._caps = [Window(minute * _MINUTE_MS // (_BUCKETS - 1)) for minute in minutes]
            self._minutes = minutes
        self._worth = program.worth
        num, den = program.worth
        for window, (_, nanograms) in zip(self._caps, program.caps):
            window.restrict(self._division.run(nanograms, den, num))
        self._prime_max = program.prime_steps_max
        return same

    def change_worth(self, num, den, old_num, old_den, bridge_steps):
        """A commit changed what a step holds: what the windows hold keeps its worth in drug.

        The next `bridge_steps` still hold the old drug: a bridge has this allowance once.
        """
        if old_num:
            self._ratio.set((old_num, old_den), (num, den))
            if (num, den) != (old_num, old_den):
                for window in self._caps:
                    window.revalue(self._ratio)
        self._worth = (num, den)
        self._bridge_left = bridge_steps
        self._bridge_all = bridge_steps
        self._bridge_doubt = 0
        self._bridged = 0

    def change_step(self, old, new):
        """A step has another volume from here on: the pump's own windows count what was delivered in new ones. Those
        of the therapy count drug, and stay."""
        ratio = Ratio(self._division)
        ratio.set(old, new)
        self._hour.revalue(ratio)
        self._day.revalue(ratio)

    def resume_bridge(self, left, doubt, old_worth):
        """After a reset: so many steps of the bridge are left, or up to `doubt` more, and each holds what one held
        before it. Where that is more than a step holds now, those in doubt count as the old drug."""
        if left or doubt:
            self._ratio.set(old_worth, self._worth)
            if not self._old_holds_more():
                doubt = 0
        self._bridge_left = left + doubt
        self._bridge_doubt = doubt
        self._bridge_all = self._bridged + self._bridge_left

    def _old_holds_more(self):
        return self._ratio.up(1) > 1

    def prime(self, steps):
        """The next `steps` fill the path to the catheter's tip: they hold no dose. Never more than the program says."""
        self._prime_left = steps if steps <= self._prime_max else 0

    def end_prime(self):
        self._prime_left = 0

    def enable(self, on):
        self._enabled = on

    def allow(self, steps):
        """A lease of `steps` is durable: so much may move, and no more."""
        self._allowance = steps
        self._check_allowance = _MASK - steps

    def allowance(self):
        return self._allowance

    def sound(self):
        """Whether every limit still equals its complement."""
        for window in self._caps:
            if not window.sound():
                return False
        return (
            self._hour.sound() and self._day.sound() and self._allowance == _MASK - self._check_allowance
        )

    def mark(self):
        """Begin to count time for whole()."""
        self._elapsed = 0
        self._hour.mark()
        self._day.mark()
        for window in self._caps:
            window.mark()

    def whole(self, passed):
        """Whether `passed` ms went by since mark(), and every window is where that leads and holds what it counted."""
        for window in self._caps:
            if not window.whole(passed):
                return False
        return (
            self._elapsed == passed & _ELAPSED
            and self._hour.whole(passed)
            and self._day.whole(passed)
            and self._bridged + self._bridge_left == self._bridge_all
        )

    def bridge_left(self):
        return self._bridge_left - self._bridge_doubt if self._bridge_left > self._bridge_doubt else 0

    def prime_left(self):
        return self._prime_left

    def checked(self):
        """What the therapy set (see integrity/checksums.py)."""
        return self._worth, self._prime_max, self._minutes, self._ratio

    # Deciding and counting

    def advance(self, ms):
        self._elapsed = (self._elapsed + ms) & _ELAPSED
        self._hour.advance(ms)
        self._day.advance(ms)
        for window in self._caps:
            window.advance(ms)

    def permit(self, steps):
        """How many of `steps` may move now; 0 when not delivering or not sound."""
        if not self._enabled or not self.sound():
            return 0
        if steps > self._allowance:
            steps = self._allowance
        while steps and not self._fits(steps):
            steps -= 1
        return steps

    def fits(self, steps):
        """Whether a dose of `steps` fits into every window as it is now."""
        return self._fits(steps)

    def _fits(self, steps):
        if steps > self._hour.room() or steps > self._day.room():
            return False
        dose = self._dose(steps)
        for window in self._caps:
            if dose > window.room():
                return False
        return True

    def full(self):
        """Whether any window has no room for one more step."""
        return not self._fits(1)

    def moved(self, steps):
        """Count what the motor moved, commanded or not."""
        self._count(steps)
        left = self._allowance - steps if steps < self._allowance else 0
        self._allowance = left
        self._check_allowance = _MASK - left

    def _dose(self, steps):
        """What `steps` hold, in steps of the present worth: none while priming, the old drug while bridging."""
        if self._prime_left:
            steps = steps - self._prime_left if steps > self._prime_left else 0
        if not self._bridge_left:
            return steps
        old = steps if steps < self._bridge_left else self._bridge_left
        # Of the whole bridge so far, so that rounding up does not add up.
        return steps - old + self._ratio.up(self._bridged + old) - self._ratio.up(self._bridged)

    def _count(self, steps):
        self._hour.add(steps)
        self._day.add(steps)
        dose = self._dose(steps)
        for window in self._caps:
            window.add(dose)
        if self._prime_left:
            primed = steps if steps < self._prime_left else self._prime_left
            self._prime_left -= primed
            steps -= primed
        if self._bridge_left:
            old = steps if steps < self._bridge_left else self._bridge_left
            self._bridge_left -= old
            self._bridged += old

    # History, and what it amounts to

    def forget(self, worth):
        """Empty every window, for recall() to fill again; `worth` is what a step held then, None for the present."""
        for window in self._caps:
            window.empty()
        self._hour.empty()
        self._day.empty()
        if worth is not None:
            self._worth = worth
        self._bridge_left = 0
        self._bridge_doubt = 0
        self._prime_left = 0

    def recall(self, ms, steps):
        """After a reset: `steps` were delivered, at the latest `ms` after what was recalled before."""
        self.advance(ms)
        if steps > 0:
            self._count(steps)

    def recall_lost(self, ms, steps):
        """As recall(), of steps that a reset left open: they count as delivered, but may not have moved a bridge on."""
        left, bridged = self._bridge_left, self._bridged
        self.recall(ms, steps)
        if left and self._old_holds_more():
            self._bridge_left, self._bridged = left, bridged

    def recall_windows(self, nanograms):
        """At least so much drug was in each window, says a checkpoint."""
        num, den = self._worth
        if num:
            for window, drug in zip(self._caps, nanograms):
                window.raise_to(self._division.up(drug, den, num))

    def windows(self):
        """(minutes, nanograms in it rounded up, most nanograms) of each cap."""
        num, den = self._worth
        rows = []
        for minutes, window in zip(self._minutes, self._caps):
            rows.append((minutes, self._division.up(window.sum, num, den), self._division.run(window._limit, num, den)))
        return rows
