"""The drug's limits: hard maximum, usual range, changes, storage time."""

from __future__ import annotations

import pytest
from dosebench.regimen import drug_limits
from dosebench.regimen.findings import Rule
from regimen_texts import PATIENT, PERIODIC, step, titration
from regimens import BACLOFEN, BODY, HEAD, ZICONOTIDE, Bench, codes, figures, places
from rules import Rules, name_of, order


@pytest.mark.requirement("R22")
@pytest.mark.parametrize(("extra", "days"), [("", 84), ("diluted = true\n", 40), ("diluted = false\n", 84)])
def test_storage_time_depends_on_dilution(bench: Bench, extra: str, days: int) -> None:
    text = (HEAD + extra + BODY).format(**ZICONOTIDE, dose="2.4 ug/day")
    assert figures(bench.check(text))["refill"]["stability_days"] == days
    diluted = (HEAD + extra + BODY).format(**ZICONOTIDE | {"concentration": "20 ug/mL"}, dose="2.4 ug/day")
    assert figures(bench.check(diluted))["refill"]["stability_days"] == (84 if "false" in extra else 40)


@pytest.mark.parametrize(
    ("drug", "dose", "extra", "code"),
    [
        (BACLOFEN, "2004 ug/day", "", "dose-hard-max"),
        (BACLOFEN, "2000 ug/day", '[bolus]\nmax = "50 ug"', "bolus-hard-max"),
        (BACLOFEN | {"concentration": "5000 ug/mL"}, "800 ug/day", "", "concentration-hard-max"),
        (ZICONOTIDE | {"concentration": "101 ug/mL"}, "10 ug/day", "", "concentration-hard-max"),
    ],
)
@pytest.mark.requirement("R12")
def test_drug_refuses(bench: Bench, drug: dict[str, str], dose: str, extra: str, code: str) -> None:
    assert code in codes(bench.dose(drug, dose, extra).errors)


@pytest.mark.parametrize(
    ("drug", "order", "code"),
    [
        (BACLOFEN, ("1200 ug/day", "", None), "dose-soft-max"),
        (BACLOFEN | {"concentration": "100 ug/mL"}, ("11 ug/day", "", None), "dose-soft-min"),
        (BACLOFEN, ("990 ug/day", '[bolus]\nmax = "50 ug"', None), "bolus-soft-max"),
        (BACLOFEN, ("100 ug/day", '[bolus]\nmax = "150 ug"', None), "bolus-above-day"),
        (BACLOFEN | {"concentration": "3000 ug/mL"}, ("800 ug/day", "", None), "concentration-soft-max"),
        (BACLOFEN, ("400 ug/day", "", "300 ug/day"), "change-soft-percent"),
        (BACLOFEN, ("200 ug/day", "", "300 ug/day"), "change-soft-percent"),
        (BACLOFEN, ("700 ug/day", "", "300 ug/day"), "ratio"),
        (BACLOFEN | {"drug": "placebo"}, ("800 ug/day", "", None), "drug-unknown"),
    ],
)
@pytest.mark.requirement("R12")
def test_drug_asks(bench: Bench, drug: dict[str, str], order: tuple[str, str, str | None], code: str) -> None:
    result = bench.dose(drug, *order)
    assert result.ok, [str(problem) for problem in result.errors]
    assert code in codes(result.needs_confirm)


def test_usual_change_asks_nothing(bench: Bench) -> None:
    result = bench.dose(BACLOFEN, "390 ug/day", before="300 ug/day")
    assert result.ok
    assert not result.warnings


@pytest.mark.requirement("R13")
def test_another_drug_or_concentration_asks(bench: Bench) -> None:
    old = (HEAD + BODY).format(**BACLOFEN | {"concentration": "500 ug/mL"}, dose="300 ug/day")
    new = (HEAD + BODY).format(**BACLOFEN, dose="300 ug/day")
    assert "concentration-changed" in codes(bench.check(new, old).needs_confirm)
    other = (HEAD + BODY).format(**BACLOFEN | {"drug": "morphine", "concentration": "10 mg/mL"}, dose="1 mg/day")
    assert "drug-changed" in codes(bench.check(other, old).needs_confirm)
    assert "drug-changed" not in codes(bench.check(new.replace("baclofen", "Lioresal"), old).warnings)


