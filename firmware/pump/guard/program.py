# The dose guard's own reading of a program: from its bytes, with a decoder of its own, into figures that a person
# confirms.
#
# Nothing here is shared with the schedule's side (therapy.py, plan.py, the generated codec). Sums of fractions are
# exact and may need heap integers; they are made at a verify, never while dosing.

from pump.wire import const

_DAY_MS = const(86_400_000)
_HOUR_MS = const(3_600_000)
_MINUTE_MS = const(60_000)
_CAP_DAYS = const(180)
_COUNT_MAX = const(0x3FFFFFFF)
_MINIMUM_RATE = const(1)
_CONTINUOUS = const(2)
_FLEX = const(3)
_TITRATION = const(4)


class _Cursor:
    def __init__(self, data):
        self._data = data
        self._at = 0

    def number(self, size):
        end = self._at + size
        if end > len(self._data):
            raise ValueError
        value = 0
        for at in range(end - 1, self._at - 1, -1):
            value = value << 8 | self._data[at]
        self._at = end
        return value

    def fraction(self):
        num = self.number(4)
        return num, self.number(4)

    def take(self, size):
        start = self._at
        self._at += size
        if self._at > len(self._data):
            raise ValueError
        return bytes(self._data[start : self._at])


class Program:
    """A program as the guard reads it. Raises ValueError when the bytes are none."""

    def __init__(self, data):
        take = _Cursor(data)
        take.number(1)
        self.therapy_id = take.take(8)
        self.drug = take.take(take.number(1))
        self.worth = take.fraction()
        self.volume = take.fraction()
        self.mode = take.number(1)
        self.basal = take.fraction()
        self.minimum = take.fraction()
        self.bolus_rate = take.fraction()
        self.bolus_steps_max = take.number(4)
        self._read_reservoir(take)
        self._read_boluses(take)
        self._read_bridge(take)
        self.caps = [(take.number(2), take.number(4)) for _ in range(take.number(1))]
        self.rates = [take.fraction() for _ in range(take.number(1))]
        self.flex = [(take.number(1), take.number(2), take.number(1)) for _ in range(take.number(2))]
        self.titration = [(take.number(2), take.number(1)) for _ in range(take.number(1))]

    def _read_reservoir(self, take):
        self.reservoir_steps = take.number(4)
        self.low_steps = take.number(4)
        self.empty_steps = take.number(4)
        self.stability_days = take.number(2)
        self.on_low = take.number(1)
        self.on_cap = take.number(1)

    def _read_boluses(self, take):
        self.square_steps_max = take.number(4)
        self.patient_steps = take.number(4)
        self.patient_rate = take.fraction()
        self.lockout_ms = take.number(4)
        self.patient_per_day = take.number(1)
        self.periodic_steps = take.number(4)
        self.period_ms = take.number(4)
        self.periodic_rate = take.fraction()
        self.prime_steps_max = take.number(4)
        self.prime_rate = take.fraction()
        self.path_version = take.number(2)

    def _read_bridge(self, take):
        self.bridge_steps = take.number(4)
        self.bridge = take.fraction()
        self.bridge_worth = take.fraction()
        self.change_permille_max = take.number(2)
        self.weekdays = take.take(7)

    def agrees_with(self, therapy):
        """Whether the schedule's side read the same therapy."""
        return (
            self.mode == therapy.mode
            and self.basal == (therapy.basal_num, therapy.basal_den)
            and self.minimum == (therapy.minimum_num, therapy.minimum_den)
            and self.worth == (therapy.step_ng_num, therapy.step_ng_den)
            and self.caps == therapy.caps
            and self.rates == therapy.rates
            and self.flex == therapy.flex
            and self.titration == therapy.titration
            and self.weekdays == therapy.weekdays
            and self.period_ms == therapy.periodic_ms
            and self.bridge_worth == (therapy.bridge_ng_num, therapy.bridge_ng_den)
            and (self.bolus_steps_max, self.patient_steps, self.periodic_steps, self.bridge_steps)
            == (therapy.bolus_steps_max, therapy.patient_steps, therapy.periodic_steps, therapy.bridge_steps)
        )

    # The reading, as exact fractions of steps

    def _largest_rate(self):
        if self.mode == _CONTINUOUS:
            return self.basal
        if self.mode == _MINIMUM_RATE:
            return self.minimum
        used = []
        if self.mode == _FLEX:
            used = [self.rates[rate] for pattern, _, rate in self.flex if pattern in self.weekdays]
        elif self.mode == _TITRATION:
            used = [self.rates[rate] for _, rate in self.titration]
        largest = (0, 1)
        for rate in used:
            if rate[0] * largest[1] > largest[0] * rate[1]:
                largest = rate
        return largest

    def _pattern_day(self, wanted):
        steps = [(minute, rate) for pattern, minute, rate in self.flex if pattern == wanted]
        total = (0, 1)
        for at, (minute, rate) in enumerate(steps):
            end = steps[at + 1][0] if at + 1 < len(steps) else _DAY_MS // _MINUTE_MS
            num, den = self.rates[rate]
            total = _add(total, ((end - minute) * _MINUTE_MS * num, den))
        return total

    def _days(self):
        """Basal steps of Monday to Sunday."""
        if self.mode != _FLEX:
            num, den = self._largest_rate()
            return [(_DAY_MS * num, den)] * 7
        return [self._pattern_day(pattern) for pattern in self.weekdays]

    def _periodic_per_day(self):
        return self.periodic_steps * (_DAY_MS // self.period_ms) if self.periodic_steps else 0

    def reading(self):
        """Figures of the protocol's `Reading`, from daily_steps to refill_limit without the refill, in its order."""
        days = self._days()
        largest = (0, 1)
        week = (0, 1)
        for day in days:
            week = _add(week, day)
            if day[0] * largest[1] > largest[0] * day[1]:
                largest = day
        periodic = self._periodic_per_day()
        largest = _add(largest, (periodic, 1))
        week = _add(week, (7 * periodic, 1))
        num, den = self._largest_rate()
        return {
            "daily_steps": _floor(largest, (1, 1)),
            "daily_dose_ng": _floor(largest, self.worth),
            "daily_volume_nl": _floor(largest, self.volume),
            "hour_dose_ng": _floor((_HOUR_MS * num, den), self.worth),
            "weekly_dose_ng": _floor(week, self.worth),
            "periodic_dose_ng": _floor((periodic, 1), self.worth),
            "patient_dose_ng": _floor((self.patient_steps * self.patient_per_day, 1), self.worth),
            "bridge_ms": self._bridge_ms(),
            "refill": self._refill(_add(largest, (self.patient_steps * self.patient_per_day, 1))),
        }

    def _bridge_ms(self):
        if not self.bridge_steps:
            return 0
        num, den = self.bridge
        return _floor((self.bridge_steps * den, num), (1, 1))

    def _refill(self, per_day):
        """(whole days from a full reservoir to its refill, what sets them as a RefillLimit)."""
        days, limit = _CAP_DAYS, 2
        if self.stability_days and self.stability_days < days:
            days, limit = self.stability_days, 1
        if per_day[0]:
            by_volume = (self.reservoir_steps - self.low_steps) * per_day[1] // per_day[0]
            if by_volume < days:
                days, limit = by_volume, 0
        return days, limit


def _add(a, b):
    if a[1] == b[1]:
        return a[0] + b[0], a[1]
    return a[0] * b[1] + b[0] * a[1], a[1] * b[1]


def _floor(amount, factor):
    whole = amount[0] * factor[0] // (amount[1] * factor[1])
    return whole if whole < _COUNT_MAX else _COUNT_MAX
