# MicroPython built for 32-bit WebAssembly as a board: small ints and allocation as on a chip.

import gc

from const import const

from boards import stdio

_TURNS = const(128)


class Collector:
    """This build's collector does not see what lives in WebAssembly locals: with a large frame active it frees live
    memory. So it is off, and runs between turns, from main.py's small frame, before the heap can be full."""

    def __init__(self):
        gc.disable()
        self._turns = _TURNS

    def tidy(self):
        self._turns += 1
        if self._turns >= _TURNS:
            self._turns = 0
            gc.collect()


def board():
    return stdio.board("wasm", Collector().tidy)
