# The moment of each step: integer accumulators that never drift.
#
# A track adds `num` for every millisecond and steps when it reaches `den`. It starts at den // 2, so delivered and
# ideal volume never differ by more than half a step. No float, no allocation: this runs inside the dosing loop.

from pump.small_int import MulDiv
from pump.wire import BOLUS_KIND_NONE, BOLUS_KIND_PERIODIC, FRACTION_MAX, const

NEVER = const(0x3FFFFFFF)
# The mark of a periodic bolus that waits: no single flipped bit turns 0 into it.
_WAITS = const(0x2AAAAAAA)


class Track:
    """One rate of num / den steps per millisecond, both at most 2^29.

    Between calls 0 <= acc < den and 0 <= crumb < 2^29. So every sum here lies between -(2^30 - 1) and 2^30 - 1, even if
    num = den = 2^29.
    """

    def __init__(self):
        # Half way to its first step, in the only unit that is known before restart().
        self.num = 0
        self.den = 2
        self.acc = 1
        self._crumb = 0
        # A checksum of the four above: one flipped bit in any of them shows before the next step.
        self._check = 1
        self._division = MulDiv()

    def restart(self, num, den):
        self.num = num
        self.den = den
        self.acc = den // 2
        # Half a step is half a unit more when the denominator is odd; a later change of rate needs to know.
        self._crumb = FRACTION_MAX // 2 if den & 1 else 0
        self._check = (den - self.acc - self._crumb) ^ num

    def retune(self, num, den):
        """Changes the rate and keeps the fraction of a step that is under way.

        What acc / den loses on the new denominator is kept as crumbs, each 2^-29 of its unit. A change loses less than
        two crumbs: 2 / (2^29 * den) of a step.
        """
        if self._check != (self.den - self.acc - self._crumb) ^ self.num:
            # The next advance() reports it.
            return
        if num == 0:
            # A track that stands still keeps its unit, and loses nothing.
            self.num = 0
            self._check = self.den - self.acc - self._crumb
            return
        old = self.den
        if den != old:
            division = self._division
            acc = division.divide(self.acc, den, old)
            rest = division.remainder
            rest += division.divide(self._crumb, den, FRACTION_MAX)
            part = division.remainder
            self.acc = acc + rest // old
            self._crumb = division.divide(rest % old, FRACTION_MAX, old) + part // old
        self.num = num
        self.den = den
        self._check = (den - self.acc - self._crumb) ^ num

    def due_ms(self):
        """Milliseconds until the next step."""
        if self.num == 0:
            return NEVER
        return (self.num - 1 + self.den - self.acc) // self.num

    def advance(self, ms):
        """Advances by `ms`; returns the steps that came due, or NEVER if a bit of rate or accumulator flipped."""
        num, den, acc = self.num, self.den, self.acc
        if self._check != (den - acc - self._crumb) ^ num:
            return NEVER
        steps = 0
        if num == 0:
            return 0
        while True:
            # In this order: the first sum is at most 2^30 - 1, and what follows only takes away.
            due = (num - 1 + den - acc) // num
            if ms < due:
                acc += num * ms
                break
            ms -= due
            acc += num * due - den
            steps += 1
        self.acc = acc
        self._check = (den - acc - self._crumb) ^ num
        return steps


