"""The pump's limits: what a regimen file may order, and the caps that it gets by default."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from dosebench.profile import load
from regimen_texts import PATIENT, PERIODIC, flex
from regimens import BACLOFEN, BODY, HEAD, Bench, codes, figures, places


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
    assert found["reading"]["caps"] == [{"minutes": 60, "ng": 2_000_000}, {"minutes": 1440, "ng": 12_000_000}]


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
    device = pump.Profile(load.load("implant-40").device_config())
    text = flex("[[therapy.pattern]]\n" + ONE_HIGH_HOUR + '[limits]\nper_day = "{} ug"\n')
    passed = bench.check(text.replace("{}", "640"))
    assert passed.program is not None
    assert pump.Therapy(passed.program.encode()).check(device) == (0, 0)
    assert places(bench.check(text.replace("{}", "637"))) == [("limits.per_day", "cap-below-basal")]


def test_default_caps_of_a_flex_regimen_leave_room_for_its_clock(bench: Bench, pump: SimpleNamespace) -> None:
    device = pump.Profile(load.load("implant-40").device_config())
    result = bench.check(flex("[[therapy.pattern]]\n" + ONE_HIGH_HOUR))
    assert result.program is not None
    assert pump.Therapy(result.program.encode()).check(device) == (0, 0)
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
