# The whole pump on a board in memory: N steps of the basal, with the turns, leases and battery checks between them.
import gc
import sys

sys.path.insert(0, sys.argv[-1])
sys.path.insert(0, "/script")
gc.disable()

from params import CONFIG, REQUESTS, N  # noqa: E402
from pump.controller import Pump  # noqa: E402
from ram_board import RamBoard  # noqa: E402


def main():
    board = RamBoard(CONFIG)
    pump = Pump(board)
    pump.start()
    for request in REQUESTS:
        board.inbox = request
        pump.run()
    assert board.sent == len(REQUESTS)
    assert pump.ledger.facts.running
    while board.encoder() < N:
        board.wait(pump.run())
    assert not pump.ledger.facts.latched
    assert pump.ledger.facts.low == N


main()
