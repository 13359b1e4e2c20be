# The link: N times the same frame, from bytes in blocks to the fields of its request.
import gc
import sys

sys.path.insert(0, sys.argv[-1])
sys.path.insert(0, "/script")
gc.disable()

from params import REQUEST, UNPACK, N  # noqa: E402
from pump import wire  # noqa: E402
from pump.link.frames import Link  # noqa: E402


class Line:
    def __init__(self):
        self.at = len(REQUEST)

    def uart_read(self, buffer):
        count = min(len(buffer), len(REQUEST) - self.at)
        buffer[:count] = REQUEST[self.at : self.at + count]
        self.at += count
        return count


def main():
    line = Line()
    link = Link(line, b"ram1")
    unpack = getattr(wire, UNPACK) if UNPACK else None
    for _ in range(N):
        line.at = 0
        assert link.receive()
        if unpack:
            link.decode_body(unpack)
        link.drop_request()
    assert link.bad_frames == 0


main()
