# Wiring only: this board, that pump, run. Where a board file cannot be told from the platform, it is named here.

import sys

from pump.controller import Pump


def family():
    if getattr(sys.implementation, "_build", "") == "wasi":
        return "wasm"
    return "unix" if sys.platform in ("linux", "darwin") else sys.platform


def this_board():
    return getattr(__import__("boards." + family()), family()).board()


def run(board):
    try:
        turn(board)
    finally:
        # Whatever ended the loop: nothing moves while the watchdog has yet to reset the board.
        board.motor_off()


def after_turn():
    """The selector puts its own in this place: it wants to know that a pump turns."""


def turn(board):
    """For ever. Its frame is small on purpose: the 32-bit build's collector does not see a larger one's objects."""
    pump = Pump(board)
    pump.start()
    while True:
        delay = pump.run()
        if delay < 0:
            # START_OVER. The old pump goes first, so that the heap need not hold two.
            pump = None
            board.tidy()
            pump = Pump(board, True)
            pump.start()
            delay = 0
        # Between turns is the one place where a collector may take its time.
        board.tidy()
        if not pump.supervisor.proving:
            after_turn()
        board.wait(delay)


if __name__ == "__main__":
    run(this_board())
