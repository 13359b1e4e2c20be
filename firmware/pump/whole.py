# Whole-number arithmetic that never leaves the small ints of a 32-bit port.


def mul_div(a, b, c):
    """Return (a * b // c, a * b % c) for 0 <= a, b < 2^30 and 0 < c <= 2^29, saturating the quotient at 2^30 - 1.

    The product is built bit by bit, so that no intermediate value reaches 2^30. Returns a tuple: not for the loop.
    """
    whole, part = divmod(a, c)
    quotient = 0
    remainder = 0
    for bit in range(29, -1, -1):
        quotient = _double(quotient)
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
    return quotient, remainder


def _plus(a, b):
    # a + b could pass 2^30 before it is compared, so compare what is left instead.
    return a + b if b <= 0x3FFFFFFF - a else 0x3FFFFFFF


def _double(a):
    return a + a if a <= 0x1FFFFFFF else 0x3FFFFFFF
