# What this pump is: the figures of its profile, set at flashing. Data, not code.

import hashlib
from binascii import hexlify

from pump.wire import const

_CHECKSUM_BYTES = const(8)
_THERAPY_SECTORS = const(2)
# A ring erases one sector while another holds what is newest.
_RING_SECTORS_MIN = const(2)
# What stands for a figure while the settings are not to be trusted: nothing is moved and nothing is written then.
_INERT = const(1)
_INERT_MS = const(3_600_000)
_NEVER = const(0x1FFFFFFF)


def checksum(config):
    """What `checksum` has to be in settings with these other figures."""
    digest = hashlib.sha256()
    for name in sorted(config):
        if name != "checksum":
            digest.update((name + "=" + str(config[name]) + ";").encode())
    return hexlify(digest.digest()[:_CHECKSUM_BYTES]).decode()


def _roomy(config):
    """Whether the flash holds what it is to be divided into: both copies of the therapy, journal and fault ring."""
    faults = config["fault_sectors"]
    return faults >= _RING_SECTORS_MIN and config["flash_sectors"] - faults - _THERAPY_SECTORS >= _RING_SECTORS_MIN


class Profile:
    """Read from the board's configuration; `sound` says whether it is the one that was flashed. Raises KeyError for a
    figure that is missing in a sound one."""

    def __init__(self, config):
        self.sound = config.get("checksum") == checksum(config) and _roomy(config)
        self.name = config["profile"] if self.sound else ""
        self.step_nl_num = self._take(config, "step_nl_num")
        self.step_nl_den = self._take(config, "step_nl_den")
        self.rate_min_num = self._take(config, "rate_min_num")
        self.rate_min_den = self._take(config, "rate_min_den")
        self.rate_max_num = self._take(config, "rate_max_num")
        self.rate_max_den = self._take(config, "rate_max_den")
        self.hard_hour_steps = self._take(config, "hard_hour_steps")
        self.hard_day_steps = self._take(config, "hard_day_steps")
        self.bolus_steps_max = self._take(config, "bolus_steps_max")
        self.reservoir_steps_max = self._take(config, "reservoir_steps_max")
        self.lease_ms = self._take(config, "lease_ms")
        self.step_ms = self._take(config, "step_ms")
        self.activation_steps_max = self._take(config, "activation_steps_max")
        self.activation_ms_max = self._take(config, "activation_ms_max")
        self.battery_low_mv = self._take(config, "battery_low_mv")
        self.battery_stop_mv = self._take(config, "battery_stop_mv")
        self.battery_hysteresis_mv = self._take(config, "battery_hysteresis_mv")
        # What a motor step takes off the voltage, and how long that shows.
        self.battery_sag_mv = self._take(config, "battery_sag_mv")
        self.battery_rest_ms = self._take(config, "battery_rest_ms")
        self.battery_replaceable = self._take(config, "battery_replaceable")
        # 0: no cap of the service life.
        self.service_months = self._take(config, "service_months")
        self.disagree_steps = self._take(config, "disagree_steps")
        self.reconcile_steps = self._take(config, "reconcile_steps")
        self.sense_ms = self._take(config, "sense_ms")
        self.retest_ms = self._take(config, "retest_ms")
        # 0: no watchdog.
        self.watchdog_ms = self._take(config, "watchdog_ms")
        self.tone_high_ms = self._take(config, "tone_high_ms")
        self.tone_ms = self._take(config, "tone_ms")
        self.silence_high_ms = self._take(config, "silence_high_ms")
        self.silence_ms = self._take(config, "silence_ms")
        self.stopped_ms = self._take(config, "stopped_ms")
        self.stopped_high_ms = self._take(config, "stopped_high_ms")
        self.repeat_times = self._take(config, "repeat_times")
        self.repeat_ms = self._take(config, "repeat_ms")
        self.resets_max = self._take(config, "resets_max")
        self.resets_ms = self._take(config, "resets_ms")
        self.flash_sectors = self._take(config, "flash_sectors")
        self._take_line(config)
        self.fault_sectors = self._take(config, "fault_sectors")
        # Whether the pump has booted before, and keeps a journal.
        self.commissioned = self._take(config, "commissioned")
        if not self.sound:
            self.watchdog_ms = 0

    def _take_line(self, config):
        # Volume of a count of the flow meter; 0: none is fitted.
        self.flow_nl_num = config.get("flow_nl_num", 0) if self.sound else 0
        self.flow_nl_den = config.get("flow_nl_den", 1) if self.sound else 1
        # The line: what a step raises its pressure by, its time constant, and what is too much.
        self.rise_pa = self._take(config, "rise_pa")
        self.catheter_ms = self._take(config, "catheter_ms")
        self.occlusion_pa = config["occlusion_pa"] if self.sound else _NEVER
        self.occlusion_rise_pa = config["occlusion_rise_pa"] if self.sound else _NEVER
        self.patency_steps = self._take(config, "patency_steps")
        self.temperature_max_mk = config["temperature_max_mk"] if self.sound else _NEVER
        self.air_mv = config.get("air_mv", 0) if self.sound else _NEVER

    def _take(self, config, name):
        if self.sound:
            return config[name]
        return _INERT_MS if name.endswith("_ms") else _INERT

    def motor_bounds(self):
        return self.step_ms, self.activation_steps_max, self.activation_ms_max

    def checked(self):
        """All figures that are used after boot (see integrity/checksums.py)."""
        return (
            self.step_nl_num,
            self.step_nl_den,
            self.rate_min_num,
            self.rate_min_den,
            self.rate_max_num,
            self.rate_max_den,
            self.hard_hour_steps,
            self.hard_day_steps,
            self.bolus_steps_max,
            self.reservoir_steps_max,
            self.lease_ms,
            self.step_ms,
            self.activation_steps_max,
            self.activation_ms_max,
            self.battery_low_mv,
            self.battery_stop_mv,
            self.battery_hysteresis_mv,
            self.battery_sag_mv,
            self.battery_rest_ms,
            self.battery_replaceable,
            self.service_months,
            self.disagree_steps,
            self.reconcile_steps,
            self.sense_ms,
            self.retest_ms,
            self.watchdog_ms,
            self.tone_high_ms,
            self.tone_ms,
            self.silence_high_ms,
            self.silence_ms,
            self.stopped_ms,
            self.stopped_high_ms,
            self.repeat_times,
            self.repeat_ms,
            self.resets_max,
            self.resets_ms,
            self.flash_sectors,
            self.flow_nl_num,
            self.flow_nl_den,
            self.fault_sectors,
            self.rise_pa,
            self.catheter_ms,
            self.occlusion_pa,
            self.occlusion_rise_pa,
            self.patency_steps,
            self.temperature_max_mk,
            self.air_mv,
        )
