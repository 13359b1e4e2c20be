"""The settings that a pump is given when it is flashed, and the checksum by which its firmware knows them again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

CHECKSUM_DIGITS: Final = 16


def seal_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with the checksum over all the others.

    It is the first eight bytes of the SHA-256 over "name=value;" of each, in the order of the names, in hex.
    """
    figures = {name: value for name, value in config.items() if name != "checksum"}
    told = "".join(f"{name}={figures[name]};" for name in sorted(figures))
    return figures | {"checksum": hashlib.sha256(told.encode()).hexdigest()[:CHECKSUM_DIGITS]}


def mark_commissioned(config: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings once the pump has booted and keeps a journal: from then on an empty flash is a loss."""
    return seal_config({**config, "commissioned": 1})
