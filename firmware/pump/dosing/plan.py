# The basal rate in force, and how long it holds. Flex patterns follow the calendar, a titration the days of delivery, a
# bridge the steps that were pumped; a low reservoir and a reached cap override them. Nothing allocates after a load.
#
# The pattern clock is the local time of day. If the clock is set by up to 12 hours, the pattern does not jump: it runs
# at twice its speed while it is behind and at half while it is ahead. So each step comes once, in order, and the rate
# is always the one that the regimen prescribes for the step that runs. The pattern clock counts half milliseconds.

from array import array

from pump.clock import DAY_MS
from pump.dosing.schedule import NEVER
from pump.wire import MODE_CONTINUOUS, MODE_FLEX, MODE_MINIMUM_RATE, MODE_TITRATION, const

_HALVES = const(2)
_DAY = const(172_800_000)
_MINUTE = const(120_000)
_SLEW_MAX = const(86_400_000)
_SATURDAY = const(5)


class Plan:
    """`num` / `den` is the basal rate in force. It holds for next_ms()."""

    def __init__(self):
        self.num = 0
        self.den = 1
        self._mode = 0
        self._basal_num = 0
        self._basal_den = 1
        self._minimum_num = 0
        self._minimum_den = 1
        self._bridge_num = 0
        self._bridge_den = 1
        self._nums = array("I")
        self._dens = array("I")
        self._minutes = array("H")
        self._flex_rates = array("B")
        self._ends = array("H")
        self._weekdays = bytes(7)
        self._days = array("H")
        self._day_rates = array("B")
        self.bridge_left = 0
        self.known = False
        self._day_number = 0
        self._at = 0
        self.lag = 0
        self._index = 0
        self.titration_day = 0
        self._titration_ms = 0
        self._titration_sum = 0
        self._titration_index = 0
        self.at_minimum = False
        self.closed = False

    def load_therapy(self, therapy, bridge_left, titration_day):
        """Copies the rates of a therapy; a titration begins at `titration_day`."""
        self._mode = therapy.mode
        self._basal_num, self._basal_den = therapy.basal_num, therapy.basal_den
        self._minimum_num, self._minimum_den = therapy.minimum_num, therapy.minimum_den
        self._bridge_num, self._bridge_den = therapy.bridge_num, therapy.bridge_den
        self._nums = array("I", [num for num, _ in therapy.rates])
        self._dens = array("I", [den for _, den in therapy.rates])
        self._minutes = array("H", [minute for _, minute, _ in therapy.flex])
        self._flex_rates = array("B", [rate for _, _, rate in therapy.flex])
        patterns = [pattern for pattern, _, _ in therapy.flex]
        last = [at for at in range(len(patterns)) if patterns[at] not in patterns[at + 1 : at + 2]]
        self._ends = array("H", [at + 1 for at in last])
        self._weekdays = therapy.weekdays
        self._days = array("H", [day for day, _ in therapy.titration])
        self._day_rates = array("B", [rate for _, rate in therapy.titration])
        self.bridge_left = bridge_left
        self.titration_day = titration_day
        self._titration_ms = 0
        self._titration_sum = titration_day
        self._find_titration()
        self._find_index()
        self.select_rate()

    def is_consistent(self, local_days, local_ms):
        """True if the rate in force follows from the rest, and that from the calendar (see integrity/ram_check.py)."""
        if self._titration_ms + self.titration_day != self._titration_sum:
            return False
        if self.known and self._at + self.lag + (self._day_number - local_days) * _DAY != local_ms * _HALVES:
            return False
        held = (self.num, self.den, self._index, self._titration_index)
        self._find_index()
        self._find_titration()
        self.select_rate()
        return held == (self.num, self.den, self._index, self._titration_index)

    def checked(self):
        """Returns what the therapy set (see integrity/checksums.py)."""
        return (
            self._mode,
            self._basal_num,
            self._basal_den,
            self._minimum_num,
            self._minimum_den,
            self._bridge_num,
            self._bridge_den,
            self._nums,
            self._dens,
            self._minutes,
            self._flex_rates,
            self._ends,
            self._weekdays,
            self._days,
            self._day_rates,
        )

    # The pattern clock

    def set_local_time(self, days, ms):
        """Sets the calendar: `days` since 2000-01-01, and `ms` of that day."""
        at = ms * _HALVES
        apart = days - self._day_number
        if self.known and -1 <= apart <= 1:
            lag = apart * _DAY + at - self._at
            if -_SLEW_MAX <= lag <= _SLEW_MAX:
                self.lag = lag
                return
        self.known = True
        self._day_number = days
        self._at = at
        self.lag = 0
        self._find_index()
        self.select_rate()

    def lag_ms(self):
        """Milliseconds between pattern and calendar, either way."""
        return (self.lag if self.lag > 0 else -self.lag) // _HALVES

    def _first_index(self):
        pattern = self._weekdays[(self._day_number + _SATURDAY) % 7]
        return self._ends[pattern - 1] if pattern else 0

    def _end_index(self):
        return self._ends[self._weekdays[(self._day_number + _SATURDAY) % 7]]

    def _find_index(self):
        if self._mode != MODE_FLEX:
            return
        self._index = self._first_index()
        self._advance_index()

    def _advance_index(self):
        end = self._end_index()
        while self._index + 1 < end and self._at >= self._minutes[self._index + 1] * _MINUTE:
            self._index += 1

    def _advance_pattern(self, ms):
        if self.lag > 0:
            self._at += 4 * ms
            self.lag -= 2 * ms
        elif self.lag < 0:
            self._at += ms
            self.lag += ms
        else:
            self._at += _HALVES * ms
        if self._at >= _DAY:
            self._at -= _DAY
            self._day_number += 1
            if self._mode == MODE_FLEX:
                self._index = self._first_index()
        if self._mode == MODE_FLEX:
            self._advance_index()

    def _pattern_ms(self):
        """Milliseconds until the pattern's next step, midnight, or the end of a slew; at least 1."""
        until = _DAY - self._at
        if self._mode == MODE_FLEX and self._index + 1 < self._end_index():
            until = self._minutes[self._index + 1] * _MINUTE - self._at
        if self.lag > 0:
            until = (until + 3) // 4
            slew = (self.lag + 1) // 2
        elif self.lag < 0:
            slew = -self.lag
        else:
            # Pattern and calendar agree, so it counts full milliseconds.
            return until // _HALVES
        return slew if slew < until else until

    # Titration

    def _find_titration(self):
        self._titration_index = 0
        while (
            self._titration_index + 1 < len(self._days) and self.titration_day >= self._days[self._titration_index + 1]
        ):
            self._titration_index += 1

    def _advance_titration(self, ms):
        self._titration_ms += ms
        self._titration_sum += ms
        while self._titration_ms >= DAY_MS:
            self._titration_ms -= DAY_MS
            self._titration_sum -= DAY_MS
            if self.titration_day < 255:
                self.titration_day += 1
                self._titration_sum += 1
            self._find_titration()
            self.select_rate()

    # The rate

    def set_fallbacks(self, closed, at_minimum):
        """Sets whether the basal is closed, and whether it runs at the minimum rate."""
        self.closed = closed
        self.at_minimum = at_minimum
        self.select_rate()

    def fallbacks(self):
        """The arguments of the last set_fallbacks()."""
        return self.closed, self.at_minimum

    def advance(self, ms, running):
        """Advances by `ms`, at most next_ms()."""
        if self.known:
            index = self._index
            self._advance_pattern(ms)
            if self._index != index:
                self.select_rate()
        if running and self._mode == MODE_TITRATION:
            self._advance_titration(ms)

    def next_ms(self, running):
        """Milliseconds until the rate may change with time."""
        wake = self._pattern_ms() if self.known else NEVER
        if running and self._mode == MODE_TITRATION and DAY_MS - self._titration_ms < wake:
            wake = DAY_MS - self._titration_ms
        return wake

    def count_pumped(self, steps):
        """Counts steps of the motor: a bridge ends with its last one."""
        if self.bridge_left:
            self.bridge_left = self.bridge_left - steps if self.bridge_left > steps else 0
            self.select_rate()

    def select_rate(self):
        """Sets num and den to the rate in force."""
        if self.closed:
            self.num, self.den = 0, 1
        elif self.at_minimum:
            self.num, self.den = self._minimum_num, self._minimum_den
        elif self.bridge_left:
            self.num, self.den = self._bridge_num, self._bridge_den
        elif self._mode == MODE_CONTINUOUS:
            self.num, self.den = self._basal_num, self._basal_den
        elif self._mode == MODE_FLEX and self.known:
            self._select_from_table(self._flex_rates[self._index])
        elif self._mode == MODE_TITRATION:
            self._select_from_table(self._day_rates[self._titration_index])
        elif self._mode == MODE_MINIMUM_RATE or self._mode == MODE_FLEX:
            # The stated fallback of a flex pattern without a calendar is the minimum rate.
            self.num, self.den = self._minimum_num, self._minimum_den
        else:
            self.num, self.den = 0, 1

    def _select_from_table(self, rate):
        self.num = self._nums[rate]
        self.den = self._dens[rate]
