"""What a test can ask of a bench beyond the serial line, and what brings it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_A_TWIN: Final = "leave out --hil-port, and the test makes a twin that has it"
_A_SIMULATION: Final = "leave out --hil-port (a twin), or give --hil-port sim://NAME (a kept simulation)"


@dataclass(frozen=True)
class Feature:
    """One thing that a bench may be able to do.

    Attributes:
        meaning: What a test can do with it.
        brought_by: The option that brings it, as a sentence.
        kept: Whether a kept simulation (`sim://NAME`) has it too.
    """

    meaning: str
    brought_by: str
    kept: bool


FEATURES: Final[dict[str, Feature]] = {
    "virtual_time": Feature("days pass in seconds: `bench.advance_time(86_400)`", _A_SIMULATION, True),
    "step_counter": Feature("the motor's true steps: `bench.count_steps()`, `bench.steps_ms()`", _A_SIMULATION, True),
    "reservoir_level": Feature("what the reservoir really holds: `bench.reservoir_nl()`", _A_SIMULATION, True),
    "faults": Feature("break something: `bench.set_fault('occlusion')`, `bench.no_faults()`", _A_SIMULATION, True),
    "power_cycle": Feature("cut the power at any moment: `bench.power_cycle()`", _A_TWIN, False),
    "fresh_device": Feature("a pump that was never programmed, at its first boot", _A_TWIN, False),
}
"""Every feature by name; `docs/HIL.md` has the same table."""

TWIN_FEATURES: Final = frozenset(FEATURES)
_KEPT_FEATURES: Final = frozenset(name for name, feature in FEATURES.items() if feature.kept)


def features_of(port: str | None) -> frozenset[str]:
    """What the bench of a `--hil-port` can do; None is the default twin."""
    if port is None:
        return TWIN_FEATURES
    return _KEPT_FEATURES if port.startswith("sim://") else frozenset()


def reason_to_skip(wanted: str, port: str | None) -> str | None:
    """Why a test that asks for `wanted` cannot run on this bench, or None. Raises ValueError for an unknown feature."""
    if wanted not in FEATURES:
        raise ValueError(f"there is no hil_feature {wanted!r}; there are {', '.join(sorted(FEATURES))}")
    if wanted in features_of(port):
        return None
    return f"no {wanted} on {port}: {FEATURES[wanted].brought_by}"
