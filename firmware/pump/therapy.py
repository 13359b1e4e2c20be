# A therapy: decoded from its bytes, checked against this pump, and read back in the pump's own words.

from pump import wire
from pump.clock import DAY_MS
from pump.whole import mul_div
from pump.wire import const

_HOUR_MS = const(3_600_000)
_CAP_DAYS = const(180)
_FORMAT = const(1)


class Therapy:
    """Fields as in the protocol's `Therapy`. Raises ValueError when the bytes are no therapy."""

    def __init__(self, program):
        fields = wire.unpack_therapy(program, 0, len(program))
        (self.format, self.therapy_id, self.drug) = fields[:3]
        (self.step_ng_num, self.step_ng_den, self.step_nl_num, self.step_nl_den) = fields[3:7]
        (self.mode, self.basal_num, self.basal_den, self.minimum_num, self.minimum_den) = fields[7:12]
        (self.bolus_num, self.bolus_den, self.bolus_steps_max) = fields[12:15]
        (self.hour_ng_max, self.day_ng_max) = fields[15:17]
        (self.reservoir_steps, self.low_steps, self.empty_steps) = fields[17:20]
        (self.stability_days, self.on_low) = fields[20:22]

    def rate(self):
        """The basal fraction of its mode."""
        if self.mode == wire.MODE_CONTINUOUS:
            return self.basal_num, self.basal_den
        if self.mode == wire.MODE_MINIMUM_RATE:
            return self.minimum_num, self.minimum_den
        return 0, 1

    def check(self, profile):
        """Return (reason, detail): wire.REASON_DONE, or the first rule of this pump that the therapy breaks."""
        for rule in (self._check_form, self._check_rates, self._check_bolus, self._check_volumes, self._check_caps):
            reason, detail = rule(profile)
            if reason != wire.REASON_DONE:
                return reason, detail
        return wire.REASON_DONE, 0

    def _check_form(self, _profile):
        if self.format != _FORMAT:
            return wire.REASON_THERAPY_FORMAT, self.format
        if self.mode > wire.MODE_CONTINUOUS:
            return wire.REASON_THERAPY_MODE, self.mode
        if self.on_low > wire.ON_LOW_STOP:
            return wire.REASON_THERAPY_FORMAT, self.on_low
        fractions = (
            (self.step_ng_num, self.step_ng_den),
            (self.step_nl_num, self.step_nl_den),
            (self.minimum_num, self.minimum_den),
            (self.bolus_num, self.bolus_den),
            (self.basal_num, self.basal_den),
        )
        for at, (num, den) in enumerate(fractions):
            idle = num == 0 and at == 4 and self.mode != wire.MODE_CONTINUOUS
            if not (1 <= num <= wire.FRACTION_MAX or idle) or not 1 <= den <= wire.FRACTION_MAX:
                return wire.REASON_THERAPY_FRACTION, at
        return wire.REASON_DONE, 0

    def _check_rates(self, profile):
        if self.minimum_num == 0 or _less(
            self.minimum_num, self.minimum_den, profile.rate_min_num, profile.rate_min_den
        ):
            return wire.REASON_RATE_BELOW_MINIMUM, 1
        if _less(profile.rate_max_num, profile.rate_max_den, self.minimum_num, self.minimum_den):
            return wire.REASON_RATE_ABOVE_MAXIMUM, 1
        if self.mode != wire.MODE_CONTINUOUS:
            return wire.REASON_DONE, 0
        if _less(self.basal_num, self.basal_den, profile.rate_min_num, profile.rate_min_den):
            return wire.REASON_RATE_BELOW_MINIMUM, 0
        if _less(profile.rate_max_num, profile.rate_max_den, self.basal_num, self.basal_den):
            return wire.REASON_RATE_ABOVE_MAXIMUM, 0
        return wire.REASON_DONE, 0

    def _check_bolus(self, profile):
        if self.bolus_steps_max > profile.bolus_steps_max:
            return wire.REASON_BOLUS_SIZE, profile.bolus_steps_max
        if _less(profile.rate_max_num, profile.rate_max_den, self.bolus_num, self.bolus_den):
            return wire.REASON_BOLUS_RATE, 0
        return wire.REASON_DONE, 0

    def _check_volumes(self, profile):
        if mul_div(self.step_nl_num, profile.step_nl_den, profile.step_nl_num) != (self.step_nl_den, 0):
            return wire.REASON_STEP_VOLUME, profile.step_nl_num
        if self.reservoir_steps > profile.reservoir_steps_max:
            return wire.REASON_RESERVOIR_SIZE, profile.reservoir_steps_max
        if not self.empty_steps <= self.low_steps < self.reservoir_steps:
            return wire.REASON_LEVEL_ORDER, self.low_steps
        return wire.REASON_DONE, 0

    def _check_caps(self, profile):
        if not 1 <= self.hour_ng_max <= wire.COUNT_MAX or not 1 <= self.day_ng_max <= wire.COUNT_MAX:
            return wire.REASON_CAP_MISSING, 0
        if self._steps(self.hour_ng_max) > profile.hard_hour_steps:
            return wire.REASON_CAP_ABOVE_HARD, 0
        if self._steps(self.day_ng_max) > profile.hard_day_steps:
            return wire.REASON_CAP_ABOVE_HARD, 1
        num, den = self.rate()
        # One step more than the mean can fall into a window, and one bucket of the guard's windows counts twice.
        if self._steps(self.hour_ng_max) < mul_div(_HOUR_MS + _HOUR_MS // 240, num, den)[0] + 1:
            return wire.REASON_CAP_BELOW_BASAL, 0
        if self._steps(self.day_ng_max) < mul_div(DAY_MS + DAY_MS // 240, num, den)[0] + 1:
            return wire.REASON_CAP_BELOW_BASAL, 1
        return wire.REASON_DONE, 0

    def _steps(self, nanograms):
        return mul_div(nanograms, self.step_ng_den, self.step_ng_num)[0]

    def per_window(self, window_ms, worth_num, worth_den):
        """floor(window * rate * worth), exactly: steps in a window, or what they are worth."""
        num, den = self.rate()
        steps, rest = mul_div(window_ms, num, den)
        whole, part = mul_div(steps, worth_num, worth_den)
        # (steps + rest / den) * worth = whole + (part + rest * worth_num / den) / worth_den
        return whole + (part + mul_div(rest, worth_num, den)[0]) // worth_den

    def refill(self):
        """Whole days from a full reservoir to its refill, and what sets them."""
        days = _CAP_DAYS
        limit = wire.REFILL_LIMIT_CAP
        if self.stability_days and self.stability_days < days:
            days = self.stability_days
            limit = wire.REFILL_LIMIT_STABILITY
        num, den = self.rate()
        if num:
            usable = self.reservoir_steps - self.low_steps
            by_volume = self._days(usable, num, den)
            if by_volume < days:
                days = by_volume
                limit = wire.REFILL_LIMIT_VOLUME
        return days, limit

    def _days(self, steps, num, den):
        days = 0
        while days < _CAP_DAYS and _covers(steps, days + 1, num, den):
            days += 1
        return days


def _covers(steps, days, num, den):
    # Whether `steps` last for `days`: days * DAY_MS * num / den <= steps, one day at a time so that nothing overflows.
    need, rest = mul_div(DAY_MS, num, den)
    whole, part = mul_div(rest, days, den)
    total = need * days + whole
    return total < steps or (total == steps and part == 0)


def _less(a_num, a_den, b_num, b_den):
    """a < b for positive fractions, by comparing their continued parts: no product is formed."""
    while True:
        a_whole, a_rest = a_num // a_den, a_num % a_den
        b_whole, b_rest = b_num // b_den, b_num % b_den
        if a_whole != b_whole:
            return a_whole < b_whole
        if b_rest == 0:
            return False
        if a_rest == 0:
            return True
        # a_rest/a_den < b_rest/b_den  <=>  b_den/b_rest < a_den/a_rest
        a_num, a_den, b_num, b_den = b_den, b_rest, a_den, a_rest
