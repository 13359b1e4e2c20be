# Runs the pump of a fake chip with the heap locked wherever the firmware promises not to allocate, and says on stderr,
# after every turn that is a power of two, how many turns were locked.

import begin

board = begin.board()

import sys

import micropython
from pump.controller import Pump

SELFTEST_SOON_MS = 200_000


def turn(pump):
    quiet = (
        pump.standstill.time_recorded
        and pump.delivery.guard.allowance() > 4
        and pump.selftest.since_ms < pump.profile.retest_ms - SELFTEST_SOON_MS
        and not (pump.link.pending or pump.link._fill)
    )
    if not (pump.ledger.facts.running and quiet):
        board.wait(pump.run())
        return 0
    micropython.heap_lock()
    board.wait(pump.run())
    micropython.heap_unlock()
    return 1


def main():
    pump = Pump(board)
    pump.start()
    locked = 0
    while True:
        added = turn(pump)
        locked += added
        if added and locked & (locked - 1) == 0:
            print("locked", locked, file=sys.stderr)
        board.tidy()


main()
