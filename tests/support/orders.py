"""Random orders and programs for the property tests of the host, all of them such as the pump would take."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from dosebench.base.units import DAY_MS, HOUR_MS, MINUTE_MS
from dosebench.profile.model import Profile
from dosebench.regimen.compile import compile_order
from dosebench.regimen.order import (
    Bridge,
    DoseCap,
    Mode,
    Order,
    PatientBolus,
    Pattern,
    PatternStep,
    PeriodicBolus,
    Priming,
    RampStep,
)
from dosebench.therapy.program import Program
from hypothesis import strategies as st

MODES: tuple[Mode, ...] = ("continuous", "minimum_rate", "stopped", "flex", "titration")

BACLOFEN = Order(
    title="Baclofen",
    profile="implant-40",
    drug="baclofen",
    concentration=Fraction(2),
    filled=Fraction(40_000_000),
    low=Fraction(2_000_000),
    empty=Fraction(1_000_000),
    mode="continuous",
    basal=Fraction(400_000, DAY_MS),
    minimum=Fraction(48_000, DAY_MS),
    bolus_max=Fraction(25_000),
    bolus_rate=Fraction(100_000, HOUR_MS),
    caps=(DoseCap(60, Fraction(117_667)), DoseCap(1440, Fraction(1_051_000))),
    stability_days=0,
    on_low="keep",
)
"""Case C5 with its bolus, and the caps that go with it by default."""

rates = st.fractions(min_value=48_000, max_value=2_400_000, max_denominator=1000).map(lambda nl: nl / DAY_MS)
"""Basal rates of the implant in nL/ms."""


@st.composite
def patterns(draw: st.DrawFn) -> tuple[Pattern, ...]:
    """Day patterns of which each has at least one weekday."""
    count = draw(st.integers(1, 3))
    numbers = [*range(count), *draw(st.lists(st.integers(0, count - 1), min_size=7 - count, max_size=7 - count))]
    numbers = draw(st.permutations(numbers))
    return tuple(
        Pattern(tuple(day for day in range(7) if numbers[day] == number), draw(pattern_steps))
        for number in range(count)
    )


minutes = st.integers(0, 1439) | st.sampled_from([1, 360, 1439])
pattern_steps = st.lists(st.tuples(minutes, rates), min_size=1, max_size=5, unique_by=lambda s: s[0]).map(
    lambda steps: tuple(
        PatternStep(minute if at else 0, rate) for at, (minute, rate) in enumerate(sorted(steps, key=lambda s: s[0]))
    )
)
ramps = st.lists(st.tuples(st.integers(1, 6), rates), min_size=1, max_size=4, unique_by=lambda s: s[0]).map(
    lambda steps: tuple(
        RampStep(day if at else 0, rate) for at, (day, rate) in enumerate(sorted(steps, key=lambda s: s[0]))
    )
)
periodics = st.none() | st.builds(
    PeriodicBolus,
    st.integers(1, 40).map(lambda steps: Fraction(250 * steps)),
    st.integers(60_000, 900_000),
    st.integers(20, 1440).map(lambda count: count * MINUTE_MS),
)
patients = st.none() | st.builds(
    PatientBolus,
    st.integers(1, 40).map(lambda steps: Fraction(250 * steps)),
    st.integers(60_000, 900_000),
    st.integers(20, 600).map(lambda count: count * MINUTE_MS),
    st.integers(1, 24),
)
bridges = st.none() | st.builds(
    Bridge,
    st.integers(1, 2000).map(lambda steps: Fraction(250 * steps)),
    st.sampled_from([Fraction(1, 2), Fraction(1), Fraction(3)]),
    rates,
)


@st.composite
def orders(draw: st.DrawFn) -> Order:
    """Orders of every mode for the implant, with and without boluses and a bridge."""
    mode: Mode = draw(st.sampled_from(MODES))
    return replace(
        BACLOFEN,
        mode=mode,
        concentration=draw(st.fractions(min_value=Fraction(1, 100), max_value=25, max_denominator=1000)),
        basal=draw(rates) if mode == "continuous" else Fraction(0),
        filled=draw(st.integers(9000, 160_000)) * Fraction(250),
        stability_days=draw(st.sampled_from([0, 14, 40, 84, 500])),
        patterns=draw(patterns()) if mode == "flex" else (),
        ramp=draw(ramps) if mode == "titration" else (),
        square_max=Fraction(25_000),
        periodic=draw(periodics),
        patient=draw(patients),
        priming=Priming(Fraction(340_000), Fraction(2_400_000, DAY_MS)),
        path_version=7,
        bridge=draw(bridges),
    )


def programs(profile: Profile) -> st.SearchStrategy[Program]:
    """Programs of `orders`."""
    return orders().map(lambda order: compile_order(order, profile))
