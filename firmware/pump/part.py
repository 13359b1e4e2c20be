# The contract of everything that the loop visits, in the order that the controller declares.

from const import const

NEVER = const(0x3FFFFFFF)


class Part:
    """A part counts time, does what is due, and says when that will be. What it has no use for, it leaves as it is."""

    def pass_time(self, ms):
        """Counts `ms` that went by. Runs in the dosing path: allocates nothing."""

    def watch(self):
        """Does what is due."""

    def next_ms(self):
        """Milliseconds until watch() has something to do."""
        return NEVER
