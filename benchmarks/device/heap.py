# What the firmware holds of the heap, module by module and after the boot. This build's collector is only safe in a
# small frame: it is off, and runs here at the module's own level.
import gc
import sys

sys.path.insert(0, sys.argv[-1])
sys.path.insert(0, "/script")
gc.disable()

from params import CONFIG, MODULES, ROMFS  # noqa: E402
from ram_board import RamBoard  # noqa: E402

if ROMFS:
    # A board has this in flash: here it lies in the heap before anything is counted.
    import vfs

    with open("/script/" + ROMFS, "rb") as file:
        image = file.read()
    vfs.mount(vfs.VfsRom(image), "/rom")
    sys.path.insert(0, "/rom")

gc.collect()
held = gc.mem_alloc()
for name in MODULES:
    __import__("pump." + name)
    gc.collect()
    print(name, gc.mem_alloc() - held)
    held = gc.mem_alloc()
board = RamBoard(CONFIG)
gc.collect()
held = gc.mem_alloc()
pump = sys.modules["pump.controller"].Pump(board)
pump.start()
gc.collect()
print("pump", gc.mem_alloc() - held)
