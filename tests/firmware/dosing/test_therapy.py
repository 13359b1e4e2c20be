"""The pump's own check of a therapy: at each bound accepted, one beyond refused, with its reason and what it names."""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from operator import xor
from typing import Any

import pytest
from dosebench.twin.persistent import profile_settings
from hypothesis import given
from hypothesis import strategies as st
from pump import wire
from pump.dosing.therapy import Therapy, is_less
from pump.integrity.checksums import fold
from pump.profile import Profile, checksum
from pump.wire import COUNT_MAX, FLEX_STEPS_MAX, FRACTION_MAX, PATTERNS_MAX, RATES_MAX, TITRATION_STEPS_MAX
from pumpside import DAY_MS, THERAPY, therapy

FIGURES = profile_settings("implant-40", "cpython", 0).config
PROFILE = Profile(FIGURES)


STEP_A_DAY = DAY_MS
"""As a denominator: its numerator is steps per day."""

PATIENT = {
    "patient_steps": 10,
    "patient_num": 1,
    "patient_den": 2_000,
    "patient_lockout_ms": 20_000,
    "patient_per_day": 1,
}
PERIODIC = {"periodic_steps": 10, "periodic_num": 1, "periodic_den": 9_000, "periodic_ms": 90_001}
PRIME = {"prime_steps_max": 10, "prime_num": 1, "prime_den": 900}
BRIDGE = {"bridge_steps": 10, "bridge_num": 1, "bridge_den": 54_000, "bridge_ng_num": 500, "bridge_ng_den": 1}


def rates(*dens: int) -> list[dict[str, int]]:
    return [{"num": 1, "den": den} for den in dens]


def flex(*steps: tuple[int, int, int], weekdays: bytes = bytes(7), count: int = 1) -> dict[str, Any]:
    """A flex therapy of (pattern, minute, rate) with `count` rates."""
    named = [dict(zip(("pattern", "minute", "rate"), step, strict=True)) for step in steps]
    return {"mode": "flex", "rates": rates(*[54_000] * count), "flex": named, "weekdays": weekdays}


def titration(*steps: tuple[int, int], count: int = 1, **more: Any) -> dict[str, Any]:
    """A titration of (day, rate) with `count` rates."""
    named = [dict(zip(("day", "rate"), step, strict=True)) for step in steps]
    return {"mode": "titration", "rates": rates(*[54_000] * count), "titration": named} | more


def rise(new_steps: int, permille: int) -> dict[str, Any]:
    """A titration from 5368 to so many steps in 2^29 ms."""
    table = [{"num": 5_368, "den": FRACTION_MAX}, {"num": new_steps, "den": FRACTION_MAX}]
    return titration((0, 0), (1, 1)) | {"rates": table, "change_permille_max": permille}


def faster(name: str, a_day: int) -> dict[str, int]:
    """A bolus rate of so many steps a day; the basal takes 1600 of the 96000 that the pump can make."""
    return {f"{name}_num": a_day, f"{name}_den": STEP_A_DAY}


def caps(*rows: tuple[int, int]) -> dict[str, Any]:
    return {"caps": [{"minutes": minutes, "ng": ng} for minutes, ng in rows]}


ONE_DRUG = {"name_bytes": 3, "step_ng_num": 500, "step_ng_den": 1, "bridge_ng_num": 0, "bridge_ng_den": 0}
TWO_DRUGS = [ONE_DRUG, ONE_DRUG]
MANY_STEPS = [(0, 10 * at, 0) for at in range(FLEX_STEPS_MAX + 1)]
MANY_DAYS = [(at, 0) for at in range(TITRATION_STEPS_MAX + 1)]
HIGHEST = {"basal_num": 1, "basal_den": 900}