@pytest.mark.requirement("R12")
def test_each_step_of_a_titration_is_held_against_the_drug_library(bench: Bench) -> None:
    asked = bench.check(titration(step("0 days", "300 ug/day") + step("3 days", "450 ug/day"), 'change_max = "50 %"'))
    assert [(p.key, p.code) for p in asked.needs_confirm] == [("titration.steps[1].dose", "change-soft-percent")]
    down = bench.check(titration(step("0 days", "300 ug/day") + step("3 days", "200 ug/day")))
    assert codes(down.needs_confirm) == ["change-soft-percent"]
    hard = titration(step("0 days", "2.4 ug/day") + step("3 days", "5.0 ug/day"), "", ZICONOTIDE)
    assert places(bench.check(hard)) == [("titration.steps[1].dose", "change-hard-max")]
    above = titration(step("0 days", "18 ug/day") + step("3 days", "20 ug/day"), "", ZICONOTIDE)
    assert ("titration.steps[1].dose", "dose-hard-max") in places(bench.check(above))
    first = bench.check(
        titration(step("0 days", "300 ug/day") + step("9 days", "380 ug/day")), titration(step("0 h", "200 ug/day"))
    )
    assert [p.key for p in first.needs_confirm if p.code == "change-soft-percent"] == ["titration.steps[0].dose"]


@pytest.mark.requirement("R12")
@pytest.mark.requirement("R22")
@pytest.mark.parametrize(
    ("dose", "extra", "key", "code"),
    [
        ("1990 ug/day", PERIODIC, "therapy.dose", "dose-hard-max"),
        ("1990 ug/day", PATIENT, "patient_bolus.per_day", "patient-hard-max"),
        ("1990 ug/day", '[square_bolus]\nmax = "50 ug"', "square_bolus.max", "square-hard-max"),
    ],
)
def test_boluses_count_against_the_drugs_hard_maximum(bench: Bench, dose: str, extra: str, key: str, code: str) -> None:
    assert (key, code) in places(bench.dose(BACLOFEN, dose, extra))
    softer = bench.dose(BACLOFEN, dose.replace("1990", "990"), extra)
    assert softer.ok
    assert code.replace("hard", "soft") in codes(softer.needs_confirm)


# Each rule alone, on a drug with round limits


def ramp(*doses: str) -> str:
    """The steps of a titration, ten days each."""
    steps = ", ".join(f'{{ after = "{10 * at} days", dose = "{dose}" }}' for at, dose in enumerate(doses))
    return f"[titration]\nsteps = [{steps}]\n"


