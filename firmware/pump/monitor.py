# What the pump watches besides its own steps: a round over all sensors every few minutes.

from pump import wire
from pump.wire import const

_BATTERY = const(0)


class Monitor:
    def __init__(self, pump):
        self._pump = pump
        self._board = pump.board
        self._since_ms = 0
        self.battery_mv = self._board.adc(_BATTERY)

    def pass_time(self, ms):
        self._since_ms += ms

    def next_ms(self):
        """Milliseconds until the next round."""
        left = self._pump.profile.sense_ms - self._since_ms
        return left if left > 0 else 0

    def watch(self):
        """Make the round when it is due."""
        if self._since_ms >= self._pump.profile.sense_ms:
            self._since_ms = 0
            self._round()

    def _round(self):
        self.battery_mv = self._board.adc(_BATTERY)
        if self.battery_mv < self._pump.profile.battery_low_mv:
            self._pump.alarm(wire.ALARM_BATTERY_LOW, self.battery_mv)

    def present(self):
        """Alarms of the monitor whose cause is there now."""
        return wire.ALARM_BATTERY_LOW if self.battery_mv < self._pump.profile.battery_low_mv else 0
