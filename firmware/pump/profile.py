# The figures of the pump's profile, set at flashing.

import hashlib
from binascii import hexlify

from const import const

_CHECKSUM_BYTES = const(8)
_THERAPY_SECTORS = const(2)
# A ring erases one sector while another holds the newest records.
_RING_SECTORS_MIN = const(2)
# The value of every figure while the settings are damaged: the pump moves nothing and writes nothing then.
_INERT = const(1)
_INERT_MS = const(3_600_000)
_NEVER = const(0x1FFFFFFF)


def checksum(config):
    """The `checksum` that belongs to these other figures."""
    digest = hashlib.sha256()
    for name in sorted(config):
        if name != "checksum":
            digest.update((name + "=" + str(config[name]) + ";").encode())
    return hexlify(digest.digest()[:_CHECKSUM_BYTES]).decode()


def _has_room(config):
    """True if the flash has room for both copies of the program, journal and fault ring."""
    faults = config["fault_sectors"]
    return faults >= _RING_SECTORS_MIN and config["flash_sectors"] - faults - _THERAPY_SECTORS >= _RING_SECTORS_MIN


class Profile:
    """The configuration of the board. `is_valid` is True if it is the one that was flashed. Raises KeyError for a
    figure that is missing in a valid one."""

    def __init__(self, config):
        self.is_valid = config.get("checksum") == checksum(config) and _has_room(config)
        self.name = config["profile"] if self.is_valid else ""
        self.step_nl_num = self._read(config, "step_nl_num")
        self.step_nl_den = self._read(config, "step_nl_den")
        self.rate_min_num = self._read(config, "rate_min_num")
        self.rate_min_den = self._read(config, "rate_min_den")
        self.rate_max_num = self._read(config, "rate_max_num")
        self.rate_max_den = self._read(config, "rate_max_den")
        self.hard_hour_steps = self._read(config, "hard_hour_steps")
        self.hard_day_steps = self._read(config, "hard_day_steps")
        self.bolus_steps_max = self._read(config, "bolus_steps_max")
        self.reservoir_steps_max = self._read(config, "reservoir_steps_max")
        self.lease_ms = self._read(config, "lease_ms")
        self.step_ms = self._read(config, "step_ms")
        self.activation_steps_max = self._read(config, "activation_steps_max")
        self.activation_ms_max = self._read(config, "activation_ms_max")
        self.battery_low_mv = self._read(config, "battery_low_mv")
        self.battery_stop_mv = self._read(config, "battery_stop_mv")
        self.battery_hysteresis_mv = self._read(config, "battery_hysteresis_mv")
        # The voltage that a motor step takes off, and for how long.
        self.battery_sag_mv = self._read(config, "battery_sag_mv")
        self.battery_rest_ms = self._read(config, "battery_rest_ms")
        self.battery_replaceable = self._read(config, "battery_replaceable")
        # 0: the service life has no cap.
        self.service_months = self._read(config, "service_months")
        self.disagree_steps = self._read(config, "disagree_steps")
        self.reconcile_steps = self._read(config, "reconcile_steps")
        self.sense_ms = self._read(config, "sense_ms")
        self.retest_ms = self._read(config, "retest_ms")
        # 0: no watchdog.
        self.watchdog_ms = self._read(config, "watchdog_ms")
        self.tone_high_ms = self._read(config, "tone_high_ms")
        self.tone_ms = self._read(config, "tone_ms")
        self.silence_high_ms = self._read(config, "silence_high_ms")
        self.silence_ms = self._read(config, "silence_ms")
        self.stopped_ms = self._read(config, "stopped_ms")
        self.stopped_high_ms = self._read(config, "stopped_high_ms")
        self.repeat_times = self._read(config, "repeat_times")
        self.repeat_ms = self._read(config, "repeat_ms")
        self.resets_max = self._read(config, "resets_max")
        self.resets_ms = self._read(config, "resets_ms")
        self.flash_sectors = self._read(config, "flash_sectors")
        self._read_line(config)
        self.fault_sectors = self._read(config, "fault_sectors")
        # True if the pump has booted before, and has a journal.
        self.commissioned = self._read(config, "commissioned")
        if not self.is_valid:
            self.watchdog_ms = 0

    def _read_line(self, config):
        # Volume of a count of the flow meter; 0: none is fitted.
        self.flow_nl_num = config.get("flow_nl_num", 0) if self.is_valid else 0
        self.flow_nl_den = config.get("flow_nl_den", 1) if self.is_valid else 1
        # The line: what a step raises its pressure by, its time constant, and what is too much.
        self.rise_pa = self._read(config, "rise_pa")
        self.catheter_ms = self._read(config, "catheter_ms")
        self.occlusion_pa = config["occlusion_pa"] if self.is_valid else _NEVER
        self.occlusion_rise_pa = config["occlusion_rise_pa"] if self.is_valid else _NEVER
        self.patency_steps = self._read(config, "patency_steps")
        self.temperature_max_mk = config["temperature_max_mk"] if self.is_valid else _NEVER
        self.air_mv = config.get("air_mv", 0) if self.is_valid else _NEVER

    def _read(self, config, name):
        if self.is_valid:
            return config[name]
        return _INERT_MS if name.endswith("_ms") else _INERT

    def motor_bounds(self):
        return self.step_ms, self.activation_steps_max, self.activation_ms_max

    def checked(self):
        """Returns all figures that are used after boot (see integrity/checksums.py)."""
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
