"""The slips behind recalls: a neighbouring unit, concentration, time and multiples."""

from __future__ import annotations

from fractions import Fraction

import pytest
from dosebench.regimen import plausibility
from dosebench.regimen.findings import Rule
from regimen_texts import DAY_AND_NIGHT, PATIENT, PERIODIC, flex
from regimens import BACLOFEN, BODY, HEAD, ZICONOTIDE, Bench, codes
from rules import Rules, name_of, order


@pytest.mark.requirement("R63")
@pytest.mark.parametrize(
    ("drug", "dose", "meant"),
    [
        (BACLOFEN, "60 ug/h", '"60 ug/day"'),
        (BACLOFEN | {"concentration": "500 ug/mL"}, "1 mg/h", ""),
        (BACLOFEN, "0.5 ug/min", ""),
        (BACLOFEN, "1.2 ug/min", '"1.2 ug/h"'),
        (ZICONOTIDE | {"concentration": "100 ug/mL"}, "0.8 mg/day", ""),
        (ZICONOTIDE, "5 mg/day", '"5 ug/day"'),
        ({**BACLOFEN, "drug": "morphine", "concentration": "10 mg/mL"}, "8 mg/h", '"8 mg/day"'),
        ({**BACLOFEN, "drug": "morphine", "concentration": "10 mg/mL"}, "8 ug/day", '"8 mg/day"'),
    ],
)
def test_neighbouring_unit(bench: Bench, drug: dict[str, str], dose: str, meant: str) -> None:
    result = bench.dose(drug, dose)
    slips = [problem for problem in result.warnings if problem.code == "slip-unit"]
    if not meant:
        assert all(dose not in problem.message or not result.ok for problem in slips)
        return
    assert meant in slips[0].message
    assert slips[0].needs_confirm


def test_usual_dose_is_no_slip(bench: Bench) -> None:
    for dose in ("90 ug/day", "800 ug/day", "0.5 mg/day", "20 ug/h"):
        assert not bench.dose(BACLOFEN, dose).warnings, dose


@pytest.mark.parametrize(("written", "meant"), [("2 ug/mL", "2 mg/mL"), ("500 mg/mL", "500 ug/mL")])
def test_concentration_slip(bench: Bench, written: str, meant: str) -> None:
    result = bench.dose(BACLOFEN | {"concentration": written}, "100 ug/day")
    (slip,) = [problem for problem in result.warnings if problem.code == "slip-concentration"]
    assert f'"{meant}"' in slip.message


@pytest.mark.requirement("R14")
@pytest.mark.parametrize("factor", [24, 60, 1000, 1440])
def test_typical_multiples_of_the_old_total(bench: Bench, factor: int) -> None:
    drug = BACLOFEN | {"drug": "unlisted"}
    low, high = dict(drug, concentration="1 mg/mL"), dict(drug, concentration=f"{factor / 5:g} mg/mL")
    old = (HEAD + BODY).format(**low, dose="100 ug/day")
    for near in (1.0, 1.01):
        new = (HEAD + BODY).format(**high, dose=f"{100 * factor * near:g} ug/day")
        result = bench.check(new, old)
        (slip,) = [problem for problem in result.errors if problem.code == "slip-ratio"]
        assert slip.message.count(f"{factor} times") == 1
        back = bench.check(old, new)
        assert "slip-ratio" in codes(back.needs_confirm), "downwards it asks"
    for apart in (0.9, 1.1):
        new = (HEAD + BODY).format(**high, dose=f"{100 * factor * apart:g} ug/day")
        result = bench.check(new, old)
        assert "slip-ratio" not in codes(result.errors)
        assert "ratio" in codes(result.needs_confirm)


def test_reservoir_that_lasts_less_than_a_day(bench: Bench) -> None:
    drug = BACLOFEN | {"concentration": "500 ug/mL", "filled": "4 mL"}
    assert "reservoir-short" in codes(bench.dose(drug, "1600 ug/day").errors)
    assert "reservoir-short" not in codes(bench.dose(drug, "1400 ug/day").errors)
    external = {"profile": "external-mlh", "drug": "x", "concentration": "0.1 mg/mL", "filled": "100 mL"}
    assert bench.dose(external, "20 mL/h").ok, "an external pump is refilled within the day"


