# mypy: disable-error-code="name-defined,call-overload"
# ruff: noqa: F821
# The RP2's pulse generator: a state machine that makes so many pulses and then waits for the next order. It needs
# neither the processor nor its interrupts, so an activation ends even if the program dies in the middle of it.

from const import const
from machine import Pin
from rp2 import PIO, StateMachine, asm_pio

# One cycle is one microsecond.
_FREQUENCY = const(1_000_000)
# Cycles that a pulse's high and low part take beside their loops.
_HIGH_EXTRA = const(3)
_LOW_EXTRA = const(4)
_PULL_NOBLOCK = const(0x8080)
_SET_PINS = const(0xE000)


def program(on):
    idle = 1 - on

    @asm_pio(set_init=PIO.OUT_HIGH if idle else PIO.OUT_LOW)
    def train():
        wrap_target()
        # Three words: pulses less one, cycles on, cycles off.
        pull(block)
        mov(x, osr)
        pull(block)
        mov(isr, osr)
        pull(block)
        label("pulse")
        set(pins, on)
        mov(y, isr)
        label("on")
        jmp(y_dec, "on")
        set(pins, idle)
        mov(y, osr)
        label("off")
        jmp(y_dec, "off")
        jmp(x_dec, "pulse")
        wrap()

    return train


class Pulser:
    """Pulses on a pin whose active level is `on`."""

    def __init__(self, pin, on, pulses):
        self._pulses = pulses
        self._idle = _SET_PINS | 1 - on
        self._machine = StateMachine(0, program(on), freq=_FREQUENCY, set_base=Pin(pin))
        self._machine.active(1)

    def train(self, half_us):
        self._put(self._pulses, half_us, half_us)

    def hold(self, ms):
        """Active for so long, then idle, whatever becomes of the program."""
        self._put(1, ms * 1_000, 0)

    def _put(self, pulses, on_us, off_us):
        machine = self._machine
        machine.put(pulses - 1)
        machine.put(max(on_us - _HIGH_EXTRA, 0))
        machine.put(max(off_us - _LOW_EXTRA, 0))

    def stop(self):
        """Idle now, and nothing left to do."""
        machine = self._machine
        machine.active(0)
        while machine.tx_fifo():
            machine.exec(_PULL_NOBLOCK)
        machine.restart()
        machine.exec(self._idle)
        machine.active(1)
