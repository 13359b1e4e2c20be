# The dose guard decides what may be delivered. It can only refuse.
#
# It shares no state and no decoder with the schedule. It decodes the program a second time (reading.py), stores the
# limits beside their complements, and counts the motor's steps in windows that nothing else writes. Windows of the
# therapy count drug: steps in units of what a step holds now. The pump's hard windows count steps as they are.

from array import array

from pump.guard.reading import Reading
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
    most one bucket more. The limit is in steps."""

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

    def set_limit(self, limit):
        self._limit = limit
        self._check = _MASK - limit

    def limit_intact(self):
        """True if the limit still equals its complement: a flipped bit in RAM shows here."""
        return self._limit == _MASK - self._check

    def start_span(self):
        """Begins the span of time that counts_intact() checks."""
        self._marked_at = self._at
        self._marked_ms = self._into_ms

    def counts_intact(self, passed):
        """True if the counts add up to the sum, and the window is `passed` ms from start_span() (see ram_check.py)."""
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
            # All that it holds is older.
            self._at = (self._at + passed) % _BUCKETS
            passed = _BUCKETS
        while passed:
            self._at = 0 if self._at == _BUCKETS - 1 else self._at + 1
            self.sum -= self._counts[self._at]
            self._counts[self._at] = 0
            passed -= 1

    def add_steps(self, steps):
        # A full bucket stays full: no motor makes 65535 steps in 1/240 of a window.
        room = _FULL - self._counts[self._at]
        part = steps if steps < room else room
        self._counts[self._at] += part
        self.sum += part

    def clear(self):
        for i in range(_BUCKETS):
            self._counts[i] = 0
        self.sum = 0

    def room(self):
        return self._limit - self.sum if self.sum < self._limit else 0

    def raise_to(self, steps):
        """Counts steps as delivered now until the window holds at least `steps`."""
        if self.sum < steps:
            self.add_steps(steps - self.sum)

    def revalue(self, ratio):
        """Turns counts of old steps into counts of new ones that hold the same drug.

        Rounds up from the newest bucket backwards, so that the sum is never too small after old buckets leave.
        """
        self.sum = 0
        old = 0
        at = self._at
        for _ in range(_BUCKETS):
            old += self._counts[at]
            count = ratio.convert(old) - self.sum
            self._counts[at] = count if count < _FULL else _FULL
            self.sum += self._counts[at]
            at = at - 1 if at else _BUCKETS - 1


class Ratio:
    """The number of new steps that hold the drug of an old one: (old_num / old_den) / (num / den), in small ints."""

    def __init__(self, division):
        self._division = division
        self._num = 1
        self._den = 1

    def set_worths(self, old, new):
        # At a commit or after a reset, never while dosing: these products may need heap integers.
        num, den = _reduced(old[0] * new[1], old[1] * new[0])
        while num > FRACTION_MAX or den > FRACTION_MAX:
            # Too long for a division in small ints: shortened to the strict side.
            num, den = (num + 1) // 2, den // 2 or 1
        self._num = num
        self._den = den

    def checked(self):
        return self._num, self._den

    def convert(self, steps):
        """New steps for old ones, rounded up: at most one too many, or a few if the fraction was shortened."""
        return self._division.divide_up(steps, self._num, self._den)


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
        self._hour.set_limit(hard_hour_steps)
        self._day.set_limit(hard_day_steps)
        self._caps = []
        # (drug, minutes) of each.
        self._spans = []
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

    def adopt_program(self, data):
        """Reads the limits from the bytes of a program. Returns False if the lengths of the windows changed: then the
        windows are empty, and must be rebuilt from the journal (see replay_steps)."""
        reading = Reading(data)
        spans = [(drug, minutes) for drug, minutes, _ in reading.caps]
        same = spans == self._spans
        if not same:
            self._caps = [Window(minutes * _MINUTE_MS // (_BUCKETS - 1)) for _, minutes in spans]
            self._spans = spans
        self._worth = reading.worth
        num, den = reading.worth
        for window, (_, _, nanograms) in zip(self._caps, reading.caps):
            window.set_limit(self._division.divide(nanograms, den, num))
        self._prime_max = reading.prime_steps_max
        return same

    def change_worth(self, num, den, old_num, old_den, bridge_steps):
        """Sets what a step holds after a commit. The windows keep the drug that they hold.

        The next `bridge_steps` still hold the old drug: a bridge has this allowance once.
        """
        if old_num:
            self._ratio.set_worths((old_num, old_den), (num, den))
            if (num, den) != (old_num, old_den):
                for window in self._caps:
                    window.revalue(self._ratio)
        self._worth = (num, den)
        self._bridge_left = bridge_steps
        self._bridge_all = bridge_steps
        self._bridge_doubt = 0
        self._bridged = 0

    def change_step(self, old, new):
        """Sets another volume of a step. The hard windows count what was delivered in new steps. Those of the therapy
        count drug, and stay."""
        ratio = Ratio(self._division)
        ratio.set_worths(old, new)
        self._hour.revalue(ratio)
        self._day.revalue(ratio)

    def resume_bridge(self, left, doubt, old_worth):
        """Resumes a bridge after a reset: `left` steps remain of it, or up to `doubt` more, each with the old drug. If
        that is more than a step holds now, the steps in doubt count as the old drug."""
        if left or doubt:
            self._ratio.set_worths(old_worth, self._worth)
            if not self._old_holds_more():
                doubt = 0
        self._bridge_left = left + doubt
        self._bridge_doubt = doubt
        self._bridge_all = self._bridged + self._bridge_left

    def _old_holds_more(self):
        return self._ratio.convert(1) > 1

    def start_priming(self, steps):
        """Counts the next `steps`, at most those of the program, as no dose: they fill the path to the tip."""
        self._prime_left = steps if steps <= self._prime_max else 0

    def end_priming(self):
        self._prime_left = 0

    def set_enabled(self, on):
        self._enabled = on

    def set_allowance(self, steps):
        """Permits `steps`: a lease of that size is durable."""
        self._allowance = steps
        self._check_allowance = _MASK - steps

    def allowance(self):
        return self._allowance

    def limits_intact(self):
        """True if every limit still equals its complement."""
        for window in self._caps:
            if not window.limit_intact():
                return False
        return (
            self._hour.limit_intact() and self._day.limit_intact() and self._allowance == _MASK - self._check_allowance
        )

    def start_span(self):
        """Begins the span of time that counts_intact() checks."""
        self._elapsed = 0
        self._hour.start_span()
        self._day.start_span()
        for window in self._caps:
            window.start_span()

    def counts_intact(self, passed):
        """True if the guard counted `passed` ms since start_span(), and every window is intact and that far."""
        for window in self._caps:
            if not window.counts_intact(passed):
                return False
        return (
            self._elapsed == passed & _ELAPSED
            and self._hour.counts_intact(passed)
            and self._day.counts_intact(passed)
            and self._bridged + self._bridge_left == self._bridge_all
        )

    def bridge_left(self):
        return self._bridge_left - self._bridge_doubt if self._bridge_left > self._bridge_doubt else 0

    def prime_left(self):
        return self._prime_left

    def checked(self):
        """Returns what the therapy set (see integrity/checksums.py)."""
        return self._worth, self._prime_max, self._spans, self._ratio

    # Deciding and counting

    def advance(self, ms):
        self._elapsed = (self._elapsed + ms) & _ELAPSED
        self._hour.advance(ms)
        self._day.advance(ms)
        for window in self._caps:
            window.advance(ms)

    def permit_steps(self, steps):
        """The number of `steps` that may move now; 0 if delivery is off or a limit is damaged."""
        if not self._enabled or not self.limits_intact():
            return 0
        if steps > self._allowance:
            steps = self._allowance
        while steps and not self._has_room(steps):
            steps -= 1
        return steps

    def has_room_for(self, steps):
        """True if a dose of `steps` fits into every window as it is now."""
        return self._has_room(steps)

    def _has_room(self, steps):
        if steps > self._hour.room() or steps > self._day.room():
            return False
        dose = self._dose(steps)
        for window in self._caps:
            if dose > window.room():
                return False
        return True

    def is_full(self):
        """True if a window has no room for one more step."""
        return not self._has_room(1)

    def count_moved(self, steps):
        """Counts what the motor moved, commanded or not."""
        self._count(steps)
        left = self._allowance - steps if steps < self._allowance else 0
        self._allowance = left
        self._check_allowance = _MASK - left

    def _dose(self, steps):
        """The drug in `steps`, in steps of the present worth: none while priming, the old drug while bridging."""
        if self._prime_left:
            steps = steps - self._prime_left if steps > self._prime_left else 0
        if not self._bridge_left:
            return steps
        old = steps if steps < self._bridge_left else self._bridge_left
        # Of the whole bridge so far, so that rounding up does not add up.
        return steps - old + self._ratio.convert(self._bridged + old) - self._ratio.convert(self._bridged)

    def _count(self, steps):
        self._hour.add_steps(steps)
        self._day.add_steps(steps)
        dose = self._dose(steps)
        for window in self._caps:
            window.add_steps(dose)
        if self._prime_left:
            primed = steps if steps < self._prime_left else self._prime_left
            self._prime_left -= primed
            steps -= primed
        if self._bridge_left:
            old = steps if steps < self._bridge_left else self._bridge_left
            self._bridge_left -= old
            self._bridged += old

    # Rebuilding the windows from the journal

    def clear_windows(self, worth):
        """Empties every window, for replay_steps(); `worth` is what a step held then, None for the present worth."""
        for window in self._caps:
            window.clear()
        self._hour.clear()
        self._day.clear()
        if worth is not None:
            self._worth = worth
        self._bridge_left = 0
        self._bridge_doubt = 0
        self._prime_left = 0

    def replay_steps(self, ms, steps):
        """Counts `steps` that were delivered, at the latest `ms` after the call before."""
        self.advance(ms)
        if steps > 0:
            self._count(steps)

    def replay_lost_steps(self, ms, steps):
        """Counts steps that a reset left open, as replay_steps() does. They may not have advanced a bridge."""
        left, bridged = self._bridge_left, self._bridged
        self.replay_steps(ms, steps)
        if left and self._old_holds_more():
            self._bridge_left, self._bridged = left, bridged

    def raise_windows(self, drug, place, nanograms):
        """Raises windows of a drug, from its cap number `place` on, to what a checkpoint shows in them."""
        num, den = self._worth
        if num:
            caps = [at for at, (counted, _) in enumerate(self._spans) if counted == drug]
            for at, amount in zip(caps[place:], nanograms):
                self._caps[at].raise_to(self._division.divide_up(amount, den, num))

    def window_rows(self):
        """(drug, minutes, nanograms in the window rounded up, limit in nanograms) of each cap."""
        num, den = self._worth
        rows = []
        for (drug, minutes), window in zip(self._spans, self._caps):
            held = self._division.divide_up(window.sum, num, den)
            rows.append((drug, minutes, held, self._division.divide(window._limit, num, den)))
        return rows