@pytest.mark.parametrize(
    ("extra", "key", "meant"),
    [
        (PERIODIC.replace('"6 h"', '"12 min"'), "periodic_bolus.every", '"12 h"'),
        (PATIENT.replace('"2 h"', '"2 min"').replace('"10 min"', '"90 s"'), "patient_bolus.lockout", '"2 h"'),
        (PATIENT.replace('"2 h"', '"30 h"'), "patient_bolus.lockout", '"30 min"'),
        (PATIENT.replace('"10 min"', '"10 h"').replace('"2 h"', '"12 h"'), "patient_bolus.over", '"10 min"'),
        (PERIODIC.replace('"10 min"', '"10 s"'), "periodic_bolus.over", '"10 min"'),
    ],
)
def test_time_slips(bench: Bench, extra: str, key: str, meant: str) -> None:
    result = bench.dose(BACLOFEN, "800 ug/day", extra)
    (slip,) = [problem for problem in result.warnings if problem.code == "slip-time"]
    assert (slip.key, slip.needs_confirm) == (key, True)
    assert meant in slip.message


def test_usual_times_are_no_slips(bench: Bench) -> None:
    extra = PATIENT + PERIODIC
    for old, new in (("", ""), ('"2 h"', '"15 min"'), ('"6 h"', '"90 min"'), ('"10 min"', '"1 min"')):
        assert "slip-time" not in codes(bench.dose(BACLOFEN, "800 ug/day", extra.replace(old, new)).warnings)


@pytest.mark.requirement("R63")
def test_a_flex_day_in_a_neighbouring_unit(bench: Bench) -> None:
    result = bench.check(flex("[[therapy.pattern]]\n" + DAY_AND_NIGHT.replace("ug/h", "ug/min").replace('"2', '"1')))
    (slip,) = [problem for problem in result.warnings if problem.code == "slip-unit"]
    assert '"10 ug/h"' in slip.message
    assert slip.key == "therapy.pattern[0].steps"


def test_patient_boluses_count_for_a_reservoir_that_lasts_less_than_a_day(bench: Bench) -> None:
    drug = BACLOFEN | {"concentration": "500 ug/mL", "filled": "4 mL"}
    many = PATIENT.replace("= 4", "= 24").replace('"10 ug"', '"20 ug"').replace('"2 h"', '"30 min"')
    assert "reservoir-short" not in codes(bench.dose(drug, "1400 ug/day").errors)
    assert "reservoir-short" in codes(bench.dose(drug, "1400 ug/day", many).errors)


# Each rule alone, on a drug whose usual doses are 80 to 500 ug/day

