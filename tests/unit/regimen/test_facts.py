"""The figures that follow from a regimen, and what stays unknown because of a mistake."""

from __future__ import annotations

from fractions import Fraction

import pytest
from dosebench.base.units import DAY_MS, HOUR_MS, MINUTE_MS
from dosebench.regimen.facts import CapFact, Previous
from dosebench.therapy.cap_windows import window_steps
from regimen_texts import PATIENT, PERIODIC
from regimens import Bench
from rules import LIBRARY, Rules, order


def test_doses_of_a_constant_basal(rules: Rules) -> None:
    facts = rules.facts(order(dose="240 ug/day"))
    assert facts.concentration == 1
    assert facts.rate == Fraction(240_000, DAY_MS)
    assert facts.fraction == Fraction(960, DAY_MS)
    assert (facts.daily_ng, facts.daily_nl, facts.start_ng) == (240_000, 240_000, 240_000)
    assert facts.weekly_ng == 7 * 240_000
    assert facts.step_ng == 250
    assert (facts.filled, facts.low, facts.empty) == (40_000_000, 2_000_000, 1_000_000)
    assert (facts.on_low, facts.on_cap) == ("keep", "minimum_rate")


def test_periodic_boluses_count_for_every_total_and_patient_boluses_for_the_largest(rules: Rules) -> None:
    # 4 periodic and 4 patient boluses of 10 ug.
    facts = rules.facts(order(PATIENT + PERIODIC, dose="240 ug/day"))
    assert (facts.daily_ng, facts.daily_nl, facts.weekly_ng) == (280_000, 280_000, 7 * 280_000)
    assert (facts.most_daily_ng, facts.most_daily_nl) == (320_000, 320_000)


def test_a_titration_starts_with_its_first_step_and_its_largest_counts(rules: Rules) -> None:
    steps = (
        '[titration]\nsteps = [{ after = "0 days", dose = "100 ug/day" }, { after = "3 days", dose = "120 ug/day" }]\n'
    )
    facts = rules.facts(order(steps + PERIODIC, mode="titration"))
    assert (facts.start_ng, facts.daily_ng, facts.weekly_ng) == (140_000, 160_000, 7 * 160_000)
    assert facts.change_max == Fraction(30, 100), "of the drug library"
    assert facts.change_permille == 300
    said = rules.facts(order(steps + 'change_max = "12.34 %"\n', mode="titration"))
    assert said.change_permille == 123


@pytest.mark.parametrize(
    ("change", "unknown"),
    [
        ({"concentration": "0 ug/mL"}, {"concentration", "rate", "step_ng", "daily_nl", "fraction"}),
        ({"profile": "no-such-pump"}, {"profile", "fraction", "minimum", "low", "empty", "on_low", "bolus_limit"}),
        ({"dose": "200 ug"}, {"rate", "daily_ng", "daily_nl", "weekly_ng"}),
        ({"filled": "40"}, {"filled"}),
        ({"reservoir": 'low = "2"\n'}, {"low"}),
    ],
)
def test_a_mistake_hides_only_what_depends_on_it(rules: Rules, change: dict[str, str], unknown: set[str]) -> None:
    names = {
        *("concentration", "rate", "step_ng", "daily_ng", "daily_nl", "weekly_ng", "fraction", "minimum"),
        *("filled", "low", "empty", "on_low", "bolus_limit", "profile"),
    }
    facts = rules.facts(order(**change))
    found = {name for name in names if getattr(facts, name) is None}
    assert unknown <= found
    assert facts.complete_order() is None
    if "concentration" not in unknown and "rate" not in unknown:
        assert facts.daily_ng == 200_000


def test_a_right_file_makes_an_order(rules: Rules) -> None:
    made = rules.facts(order(PATIENT)).complete_order()
    assert made is not None
    assert (made.drug, made.mode, made.basal) == ("testdrug", "continuous", Fraction(200_000, DAY_MS))
    assert made.patient is not None
    assert made.bolus_max == 0
    stopped = rules.facts(order(mode="stopped")).complete_order()
    assert stopped is not None
    assert stopped.basal == 0


# Dilution and storage


@pytest.mark.parametrize(
    ("text", "diluted", "days"),
    [
        (order(), False, 180),
        (order(concentration="1010 ug/mL"), False, 180),
        (order(concentration="700 ug/mL"), True, 90),
        (order(reservoir="first_fill = true\n"), False, 60),
        (order(concentration="700 ug/mL", reservoir="first_fill = true\n"), True, 60),
        (order().replace('"1000 ug/mL"\n', '"1000 ug/mL"\ndiluted = true\n'), True, 90),
        (order(concentration="700 ug/mL").replace('"700 ug/mL"\n', '"700 ug/mL"\ndiluted = false\n'), False, 180),
        (order(drug="other", concentration="700 ug/mL"), False, 0),
    ],
)
def test_how_long_the_drug_keeps(rules: Rules, text: str, diluted: bool, days: int) -> None:
    facts = rules.facts(text)
    assert (facts.diluted, facts.stability_days) == (diluted, days)


# The therapy before


def test_what_a_program_says_of_itself(bench: Bench) -> None:
    program = Bench(bench.directory, LIBRARY).check(order(concentration="2000 ug/mL", dose="240 ug/day")).program
    assert program is not None
    assert Previous.from_program(program) == Previous("testdrug", Fraction(2), Fraction(240_000))


