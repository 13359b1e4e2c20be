"""Noise from a hash: the value depends on what is measured and when, never on how many other values were asked for.

A generator with a state would give a sensor other noise as soon as somebody looks at another one. The mixing is that of
SplitMix64 (Steele, Lea, Flood 2014, doi 10.1145/2660193.2660195), in integers, so that every computer gives the same.
"""

from __future__ import annotations

from typing import Final

_MASK: Final = 0xFFFF_FFFF_FFFF_FFFF
_STEP: Final = 0x9E37_79B9_7F4A_7C15
_MIX_1: Final = 0xBF58_476D_1CE4_E5B9
_MIX_2: Final = 0x94D0_49BB_1331_11EB
_NORM: Final = 3**0.5 / 65_536
"""Scales the sum of four 16-bit numbers, whose variance is 4/12 * 65536^2, to a standard deviation of 1."""


def random_bits(seed: int, stream: int, at: int, repeat: int = 0) -> int:
    """64 bits that four whole numbers decide."""
    x = ((seed * 7_919 + stream) * _STEP + at) * _STEP + repeat * _MIX_2 & _MASK
    x = (x ^ x >> 30) * _MIX_1 & _MASK
    x = (x ^ x >> 27) * _MIX_2 & _MASK
    return x ^ x >> 31


def normal_deviate(seed: int, stream: int, at: int, repeat: int = 0) -> float:
    """A number of mean 0 and standard deviation 1, nearly normal: the sum of four uniform ones, so never beyond 3.5."""
    x = random_bits(seed, stream, at, repeat)
    total = (x & 0xFFFF) + (x >> 16 & 0xFFFF) + (x >> 32 & 0xFFFF) + (x >> 48)
    return (total - 131_070) * _NORM


def uniform_deviate(seed: int, stream: int, at: int) -> float:
    """A number from 0 up to, but not including, 1."""
    return (random_bits(seed, stream, at) >> 11) / (1 << 53)
