# The layout of a journal record.

from pump.wire import const

_FORMAT = "<IHIBBIIIII"

UNKNOWN = const(0xFFFFFFFF)
