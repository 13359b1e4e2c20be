"""Plants without noise, and steps that a test makes them take."""

from __future__ import annotations

from dosebench.twin.plant import Plant, PlantSettings

SECOND = 1_000_000
QUIET = {"posture_kpa": 0.0, "ambient_swing_mk": 0.0, "battery_noise_mv": 0.0}


def still(**settings: object) -> Plant:
    """A plant in still surroundings."""
    return Plant(PlantSettings(**(QUIET | settings)))  # type: ignore[arg-type]


def pump(plant: Plant, steps: int, began_us: int = 0, every_us: int = 60 * SECOND) -> int:
    """Make steps; return the time of the last."""
    for number in range(steps):
        plant.make_step(began_us + number * every_us)
    return began_us + (steps - 1) * every_us
