"""Bytes of the firmware: of its files, and of the heap that it holds after its boot on the 32-bit MicroPython.

Both repeat exactly. What `dosebench flash` sends has one file for all of `pump/`; what each module costs is taken from
files of their own. Three ways to put it onto a board are compared: source text, bytecode files that an import copies
into the heap (what a stock MicroPython can do), and the same files in a ROMFS, or frozen, where bytecode and texts stay
in flash.
"""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Final

from dosebench.image.build import FAMILIES, build_image
from dosebench.image.source import firmware_dir
from dosebench.profile.device_config import seal_config
from dosebench.profile.load import load_profile
from mpremote.romfs import make_romfs

from . import chip
from .measure import Figure
from .therapy import PROFILE

TOLERANCE: Final = 0.03
HEAP_MAX: Final = 64 * 1024
"""What the firmware may hold of a board's heap where its bytecode stays in flash."""
FILES_MAX: Final = 64 * 1024
"""Most bytes of the files, without those of a chip's board. They take 63,889 in 0.3.0.dev0."""
SECTORS: Final = 16
WHOLE: Final = ("controller",)
FAMILY: Final = "wasm"
ROMFS: Final = "firmware.romfs"


def modules_in_order() -> tuple[str, ...]:
    """Modules of the pump, each after those that it imports, so that its bytes are its own."""
    root = firmware_dir()
    needs = {}
    for path in sorted((root / "pump").rglob("*.py")):
        module = ".".join(path.relative_to(root).with_suffix("").parts)
        if path.stem != "__init__":
            needs[module] = {
                name
                for node in ast.walk(ast.parse(path.read_text("utf-8")))
                if isinstance(node, ast.ImportFrom) and node.module
                for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
            }
    order = TopologicalSorter({module: sorted(needed & needs.keys()) for module, needed in needs.items()})
    return tuple(module.removeprefix("pump.") for module in order.static_order())


def measure_figures(rounds: int = 2) -> list[Figure]:
    """Bytes of files and of heap; those of the heap are taken `rounds` times and must be the same.

    The sums alone are judged: names of all modules share pools that grow in chunks, and whoever needs a new one pays.
    """
    found = files_of_families()
    modules = modules_in_order()
    apart = _pump_files(build_image(FAMILY, "modules"))
    for path, content in apart.items():
        found.append(Figure(f"files: {path.removeprefix('pump/').removesuffix('.mpy')}", len(content), "bytes"))
    linked = _pump_files(build_image(FAMILY))
    with _write_tree(apart) as tree:
        rows = measure_heap(rounds, modules, firmware=tree)
    found += [Figure(f"heap: {module}", size, "bytes") for module, size in rows.items()]
    with _write_tree(linked) as tree:
        with redirect_stdout(None):
            image = make_romfs(str(tree), mpy_cross=False)
        sums = {
            "each module a file": rows,
            "total": measure_heap(rounds, WHOLE, firmware=tree),
            "total, in place": measure_heap(rounds, WHOLE, files={ROMFS: image}),
            "total, from source": measure_heap(rounds, modules),
        }
    for title, held in sums.items():
        limit = HEAP_MAX if title == "total, in place" else None
        found.append(Figure(f"heap: {title}", sum(held.values()), "bytes", tolerance=TOLERANCE, limit=limit))
    return found


def files_of_families() -> list[Figure]:
    """Bytes of all files that `dosebench flash` sends, but for the settings; judged where no board is in them."""
    found = []
    for family in FAMILIES:
        size = sum(map(len, build_image(family).values()))
        limit = FILES_MAX if family == FAMILY else None
        found.append(Figure(f"files: all, {family}", size, "bytes", tolerance=TOLERANCE, limit=limit))
    return found


def _pump_files(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {path: content for path, content in files.items() if path.startswith("pump/")}


@contextmanager
def _write_tree(files: Mapping[str, bytes]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        for path, content in files.items():
            (Path(name) / path).parent.mkdir(exist_ok=True)
            (Path(name) / path).write_bytes(content)
        yield Path(name)


def measure_heap(
    rounds: int, modules: Sequence[str], *, firmware: Path | None = None, files: Mapping[str, bytes] | None = None
) -> dict[str, int]:
    """Bytes that each module holds after its import and a collection, and that the pump's own objects hold."""
    config = seal_config(
        load_profile(PROFILE).device_config() | {"flash_sectors": SECTORS, "fault_sectors": 4, "watchdog_ms": 0}
    )
    params: dict[str, Any] = {"CONFIG": config, "MODULES": modules, "ROMFS": ROMFS if files else ""}
    told = {chip.run_script("heap.py", params, firmware=firmware, files=files) for _ in range(rounds)}
    if len(told) != 1:
        raise chip.ChipError(f"heap.py did not count the same each time: {sorted(told)}")
    rows = [line.split() for line in told.pop().splitlines()]
    return {name: int(size) for name, size in rows}
