"""Where this host keeps what must outlive a command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

STATE_VARIABLE: Final = "DOSEBENCH_STATE"
"""Environment variable that names another directory than the platform's, for tests and for several benches."""


def state_dir() -> Path:
    """Directory for logs, command counters and named simulations; made when it is missing."""
    given = os.environ.get(STATE_VARIABLE)
    if given:
        directory = Path(given)
    else:
        import platformdirs  # noqa: PLC0415

        directory = Path(platformdirs.user_state_dir("dosebench", appauthor=False))
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def examples_dir() -> Path:
    """Directory of the example regimens: in the wheel, or in the source tree."""
    package = Path(__file__).parents[1]
    packed = package / "_examples"
    return packed if packed.is_dir() else package.parents[1] / "examples"
