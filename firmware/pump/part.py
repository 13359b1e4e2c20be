# The contract of everything that the loop visits, in the order that the controller declares.

from const import const

NEVER = const(0x3FFFFFFF)


class Part:
    """Counts time, does what is due, and knows its next event. A part overrides the methods that it needs."""

    def pass_time(self, ms):
        """Counts `ms` that passed. It runs in the dosing path, so it allocates nothing."""

    def watch(self):
        """Does what is due."""

    def next_ms(self):
        """Milliseconds until watch() has something to do."""
        return NEVER
