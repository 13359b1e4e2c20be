# What the pump watches besides its own steps: a round over all sensors every few minutes.

from pump import wire
from pump.sensors import fitted
from pump.wire import const

_BATTERY = const(0)


class Monitor:
    def __init__(self, pump):
        self._pump = pump
        self._board = pump.board
        self._since_ms = 0
        # By channel; None where none is fitted.
        self.sensors = fitted(self._board)
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

    def rows(self):
        """A fresh sample of every sensor: its number, state, raw millivolts, last value that could be used."""
        rows = []
        for sensor in self.sensors:
            if sensor is not None:
                sensor.sample()
                rows.append((sensor.channel, sensor.state, sensor.raw_mv, max(sensor.value, 0)))
        if self._pump.profile.flow_nl_num:
            rows.append((wire.SENSOR_FLOW, wire.SENSOR_STATE_OK, 0, self._board.flow_count()))
        return rows