GOOD: dict[str, dict[str, Any]] = {
    "plain": {},
    "stopped": {"mode": "stopped", "basal_num": 0, "basal_den": 0},
    "minimum rate": {"mode": "minimum_rate", "basal_num": 0, "basal_den": 0},
    "stopped, with patterns that are not used": flex((0, 0, 0))
    | {"titration": [{"day": 0, "rate": 0}], "rates": rates(100), "mode": "stopped"},
    "stop when low, and at a cap": {"on_low": "stop", "on_cap": "stop"},
    "fractions as large as they may be": {"step_ng_num": FRACTION_MAX, "step_ng_den": FRACTION_MAX}
    | caps((60, 4_000), (1440, 24_000)),
    "no boluses need no rate": {"bolus_steps_max": 0, "bolus_num": 0, "bolus_den": 0},
    "a step that holds next to nothing": {"step_ng_num": 1, "step_ng_den": 4_000} | caps((60, 1), (1440, 6)),
    "the lowest rate": {"basal_den": 450_000},
    "the highest minimum": {"minimum_den": 900, "bolus_steps_max": 0},
    "the highest bridge": BRIDGE | {"bridge_den": 900, "bolus_steps_max": 0},
    "the lowest bridge": BRIDGE | {"bridge_den": 450_000},
    "without a bridge its rate is nothing": {"bridge_num": 1, "bridge_den": 1},
    "all rates": {"rates": rates(*[54_000] * RATES_MAX)},
    "flex": flex((0, 0, 0), (0, 1, 0), (0, 1439, 0)),
    "flex needs no basal": flex((0, 0, 0)) | {"basal_num": 0, "basal_den": 0},
    "flex of all steps": flex(*MANY_STEPS[:FLEX_STEPS_MAX]),
    "flex twice all steps": flex(*MANY_STEPS[:FLEX_STEPS_MAX], *[(1, at, rate) for _, at, rate in MANY_STEPS[:-1]]),
    "flex of all patterns": flex(*[(at, 0, 0) for at in range(PATTERNS_MAX)], weekdays=bytes(range(7))),
    "flex with an unused pattern too fast": flex((0, 0, 0), (1, 0, 1), count=2) | {"rates": rates(54_000, 100)},
    "flex at the last rate": flex((0, 0, 2), count=3),
    "titration": titration((0, 0), (1, 0), (255, 0)),
    "titration of all steps": titration(*MANY_DAYS[:TITRATION_STEPS_MAX]),
    "titration at the last rate": titration((0, 2), count=3),
    "titration that falls": rise(2_000, 1),
    "titration that rises as it may": rise(5_368 + 1_073 + 2, 200),
    "titration that rises by 2 permille and 2": rise(5_368 + 10 + 2, 2),
    "titration that may triple": rise(5_368 + 10_736 + 2 + 2, 2_000),
    "titration that may rise at will": rise(20_000, 0),
    "bolus size": {"bolus_steps_max": 2_000, "square_steps_max": 2_000},
    "bolus rate": faster("bolus", 94_401),
    "without boluses their rate is nothing": faster("bolus", 94_402) | {"bolus_steps_max": 0},
    "patient": PATIENT,
    "patient bolus size": PATIENT | {"patient_steps": 2_000, "patient_lockout_ms": 4_000_000},
    "patient bolus rate": PATIENT | faster("patient", 94_401),
    "patient lockout of a day": PATIENT | {"patient_lockout_ms": DAY_MS},
    "patient boluses of a day": PATIENT | {"patient_per_day": 24},
    "periodic": PERIODIC,
    "periodic bolus size": PERIODIC | {"periodic_steps": 2_000, "periodic_den": 2_000, "periodic_ms": DAY_MS - 1},
    "periodic bolus rate": PERIODIC | faster("periodic", 94_401),
    "periodic bolus every minute": PERIODIC | {"periodic_steps": 1, "periodic_den": 1_000, "periodic_ms": 60_000},
    "periodic bolus as seldom as may be": PERIODIC | {"periodic_ms": FRACTION_MAX},
    "priming": PRIME | {"prime_steps_max": 2_000},
    "the largest path": {"path_nl": COUNT_MAX},
    "without priming its rate is nothing": PRIME | {"prime_steps_max": 0, "prime_den": 1},
    "bridge": BRIDGE | {"bridge_steps": 160_000},
    "step volume otherwise written": {"step_nl_num": 500, "step_nl_den": 2},
    "a small reservoir": {"reservoir_steps": 100_000},
    "reservoir and levels": {"low_steps": 159_999, "empty_steps": 159_999},
    "one cap for hour and day each": caps((1, 1_500_000), (1440, 12_000_000)),
    "the cap of a part of an hour": caps((59, 2_000_000), (1440, 12_000_000)),
    "all caps": caps((60, 2_000_000), (61, 12_000_000), (1440, 12_000_000), *[(1441, 24_000_000)] * 5),
    "the longest window": caps((60, 2_000_000), (1440, 12_000_000), (2880, 24_000_000)),
    "caps as large as they may be": {"step_ng_num": 500_000} | caps((60, COUNT_MAX), (1440, COUNT_MAX)),
    "the least cap of an hour": caps((60, 67 * 500), (1440, 12_000_000)),
    "the least cap of a day": caps((60, 2_000_000), (1440, 1_607 * 500)),
    "the least cap of a rate that fills a bucket": {"basal_num": 67, "basal_den": 3_615_000}
    | caps((60, 68 * 500), (1440, 12_000_000)),
    "the least cap of a rate that just does not": {"basal_num": 67, "basal_den": 3_615_001}
    | caps((60, 67 * 500), (1440, 12_000_000)),
    "the least cap with seldom boluses": PERIODIC
    | {"periodic_ms": 1_300_000}
    | caps((60, (67 + 10 * 3) * 500), (1440, 12_000_000)),
    "the least cap with periodic boluses": PERIODIC
    | {"periodic_ms": 1_200_000}
    | caps((60, (67 + 10 * 4) * 500), (1440, 12_000_000)),
    "the least cap of a titration": titration((0, 0), (1, 1), (2, 0), count=2)
    | {"rates": rates(54_000, 27_000)}
    | caps((60, 134 * 500), (1440, 12_000_000)),
    "the least cap of the minimum rate": {"mode": "minimum_rate"} | caps((60, 9 * 500), (1440, 12_000_000)),
    "the least cap of a stopped pump": {"mode": "stopped"} | caps((60, 500), (1440, 12_000_000)),
}

