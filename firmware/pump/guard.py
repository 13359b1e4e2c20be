# The dose guard: decides what may be delivered. It can only say no.
#
# It shares no state and no decoder with the schedule: it reads the program from its bytes by itself, keeps its own copy
# of the limits in two complementary forms, and counts what the motor reports into its own windows.

from array import array

from pump.whole import mul_div
from pump.wire import const

_MASK = const(0x3FFFFFFF)
_BUCKETS = const(241)
_HOUR_BUCKET_MS = const(15_000)
_DAY_BUCKET_MS = const(360_000)

# Offsets behind the drug's name in an encoded therapy.
_AT_HOUR_NG = const(45)
_AT_DAY_NG = const(49)


class Window:
    """Steps delivered in a rolling window, in 240 buckets and the current one: never less than the true sum, and at
    most one bucket too much. `limit` is in steps."""

    def __init__(self, bucket_ms):
        self._counts = array("H", bytes(2 * _BUCKETS))
        self._at = 0
        self._into_ms = 0
        self._bucket_ms = bucket_ms
        self.sum = 0
        self.limit = 0

    def advance(self, ms):
        self._into_ms += ms
        if self._into_ms < self._bucket_ms:
            return
        passed = self._into_ms // self._bucket_ms
        self._into_ms -= passed * self._bucket_ms
        passed = min(passed, _BUCKETS)
        while passed:
            self._at = 0 if self._at == _BUCKETS - 1 else self._at + 1
            self.sum -= self._counts[self._at]
            self._counts[self._at] = 0
            passed -= 1

    def add(self, steps):
        count = self._counts[self._at] + steps
        # A bucket that is full stays full: the window is then too strict, never too lax.
        self._counts[self._at] = count if count < 65535 else 65535
        self.sum += steps if count < 65535 else 65535 - (count - steps)

    def room(self):
        return self.limit - self.sum if self.sum < self.limit else 0

    def rescale(self, num, den):
        """Turn counts of old steps into counts of new ones that hold the same drug, rounded up."""
        self.sum = 0
        for i in range(_BUCKETS):
            count, rest = mul_div(self._counts[i], num, den)
            count += 1 if rest else 0
            self._counts[i] = count if count < 65535 else 65535
            self.sum += self._counts[i]


class Guard:
    def __init__(self, hard_hour_steps, hard_day_steps):
        self._hard_hour = hard_hour_steps
        self._hard_day = hard_day_steps
        self.hour = Window(_HOUR_BUCKET_MS)
        self.day = Window(_DAY_BUCKET_MS)
        self._step_num = 0
        self._step_den = 1
        self._enabled = False
        self._check_hour = _MASK
        self._check_day = _MASK
        self._allowance = 0
        self._check_allowance = _MASK

    def adopt(self, program):
        """Read the limits from the program's own bytes; what the windows hold keeps its worth in drug."""
        name = program[9]
        num = _u32(program, 10 + name)
        den = _u32(program, 14 + name)
        hour = mul_div(_u32(program, 10 + name + _AT_HOUR_NG), den, num)[0]
        day = mul_div(_u32(program, 10 + name + _AT_DAY_NG), den, num)[0]
        if self._step_num and (num != self._step_num or den != self._step_den):
            self._revalue(num, den)
        self._step_num = num
        self._step_den = den
        self.hour.limit = hour if hour < self._hard_hour else self._hard_hour
        self.day.limit = day if day < self._hard_day else self._hard_day
        self._check_hour = _MASK - self.hour.limit
        self._check_day = _MASK - self.day.limit

    def _revalue(self, num, den):
        # old steps * (old_num / old_den) / (num / den), in two bounded factors
        self.hour.rescale(self._step_num, num)
        self.day.rescale(self._step_num, num)
        if den != self._step_den:
            self.hour.rescale(den, self._step_den)
            self.day.rescale(den, self._step_den)

    def enable(self, on):
        self._enabled = on

    def allow(self, steps):
        """A lease of `steps` is durable: so much may move, and no more."""
        self._allowance = steps
        self._check_allowance = _MASK - steps

    def allowance(self):
        return self._allowance

    def sound(self):
        """Whether every limit still equals its complement: a flipped bit in RAM shows here."""
        return (
            self.hour.limit == _MASK - self._check_hour
            and self.day.limit == _MASK - self._check_day
            and self._allowance == _MASK - self._check_allowance
        )

    def advance(self, ms):
        self.hour.advance(ms)
        self.day.advance(ms)

    def permit(self, steps):
        """How many of `steps` may move now; 0 when not delivering or not sound."""
        if not self._enabled or not self.sound():
            return 0
        steps = min(steps, self._allowance)
        room = self.hour.room()
        steps = min(steps, room)
        room = self.day.room()
        return steps if steps < room else room

    def moved(self, steps):
        """Count what the motor moved, commanded or not."""
        self.hour.add(steps)
        self.day.add(steps)
        left = self._allowance - steps if steps < self._allowance else 0
        self._allowance = left
        self._check_allowance = _MASK - left

    def recall(self, ms, steps):
        """After a reset: `steps` were delivered, at the latest `ms` after what was recalled before."""
        self.advance(ms)
        while steps > 0:
            part = steps if steps < 32768 else 32768
            self.hour.add(part)
            self.day.add(part)
            steps -= part

    def window_ng(self, window):
        """Drug in a window, in nanograms (rounded down)."""
        return mul_div(window.sum, self._step_num, self._step_den)[0]


def _u32(data, at):
    return data[at] | data[at + 1] << 8 | data[at + 2] << 16 | data[at + 3] << 24
