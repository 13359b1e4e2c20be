"""Puts the firmware on the path: the generated codec imports `const` from there, as on a board."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "firmware"))
