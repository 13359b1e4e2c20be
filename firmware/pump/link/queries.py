# Frames in, answers out.

from pump.wire import const

_RECORDS_MAX = const(25)
_SHOWN_MAX = const(65_535)
