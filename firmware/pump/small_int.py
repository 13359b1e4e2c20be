# Integer arithmetic that never leaves the small ints of a 32-bit port.


class MulDiv:
    """a * b / c without forming the product. divide() sets `quotient` and `remainder`, and allocates nothing."""

    def __init__(self):
        self.quotient = 0
        self.remainder = 0

    def divide(self, a, b, c):
        """Divides a * b by c, for 0 <= a, b < 2^30 and 0 < c <= 2^29; returns the quotient, at most 2^30 - 1."""
        whole = a // c
        part = a % c
        quotient = 0
        remainder = 0
        for bit in range(29, -1, -1):
            quotient = quotient + quotient if quotient <= 0x1FFFFFFF else 0x3FFFFFFF
            remainder += remainder
            if remainder >= c:
                remainder -= c
                quotient = _plus(quotient, 1)
            if b >> bit & 1:
                quotient = _plus(quotient, whole)
                remainder += part
                if remainder >= c:
                    remainder -= c
                    quotient = _plus(quotient, 1)
        self.quotient = quotient
        self.remainder = remainder
        return quotient

    def divide_up(self, a, b, c):
        """Divides as divide() does; returns the quotient rounded up."""
        quotient = self.divide(a, b, c)
        return _plus(quotient, 1) if self.remainder else quotient


def mul_div(a, b, c):
    """(a * b // c, a * b % c), as MulDiv. Returns a tuple: not for the dosing path."""
    division = MulDiv()
    division.divide(a, b, c)
    return division.quotient, division.remainder


def _plus(a, b):
    # a + b could pass 2^30 before it is compared, so compare what is left instead.
    return a + b if b <= 0x3FFFFFFF - a else 0x3FFFFFFF
