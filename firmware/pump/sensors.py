# The analogue sensors: a sample, what it means, and whether the sensor can be believed.
#
# Channels of the converter are the numbers of wire.SENSOR_*. Which sensors there are says the board's configuration.

from pump import wire
from pump.wire import const

_RAIL_MV = const(3_300)
# The battery is read through a divider by two.
_BATTERY_RAIL_MV = const(6_600)
# As many samples in a row outside its range are a broken lead; fewer are a disturbance.
_BROKEN_SAMPLES = const(3)
# As many samples in a row that do not differ by a millivolt are a converter or a sensor that stands still: with noise
# of 1 mV two agree in one case of four, so that this many never do.
_STUCK_SAMPLES = const(32)
_PRODUCT_MAX = const(0x3FFFFFFF)


class Sensor:
    """Linear between (low_mv, low) and (high_mv, high), and a little beyond. sample() allocates nothing.

    `value` is that of the last sample that could be used, -1 before the first; `state` is a SensorState."""

    def __init__(self, board, channel, low_mv, high_mv, low, high):
        self._board = board
        self.channel = channel
        rail = _BATTERY_RAIL_MV if channel == wire.SENSOR_BATTERY else _RAIL_MV
        # Half way from the ends of its range to those of the converter.
        self._short_mv = low_mv // 2
        self._open_mv = (high_mv + rail) // 2
        num, den = _reduced(high - low, high_mv - low_mv, rail)
        self._num = num
        self._den = den
        self._low_mv = low_mv
        self._low = low
        self._bad = 0
        self._same = 0
        self.raw_mv = -1
        self.value = -1
        self.state = wire.SENSOR_STATE_OK

    def sample(self):
        """The quantity now, or -1 when this sample cannot be used."""
        raw = self._board.adc(self.channel)
        self._same = self._same + 1 if raw == self.raw_mv else 1
        self.raw_mv = raw
        if raw <= self._short_mv or raw >= self._open_mv:
            self._bad += 1
            if self._bad >= _BROKEN_SAMPLES:
                self.state = wire.SENSOR_STATE_SHORT if raw <= self._short_mv else wire.SENSOR_STATE_OPEN
            return -1
        self._bad = 0
        if self._same >= _STUCK_SAMPLES:
            self.state = wire.SENSOR_STATE_STUCK
            return -1
        self.state = wire.SENSOR_STATE_OK
        value = self._low + (raw - self._low_mv) * self._num // self._den
        self.value = value if value > 0 else 0
        return self.value

    def sound(self):
        return self.state == wire.SENSOR_STATE_OK


def _reduced(num, den, mv_max):
    """The fraction in a form whose product with a number of millivolts is a small int."""
    a, b = num, den
    while b:
        a, b = b, a % b
    num //= a
    den //= a
    while num > _PRODUCT_MAX // mv_max:
        num >>= 1
        den >>= 1
    return num, den


def fitted(board):
    """The sensors by channel; None where there is none."""
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
