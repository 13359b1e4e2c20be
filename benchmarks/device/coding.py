# Delta coding: N times the same few journal records, as the pump packs them for a stream.
import gc
import sys

sys.path.insert(0, sys.argv[-1])
sys.path.insert(0, "/script")
gc.disable()

from params import RECORDS, N  # noqa: E402
from pump.link.journal_stream import Coder  # noqa: E402


def main():
    coder = Coder()
    out = bytearray(len(RECORDS))
    for _ in range(N):
        coder.reset_state()
        end = 0
        for at in range(0, len(RECORDS), 40):
            end = coder.code_record(RECORDS, at, out, end)
    assert 0 < end < len(RECORDS)


main()
