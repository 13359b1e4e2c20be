"""The pump's limits: what a regimen file may order, and the caps that it gets by default."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from dosebench.profile import load
from dosebench.regimen import limits
from dosebench.regimen.findings import Rule
from regimen_texts import PATIENT, PERIODIC, flex
from regimens import BACLOFEN, BODY, HEAD, Bench, codes, figures, places
from rules import Rules, name_of, order


@pytest.mark.parametrize(
    ("drug", "dose", "extra", "code"),
    [
        ({}, "0 ug/day", "", "rate-below-minimum"),
        ({"concentration": "0 ug/mL"}, "800 ug/day", "", "zero"),
        ({"filled": "40.1 mL"}, "800 ug/day", "", "reservoir-size"),
        ({"filled": "1.5 mL"}, "800 ug/day", "", "level-order"),
        ({"filled": "0 mL"}, "800 ug/day", "", "zero"),
        ({}, "25 mL/day", "", "rate-above-maximum"),
        ({}, "7 mL/day", "", "above-hard-cap"),
        ({}, "5.975 mL/day", "", "above-hard-cap"),
        ({}, "800 ug/day", 'minimum = "1000 ug/day"', "minimum-above-dose"),
        ({}, "800 ug/day", 'minimum = "0.01 mL/day"', "rate-below-minimum"),
        ({}, "800 ug/day", '[bolus]\nmax = "0.6 mL"', "bolus-size"),
        ({}, "800 ug/day", '[bolus]\nmax = "0.1 uL"', "bolus-size"),
        ({}, "800 ug/day", '[bolus]\nmax = "0 ug"', "zero"),
        ({}, "800 ug/day", '[bolus]\nmax = "50 ug"\nrate = "25 mL/day"', "bolus-rate"),
        ({}, "800 ug/day", '[limits]\nper_hour = "33 ug"', "cap-below-basal"),
        ({}, "800 ug/day", '[limits]\nper_day = "800 ug"', "cap-below-basal"),
        ({}, "800 ug/day", '[limits]\nper_hour = "0 ug"', "zero"),
        ({}, "800 ug/day", '[limits]\nper_hour = "1.1 mL"', "cap-above-hard"),
        ({}, "800 ug/day", '[limits]\nper_day = "6.1 mL"', "cap-above-hard"),
        ({}, "800 ug/day", '[bolus]\nmax = "50 ug"\n[limits]\nper_hour = "80 ug"', "cap-below-bolus"),
        ({"concentration": "1999.99999999997 ug/mL"}, "800 ug/day", "", "digits"),
        ({"concentration": "3 ug/mL"}, "0.4 mL/day", "", "count"),
        ({"profile": "external-mlh", "concentration": "100 mg/mL", "drug": "x"}, "20 mL/h", "", "count"),
    ],
)
def test_pump_refuses(bench: Bench, drug: dict[str, str], dose: str, extra: str, code: str) -> None:
    assert code in codes(bench.dose(BACLOFEN | drug, dose, extra).errors)


@pytest.mark.requirement("R14")
def test_caps_may_be_exactly_the_hard_ones(bench: Bench) -> None:
    result = bench.dose(BACLOFEN, "800 ug/day", '[limits]\nper_hour = "1 mL"\nper_day = "6 mL"')
    found = figures(result)
    hour, day = {"minutes": 60, "ng": 2_000_000, "drug": 0}, {"minutes": 1440, "ng": 12_000_000, "drug": 0}
    assert found["reading"]["caps"] == [hour, day]


def test_basal_just_below_the_hard_cap(bench: Bench) -> None:
    # 23,900 steps a day fill all 24,000 of the pump's window; a step must be spared, since caps are in whole ng.
    assert bench.dose(BACLOFEN | {"drug": "unlisted"}, "5.9747 mL/day").ok


@pytest.mark.requirement("R5")
def test_default_caps_follow_their_rule(bench: Bench) -> None:
    found = figures(bench.dose(BACLOFEN, "600 ug/day", '[bolus]\nmax = "50 ug"'))["limits"]
    assert found["per_hour_is_default"]
    assert found["per_day_is_default"]
    assert found["per_hour_ug"] == 3 * 25 + 50 + 2 * 0.5
    assert found["per_day_ug"] == 1.25 * 600 + 50 + 2 * 0.5
    own = figures(bench.dose(BACLOFEN, "600 ug/day", '[limits]\nper_hour = "80 ug"'))["limits"]
    assert (own["per_hour_ug"], own["per_hour_is_default"], own["per_day_is_default"]) == (80, False, True)


def test_tight_cap_is_explained(bench: Bench) -> None:
    result = bench.dose(BACLOFEN, "800 ug/day", '[limits]\nper_hour = "40 ug"')
    assert result.ok
    assert codes(result.warnings) == ["cap-tight"]
    assert not result.needs_confirm


@pytest.mark.requirement("C10")
def test_fallback_rate_of_an_external_pump(bench: Bench) -> None:
    pump = {"profile": "external-mlh", "drug": "morphine", "concentration": "0.1 mg/mL", "filled": "7 mL"}
    extra = 'minimum = "1 mL/h"\n[limits]\non_low = "minimum_rate"'
    text = (HEAD + BODY + extra).format(**pump, dose="6 mL/h").replace('"7 mL"', '"7 mL"\nlow = "1 mL"')
    found = figures(bench.check(text))
    assert found["rates"]["basal"] == {"num": 1, "den": 60_000}
    assert found["rates"]["minimum"] == {"num": 1, "den": 360_000}
    assert found["limits"]["on_low"] == "minimum_rate"


def test_rounding_is_reported(bench: Bench) -> None:
    # A dose next to the simple fraction 1/54000, and nearer to it than to any other that fits: half a ug is a step.
    result = bench.dose(BACLOFEN, "800.0000005 ug/day")
    assert codes(result.warnings) == ["rounding"]
    lost = figures(result)["rounding_steps_10y"]
    assert lost == pytest.approx(-0.0000005 / 0.5 * 3652.5)
    assert figures(bench.dose(BACLOFEN, "799 ug/day"))["rounding_steps_10y"] == 0


ONE_HIGH_HOUR = (
    'steps = [{ at = "00:00", rate = "10 ug/h" }, { at = "08:00", rate = "100 ug/h" }, '
    '{ at = "09:00", rate = "10 ug/h" }]\n'
)
"""A day of 330 ug. By its largest rate alone a day would be 2410 ug; a clock that is set at will may make 638 of it."""


def test_one_high_hour_a_day_does_not_count_as_a_high_day(bench: Bench, pump: SimpleNamespace) -> None:
    device = pump.Profile(load.load_profile("implant-40").device_config())
    text = flex("[[therapy.pattern]]\n" + ONE_HIGH_HOUR + '[limits]\nper_day = "{} ug"\n')
    passed = bench.check(text.replace("{}", "640"))
    assert passed.program is not None
    assert pump.Therapy(passed.program.encode_program()).check(device) == (0, 0)
    assert places(bench.check(text.replace("{}", "637"))) == [("limits.per_day", "cap-below-basal")]


def test_default_caps_of_a_flex_regimen_leave_room_for_its_clock(bench: Bench, pump: SimpleNamespace) -> None:
    device = pump.Profile(load.load_profile("implant-40").device_config())
    result = bench.check(flex("[[therapy.pattern]]\n" + ONE_HIGH_HOUR))
    assert result.program is not None
    assert pump.Therapy(result.program.encode_program()).check(device) == (0, 0)
    assert 638 <= figures(result)["limits"]["per_day_ug"] < 641


def test_a_cap_of_an_hour_in_the_list_replaces_the_default(bench: Bench) -> None:
    limits = figures(bench.dose(BACLOFEN, "800 ug/day", '[[limits.cap]]\nwindow = "1 h"\ndose = "90 ug"'))["limits"]
    assert (limits["per_hour_ug"], limits["per_hour_is_default"]) == (90, False)
    assert [cap["minutes"] for cap in limits["caps"]] == [1440, 60]


@pytest.mark.requirement("R5")
def test_default_caps_leave_room_for_all_boluses_that_are_ordered(bench: Bench) -> None:
    extra = PATIENT + PERIODIC + '[bolus]\nmax = "50 ug"\n[square_bolus]\nmax = "40 ug"'
    limits = figures(bench.dose(BACLOFEN, "600 ug/day", extra))["limits"]
    assert limits["per_hour_ug"] == 3 * 25 + 50 + 40 + 10 + 10 + 2 * 0.5
    assert limits["per_day_ug"] == 1.25 * 600 + 50 + 40 + 4 * 10 + 5 * 10 + 2 * 0.5


# Each rule alone

HOUR_CAP = '[[limits.cap]]\nwindow = "{}"\ndose = "{}"\n'
RULES_OF_PUMPS = [
    (limits.check_zeros, order(), []),
    (limits.check_zeros, order(filled="0 mL"), ["reservoir.filled: zero refuses"]),
    (limits.check_zeros, order(concentration="0 ug/mL"), ["drug.concentration: zero refuses"]),
    (limits.check_zeros, order('[bolus]\nmax = "0 ug"\n'), ["bolus.max: zero refuses"]),
    (limits.check_zeros, order('[limits]\nper_hour = "0 ug"\n'), ["limits.per_hour: zero refuses"]),
    (limits.check_zeros, order(HOUR_CAP.format("2 h", "0 ug")), ["limits.cap[0].dose: zero refuses"]),
    (limits.check_zeros, order(dose="0 ug/day"), []),
    # 0.048 to 24 mL a day.
    (limits.rate_range, order(dose="48 ug/day"), []),
    (limits.rate_range, order(dose="47.99 ug/day"), ["therapy.dose: rate-below-minimum refuses"]),
    (limits.rate_range, order(dose="24 mg/day"), []),
    (limits.rate_range, order(dose="24.01 mg/day"), ["therapy.dose: rate-above-maximum refuses"]),
    (
        limits.rate_range,
        order(therapy='minimum = "47 ug/day"\n'),
        ["therapy.minimum: rate-below-minimum refuses"],
    ),
    (limits.rate_range, order(mode="stopped"), []),
    # 6 mL a day: 24 000 steps, of which the guard counts a 240th and two more.
    (limits.basal_below_hard_cap, order(dose="5974 ug/day"), []),
    (limits.basal_below_hard_cap, order(dose="5976 ug/day"), ["therapy.dose: above-hard-cap refuses"]),
    (
        limits.unused_dose,
        order(mode="stopped", therapy='dose = "60 ug/day"\n'),
        ["therapy.dose: dose-unused tells"],
    ),
    (limits.unused_dose, order(), []),
    (limits.minimum_above_basal, order(therapy='minimum = "200 ug/day"\n'), []),
    (
        limits.minimum_above_basal,
        order(therapy='minimum = "201 ug/day"\n'),
        ["therapy.minimum: minimum-above-dose refuses"],
    ),
    (limits.minimum_above_basal, order(), []),
    (limits.reservoir_levels, order(filled="40 mL"), []),
    (limits.reservoir_levels, order(filled="40.01 mL"), ["reservoir.filled: reservoir-size refuses"]),
    (limits.reservoir_levels, order(filled="2 mL"), ["reservoir.low: level-order refuses"]),
    (limits.reservoir_levels, order(filled="2.0002 mL"), ["reservoir.low: level-order refuses"]),
    (limits.reservoir_levels, order(filled="2.00025 mL"), []),
    (limits.reservoir_levels, order(reservoir='empty = "2 mL"\n'), ["reservoir.empty: level-order refuses"]),
    (limits.reservoir_levels, order(reservoir='empty = "1.999 mL"\n'), []),
    (limits.cap_windows, order(HOUR_CAP.format("1 min", "9 ug")), []),
    (limits.cap_windows, order(HOUR_CAP.format("48 h", "9 ug")), []),
    (
        limits.cap_windows,
        order(HOUR_CAP.format("2881 min", "9 ug")),
        ["limits.cap[0].window: cap-window refuses"],
    ),
    (limits.cap_windows, order(HOUR_CAP.format("90 s", "9 ug")), ["limits.cap[0].window: cap-window refuses"]),
    (
        limits.cap_windows,
        order(HOUR_CAP.format("2 h", "9 ug") + HOUR_CAP.format("120 min", "8 ug")),
        ["limits.cap[1].window: cap-window refuses"],
    ),
    (limits.cap_windows, order("".join(HOUR_CAP.format(f"{hours} h", "9 ug") for hours in range(2, 8))), []),
    (
        limits.cap_windows,
        order("".join(HOUR_CAP.format(f"{hours} h", "9 ug") for hours in range(2, 9))),
        ["limits.cap: cap-window refuses"],
    ),
    # 240 ug a day: 10 ug an hour, of which the guard counts floor(40 * 241/240) + 1 = 41 steps of 0.25 ug.
    (
        limits.caps_against_basal,
        order('[limits]\nper_hour = "10.249 ug"\n', dose="240 ug/day"),
        ["limits.per_hour: cap-below-basal refuses"],
    ),
    (
        limits.caps_against_basal,
        order('[limits]\nper_hour = "10.25 ug"\n', dose="240 ug/day"),
        ["limits.per_hour: cap-tight tells"],
    ),
    (limits.caps_against_basal, order('[limits]\nper_hour = "20 ug"\n', dose="240 ug/day"), []),
    (
        limits.caps_against_basal,
        order('[limits]\nper_hour = "20 ug"\n[bolus]\nmax = "10.25 ug"\n', dose="240 ug/day"),
        ["limits.per_hour: cap-below-bolus refuses"],
    ),
    (limits.caps_against_basal, order('[limits]\nper_hour = "20 ug"\n[bolus]\nmax = "10 ug"\n', dose="240 ug/day"), []),
    # 1 mL an hour, 6 mL a day.
    (limits.caps_against_hard, order('[limits]\nper_hour = "1000 ug"\nper_day = "6000 ug"\n'), []),
    (
        limits.caps_against_hard,
        order('[limits]\nper_hour = "1000.1 ug"\n'),
        ["limits.per_hour: cap-above-hard refuses"],
    ),
    (
        limits.caps_against_hard,
        order('[limits]\nper_day = "6000.1 ug"\n'),
        ["limits.per_day: cap-above-hard refuses"],
    ),
    (limits.caps_against_hard, order(HOUR_CAP.format("90 min", "2000 ug")), []),
    (
        limits.caps_against_hard,
        order(HOUR_CAP.format("90 min", "2001 ug")),
        ["limits.cap[0].dose: cap-above-hard refuses"],
    ),
    (limits.caps_against_hard, order(HOUR_CAP.format("25 h", "12000 ug")), []),
    (
        limits.caps_against_hard,
        order(HOUR_CAP.format("25 h", "12001 ug")),
        ["limits.cap[0].dose: cap-above-hard refuses"],
    ),
    (limits.check_counts, order(concentration="4 ug/mL", dose="192 nL/day"), []),
    (
        limits.check_counts,
        order(concentration="3.9 ug/mL", dose="48 uL/day"),
        ["drug.concentration: count refuses"],
    ),
    (limits.check_counts, order(concentration="1000.0000001 ug/mL"), ["drug.concentration: digits refuses"]),
    (limits.check_counts, order(concentration="1 g/mL", dose="1.073741823 g/day"), []),
    (limits.check_counts, order(concentration="1 g/mL", dose="1.073741824 g/day"), ["therapy.dose: count refuses"]),
    (limits.check_rounding, order(), []),
    (limits.check_rounding, order(dose="200.000000123 ug/day"), ["therapy.dose: rounding tells"]),
]


@pytest.mark.parametrize(("rule", "text", "wanted"), RULES_OF_PUMPS, ids=name_of)
def test_a_rule_about_pumps(rules: Rules, rule: Rule, text: str, wanted: list[str]) -> None:
    assert rules.found(rule, text) == wanted


def test_every_rule_about_pumps_is_tried_alone_with_and_without_a_finding() -> None:
    assert {rule for rule, _, wanted in RULES_OF_PUMPS if wanted} == set(limits.PUMP_RULES)
    assert {rule for rule, _, wanted in RULES_OF_PUMPS if not wanted} == set(limits.PUMP_RULES)


@pytest.mark.parametrize("rule", limits.PUMP_RULES, ids=lambda rule: rule.__name__)
def test_a_rule_whose_figures_are_unknown_finds_nothing(rules: Rules, rule: Rule) -> None:
    assert rules.found(rule, 'profile = "no-such-pump"\n[drug]\nname = "x"\n') == []
