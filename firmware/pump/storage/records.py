# The layout of a journal record.

from const import const

RECORD_FORMAT = "<IHIBBIIIII"

UNKNOWN = const(0xFFFFFFFF)

# What writing returns instead of a sequence number when the flash rejects a record.
NOT_WRITTEN = const(-1)

# Alarms in a record: entries of the whole record, and of a record that clears; a bit beside the number of an alarm says
# that it became urgent.
ENTRIES = const(15)
CLEARED_MAX = const(3)
NUMBER = const(0xFF)
ESCALATED = const(0x100)
