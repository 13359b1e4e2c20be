"""What `dosebench check` says: the published cases, all mistakes at once, and the slips behind recalls."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dosebench.base.errors import DosebenchError
from dosebench.base.units import DAY_MS
from dosebench.profile import load
from dosebench.regimen import check as check_module
from dosebench.regimen import document, drugs
from dosebench.regimen import review as diff
from dosebench.regimen.check import check_regimen
from dosebench.regimen.drugs import DrugLibrary
from dosebench.regimen.summary import summarize_check
from dosebench.therapy import reading
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from regimens import BACLOFEN, BODY, EXAMPLES, HEAD, ROOT, ZICONOTIDE, Bench, codes, figures

RULE_FILES = ("limits", "modes", "drug_limits", "plausibility")

# The published cases


@pytest.mark.requirement("C1")
def test_c1_exactly_the_lowest_rate(bench: Bench) -> None:
    low = figures(check_regimen(EXAMPLES / "c1-ziconotide-1.2.toml", bench.library))
    assert low["daily_volume_ml"] == 0.048
    assert low["reading"]["daily_steps"] == 192
    refused = bench.dose(ZICONOTIDE, "1.19 ug/day")
    assert codes(refused.errors) == ["rate-below-minimum"]
    assert "1.19 ug/day" in refused.errors[0].message
    assert "1.2 ug/day" in refused.errors[0].message
    assert refused.errors[0].line == 10
    assert bench.dose(ZICONOTIDE, "1.2 ug/day").ok
    assert not bench.dose(ZICONOTIDE, "1.19999999 ug/day").ok


@pytest.mark.requirement("C2")
@pytest.mark.parametrize(("name", "volume"), [("c2-baclofen-96", 0.0480), ("c2-baclofen-674", 0.3365)])
def test_c2_volumes(library: DrugLibrary, name: str, volume: float) -> None:
    result = check_regimen(EXAMPLES / f"{name}.toml", library)
    assert round(figures(result)["daily_volume_ml"], 4) == volume
    assert not result.needs_confirm, "2002 ug/mL is a measured 2000"


@pytest.mark.requirement("C3")
@pytest.mark.requirement("R22")
def test_c3_refill(bench: Bench) -> None:
    path = EXAMPLES / "c3-ziconotide-19.2.toml"
    result = check_regimen(path, bench.library)
    found = figures(result)
    assert found["daily_volume_ml"] == 0.768
    assert found["refill"]["due_days_by_volume"] == 22.1
    assert (found["refill"]["due_days"], found["refill"]["limited_by"]) == (14.0, "stability")
    assert (found["reading"]["refill_days"], found["reading"]["refill_limit"]) == (14, "stability")
    assert codes(result.needs_confirm) == ["dose-start-max"]
    later = figures(bench.check(path.read_text().replace("first_fill = true", "first_fill = false")))
    assert (later["refill"]["due_days"], later["refill"]["limited_by"]) == (22.1, "volume")
    assert (later["reading"]["refill_days"], later["reading"]["refill_limit"]) == (22, "volume")


@pytest.mark.requirement("R22")
@pytest.mark.parametrize(("extra", "days"), [("", 84), ("diluted = true\n", 40), ("diluted = false\n", 84)])
def test_storage_time_depends_on_dilution(bench: Bench, extra: str, days: int) -> None:
    text = (HEAD + extra + BODY).format(**ZICONOTIDE, dose="2.4 ug/day")
    assert figures(bench.check(text))["refill"]["stability_days"] == days
    diluted = (HEAD + extra + BODY).format(**ZICONOTIDE | {"concentration": "20 ug/mL"}, dose="2.4 ug/day")
    assert figures(bench.check(diluted))["refill"]["stability_days"] == (84 if "false" in extra else 40)


@pytest.mark.requirement("C4")
@pytest.mark.requirement("R12")
def test_c4_hard_maximum_and_steps(bench: Bench) -> None:
    assert codes(bench.dose(ZICONOTIDE, "20.0 ug/day").errors) == ["dose-hard-max"]
    assert bench.dose(ZICONOTIDE, "19.2 ug/day").ok
    assert codes(bench.dose(ZICONOTIDE, "5.0 ug/day", before="2.4 ug/day").errors) == ["change-hard-max"]
    allowed = bench.dose(ZICONOTIDE, "4.8 ug/day", before="2.4 ug/day")
    assert allowed.ok
    assert codes(allowed.needs_confirm) == ["change-soft-max"]
    assert figures(allowed)["change"]["ratio"] == 2
    small = bench.dose(ZICONOTIDE, "3.6 ug/day", before="2.4 ug/day")
    assert small.ok
    assert not small.needs_confirm


@pytest.mark.requirement("C5")
def test_c5_low_alarm(library: DrugLibrary) -> None:
    found = figures(check_regimen(EXAMPLES / "c5-baclofen-800.toml", library))
    assert found["daily_dose_ug"] == 800
    assert found["daily_volume_ml"] == 0.4
    assert found["refill"] == {
        "due_days": 95.0,
        "due_days_by_volume": 95.0,
        "limited_by": "volume",
        "stability_days": None,
        "empty_days": 97.5,
    }
    assert found["rates"]["basal"] == {"num": 1, "den": 54_000}
    assert found["rounding_steps_10y"] == 0


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_example_is_what_it_says(path: Path, library: DrugLibrary) -> None:
    result = check_regimen(path, library)
    assert result.ok == (path.stem not in ("mistakes", "c6-slip"))
    assert "never for people" in path.read_text(encoding="utf-8")


def test_ten_mistakes_at_once(library: DrugLibrary) -> None:
    path = EXAMPLES / "mistakes.toml"
    result = check_regimen(path, library)
    marked = [at for at, text in enumerate(path.read_text().splitlines(), 1) if "#" in text[1:] and at > 4]
    assert len(marked) == 10
    assert [problem.line for problem in result.errors] == marked
    assert codes(result.errors) == [
        "value",
        "unknown-key",
        "reservoir-size",
        "value",
        "value",
        "value",
        "dose-hard-max",
        "missing",
        "value",
        "value",
    ]
    assert result.program is None
    assert summarize_check(result)["program_hash"] is None


# The form of the answer


def test_json_keys_are_always_there(bench: Bench) -> None:
    good = summarize_check(check_regimen(EXAMPLES / "c5-baclofen-800.toml", bench.library))
    for text in ("", "not toml", "format = 1\n", 'profile = "implant-99"\n'):
        bad = summarize_check(bench.check(text))
        assert list(bad) == list(good)
        assert bad["ok"] is False
        assert bad["errors"]
        json.dumps(bad, allow_nan=False)
    json.dumps(good, allow_nan=False)


def test_not_toml_has_line_and_column(bench: Bench) -> None:
    (problem,) = bench.check("format = 1\ntitle = \n").errors
    assert (problem.line, problem.code) == (2, "not-toml")
    assert "line 2 column 9" in problem.message


def test_unknown_profile_is_a_mistake_of_the_file(bench: Bench) -> None:
    (problem,) = bench.dose(BACLOFEN | {"profile": "implant-4"}, "800 ug/day").errors
    assert (problem.line, problem.key, problem.code) == (2, "profile", "profile")
    assert "did you mean" in problem.message


def test_load_regimen_insists(bench: Bench) -> None:
    with pytest.raises(document.RegimenError, match="10 mistakes"):
        check_module.load_regimen(EXAMPLES / "mistakes.toml", bench.library)
    assert check_module.load_regimen(EXAMPLES / "c5-baclofen-800.toml", bench.library).program is not None


def test_previous_with_mistakes_is_refused(bench: Bench) -> None:
    with pytest.raises(DosebenchError, match="has mistakes itself"):
        check_regimen(EXAMPLES / "c5-baclofen-800.toml", bench.library, EXAMPLES / "mistakes.toml")


def test_the_format_page_is_complete(bench: Bench) -> None:
    page = (ROOT / "docs" / "REGIMEN.md").read_text(encoding="utf-8")
    example = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert example is not None
    result = bench.check(example[1])
    assert result.ok
    assert not result.warnings
    source = "".join((ROOT / "host" / "dosebench" / "regimen" / f"{name}.py").read_text() for name in RULE_FILES)
    used = set(re.findall(r"""(?:error|warning)\(\s*facts,\s.*?"([a-z-]+)"(?:, confirm=False)?,?\s*\)\n""", source))
    assert len(used) > 50
    built = {f"{name}-{limit}" for name in ("bolus", "square", "patient") for limit in ("hard-max", "soft-max")}
    for name in used | built | set(summarize_check(result)) | {"unknown-key", "not-toml"}:
        assert f"`{name}`" in page, name


# Rules about the pump


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


@pytest.mark.parametrize(("mode", "volume"), [("minimum_rate", 0.048), ("stopped", 0.0)])
def test_other_modes(bench: Bench, mode: str, volume: float) -> None:
    text = (HEAD + BODY).format(**BACLOFEN, dose="800 ug/day").replace('"continuous"', f'"{mode}"')
    result = bench.check(text)
    found = figures(result)
    assert found["daily_volume_ml"] == volume
    assert found["rates"]["basal"] == {"num": 0, "den": 1}
    assert "dose-unused" in codes(result.warnings)
    without = bench.check("\n".join(line for line in text.splitlines() if "dose" not in line))
    assert without.ok
    assert "dose-unused" not in codes(without.warnings)


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


# Rules about the drug


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


def test_own_drug_files_come_first(tmp_path: Path, bench: Bench) -> None:
    folder = tmp_path / "drugs"
    folder.mkdir()
    text = (ROOT / "host/dosebench/regimen/library/baclofen.toml").read_text()
    (folder / "own.toml").write_text(text.replace('"2003 ug/day"', '"1500 ug/day"'))
    own = drugs.load_drugs([folder])
    path = bench.write((HEAD + BODY).format(**BACLOFEN, dose="1600 ug/day"))
    assert codes(check_regimen(path, own).errors) == ["dose-hard-max"]
    assert check_regimen(path, bench.library).ok
    assert own.files["baclofen"].endswith("own.toml")
    (folder / "own.toml").write_text(text.replace('"2003 ug/day"', '"1500 ug"').replace("percent = ", "percnt = "))
    with pytest.raises(drugs.DrugError, match=r"line 16: dose.hard_max.value.*drug mass"):
        drugs.load_drugs([folder])
    with pytest.raises(drugs.DrugError, match=r'line 23: change.soft_up_percnt: unknown key "soft_up_percnt"'):
        drugs.load_drugs([folder])
    with pytest.raises(DosebenchError, match="no such directory"):
        drugs.load_drugs([tmp_path / "none"])


def test_every_figure_of_the_library_has_a_source(library: DrugLibrary) -> None:
    assert {drug.name for drug in library.drugs.values()} == {"baclofen", "morphine", "ziconotide"}
    for drug in library.drugs.values():
        assert drug.dose.hard_max.value > 0
        assert drug.dose.usual_min.value < drug.dose.usual_max.value <= drug.dose.hard_max.value
    assert library.find_drug("LIORESAL") is library.find_drug("baclofen")
    assert library.nearest_name("baclofn") == "baclofen"


# The slips behind recalls


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


# Old and new side by side


@pytest.mark.requirement("R63")
def test_review(bench: Bench) -> None:
    old = bench.dose(BACLOFEN, "400 ug/day").program
    new = bench.dose(BACLOFEN, "600 ug/day").program
    assert old is not None
    assert new is not None
    review = diff.compare_programs(old, new, datetime.date(2024, 2, 1))
    rows = {row.name: row for row in review.rows}
    assert (rows["daily_dose_ug"].old, rows["daily_dose_ug"].new) == ("400 ug", "600 ug")
    assert rows["daily_dose_ug"].ratio == 1.5
    assert rows["daily_volume_ml"].new == "0.3 mL"
    assert rows["largest_hour_ug"].new == "25 ug"
    assert rows["refill_date"].new == "2024-06-06", "126 days later, over a 29 February"
    assert not rows["drug"].changed
    assert not rows["concentration_ug_per_ml"].changed
    json.dumps(review.to_json())
    first = {row.name: row for row in diff.compare_programs(None, new).rows}
    assert first["daily_dose_ug"].old == "-"
    assert first["daily_dose_ug"].changed
    assert diff.build_table(review).row_count == len(review.rows)


def test_a_reading_that_differs_is_named(bench: Bench) -> None:
    one = bench.dose(BACLOFEN, "400 ug/day").program
    other = bench.dose(BACLOFEN, "410 ug/day").program
    assert one is not None
    assert other is not None
    assert reading.list_disagreements(one.expected_reading(), one.expected_reading()) == []
    assert "daily_dose_ng" in reading.list_disagreements(one.expected_reading(), other.expected_reading())


# Whatever the file says


def optional(data: st.DataObject, text: str, values: st.SearchStrategy[Any]) -> str:
    """A line of a file, or none."""
    return data.draw(st.just("") | values.map(text.format))


def draw_regimen(data: st.DataObject) -> tuple[str, str]:
    """A profile and a regimen whose figures lie on both sides of every limit of that pump, mostly within."""
    name = data.draw(st.sampled_from(load.builtin_names()))
    pump = load.load_profile(name)
    step = int(pump.delivery.step_volume)
    least, most = (pump.count_steps(rate * DAY_MS) for rate in (pump.delivery.rate_min, pump.caps.day / DAY_MS))
    daily = data.draw(st.decimals(int(least) - 1, int(most) + 1, places=3))
    near = st.integers(-2, 3)
    hour = near.map(lambda extra: (int(daily) * 241 // 240 // 24 + extra) * step)
    day = near.map(lambda extra: (int(daily) * 241 // 240 + extra) * step)
    content = int(pump.count_steps(pump.reservoir.capacity))
    filled = data.draw(st.integers(content * 9 // 10, content + 1)) * step
    text = f'format = 1\nprofile = "{name}"\n[drug]\nname = "unlisted"\n'
    concentration = data.draw(st.sampled_from(["2000", "2002", "25", "4", "333.333"]))
    text += f'concentration = "{concentration} ug/mL"\n[reservoir]\nfilled = "{filled} nL"\n'
    text += optional(data, 'low = "{} nL"\n', st.integers(filled - 2 * step, filled + 1) | st.just(4 * step))
    text += optional(data, 'empty = "{} nL"\n', st.integers(step, 5 * step))
    text += f'[therapy]\nmode = "{data.draw(st.sampled_from(["continuous", "minimum_rate", "stopped"]))}"\n'
    text += f'dose = "{daily * step} nL/day"\n'
    text += optional(data, 'minimum = "{} nL/day"\n', near.map(lambda extra: (int(least) + extra) * step))
    text += optional(
        data,
        '[bolus]\nmax = "{} nL"\n',
        near.map(lambda extra: (int(pump.count_steps(pump.caps.bolus)) + extra) * step),
    )
    text += "[limits]\n" + optional(data, 'per_hour = "{} nL"\n', hour | st.just(int(pump.caps.hour)))
    return name, text + optional(data, 'per_day = "{} nL"\n', day | st.just(int(pump.caps.day)))


@pytest.mark.requirement("R12")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(data=st.data())
def test_what_passes_the_check_is_taken_by_the_pump(bench: Bench, pump: SimpleNamespace, data: st.DataObject) -> None:
    name, text = draw_regimen(data)
    result = bench.check(text)
    assert result.ok == (result.program is not None)
    if result.program is not None:
        device = pump.Profile(load.load_profile(name).device_config())
        assert pump.Therapy(result.program.encode_program()).check(device) == (0, 0), text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(at=st.integers(0, 700), put=st.text(max_size=6), cut=st.integers(0, 8))
def test_any_damage_gives_an_answer(bench: Bench, at: int, put: str, cut: int) -> None:
    text = (EXAMPLES / "morphine-tolerant.toml").read_text(encoding="utf-8")
    result = bench.check(text[:at] + put + text[at + cut :])
    assert result.ok == (not result.errors)
    json.dumps(summarize_check(result), allow_nan=False)
