# Runs the selector on real files: argv has the root, whether the watchdog bit, the firmware's directory with it, the
# length of its window, and how often Ctrl-C comes in that; what comes after it is on standard input.

import sys

sys.path.insert(0, sys.argv[3])


class Keys:
    """Who may set the key that interrupts, and what it is: -1 for none."""

    key = 3

    @staticmethod
    def kbd_intr(key):
        Keys.key = key


class Presses:
    """A clock that stands, but for the window: so many presses, each a millisecond after the one before."""

    left = 0
    ms = 0

    @staticmethod
    def ticks_ms():
        return Presses.ms

    @staticmethod
    def ticks_add(ticks, ms):
        return ticks + ms

    @staticmethod
    def ticks_diff(ticks, before):
        return ticks - before

    @staticmethod
    def sleep_ms(ms):
        assert Keys.key == 3
        if Presses.left == 0:
            Presses.ms += ms
            return
        Presses.left -= 1
        Presses.ms += 1
        raise KeyboardInterrupt


if sys.argv[5]:
    Presses.left = int(sys.argv[5])
    sys.modules["time"] = Presses
    sys.modules["micropython"] = Keys

import selector


class Machine:
    Pin = None

    @staticmethod
    def reset():
        print("RESET")
        sys.exit()


sys.modules["machine"] = Machine
selector.WINDOW_MS = int(sys.argv[4])
selector.boot(sys.argv[1], sys.argv[2] == "bitten")
print("REPL")
