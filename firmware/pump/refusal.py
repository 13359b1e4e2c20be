# An order or a message that the pump refuses: one exception for all of them.


class Refusal(Exception):
    """A request that is answered with a reason and a number instead of being carried out."""


    def __init__(self, reason, detail=0):
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
