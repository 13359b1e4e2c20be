# What to deliver, and when: integer accumulators that never drift.
#
# A track adds `num` for every millisecond and steps when it reaches `den`. It starts at den // 2, so that delivered and
# ideal volume differ by at most half a step for ever. No float, no allocation: this runs inside the dosing loop.

from pump.whole import mul_div
from pump.wire import FRACTION_MAX, const

NEVER = const(0x3FFFFFFF)


class Track:
    """One rate of num / den steps per millisecond, both at most 2^29, so that no sum reaches 2^30."""

    def __init__(self):
        # Half way to its first step, in the only unit that is known yet.
        self.num = 0
        self.den = 2
        self.acc = 1
        self._crumb = 0

    def restart(self, num, den):
        self.num = num
        self.den = den
        self.acc = den // 2
        # Half a step is half a unit more when the denominator is odd; a later change of rate needs to know.
        self._crumb = FRACTION_MAX // 2 if den & 1 else 0

    def retune(self, num, den):
        """Change the rate and keep the fraction of a step that is under way.

        What acc / den loses on the new denominator is kept as a crumb of 2^-29 of its unit, so that many changes
        do not add up to a drift.
        """
        old = self.den
        acc, rest = mul_div(self.acc, den, old)
        whole, part = mul_div(self._crumb, den, FRACTION_MAX)
        rest += whole
        self.acc = acc + rest // old
        self._crumb = mul_div(rest % old, FRACTION_MAX, old)[0] + part // old
        self.num = num
        self.den = den

    def due_ms(self):
        """Milliseconds until the next step."""
        if self.num == 0:
            return NEVER
        return (self.den - self.acc + self.num - 1) // self.num

    def advance(self, ms):
        """Let `ms` pass; return how many steps came due."""
        steps = 0
        if self.num == 0:
            return 0
        while True:
            due = (self.den - self.acc + self.num - 1) // self.num
            if ms < due:
                self.acc += self.num * ms
                return steps
            ms -= due
            self.acc += self.num * due - self.den
            steps += 1


class Schedule:
    """The basal rate, and a bolus on top of it that does not change it."""

    def __init__(self):
        self.basal = Track()
        self.bolus = Track()
        self.bolus_left = 0
        self.running = False
        self.basal_due = 0
        self.bolus_due = 0

    def start_bolus(self, steps, num, den):
        self.bolus_left = steps
        self.bolus.restart(num, den)

    def cancel_bolus(self):
        left = self.bolus_left
        self.bolus_left = 0
        return left

    def advance(self, ms):
        """Let `ms` pass: basal_due and bolus_due say what is to be delivered now."""
        self.basal_due = self.basal.advance(ms) if self.running else 0
        self.bolus_due = 0
        if self.bolus_left:
            due = self.bolus.advance(ms)
            # A late wake makes a bolus longer, never denser: what is overdue stays in bolus_left.
            self.bolus_due = 1 if due else 0
        return self.basal_due + self.bolus_due

    def next_ms(self):
        basal = self.basal.due_ms() if self.running else NEVER
        bolus = self.bolus.due_ms() if self.bolus_left else NEVER
        return basal if basal < bolus else bolus
