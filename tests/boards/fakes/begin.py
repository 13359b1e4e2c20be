# A fake chip with the firmware on it. The first argument of a script that imports this is the directory of the firmware.

import gc
import sys

sys.path.insert(0, sys.argv[-1])

import chip
import vfs
from files import Files

SLOT = "/dosebench/a"
# By the number of the twin's reset cause (wire.RESET_CAUSE_*): power-on, brown-out, watchdog, software.
CAUSES = {"rp2": (1, 1, 1, 3, 3), "esp32": (0, 1, 1, 3, 2)}
WATCHDOG_MS = {"rp2": 8_388, "esp32": 0x3FFFFFFF}


def board(family):
    from json import load

    if getattr(sys.implementation, "_build", "") == "wasi":
        # This build's collector may run between turns only (firmware/boards/wasm.py).
        gc.disable()
    vfs.mount(Files(), "/dosebench")
    with open(SLOT + "/bench.json") as file:
        bench = load(file)
    chip.install(CAUSES[family], WATCHDOG_MS[family], bench)
    __import__("fake_" + family).install()
    return getattr(__import__("boards." + family), family).board(SLOT, sys.argv[-1])