BAD: list[tuple[str, int, dict[str, Any]]] = [
    ("therapy_format", 0, {"format": 0}),
    ("therapy_format", 1, {"format": 1}),
    ("therapy_format", 3, {"format": 3}),
    ("therapy_mode", 5, {"mode": 5}),
    ("therapy_format", 3, {"on_low": 3}),
    ("therapy_format", 2, {"on_cap": 2}),
    ("therapy_fraction", 4, {"basal_num": 0}),
    ("therapy_fraction", 4, {"mode": "continuous", "basal_den": 0}),
    ("therapy_fraction", 10, {"rates": [{"num": 1, "den": 0}]}),
    ("therapy_fraction", 11, {"rates": [{"num": 1, "den": 54_000}, {"num": 0, "den": 1}]}),
    ("flex_rate", RATES_MAX + 1, {"rates": rates(*[54_000] * (RATES_MAX + 1))}),
    ("flex_order", 0, flex((1, 0, 0))),
    ("flex_order", 0, flex((0, 1, 0))),
    ("flex_order", 2, flex((0, 0, 0), (0, 5, 0), (0, 5, 0))),
    ("flex_order", 2, flex((0, 0, 0), (0, 5, 0), (0, 4, 0))),
    ("flex_order", 1, flex((0, 0, 0), (0, 1440, 0))),
    ("flex_order", 1, flex((0, 0, 0), (0, 1441, 0))),
    ("flex_order", 2, flex((0, 0, 0), (1, 0, 0), (0, 5, 0))),
    ("flex_order", 1, flex((0, 0, 0), (1, 1, 0))),
    ("flex_order", 1, flex((0, 0, 0), (2, 0, 0))),
    ("flex_order", 2, flex((0, 0, 0), (1, 0, 0), (0, 0, 0))),
    ("flex_order", PATTERNS_MAX, flex(*[(at, 0, 0) for at in range(PATTERNS_MAX + 1)])),
    ("flex_order", FLEX_STEPS_MAX, flex(*MANY_STEPS)),
    ("flex_rate", 0, flex((0, 0, 1))),
    ("flex_rate", 0, flex((0, 0, 2))),
    ("flex_rate", 1, flex((0, 0, 0), (0, 5, 3), count=3)),
    ("weekday", 0, flex()),
    ("weekday", 0, flex((0, 0, 0), weekdays=bytes([1, 0, 0, 0, 0, 0, 0]))),
    ("weekday", 6, flex((0, 0, 0), (1, 0, 0), weekdays=bytes([1, 0, 1, 0, 1, 0, 2]))),
    ("titration_order", 0, titration()),
    ("titration_order", TITRATION_STEPS_MAX + 1, titration(*MANY_DAYS)),
    ("titration_order", 0, titration((1, 0))),
    ("titration_order", 1, titration((0, 0), (0, 0))),
    ("titration_order", 2, titration((0, 0), (5, 0), (5, 0))),
    ("titration_order", 2, titration((0, 0), (5, 0), (4, 0))),
    ("titration_order", 2, titration((0, 0), (5, 0), (256, 0))),
    ("flex_rate", 0, titration((0, 1))),
    ("flex_rate", 0, titration((0, 2))),
    ("flex_rate", 1, titration((0, 0), (1, 3), count=3)),
    ("titration_change", 1, rise(5_368 + 1_073 + 2 + 1, 200)),
    ("titration_change", 1, rise(5_368 + 10_736 + 2 + 2 + 1, 2_000)),
    ("titration_change", 1, rise(5_368 + 5 + 2 + 1, 1)),
    ("titration_change", 1, rise(5_368 + 10 + 2 + 1, 2)),
    ("titration_change", 1, rise(5_368 + 10_725 + 2 + 1 + 1, 1_998)),
    (
        "titration_change",
        1,
        titration((0, 1), (1, 0)) | {"rates": rates(50_000, 100_000), "change_permille_max": 200},
    ),
    ("rate_below_minimum", 0, {"minimum_den": 450_001}),
    ("rate_above_maximum", 0, {"minimum_den": 899}),
    ("rate_below_minimum", 1, {"basal_den": 450_001}),
    ("rate_above_maximum", 1, {"basal_den": 899}),
    ("rate_below_minimum", 2, BRIDGE | {"bridge_den": 450_001}),
    ("rate_above_maximum", 2, BRIDGE | {"bridge_den": 899}),
    ("rate_below_minimum", 2, titration((0, 0), (1, 1)) | {"rates": rates(54_000, 450_001)}),
    ("rate_above_maximum", 2, flex((0, 0, 0), (1, 0, 1), weekdays=b"\0\0\0\0\0\0\1") | {"rates": rates(54_000, 899)}),
    ("rate_above_maximum", 1, titration((0, 0), (1, 1)) | {"rates": rates(899, 54_000)}),
    ("cap_below_basal", 0, HIGHEST | {"bolus_steps_max": 0}),
    ("bolus_rate", 0, HIGHEST),
    ("bolus_size", 2_000, {"bolus_steps_max": 2_001}),
    ("bolus_size", 2_000, {"square_steps_max": 2_001}),
    ("bolus_rate", 0, faster("bolus", 94_402)),
    ("bolus_rate", 0, faster("bolus", 94_401) | flex((0, 0, 0), (0, 9, 1)) | {"rates": rates(54_000, 53_000)}),
    ("bolus_rate", 0, faster("bolus", 94_401) | {"minimum_den": 53_000}),
    ("bolus_rate", 0, faster("bolus", 94_401) | BRIDGE | {"bridge_den": 53_000}),
    ("bolus_size", 2_000, PATIENT | {"patient_steps": 2_001, "patient_lockout_ms": DAY_MS}),
    ("bolus_rate", 1, PATIENT | faster("patient", 94_402)),
    ("patient_bolus", 0, PATIENT | {"patient_lockout_ms": 19_999}),
    ("patient_bolus", 0, PATIENT | {"patient_lockout_ms": DAY_MS + 1}),
    ("patient_bolus", 1, PATIENT | {"patient_per_day": 0}),
    ("patient_bolus", 1, PATIENT | {"patient_per_day": 25}),
    ("bolus_size", 2_000, PERIODIC | {"periodic_steps": 2_001, "periodic_den": 2_000, "periodic_ms": DAY_MS - 1}),
    ("bolus_rate", 2, PERIODIC | faster("periodic", 94_402)),
    ("periodic_bolus", 0, PERIODIC | {"periodic_ms": 90_000}),
    ("periodic_bolus", 0, PERIODIC | {"periodic_ms": 80_000}),
    ("periodic_bolus", 0, PERIODIC | {"periodic_ms": FRACTION_MAX + 1}),
    ("periodic_bolus", 0, PERIODIC | {"periodic_steps": 1, "periodic_den": 1_000, "periodic_ms": 59_999}),
    ("priming", 2_000, PRIME | {"prime_steps_max": 2_001}),
    ("bolus_rate", 3, PRIME | {"prime_den": 899}),
    ("bridge", 160_000, BRIDGE | {"bridge_steps": 160_001}),
    ("step_volume", 250, {"step_nl_num": 251}),
    ("step_volume", 250, {"step_nl_den": 2}),
    ("step_volume", 250, {"step_nl_num": 501, "step_nl_den": 2}),
    ("step_volume", 250, {"step_nl_num": 499, "step_nl_den": 2}),
    ("reservoir_size", 160_000, {"reservoir_steps": 160_001}),
    ("level_order", 160_000, {"low_steps": 160_000}),
    ("level_order", 100_001, {"reservoir_steps": 100_000, "low_steps": 100_001}),
    ("level_order", 3_999, {"low_steps": 3_999}),
    ("cap_missing", 0, caps()),
    ("not_supported", 8, caps(*[(60, 2_000_000)] * 8, (1440, 12_000_000))),
    ("drug_count", 1, {"caps": [{"minutes": 60, "ng": 2_000_000}, {"drug": 1, "minutes": 1440, "ng": 12_000_000}]}),
    ("drug_count", 0, {"drugs": [], "drug_names": b""}),
    ("drug_count", 2, {"drugs": TWO_DRUGS, "drug_names": b"onetwo"}),
    ("therapy_format", 9, {"drug_names": b"baclofens"}),
    ("not_supported", 15, {"stall_retry_minutes": 15}),
    ("priming", COUNT_MAX, {"path_nl": COUNT_MAX + 1}),
    ("therapy_fraction", 8, {"bridge_num": 1}),
    ("therapy_fraction", 9, {"bridge_ng_den": FRACTION_MAX + 1}),
    ("cap_window", 0, caps((0, 2_000_000), (1440, 12_000_000))),
    ("cap_window", 2, caps((60, 2_000_000), (1440, 12_000_000), (2881, 24_000_000))),
    ("cap_missing", 0, caps((60, 0), (1440, 12_000_000))),
    ("cap_missing", 1, caps((60, 2_000_000), (1440, 0))),
    ("cap_missing", 1, {"step_ng_num": 500_000} | caps((60, COUNT_MAX), (1440, COUNT_MAX + 1))),
    ("cap_missing", 0, caps((60, 2_000_000))),
    ("cap_missing", 0, caps((1440, 12_000_000))),
    ("cap_missing", 0, caps((61, 2_000_000), (1440, 12_000_000))),
    ("cap_missing", 0, caps((60, 2_000_000), (1439, 12_000_000), (1441, 12_000_000))),
    ("cap_below_basal", 0, caps((60, 67 * 500 - 1), (1440, 12_000_000))),
    ("cap_below_basal", 1, caps((60, 2_000_000), (1440, 1_607 * 500 - 1))),
    ("cap_below_basal", 0, {"mode": "minimum_rate"} | caps((60, 9 * 500 - 1), (1440, 12_000_000))),
    (
        "cap_below_basal",
        0,
        PERIODIC | {"periodic_ms": 1_200_000} | caps((60, (67 + 10 * 4) * 500 - 1), (1440, 12_000_000)),
    ),
    ("cap_below_basal", 0, {"basal_num": 67, "basal_den": 3_615_000} | caps((60, 68 * 500 - 1), (1440, 12_000_000))),
    ("cap_above_hard", 0, {"hour_ng_max": 2_000_500}),
    ("cap_above_hard", 0, caps((59, 2_000_500), (1440, 12_000_000))),
    ("cap_above_hard", 1, {"day_ng_max": 12_000_500}),
    ("cap_above_hard", 1, caps((60, 2_000_000), (61, 12_000_500), (1440, 12_000_000))),
    ("cap_above_hard", 2, caps((60, 2_000_000), (1440, 12_000_000), (1441, 24_000_500))),
]

