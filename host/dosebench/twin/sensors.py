"""The analogue sensors of a simulated board: what the converter reads, with noise and faults."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from dosebench.profile.parts import BATTERY_DIVIDER, RAIL_MV
from dosebench.twin import noise
from dosebench.twin.faults import Faults

CHANNELS: Final = ("battery", "level", "pressure", "temperature", "air")
"""Channels of the converter, by number."""

_WAYS: Final = ("open", "short", "stuck", "offset")
_BROKEN: Final = tuple(attrgetter(*(f"{name}_{way}" for way in _WAYS)) for name in CHANNELS)


@dataclass(frozen=True)
class Sensor:
    """A sensor that is linear between two points.

    Attributes:
        low_mv, high_mv: What it gives at `low` and at `high`, in millivolts.
        low, high: The quantity there: nL of content, Pa absolute, mK, or 0 for liquid and 1 for air.
        noise_mv: Standard deviation of one sample.
    """

    low_mv: float
    high_mv: float
    low: float
    high: float
    noise_mv: float

    def to_millivolts(self, quantity: float) -> float:
        """What it gives without noise."""
        return self.low_mv + (self.high_mv - self.low_mv) * (quantity - self.low) / (self.high - self.low)


@dataclass
class Converter:
    """The analogue-to-digital converter: whole millivolts, within its supply.

    Attributes:
        seed: Decides the noise, together with channel and time.
        last_us: When each channel was last sampled.
        repeats: How many samples of it came before the next one at that very time.
        frozen: Channels whose sensor is stuck, and at what.
    """

    seed: int
    last_us: list[int] = field(default_factory=lambda: [-1] * len(CHANNELS))
    repeats: list[int] = field(default_factory=lambda: [0] * len(CHANNELS))
    frozen: dict[str, int] = field(default_factory=dict)

    def read_sample(self, channel: int, ideal_mv: float, noise_mv: float, now_us: int, faults: Faults) -> int:
        """One sample of a channel whose sensor would give `ideal_mv`."""
        if self.last_us[channel] == now_us:
            self.repeats[channel] += 1
        else:
            self.last_us[channel] = now_us
            self.repeats[channel] = 0
        read = ideal_mv + noise_mv * noise.normal_deviate(self.seed, channel, now_us, self.repeats[channel])
        rail = RAIL_MV * (BATTERY_DIVIDER if channel == 0 else 1)
        broken = _BROKEN[channel](faults)
        if any(broken) or self.frozen:
            return self._broken_reading(channel, read, rail, broken)
        return min(max(round(read), 0), rail)

    def _broken_reading(self, channel: int, read: float, rail: int, broken: tuple[bool, bool, bool, float]) -> int:
        is_open, is_short, is_stuck, offset = broken
        name = CHANNELS[channel]
        value = min(max(round(read + offset), 0), rail)
        if is_open:
            value = rail
        elif is_short:
            value = 0
        if not is_stuck:
            self.frozen.pop(name, None)
            return value
        return self.frozen.setdefault(name, value)
