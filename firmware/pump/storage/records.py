# What survives a power cut.

from pump.wire import const

_FORMAT = "<IHIBBIIIII"

UNKNOWN = const(0xFFFFFFFF)
