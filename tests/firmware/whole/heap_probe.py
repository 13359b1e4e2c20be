# Runs the pump on the bench bus with the heap locked wherever the firmware promises not to allocate.
#
# The dosing path is always locked; a whole turn of the loop, with its idle line, is locked whenever nothing is due that
# may write flash. Prints on stderr its counts (after every locked turn that is a power of two), and what each turn with
# the pump stopped took from the heap.

import gc
import sys

sys.path.insert(0, sys.argv[-1])

import micropython
from boards import stdio
from pump.controller import Pump

SELFTEST_SOON_MS = 200_000
PERIODIC_SOON_MS = 100_000


class Probe:
    def __init__(self, pump, board):
        self.pump = pump
        self.board = board
        self.whole_turns = 0
        self.dosing_turns = 0

    def turn(self):
        pump = self.pump
        quiet = (
            pump.standstill.time_recorded
            and pump.delivery.guard.allowance() > 4
            and pump.selftest.since_ms < pump.profile.retest_ms - SELFTEST_SOON_MS
            and pump.delivery.schedule.periodic_ms > PERIODIC_SOON_MS
        )
        if pump.ledger.facts.running and quiet and not self.bytes_wait():
            self.whole_turn()
        elif pump.ledger.facts.running:
            self.dosing_turn()
        else:
            self.frame_turn()

    def bytes_wait(self):
        # The line is only looked at here in phases in which the test sends nothing.
        return self.pump.link.pending or self.pump.link._fill or self.pump.ledger.facts.bolus_left

    def whole_turn(self):
        micropython.heap_lock()
        self.board.wait(self.pump.run())
        micropython.heap_unlock()
        self.whole_turns += 1
        if self.whole_turns & (self.whole_turns - 1) == 0:
            self.report()

    def dosing_turn(self):
        micropython.heap_lock()
        self.pump.deliver()
        micropython.heap_unlock()
        self.dosing_turns += 1
        self.board.wait(self.pump.run())

    def frame_turn(self):
        before = gc.mem_alloc()
        delay = self.pump.run()
        used = gc.mem_alloc() - before
        print("frame", self.pump.link.type, int(self.pump.link.tagged), used, file=sys.stderr)
        self.board.wait(delay)

    def report(self):
        print("locked", self.whole_turns, self.dosing_turns, file=sys.stderr)


def main():
    # As in boards/wasm.py; nothing here runs long enough to need a collection.
    gc.disable()
    board = stdio.board("probe")
    pump = Pump(board)
    pump.start()
    probe = Probe(pump, board)
    while True:
        probe.turn()


main()
