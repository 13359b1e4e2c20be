# /main.py of a board: which of the two slots runs. Small and hardly ever changed, because an update cannot stage it.
#
# It formats nothing, and deletes nothing but its own mark. Whatever is wrong, the worst that follows is the REPL and a
# line that says why.

import gc
import json
import os
import select
import sys
import time

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
# So often a slot that was flashed is started without one whole turn before the other one runs (chosen): somebody who
# switches a board off and on again while it starts has found no fault in it.
STARTS = 4
# An error within so many turns of the loop is one of the start (chosen): each part has had its turn by then.
FIRST_TURNS = 8
_CTRL_C = 3


def exists(path):
    try:
        os.stat(path)
    except OSError:
        return False
    return True


class Trial:
    """The file `trial`: a slot that is not known to turn, how often it was started so, and what ended it. Flashing
    makes it, and the first turn removes it: from then on a boot wears nothing."""

    def __init__(self, root):
        self._path = root + "/trial"
        self._turns = 0
        self._runs = ""
        self._slot = ""
        self._starts = 0
        self.error = None
        try:
            with open(self._path) as file:
                words = file.read().split()
            self._slot, self._starts = words[0], int(words[1])
        except (OSError, ValueError, IndexError):
            # None is on trial.
            pass

    def failed(self):
        """The slot that has had its tries, if there is one."""
        return self._slot if self._starts >= STARTS else ""

    def begin(self, slot):
        self._runs = slot
        if slot == self._slot and self._starts < STARTS:
            self._write(self._starts + 1, "")

    def turned(self):
        """After each turn of the pump's loop."""
        if self._turns < FIRST_TURNS:
            self._turns += 1
            if self._turns == 1 and self._runs == self._slot:
                self._slot = ""
                try:
                    os.remove(self._path)
                except OSError:
                    # Its starts are counted on then.
                    pass

    def fail(self):
        """Whether the slot that ran is marked now as one that does not: not if it had turned for a while, nor when the
        other one is marked."""
        if self._turns >= FIRST_TURNS or self.failed():
            return False
        self._slot = self._runs
        return self._write(STARTS, repr(self.error))

    def _write(self, starts, why):
        try:
            with open(self._path, "w") as file:
                file.write(self._slot + " " + str(starts) + " " + why)
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
    slots = [slot for slot in (("b", "a") if active == "b" else ("a", "b")) if exists(manifest_of(root, slot))]
    if len(slots) > 1 and bench_of(root, "a") != bench_of(root, "b"):
        # Their pins may be others: what was an input is driven then.
        del slots[1]
    if len(slots) > 1 and Trial(root).failed() == slots[0]:
        print("dosebench: slot", slots[0], "did not run when it was tried")
        slots.reverse()
    return slots


def manifest_of(root, slot):
    return root + "/" + slot + "/manifest.json"


def bench_of(root, slot):
    """Hash of the bench file that a slot was flashed with, whatever became of it."""
    try:
        with open(manifest_of(root, slot)) as file:
            return json.load(file)["files"]["bench.json"]
    except (OSError, ValueError, KeyError):
        return None


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


def run(slot, path, trial):
    """A slot's pump, to its end; whether there was one. The error that ended it is left in `trial`."""
    known = list(sys.modules)
    started = start(path)
    if started is None:
        return False
    main, board = started
    main.after_turn = trial.turned
    trial.begin(slot)
    try:
        main.run(board)
    except Exception as error:
        trial.error = error
        forget(path, known)
    return True


def boot(root, bitten):
    """Run the pump; coming back is the REPL. `bitten`: the watchdog reset the board, and the pump is back at once."""
    # But in the window Ctrl-C is a byte like any other: a pump that is half imported would not come back. The REPL sets
    # it anew by itself.
    micropython.kbd_intr(-1)
    gc.threshold(COLLECT_BYTES)
    slots = order(root)
    if slots:
        rest(root + "/" + slots[0])
    if exists(root + "/hold"):
        print("dosebench: held; remove", root + "/hold and reset to run the pump")
        return
    if not bitten and held_by_developer():
        return
    trial = Trial(root)
    for slot in slots:
        path = root + "/" + slot
        if run(slot, path, trial):
            if trial.error is not None:
                report(path, trial.error)
                if len(slots) > 1 and trial.fail():
                    reset()
            return
    print("dosebench: there is no slot that starts; flash the board again")


def report(slot, error):
    """The motor off, whatever the pump has left behind; then what ended it."""
    gc.collect()
    rest(slot)
    sys.print_exception(error)
    print("dosebench:", slot, "ended:", repr(error))


def reset():
    """The other slot starts from an empty heap, and before any watchdog bites."""
    import machine  # noqa: PLC0415

    # The line goes out first.
    time.sleep_ms(QUIET_MS)
    machine.reset()


if __name__ == "__main__":
    import machine

    boot(ROOT, machine.reset_cause() == machine.WDT_RESET)