NEEDED = ["step_ng", "step_nl", "minimum", "bolus", "basal", "patient", "periodic", "prime", "bridge", "bridge_ng"]
"""Fractions of a therapy, in the order in which a refusal numbers them."""


@pytest.mark.requirement("R14")
@pytest.mark.parametrize("changes", GOOD.values(), ids=GOOD)
def test_what_is_just_within_every_rule_is_accepted(changes: dict[str, Any]) -> None:
    assert Therapy(therapy(**changes)).check(PROFILE) == (wire.REASON_DONE, 0)


@pytest.mark.requirement("R14")
@pytest.mark.parametrize(("reason", "detail", "changes"), BAD, ids=[f"{at}-{bad[0]}" for at, bad in enumerate(BAD)])
def test_what_is_just_beyond_a_rule_is_refused(reason: str, detail: int, changes: dict[str, Any]) -> None:
    assert Therapy(therapy(**changes)).check(PROFILE) == (getattr(wire, f"REASON_{reason.upper()}"), detail)


@pytest.mark.parametrize("part", ["num", "den"])
@pytest.mark.parametrize("value", [0, FRACTION_MAX + 1])
@pytest.mark.parametrize("name", NEEDED)
def test_no_fraction_that_is_used_is_nought_or_too_long(name: str, value: int, part: str) -> None:
    changes = PATIENT | PERIODIC | PRIME | BRIDGE | {f"{name}_{part}": value}
    assert Therapy(therapy(**changes)).check(PROFILE) == (wire.REASON_THERAPY_FRACTION, NEEDED.index(name))


