"""What a pump should have delivered over its life: perfect pumps, each from one loss of power to the next.

`Expected` is told the events of a journal in order of time. It adds to `ReferencePump` what a journal has besides:
resets, programs that nobody knows, and what alarms do to the basal.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection
from fractions import Fraction

from dosebench.therapy.program import Program
from dosebench.therapy.reference_pump import Given, Limit, ReferencePump

HALF = Fraction(1, 2)


def limit_of(program: Program, alarms: Collection[str]) -> Limit:
    """What a low reservoir, a reached cap and too much flow make of the basal; a stop counts more than the minimum."""
    effects: set[Limit] = set()
    if "reservoir_low" in alarms and program.on_low != "keep":
        effects.add("stop" if program.on_low == "stop" else "minimum_rate")
    if "dose_cap" in alarms:
        effects.add("stop" if program.on_cap == "stop" else "minimum_rate")
    if "over_infusion" in alarms:
        effects.add("minimum_rate")
    if "stop" in effects:
        return "stop"
    return "minimum_rate" if effects else "none"


class Expected:
    """`pump` is the perfect pump of the present; it may be told events directly, in whole ms of pump time."""

    def __init__(self) -> None:
        self.pump = ReferencePump()
        self._pumps = [self.pump]
        self._from: list[int] = [0]
        self._before = [Fraction(0)]
        self._corners: list[tuple[int, Fraction]] = []

    @property
    def given(self) -> list[Given]:
        """Every bolus that began, in order."""
        return [given for pump in self._pumps for given in pump.given]

    @property
    def pumps(self) -> list[tuple[int, ReferencePump]]:
        """Each perfect pump with the pump time from which on it is the one."""
        return list(zip(self._from, self._pumps, strict=True))

    @property
    def resets(self) -> int:
        """How often the power was lost; each time the fraction of the step that was under way is lost too."""
        return len(self._pumps) - 1

    @property
    def corners(self) -> list[tuple[int, Fraction]]:
        """(ms, steps) wherever a rate changed up to now, for a picture: straight lines lie between them."""
        return [*self._corners, (self.pump.now_ms, self.ideal_steps(self.pump.now_ms))]

    def advance_to(self, t_ms: int) -> None:
        """Let time pass until `t_ms`."""
        while self.pump.now_ms < t_ms:
            self._corners.append((self.pump.now_ms, self.ideal_steps(self.pump.now_ms)))
            self.pump.advance_to_change(t_ms)

    def ideal_steps(self, t_ms: int | Fraction) -> Fraction:
        """Steps, with their fraction, that should have been delivered at `t_ms`; advances to it if it is to come."""
        at = max(bisect_right(self._from, t_ms) - 1, 0)
        return self._before[at] + self._pumps[at].ideal_steps(t_ms)

    def apply_alarms(self, t_ms: int, alarms: Collection[str]) -> None:
        """These alarms are on from now on."""
        self.advance_to(t_ms)
        if self.pump.program is not None:
            self.pump.limit_basal(t_ms, limit_of(self.pump.program, alarms))

    def record_reset(self, t_ms: int, *, titration_day: int, bridge_left: int, periodic_ms: int) -> None:
        """The power was lost and has come back; see `ReferencePump.after_reset`."""
        self.advance_to(t_ms)
        before = self.ideal_steps(t_ms)
        self.pump = self.pump.after_reset(
            t_ms, titration_day=titration_day, bridge_left=bridge_left, periodic_ms=periodic_ms
        )
        self._pumps.append(self.pump)
        self._from.append(t_ms)
        self._before.append(before)

    def allowed_deviation(self, late_ms: int) -> Fraction:
        """How far a sound pump may be from the ideal, in steps: half a step where only the basal ran.

        Else half a step for each stream that ran, half a step because a bolus counts whole from its last step on, and
        what comes due in `late_ms`, by which one motor makes the steps of the streams after one another.
        """
        kinds = {given.kind for given in self.given}
        if not kinds:
            return HALF
        streams = 1 + bool(kinds - {"square"}) + ("square" in kinds)
        rates = max(given.rate for given in self.given) + self._basal_most()
        return (streams + 1) * HALF + late_ms * rates

    def _basal_most(self) -> Fraction:
        programs = [pump.program for pump in self._pumps if pump.program is not None]
        return max((max(program.rate, program.bridge_rate) for program in programs), default=Fraction(0))
