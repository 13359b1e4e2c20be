# The most steps that a flex basal can deliver in a window of time, however its clock is set: its demand on a dose cap.
#
# While the pattern clock slews, an hour of a pattern takes between half an hour and two. So a window W sees at most 2 W
# of pattern time, none of it for longer than twice. For any rate b, what flows is b for all of W, and on top of that at
# most twice what the patterns hold above b. Each rate of the regimen is tried as b; the least is the bound, and the
# largest rate all the time (b the largest, nothing above) is never better than that. Several patterns count as one that
# runs, at each minute, the largest of their rates.
#
# Rates are counted in parts: steps in a span that is as long as 2^17 parts allow, so that every product stays small.
# All rounding is upwards. Runs at a verify, and allocates.

from pump.clock import DAY_MS
from pump.small_int import mul_div
from pump.wire import FRACTION_MAX, PATTERNS_MAX, const

_DAY_MINUTES = const(1440)
_MINUTE_MS = const(60_000)
_PARTS_MAX = const(0x20000)


class FlexBound:
    """The bound of a flex therapy whose patterns, weekdays and rates are valid. Its largest rate is num / den."""

    def __init__(self, therapy, num, den):
        self._num = num
        self._den = den
        self._unit_ms = FRACTION_MAX
        while mul_div(self._unit_ms, num, den)[0] + 1 > _PARTS_MAX:
            self._unit_ms //= 2
        events = sorted([
            (minute, pattern, self._parts(therapy.rates[rate]))
            for pattern, minute, rate in therapy.flex
            if pattern in therapy.weekdays
        ])
        # Different rates in parts, rising, and for how many minutes of the day each is the largest.
        self._levels = sorted({parts for _, _, parts in events})
        self._minutes = [0] * len(self._levels)
        now = [0] * PATTERNS_MAX
        at = 0
        for minute, pattern, parts in events:
            if minute > at:
                self._minutes[self._levels.index(max(now))] += minute - at
                at = minute
            now[pattern] = parts
        self._minutes[self._levels.index(max(now))] += _DAY_MINUTES - at

    def _parts(self, rate):
        return mul_div(self._unit_ms, rate[0], rate[1])[0] + 1

    def steps(self, window_ms):
        """The most steps in `window_ms`, which is at most two days and a 240th of them."""
        levels = self._levels
        most = mul_div(window_ms, self._num, self._den)[0] + 1
        twice = 2 * window_ms
        days, rest_ms = twice // DAY_MS, twice % DAY_MS
        above = excess = 0
        for at in range(len(levels) - 2, -1, -1):
            # Of the day: minutes above this level, and parts times minutes by which they are.
            above += self._minutes[at + 1]
            excess += (levels[at + 1] - levels[at]) * above
            reach = levels[-1] - levels[at]
            limit = mul_div(reach, window_ms, _MINUTE_MS)[0]
            if days and excess > limit // (2 * days):
                continue
            rest = mul_div(reach, rest_ms, _MINUTE_MS)[0] + 1
            extra = 2 * days * excess + 2 * (rest if rest < excess else excess)
            if extra > limit:
                continue
            total = mul_div(levels[at], window_ms, _MINUTE_MS)[0] + 1 + extra
            # A step may fall in beyond the mean, and a pattern's step ends up to a millisecond late.
            steps = mul_div(total, _MINUTE_MS, self._unit_ms)[0] + 2
            if steps < most:
                most = steps
        return most