RULES_OF_DRUGS: list[tuple[Rule, str, str | None, list[str]]] = [
    (drug_limits.drug_known, order(), None, []),
    (drug_limits.drug_known, order(drug="SOLD-AS"), None, []),
    (drug_limits.drug_known, order(drug="other"), None, ["drug.name: drug-unknown asks"]),
    (drug_limits.drug_concentration, order(concentration="2000 ug/mL"), None, []),
    (
        drug_limits.drug_concentration,
        order(concentration="2001 ug/mL"),
        None,
        ["drug.concentration: concentration-soft-max asks"],
    ),
    (
        drug_limits.drug_concentration,
        order(concentration="4000 ug/mL"),
        None,
        ["drug.concentration: concentration-soft-max asks"],
    ),
    (
        drug_limits.drug_concentration,
        order(concentration="4001 ug/mL"),
        None,
        ["drug.concentration: concentration-hard-max refuses"],
    ),
    (drug_limits.drug_dose, order(dose="60 ug/day"), None, []),
    (drug_limits.drug_dose, order(dose="59 ug/day"), None, ["therapy.dose: dose-soft-min asks"]),
    (drug_limits.drug_dose, order(dose="1000 ug/day"), None, []),
    (drug_limits.drug_dose, order(dose="1001 ug/day"), None, ["therapy.dose: dose-soft-max asks"]),
    (drug_limits.drug_dose, order(dose="2000 ug/day"), None, ["therapy.dose: dose-soft-max asks"]),
    (drug_limits.drug_dose, order(dose="2001 ug/day"), None, ["therapy.dose: dose-hard-max refuses"]),
    (drug_limits.drug_dose, order(dose="100 ug/day", reservoir="first_fill = true\n"), None, []),
    (
        drug_limits.drug_dose,
        order(dose="101 ug/day", reservoir="first_fill = true\n"),
        None,
        ["therapy.dose: dose-start-max asks"],
    ),
    (drug_limits.drug_dose, order(dose="101 ug/day", reservoir="first_fill = true\n"), order(dose="100 ug/day"), []),
    (drug_limits.drug_boluses, order('[bolus]\nmax = "100 ug"\n', dose="900 ug/day"), None, []),
    (
        drug_limits.drug_boluses,
        order('[bolus]\nmax = "101 ug"\n', dose="900 ug/day"),
        None,
        ["bolus.max: bolus-soft-max asks"],
    ),
    (
        drug_limits.drug_boluses,
        order('[square_bolus]\nmax = "201 ug"\n', dose="1800 ug/day"),
        None,
        ["square_bolus.max: square-hard-max refuses"],
    ),
    (drug_limits.drug_boluses, order('[square_bolus]\nmax = "200 ug"\n', dose="1800 ug/day"), None, []),
    (
        drug_limits.drug_boluses,
        order(PATIENT.replace("= 4", "= 11"), dose="900 ug/day"),
        None,
        ["patient_bolus.per_day: patient-soft-max asks"],
    ),
    (drug_limits.drug_boluses, order(PATIENT.replace("= 4", "= 10"), dose="900 ug/day"), None, []),
    (drug_limits.drug_change, order(dose="130 ug/day"), order(dose="100 ug/day"), []),
    (
        drug_limits.drug_change,
        order(dose="131 ug/day"),
        order(dose="100 ug/day"),
        ["therapy.dose: change-soft-percent asks"],
    ),
    (drug_limits.drug_change, order(dose="80 ug/day"), order(dose="100 ug/day"), []),
    (
        drug_limits.drug_change,
        order(dose="79 ug/day"),
        order(dose="100 ug/day"),
        ["therapy.dose: change-soft-percent asks"],
    ),
    (drug_limits.drug_change, order(dose="1200 ug/day"), order(dose="1000 ug/day"), []),
    (
        drug_limits.drug_change,
        order(dose="1201 ug/day"),
        order(dose="1000 ug/day"),
        ["therapy.dose: change-soft-max asks"],
    ),
    (
        drug_limits.drug_change,
        order(dose="1301 ug/day"),
        order(dose="1000 ug/day"),
        ["therapy.dose: change-hard-max refuses", "therapy.dose: change-soft-percent asks"],
    ),
    (drug_limits.drug_change, order(dose="1800 ug/day"), order(dose="100 ug/day", drug="other"), []),
    (drug_limits.drug_titration, order(ramp("100 ug/day", "130 ug/day"), mode="titration"), None, []),
    (
        drug_limits.drug_titration,
        order(ramp("100 ug/day", "79 ug/day"), mode="titration"),
        None,
        ["titration.steps[1].dose: change-soft-percent asks"],
    ),
    (
        drug_limits.drug_titration,
        order(ramp("100 ug/day", "131 ug/day") + 'change_max = "50 %"\n', mode="titration"),
        None,
        ["titration.steps[1].dose: change-soft-percent asks"],
    ),
    (
        drug_limits.drug_titration,
        order(ramp("100 ug/day", "140 ug/day", "441 ug/day") + 'change_max = "500 %"\n', mode="titration"),
        None,
        [
            "titration.steps[1].dose: change-soft-percent asks",
            "titration.steps[2].dose: change-hard-max refuses",
            "titration.steps[2].dose: change-soft-percent asks",
        ],
    ),
    (drug_limits.drug_replaced, order(), order(), []),
    (drug_limits.drug_replaced, order(drug="sold-as"), order(), []),
    (drug_limits.drug_replaced, order(), order(drug="other"), ["drug.name: drug-changed asks"]),
    (
        drug_limits.drug_replaced,
        order(concentration="2000 ug/mL"),
        order(),
        ["drug.concentration: concentration-changed asks"],
    ),
]


@pytest.mark.parametrize(("rule", "text", "before", "wanted"), RULES_OF_DRUGS, ids=name_of)
def test_a_rule_about_drugs(rules: Rules, rule: Rule, text: str, before: str | None, wanted: list[str]) -> None:
    assert rules.found(rule, text, before) == wanted


def test_every_rule_about_drugs_is_tried_alone_with_and_without_a_finding() -> None:
    assert {rule for rule, _, _, wanted in RULES_OF_DRUGS if wanted} == set(drug_limits.DRUG_RULES)
    assert {rule for rule, _, _, wanted in RULES_OF_DRUGS if not wanted} == set(drug_limits.DRUG_RULES)


@pytest.mark.parametrize("rule", drug_limits.DRUG_RULES[1:], ids=lambda rule: rule.__name__)
def test_a_drug_that_the_library_does_not_have_is_not_limited(rules: Rules, rule: Rule) -> None:
    assert rules.found(rule, order(drug="other", dose="5000 ug/day", concentration="9 mg/mL")) == []
