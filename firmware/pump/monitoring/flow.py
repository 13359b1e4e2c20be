# The flow through the catheter, compared with the steps: by the pressure in the line, and by a flow meter if one is
# fitted.
#
# Both are sampled just before and just after each activation, inside the dosing path: nothing here allocates. What they
# find goes to the LineWatch, until the monitor raises it behind the dosing path.

from array import array

from const import const

from pump import wire
from pump.monitoring.sensors import reduce_fraction
from pump.small_int import mul_div

_MASK = const(0x3FFFFFFF)
# Standard atmosphere (ISO 2533): what an absolute sensor reads above is the line's.
_ATMOSPHERE_PA = const(101_325)
_PA_MAX = const(0x3FFFF)
# 4096 / ln 2: milliseconds over the time constant, in 4096ths of a halving.
_HALVINGS = const(5_909)
_MS_MAX = const(180_000)
# Steps of one block; the baseline is the lowest of this block and the one before.
_BLOCK = const(16)
# A change of the residual pressure that neither posture nor steps explain begins a new baseline.
_JUMP_PA = const(4_000)
# A mean of the rises is that of so many blocks of steps; the last block says whether it is still so.
_LEAK_BLOCK = const(8)
_LEAK_BLOCKS = const(4)
_LEAK_PERCENT = const(60)
_BUCKETS = const(20)
# Twenty times 45 s is a quarter of an hour, and twenty times ten steps are the least that is judged.
_BUCKET_MS = const(45_000)
_BUCKET_STEPS = const(10)
_METER_RECENT = const(3)
_RATIO_MAX = const(4_000)
_RAN_MAX = const(10_000)


def decayed(pa, ms, tau_ms):
    """The rest of a pressure of at most 2^18 Pa after `ms`: pa * exp(-ms / tau). Small ints only."""
    while ms > _MS_MAX:
        ms >>= 1
        tau_ms >>= 1
    if tau_ms == 0:
        return 0
    halvings = ms * _HALVINGS // tau_ms
    pa >>= halvings >> 12
    part = halvings & 0xFFF
    # 2^-x = 1 - x * (0.6931 - x * (0.2402 - 0.0471 x)) between 0 and 1: exact at both ends, else within a thousandth.
    part = part * (2_839 - (part * (984 - (part * 193 >> 12)) >> 12)) >> 12
    return pa - (pa * part >> 12)


