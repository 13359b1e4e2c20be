# Asks the bench bus without an end; a wait after every 2000 calls lets the other end take the time.
import sys

sys.path.insert(0, sys.argv[-1])

from boards import stdio


def main():
    board = stdio.board("calls")
    while True:
        board.wait(0)
        for _ in range(2000):
            board.motor_off()


main()
