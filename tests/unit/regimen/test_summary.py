"""The figures of a check as JSON values: stable keys, units of people, and None where a figure is unknown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dosebench.regimen.check import check_regimen
from dosebench.regimen.summary import summarize_check
from regimen_texts import PATIENT, PERIODIC
from regimens import Bench
from rules import LIBRARY, order

FLEX = """[[therapy.pattern]]
name = "workday"
days = ["mon", "tue", "wed", "thu", "fri"]
steps = [{ at = "00:00", rate = "10 ug/h" }, { at = "06:00", rate = "20 ug/h" }]
[[therapy.pattern]]
days = ["sat", "sun"]
steps = [{ at = "00:00", rate = "10 ug/h" }]
"""
BRIDGE = (
    '[catheter]\nvolume = "0.2 mL"\npump_path = "0.14 mL"\ntable_version = 3\n'
    '[bridge]\nprevious_concentration = "2000 ug/mL"\n'
)


@pytest.fixture
def figures(bench: Bench) -> Any:
    checker = Bench(bench.directory, LIBRARY)

    def of(text: str, before: str | None = None) -> dict[str, Any]:
        made = summarize_check(checker.check(text, before))
        json.dumps(made, allow_nan=False)
        return made

    return of


def test_the_same_keys_whatever_the_file(figures: Any, bench: Bench) -> None:
    whole = figures(order(PATIENT + PERIODIC))
    for text in ("", "not toml", order(dose="wrong"), order(mode="stopped"), "format = 1\n"):
        assert figures(text).keys() == whole.keys()
    empty = summarize_check(check_regimen(bench.write("= ="), LIBRARY))
    known = {name for name, value in empty.items() if value is not None}
    assert known == {"file", "ok", "errors", "warnings", "limits", "refill"}
    assert empty["ok"] is False


def test_figures_are_in_the_units_of_their_names(figures: Any) -> None:
    made = figures(order(PATIENT + PERIODIC, dose="240 ug/day", concentration="2000 ug/mL"))
    assert made["concentration_ug_per_ml"] == 2000
    assert (made["daily_dose_ug"], made["daily_volume_ml"], made["weekly_dose_ug"]) == (280, 0.14, 1960)
    assert made["largest_hour_ug"] == 10
    assert (made["drug"], made["mode"], made["profile"]) == ("testdrug", "continuous", "implant-40")
    assert made["rates"]["basal"] == {"num": 1, "den": 180_000}
    assert made["reading"]["daily_steps"] == 560
    assert len(made["therapy_id"]) == 16
    assert len(made["program_hash"]) == 32


def test_boluses(figures: Any) -> None:
    made = figures(order('[bolus]\nmax = "30 ug"\n[square_bolus]\nmax = "40 ug"\n' + PATIENT + PERIODIC))
    assert (made["bolus_max_ug"], made["square_bolus_max_ug"]) == (30, 40)
    patient = {"dose_ug": 10, "takes_s": 600, "lockout_s": 7_200, "per_day": 4, "daily_ug": 40}
    assert made["patient_bolus"] == pytest.approx(patient)
    periodic = {"dose_ug": 10, "takes_s": 600, "every_s": 21_600, "per_day": 4, "daily_ug": 40}
    assert made["periodic_bolus"] == pytest.approx(periodic)
    none = figures(order())
    assert (none["patient_bolus"], none["periodic_bolus"], none["priming_ml"]) == (None, None, None)
    assert none["square_bolus_max_ug"] == 0


def test_day_patterns(figures: Any) -> None:
    made = figures(order(FLEX, mode="flex"))
    work, free = made["patterns"]
    assert (work["name"], work["days"], work["daily_dose_ug"]) == ("workday", ["mon", "tue", "wed", "thu", "fri"], 420)
    assert work["steps"] == [{"at": "00:00", "rate_ug_per_h": 10}, {"at": "06:00", "rate_ug_per_h": 20}]
    assert (free["name"], free["daily_dose_ug"]) == ("", 240)
    assert made["weekly_dose_ug"] == 5 * 420 + 2 * 240
    assert made["largest_hour_ug"] == 20
    assert figures(order())["patterns"] is None


def test_a_titration(figures: Any) -> None:
    steps = (
        '[titration]\nsteps = [{ after = "0 days", dose = "100 ug/day" }, { after = "3 days", dose = "120 ug/day" }]\n'
    )
    rows = figures(order(steps, mode="titration"))["titration"]
    assert rows == [{"after_days": 0, "daily_dose_ug": 100}, {"after_days": 3, "daily_dose_ug": 120}]


def test_a_bridge(figures: Any) -> None:
    made = figures(order(BRIDGE, dose="240 ug/day"))["bridge"]
    # 0.34 mL of the old solution at half the volume.
    wanted = {"volume_ml": 0.34, "previous_concentration_ug_per_ml": 2000, "previous_drug_ug": 680}
    assert made == pytest.approx(wanted | {"rate_ml_per_day": 0.12, "hours": 68})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        # 38 mL until low, 39 mL until empty.
        (order(dose="1 mg/day"), (38.0, 38.0, "volume", 39.0)),
        (order(dose="200 ug/day"), (180.0, 190.0, "cap", 195.0)),
        (order(PATIENT, dose="960 ug/day"), (38.0, 38.0, "volume", 39.0)),
        (order(dose="310 ug/day"), (122.5, 122.5, "volume", 125.8)),
        (order(filled="1 mL"), (0.0, 0.0, "volume", 0.0)),
    ],
)
def test_when_to_refill_is_rounded_down_to_a_tenth(
    figures: Any, text: str, wanted: tuple[float, float, str, float]
) -> None:
    made = figures(text)["refill"]
    found = made["due_days"], made["due_days_by_volume"], made["limited_by"], made["empty_days"]
    assert found == wanted
    assert made["stability_days"] == 180


def test_limits_say_which_are_defaults(figures: Any) -> None:
    made = figures(order('[limits]\nper_hour = "40 ug"\non_cap = "stop"\n'))["limits"]
    assert (made["per_hour_ug"], made["per_hour_is_default"], made["per_day_is_default"]) == (40, False, True)
    assert made["caps"] == [{"minutes": 60, "dose_ug": 40}, {"minutes": 1440, "dose_ug": 250.5}]
    assert (made["on_cap"], made["on_low"]) == ("stop", "keep")


def test_rounding_is_that_of_the_worst_rate(figures: Any) -> None:
    assert figures(order())["rounding_steps_10y"] == 0
    off = figures(order(dose="200.000000123 ug/day"))
    assert [row["key"] for row in off["rounding"]] == ["therapy.dose"]
    assert off["rounding_steps_10y"] == off["rounding"][0]["steps_10y"] != 0


def test_a_change_is_a_ratio_of_daily_doses(figures: Any) -> None:
    made = figures(order(dose="250 ug/day"), order(dose="200 ug/day"))["change"]
    assert made == {"previous_drug": "testdrug", "previous_daily_dose_ug": 200, "ratio": 1.25}
    assert figures(order())["change"] is None


def test_a_battery_lasts_until_its_level_or_the_end_of_service(figures: Any) -> None:
    made = figures(order())["battery"]
    assert made["years_to_low"] > 1
    assert sum(made["shares"].values()) == pytest.approx(1, abs=1e-3)
    assert made["low_date"] <= made["service_ends"] or made["limited_by"] != "eri"
    assert figures(order(dose="wrong"))["battery"] is None


def test_problems_say_key_line_and_code_and_warnings_whether_they_ask(figures: Any) -> None:
    (error,) = figures(order(dose="5 ug/day"))["errors"]
    assert (error["key"], error["code"]) == ("therapy.dose", "rate-below-minimum")
    assert order(dose="5 ug/day").splitlines()[error["line"] - 1].startswith("dose")
    (warning,) = figures(order(dose="1001 ug/day"))["warnings"]
    assert (warning["code"], warning["needs_confirm"]) == ("dose-soft-max", True)
