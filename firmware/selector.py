# /main.py of a board: which of the two slots runs. Small and hardly ever changed, because an update cannot stage it.
#
# It deletes nothing and formats nothing. Whatever is wrong, the worst that follows is the REPL and one clear line.

import gc
import os
import select
import sys

import micropython

ROOT = "/dosebench"
WINDOW_MS = 2000
# Imports leave garbage between what stays. Collected only when the heap is full, it leaves gaps of some hundred bytes
# there, and the pump's buffers find no room in 80 KB that are free.
COLLECT_BYTES = 32_768
# Longer than a gap within what one program sends.
QUIET_MS = 50
# No frame of the protocol is longer.
FRAME_BYTES_MAX = 1066
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
    """The motor off before anything else: a soft reset leaves pins as they were."""
    known = list(sys.modules)
    sys.path.insert(0, slot)
    try:
        __import__("boards.rest").rest.rest(slot)
    except Exception as error:
        print("dosebench: the motor's pins are not known:", error)
    forget(slot, known)


def framed():
    """Whether a frame of the protocol goes on after a Ctrl-C: it ends in a zero, which no terminal sends."""
    poller = select.poll()
    poller.register(sys.stdin, select.POLLIN)
    for _ in range(FRAME_BYTES_MAX):
        byte = sys.stdin.buffer.read(1) if poller.poll(QUIET_MS) else b""
        if not byte:
            return False
        if byte == b"\0":
            return True
    return False


def held_by_developer():
    """The way out before the watchdog starts, which nothing can stop then.

    A pump on USB has the REPL's port, and somebody may ask it before it can answer. Nearly every frame holds a Ctrl-C.
    """
    import time  # noqa: PLC0415

    end = time.ticks_add(time.ticks_ms(), WINDOW_MS)
    left = WINDOW_MS
    while left > 0:
        try:
            micropython.kbd_intr(_CTRL_C)
            if left == WINDOW_MS:
                print("dosebench: Ctrl-C within", WINDOW_MS // 1000, "s stops here")
            time.sleep_ms(left)
            micropython.kbd_intr(-1)
        except KeyboardInterrupt:
            micropython.kbd_intr(-1)
            if not framed():
                print("dosebench: stopped; a reset starts the pump")
                return True
        left = time.ticks_diff(end, time.ticks_ms())
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
    # But in the window Ctrl-C is a byte like any other: a pump that is half imported would not come back. The REPL sets
    # it anew by itself.
    micropython.kbd_intr(-1)
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
