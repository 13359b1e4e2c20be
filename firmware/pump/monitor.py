# What the pump watches besides its own steps: a round over all sensors every few minutes.

from pump import wire
from pump.battery import Battery
from pump.reservoir import Reservoir
from pump.sensors import fitted


class Monitor:
    def __init__(self, pump):
        self._pump = pump
        self._board = pump.board
        self._since_ms = 0
        # By channel; None where none is fitted.
        self.sensors = fitted(self._board)
        self.battery = Battery(pump, self.sensors[wire.SENSOR_BATTERY])
        self.reservoir = Reservoir(pump, self.sensors[wire.SENSOR_LEVEL])

    def pass_time(self, ms):
        self._since_ms += ms
        self.battery.pass_time(ms)

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
        self.battery.watch()
        self.reservoir.watch()
        self.judge()

    def judge(self):
        """Raise and end the alarms that follow from what was seen last."""
        for sensor in self.sensors:
            if sensor is not None and not sensor.sound():
                self._pump.alarm(wire.ALARM_SENSOR_FAULT, sensor.channel)
        self.battery.judge()
        self._pump.service.judge()
        self.reservoir.judge()

    def present(self):
        """Alarms of the monitor whose cause is there now."""
        present = self.battery.present() | self.reservoir.present() | self._pump.service.present()
        for sensor in self.sensors:
            if sensor is not None and not sensor.sound():
                present |= wire.ALARM_SENSOR_FAULT
        return present

    def rows(self):
        """Every sensor: its number, state, raw millivolts, last value that could be used."""
        values = {wire.SENSOR_BATTERY: self.battery.mv, wire.SENSOR_LEVEL: self.reservoir.measured}
        rows = []
        for sensor in self.sensors:
            if sensor is not None:
                sensor.sample()
                value = values.get(sensor.channel, sensor.value)
                rows.append((sensor.channel, sensor.state, sensor.raw_mv, max(value, 0)))
        if self._pump.profile.flow_nl_num:
            rows.append((wire.SENSOR_FLOW, wire.SENSOR_STATE_OK, 0, self._board.flow_count()))
        return rows
