# The layout of a journal record.

from const import const

RECORD_FORMAT = "<IHIBBIIIII"

UNKNOWN = const(0xFFFFFFFF)

# What writing returns instead of a sequence number when the flash rejects a record.
NOT_WRITTEN = const(-1)
