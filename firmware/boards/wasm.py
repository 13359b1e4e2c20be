# MicroPython built for 32-bit WebAssembly as a board: small ints and allocation as on a chip.

import gc

from boards import stdio


def board():
    # This build's collector does not see what lives in WebAssembly locals: with a large frame active it frees live
    # memory. It only runs between turns, from main.py's small frame.
    gc.disable()
    return stdio.board("wasm")
