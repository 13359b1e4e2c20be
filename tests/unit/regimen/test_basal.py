"""The basal rate of each mode."""

from __future__ import annotations

import pytest
from regimens import BACLOFEN, BODY, HEAD, Bench, codes, figures


@pytest.mark.parametrize(("mode", "volume"), [("minimum_rate", 0.048), ("stopped", 0.0)])
def test_other_modes(bench: Bench, mode: str, volume: float) -> None:
    text = (HEAD + BODY).format(**BACLOFEN, dose="800 ug/day").replace('"continuous"', f'"{mode}"')
    result = bench.check(text)
    found = figures(result)
    assert found["daily_volume_ml"] == volume
    assert found["rates"]["basal"] == {"num": 0, "den": 1}
    assert "dose-unused" in codes(result.warnings)
    without = bench.check("\n".join(line for line in text.splitlines() if "dose" not in line))
    assert without.ok
    assert "dose-unused" not in codes(without.warnings)
