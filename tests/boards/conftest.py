"""The tests of boards use the pump's own helpers."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "firmware"))
