# A fake chip with the firmware on it. The last argument of a script that imports this is the firmware's directory.

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


def family():
    """Of the bench that is on the chip."""
    from json import load

    if getattr(sys.implementation, "_build", "") == "wasi":
        # This build's collector may run between turns only (firmware/boards/wasm.py).
        gc.disable()
    vfs.mount(Files(), "/dosebench")
    with open(SLOT + "/bench.json") as file:
        bench = load(file)
    chip.install(CAUSES[bench["family"]], WATCHDOG_MS[bench["family"]], bench)
    __import__("fake_" + bench["family"]).install()
    return bench["family"]


def board():
    name = family()
    return getattr(__import__("boards." + name), name).board(SLOT, sys.argv[-1])