def test_a_bolus_may_pass_the_highest_rate_by_a_step_a_day() -> None:
    # 95893 steps a day, 1600 of them basal.
    figures = FIGURES | {"rate_max_den": 901}
    slower = Profile(figures | {"checksum": checksum(figures)})
    assert Therapy(therapy(**faster("bolus", 94_294))).check(slower) == (wire.REASON_DONE, 0)
    assert Therapy(therapy(**faster("bolus", 94_295))).check(slower) == (wire.REASON_BOLUS_RATE, 0)


def test_each_field_is_read_into_its_place() -> None:
    changed = {
        name: at + 1 for at, (name, value) in enumerate(THERAPY.items()) if isinstance(value, int) and name != "format"
    }
    changed |= {"mode": 3, "on_low": 1, "on_cap": 1, "patient_per_day": 250}
    changed |= {"step_ng_num": 501, "step_ng_den": 502, "bridge_ng_num": 503, "bridge_ng_den": 504}
    read = Therapy(therapy(**changed | {"weekdays": bytes(range(7))}))
    assert {name: getattr(read, name) for name in changed} == changed
    assert (read.therapy_id, read.drug_names, read.weekdays) == (b"test-one", b"baclofen", bytes(range(7)))
    assert read.drugs == [(8, 501, 502, 503, 504)]
    assert read.caps == [(0, 60, 2_000_000), (0, 1440, 12_000_000)]


