"""Acts on a board through its REPL: look, write, copy, remove, rename, reset. Each act is one call of `run_code`."""

from __future__ import annotations

import hashlib
import json
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from dosebench.flashing.errors import BoardError, FlashError
from dosebench.flashing.image import manifest_of
from dosebench.flashing.layout import (
    ACTIVE,
    BENCH,
    ID,
    KEPT_MAIN,
    KEYS,
    MAIN,
    MANIFEST,
    NEW,
    ROOT,
    SLOTS,
    STORAGE,
    TRIAL,
    TRIAL_STARTS,
    Slot,
    is_selector,
    slot_dir,
)

DEVICE_ID_BYTES: Final = 4
WORK_BYTES: Final = 80 * 1024
"""Of heap, for a list of all files with their hashes (chosen; a fresh Pico has 230 KB)."""
PIECE_BYTES: Final = 16 * 1024
"""Of it in one piece: three times the longest list or file that is told as one text (chosen). What a program leaves
behind that ended in the middle of its start has 110 KB free on a Pico, in gaps of 2 KB (seen)."""
CHUNK_BYTES: Final = 768
"""Bytes of a file in one act: 1 KiB of base64, for which every board has heap (chosen)."""

_ABOUT: Final = """
import sys,gc,json,os
gc.collect()
i=sys.implementation
v=os.statvfs('/')
try:
 import machine
 u=machine.unique_id().hex()
except Exception:
 u=''
print(json.dumps({'name':i.name,'version':list(i.version),'mpy':getattr(i,'_mpy',0),'machine':getattr(i,'_machine',''),
'platform':sys.platform,'heap':gc.mem_free()+gc.mem_alloc(),'block':v[1],'free':v[1]*v[4],'unique':u}))
"""
_ROOM: Final = f"""
import gc
gc.collect()
r=gc.mem_free()>={WORK_BYTES}
try:
 bytearray({PIECE_BYTES})
except MemoryError:
 r=False
print('true' if r else 'false')
"""
_HELPERS: Final = """
import os,gc,json,hashlib,binascii
def _digest(p):
 h=hashlib.sha256()
 b=bytearray(512)
 m=memoryview(b)
 with open(p,'rb') as f:
  while 1:
   n=f.readinto(b)
   if not n:
    break
   h.update(m[:n])
 return binascii.hexlify(h.digest()).decode()
def _is_dir(p):
 try:
  return os.stat(p)[0]&0x4000!=0
 except OSError:
  return False
def _tree(p,t):
 if _is_dir(p):
  for n in os.listdir(p):
   q=p+'/'+n
   if _is_dir(q):
    _tree(q,t)
   else:
    t[q]=os.stat(q)[6]
 return t
def _digests(p):
 t=_tree(p,{})
 for q in t:
  t[q]=(t[q],_digest(q))
 return t
def _text(p):
 try:
  with open(p,'rb') as f:
   return binascii.b2a_base64(f.read()).decode()
 except OSError:
  return None
def _make(p):
 if not _is_dir(p):
  os.mkdir(p)
def _remove(p):
 try:
  os.remove(p)
 except OSError as e:
  if e.errno!=2:
   raise
def _remove_tree(p):
 if _is_dir(p):
  for n in os.listdir(p):
   _remove_tree(p+'/'+n)
  os.rmdir(p)
 else:
  _remove(p)
def _copy(p,q):
 b=bytearray(512)
 m=memoryview(b)
 with open(p,'rb') as f:
  with open(q,'wb') as g:
   while 1:
    n=f.readinto(b)
    if not n:
     break
    g.write(m[:n])
"""


class Runs(Protocol):
    """What carries code to the board (`repl.Repl`)."""

    def run_code(self, code: str) -> bytes:
        """Run code on the board; return what it printed. Raises BoardError."""

    def run_last(self, code: str) -> None:
        """Run code after which the board listens no more."""


