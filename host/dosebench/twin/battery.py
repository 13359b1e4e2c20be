"""Discharge curves: the voltage of a cell without load over the share of its charge that is gone.

A curve runs from 1 (the voltage of a fresh battery) to 0 (where it is empty), so that one curve serves every profile.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

Curve = tuple[tuple[float, ...], tuple[float, ...]]

CURVES: Final[dict[str, Curve]] = {
    "linear": ((0.0, 1.0), (1.0, 0.0)),
    "lithium_thionyl_chloride": (
        (0.0, 0.02, 0.1, 0.5, 0.8, 0.9, 0.95, 0.98, 1.0),
        (1.0, 0.99, 0.98, 0.96, 0.93, 0.87, 0.67, 0.3, 0.0),
    ),
    "alkaline": (
        (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
        (1.0, 0.88, 0.8, 0.68, 0.58, 0.5, 0.44, 0.38, 0.32, 0.25, 0.15, 0.0),
    ),
}
"""Depth of discharge, and what is left of the way from fresh to empty.

lithium_thionyl_chloride: flat for nine tenths and then a knee, after the low-rate curves of Linden's Handbook of
Batteries, 4th ed., figures 14.17 and 14.20. alkaline: the slope of an AA cell at low drain from 1.5 V to 1.0 V, in
the shape of the published curves of such cells. The points are rounded (chosen). linear: where a profile names no cell.
"""


def voltage_left(cell: str, depth: float) -> float:
    """Where between empty (0) and fresh (1) the voltage is.

    Args:
        cell: Name of a curve.
        depth: Share of the charge that is gone, 0 to 1.
    """
    depths, left = CURVES[cell]
    at = bisect_right(depths, depth)
    if at == len(depths):
        return left[-1]
    low, high = depths[at - 1], depths[at]
    return left[at - 1] + (left[at] - left[at - 1]) * (depth - low) / (high - low)
