"""Programs: exact where they can be, bounded where they cannot, and read by the pump's own code as by the host's."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest
from dosebench.base.units import DAY_MS, HOUR_MS, MINUTE_MS
from dosebench.profile import load
from dosebench.profile.model import Profile
from dosebench.regimen.compile import compile_order
from dosebench.regimen.order import (
    Bridge,
    DoseCap,
    Mode,
    PatientBolus,
    Pattern,
    PatternStep,
    PeriodicBolus,
    Priming,
    RampStep,
)
from dosebench.therapy import fractions, program
from dosebench.therapy.fractions import ProgramError, best_fraction, best_fraction_within
from dosebench.therapy.program import Cap, FlexStep, Program, Rate, Reading, TitrationStep, from_bytes
from hypothesis import given, settings
from hypothesis import strategies as st
from orders import BACLOFEN, orders, programs

LIMIT = 1 << 29


@pytest.fixture(scope="session")
def implant() -> Profile:
    return load.load_profile("implant-40")


u32 = st.integers(0, (1 << 32) - 1)
dens = st.integers(1, (1 << 32) - 1)
u16 = st.integers(0, 65535)
u8 = st.integers(0, 255)
NAMES = {
    "mode": st.sampled_from(["continuous", "minimum_rate", "stopped", "flex", "titration"]),
    "on_low": st.sampled_from(["keep", "minimum_rate", "stop"]),
    "on_cap": st.sampled_from(["minimum_rate", "stop"]),
    "therapy_id": st.binary(min_size=8, max_size=8),
    "drug": st.text(max_size=10).map(str.encode),
    "weekdays": st.lists(st.integers(0, 2), min_size=7, max_size=7).map(bytes),
    "format": st.just(1),
    "stability_days": u16,
    "path_version": u16,
    "change_permille_max": u16,
    "patient_per_day": u8,
    "caps": st.lists(st.builds(Cap, u16, u32), max_size=4).map(tuple),
    "rates": st.lists(st.builds(Rate, u32, dens), min_size=2, max_size=5).map(tuple),
    "flex": st.lists(st.builds(FlexStep, st.integers(0, 2), u16, st.integers(0, 1)), max_size=300).map(
        lambda steps: (FlexStep(0, 0, 0), FlexStep(1, 0, 1), FlexStep(2, 0, 0), *steps)
    ),
    "titration": st.lists(st.builds(TitrationStep, u16, st.integers(0, 1)), max_size=64).map(tuple),
}
encodable = st.builds(
    Program,
    **{
        field.name: NAMES.get(field.name, dens if field.name.endswith("_den") else u32)
        for field in dataclasses.fields(Program)
    },
)


@given(encodable)
def test_encoding_round_trip(item: Program) -> None:
    data = item.encode_program()
    assert from_bytes(data) == item
    assert from_bytes(data).encode_program() == data
    assert item.program_hash() == hashlib.sha256(data).digest()[:16]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_program_or_an_error(data: bytes) -> None:
    try:
        item = from_bytes(data)
    except ProgramError:
        return
    assert data.startswith(item.encode_program())


def test_a_later_format_is_refused_with_a_sentence(implant: Profile) -> None:
    data = bytearray(compile_order(BACLOFEN, implant).encode_program())
    data[0] = 2
    with pytest.raises(ProgramError, match="has format 2; this dosebench reads format 1"):
        from_bytes(bytes(data))


def test_division_by_zero_is_refused(implant: Profile) -> None:
    data = replace(compile_order(BACLOFEN, implant), basal_den=0).encode_program()
    with pytest.raises(ProgramError, match="divides by zero: basal_den"):
        from_bytes(data)
    unused = replace(compile_order(BACLOFEN, implant), bridge_den=0)
    assert from_bytes(unused.encode_program()).bridge_rate == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"titration": (TitrationStep(0, 0),)}, "a rate that it does not have"),
        ({"mode": "flex"}, "a day pattern that it does not have"),
        ({"rates": (Rate(1, 0),)}, r"divides by zero: rates\[0\]"),
    ],
)
def test_a_number_that_points_nowhere_is_refused(implant: Profile, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ProgramError, match=words):
        from_bytes(replace(compile_order(BACLOFEN, implant), **change).encode_program())


def test_a_figure_that_is_too_large_is_refused(implant: Profile) -> None:
    with pytest.raises(ProgramError, match="cannot be encoded"):
        replace(compile_order(BACLOFEN, implant), caps=(Cap(60, 1 << 32),)).encode_program()
    with pytest.raises(ProgramError, match="more than the pump can count"):
        compile_order(replace(BACLOFEN, caps=(DoseCap(60, Fraction(1 << 30)),)), implant)


@pytest.mark.requirement("C5")
def test_known_program(implant: Profile) -> None:
    item = compile_order(BACLOFEN, implant)
    assert (item.basal_num, item.basal_den) == (1, 54_000)
    assert (item.minimum_num, item.minimum_den) == (1, 450_000)
    assert (item.bolus_num, item.bolus_den) == (1, 9000)
    assert (item.step_ng_num, item.step_ng_den) == (500, 1)
    assert (item.step_nl_num, item.step_nl_den) == (250, 1)
    assert (item.reservoir_steps, item.low_steps, item.empty_steps) == (160_000, 8000, 4000)
    assert item.bolus_steps_max == 100
    reading = item.expected_reading()
    assert (reading.daily_steps, reading.daily_dose_ng, reading.daily_volume_nl) == (1600, 800_000, 400_000)
    assert reading.hour_dose_ng == 33_333
    assert (reading.refill_days, reading.refill_limit) == (95, "volume")
    assert (reading.bolus_steps_max, reading.caps) == (100, (Cap(60, 117_667), Cap(1440, 1_051_000)))
    assert reading.weekly_dose_ng == 5_600_000
    assert (reading.periodic_dose_ng, reading.patient_dose_ng, reading.bridge_ms) == (0, 0, 0)


@pytest.mark.parametrize(
    ("mode", "daily_steps", "refill"), [("minimum_rate", 192, (180, "cap")), ("stopped", 0, (180, "cap"))]
)
def test_other_modes(implant: Profile, mode: Mode, daily_steps: int, refill: tuple[int, str]) -> None:
    item = compile_order(replace(BACLOFEN, mode=mode, basal=Fraction(0)), implant)
    assert (item.basal_num, item.basal_den) == (0, 1)
    reading = item.expected_reading()
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
    assert program.estimate_refill(by_volume, stability) == expected


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
    assert fractions.rounding_steps(Fraction(1, 54_000), Fraction(1, 54_000)) == 0
    ten_years_ms = 36525 * DAY_MS // 10
    assert fractions.rounding_steps(Fraction(0), Fraction(1, ten_years_ms)) == 1


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


def test_volumes_are_rounded_to_the_safe_side(implant: Profile) -> None:
    half_a_step = Fraction(125)
    item = compile_order(
        replace(
            BACLOFEN,
            filled=BACLOFEN.filled - half_a_step,
            low=BACLOFEN.low + half_a_step,
            empty=BACLOFEN.empty + half_a_step,
            bolus_max=BACLOFEN.bolus_max + half_a_step,
            caps=tuple(DoseCap(cap.minutes, cap.ng + Fraction(9, 10)) for cap in BACLOFEN.caps),
        ),
        implant,
    )
    assert (item.reservoir_steps, item.low_steps, item.empty_steps) == (159_999, 8001, 4001)
    assert (item.bolus_steps_max, item.caps) == (100, (Cap(60, 117_667), Cap(1440, 1_051_000)))


@pytest.mark.requirement("R57")
@pytest.mark.requirement("R63")
@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_the_pump_reads_a_program_as_the_host_does(
    implant: Profile, pump: SimpleNamespace, data: st.DataObject
) -> None:
    item = data.draw(programs(implant))
    own = dataclasses.asdict(item.expected_reading())
    device = pump.Program(item.encode_program()).reading()
    limits = {"volume": 0, "stability": 1, "cap": 2}
    assert device.pop("refill") == (own["refill_days"], limits[own["refill_limit"]])
    assert device == {name: own[name] for name in device}
    assert set(device) > {"daily_steps", "weekly_dose_ng", "periodic_dose_ng", "patient_dose_ng", "bridge_ms"}


def test_a_reading_from_the_devices_answer(implant: Profile) -> None:
    own = compile_order(BACLOFEN, implant).expected_reading()
    answer = dataclasses.asdict(own) | {"caps": [{"minutes": 60, "ng": 117_667}, {"minutes": 1440, "ng": 1_051_000}]}
    assert Reading.from_answer(answer) == own


def test_figures_of_a_flex_week(implant: Profile) -> None:
    def day(weekdays: tuple[int, ...], night: int, noon: int) -> Pattern:
        steps = (PatternStep(0, Fraction(night, HOUR_MS)), PatternStep(720, Fraction(noon, HOUR_MS)))
        return Pattern(weekdays, steps)

    patterns = (day((0, 1, 2, 3, 4), 10_000, 20_000), day((5, 6), 5000, 40_000))
    item = compile_order(replace(BACLOFEN, mode="flex", basal=Fraction(0), patterns=patterns), implant)
    assert item.weekdays == bytes([0, 0, 0, 0, 0, 1, 1])
    assert [step.rate for step in item.flex] == [0, 1, 2, 3]
    assert item.weekday_steps() == (Fraction(1440),) * 5 + (Fraction(2160),) * 2
    reading = item.expected_reading()
    assert (reading.daily_steps, reading.daily_dose_ng) == (2160, 1_080_000)
    assert reading.hour_dose_ng == 160 * 500
    assert reading.weekly_dose_ng == (5 * 1440 + 2 * 2160) * 500


def test_boluses_count_for_totals_and_refill(implant: Profile) -> None:
    item = compile_order(
        replace(
            BACLOFEN,
            periodic=PeriodicBolus(Fraction(2500), 600_000, 5 * HOUR_MS),
            patient=PatientBolus(Fraction(5000), 600_000, 30 * MINUTE_MS, 3),
        ),
        implant,
    )
    reading = item.expected_reading()
    assert (item.periodic_per_day, item.patient_per_day_steps) == (4 * 10, 3 * 20)
    assert (reading.daily_steps, reading.weekly_dose_ng) == (1640, 7 * 1640 * 500)
    assert (reading.periodic_dose_ng, reading.patient_dose_ng) == (20_000, 30_000)
    assert reading.refill_days == 152_000 // 1700
    assert item.window_steps(5 * HOUR_MS) == 5 * 3600 * 241 // 240 // 54 + 1 + 20


def test_large_figures_stop_at_what_the_pump_can_count(implant: Profile) -> None:
    item = replace(compile_order(BACLOFEN, implant), step_ng_num=1 << 29, step_ng_den=1)
    assert item.expected_reading().daily_dose_ng == (1 << 30) - 1


# Boluses and the highest rate


@pytest.mark.requirement("R7")
@pytest.mark.requirement("C8")
def test_a_bolus_gets_what_the_highest_rate_leaves() -> None:
    pump = load.load_profile("external-mlh")
    hourly = Fraction(1_000_000, HOUR_MS)
    regimen = replace(
        BACLOFEN,
        profile="external-mlh",
        basal=6 * hourly,
        minimum=1 * hourly,
        bolus_max=Fraction(5_000_000),
        bolus_rate=50 * hourly,
        patient=PatientBolus(Fraction(1_000_000), MINUTE_MS, 30 * MINUTE_MS, 6),
    )
    item = compile_order(regimen, pump)
    assert item.bolus_rate == pump.count_steps(50 * hourly)
    assert item.patient_rate == pump.count_steps(54 * hourly)


@pytest.mark.requirement("R7")
@settings(deadline=None)
@given(data=st.data())
def test_no_bolus_passes_the_highest_rate(implant: Profile, data: st.DataObject) -> None:
    order = replace(data.draw(orders()), bolus_rate=implant.delivery.rate_max)
    item = compile_order(order, implant)
    highest = implant.count_steps(implant.delivery.rate_max)
    for rate in (item.bolus_rate, item.patient_rate, item.periodic_rate):
        assert rate + max(item.rate, item.bridge_rate, item.minimum_rate) <= highest
        assert max(rate.numerator, rate.denominator) <= LIMIT
    assert highest - item.bolus_rate - max(item.rate, item.bridge_rate, item.minimum_rate) < Fraction(1, 1 << 29)


@given(st.fractions(min_value=Fraction(1, 10**6), max_value=Fraction(999, 1000)), st.integers(1, LIMIT))
def test_best_fraction_within_is_the_largest_that_fits(limit: Fraction, den: int) -> None:
    near = best_fraction_within(Fraction(1), limit)
    assert near <= limit
    assert max(near.numerator, near.denominator) <= LIMIT
    assert Fraction(math.floor(limit * den), den) <= near
    assert best_fraction_within(near, limit) == near
