# The therapy that dosing decodes from a program with the generated codec, and its check against this pump.

from const import const

from pump import wire
from pump.clock import DAY_MS
from pump.dosing.flex_bound import FlexBound
from pump.small_int import mul_div

_HOUR_MINUTES = const(60)
_DAY_MINUTES = const(1440)
_MINUTE_MS = const(60_000)
_NO_DRUG = (0, 0, 0, 0, 0)
_DONE = (wire.REASON_DONE, 0)


class Therapy:
    """Fields as in the protocol's `Program`, and the worths of its one drug. Raises ValueError when the bytes are no
    program."""

    # What read_program() assigns. Annotations take no byte on a board.
    format: int
    therapy_id: bytes
    drugs: list
    drug_names: bytes
    step_nl_num: int
    step_nl_den: int
    mode: int
    basal_num: int
    basal_den: int
    minimum_num: int
    minimum_den: int
    bolus_num: int
    bolus_den: int
    bolus_steps_max: int
    reservoir_steps: int
    low_steps: int
    empty_steps: int
    stability_days: int
    on_low: int
    on_cap: int
    square_steps_max: int
    patient_steps: int
    patient_num: int
    patient_den: int
    patient_lockout_ms: int
    patient_per_day: int
    periodic_steps: int
    periodic_ms: int
    periodic_num: int
    periodic_den: int
    prime_steps_max: int
    prime_num: int
    prime_den: int
    path_version: int
    path_nl: int
    stall_retry_minutes: int
    bridge_steps: int
    bridge_num: int
    bridge_den: int
    change_permille_max: int
    weekdays: bytes
    caps: list
    rates: list
    flex: list
    titration: list

    def __init__(self, program):
        wire.read_program(self, program, 0, len(program))
        # This firmware counts one drug; check() refuses a program of more.
        drug = self.drugs[0] if self.drugs else _NO_DRUG
        (_, self.step_ng_num, self.step_ng_den, self.bridge_ng_num, self.bridge_ng_den) = drug

    def checked(self):
        """Returns all fields but the names (see integrity/checksums.py)."""
        return (
            self.format,
            self.drugs,
            self.step_ng_num,
            self.step_ng_den,
            self.bridge_ng_num,
            self.bridge_ng_den,
            self.step_nl_num,
            self.step_nl_den,
            self.mode,
            self.basal_num,
            self.basal_den,
            self.minimum_num,
            self.minimum_den,
            self.bolus_num,
            self.bolus_den,
            self.bolus_steps_max,
            self.reservoir_steps,
            self.low_steps,
            self.empty_steps,
            self.stability_days,
            self.on_low,
            self.on_cap,
            self.square_steps_max,
            self.patient_steps,
            self.patient_num,
            self.patient_den,
            self.patient_lockout_ms,
            self.patient_per_day,
            self.periodic_steps,
            self.periodic_ms,
            self.periodic_num,
            self.periodic_den,
            self.prime_steps_max,
            self.prime_num,
            self.prime_den,
            self.path_version,
            self.path_nl,
            self.stall_retry_minutes,
            self.bridge_steps,
            self.bridge_num,
            self.bridge_den,
            self.change_permille_max,
            self.weekdays,
            self.caps,
            self.rates,
            self.flex,
            self.titration,
        )

    def periodic(self):
        """Steps, rate (num, den) and period of the periodic bolus."""
        return self.periodic_steps, self.periodic_num, self.periodic_den, self.periodic_ms

    def fallbacks(self, alarms):
        """(whether the basal is closed, whether it is at the minimum rate) while these alarms are on."""
        low = wire.ALARM_RESERVOIR_LOW in alarms
        cap = wire.ALARM_DOSE_CAP in alarms
        over = wire.ALARM_OVER_INFUSION in alarms
        return (
            bool((low and self.on_low == wire.ON_LOW_STOP) or (cap and self.on_cap == wire.ON_CAP_STOP)),
            bool((low and self.on_low == wire.ON_LOW_MINIMUM_RATE) or cap or over),
        )

    def basal_rates(self):
        """Every basal rate that the mode may run at."""
        if self.mode == wire.MODE_CONTINUOUS:
            rates = [(self.basal_num, self.basal_den)]
        elif self.mode == wire.MODE_MINIMUM_RATE:
            rates = [(self.minimum_num, self.minimum_den)]
        elif self.mode == wire.MODE_FLEX:
            rates = [self.rates[rate] for pattern, _, rate in self.flex if pattern in self.weekdays]
        elif self.mode == wire.MODE_TITRATION:
            rates = [self.rates[rate] for _, rate in self.titration]
        else:
            rates = []
        return rates

    def largest_rate(self):
        largest = (0, 1)
        for rate in self.basal_rates():
            if is_less(largest, rate):
                largest = rate
        return largest

    def check(self, profile):
        """Returns (reason, detail) of the first rule of this pump that the therapy breaks, or of wire.REASON_DONE."""
        rules = (
            self._check_form,
            self._check_fractions,
            self._check_flex,
            self._check_titration,
            self._check_rates,
            self._check_boluses,
            self._check_patient,
            self._check_periodic,
            self._check_priming,
            self._check_bridge,
            self._check_volumes,
            self._check_caps,
        )
        for rule in rules:
            found = rule(profile)
            if found != _DONE:
                return found
        return _DONE

    def _check_form(self, _profile):
        if self.format != wire.PROGRAM_FORMAT:
            return wire.REASON_THERAPY_FORMAT, self.format
        if len(self.drugs) != 1:
            return wire.REASON_DRUG_COUNT, len(self.drugs)
        if self.drugs[0][0] != len(self.drug_names):
            return wire.REASON_THERAPY_FORMAT, len(self.drug_names)
        if self.stall_retry_minutes:
            return wire.REASON_NOT_SUPPORTED, self.stall_retry_minutes
        if self.mode > wire.MODE_TITRATION:
            return wire.REASON_THERAPY_MODE, self.mode
        if self.on_low > wire.ON_LOW_STOP:
            return wire.REASON_THERAPY_FORMAT, self.on_low
        if self.on_cap > wire.ON_CAP_STOP:
            return wire.REASON_THERAPY_FORMAT, self.on_cap
        return _DONE

    def _check_fractions(self, _profile):
        used = [
            (self.step_ng_num, self.step_ng_den, True),
            (self.step_nl_num, self.step_nl_den, True),
            (self.minimum_num, self.minimum_den, True),
            (self.bolus_num, self.bolus_den, self.bolus_steps_max),
            (self.basal_num, self.basal_den, self.mode == wire.MODE_CONTINUOUS),
            (self.patient_num, self.patient_den, self.patient_steps),
            (self.periodic_num, self.periodic_den, self.periodic_steps),
            (self.prime_num, self.prime_den, self.prime_steps_max),
            (self.bridge_num, self.bridge_den, self.bridge_steps),
            (self.bridge_ng_num, self.bridge_ng_den, self.bridge_steps),
        ]
        if len(self.rates) > wire.RATES_MAX:
            return wire.REASON_FLEX_RATE, len(self.rates)
        used += [(num, den, True) for num, den in self.rates]
        for at, (num, den, needed) in enumerate(used):
            if (needed or num or den) and not (1 <= num <= wire.FRACTION_MAX and 1 <= den <= wire.FRACTION_MAX):
                return wire.REASON_THERAPY_FRACTION, at
        return _DONE

    def _check_flex(self, _profile):
        if self.mode != wire.MODE_FLEX:
            return _DONE
        pattern = -1
        for at, (new, start, rate) in enumerate(self.flex):
            if new != pattern:
                if new != pattern + 1 or start != 0 or new >= wire.PATTERNS_MAX:
                    return wire.REASON_FLEX_ORDER, at
                pattern, minute, count = new, -1, 0
            count += 1
            if start <= minute or start >= _DAY_MINUTES or count > wire.FLEX_STEPS_MAX:
                return wire.REASON_FLEX_ORDER, at
            if rate >= len(self.rates):
                return wire.REASON_FLEX_RATE, at
            minute = start
        for at, weekday in enumerate(self.weekdays):
            if weekday > pattern:
                return wire.REASON_WEEKDAY, at
        return _DONE

    def _check_titration(self, _profile):
        if self.mode != wire.MODE_TITRATION:
            return _DONE
        if not 1 <= len(self.titration) <= wire.TITRATION_STEPS_MAX:
            return wire.REASON_TITRATION_ORDER, len(self.titration)
        before = None
        for at, (day, rate) in enumerate(self.titration):
            if rate >= len(self.rates):
                return wire.REASON_FLEX_RATE, at
            if (before is None) != (day == 0) or (before is not None and day <= before[0]) or day > 255:
                return wire.REASON_TITRATION_ORDER, at
            if before is not None and self.change_permille_max and self._rises_too_much(before[1], rate):
                return wire.REASON_TITRATION_CHANGE, at
            before = (day, rate)
        return _DONE

    def _rises_too_much(self, old, new):
        # new > old * (1000 + permille) / 1000, as steps in 2^29 ms: rounding may hide some steps in six days.
        num, den = self.rates[old]
        steps = mul_div(wire.FRACTION_MAX, num, den)[0]
        most = steps + mul_div(steps, self.change_permille_max, 1000)[0] + 2 + self.change_permille_max // 1000
        num, den = self.rates[new]
        return mul_div(wire.FRACTION_MAX, num, den)[0] > most

    def _check_rates(self, profile):
        lowest = (profile.rate_min_num, profile.rate_min_den)
        highest = (profile.rate_max_num, profile.rate_max_den)
        for at, rate in enumerate(self._every_rate()):
            if is_less(rate, lowest):
                return wire.REASON_RATE_BELOW_MINIMUM, at
            if is_less(highest, rate):
                return wire.REASON_RATE_ABOVE_MAXIMUM, at
        return _DONE

    def _every_rate(self):
        """Rates of the fallback, of the mode, and of a bridge."""
        rates = [(self.minimum_num, self.minimum_den)] + self.basal_rates()
        if self.bridge_steps:
            rates.append((self.bridge_num, self.bridge_den))
        return rates

    def is_too_fast(self, num, den, profile):
        """True if a bolus at this rate on top of the largest basal passes the pump's highest rate, by a step a day."""
        basal = max(mul_div(DAY_MS, rate[0], rate[1])[0] for rate in self._every_rate())
        most = mul_div(DAY_MS, profile.rate_max_num, profile.rate_max_den)[0]
        return basal + mul_div(DAY_MS, num, den)[0] > most + 1

    def _check_boluses(self, profile):
        if self.bolus_steps_max > profile.bolus_steps_max or self.square_steps_max > profile.bolus_steps_max:
            return wire.REASON_BOLUS_SIZE, profile.bolus_steps_max
        if self.bolus_steps_max and self.is_too_fast(self.bolus_num, self.bolus_den, profile):
            return wire.REASON_BOLUS_RATE, 0
        return _DONE

    def _check_patient(self, profile):
        if not self.patient_steps:
            return _DONE
        if self.patient_steps > profile.bolus_steps_max:
            return wire.REASON_BOLUS_SIZE, profile.bolus_steps_max
        if self.is_too_fast(self.patient_num, self.patient_den, profile):
            return wire.REASON_BOLUS_RATE, 1
        duration = mul_div(self.patient_steps, self.patient_den, self.patient_num)[0]
        if not duration <= self.patient_lockout_ms <= DAY_MS:
            return wire.REASON_PATIENT_BOLUS, 0
        if not 1 <= self.patient_per_day <= wire.PATIENT_BOLUSES_MAX:
            return wire.REASON_PATIENT_BOLUS, 1
        return _DONE

    def _check_periodic(self, profile):
        if not self.periodic_steps:
            return _DONE
        if self.periodic_steps > profile.bolus_steps_max:
            return wire.REASON_BOLUS_SIZE, profile.bolus_steps_max
        if self.is_too_fast(self.periodic_num, self.periodic_den, profile):
            return wire.REASON_BOLUS_RATE, 2
        duration = mul_div(self.periodic_steps, self.periodic_den, self.periodic_num)[0]
        if not duration < self.periodic_ms <= wire.FRACTION_MAX or self.periodic_ms < _MINUTE_MS:
            return wire.REASON_PERIODIC_BOLUS, 0
        return _DONE

    def _check_priming(self, profile):
        if self.prime_steps_max > profile.bolus_steps_max:
            return wire.REASON_PRIMING, profile.bolus_steps_max
        if self.path_nl > wire.COUNT_MAX:
            return wire.REASON_PRIMING, wire.COUNT_MAX
        highest = (profile.rate_max_num, profile.rate_max_den)
        if self.prime_steps_max and is_less(highest, (self.prime_num, self.prime_den)):
            return wire.REASON_BOLUS_RATE, 3
        return _DONE

    def _check_bridge(self, profile):
        if self.bridge_steps > profile.reservoir_steps_max:
            return wire.REASON_BRIDGE, profile.reservoir_steps_max
        return _DONE

    def _check_volumes(self, profile):
        if mul_div(self.step_nl_num, profile.step_nl_den, profile.step_nl_num) != (self.step_nl_den, 0):
            return wire.REASON_STEP_VOLUME, profile.step_nl_num
        if self.reservoir_steps > profile.reservoir_steps_max:
            return wire.REASON_RESERVOIR_SIZE, profile.reservoir_steps_max
        if not self.empty_steps <= self.low_steps < self.reservoir_steps:
            return wire.REASON_LEVEL_ORDER, self.low_steps
        return _DONE

    def _check_caps(self, profile):
        if len(self.caps) > wire.GUARD_CAPS_MAX:
            return wire.REASON_NOT_SUPPORTED, wire.GUARD_CAPS_MAX
        basal = self._basal_bound()
        short = False
        day = False
        for at, (drug, minutes, nanograms) in enumerate(self.caps):
            if drug >= len(self.drugs):
                return wire.REASON_DRUG_COUNT, len(self.drugs)
            if not 1 <= minutes <= wire.CAP_MINUTES_MAX:
                return wire.REASON_CAP_WINDOW, at
            if not 1 <= nanograms <= wire.COUNT_MAX:
                return wire.REASON_CAP_MISSING, at
            short = short or minutes <= _HOUR_MINUTES
            day = day or minutes == _DAY_MINUTES
            steps = mul_div(nanograms, self.step_ng_den, self.step_ng_num)[0]
            if steps < self._window_steps(basal, minutes * _MINUTE_MS):
                return wire.REASON_CAP_BELOW_BASAL, at
            if steps > _hard_steps(minutes, profile):
                return wire.REASON_CAP_ABOVE_HARD, at
        return _DONE if short and day else (wire.REASON_CAP_MISSING, 0)

    def _basal_bound(self):
        """The largest rate (num, den), and the FlexBound of a flex therapy or None."""
        num, den = self.largest_rate()
        return num, den, FlexBound(self, num, den) if self.mode == wire.MODE_FLEX else None

    def _window_steps(self, basal, window_ms):
        """Most steps of basal and periodic boluses that the guard may find in a window: a bucket counts twice, and a
        step more than the mean may fall into it."""
        num, den, flex = basal
        counted_ms = window_ms + window_ms // 240
        steps = mul_div(counted_ms, num, den)[0] + 1 if flex is None else flex.steps(counted_ms)
        if self.periodic_steps:
            steps += self.periodic_steps * (window_ms // self.periodic_ms + 1)
        return steps


def _hard_steps(minutes, profile):
    """The hard cap of the pump on a window: that of the hour, of the day, or of two days."""
    if minutes <= _HOUR_MINUTES:
        return profile.hard_hour_steps
    return profile.hard_day_steps if minutes <= _DAY_MINUTES else 2 * profile.hard_day_steps


def is_less(a, b):
    """True if a < b for fractions of integers. It compares their continued fractions, so that it forms no product."""
    a_num, a_den = a
    b_num, b_den = b
    while True:
        a_whole, a_rest = a_num // a_den, a_num % a_den
        b_whole, b_rest = b_num // b_den, b_num % b_den
        if a_whole != b_whole:
            return a_whole < b_whole
        if b_rest == 0:
            return False
        if a_rest == 0:
            return True
        # a_rest / a_den < b_rest / b_den is b_den / b_rest < a_den / a_rest
        a_num, a_den, b_num, b_den = b_den, b_rest, a_den, a_rest
