# The outcome of the newest command of each host.

from const import const

HOSTS_MAX = const(8)


class Outcome:
    """Outcome of the newest command of one host. `type` is that of its message. `content` is a checksum of what the
    command asked for; after a reset it is 0."""

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
        """Holds what the command asked for until the next reset."""
        self.content = content

    def checked(self):
        return self.counter, self.type, self.reason, self.accepted, self.low, self.high, self.record, self.host


class Outcomes:
    """`hosts` are the outcomes, the oldest first. A host that is not among them may be one that was forgotten, so its
    counters up to `floor` are refused."""

    def __init__(self):
        self.hosts = []
        self.floor = 0

    def checked(self):
        return self.floor, self.hosts

    def find_outcome(self, host):
        for outcome in self.hosts:
            if outcome.host == host:
                return outcome
        return None

    def newest_counter(self, host):
        """The newest counter of a host. A command whose counter is not above it is not executed (again)."""
        known = self.find_outcome(host)
        return self.floor if known is None else known.counter

    def store_outcome(self, host, counter, message, reason, accepted, low, high, sequence):
        known = self.find_outcome(host)
        content = 0
        if known is not None:
            self.hosts.remove(known)
            if known.counter == counter:
                # A new sector repeats the outcome.
                content = known.content
        elif len(self.hosts) == HOSTS_MAX:
            self.raise_floor(self.hosts.pop(0).counter)
        self.hosts.append(Outcome(host, counter, message, reason, accepted, low, high, sequence, content))

    def raise_floor(self, counter):
        self.floor = max(self.floor, counter)
