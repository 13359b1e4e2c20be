# Runs the selector on real files: argv has the root, whether the watchdog bit, and the firmware's directory with it.

import sys

sys.path.insert(0, sys.argv[3])

import selector


class Pins:
    Pin = None


sys.modules["machine"] = Pins
selector.WINDOW_MS = int(sys.argv[4])
selector.boot(sys.argv[1], sys.argv[2] == "bitten")
print("REPL")
