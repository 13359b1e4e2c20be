# What makes the unix port a board: its own flash at /, a machine that can be reset, and what runs at a boot. Arguments:
# image of the flash, its blocks, the rest as JSON (family, name, version, mpy, bus), and the firmware's directory.

import gc
import json
import os
import sys
import time

import vfs

BLOCK_BYTES = 4096


class Blocks:
    def __init__(self, path, count):
        self._file = open(path, "r+b")
        self._count = count

    def readblocks(self, number, buffer, offset=0):
        self._file.seek(number * BLOCK_BYTES + offset)
        self._file.readinto(buffer)

    def writeblocks(self, number, buffer, offset=0):
        self._file.seek(number * BLOCK_BYTES + offset)
        self._file.write(buffer)

    def ioctl(self, operation, _argument):
        return {4: self._count, 5: BLOCK_BYTES, 6: 0}.get(operation)


class Implementation:
    def __init__(self, told):
        self.name = told.get("name", sys.implementation.name)
        self.version = tuple(told.get("version", sys.implementation.version[:3]))
        self._machine = "a board of the unix port"
        self._mpy = told.get("mpy", sys.implementation._mpy)


class Sys:
    def __init__(self, told):
        self.platform = told["family"]
        self.implementation = Implementation(told)
        self.path = sys.path
        self.modules = sys.modules
        self.print_exception = sys.print_exception
        self.stdin = sys.stdin
        self.stdout = sys.stdout


class Machine:
    WDT_RESET = 3

    def __init__(self, system):
        self._system = system

    def reset(self):
        self._system("kill -9 $PPID")
        time.sleep(10)

    def reset_cause(self):
        return 1

    def unique_id(self):
        return b"\xe6\x61\x64\x08\x43\x27\x2e\x2b"


class Link:
    """The bench bus over two FIFOs."""

    def __init__(self, paths):
        self._in = open(paths[0], "rb")
        self._out = open(paths[1], "wb")

    def exchange(self, request, payload, reply, into):
        self._out.write(request)
        if payload is not None:
            self._out.write(payload)
        self._in.readinto(reply)
        if reply[1]:
            self._in.readinto(into, reply[1])


class Package:
    pass


def boards_on(link, family, firmware):
    """In place of the board files: pins and all go over the bench bus. What is imported here comes from the tree, and
    is forgotten again, so that the pump's own files are those of the slot."""
    sys.path.append(firmware)
    from boards.bus import BusBoard

    def board():
        return BusBoard(link, family, "micropython", gc.mem_free, json.loads, lambda: None)

    for name in ("boards", "boards.bus", "pump", "pump.wire"):
        del sys.modules[name]
    boards, own, rest = Package(), Package(), Package()
    own.board = board
    rest.rest = lambda slot: None
    setattr(boards, family, own)
    boards.rest = rest
    sys.modules["boards"], sys.modules["boards." + family], sys.modules["boards.rest"] = boards, own, rest


def mounted(blocks):
    try:
        return vfs.VfsLfs2(blocks)
    except OSError:
        vfs.VfsLfs2.mkfs(blocks)
        return vfs.VfsLfs2(blocks)


def boot():
    try:
        with open("/main.py") as file:
            source = file.read()
    except OSError:
        return
    try:
        exec(source, {"__name__": "__main__"})
    except KeyboardInterrupt:
        print("KeyboardInterrupt:")
    except Exception as error:
        sys.print_exception(error)


image, count, told = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
if told["bus"]:
    boards_on(Link(told["bus"]), told["family"], sys.argv[4])
root = mounted(Blocks(image, count))
sys.modules["machine"] = Machine(os.system)
vfs.umount("/")
vfs.mount(root, "/")
os.chdir("/")
sys.path[:] = ["", ".frozen", "/lib"]
sys.modules["sys"] = Sys(told)
boot()
