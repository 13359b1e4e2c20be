# The bench bus over standard input and output, as the twin starts MicroPython processes.

import gc
import json
import sys

from boards.bus import BusBoard


class StdioLink:
    def __init__(self):
        self._in = sys.stdin.buffer
        self._out = sys.stdout.buffer

    def exchange(self, request, payload, reply, into):
        self._out.write(request)
        if payload is not None:
            self._out.write(payload)
        # An end of file is the power being cut: nothing may run after it.
        if not self._in.readinto(reply):
            raise SystemExit
        if reply[1] and not self._in.readinto(into, reply[1]):
            raise SystemExit


def version():
    return "micropython " + ".".join(str(part) for part in sys.implementation.version if part != "")


def leave_to_collector():
    pass


def board(name, tidy=leave_to_collector):
    return BusBoard(StdioLink(), name, version(), gc.mem_free, json.loads, tidy)
