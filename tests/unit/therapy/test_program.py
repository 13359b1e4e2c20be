"""Programs: encoding, decoding, refusals, and their totals."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from dosebench.base.units import HOUR_MS, MINUTE_MS
from dosebench.profile import load
from dosebench.profile.model import Profile
from dosebench.regimen.compile import compile_order
from dosebench.regimen.order import (
    DoseCap,
    PatientBolus,
    Pattern,
    PatternStep,
    PeriodicBolus,
)
from dosebench.therapy import program
from dosebench.therapy.fractions import ProgramError
from dosebench.therapy.program import Cap, Drug, FlexStep, Program, Rate, TitrationStep, from_bytes
from dosebench_protocol.codec import decode_struct, encode_struct
from dosebench_protocol.tables import CAPS_MAX, DRUGS_MAX, FRACTION_MAX, PROGRAM_FORMAT
from hypothesis import given
from hypothesis import strategies as st
from orders import BACLOFEN


@pytest.fixture(scope="session")
def implant() -> Profile:
    return load.load_profile("implant-40")


u32 = st.integers(0, (1 << 32) - 1)
terms = st.integers(1, FRACTION_MAX)
u16 = st.integers(0, 65535)
u8 = st.integers(0, 255)
NAMES = {
    "mode": st.sampled_from(["continuous", "minimum_rate", "stopped", "flex", "titration"]),
    "on_low": st.sampled_from(["keep", "minimum_rate", "stop"]),
    "on_cap": st.sampled_from(["minimum_rate", "stop"]),
    "therapy_id": st.binary(min_size=8, max_size=8),
    "drugs": st.lists(
        st.builds(Drug, st.text(max_size=10).map(str.encode), terms, terms, terms, terms),
        min_size=1,
        max_size=DRUGS_MAX,
    ).map(tuple),
    "weekdays": st.lists(st.integers(0, 2), min_size=7, max_size=7).map(bytes),
    "format": st.just(PROGRAM_FORMAT),
    "stability_days": u16,
    "path_version": u16,
    "stall_retry_minutes": u16,
    "change_permille_max": u16,
    "patient_per_day": u8,
    "caps": st.lists(st.builds(Cap, u16, u32, st.just(0)), max_size=CAPS_MAX).map(tuple),
    "rates": st.lists(st.builds(Rate, terms, terms), min_size=2, max_size=5).map(tuple),
    "flex": st.lists(st.builds(FlexStep, st.integers(0, 2), u16, st.integers(0, 1)), max_size=300).map(
        lambda steps: (FlexStep(0, 0, 0), FlexStep(1, 0, 1), FlexStep(2, 0, 0), *steps)
    ),
    "titration": st.lists(st.builds(TitrationStep, u16, st.integers(0, 1)), max_size=64).map(tuple),
}
encodable = st.builds(
    Program,
    **{
        field.name: NAMES.get(field.name, terms if field.name.endswith(("_num", "_den")) else u32)
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
    data[0] = PROGRAM_FORMAT + 1
    with pytest.raises(ProgramError, match="has format 3; this dosebench reads format 2"):
        from_bytes(bytes(data))


def test_division_by_zero_is_refused(implant: Profile) -> None:
    data = replace(compile_order(BACLOFEN, implant), basal_den=0).encode_program()
    with pytest.raises(ProgramError, match="holds what is no fraction: basal"):
        from_bytes(data)
    unused = compile_order(BACLOFEN, implant)
    assert (unused.bridge_num, unused.bridge_den) == (0, 0)
    assert from_bytes(unused.encode_program()).bridge_rate == 0


@pytest.mark.parametrize("worth", [(0, 0), (0, 1), (1, 0), (FRACTION_MAX + 1, 1), (1, FRACTION_MAX + 1)])
def test_a_step_holds_some_of_each_drug(implant: Profile, worth: tuple[int, int]) -> None:
    item = compile_order(BACLOFEN, implant)
    drugs = (*item.drugs, Drug(b"clonidine", *worth))
    with pytest.raises(ProgramError, match=r"holds what is no fraction: drugs\[1\]\.step_ng"):
        from_bytes(replace(item, drugs=drugs).encode_program())


def test_four_drugs_have_names_and_doses_of_their_own(implant: Profile) -> None:
    item = compile_order(BACLOFEN, implant)
    names = (b"clonidine", b"", b"bupivacaine")
    item = replace(item, drugs=(*item.drugs, *(Drug(name, at, 2) for at, name in enumerate(names, start=1))))
    again = from_bytes(item.encode_program())
    assert again == item
    doses = [(drug.name, drug.daily_dose_ng) for drug in again.expected_reading().drugs]
    assert doses == [(b"baclofen", 800_000), (b"clonidine", 800), (b"", 1600), (b"bupivacaine", 2400)]


def test_drugs_and_their_names_must_fit(implant: Profile) -> None:
    fields = decode_struct("program", compile_order(BACLOFEN, implant).encode_program())
    for change, words in (
        ({"drug_names": b"baclofe"}, "names 1 drugs with 7 bytes"),
        ({"drug_names": b"baclofens"}, "names 1 drugs with 9 bytes"),
        ({"drugs": (), "drug_names": b""}, "names 0 drugs"),
    ):
        with pytest.raises(ProgramError, match=words):
            from_bytes(encode_struct("program", **fields | change))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"titration": (TitrationStep(0, 0),)}, "a rate that it does not have"),
        ({"mode": "flex"}, "a day pattern that it does not have"),
        ({"rates": (Rate(1, 0),)}, r"holds what is no fraction: rates\[0\]"),
        ({"caps": (Cap(60, 1000, 1),)}, "caps a drug that it does not have"),
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
    assert (reading.daily_steps, reading.drug.daily_dose_ng) == (2160, 1_080_000)
    assert reading.drug.hour_dose_ng == 160 * 500
    assert reading.drug.weekly_dose_ng == (5 * 1440 + 2 * 2160) * 500


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
    assert (reading.daily_steps, reading.drug.weekly_dose_ng) == (1640, 7 * 1640 * 500)
    assert (reading.drug.periodic_dose_ng, reading.drug.patient_dose_ng) == (20_000, 30_000)
    assert reading.refill_days == 152_000 // 1700
    assert item.window_steps(5 * HOUR_MS) == 5 * 3600 * 241 // 240 // 54 + 1 + 20


def test_large_figures_stop_at_what_the_pump_can_count(implant: Profile) -> None:
    item = replace(compile_order(BACLOFEN, implant), drugs=(Drug(b"baclofen", 1 << 29, 1),))
    assert item.expected_reading().drug.daily_dose_ng == (1 << 30) - 1
