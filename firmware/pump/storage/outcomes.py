# What became of the newest command of each host.

from pump.wire import const

HOSTS_MAX = const(8)


class Outcome:
    """Result of the newest command of one host; `type` is that of its message, and `content` (a checksum of what was
    asked) 0 after a reset."""

    def __init__(self, host, counter, message, reason, accepted, low, high, record, content=0):
        self.host = host
        self.counter = counter
        self.type = message
        self.reason = reason
        self.accepted = accepted
        self.low = low
        self.high = high
        self.record = record
        self.content = content

    def remember_content(self, content):
        """What the command asked for is known until the next reset."""
        self.content = content