numbers = st.one_of(st.integers(1, 30), st.integers(1, FRACTION_MAX))


@given(st.one_of(st.just(0), numbers), numbers, st.one_of(st.just(0), numbers), numbers)
def test_fractions_are_compared_exactly(a: int, b: int, c: int, d: int) -> None:
    assert is_less((a, b), (c, d)) == (Fraction(a, b) < Fraction(c, d))
    assert not is_less((a, b), (a, b))
    if 2 * max(a, b) <= FRACTION_MAX:
        assert not is_less((a, b), (2 * a, 2 * b))
        assert not is_less((2 * a, 2 * b), (a, b))


def test_large_fractions_are_compared_by_what_is_left_of_their_wholes() -> None:
    assert is_less((3_001, 3), (3_002, 3))
    assert not is_less((3_002, 3), (3_001, 3))
    assert not is_less((3_001, 3), (3_001, 3))


@pytest.mark.requirement("R56")
def test_any_flipped_bit_of_a_therapy_shows_in_its_fold() -> None:
    whole = Therapy(therapy(**(flex((0, 0, 0), (1, 7, 1), count=2) | {"titration": [{"day": 3, "rate": 1}]})))
    for at, name in enumerate(name for name, value in vars(whole).items() if isinstance(value, int)):
        setattr(whole, name, 1_003 + 7 * at)
    before = fold(whole)
    numbers = [value for value in vars(whole).values() if isinstance(value, int)]
    rows = [sum(row) for table in (whole.drugs, whole.caps, whole.rates, whole.flex, whole.titration) for row in table]
    # A fold is as short as its parts.
    assert before == reduce(xor, [*numbers, sum(whole.weekdays), *rows])
    for name, value in list(vars(whole).items()):
        if isinstance(value, int):
            flips: list[Any] = [value ^ 1 << bit for bit in range(30)]
        elif name == "weekdays":
            flips = [bytes([*value[:at], value[at] ^ 1 << bit, *value[at + 1 :]]) for at in (0, 6) for bit in range(8)]
        elif isinstance(value, list):
            flips = [
                [*value[:row], (*value[row][:at], value[row][at] ^ 1 << bit, *value[row][at + 1 :]), *value[row + 1 :]]
                for row in range(len(value))
                for at in range(len(value[row]))
                for bit in range(8)
            ]
        else:
            continue
        assert flips, name
        for flipped in flips:
            setattr(whole, name, flipped)
            assert fold(whole) != before, name
        setattr(whole, name, value)
    assert fold(whole) == before
