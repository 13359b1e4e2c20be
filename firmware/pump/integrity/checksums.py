# One number of what a part declares as checked: any single flipped bit changes it.
#
# A class declares with checked(), which returns a tuple of its attributes and nothing else. Values are numbers, None,
# rows of numbers (tuples, arrays, bytes), lists of such values, and parts with a declaration of their own.

from array import array

from const import const

_NUMBERS = (int, bool)
_ROWS = (tuple, array, bytes, bytearray)
# Above it a number is on the heap where small integers have 31 bits, and so is each sum of it.
_SMALL = const(0x3FFFFFFF)


def fold(part):
    """The number of a part that declares. Allocates: for records, leases and orders, not between them."""
    return _fold_values(part.checked())


def _fold_values(values):
    total = 0
    for value in values:
        if isinstance(value, _NUMBERS):
            total ^= _halved(value)
        elif isinstance(value, _ROWS):
            total ^= _halved(sum(value))
        elif isinstance(value, list):
            total ^= _fold_values(value)
        elif value is not None:
            total ^= fold(value)
    return total


def _halved(number):
    return number if number <= _SMALL else number >> 16 ^ number & 0xFFFF
