"""The files of the recordings: one for each run, one event on a line, so that a change can be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from earlier import as_of_now

KEPT: Final = Path(__file__).with_name("recordings")


def path_of(name: str) -> Path:
    """The file of a run."""
    return KEPT / f"{name}.json"


def load(name: str) -> dict[str, Any]:
    """The recording of a run, in the words of the formats of now."""
    kept: dict[str, Any] = json.loads(path_of(name).read_text())
    return as_of_now(kept)


def save(name: str, recording: dict[str, Any]) -> None:
    """Keep a recording."""
    KEPT.mkdir(exist_ok=True)
    rows = []
    for key, value in recording.items():
        if isinstance(value, list):
            lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in value)
            rows.append(f'"{key}": [\n{lines}\n]')
        elif key == "state":
            lines = ",\n".join(f'"{part}":{json.dumps(one, separators=(",", ":"))}' for part, one in value.items())
            rows.append(f'"{key}": {{\n{lines}\n}}')
        else:
            rows.append(f'"{key}": {json.dumps(value)}')
    path_of(name).write_text("{\n" + ",\n".join(rows) + "\n}\n")
