# What the pump watches besides its own steps: the sensors around each activation, and one of them closely every few
# minutes.

from array import array

from pump import wire
from pump.monitoring.battery import Battery
from pump.monitoring.flow import Line, Meter
from pump.monitoring.reservoir import Reservoir
from pump.monitoring.sensors import fitted
from pump.storage.records import UNKNOWN
from pump.wire import const

_HYSTERESIS_MK = const(2_000)


class Monitor:
    def __init__(self, pump):
        self._pump = pump
        self._board = pump.board
        self._since_ms = 0
        # By channel; None where none is fitted.
        self.sensors = fitted(self._board)
        profile = pump.profile
        pressure = self.sensors[wire.SENSOR_PRESSURE]
        self._fitted = [sensor for sensor in self.sensors if sensor is not None]
        self._turn = 0
        clock = pump.clock
        self._line = None if pressure is None else Line(self, profile, clock, pressure)
        self._meter = Meter(self, profile, clock, self._board) if profile.flow_nl_num else None
        self._air = self.sensors[wire.SENSOR_AIR]
        # Alarms that were found and not raised yet, and the detail of each, by the number of its bit.
        self._found = 0
        self._detail = array("i", [0] * 30)
        self.battery = Battery(pump, self.sensors[wire.SENSOR_BATTERY])
        self.reservoir = Reservoir(pump, self.sensors[wire.SENSOR_LEVEL])

    # Around an activation: in the dosing path, nothing allocates

    def pass_time(self, ms):
        self._since_ms += ms
        self.battery.pass_time(ms)

    def before_steps(self):
        """The motor is about to move; return whether it may."""
        if self._line is not None:
            self._line.before()
        if self._meter is not None:
            self._meter.before()
        if self._air is not None:
            self._look_for_air()
        return self._found & wire.ALARMS_SAFE == 0

    def after_steps(self, moved):
        """The motor moved so many steps."""
        if self._line is not None:
            self._line.after(moved)
        if self._meter is not None:
            self._meter.after(moved)

    def begin(self):
        """Delivery begins, or a test volume."""
        if self._line is not None:
            self._line.begin()

    def stray(self, moved):
        """Steps that nothing commanded raise the pressure and move fluid too."""
        if self._line is not None:
            self._line.stray(moved)
        if self._meter is not None:
            self._meter.expect(moved)

    def find(self, alarm, detail):
        """An alarm (one bit) is to be raised when the dosing path is done."""
        self._found |= alarm
        at = 0
        while alarm >> at > 1:
            at += 1
        self._detail[at] = detail

    def _look_for_air(self):
        # Twice, so that no disturbance of a moment stops the pump.
        air, limit = self._air, self._pump.profile.air_mv
        if air.sample() > limit and air.sample() > limit:
            self.find(wire.ALARM_AIR, air.raw_mv)

    # Behind it

    def next_ms(self):
        """Milliseconds until the next round."""
        left = self._pump.profile.sense_ms - self._since_ms
        return left if left > 0 else 0

    def watch(self):
        """Make the round when it is due, and raise what was found."""
        if self._since_ms >= self._pump.profile.sense_ms:
            self._since_ms = 0
            self._round()
        if self._found:
            self._raise()

    def _raise(self):
        found, self._found = self._found, 0
        for at in range(len(self._detail)):
            if found >> at & 1:
                self._pump.alarm(1 << at, self._detail[at])

    def _round(self):
        self.battery.watch()
        self.reservoir.watch()
        if self._line is not None:
            self._line.look()
        if self._meter is not None:
            self._meter.look()
        if self._air is not None:
            self._look_for_air()
        # One sensor in each round is looked at closely: all of them take as many rounds as there are.
        sensor = self._fitted[self._turn]
        self._turn = self._turn + 1 if self._turn + 1 < len(self._fitted) else 0
        sensor.round()
        if sensor.channel == wire.SENSOR_TEMPERATURE and self._hot(0):
            self.find(wire.ALARM_OVER_TEMPERATURE, sensor.value)
        self.judge()

    def judge(self):
        """Raise and end the alarms that follow from what was seen last."""
        for sensor in self.sensors:
            if sensor is not None and sensor.state:
                self._pump.alarm(wire.ALARM_SENSOR_FAULT, sensor.channel)
        if self._meter is not None and self._meter.state:
            self._pump.alarm(wire.ALARM_SENSOR_FAULT, wire.SENSOR_FLOW)
        self.battery.judge()
        self._pump.service.judge()
        self.reservoir.judge()

    def _hot(self, less_mk):
        """Whether a mean is above the limit, less so much."""
        sensor, limit = self.sensors[wire.SENSOR_TEMPERATURE], self._pump.profile.temperature_max_mk - less_mk
        return sensor is not None and sensor.sound() and sensor.value > limit and sensor.mean() > limit

    # Asked

    def broken(self):
        """Sample all; the number of the first sensor that cannot be believed, -1: there is none."""
        broken = -1
        for sensor in self._fitted:
            sensor.mean()
            if broken < 0 and sensor.state:
                broken = sensor.channel
        if broken < 0 and self._meter is not None and self._meter.state:
            broken = wire.SENSOR_FLOW
        return broken

    def present(self):
        """Alarms of the monitor whose cause is there now."""
        causes = self.battery.present() | self.reservoir.present() | self._pump.service.present()
        moving = self._pump.moving()
        if self.broken() >= 0:
            causes |= wire.ALARM_SENSOR_FAULT
        if self._line is not None:
            causes |= self._line.present(moving)
        if self._meter is not None:
            causes |= self._meter.present(moving)
        if self._air is not None and self._air.raw_mv > self._pump.profile.air_mv:
            causes |= wire.ALARM_AIR
        if self._hot(_HYSTERESIS_MK):
            causes |= wire.ALARM_OVER_TEMPERATURE
        return causes

    def rows(self):
        """A fresh mean of every sensor: its number, state, last raw millivolts, last value that could be used."""
        values = {wire.SENSOR_BATTERY: self.battery.mv, wire.SENSOR_LEVEL: self.reservoir.measured}
        rows = []
        for sensor in self._fitted:
            sensor.mean()
            value = values.get(sensor.channel, sensor.value)
            rows.append((sensor.channel, sensor.state, sensor.raw_mv, value if value >= 0 else UNKNOWN))
        if self._meter is not None:
            rows.append((wire.SENSOR_FLOW, self._meter.state, 0, self._board.flow_count()))
        return rows
