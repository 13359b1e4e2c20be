# The version of the firmware: hello and the boot record say it.

FIRMWARE = (0, 2, 0)
