# The analogue sensors: samples, their values, and the check that a sensor is plausible.
#
# Channels of the converter are the numbers of wire.SENSOR_*. The board's configuration names the sensors.

from const import const

from pump import wire

_RAIL_MV = const(3_300)
# The battery is read through a divider by two.
_BATTERY_RAIL_MV = const(6_600)
# As many samples in a row outside its range are a broken lead; fewer are a disturbance.
_BROKEN_SAMPLES = const(3)
# As many rounds in a row, and samples after the last of them, that do not differ by a millivolt are a converter or a
# sensor that stands still: with noise of 1 mV two samples agree in one case of three and a half.
_STUCK_ROUNDS = const(3)
_STILL_SAMPLES = const(16)
_MEAN_SAMPLES = const(4)
_PRODUCT_MAX = const(0x3FFFFFFF)


# On MicroPython a function with more than eleven words of locals and stack takes its frame from the heap, when there is
# any, and that costs more than all it does here: the functions on the dosing path are short on purpose.


class Sensor:
    """Linear between (low_mv, low) and (high_mv, high), and a little beyond. Nothing here allocates.

    `value` is what the last round or mean gave that could be used, -1 before the first; `state` is a SensorState."""

    def __init__(self, board, channel, low_mv, high_mv, low, high):
        self.channel = channel
        rail = _BATTERY_RAIL_MV if channel == wire.SENSOR_BATTERY else _RAIL_MV
        num, den = reduce_fraction(high - low, high_mv - low_mv, _PRODUCT_MAX // rail)
        self._board = board
        # Broken is what lies more than half way from the ends of the range to those of the converter.
        self._range = low_mv // 2, (high_mv + rail) // 2
        self._scale = num, den, low - low_mv * num // den
        self._same = 0
        self._round_mv = -1
        self.raw_mv = -1
        self.value = -1
        self.state = wire.SENSOR_STATE_OK

    def sample(self):
        """The quantity now, or -1 when the sensor cannot be used."""
        raw = self._board.adc(self.channel)
        short, open_ = self._range
        if self.state or not short < raw < open_:
            raw = self._sample_again(raw)
            if raw < 0:
                return -1
        self.raw_mv = raw
        num, den, offset = self._scale
        raw = raw * num // den + offset
        return raw if raw > 0 else 0

    def _sample_again(self, raw):
        """Samples again after a value out of range, or of a sensor that was not usable; -1 if none is usable."""
        short, open_ = self._range
        for _ in range(_BROKEN_SAMPLES - 1):
            if short < raw < open_:
                break
            raw = self._board.adc(self.channel)
        before, self.raw_mv = self.raw_mv, raw
        if raw <= short:
            self.state = wire.SENSOR_STATE_SHORT
        elif raw >= open_:
            self.state = wire.SENSOR_STATE_OPEN
        elif self.state != wire.SENSOR_STATE_STUCK or raw != before or not self.stands_still():
            self.state = wire.SENSOR_STATE_OK
            self._same = 0
            return raw
        return -1

    def sample_round(self):
        """Takes the sample of a round, stores it as `value`, and checks that the sensor does not stand still."""
        value = self.sample()
        if value < 0:
            return -1
        self.value = value
        self._same = self._same + 1 if self.raw_mv == self._round_mv else 0
        self._round_mv = self.raw_mv
        return -1 if self._same >= _STUCK_ROUNDS and self.stands_still() else value

    def stands_still(self):
        """True if many samples do not differ from the last: the sensor is stuck then."""
        for _ in range(_STILL_SAMPLES):
            if self._board.adc(self.channel) != self.raw_mv:
                return False
        self.state = wire.SENSOR_STATE_STUCK
        return True

    def sample_mean(self):
        """Returns the mean of a few samples and stores it as `value`; -1 if one of them cannot be used."""
        total = 0
        for _ in range(_MEAN_SAMPLES):
            value = self.sample()
            if value < 0:
                return -1
            total += value
        self.value = total // _MEAN_SAMPLES
        return self.value

    def is_usable(self):
        return self.state == wire.SENSOR_STATE_OK


def reduce_fraction(num, den, most):
    """The fraction in lowest terms, shortened until both parts are at most `most`. Neither is 0."""
    a, b = num, den
    while b:
        a, b = b, a % b
    num //= a
    den //= a
    while num > most or den > most:
        num >>= 1
        den >>= 1
    return num if num else 1, den if den else 1


def fitted_sensors(board):
    """The sensors by channel; None for one that is not fitted."""
    config = board.config
    return (
        Sensor(board, wire.SENSOR_BATTERY, 500, 6_100, 500, 6_100),
        _linear(board, wire.SENSOR_LEVEL, "level", ""),
        _linear(board, wire.SENSOR_PRESSURE, "pressure", "_pa"),
        _linear(board, wire.SENSOR_TEMPERATURE, "temperature", "_mk"),
        Sensor(board, wire.SENSOR_AIR, 100, 3_200, 100, 3_200) if "air_mv" in config else None,
    )


def _linear(board, channel, name, unit):
    config = board.config
    if name + "_low_mv" not in config:
        return None
    return Sensor(
        board,
        channel,
        config[name + "_low_mv"],
        config[name + "_high_mv"],
        config[name + "_low" + unit],
        config[name + "_high" + unit],
    )
