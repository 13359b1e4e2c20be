# A therapy on its way in, and what ends it before its commit.

from pump.wire import const

STAGE_REPLACED = const(0)
STAGE_TIMEOUT = const(1)
STAGE_ABORTED = const(2)


class Stage:
    """A therapy on its way in. Nothing of it is in force."""

    def __init__(self, length, expected_hash):
        self.data = bytearray(length)
        self.hash = expected_hash
        self.received = 0
        self.therapy = None
        self.idle_ms = 0