RULES_OF_SLIPS: list[tuple[Rule, str, str | None, list[str]]] = [
    (plausibility.dose_unit, order(dose="500 ug/day"), None, []),
    (plausibility.dose_unit, order(dose="60 ug/day"), None, []),
    (plausibility.dose_unit, order(dose="10 ug/h"), None, []),
    (plausibility.dose_unit, order(dose="100 ug/h"), None, ["therapy.dose: slip-unit asks"]),
    (plausibility.dose_unit, order(dose="0.2 mg/h"), None, ["therapy.dose: slip-unit asks"]),
    (plausibility.dose_unit, order(dose="700 ug/day"), None, []),
    (plausibility.dose_unit, order(dose="2 mL/day"), None, []),
    (plausibility.concentration_unit, order(concentration="1000 ug/mL"), None, []),
    (plausibility.concentration_unit, order(concentration="1010 ug/mL"), None, []),
    (
        plausibility.concentration_unit,
        order(concentration="1000 mg/mL"),
        None,
        ["drug.concentration: slip-concentration asks"],
    ),
    (
        plausibility.concentration_unit,
        order(concentration="1000 ng/mL"),
        None,
        ["drug.concentration: slip-concentration asks"],
    ),
    (plausibility.concentration_unit, order(concentration="700 ug/mL"), None, []),
    (plausibility.total_ratio, order(dose="400 ug/day"), order(dose="200 ug/day"), []),
    (plausibility.total_ratio, order(dose="401 ug/day"), order(dose="200 ug/day"), ["therapy.dose: ratio asks"]),
    (plausibility.total_ratio, order(dose="100 ug/day"), order(dose="200 ug/day"), []),
    (plausibility.total_ratio, order(dose="99 ug/day"), order(dose="200 ug/day"), ["therapy.dose: ratio asks"]),
    (
        plausibility.total_ratio,
        order(dose="2400 ug/day"),
        order(dose="100 ug/day"),
        ["therapy.dose: slip-ratio refuses"],
    ),
    (
        plausibility.total_ratio,
        order(dose="2448 ug/day"),
        order(dose="100 ug/day"),
        ["therapy.dose: slip-ratio refuses"],
    ),
    (plausibility.total_ratio, order(dose="2449 ug/day"), order(dose="100 ug/day"), ["therapy.dose: ratio asks"]),
    (
        plausibility.total_ratio,
        order(dose="5880 ug/day"),
        order(dose="100 ug/day"),
        ["therapy.dose: slip-ratio refuses"],
    ),
    (plausibility.total_ratio, order(dose="50 ug/day"), order(dose="1200 ug/day"), ["therapy.dose: slip-ratio asks"]),
    (plausibility.total_ratio, order(dose="5000 ug/day"), None, []),
    # Empty at 1 mL, and a day at least.
    (plausibility.reservoir_time, order(dose="1000 ug/day", filled="2 mL"), None, []),
    (
        plausibility.reservoir_time,
        order(dose="1001 ug/day", filled="2 mL"),
        None,
        ["reservoir.filled: reservoir-short refuses"],
    ),
    (
        plausibility.reservoir_time,
        order(PATIENT, dose="980 ug/day", filled="2 mL"),
        None,
        ["reservoir.filled: reservoir-short refuses"],
    ),
    (plausibility.reservoir_time, order(PATIENT, dose="960 ug/day", filled="2 mL"), None, []),
    (plausibility.bolus_above_day, order('[bolus]\nmax = "200 ug"\n'), None, []),
    (plausibility.bolus_above_day, order('[bolus]\nmax = "201 ug"\n'), None, ["bolus.max: bolus-above-day asks"]),
    (
        plausibility.bolus_above_day,
        order('[square_bolus]\nmax = "201 ug"\n'),
        None,
        ["square_bolus.max: bolus-above-day asks"],
    ),
    (
        plausibility.bolus_above_day,
        order(PATIENT.replace("10 ug", "201 ug")),
        None,
        ["patient_bolus.dose: bolus-above-day asks"],
    ),
    (
        plausibility.bolus_above_day,
        order(PERIODIC.replace("10 ug", "201 ug")),
        None,
        ["periodic_bolus.dose: bolus-above-day asks"],
    ),
    (plausibility.period_unit, order(PERIODIC.replace("6 h", "1 h")), None, []),
    (
        plausibility.period_unit,
        order(PERIODIC.replace("6 h", "24 min")),
        None,
        ["periodic_bolus.every: slip-time asks"],
    ),
    (plausibility.period_unit, order(PERIODIC.replace("6 h", "25 min")), None, []),
    (plausibility.lockout_unit, order(PATIENT.replace("2 h", "5 min")), None, []),
    (
        plausibility.lockout_unit,
        order(PATIENT.replace("2 h", "4 min")),
        None,
        ["patient_bolus.lockout: slip-time asks"],
    ),
    (plausibility.lockout_unit, order(PATIENT.replace("2 h", "24 h")), None, []),
    (plausibility.lockout_unit, order(PATIENT.replace("2 h", "30 h")), None, ["patient_bolus.lockout: slip-time asks"]),
    (plausibility.duration_unit, order(PATIENT.replace("10 min", "4 h")), None, []),
    (plausibility.duration_unit, order(PATIENT.replace("10 min", "5 h")), None, ["patient_bolus.over: slip-time asks"]),
    (
        plausibility.duration_unit,
        order(PERIODIC.replace("10 min", "59 s")),
        None,
        ["periodic_bolus.over: slip-time asks"],
    ),
    (plausibility.duration_unit, order(PERIODIC.replace("10 min", "60 s")), None, []),
]


@pytest.mark.parametrize(("rule", "text", "before", "wanted"), RULES_OF_SLIPS, ids=name_of)
def test_a_rule_about_slips(rules: Rules, rule: Rule, text: str, before: str | None, wanted: list[str]) -> None:
    assert rules.found(rule, text, before) == wanted


def test_every_rule_about_slips_is_tried_alone_with_and_without_a_finding() -> None:
    assert {rule for rule, _, _, wanted in RULES_OF_SLIPS if wanted} == set(plausibility.SLIP_RULES)
    assert {rule for rule, _, _, wanted in RULES_OF_SLIPS if not wanted} == set(plausibility.SLIP_RULES)


def test_a_range_includes_its_ends() -> None:
    within = plausibility.range_of(Fraction(2), Fraction(3))
    assert [within(Fraction(twice, 2)) for twice in (3, 4, 5, 6, 7)] == [False, True, True, True, False]
