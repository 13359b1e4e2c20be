"""The physics behind the board: motor, encoder, catheter, reservoir and battery.

Volumes are in nanolitres, pressures in kilopascals, times in microseconds of virtual time, charge in microampere-hours.
The model is small on purpose; every constant is a field with its unit, so that a bench can set it.
"""

from __future__ import annotations

import math
import random
from array import array
from dataclasses import asdict, dataclass, field
from typing import Any, Final

HOUR_US: Final = 3_600_000_000
ENCODER_MASK: Final = 0x3FFFFFFF


@dataclass
class PlantSettings:
    """Constants of one simulated pump (chosen, unless a source is given).

    Attributes:
        step_nl: True volume of one motor step.
        fill_nl: Reservoir content at the start.
        catheter_tau_s: Time constant of the catheter's compliance against its resistance.
        catheter_kpa_per_nl: Pressure rise for each nanolitre held in the compliance.
        battery_uah: Charge of a fresh battery.
        idle_ua: Current asleep.
        wake_uah: Charge for one wake of the controller.
        step_uah: Charge for one motor step.
        battery_full_mv, battery_empty_mv: Voltage of a full and of an empty cell, linear between.
        adc_noise_mv: Standard deviation of one battery sample.
    """

    step_nl: float = 250.0
    fill_nl: float = 40_000_000.0
    catheter_tau_s: float = 20.0
    catheter_kpa_per_nl: float = 0.004
    battery_uah: float = 1_200_000.0
    idle_ua: float = 6.0
    wake_uah: float = 0.0004
    step_uah: float = 0.006
    battery_full_mv: int = 3_100
    battery_empty_mv: int = 2_400
    adc_noise_mv: float = 2.0


@dataclass
class Faults:
    """What is broken at the moment. Set by the bench.

    Attributes:
        stall: The motor does not turn.
        slip_every: Every n-th step is lost (0: none).
        runaway_steps: Steps that the motor makes by itself at the next wait.
    """

    stall: bool = False
    slip_every: int = 0
    runaway_steps: int = 0


@dataclass
class Plant:
    """State of the simulated pump. `steps_us` holds the virtual time of every step that the motor really made."""

    settings: PlantSettings = field(default_factory=PlantSettings)
    seed: int = 0
    faults: Faults = field(default_factory=Faults)
    steps_us: array[int] = field(default_factory=lambda: array("q"))
    commanded: int = 0
    held_nl: float = 0.0
    held_at_us: int = 0
    filled_nl: float = 0.0
    wakes: int = 0
    samples: int = 0
    tones: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.filled_nl:
            self.filled_nl = self.settings.fill_nl

    def step(self, now_us: int) -> None:
        """One commanded motor step begins."""
        self.commanded += 1
        slips = self.faults.slip_every and self.commanded % self.faults.slip_every == 0
        if self.faults.stall or slips:
            return
        self._turn(now_us)

    def run_away(self, now_us: int) -> None:
        """Steps that nothing commanded, if the fault is set."""
        while self.faults.runaway_steps:
            self.faults.runaway_steps -= 1
            self._turn(now_us)

    def _turn(self, now_us: int) -> None:
        self.held_nl = self.held_at(now_us) + min(self.settings.step_nl, self.reservoir_nl())
        self.held_at_us = now_us
        self.steps_us.append(now_us)

    def encoder(self) -> int:
        """Steps that the motor made in its life, modulo 2^30."""
        return len(self.steps_us) & ENCODER_MASK

    def pumped_nl(self) -> float:
        """Volume that left the reservoir in the pump's life."""
        return len(self.steps_us) * self.settings.step_nl

    def reservoir_nl(self) -> float:
        """Volume in the reservoir now."""
        return max(0.0, self.filled_nl - self.pumped_nl())

    def refill(self, content_nl: float) -> None:
        """Fill the reservoir to `content_nl`."""
        self.filled_nl = self.pumped_nl() + content_nl

    def held_at(self, now_us: int) -> float:
        """Volume that waits in the catheter's compliance."""
        seconds = (now_us - self.held_at_us) / 1e6
        return self.held_nl * math.exp(-seconds / self.settings.catheter_tau_s)

    def delivered_nl(self, now_us: int) -> float:
        """Volume that left the catheter's tip in the pump's life."""
        return self.pumped_nl() - self.held_at(now_us)

    def pressure_kpa(self, now_us: int) -> float:
        """Pressure at the catheter's inlet above the tip's."""
        return self.held_at(now_us) * self.settings.catheter_kpa_per_nl

    def used_uah(self, now_us: int) -> float:
        """Charge taken from the battery."""
        s = self.settings
        return now_us / HOUR_US * s.idle_ua + self.wakes * s.wake_uah + self.commanded * s.step_uah

    def battery_mv(self, now_us: int) -> int:
        """One noisy sample of the battery's voltage, in millivolts."""
        s = self.settings
        left = max(0.0, 1.0 - self.used_uah(now_us) / s.battery_uah)
        self.samples += 1
        noise = random.Random(self.seed * 7_919 + self.samples).gauss(0.0, s.adc_noise_mv)
        return round(s.battery_empty_mv + (s.battery_full_mv - s.battery_empty_mv) * left + noise)

    def state(self) -> dict[str, Any]:
        """Everything but the step times, as JSON values."""
        kept = asdict(self)
        del kept["steps_us"]
        return kept

    @classmethod
    def restore(cls, state: dict[str, Any], steps_us: array[int]) -> Plant:
        """Go on from what `state` returned."""
        state = dict(state)
        settings = PlantSettings(**state.pop("settings"))
        faults = Faults(**state.pop("faults"))
        tones = [(int(at), int(pattern)) for at, pattern in state.pop("tones")]
        return cls(settings=settings, faults=faults, steps_us=steps_us, tones=tones, **state)
