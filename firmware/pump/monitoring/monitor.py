# What the pump watches besides its own steps: a round of all sensors every few minutes, and one of them closely.

from const import const

from pump import wire
from pump.part import Part
from pump.storage.records import UNKNOWN

_HYSTERESIS_MK = const(2_000)


class Monitor(Part):
    """Makes the rounds, and raises and ends the alarms that follow from them. `sensors` go by channel; one that is not
    fitted is None."""

    def __init__(self, board, profile, sensors, line, battery, reservoir, service, effects):
        self._board = board
        self._profile = profile
        self._since_ms = 0
        self._sensors = sensors
        self._fitted = [sensor for sensor in sensors if sensor is not None]
        self._turn = 0
        self._line = line
        self._effects = effects
        self.battery = battery
        self.reservoir = reservoir
        self.service = service

    def pass_time(self, ms):
        self._since_ms += ms

    def next_ms(self):
        """Milliseconds until the next round."""
        left = self._profile.sense_ms - self._since_ms
        return left if left > 0 else 0

    def watch(self):
        """Makes the round when it is due, and raises what was found."""
        if self._since_ms >= self._profile.sense_ms:
            self._since_ms = 0
            self._make_round()
        if self._line.found:
            self._line.raise_found(self._effects)

    def take_first_samples(self):
        """Samples what later samples are compared with: the flow meter, the battery, the level."""
        self._line.start_counting()
        self.battery.fill_samples()
        self.reservoir.fill_samples()

    def _make_round(self):
        self.battery.add_sample()
        self.reservoir.add_sample()
        self._line.sample_between_steps()
        # One sensor in each round is looked at closely: all of them take as many rounds as there are.
        sensor = self._fitted[self._turn]
        self._turn = self._turn + 1 if self._turn + 1 < len(self._fitted) else 0
        sensor.sample_round()
        if sensor.channel == wire.SENSOR_TEMPERATURE and self._is_hot(0):
            self._line.add_finding(wire.ALARM_OVER_TEMPERATURE, sensor.value)
        self.update_alarms()

    def update_alarms(self):
        """Raises and ends the alarms that follow from what was seen last."""
        for sensor in self._fitted:
            if sensor.state:
                self._effects.raise_alarm(wire.ALARM_SENSOR_FAULT, sensor.channel)
        if self._meter_state():
            self._effects.raise_alarm(wire.ALARM_SENSOR_FAULT, wire.SENSOR_FLOW)
        self.battery.update_alarms()
        self.service.update_alarms()
        self.reservoir.update_alarms()

    def _meter_state(self):
        meter = self._line.meter
        return wire.SENSOR_STATE_OK if meter is None else meter.state

    def _is_hot(self, less_mk):
        """True if the mean temperature is above the limit less `less_mk`."""
        sensor, limit = self._sensors[wire.SENSOR_TEMPERATURE], self._profile.temperature_max_mk - less_mk
        return sensor is not None and sensor.is_usable() and sensor.value > limit and sensor.sample_mean() > limit

    # Queries

    def find_broken_sensor(self):
        """Samples all; returns the number of the first sensor that is not plausible, or -1."""
        broken = -1
        for sensor in self._fitted:
            sensor.sample_mean()
            if broken < 0 and sensor.state:
                broken = sensor.channel
        return wire.SENSOR_FLOW if broken < 0 and self._meter_state() else broken

    def lasting_alarms(self, moving):
        """Alarms of the monitor whose cause lasts, on a pump that is `moving` or not."""
        lasting = self.battery.lasting_alarms() + self.reservoir.lasting_alarms()
        lasting.extend(self.service.lasting_alarms())
        if self.find_broken_sensor() >= 0:
            lasting.append(wire.ALARM_SENSOR_FAULT)
        lasting.extend(self._line.lasting_alarms(moving))
        if self._is_hot(_HYSTERESIS_MK):
            lasting.append(wire.ALARM_OVER_TEMPERATURE)
        return lasting

    def rows(self):
        """A fresh mean of every sensor: its number, state, last raw millivolts, last value that could be used."""
        values = {wire.SENSOR_BATTERY: self.battery.mv, wire.SENSOR_LEVEL: self.reservoir.measured}
        rows = []
        for sensor in self._fitted:
            sensor.sample_mean()
            value = values.get(sensor.channel, sensor.value)
            rows.append((sensor.channel, sensor.state, sensor.raw_mv, value if value >= 0 else UNKNOWN))
        if self._line.meter is not None:
            rows.append((wire.SENSOR_FLOW, self._line.meter.state, 0, self._board.flow_count()))
        return rows
