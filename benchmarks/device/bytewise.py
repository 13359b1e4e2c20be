# What a byte costs in two ways of receiving, N times 256 of them: a method call for each, or find and slice copies.
import gc
import sys

sys.path.insert(0, "/script")
gc.disable()

from params import WAY, N  # noqa: E402

BLOCK = bytes([at % 255 + 1 for at in range(255)]) + b"\x00"


class Receiver:
    def __init__(self):
        self.buffer = bytearray(512)
        self.fill = 0
        self.frames = 0

    def put(self, byte):
        if byte == 0:
            self.frames += 1
            self.fill = 0
        else:
            self.buffer[self.fill] = byte
            self.fill += 1

    def take(self, block):
        end = block.find(b"\x00")
        self.buffer[0:end] = block[0:end]
        self.frames += 1


def main():
    receiver = Receiver()
    if WAY == "call":
        for _ in range(N):
            for byte in BLOCK:
                receiver.put(byte)
    else:
        for _ in range(N):
            receiver.take(BLOCK)
    assert receiver.frames == N


main()
