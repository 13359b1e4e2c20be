"""Flash that takes no time and fails at named places: neither the size of a record nor that of a checkpoint moves an
event, or decides what a power cut meets.
"""

from __future__ import annotations

from dosebench.twin.flash import Flash, When
from dosebench_protocol.tables import RECORD_BYTES


class Chip(Flash):
    """Flash of a recorded pump.

    Attributes:
        plan: Whether the cut comes at a record or at another operation, how many of that sort come before it, and
            where in the operation the power fails.
        deaf: Nothing that is written arrives.
        slow_s: Seconds that each write takes.
    """

    plan: tuple[bool, int, When] | None = None
    deaf = False
    slow_s = 0

    def write(self, address: int, data: bytes) -> int:
        """Clear bits."""
        self._look_ahead(len(data) == RECORD_BYTES)
        if not self.deaf:
            super().write(address, data)
        return self.slow_s * 1_000_000

    def erase(self, address: int) -> int:
        """Set a sector to ones."""
        self._look_ahead(False)
        super().erase(address)
        return 0

    def _look_ahead(self, record: bool) -> None:
        if self.plan is None or self.plan[0] != record:
            return
        _, before, when = self.plan
        if before:
            self.plan = (record, before - 1, when)
        else:
            self.plan = None
            self.cut_next(when)

    def _tear_write(self, address: int, data: bytes) -> None:
        # The first half of it is written: whatever it holds, it is torn.
        for at, byte in enumerate(data[: len(data) // 2]):
            self.data[address + at] &= byte
