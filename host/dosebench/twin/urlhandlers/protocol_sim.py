"""`sim://` for pyserial: a serial port whose other end is a twin, and whose clock is the twin's.

Imports stay trivial here: pyserial reports an ImportError inside a handler as an unknown protocol.
"""

from dosebench.twin.serial_port import Serial

__all__ = ["Serial"]