@pytest.mark.parametrize(
    ("drug", "before", "same"),
    [
        ("testdrug", "testdrug", True),
        ("TESTDRUG", "testdrug", True),
        ("sold-as", "testdrug", True),
        ("testdrug", "sold-as", True),
        ("testdrug", "other", False),
        ("other", "OTHER", True),
        ("other", "testdrug", False),
    ],
)
def test_whether_it_is_the_same_drug(rules: Rules, drug: str, before: str, same: bool) -> None:
    assert rules.facts(order(drug=drug), order(drug=before)).same_drug is same
    assert not rules.facts(order(drug=drug)).same_drug


# Caps


def test_a_cap_knows_its_window_only_in_whole_minutes() -> None:
    assert CapFact(None, Fraction(2 * MINUTE_MS), None).minutes == 2
    assert CapFact(None, Fraction(MINUTE_MS, 2), None).minutes is None
    assert CapFact(None, None, None).minutes is None


def test_default_caps_are_three_hours_and_a_day_and_a_quarter_and_two_steps(rules: Rules) -> None:
    facts = rules.facts(order(dose="240 ug/day"))
    assert facts.cap_ng(60) == 3 * 10_000 + 2 * 250
    assert facts.cap_ng(1440) == 240_000 * Fraction(5, 4) + 2 * 250
    assert [cap.key for cap in facts.caps] == [None, None]


def test_default_caps_add_one_bolus_of_each_kind_and_never_pass_the_pumps_own(rules: Rules) -> None:
    more = '[bolus]\nmax = "20 ug"\n[square_bolus]\nmax = "30 ug"\n'
    assert rules.facts(order(more, dose="240 ug/day")).cap_ng(60) == 30_000 + 50_000 + 500
    # Within an hour one periodic bolus and one patient bolus, of 10 ug each.
    both = rules.facts(order(PATIENT + PERIODIC, dose="240 ug/day"))
    assert both.cap_ng(60) == 30_000 + 20_000 + 500
    # Within a day five periodic boluses, one at either end, and four of the patient's.
    assert both.cap_ng(1440) == 300_000 + 50_000 + 40_000 + 500
    fast = rules.facts(order(dose="9 mg/day"))
    assert fast.cap_ng(60) == 1_000_000
    assert fast.cap_ng(1440) == 6_000_000


def test_default_caps_leave_room_for_the_therapy_before(rules: Rules) -> None:
    facts = rules.facts(order(dose="240 ug/day"), order(dose="480 ug/day"))
    assert facts.cap_ng(60) == 60_000 + 500
    assert facts.cap_ng(1440) == 480_000 * Fraction(5, 4) + 500


def test_caps_of_the_file_take_the_place_of_the_defaults(rules: Rules) -> None:
    said = rules.facts(order('[limits]\nper_hour = "40 ug"\n[[limits.cap]]\nwindow = "24 h"\ndose = "300 uL"\n'))
    assert [(cap.key, cap.minutes, cap.ng) for cap in said.caps] == [
        (("limits", "per_hour"), 60, 40_000),
        (("limits", "cap", 0), 1440, 300_000),
    ]
    wrong = rules.facts(order('[limits]\nper_hour = "40"\n'))
    assert wrong.cap_ng(60) is None, "a cap that is said wrongly is no default"


def test_what_the_pump_demands_of_a_cap(rules: Rules) -> None:
    facts = rules.facts(order(PERIODIC, dose="240 ug/day"))
    assert facts.window_steps(HOUR_MS) == window_steps(Fraction(960, DAY_MS), HOUR_MS, 40, 6 * HOUR_MS) == 41 + 40
    assert rules.facts(order(profile="no-such-pump")).window_steps(HOUR_MS) is None


def test_what_the_highest_rate_leaves_for_a_bolus(rules: Rules) -> None:
    facts = rules.facts(order(dose="4 mg/day"))
    # 24 mL a day at most, in steps of 0.25 uL.
    assert facts.bolus_limit == Fraction(96_000 - 16_000, DAY_MS)
    slow = rules.facts(order(dose="4 mg/day", therapy='minimum = "8 mg/day"\n'))
    assert slow.bolus_limit == Fraction(96_000 - 32_000, DAY_MS), "the fallback may be what runs"


def test_a_rate_outside_of_the_pumps_range_has_no_fraction(rules: Rules) -> None:
    facts = rules.facts(order())
    assert facts.fraction_of(Fraction(0)) == 0
    assert facts.fraction_of(Fraction(47_999, DAY_MS)) is None
    assert facts.fraction_of(Fraction(24_000_001, DAY_MS)) is None
    assert facts.fraction_of(Fraction(24_000_000, DAY_MS)) == Fraction(1, 900)


def test_doses_are_shown_in_the_drugs_unit(rules: Rules, bench: Bench) -> None:
    facts = rules.facts(order())
    assert (facts.unit, facts.format_dose(Fraction(1_500)), facts.format_mass(Fraction(2_000))) == (
        "ug",
        "1.5 ug/day",
        "2 ug",
    )
    morphine = bench.check(order(drug="morphine", concentration="5 mg/mL", dose="1 mg/day")).facts
    assert morphine is not None
    assert (morphine.unit, morphine.format_dose(Fraction(1_500_000))) == ("mg", "1.5 mg/day")
