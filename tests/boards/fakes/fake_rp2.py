# The `rp2` module: an assembler of the few instructions that are used, and a state machine that carries them out.

import sys

from chip import Module
from world import WORLD

PULL, MOV, SET, JMP_X, JMP_Y = range(5)
X, Y, OSR, ISR = range(4)
FIFO_WORDS = 4
UNDERFLOW = 0x3FFFFFFF


class Program:
    def __init__(self, idle):
        self.idle = idle
        self.steps = []
        self.labels = {}

    def names(self):
        return {
            "wrap_target": lambda: None,
            "wrap": lambda: None,
            "label": lambda name: self.labels.update({name: len(self.steps)}),
            "pull": lambda block: self.steps.append((PULL, 0, 0)),
            "mov": lambda to, source: self.steps.append((MOV, to, source)),
            "set": lambda pins, value: self.steps.append((SET, value, 0)),
            "jmp": lambda register, to: self.steps.append((register, to, 0)),
            "block": 0,
            "pins": 0,
            "x": X,
            "y": Y,
            "osr": OSR,
            "isr": ISR,
            "x_dec": JMP_X,
            "y_dec": JMP_Y,
        }

    def assemble(self, function):
        names = function.__globals__
        kept = {name: names[name] for name in self.names() if name in names}
        names.update(self.names())
        try:
            function()
        finally:
            for name in self.names():
                del names[name]
            names.update(kept)
        self.steps = [(op, self.labels.get(a, a), b) for op, a, b in self.steps]
        return self


def asm_pio(set_init):
    return lambda function: Program(set_init).assemble(function)


class StateMachine:
    def __init__(self, number, program, freq, set_base):
        if freq != 1_000_000:
            raise ValueError("the fake's cycle is a microsecond")
        self._steps = program.steps
        self._pin = set_base.number
        self._registers = [0] * 4
        self._fifo = [0] * FIFO_WORDS
        self._count = 0
        self._at = 0
        self._active = False
        self.running = False
        WORLD.level(self._pin, program.idle)
        WORLD.wave = self

    def active(self, value):
        self._active = bool(value)
        # At its beginning with nothing to pull, it stands.
        self.running = self._active and (self._count > 0 or self._at > 0)

    def put(self, value):
        if self._count == FIFO_WORDS:
            raise RuntimeError("a real put would wait for ever")
        self._fifo[self._count] = value
        self._count += 1
        self.running = self._active

    def tx_fifo(self):
        return self._count

    def restart(self):
        self._at = 0

    def exec(self, word):
        if word == 0x8080:
            self._pull()
        elif word & 0xFFE0 == 0xE000:
            WORLD.level(self._pin, word & 31)
        else:
            raise ValueError("the fake does not know this instruction")

    def _pull(self):
        if self._count == 0:
            return False
        self._registers[OSR] = self._fifo[0]
        self._count -= 1
        at = 0
        while at < self._count:
            self._fifo[at] = self._fifo[at + 1]
            at += 1
        return True

    def run(self, limit):
        """Run for at most so many cycles, or until the shaft turns; return how many it were."""
        used = 0
        registers = self._registers
        while used < limit:
            op, a, b = self._steps[self._at]
            following = self._at + 1
            if op == PULL:
                if not self._pull():
                    self.running = False
                    return used
            elif op == MOV:
                registers[a] = registers[b]
            elif op == SET:
                WORLD.level(self._pin, a)
            else:
                register = X if op == JMP_X else Y
                if a == self._at:
                    # A loop of one instruction, in one go.
                    some = min(registers[register], limit - used - 1)
                    registers[register] -= some
                    used += some
                if registers[register]:
                    following = a
                    registers[register] -= 1
                else:
                    registers[register] = UNDERFLOW
            self._at = following % len(self._steps)
            used += 1
            if WORLD.turn:
                return used
        return used


class PIO:
    OUT_LOW = 0
    OUT_HIGH = 1


def install():
    rp2 = Module()
    rp2.PIO = PIO
    rp2.StateMachine = StateMachine
    rp2.asm_pio = asm_pio
    sys.modules["rp2"] = rp2
