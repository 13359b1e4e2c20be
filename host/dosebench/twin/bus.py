"""The bench bus codec: what `firmware/boards/bus.py` speaks, from the other end.

A request is five little-endian signed 32-bit words (operation, payload bytes, a, b, c) and a payload; a reply is five
words (status, payload bytes, ticks, a, encoder) and a payload. Values stay below 2^30.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final

WORDS: Final = Struct("<5i")
WORDS_BYTES: Final = WORDS.size


class Op(IntEnum):
    """Operations of the bench bus, with the meaning of a, b, c and of the reply's a."""

    WAIT = 1
    """a: milliseconds to sleep, less when UART bytes arrive."""
    MOTOR = 2
    """a: steps, b: ms per step, c: longest on-time in ms. Reply: steps commanded within that time."""
    MOTOR_OFF = 3
    UART_READ = 4
    """a: most bytes. Reply payload: what has arrived."""
    UART_WRITE = 5
    FLASH_READ = 6
    """a: address, b: bytes. Reply payload: the bytes."""
    FLASH_WRITE = 7
    """a: address. Clears bits, as NOR flash does."""
    FLASH_ERASE = 8
    """a: address of a 4096-byte sector."""
    ADC = 9
    """a: channel (0 battery, 1 reservoir level, 2 pressure at the catheter's inlet, 3 temperature, 4 air detector).
    Reply: millivolts; 0 where no sensor is fitted."""
    HELLO = 10
    """Reply payload: JSON with config, device_id, reset_cause, code_hash (hexadecimal), keys (the
    same, by role)."""
    TONE = 11
    """a: pattern (0: off, 1: non-critical, 2: critical)."""
    COUNTER = 12
    """a: counter (0: flow meter). Reply: its count, modulo 2^30."""
    WATCHDOG = 13
    """a: milliseconds from now until the board is reset, unless this is called again; 0 disarms, on a bench only."""
    DRIVER = 14
    """Reply: 1 when the motor driver is energised, as the hardware has it."""
    CODE = 15
    """Reply payload: the first 16 bytes of the SHA-256 of the code as the board holds it now."""
    RANDOM = 16
    """a: bytes. Reply payload: what the board's random generator gives."""
    UART_BUSY = 17
    """Reply: milliseconds until the transmit buffer, of two of the longest frames, takes one without waiting."""


def pack_reply(payload_bytes: int, ticks: int, value: int, encoder: int) -> bytes:
    """Header of a reply whose status is 0."""
    return WORDS.pack(0, payload_bytes, ticks, value, encoder)