class Schedule:
    """The basal rate, and boluses on top of it that do not change it.

    One bolus runs at a time. A square bolus waits, with its time standing still, while another bolus runs. A periodic
    bolus that comes due meanwhile waits for the end of the running one.
    """

    def __init__(self):
        self.basal = Track()
        self.bolus = Track()
        self.square = Track()
        self.bolus_kind = BOLUS_KIND_NONE
        self.bolus_left = 0
        self.square_left = 0
        self.running = False
        self.basal_due = 0
        self.bolus_due = 0
        self.square_due = 0
        self.periodic_ms = 0
        self._periodic_steps = 0
        self._periodic_num = 0
        self._periodic_den = 1
        self._period_ms = 0
        self._periodic_passed = 0
        self._periodic_all = 0
        self.periodic_waits = 0
        self.periodic_began = False
        self.bolus_made = 0
        self.square_made = 0
        self._bolus_all = 0
        self._square_all = 0

    def counts_intact(self):
        """True if delivered and remaining boluses, and passed and remaining time, add up (see ram_check.py)."""
        return (
            self.periodic_ms + self._periodic_passed == self._periodic_all
            and self.bolus_left + self.bolus_made == self._bolus_all
            and self.square_left + self.square_made == self._square_all
        )

    def checked(self):
        """Returns what the therapy set (see integrity/checksums.py)."""
        return self._periodic_steps, self._periodic_num, self._periodic_den, self._period_ms

    # Boluses

    def start_bolus(self, kind, steps, num, den):
        self.bolus_kind = kind
        self.bolus_left = steps
        self.bolus_made = 0
        self._bolus_all = steps
        self.bolus.restart(num, den)

    def count_bolus_step(self):
        """Counts the step that was due of the bolus, or else of the square bolus."""
        if self.bolus_due:
            self.bolus_left -= 1
            self.bolus_made += 1
        else:
            self.square_left -= 1
            self.square_made += 1

    def cancel_bolus(self):
        left = self.bolus_left
        self.bolus_left = 0
        self._bolus_all = self.bolus_made
        return left

    def start_square(self, steps, duration_ms):
        self.square_left = steps
        self.square_made = 0
        self._square_all = steps
        self.square.restart(steps, duration_ms)

    def cancel_square(self):
        left = self.square_left
        self.square_left = 0
        self._square_all = self.square_made
        return left

    def set_periodic(self, steps, num, den, period_ms, left_ms):
        """Sets a bolus of `steps` every `period_ms` of delivery, the first in `left_ms`; 0 steps for none."""
        self._periodic_steps = steps
        self._periodic_num = num
        self._periodic_den = den
        self._period_ms = period_ms
        self.periodic_ms = left_ms if steps else NEVER
        self._periodic_all = self.periodic_ms
        self._periodic_passed = 0
        self.periodic_waits = 0

    def has_periodic(self, steps, num, den, period_ms):
        return (
            steps == self._periodic_steps
            and num == self._periodic_num
            and den == self._periodic_den
            and period_ms == self._period_ms
        )

    def start_waiting_periodic(self):
        """Starts the periodic bolus that waited for the end of another one."""
        if self.periodic_waits == _WAITS and self.bolus_left == 0:
            self.periodic_waits = 0
            self.periodic_began = True
            self.start_bolus(BOLUS_KIND_PERIODIC, self._periodic_steps, self._periodic_num, self._periodic_den)

    def claim_periodic(self):
        """Clears `periodic_began`; returns the steps of the bolus that began."""
        self.periodic_began = False
        return self.bolus_left

    # Time

    def start_basal(self):
        """Starts the basal."""
        self.running = True

    def end_all(self):
        """Ends the basal and every bolus."""
        self.running = False
        self.cancel_bolus()
        self.cancel_square()
        self.periodic_waits = 0
        self.periodic_began = False

    def clear_due(self):
        """Clears what the last event made due."""
        self.basal_due = 0
        self.bolus_due = 0
        self.square_due = 0

    def advance(self, ms):
        """Advances by `ms`, in which no rate changes. What comes due adds up until clear_due()."""
        if self.bolus_left:
            # A late wake makes a bolus longer, never denser: what is overdue stays in bolus_left.
            self.bolus_due |= self._limit_to_one(self.bolus.advance(ms))
        elif self.square_left:
            self.square_due |= self._limit_to_one(self.square.advance(ms))
        if not self.running:
            return
        self.basal_due += self.basal.advance(ms)
        if self._periodic_steps:
            self.periodic_ms -= ms
            self._periodic_passed += ms
            if self.periodic_ms <= 0:
                self.periodic_ms += self._period_ms
                self._periodic_passed -= self._period_ms
                self.periodic_waits = _WAITS
                self.start_waiting_periodic()

    def _limit_to_one(self, steps):
        if steps >= NEVER:
            # Delivery looks at basal_due first, and distrusts RAM then.
            self.basal_due = NEVER
            return 0
        return 1 if steps else 0

    def next_ms(self):
        """Milliseconds until the next step, or until a periodic bolus is due."""
        wake = NEVER
        if self.running:
            wake = self.basal.due_ms()
            if self._periodic_steps and self.periodic_ms < wake:
                wake = self.periodic_ms
        due = NEVER
        if self.bolus_left:
            due = self.bolus.due_ms()
        elif self.square_left:
            due = self.square.due_ms()
        return due if due < wake else wake
