# const() marks a number: the MicroPython compiler writes it where its name is used. CPython calls a function.
#
# The file lies beside main.py, because boards need it too and a board must not know the pump.

try:
    from micropython import const
except ImportError:

    def const(value):
        return value
