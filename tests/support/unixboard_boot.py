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
        self._file = open(path, "r+b")  # noqa: SIM115
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
        self._in = open(paths[0], "rb")  # noqa: SIM115
        self._out = open(paths[1], "wb")  # noqa: SIM115

    def exchange(self, request, payload, reply, into):
        self._out.write(request)
        if payload is not None:
            self._out.write(payload)
        self._in.readinto(reply)
        if reply[1]:
            self._in.readinto(into, reply[1])


class BenchBus:
    """What `import bench_bus` gives: a board whose pins and all go over the bench bus."""

    def __init__(self, link, family, firmware):
        # From the tree, and forgotten again, so that the pump's own files are those of the slot.
        sys.path.append(firmware)
        from boards.bus import BusBoard  # noqa: PLC0415

        self._make = lambda: BusBoard(link, family, "micropython", gc.mem_free, json.loads, lambda: None)
        for name in list(sys.modules):
            if name.split(".")[0] in ("boards", "pump"):
                del sys.modules[name]

    def board(self):
        return self._make()


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


def become_a_board(image, count, told, firmware):
    if told["bus"]:
        sys.modules["bench_bus"] = BenchBus(Link(told["bus"]), told["family"], firmware)
    root = mounted(Blocks(image, count))
    sys.modules["machine"] = Machine(os.system)
    vfs.umount("/")
    vfs.mount(root, "/")
    os.chdir("/")
    sys.path[:] = ["", ".frozen", "/lib"]
    sys.modules["sys"] = Sys(told)


try:
    become_a_board(sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]), sys.argv[4])
except BaseException as error:
    # No prompt may come then: its file system would be that of the host.
    sys.print_exception(error)
    os.system("kill -9 $PPID")
boot()
