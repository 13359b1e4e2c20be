"""Programs: exact where they can be, bounded where they cannot, and read by the pump's own code as by the host's."""

from __future__ import annotations

import hashlib
import importlib
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from dosebench import profile, program
from dosebench.profile import Profile
from dosebench.program import Program, ProgramError, best_fraction, build, from_bytes
from dosebench.regimen import Mode, Regimen
from dosebench.units import DAY_MS, HOUR_MS
from hypothesis import given
from hypothesis import strategies as st

FIRMWARE = Path(__file__).parents[2] / "firmware"
LIMIT = 1 << 29

BACLOFEN = Regimen(
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
    hour_cap=Fraction(117_667),
    day_cap=Fraction(1_051_000),
    stability_days=0,
    on_low="keep",
)


@pytest.fixture(scope="session")
def implant() -> Profile:
    return profile.load("implant-40")


@pytest.fixture(scope="session")
def pump_therapy() -> ModuleType:
    """The firmware's own module, the very file that runs on the pump."""
    sys.path.insert(0, str(FIRMWARE))
    try:
        return importlib.import_module("pump.therapy")
    finally:
        sys.path.remove(str(FIRMWARE))


u32 = st.integers(0, (1 << 32) - 1)
dens = st.integers(1, (1 << 32) - 1)
programs = st.builds(
    Program,
    format=st.just(1),
    therapy_id=st.binary(min_size=8, max_size=8),
    drug=st.text(max_size=10).map(str.encode),
    step_ng_num=u32,
    step_ng_den=dens,
    step_nl_num=u32,
    step_nl_den=dens,
    mode=st.sampled_from(["continuous", "minimum_rate", "stopped"]),
    basal_num=u32,
    basal_den=dens,
    minimum_num=u32,
    minimum_den=dens,
    bolus_num=u32,
    bolus_den=dens,
    bolus_steps_max=u32,
    hour_ng_max=u32,
    day_ng_max=u32,
    reservoir_steps=u32,
    low_steps=u32,
    empty_steps=u32,
    stability_days=st.integers(0, 65535),
    on_low=st.sampled_from(["keep", "minimum_rate", "stop"]),
)


def order(daily_nl: Fraction, concentration: Fraction, filled_steps: int, stability_days: int, mode: Mode) -> Regimen:
    """A regimen for the implant with these figures."""
    return replace(
        BACLOFEN,
        concentration=concentration,
        basal=daily_nl / DAY_MS if mode == "continuous" else Fraction(0),
        minimum=daily_nl / DAY_MS,
        filled=Fraction(filled_steps * 250),
        stability_days=stability_days,
        mode=mode,
    )


orders = st.builds(
    order,
    st.fractions(min_value=48_000, max_value=5_900_000, max_denominator=1 << 40),
    st.fractions(min_value=Fraction(1, 100), max_value=25, max_denominator=1000),
    st.integers(9000, 160_000),
    st.sampled_from([0, 14, 40, 84, 500]),
    st.sampled_from(["continuous", "minimum_rate", "stopped"]),
)


@given(programs)
def test_encoding_round_trip(item: Program) -> None:
    data = item.encode()
    assert from_bytes(data) == item
    assert from_bytes(data).encode() == data
    assert item.program_hash() == hashlib.sha256(data).digest()[:16]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_program_or_an_error(data: bytes) -> None:
    try:
        item = from_bytes(data)
    except ProgramError:
        return
    assert data.startswith(item.encode())


def test_a_later_format_is_refused_with_a_sentence(implant: Profile) -> None:
    data = bytearray(build(BACLOFEN, implant).encode())
    data[0] = 2
    with pytest.raises(ProgramError, match="has format 2; this dosebench reads format 1"):
        from_bytes(bytes(data))


def test_division_by_zero_is_refused(implant: Profile) -> None:
    data = replace(build(BACLOFEN, implant), basal_den=0).encode()
    with pytest.raises(ProgramError, match="divides by zero: basal_den"):
        from_bytes(data)


def test_a_figure_that_is_too_large_is_refused(implant: Profile) -> None:
    with pytest.raises(ProgramError, match="cannot be encoded"):
        replace(build(BACLOFEN, implant), day_ng_max=1 << 32).encode()
    with pytest.raises(ProgramError, match="more than the pump can count"):
        build(replace(BACLOFEN, day_cap=Fraction(1 << 30)), implant)


@pytest.mark.requirement("C5")
def test_known_program(implant: Profile) -> None:
    item = build(BACLOFEN, implant)
    assert (item.basal_num, item.basal_den) == (1, 54_000)
    assert (item.minimum_num, item.minimum_den) == (1, 450_000)
    assert (item.bolus_num, item.bolus_den) == (1, 9000)
    assert (item.step_ng_num, item.step_ng_den) == (500, 1)
    assert (item.step_nl_num, item.step_nl_den) == (250, 1)
    assert (item.reservoir_steps, item.low_steps, item.empty_steps) == (160_000, 8000, 4000)
    assert item.bolus_steps_max == 100
    reading = item.reading()
    assert (reading.daily_steps, reading.daily_dose_ng, reading.daily_volume_nl) == (1600, 800_000, 400_000)
    assert reading.hour_dose_ng == 33_333
    assert (reading.refill_days, reading.refill_limit) == (95, "volume")
    assert (reading.bolus_steps_max, reading.hour_ng_max, reading.day_ng_max) == (100, 117_667, 1_051_000)


