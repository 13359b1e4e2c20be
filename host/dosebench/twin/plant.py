"""The physics behind the board: motor, encoder, reservoir, catheter, battery, surroundings.

Volumes are in nanolitres, pressures in kilopascals, times in microseconds of virtual time, charge in microampere-hours.
The model is small on purpose; every constant is a field with its unit, so that a bench can set it. docs/TWIN.md
explains it, with the sources of the figures.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from dosebench.twin import noise
from dosebench.twin.battery import voltage_left
from dosebench.twin.faults import Faults, Value
from dosebench.twin.sensors import CHANNELS, Converter, Sensor

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US
COUNT_MASK: Final = 0x3FFFFFFF
ATMOSPHERE_KPA: Final = 101.325
"""Standard atmosphere (ISO 2533)."""
TONE_S: Final = {1: 1.0, 2: 3.0}
"""How long a pattern sounds (R41): one tone of 1 s, two tones of 3 s together."""
_POSTURE: Final = 101
"""Stream of the posture's noise; those of the converter are its channels."""


def _decay_factor(passed_us: int, tau_s: float) -> float:
    return math.exp(-passed_us / (tau_s * 1e6)) if passed_us > 0 else 1.0


@dataclass
class PlantSettings:
    """Constants of one simulated pump (chosen, unless a source is given); a profile sets most of them.

    Attributes:
        step_nl: Nominal volume of one motor step.
        fill_nl: Reservoir content at the start.
        evaporation_nl_per_day: What the reservoir loses through its wall.
        catheter_tau_s: Time constant of the catheter's compliance against its resistance.
        catheter_kpa_per_nl: Pressure rise for each nanolitre held in the compliance.
        head_kpa_max: Pressure at which the pump head pushes nothing more into the line.
        posture_kpa: The pressure at the catheter's tip wanders between 0 and this: posture, and the weather.
        posture_period_s: How often it changes.
        posture_change_s: How long a change takes.
        ambient_mk: Mean temperature of the surroundings, in millikelvin.
        ambient_swing_mk: Amplitude of its daily wave.
        clock_ppm: How much too fast the board's tick counter runs, in parts per million.
        cell: Name of the battery's discharge curve (`battery.CURVES`).
        battery_uah: Charge of a fresh battery.
        battery_full_mv, battery_empty_mv: Voltage of a full and of an empty battery without load.
        battery_ohm, battery_empty_ohm: Its internal resistance when full and when empty, linear between.
        recovery_s: Time constant with which the voltage recovers from a load.
        battery_mv_per_k: Change of its voltage with temperature, zero at 37 degrees Celsius.
        idle_ua: Current asleep.
        awake_ua: Additional current while the controller works through motor steps and flash operations.
        wake_uah: Charge for one wake of the controller.
        motor_ua: Current of the motor; also of a driver that is stuck.
        step_uah: Charge for one motor step.
        flash_ua: Additional current during a flash write or erase.
        tone_ua: Current of a sounding tone.
        battery_noise_mv: Standard deviation of one battery sample.
        sensors: The sensors that are fitted, by name of their channel.
        flow_nl_per_count: Volume of one count of the flow meter; 0 where there is none.
    """

    step_nl: float = 250.0
    fill_nl: float = 40_000_000.0
    evaporation_nl_per_day: float = 0.0
    catheter_tau_s: float = 20.0
    catheter_kpa_per_nl: float = 0.004
    head_kpa_max: float = 200.0
    posture_kpa: float = 3.0
    posture_period_s: float = 1_200.0
    posture_change_s: float = 60.0
    ambient_mk: float = 310_150.0
    ambient_swing_mk: float = 500.0
    clock_ppm: int = 0
    cell: str = "linear"
    battery_uah: float = 1_200_000.0
    battery_full_mv: int = 3_100
    battery_empty_mv: int = 2_400
    battery_ohm: float = 15.0
    battery_empty_ohm: float = 60.0
    recovery_s: float = 3.0
    battery_mv_per_k: float = 0.5
    idle_ua: float = 6.0
    awake_ua: float = 2_000.0
    wake_uah: float = 0.0004
    motor_ua: float = 3_000.0
    step_uah: float = 3_000 * 0.1 / 3_600
    flash_ua: float = 20_000.0
    tone_ua: float = 5_000.0
    battery_noise_mv: float = 2.0
    sensors: dict[str, Sensor] = field(default_factory=dict)
    flow_nl_per_count: float = 0.0


