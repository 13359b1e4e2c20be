# /main.py of a board: which of the two slots runs. Small and hardly ever changed, because an update cannot stage it.
#
# It deletes nothing and formats nothing. Whatever is wrong, the worst that follows is the REPL and one clear line.

import gc
import os
import sys

import micropython

ROOT = "/dosebench"
WINDOW_MS = 2000
# Imports leave garbage between what stays. Collected only when the heap is full, it leaves gaps of some hundred bytes
# there, and the pump's buffers find no room in 80 KB that are free.
COLLECT_BYTES = 32_768
_CTRL_C = 3


def exists(path):
    try:
        os.stat(path)
    except OSError:
        return False
    return True


def order(root):
    """The slots to try: the active one, then the other. Only whole ones: the manifest is written last."""
    try:
        with open(root + "/active") as file:
            active = file.read().strip()
    except OSError:
        active = ""
    if active not in ("a", "b"):
        print("dosebench: which slot is active is not known")
    slots = ("b", "a") if active == "b" else ("a", "b")
    return [slot for slot in slots if exists(root + "/" + slot + "/manifest.json")]


def forget(slot, known):
    """What a slot has imported must not mix with what the other one has: only the modules of before are left."""
    sys.path.remove(slot)
    for name in list(sys.modules):
        if name not in known:
            del sys.modules[name]


def rest(slot):
    """The motor off before anything else: a soft reset leaves pins as they were. No Ctrl-C may come between."""
    known = list(sys.modules)
    sys.path.insert(0, slot)
    micropython.kbd_intr(-1)
    try:
        __import__("boards.rest").rest.rest(slot)
    except Exception as error:
        print("dosebench: the motor's pins are not known:", error)
    micropython.kbd_intr(_CTRL_C)
    forget(slot, known)


def held_by_developer():
    """The way out before the watchdog starts, which nothing can stop then."""
    import time  # noqa: PLC0415

    try:
        print("dosebench: Ctrl-C within", WINDOW_MS // 1000, "s stops here")
        time.sleep_ms(WINDOW_MS)
    except KeyboardInterrupt:
        print("dosebench: stopped; a reset starts the pump")
        return True
    return False


def start(slot):
    """Import a slot and make its board: (main module, board), or None when it cannot be started."""
    known = list(sys.modules)
    sys.path.insert(0, slot)
    try:
        main = __import__("main")
        return main, main.this_board()
    except Exception as error:
        print("dosebench:", slot, "does not start:", repr(error))
    forget(slot, known)
    return None


def boot(root, bitten):
    """Run the pump; coming back is the REPL. `bitten`: the watchdog reset the board, and the pump is back at once."""
    gc.threshold(COLLECT_BYTES)
    slots = [root + "/" + slot for slot in order(root)]
    if slots:
        rest(slots[0])
    if exists(root + "/hold"):
        print("dosebench: held; remove", root + "/hold and reset to run the pump")
        return
    if not bitten and held_by_developer():
        return
    for slot in slots:
        started = start(slot)
        if started is not None:
            main, board = started
            main.run(board)
            return
    print("dosebench: there is no slot that starts; flash the board again")


if __name__ == "__main__":
    import machine

    boot(ROOT, machine.reset_cause() == machine.WDT_RESET)
