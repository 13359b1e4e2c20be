"""The identity of an order."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from dosebench.regimen.order import (
    Bridge,
    PatientBolus,
    Pattern,
    PeriodicBolus,
    Priming,
    RampStep,
)
from orders import BACLOFEN


def test_same_order_same_id() -> None:
    assert BACLOFEN.therapy_id() == replace(BACLOFEN, title="Another title").therapy_id()
    assert len(BACLOFEN.therapy_id()) == 8
    changed: dict[str, Any] = {
        "profile": "implant-20",
        "drug": "morphine",
        "mode": "stopped",
        "on_low": "stop",
        "on_cap": "stop",
        "stability_days": 14,
        "patterns": (Pattern((0,), ()),),
        "ramp": (RampStep(0, Fraction(1)),),
        "change_permille": 200,
        "square_max": Fraction(1),
        "patient": PatientBolus(Fraction(1), 1, 1, 1),
        "periodic": PeriodicBolus(Fraction(1), 1, 1),
        "priming": Priming(Fraction(1), Fraction(1)),
        "path_version": 1,
        "bridge": Bridge(Fraction(1), Fraction(1), Fraction(1)),
    }
    for name in BACLOFEN.__dataclass_fields__:
        if name != "title":
            value = changed[name] if name in changed else getattr(BACLOFEN, name) * 2
            assert replace(BACLOFEN, **{name: value}).therapy_id() != BACLOFEN.therapy_id(), name
