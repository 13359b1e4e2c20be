"""Puts the firmware on the path, as a board's file system does."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2] / "firmware"), str(Path(__file__).parent)]