@dataclass(frozen=True)
class About:
    """What a board says of itself.

    Attributes:
        name: Of the interpreter: "micropython".
        version: Of the interpreter: major, minor, patch.
        mpy: `sys.implementation._mpy`; its low byte is the version of the bytecode files that it loads, 0 for none.
        machine: Board and chip in words.
        family: `sys.platform`.
        heap_bytes: Of the collected heap, free and used.
        block_bytes: Of the file system.
        free_bytes: On the file system.
        unique_id: Of the chip, in hex.
    """

    name: str
    version: tuple[int, int, int]
    mpy: int
    machine: str
    family: str
    heap_bytes: int
    block_bytes: int
    free_bytes: int
    unique_id: str

    @property
    def version_text(self) -> str:
        """Such as "1.24.1"."""
        return ".".join(map(str, self.version))


@dataclass(frozen=True)
class Held:
    """What lies on a board.

    Attributes:
        active: Slot that is named as the one to run; None before the first flashing has ended.
        slots: Files of each slot: path inside it -> SHA-256 in hex.
        sizes: Bytes of every file below /dosebench, by path.
        main: Content of /main.py; None where there is none.
        manifests: Content of each slot's manifest, where it has one.
        failed: The slot that did not run when it was tried; None where the selector knows of none.
        why_failed: The error that ended it; empty for one that hung.
    """

    active: Slot | None
    slots: Mapping[Slot, Mapping[str, str]]
    sizes: Mapping[str, int]
    main: bytes | None
    manifests: Mapping[Slot, bytes]
    failed: Slot | None = None
    why_failed: str = ""

    @property
    def runs(self) -> Slot | None:
        """The slot that the selector runs: the active one if it is whole and did not fail, else the other one if that
        is whole and for the same bench, else the one that is whole."""
        whole = [slot for slot in (SLOTS[::-1] if self.active == SLOTS[1] else SLOTS) if slot in self.manifests]
        if len(whole) > 1 and whole[0] == self.failed and self._bench_hash(whole[0]) == self._bench_hash(whole[1]):
            return whole[1]
        return whole[0] if whole else None

    def _bench_hash(self, slot: Slot) -> str | None:
        """Hash of the bench file that a slot was flashed with."""
        manifest = manifest_of(self.manifests[slot])
        return manifest["files"].get(BENCH) if manifest else None

    @property
    def has_keys(self) -> bool:
        """Whether it was given keys."""
        return KEYS in self.sizes

    @property
    def stored_bytes(self) -> int:
        """Of journal and therapy."""
        return sum(size for path, size in self.sizes.items() if path.startswith(f"{STORAGE}/"))


