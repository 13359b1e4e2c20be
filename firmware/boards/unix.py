# MicroPython's unix port as a board: the default twin.

from boards import stdio


def board():
    return stdio.board("unix")
