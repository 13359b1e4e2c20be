# The version of the firmware, as hello and the boot record show it.

FIRMWARE = (0, 3, 0)