class Shell:
    """A board at its raw REPL."""

    def __init__(self, repl: Runs) -> None:
        self._repl = repl
        self._is_ready = False

    def read_about(self) -> About:
        """What the board is. Raises BoardError, or FlashError when what answers is no MicroPython."""
        told = self._parse_json(self._repl.run_code(_ABOUT))
        major, minor, patch = [*map(int, told["version"][:3]), 0, 0][:3]
        return About(
            told["name"],
            (major, minor, patch),
            told["mpy"],
            told["machine"],
            told["platform"],
            told["heap"],
            told["block"],
            told["free"],
            told["unique"],
        )

    def has_room_to_work(self) -> bool:
        """Whether the heap is as good as empty. A program that was interrupted leaves what it had."""
        return bool(json.loads(self._repl.run_code(_ROOM)))

    def read_held(self) -> Held:
        """What of ours lies on the board."""
        sizes = dict(self._evaluate(f"_tree({ROOT!r},{{}})"))
        active = (self.read_file(ACTIVE) or b"").decode("ascii", errors="replace").strip()
        slots, manifests = {}, {}
        for slot in SLOTS:
            directory = slot_dir(slot)
            slots[slot] = self.list_digests(directory)
            if MANIFEST in slots[slot]:
                manifests[slot] = self.read_file(f"{directory}/{MANIFEST}") or b""
        named = next((slot for slot in SLOTS if slot == active), None)
        return Held(named, slots, sizes, self.read_file(MAIN), manifests, *self._read_failed())

    def _read_failed(self) -> tuple[Slot | None, str]:
        """The slot that did not run when it was tried, and why."""
        name, _, rest = (self.read_file(TRIAL) or b"").decode("utf-8", errors="replace").partition(" ")
        starts, _, why = rest.partition(" ")
        if not starts.isdecimal() or int(starts) < TRIAL_STARTS:
            return None, ""
        return next((slot for slot in SLOTS if slot == name), None), why

    def device_id(self) -> bytes:
        """Id of the pump, 4 bytes: what the board has in a file, else the beginning of a hash of the chip's own id."""
        named = self.read_file(ID)
        if named is not None:
            return bytes.fromhex(named.decode("ascii").strip())
        return hashlib.sha256(bytes.fromhex(self.read_about().unique_id)).digest()[:DEVICE_ID_BYTES]

    def holds_pump(self) -> bool:
        """Whether a reset would run a pump: a selector of ours is there, and a slot that is whole."""
        main = self.read_file(MAIN)
        return (
            main is not None
            and is_selector(main)
            and any(path.endswith(f"/{MANIFEST}") for path in self.list_sizes(ROOT))
        )

    def list_digests(self, directory: str) -> dict[str, str]:
        """SHA-256 of every file below a directory, in hex, by its path inside it."""
        return {
            path[len(directory) + 1 :]: told[1] for path, told in self._evaluate(f"_digests({directory!r})").items()
        }

    def list_sizes(self, directory: str) -> dict[str, int]:
        """Bytes of every file below a directory, by path."""
        return dict(self._evaluate(f"_tree({directory!r},{{}})"))

    def read_file(self, path: str) -> bytes | None:
        """A small file; None where there is none."""
        told = self._evaluate(f"_text({path!r})")
        return None if told is None else a2b_base64(told)

    def make_dirs(self, path: str) -> None:
        """Make a directory and those above it."""
        parts = path.strip("/").split("/")
        for count in range(1, len(parts) + 1):
            self._run_code(f"_make({'/' + '/'.join(parts[:count])!r})")

    def write_file(self, path: str, content: bytes, sent: Callable[[int], None] = lambda _: None) -> None:
        """Write a file in place; `sent` is told how many bytes of it went out."""
        chunks = [content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES)] or [b""]
        code = f"_f=open({path!r},'wb')\n"
        for number, chunk in enumerate(chunks):
            # What a write gives back is no news.
            code += f"_n=_f.write(binascii.a2b_base64({b2a_base64(chunk, newline=False)!r}))\n"
            self._run_code(code + ("_f.close()" if number == len(chunks) - 1 else ""))
            code = ""
            sent(len(chunk))

    def replace_file(self, path: str, content: bytes) -> None:
        """Write a file aside and rename it into its place, so that it is never half there."""
        self.write_file(path + NEW, content)
        self.rename_file(path + NEW, path)

    def rename_file(self, old: str, new: str) -> None:
        """Rename a file, over one that is there."""
        self._run_code(f"os.rename({old!r},{new!r})")

    def copy_file(self, old: str, new: str) -> None:
        """Copy a file on the board."""
        self._run_code(f"_copy({old!r},{new!r})")

    def remove_file(self, path: str) -> None:
        """Remove a file, if it is there."""
        self._run_code(f"_remove({path!r})")

    def remove_tree(self, path: str) -> None:
        """Remove a file or directory with all that is in it, if it is there."""
        self._run_code(f"_remove_tree({path!r})")

    def keep_main(self) -> None:
        """Put a main.py that is not ours away, to be put back one day."""
        self._run_code(f"_copy({MAIN!r},{KEPT_MAIN!r})")

    def reset_board(self) -> None:
        """Reset the board as its button does."""
        self._repl.run_last("import machine\nmachine.reset()")

    def _run_code(self, code: str) -> None:
        self._load_helpers()
        said = self._repl.run_code(code)
        if said.strip():
            raise BoardError(f"the board says: {said.decode(errors='replace').strip()}")

    def _evaluate(self, expression: str) -> Any:
        self._load_helpers()
        return self._parse_json(self._repl.run_code(f"print(json.dumps({expression}))"))

    def _load_helpers(self) -> None:
        if not self._is_ready:
            self._repl.run_code(_HELPERS)
            self._is_ready = True

    @staticmethod
    def _parse_json(said: bytes) -> Any:
        try:
            return json.loads(said)
        except ValueError:
            text = said.decode(errors="replace").strip()
            raise FlashError(f"what answers there is no MicroPython of ours: it says {text[:200]!r}") from None
