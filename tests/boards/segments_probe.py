# boards/segments.py on a real littlefs in memory, with the power failing at every operation of its block device.
#
# A plan of writes and erases is run once for its length, then once for each operation of the block device that it
# makes: cut before it, or in the middle. The file system is mounted anew, and what Segments reads must be what the last
# operation that came back had left, or the one that was under way had wanted; never anything else.

import sys

sys.path.insert(0, sys.argv[1])

import vfs
from boards.segments import Segments

BLOCK = 4096
BLOCKS = 24
SECTORS = 4


class Cut(Exception):
    pass


class Memory:
    """A block device: counts its writes and erases, and fails at one of them."""

    def __init__(self, image=None):
        self.image = bytearray(b"\xff" * (BLOCK * BLOCKS)) if image is None else bytearray(image)
        self.operations = 0
        self.erases = 0
        self.programs = 0
        self.reads = 0
        self.cut_at = -1
        self.torn = False

    def readblocks(self, block, buffer, offset=0):
        self.reads += 1
        at = block * BLOCK + offset
        buffer[:] = self.image[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        at = block * BLOCK + offset
        self.programs += 1
        self._operation(at, buffer)
        self.image[at : at + len(buffer)] = buffer

    def _operation(self, at, data):
        number = self.operations
        self.operations += 1
        if self.cut_at < 0 or number < self.cut_at:
            return
        if self.torn and number == self.cut_at:
            half = len(data) // 2
            self.image[at : at + half] = data[:half]
        # Nothing that comes after a power cut reaches the flash.
        raise Cut

    def ioctl(self, op, arg):
        if op == 4:
            return BLOCKS
        if op == 5:
            return BLOCK
        if op == 6:
            self.erases += 1
            self._operation(arg * BLOCK, b"\xff" * BLOCK)
            self.image[arg * BLOCK : (arg + 1) * BLOCK] = b"\xff" * BLOCK
        return 0


def mounted(memory):
    vfs.mount(vfs.VfsLfs2(memory, progsize=256), "/lfs")
    return Segments("/lfs/flash")


def plan():
    """Two sectors of records with a void one, a copy written from its end, a ring that wraps."""
    for sector in (0, 1):
        yield "erase", sector, b""
        yield "write", sector * BLOCK, bytes([sector + 1] * 16)
        for slot in range(20):
            yield "write", sector * BLOCK + 16 + 40 * slot, bytes([slot] * 40)
    yield "write", BLOCK + 16 + 40 * 19, bytes(40)
    yield "write", BLOCK + 16 + 40 * 22, bytes([9] * 40)
    yield "erase", 2, b""
    for page in (2, 1, 0):
        yield "write", 2 * BLOCK + 256 * page, bytes([page + 1] * 256)
    yield "erase", 0, b""
    yield "write", 0, bytes([7] * 16)


def apply(model, what, at, data):
    """The same on an array: what flash would hold."""
    if what == "erase":
        model[at * BLOCK : (at + 1) * BLOCK] = b"\xff" * BLOCK
        return
    for place, byte in enumerate(data):
        model[at + place] &= byte


def carry_out(segments, what, at, data):
    if what == "erase":
        segments.erase(at * BLOCK)
    else:
        segments.write(at, data)


def held(segments):
    found = bytearray(SECTORS * BLOCK)
    for sector in range(SECTORS):
        segments.read(sector * BLOCK, memoryview(found)[sector * BLOCK : (sector + 1) * BLOCK])
    return found


def whole(image):
    """Run the plan without a cut; return how many operations it took."""
    memory = Memory(image)
    segments = mounted(memory)
    model = bytearray(b"\xff" * (SECTORS * BLOCK))
    began = memory.operations
    for what, at, data in plan():
        carry_out(segments, what, at, data)
        apply(model, what, at, data)
        assert held(segments) == model, (what, at)
    vfs.umount("/lfs")
    assert held(mounted(memory)) == model
    vfs.umount("/lfs")
    return began, memory.operations


def cut(image, at, torn):
    memory = Memory(image)
    segments = mounted(memory)
    memory.cut_at, memory.torn = at, torn
    model = bytearray(b"\xff" * (SECTORS * BLOCK))
    wanted = bytearray(model)
    for what, place, data in plan():
        apply(wanted, what, place, data)
        try:
            carry_out(segments, what, place, data)
        except Cut:
            break
        if memory.operations > at:
            # Segments keeps an error of its file system to itself: only reading back tells.
            break
        apply(model, what, place, data)
    vfs.umount("/lfs")
    memory.cut_at = -1
    found = held(mounted(Memory(memory.image)))
    vfs.umount("/lfs")
    return found in (model, wanted)


def fresh():
    memory = Memory()
    vfs.VfsLfs2.mkfs(memory, progsize=256)
    mounted(memory)
    vfs.umount("/lfs")
    return memory.image


def cost():
    """Erases and programs of 2000 records in a ring of four sectors."""
    memory = Memory(fresh())
    segments = mounted(memory)
    erases, programs = memory.erases, memory.programs
    for record in range(2000):
        sector, slot = record // 100 % SECTORS, record % 100
        if slot == 0:
            segments.erase(sector * BLOCK)
        segments.write(sector * BLOCK + 16 + 40 * slot, bytes([record & 0x7F] * 40))
    print("cost", (memory.erases - erases) * 1000 // 2000, (memory.programs - programs) * 1000 // 2000)
    vfs.umount("/lfs")


def missing():
    """Reads of the block device for fifty sectors that were never written, and what they hold; then one is there."""
    memory = Memory(fresh())
    segments = mounted(memory)
    segments.write(BLOCK, b"\x01")
    reads, blank = memory.reads, True
    for sector in range(2, 52):
        found = bytearray(600)
        segments.read(sector * BLOCK + 3000, found)
        blank = blank and found == b"\xff" * 600
    print("missing", memory.reads - reads, blank)
    vfs.umount("/lfs")
    segments = mounted(memory)
    found = bytearray(1)
    segments.read(BLOCK, found)
    print("there", found == b"\x01")
    vfs.umount("/lfs")


def full():
    """A file system without room: what is not written is not read back, what was there stays."""
    memory = Memory(fresh())
    segments = mounted(memory)
    segments.write(0, b"\x01" * 2000)
    try:
        for number in range(BLOCKS):
            with open("/lfs/ballast" + str(number), "wb") as ballast:
                ballast.write(bytes(BLOCK))
    except OSError:
        pass
    segments.write(BLOCK, b"\x02" * 4000)
    back = bytearray(4000)
    segments.read(BLOCK, back)
    kept = bytearray(2000)
    segments.read(0, kept)
    print("full", back == b"\xff" * 4000, kept == b"\x01" * 2000)
    vfs.umount("/lfs")


def main():
    image = fresh()
    began, end = whole(image)
    bad = 0
    for at in range(began, end):
        for torn in (False, True):
            if not cut(image, at, torn):
                bad += 1
                print("lost", at, torn)
    print("cuts", 2 * (end - began), bad)
    cost()
    missing()
    full()


main()
