"""`python -m campaigns.fuzz [--runs N] [--work DIR] [--keep]`: fuzz the host's codec from the corpus on.

Needs atheris (`pip install '.[campaign]'`). Ends with 0 when all runs went well; a failing input stays in the work
directory, and `python -m campaigns.fuzz FILE` runs it again.
"""

from __future__ import annotations

import argparse
import mmap
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from struct import Struct
from typing import Final

INPUT_BYTES_MAX: Final = 1_200
KEPT_BYTES_MAX: Final = 96
"""Longest input that goes into the corpus: it is text in the repository (chosen)."""
INSIDE: Final = "--inside"
"""First word of the command line of the process that libFuzzer runs in; the rest is libFuzzer's."""
_KEPT: Final = re.compile("[0-9a-f]{40}")
"""Names that libFuzzer gives to inputs."""
_COUNT = Struct("<Q")
"""How often was decoded so far: where the fuzzing process tells it to the one that started it."""
_NEW: Final = re.compile(r"#(\d+)\s+(NEW|REDUCE|INITED|DONE|pulse|RELOAD)\s+cov: (\d+)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words[:1] == [INSIDE]:
        fuzz(words[1:])
        return 0
    parser = argparse.ArgumentParser(prog="python -m campaigns.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="inputs to run once each, and nothing else")
    parser.add_argument("--runs", type=int, default=200_000, metavar="N", help="how many inputs to try")
    parser.add_argument("--seed", type=int, default=1, help="of libFuzzer's random generator")
    parser.add_argument("--work", type=Path, metavar="DIR", help="keep what is found here and go on from it")
    parser.add_argument("--keep", action="store_true", help="make what was found the corpus")
    given = parser.parse_args(words)
    if given.files:
        from .target import one_input  # noqa: PLC0415

        for path in given.files:
            one_input(path.read_bytes())
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        work = given.work or Path(scratch)
        return campaign(work, given.runs, given.seed, keep=given.keep)


def fuzz(arguments: Sequence[str]) -> None:
    """The process that libFuzzer runs in: instrument the codec and never come back."""
    import atheris  # noqa: PLC0415

    with atheris.instrument_imports(include=["dosebench_protocol"]):
        from .target import one_input  # noqa: PLC0415

    with Path(arguments[0]).open("r+b") as file:
        counter = mmap.mmap(file.fileno(), _COUNT.size)
    decoded = 0

    def counted(data: bytes) -> None:
        nonlocal decoded
        decoded += one_input(data)
        _COUNT.pack_into(counter, 0, decoded)

    atheris.Setup(["fuzz", *arguments[1:]], counted)
    atheris.Fuzz()


def campaign(work: Path, runs: int, seed: int, *, keep: bool) -> int:
    """Fuzz `runs` inputs from the corpus on, and tell when coverage last grew."""
    from . import corpus  # noqa: PLC0415

    work.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate([*corpus.seeds(), *corpus.kept()]):
        (work / f"seed-{number:04}").write_bytes(data)
    options = [f"-runs={runs}", f"-seed={seed}", f"-max_len={INPUT_BYTES_MAX}", "-print_final_stats=1", "-timeout=60"]
    with tempfile.NamedTemporaryFile() as counter:
        counter.write(bytes(_COUNT.size))
        counter.flush()
        command = [sys.executable, "-m", "campaigns.fuzz", INSIDE, counter.name, *options]
        command += [f"-artifact_prefix={work}/failed-"]
        with subprocess.Popen([*command, str(work)], stderr=subprocess.PIPE, text=True) as process:
            watch(process, Path(counter.name))
    if process.returncode == 0 and keep:
        corpus.keep(found_in(work))
    return int(process.returncode != 0)


def watch(process: subprocess.Popen[str], counter: Path) -> None:
    """Pass on what libFuzzer says that is no progress, and tell in the end how long coverage has not grown."""
    assert process.stderr is not None
    inputs = covered = newest_input = newest = 0
    for line in process.stderr:
        if (found := _NEW.match(line)) is None:
            sys.stderr.write(line)
            continue
        inputs = int(found[1])
        if int(found[3]) > covered:
            covered, newest_input = int(found[3]), inputs
            (newest,) = _COUNT.unpack(counter.read_bytes())
            print(f"{inputs} inputs, {newest} decoder runs: {covered} places covered", flush=True)
    (decoded,) = _COUNT.unpack(counter.read_bytes())
    print(
        f"{inputs} inputs, {decoded} decoder runs; coverage last grew at input {newest_input}, decoder run {newest}, "
        f"to {covered} places: {inputs - newest_input} inputs and {decoded - newest} decoder runs without more"
    )


def found_in(work: Path) -> list[bytes]:
    """The short inputs of a work directory that libFuzzer kept because each covered something new."""
    kept = (path.read_bytes() for path in sorted(work.iterdir()) if _KEPT.fullmatch(path.name))
    return [data for data in kept if len(data) <= KEPT_BYTES_MAX]


if __name__ == "__main__":
    sys.exit(main())
