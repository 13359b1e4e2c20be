# The USB port of boards/ports.py on the real standard streams: sends back what it reads, until nothing more comes.

import sys

sys.path.insert(0, sys.argv[1])


class Module:
    UART = None
    Pin = None


sys.modules["machine"] = Module

from boards.ports import port

usb = port({"kind": "usb"})
buffer = bytearray(96)
left = 256 * 3
while left and usb.wait(1000):
    count = usb.read(buffer)
    usb.write(memoryview(buffer)[:count])
    left -= count