@dataclass(slots=True)
class Plant:
    """State of the simulated pump.

    Attributes:
        steps_us: Virtual time of every step that the motor really made.
        commanded: Steps that the board was told to make.
        filled_nl: What the reservoir was filled with in its life: the content, and all that has left it.
        out_nl: Volume that left the reservoir through the pump head.
        entered_nl: Volume that entered the catheter.
        lost_nl: Volume that a leak or an open connector lost.
        evaporated_nl: Volume that left through the reservoir's wall.
        held_nl: Volume in the compliance at `held_at_us`.
        strain_ua: The motor's current as the battery's recovery sees it, at the last step; strained_us: when that was.
        settled_us: Until when what goes on between steps is accounted for.
        drained_uah: Charge that faults took.
        wakes: How often the controller woke.
        busy_us: Time in motor steps and flash operations; flash_us: in flash operations alone.
        tone_s: How long tones have sounded.
        tones: Time and pattern of every tone.
    """

    settings: PlantSettings = field(default_factory=PlantSettings)
    seed: int = 0
    faults: Faults = field(default_factory=Faults)
    steps_us: array[int] = field(default_factory=lambda: array("q"))
    commanded: int = 0
    out_nl: float = 0.0
    entered_nl: float = 0.0
    lost_nl: float = 0.0
    evaporated_nl: float = 0.0
    held_nl: float = 0.0
    held_at_us: int = 0
    filled_nl: float = 0.0
    strain_ua: float = 0.0
    strained_us: int = 0
    settled_us: int = 0
    drained_uah: float = 0.0
    wakes: int = 0
    busy_us: int = 0
    flash_us: int = 0
    tone_s: float = 0.0
    tones: list[tuple[int, int]] = field(default_factory=list)
    converter: Converter = field(init=False)

    def __post_init__(self) -> None:
        self.converter = Converter(self.seed)
        if not self.filled_nl:
            self.filled_nl = self.settings.fill_nl

    # Faults

    def set_fault(self, name: str, value: Value | str | None, now_us: int) -> None:
        """Set a fault from now on (see `Faults.set_fault`). Raises FaultError."""
        self.account_until(now_us)
        self.held_nl, self.held_at_us = self.held_at(now_us), now_us
        self.faults.set_fault(name, value)
        if self.faults.disconnect:
            self.lost_nl += self.held_nl
            self.entered_nl -= self.held_nl
            self.held_nl = 0.0

    # Motor and pump head

    def make_step(self, now_us: int) -> None:
        """One commanded motor step begins."""
        self.commanded += 1
        settings, faults = self.settings, self.faults
        # A step's charge counts at its beginning: it is short against the recovery.
        left = math.exp((self.strained_us - now_us) / (settings.recovery_s * 1e6))
        self.strain_ua = self.strain_ua * left + settings.step_uah * 3_600 / settings.recovery_s
        self.strained_us = now_us
        if faults.stall or (faults.slip and self.commanded % faults.slip == 0):
            return
        self._turn_motor(now_us)

    def wake_up(self, now_us: int) -> None:
        """The controller wakes; steps that nothing commanded happen now, if the fault is set."""
        self.wakes += 1
        self.account_until(now_us)
        while self.faults.runaway:
            self.faults.runaway -= 1
            self._turn_motor(now_us)

    def _turn_motor(self, now_us: int) -> None:
        # The commonest act of a simulation: what is the same in most turns is not asked for again.
        held = self.held_nl * math.exp((self.held_at_us - now_us) / (self._tau_s() * 1e6))
        volume = self.settings.step_nl * self.faults.step_volume_factor
        reservoir = self.filled_nl - self.out_nl - self.evaporated_nl
        if volume > reservoir:
            volume = max(0.0, reservoir)
        room = self._held_max() - held
        if volume > room:
            volume = max(0.0, room)
        self._enter_line(volume, held, now_us)
        self.steps_us.append(now_us)

    def _enter_line(self, volume_nl: float, held_nl: float, at_us: int) -> None:
        """`volume_nl` leaves the reservoir at once, into a line that holds `held_nl`."""
        entered = volume_nl
        if self.faults.leak or self.faults.disconnect:
            entered *= self._share_in()
            self.lost_nl += volume_nl - entered
        self.out_nl += volume_nl
        self.entered_nl += entered
        self.held_nl = held_nl + entered
        self.held_at_us = at_us

    def _share_in(self) -> float:
        return 0.0 if self.faults.disconnect else 1.0 - self.faults.leak

    def read_encoder(self) -> int:
        """Steps that the motor made in its life, modulo 2^30."""
        return len(self.steps_us) & COUNT_MASK

    # What goes on between steps

    def account_until(self, now_us: int) -> None:
        """Account for what went on since the last time: free flow, evaporation, charge that faults take."""
        faults, settings = self.faults, self.settings
        passed_us = now_us - self.settled_us
        if passed_us <= 0:
            return
        self.settled_us = now_us
        if faults.drain or faults.driver_stuck:
            current = faults.drain + (settings.motor_ua if faults.driver_stuck else 0.0)
            self.drained_uah += current * passed_us / HOUR_US
        if settings.evaporation_nl_per_day:
            gone = settings.evaporation_nl_per_day * passed_us / DAY_US
            self.evaporated_nl += min(gone, self.reservoir_nl())
        if faults.free_flow:
            self._siphon_line(faults.free_flow / 1e6, now_us - passed_us, passed_us)

    def _siphon_line(self, nl_per_us: float, from_us: int, passed_us: int) -> None:
        """Liquid ran evenly through the line until the reservoir was empty, no faster than the line lets through."""
        tau_us = self._tau_s() * 1e6
        share = self._share_in()
        if share:
            nl_per_us = min(nl_per_us, self._held_max() / (tau_us * share))
        left = self.reservoir_nl()
        lasted_us = min(passed_us, round(left / nl_per_us))
        volume = left if lasted_us < passed_us else min(left, nl_per_us * passed_us)
        held = self.held_at(from_us + lasted_us)
        self._enter_line(volume, held, from_us + lasted_us)
        self.held_nl = held - nl_per_us * tau_us * share * math.expm1(-lasted_us / tau_us)

    # Reservoir and catheter

    def pumped_nl(self) -> float:
        """Volume that left the reservoir through the line in the pump's life."""
        return self.out_nl

    def reservoir_nl(self) -> float:
        """Volume in the reservoir now."""
        return max(0.0, self.filled_nl - self.out_nl - self.evaporated_nl)

    def refill_reservoir(self, content_nl: float, now_us: int = 0) -> None:
        """Fill the reservoir to `content_nl`; `now_us` accounts first for what ran out of it by itself."""
        self.account_until(now_us)
        self.filled_nl = self.out_nl + self.evaporated_nl + content_nl

    def _line_stiffness(self) -> float:
        # Air makes the line softer: less pressure for what it holds, and longer until it has gone.
        return self.settings.catheter_kpa_per_nl / (self.faults.air or 1.0)

    def _held_max(self) -> float:
        return self.settings.head_kpa_max / self._line_stiffness()

    def _tau_s(self) -> float:
        return self.settings.catheter_tau_s * (self.faults.occlusion or 1.0) * (self.faults.air or 1.0)

    def held_at(self, now_us: int) -> float:
        """Volume that waits in the catheter's compliance."""
        return self.held_nl * _decay_factor(now_us - self.held_at_us, self._tau_s())

    def delivered_nl(self, now_us: int) -> float:
        """Volume that left the catheter's tip in the pump's life: the bolus after an occlusion shows here."""
        self.account_until(now_us)
        return self.entered_nl - self.held_at(now_us)

    def pressure_kpa(self, now_us: int) -> float:
        """Pressure at the catheter's inlet above the atmosphere."""
        self.account_until(now_us)
        if self.faults.disconnect:
            return 0.0
        return self.posture_kpa(now_us) + self.held_at(now_us) * self._line_stiffness()

    def posture_kpa(self, now_us: int) -> float:
        """Pressure at the catheter's tip: a level that lasts a while, then a ramp to another one."""
        settings = self.settings
        turn, into_us = divmod(now_us, round(settings.posture_period_s * 1e6))
        here = noise.uniform_deviate(self.seed, _POSTURE, turn)
        share = into_us / (settings.posture_change_s * 1e6)
        if share < 1.0:
            before = noise.uniform_deviate(self.seed, _POSTURE, turn - 1)
            here = before + (here - before) * share
        return here * settings.posture_kpa

    def flow_count(self, now_us: int) -> int:
        """The flow meter's count, modulo 2^30; it sits behind the pump head, in front of any leak."""
        size = self.settings.flow_nl_per_count
        if not size:
            return 0
        self.account_until(now_us)
        if self.faults.flow_stuck:
            return self.converter.frozen.setdefault("flow", int(self.out_nl / size) & COUNT_MASK)
        self.converter.frozen.pop("flow", None)
        return int(self.out_nl / size) & COUNT_MASK

    def temperature_mk(self, now_us: int) -> float:
        """Temperature of the pump, in millikelvin: the day's wave, highest a quarter of a day after its beginning."""
        settings = self.settings
        wave = settings.ambient_swing_mk * math.sin(2 * math.pi * (now_us % DAY_US) / DAY_US)
        return settings.ambient_mk + wave + 1_000 * self.faults.overheat

    # Battery

    def charges_uah(self, now_us: int) -> dict[str, float]:
        """Charge taken from the battery, by what took it."""
        self.account_until(now_us)
        settings = self.settings
        return {
            "idle": now_us / HOUR_US * settings.idle_ua,
            "wakes": self.wakes * settings.wake_uah,
            "awake": self.busy_us / HOUR_US * settings.awake_ua,
            "steps": self.commanded * settings.step_uah,
            "flash": self.flash_us / HOUR_US * settings.flash_ua,
            "tones": self.tone_s / 3_600 * settings.tone_ua,
            "faults": self.drained_uah,
        }

    def used_uah(self, now_us: int) -> float:
        """Charge taken from the battery."""
        self.account_until(now_us)
        settings = self.settings
        between = now_us * settings.idle_ua + self.busy_us * settings.awake_ua + self.flash_us * settings.flash_ua
        return (
            (between + self.tone_s * 1e6 * settings.tone_ua) / HOUR_US
            + self.wakes * settings.wake_uah
            + self.commanded * settings.step_uah
            + self.drained_uah
        )

    def _strain_at(self, now_us: int) -> float:
        return self.strain_ua * _decay_factor(now_us - self.strained_us, self.settings.recovery_s)

    def battery_mv(self, now_us: int) -> float:
        """Voltage of the battery under its present load, without noise, in millivolts."""
        settings, faults = self.settings, self.faults
        depth = min(1.0, self.used_uah(now_us) / settings.battery_uah)
        ohm = settings.battery_ohm + (settings.battery_empty_ohm - settings.battery_ohm) * depth
        load_ua = self._strain_at(now_us) + settings.idle_ua + faults.drain
        if faults.driver_stuck:
            load_ua += settings.motor_ua
        span = settings.battery_full_mv - settings.battery_empty_mv
        warmer_k = (self.temperature_mk(now_us) - 310_150) / 1_000
        open_mv = settings.battery_empty_mv + span * voltage_left(settings.cell, depth)
        return max(0.0, open_mv - ohm * load_ua / 1_000 + settings.battery_mv_per_k * warmer_k)

    def sound_tone(self, pattern: int, now_us: int) -> None:
        """A tone begins (0 ends it: a pattern ends by itself, so nothing is left to do)."""
        self.tones.append((now_us, pattern))
        self.tone_s += TONE_S.get(pattern, 0.0)

    # Sensors

    def sample_mv(self, channel: int, now_us: int) -> int:
        """One sample of a channel of the converter, in millivolts; 0 where no sensor is fitted."""
        name = CHANNELS[channel]
        if name == "battery":
            ideal, noise_mv = self.battery_mv(now_us), self.settings.battery_noise_mv
        else:
            sensor = self.settings.sensors.get(name)
            if sensor is None:
                return 0
            ideal, noise_mv = sensor.to_millivolts(self._sensor_quantity(name, now_us)), sensor.noise_mv
        return self.converter.read_sample(channel, ideal, noise_mv, now_us, self.faults)

    def _sensor_quantity(self, name: str, now_us: int) -> float:
        if name == "level":
            self.account_until(now_us)
            return self.reservoir_nl()
        if name == "pressure":
            return 1_000 * (ATMOSPHERE_KPA + self.pressure_kpa(now_us))
        if name == "temperature":
            return self.temperature_mk(now_us)
        return 1.0 if self.faults.air else 0.0

    # Persistence

    def save_state(self) -> dict[str, Any]:
        """Everything but the step times, as JSON values."""
        kept = asdict(self)
        del kept["steps_us"]
        return kept

    @classmethod
    def restore_state(cls, state: dict[str, Any], steps_us: array[int]) -> Plant:
        """Go on from what `save_state` returned."""
        state = dict(state)
        settings = dict(state.pop("settings"))
        sensors = {name: Sensor(**sensor) for name, sensor in settings.pop("sensors").items()}
        faults = Faults(**state.pop("faults"))
        tones = [(int(at), int(pattern)) for at, pattern in state.pop("tones")]
        converter = Converter(**state.pop("converter"))
        plant = cls(PlantSettings(**settings, sensors=sensors), faults=faults, steps_us=steps_us, tones=tones, **state)
        plant.converter = converter
        return plant