class Line:
    """The pressure at the catheter's inlet against that of a catheter that is open.

    A step raises it by `rise` and the catheter takes it away with its time constant: `_model` is what is left of all
    steps so far, at any rate, after any bolus and any stop. What the sensor reads above it (`excess`) is the pressure
    at the tip, whatever the posture makes of it, and stays where it is; in an occlusion it grows with every step."""

    def __init__(self, watch, profile, clock, sensor):
        rise, tau_ms = profile.rise_pa, profile.catheter_ms
        # A step as it is seen at the end of its motion, and what the older pressure loses meanwhile, in 4096ths.
        self._seen = decayed(rise, profile.step_ms, tau_ms)
        self._drop = 4_096 - decayed(4_096, profile.step_ms, tau_ms)
        self._rise = rise
        self._tau_ms = tau_ms
        self._clock = clock
        self._watch = watch
        self._sensor = sensor
        self._limit = _ATMOSPHERE_PA + profile.occlusion_pa
        self._margin = max(profile.occlusion_rise_pa, 2 * rise)
        # The most that two steps at once may raise the pressure by, and half as much again.
        self._jump = 3 * rise + _JUMP_PA
        self._model = 0
        self._at = clock.ticks()
        self._pa = -1
        # Above it the slow way looks closer. The baseline is the lowest excess of this block of steps and the last.
        self._alert = 0
        self._excess = 0
        self._low = 0
        self._low_before = 0
        self._count = 0
        # Where the baseline was when an occlusion was found.
        self._base = _ATMOSPHERE_PA
        self._short = 0
        self._steps = 0
        self._short_before = 0
        self._blocks = 0
        self._leaking = False

    def _pass_time(self):
        now = self._clock.ticks()
        self._model = decayed(self._model, (now - self._at) & _MASK, self._tau_ms)
        self._at = now

    # sample_before() and sample_after() use few locals, one name for several values in turn: a frame with more of them
    # comes from the heap on the 32-bit build, and made a sample cost 12 700 instructions instead of 7 500.

    def sample_before(self):
        """Samples just before the motor moves."""
        now = self._clock.ticks()
        excess = decayed(self._model, (now - self._at) & _MASK, self._tau_ms)
        self._model = excess
        self._at = now
        now = self._sensor.sample()
        self._pa = now
        excess = now - excess
        if excess > self._alert or now < 0:
            self._look_closer(now, excess)
        elif excess < self._low:
            self._low = excess
            self._set_alert()
        self._excess = excess
        now = self._count - 1
        self._count = now
        if now <= 0:
            self._next_block(excess)

    def _next_block(self, excess):
        self._count = _BLOCK
        self._low_before = self._low
        self._low = excess
        self._set_alert()

    def _set_alert(self):
        # No higher than where the threshold may be passed.
        alert = min(self._low, self._low_before) + self._margin
        self._alert = min(alert, self._limit - self._margin)

    def _rebase(self, excess):
        """Begins a new baseline at `excess`."""
        self._low = excess
        self._low_before = excess
        self._count = _BLOCK
        self._set_alert()

    def _look_closer(self, pa, excess):
        if pa < 0:
            # Not judged; what follows has a baseline of its own.
            self._alert = 0
            self._steps = 0
            self._short = 0
            self._short_before = 0
            self._blocks = 0
        elif pa > self._limit and self._sensor.sample() > self._limit:
            self._find_occlusion(pa)
        elif self._alert == 0 or excess - self._excess > self._jump:
            self._rebase(excess)
        elif excess - min(self._low, self._low_before) > self._margin + (self._model >> 1):
            self._base = min(self._low, self._low_before)
            self._find_occlusion(pa)

    def _find_occlusion(self, pa):
        self._watch.add_finding(wire.ALARM_OCCLUSION, pa)
        self._alert = 0

    def sample_after(self, moved):
        """Samples just after the motor moved `moved` steps."""
        model = self._model
        before = self._pa
        rise = model + moved * self._rise
        self._model = rise if rise < _PA_MAX else _PA_MAX
        # Every other activation is enough for a mean, and half the cost.
        if self._count & 1 or before < 0 or moved == 0:
            return
        before = self._sensor.sample() - before
        if self._sensor.state:
            return
        # Below zero when the rises are less than so many percent of what they should be.
        self._short += before * 100 - (moved * self._seen - (model * self._drop >> 12)) * _LEAK_PERCENT
        moved += self._steps
        self._steps = moved
        if moved >= _LEAK_BLOCK:
            self._end_block()

    def add_stray(self, moved):
        """Adds steps that nothing commanded, made just now."""
        self._pass_time()
        rise = self._model + moved * self._rise
        self._model = rise if rise < _PA_MAX else _PA_MAX

    def _end_block(self):
        leaking = self._short < 0
        if leaking or self._leaking:
            # The model of an open line does not hold while it leaks, nor its baseline after.
            self._alert = 0
        self._leaking = leaking
        self._short_before += self._short
        self._blocks += 1
        self._steps = 0
        self._short = 0
        if self._blocks >= _LEAK_BLOCKS:
            # A sensor that stands still shows no rises either.
            if self._short_before < 0 and not self._sensor.stands_still():
                self._watch.add_finding(wire.ALARM_LEAK, 0)
            self._short_before = 0
            self._blocks = 0

    def clear_baseline(self):
        """Drops the baseline: after a rest it says little."""
        self._alert = 0

    def check_limit(self):
        """Samples between steps, and compares with the limit alone."""
        self._pass_time()
        if self._sensor.sample() > self._limit:
            pa = self._sensor.sample_mean()
            if pa > self._limit:
                self._find_occlusion(pa)

    def lasting_alarms(self, moving):
        """Alarms whose cause lasts."""
        lasting = []
        pa = self._sensor.sample_mean()
        self._pass_time()
        if pa >= 0 and (pa > self._limit or pa - self._model - self._base > self._margin * 2 // 3):
            lasting.append(wire.ALARM_OCCLUSION)
        if moving and self._leaking and self._sensor.is_usable():
            lasting.append(wire.ALARM_LEAK)
        return lasting


class Meter:
    """The flow meter against the steps: twenty buckets of time and steps, and what runs between two activations."""

    def __init__(self, watch, profile, clock, board):
        self._watch = watch
        self._clock = clock
        self._board = board
        # Counts of a step, as a fraction and rounded up.
        num, flow_num = reduce_fraction(profile.step_nl_num, profile.flow_nl_num, _RATIO_MAX)
        flow_den, den = reduce_fraction(profile.flow_nl_den, profile.step_nl_den, _RATIO_MAX)
        self._num, self._den = reduce_fraction(num * flow_den, den * flow_num, _RATIO_MAX)
        self._step_counts = (self._num + self._den - 1) // self._den
        self._last = 0
        self._looked = 0
        self._tail = 0
        self._all_steps = array("i", [0] * _BUCKETS)
        self._all_counts = array("i", [0] * _BUCKETS)
        self._filled = 0
        self._at = 0
        self._began = clock.ticks()
        self._steps = 0
        self._counts = 0
        self._flows = False
        self.state = wire.SENSOR_STATE_OK

    def start_counting(self):
        """Starts to count at the present reading."""
        self._last = self._board.flow_count()
        self._looked = self._last

    def _since(self, before):
        """Counts since `before`; a meter that restarted counts none."""
        passed = (self._board.flow_count() - before) & _MASK
        return passed if passed <= _MASK // 2 else 0

    def _count_new(self):
        """Counts since the last call, bounded so that sums stay small."""
        ran = self._since(self._last)
        self._last = (self._last + ran) & _MASK
        return ran if ran < _RAN_MAX else _RAN_MAX

    def sample_before(self):
        self._counts += self._count_idle()

    def _count_idle(self):
        """Returns the counts since the last activation; half a step more than its tail is free flow."""
        ran = self._count_new()
        if self.state:
            # It stood still, and what it says first counts for nothing.
            self.state = wire.SENSOR_STATE_STUCK if ran == 0 else wire.SENSOR_STATE_OK
            return 0
        self._tail -= ran
        if self._tail < -(self._step_counts + 1 >> 1):
            self._watch.add_finding(wire.ALARM_FREE_FLOW, -self._tail)
            # Free flow has its own alarm, so the window of the steps restarts.
            self._tail = 0
            self._steps = 0
            self._counts = 0
            self._filled = 0
            return 0
        return ran

    def sample_after(self, moved):
        ran = self._count_new()
        # What the line's compliance holds back comes later. What ran before is remembered, less a count for each step:
        # so little, or what a step moves too much, is over-infusion and judged as that.
        late = moved * self._step_counts - ran
        self._tail = (self._tail if self._tail < 0 else 0) + (late if late > 0 else 0) + moved
        self._counts += ran
        self._steps += moved
        if self._steps >= _BUCKET_STEPS and (self._clock.ticks() - self._began) & _MASK >= _BUCKET_MS:
            self._close_bucket()

    def expect_steps(self, moved):
        """Adds steps that nothing commanded: they moved fluid too."""
        self._tail += moved * self._step_counts

    def _close_bucket(self):
        at = self._at
        self.state = wire.SENSOR_STATE_OK if self._counts else wire.SENSOR_STATE_STUCK
        self._all_steps[at] = self._steps
        self._all_counts[at] = self._counts
        self._at = at + 1 if at + 1 < _BUCKETS else 0
        self._steps = 0
        self._counts = 0
        self._began = self._clock.ticks()
        self._filled += 1
        if self._filled >= _BUCKETS:
            self._judge_buckets()

    def _judge_buckets(self):
        steps = 0
        counts = 0
        for at in range(_BUCKETS):
            steps += self._all_steps[at]
            counts += self._all_counts[at]
        found = self._flow_alarm(steps, counts)
        if found:
            # In thousandths of what the steps should have moved.
            self._watch.add_finding(found, mul_div(1_000, counts * self._den, steps * self._num)[0])
            self._filled = 0

    def _flow_alarm(self, steps, counts):
        tenths = 10 * counts * self._den
        due = steps * self._num
        if tenths > 11 * due:
            return wire.ALARM_OVER_INFUSION
        return wire.ALARM_UNDER_INFUSION if tenths < 9 * due else wire.ALARM_NONE

    def check_idle_flow(self):
        """Counts between steps."""
        self._flows = self._since(self._looked) > 1
        self._looked = (self._looked + self._since(self._looked)) & _MASK
        self._counts += self._count_idle()

    def lasting_alarm(self, moving):
        """The alarm whose cause lasts, or ALARM_NONE. A pump that stands can give neither too much nor too little."""
        if not moving:
            return wire.ALARM_FREE_FLOW if self._flows or self._since(self._looked) > 1 else wire.ALARM_NONE
        if self._steps >= _METER_RECENT:
            return self._flow_alarm(self._steps, self._counts)
        at = (self._at if self._at else _BUCKETS) - 1
        return self._flow_alarm(self._all_steps[at], self._all_counts[at]) if self._all_steps[at] else wire.ALARM_NONE
