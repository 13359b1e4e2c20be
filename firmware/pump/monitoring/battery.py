# The battery's levels. They follow the mean of ten samples and have hysteresis, so that noise never makes them flap.

from array import array

from const import const

from pump import wire

_SAMPLES = const(10)


class Battery:
    """`mv` is the mean of the last ten samples, each as it would be without the load of a motor step before it."""

    def __init__(self, sensor, profile, line, service, effects):
        self._sensor = sensor
        self._profile = profile
        self._line = line
        self._service = service
        self._effects = effects
        self._ring = array("i", [0] * _SAMPLES)
        self._at = 0
        self._sum = 0
        self.mv = 0

    def is_plausible(self):
        return self._sensor.is_usable()

    def add_sample(self):
        """Adds a sample. One far from the mean is a change of supply: ten new samples replace the mean then."""
        before = self.mv
        sample = self._sample()
        if sample < 0:
            self.fill_samples()
            return
        self._add(sample)
        far = sample - before
        if far > self._profile.battery_hysteresis_mv or far < -self._profile.battery_hysteresis_mv:
            self.fill_samples()

    def update_alarms(self):
        """Raises and ends the alarms of the levels. A sensor that is not plausible changes none."""
        if not self._sensor.is_usable():
            return
        effects, profile = self._effects, self._profile
        # The motor is the load that counts here.
        if self.mv - profile.battery_sag_mv < profile.battery_stop_mv:
            effects.raise_alarm(wire.ALARM_BATTERY_EMPTY, self.mv)
        elif not self._is_spent():
            effects.end_alarm(wire.ALARM_BATTERY_EMPTY)
        if self.mv < profile.battery_low_mv:
            self._report_low()
        elif self.mv > profile.battery_low_mv + profile.battery_hysteresis_mv:
            effects.end_alarm(wire.ALARM_BATTERY_LOW)

    def _is_spent(self):
        """True for an empty battery. It recovers without its load, so only one that is not even low is a new one."""
        return self.mv < self._profile.battery_low_mv

    def _report_low(self):
        # A battery that cannot be replaced is low only once: the pump must be replaced then.
        if self._profile.battery_replaceable:
            self._effects.raise_alarm(wire.ALARM_BATTERY_LOW, self.mv)
        else:
            self._service.record_replacement(self.mv)

    def lasting_alarms(self):
        """Alarms whose cause lasts: each stays until its level has ended."""
        profile, lasting = self._profile, []
        if self.mv <= profile.battery_low_mv + profile.battery_hysteresis_mv:
            lasting.append(wire.ALARM_BATTERY_LOW)
        if self._is_spent():
            lasting.append(wire.ALARM_BATTERY_EMPTY)
        return lasting

    def fill_samples(self):
        """Takes ten samples at once."""
        for _ in range(_SAMPLES):
            sample = self._sample()
            if sample >= 0:
                self._add(sample)

    def _sample(self):
        mv = self._sensor.sample()
        if mv >= 0 and self._line.rested_ms < self._profile.battery_rest_ms:
            mv += self._profile.battery_sag_mv
        return mv

    def _add(self, mv):
        if self._sum == 0:
            # The very first sample stands for those that are still missing.
            for at in range(_SAMPLES):
                self._ring[at] = mv
            self._sum = mv * _SAMPLES
        self._sum += mv - self._ring[self._at]
        self._ring[self._at] = mv
        self._at = (self._at + 1) % _SAMPLES
        self.mv = self._sum // _SAMPLES
