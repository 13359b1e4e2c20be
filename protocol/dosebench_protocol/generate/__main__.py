"""Rewrites everything that is derived from `messages`, or checks that it is up to date.

python -m dosebench_protocol.generate [--check]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from dosebench_protocol.generate.alarms_page import alarms_page
from dosebench_protocol.generate.device_codec import wire_source
from dosebench_protocol.generate.dissector import dissector_source
from dosebench_protocol.generate.host_tables import tables_source
from dosebench_protocol.generate.page import page_source
from dosebench_protocol.generate.vectors import vectors_source
from dosebench_protocol.schema.model import Schema, SchemaError, schema

ROOT: Final = Path(__file__).resolve().parents[3]
"""The source tree; an installed wheel has none, and cannot generate."""

OUTPUTS: Final[Mapping[str, Callable[[Schema], str]]] = {
    "firmware/pump/wire.py": wire_source,
    "protocol/dosebench_protocol/tables.py": tables_source,
    "protocol/golden/vectors.json": vectors_source,
    "protocol/wireshark/dosebench.lua": dissector_source,
    "docs/PROTOCOL.md": page_source,
    "docs/ALARMS.md": alarms_page,
}
"""Each generated file, relative to the root, and what writes it."""


def generate(plan: Schema, root: Path) -> list[Path]:
    """Write every output below `root`; returns the files whose content changed."""
    changed = stale(plan, root)
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(OUTPUTS[path.relative_to(root).as_posix()](plan), encoding="utf-8", newline="\n")
    return changed


def stale(plan: Schema, root: Path) -> list[Path]:
    """The outputs below `root` that are missing or differ from what `plan` gives."""
    wanted = {root / name: write(plan) for name, write in OUTPUTS.items()}
    return [path for path, text in wanted.items() if not path.is_file() or path.read_bytes() != text.encode()]


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """The command; returns 0 when all is well, 1 when a file is out of date, 2 when the schema is refused."""
    parser = argparse.ArgumentParser(prog="python -m dosebench_protocol.generate", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a generated file is out of date")
    check = parser.parse_args(arguments).check
    if not (root / "protocol").is_dir():
        print("no source tree here: run it from a checkout", file=sys.stderr)
        return 2
    try:
        changed = stale(schema(), root) if check else generate(schema(), root)
    except SchemaError as error:
        print(f"schema refused: {error}", file=sys.stderr)
        return 2
    for path in changed:
        print(f"{'out of date, run `make gen`' if check else 'wrote'}: {path.relative_to(root)}")
    return int(check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
