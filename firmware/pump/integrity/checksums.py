# One number of what a part declares as checked: any single flipped bit changes it.
#
# A class declares with checked(), which returns a tuple of its attributes and nothing else. Values are numbers, None,
# rows of numbers (tuples, arrays, bytes), lists of such values, and parts with a declaration of their own.

from array import array

from const import const

_NUMBERS = (int, bool)
_ROWS = (tuple, array, bytes, bytearray)
# Greater numbers are on the heap where small integers have 31 bits, and so is all that is folded with them. A prime: no
# flipped bit, which is a difference of a power of two, leaves the remainder as it was.
_PRIME = const(1_073_741_789)


def fold(part):
    """The number of a part that declares. Allocates: for records, leases and orders, not between them."""
    return _fold_values(part.checked())


def _fold_values(values):
    total = 0
    for value in values:
        if isinstance(value, _NUMBERS):
            total ^= value % _PRIME
        elif isinstance(value, _ROWS):
            total ^= sum(value) % _PRIME
        elif isinstance(value, list):
            total ^= _fold_values(value)
        elif value is not None:
            total ^= fold(value)
    return total
