# MicroPython built for 32-bit WebAssembly as a board: small ints and allocation as on a chip.

from boards import stdio


def board():
    return stdio.board("wasm")
