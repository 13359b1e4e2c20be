# The sensors around each activation: the line's pressure, the flow meter, the air detector. They are sampled in the
# dosing path, so nothing here allocates. The monitor raises what they found behind that path.

from array import array

from pump import wire
from pump.monitoring.flow import Line, Meter
from pump.part import Part


class LineWatch(Part):
    """`line`, `meter` and `air` are None where no sensor is fitted. `rested_ms` is how long ago the motor ran, at most
    battery_rest_ms: until then the battery's voltage is lower than it will be."""

    def __init__(self, board, clock, profile, sensors):
        pressure = sensors[wire.SENSOR_PRESSURE]
        self.line = None if pressure is None else Line(self, profile, clock, pressure)
        self.meter = Meter(self, profile, clock, board) if profile.flow_nl_num else None
        self.air = sensors[wire.SENSOR_AIR]
        self._profile = profile
        # A boot is no motor step.
        self.rested_ms = profile.battery_rest_ms
        # By number: the alarms that were found and not raised yet, and the detail of each. `found` is what they do
        # together (wire.TRAIT_*), and 0 when there are none.
        self.found = 0
        self._alarms = bytearray(len(wire.ALARM_TRAITS))
        self._detail = array("i", [0] * len(wire.ALARM_TRAITS))

    def start_counting(self):
        if self.meter is not None:
            self.meter.start_counting()

    def pass_time(self, ms):
        if self.rested_ms < self._profile.battery_rest_ms:
            self.rested_ms += ms

    def sample_before(self):
        """Samples just before the motor moves; returns whether it may."""
        if self.line is not None:
            self.line.sample_before()
        if self.meter is not None:
            self.meter.sample_before()
        if self.air is not None:
            self.sample_air()
        return self.found & wire.TRAIT_SAFE == 0

    def sample_after(self, moved):
        """Samples just after the motor moved so many steps."""
        self.rested_ms = 0
        if self.line is not None:
            self.line.sample_after(moved)
        if self.meter is not None:
            self.meter.sample_after(moved)

    def clear_baseline(self):
        """Begins a new baseline of the pressure: delivery starts, or a test volume."""
        if self.line is not None:
            self.line.clear_baseline()

    def add_stray(self, moved):
        """Adds steps that nothing commanded: they raise the pressure and move fluid too."""
        if self.line is not None:
            self.line.add_stray(moved)
        if self.meter is not None:
            self.meter.expect_steps(moved)

    def sample_air(self):
        """Samples the air detector, where there is one."""
        # Twice, so that no disturbance of a moment stops the pump.
        air, limit = self.air, self._profile.air_mv
        if air.sample() > limit and air.sample() > limit:
            self.add_finding(wire.ALARM_AIR, air.raw_mv)

    def sample_between_steps(self):
        """Samples between steps."""
        if self.line is not None:
            self.line.check_limit()
        if self.meter is not None:
            self.meter.check_idle_flow()
        if self.air is not None:
            self.sample_air()

    def add_finding(self, alarm, detail):
        """Stores an alarm until the dosing path is done."""
        self.found |= wire.ALARM_TRAITS[alarm]
        self._alarms[alarm] = 1
        self._detail[alarm] = detail

    def raise_found(self, effects):
        """Raises what was found."""
        self.found = 0
        for alarm in range(len(self._alarms)):
            if self._alarms[alarm]:
                self._alarms[alarm] = 0
                effects.raise_alarm(alarm, self._detail[alarm])

    def lasting_alarms(self, moving):
        """Alarms whose cause lasts."""
        lasting = []
        if self.line is not None:
            lasting.extend(self.line.lasting_alarms(moving))
        if self.meter is not None:
            lasting.append(self.meter.lasting_alarm(moving))
        if self.air is not None and self.air.raw_mv > self._profile.air_mv:
            lasting.append(wire.ALARM_AIR)
        return lasting
