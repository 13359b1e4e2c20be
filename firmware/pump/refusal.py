# The exception of every request that the pump refuses.


class Refusal(Exception):
    """A refused request. The host gets the reason (wire.REASON_*) and a number that goes with it."""

    def __init__(self, reason, detail=0):
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