@pytest.mark.parametrize(
    ("mode", "daily_steps", "refill"), [("minimum_rate", 192, (180, "cap")), ("stopped", 0, (180, "cap"))]
)
def test_other_modes(implant: Profile, mode: Mode, daily_steps: int, refill: tuple[int, str]) -> None:
    item = build(replace(BACLOFEN, mode=mode, basal=Fraction(0)), implant)
    assert (item.basal_num, item.basal_den) == (0, 1)
    reading = item.reading()
    assert reading.daily_steps == daily_steps
    assert reading.daily_dose_ng == daily_steps * 500
    assert reading.hour_dose_ng == daily_steps // 24 * 500
    assert (reading.refill_days, reading.refill_limit) == refill


@pytest.mark.requirement("R22")
@pytest.mark.parametrize(
    ("by_volume", "stability", "expected"),
    [
        (Fraction(221, 10), 14, (14, "stability")),
        (Fraction(221, 10), 0, (Fraction(221, 10), "volume")),
        (Fraction(500), 0, (180, "cap")),
        (Fraction(500), 200, (180, "cap")),
        (Fraction(14), 14, (14, "stability")),
        (None, 84, (84, "stability")),
        (None, 0, (180, "cap")),
        (Fraction(-3), 0, (0, "volume")),
    ],
)
def test_refill(by_volume: Fraction | None, stability: int, expected: tuple[Fraction, str]) -> None:
    assert program.refill(by_volume, stability) == expected


@given(st.fractions(min_value=Fraction(1, LIMIT), max_value=LIMIT), st.integers(1, LIMIT))
def test_best_fraction_fits_and_no_other_is_nearer(value: Fraction, other_den: int) -> None:
    near = best_fraction(value)
    assert 0 < near.numerator <= LIMIT
    assert near.denominator <= LIMIT
    # Below one the value itself is approximated, above one its reciprocal.
    wanted, got = (value, near) if value < 1 else (1 / value, 1 / near)
    other = Fraction(round(wanted * other_den), other_den)
    assert abs(got - wanted) <= abs(other - wanted)


@given(st.fractions(min_value=Fraction(1, 10**6), max_value=10**3), st.integers(1, LIMIT), st.integers(1, LIMIT))
def test_best_fraction_never_crosses_a_limit_that_fits(value: Fraction, num: int, den: int) -> None:
    limit = Fraction(num, den)
    if value >= limit:
        assert best_fraction(value) >= limit
    if value <= limit:
        assert best_fraction(value) <= limit


@given(st.integers(0, LIMIT), st.integers(1, LIMIT))
def test_best_fraction_keeps_what_fits(num: int, den: int) -> None:
    assert best_fraction(Fraction(num, den)) == Fraction(num, den)


@pytest.mark.parametrize("value", [Fraction(-1, 3), Fraction(1, 1 << 40), Fraction(1 << 40)])
def test_best_fraction_refuses_what_cannot_be(value: Fraction) -> None:
    with pytest.raises(ProgramError, match="cannot be written"):
        best_fraction(value)


def test_rounding_is_in_steps_over_ten_years() -> None:
    assert program.rounding_steps(Fraction(1, 54_000), Fraction(1, 54_000)) == 0
    ten_years_ms = 36525 * DAY_MS // 10
    assert program.rounding_steps(Fraction(0), Fraction(1, ten_years_ms)) == 1


def test_same_order_same_id() -> None:
    assert BACLOFEN.therapy_id() == replace(BACLOFEN, title="Another title").therapy_id()
    assert len(BACLOFEN.therapy_id()) == 8
    changed: dict[str, Any] = {
        "profile": "implant-20",
        "drug": "morphine",
        "mode": "stopped",
        "on_low": "stop",
        "stability_days": 14,
    }
    for name in BACLOFEN.__dataclass_fields__:
        if name != "title":
            value = changed[name] if name in changed else getattr(BACLOFEN, name) * 2
            assert replace(BACLOFEN, **{name: value}).therapy_id() != BACLOFEN.therapy_id(), name


def test_volumes_are_rounded_to_the_safe_side(implant: Profile) -> None:
    half_a_step = Fraction(125)
    item = build(
        replace(
            BACLOFEN,
            filled=BACLOFEN.filled - half_a_step,
            low=BACLOFEN.low + half_a_step,
            empty=BACLOFEN.empty + half_a_step,
            bolus_max=BACLOFEN.bolus_max + half_a_step,
            hour_cap=BACLOFEN.hour_cap + Fraction(9, 10),
        ),
        implant,
    )
    assert (item.reservoir_steps, item.low_steps, item.empty_steps) == (159_999, 8001, 4001)
    assert (item.bolus_steps_max, item.hour_ng_max) == (100, 117_667)


@pytest.mark.requirement("R57")
@pytest.mark.requirement("R63")
@given(orders)
def test_the_pump_reads_a_program_as_the_host_does(
    implant: Profile, pump_therapy: ModuleType, regimen: Regimen
) -> None:
    item = build(regimen, implant)
    reading = item.reading()
    device = pump_therapy.Therapy(item.encode())
    assert device.per_window(DAY_MS, 1, 1) == reading.daily_steps
    assert device.per_window(DAY_MS, device.step_ng_num, device.step_ng_den) == reading.daily_dose_ng
    assert device.per_window(DAY_MS, device.step_nl_num, device.step_nl_den) == reading.daily_volume_nl
    assert device.per_window(HOUR_MS, device.step_ng_num, device.step_ng_den) == reading.hour_dose_ng
    limits = {"volume": 0, "stability": 1, "cap": 2}
    assert device.refill() == (reading.refill_days, limits[reading.refill_limit])
