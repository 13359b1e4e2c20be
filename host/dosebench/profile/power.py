"""What a pump uses of its battery, as its profile prices it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dosebench.base.units import DAY_MS, HOUR_MS
from dosebench.base.words import YEAR_DAYS
from dosebench.profile.model import Profile
from dosebench.profile.parts import ERASE_US, WRITE_US_PER_PAGE

CONSUMERS: Final = {
    "idle": "asleep",
    "listening": "listening",
    "self_discharge": "self-discharge",
    "steps": "motor steps",
    "delivery_wakes": "wakes to deliver",
    "sensor_wakes": "wakes for sensors",
    "watchdog_wakes": "wakes for the watchdog",
    "other_wakes": "other wakes",
    "flash": "flash",
    "tones": "tones",
}
"""What takes charge: stable name, and what it is called."""

@dataclass(frozen=True)
class Usage:
    """What a pump does, or did, in `days`, as far as it takes charge. Wakes are by their cause."""

    days: float
    steps: float = 0.0
    delivery_wakes: float = 0.0
    sensor_wakes: float = 0.0
    watchdog_wakes: float = 0.0
    other_wakes: float = 0.0
    flash_writes: float = 0.0
    flash_erases: float = 0.0
    tone_s: float = 0.0


def charges_uah(profile: Profile, used: Usage) -> dict[str, float]:
    """Charge that `used` takes from the battery in uAh, by what takes it (`CONSUMERS`)."""
    power, energy = profile.power, profile.energy
    awake = float(power.awake)
    wake = awake * float(power.wake_time)
    writing_ms = (used.flash_writes * WRITE_US_PER_PAGE + used.flash_erases * ERASE_US) / 1000
    return {
        "idle": used.days * DAY_MS * float(power.asleep),
        "listening": used.days * DAY_MS * float(energy.listening),
        "self_discharge": used.days / YEAR_DAYS * float(energy.self_discharge * profile.battery.capacity),
        "steps": used.steps * float(profile.delivery.step_time) * (float(power.motor) + awake),
        "delivery_wakes": used.delivery_wakes * wake,
        "sensor_wakes": used.sensor_wakes * wake,
        "watchdog_wakes": used.watchdog_wakes * wake,
        "other_wakes": used.other_wakes * wake,
        "flash": writing_ms * (float(power.flash) + awake),
        "tones": used.tone_s * 1000 * float(power.tone),
    }


def resting_ua(profile: Profile) -> float:
    """Current of a pump that does nothing, in uA: asleep, listening, and what the battery loses by itself."""
    return sum(charges_uah(profile, Usage(days=HOUR_MS / DAY_MS)).values())
