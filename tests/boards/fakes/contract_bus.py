import gc
import sys

sys.path.insert(0, sys.argv[-1])

from boards import stdio
from contract import check

if getattr(sys.implementation, "_build", "") == "wasi":
    gc.disable()
check(stdio.board("unix"))
