"""The published cases of docs/CASES.md that a regimen file alone decides."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import pytest
from dosebench.base.units import DAY_MS, HOUR_MS, MINUTE_MS
from dosebench.profile import load
from dosebench.regimen.check import check_regimen
from dosebench.regimen.drugs import DrugLibrary
from dosebench.therapy.program import Program
from dosebench.therapy.reference_pump import ReferencePump
from regimens import EXAMPLES, ZICONOTIDE, Bench, codes, figures


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


@pytest.mark.requirement("C7")
@pytest.mark.requirement("R13")
def test_c7_bridge(library: DrugLibrary, pump: SimpleNamespace) -> None:
    result = check_regimen(EXAMPLES / "c7-bridge.toml", library, EXAMPLES / "c7-bridge-before.toml")
    found = figures(result)
    assert found["bridge"] == {
        "volume_ml": 0.34,
        "previous_concentration_ug_per_ml": 500,
        "previous_drug_ug": 170,
        "rate_ml_per_day": 0.6,
        "hours": 13.6,
    }
    assert codes(result.needs_confirm) == ["concentration-changed", "bridge"]
    assert "0.34 mL of the old solution, 170 ug, run first: 0.6 mL/day for 13.6 h, then 0.15 mL/day" in str(
        result.warnings[1]
    )
    program = result.program
    assert program is not None
    assert (program.bridge_steps, program.path_version) == (1360, 3)
    assert program.bridge_ng == 125
    assert program.bridge_rate * program.step_nl * DAY_MS == 600_000
    device = pump.Profile(load.load_profile("implant-40").device_config())
    assert pump.Therapy(program.encode_program()).check(device) == (0, 0)


@pytest.mark.requirement("C7")
def test_c7_without_a_bridge(bench: Bench, library: DrugLibrary) -> None:
    text = (EXAMPLES / "c7-bridge.toml").read_text(encoding="utf-8")
    path = bench.write(text[: text.index("[bridge]")])
    result = check_regimen(path, library, EXAMPLES / "c7-bridge-before.toml")
    (told,) = [problem for problem in result.needs_confirm if problem.code == "no-bridge"]
    assert "75 ug/day flow for 54.4 h" in told.message


def external(library: DrugLibrary, name: str) -> Program:
    result = check_regimen(EXAMPLES / f"{name}.toml", library)
    assert result.program is not None
    return result.program


@pytest.mark.requirement("C8")
@pytest.mark.requirement("R7")
def test_c8_the_cap_is_reached_at_295_minutes(library: DrugLibrary) -> None:
    program = external(library, "c8-external")
    assert program.patient_rate * program.step_nl == Fraction(54_000_000, HOUR_MS)
    warnings = check_regimen(EXAMPLES / "c8-external.toml", library).warnings
    (told,) = [problem for problem in warnings if problem.code == "bolus-limited"]
    assert told.message.startswith("runs at 54 mL/h, what the largest basal leaves")
    assert told.message.endswith("in place of 60 mL/h: it takes 1.111 times as long")
    perfect = ReferencePump()
    perfect.commit_program(0, program)
    perfect.start_delivery(60 * MINUTE_MS)
    assert [perfect.ask_patient_bolus(at * MINUTE_MS) for at in (100, 140, 180)] == [True, True, True]
    cap = next(cap.ng for cap in program.caps if cap.minutes == 240)
    at_cap = perfect.ideal_steps(295 * MINUTE_MS) * program.step_ng
    assert at_cap == cap == 26_500_000
    assert 1 / program.rate == MINUTE_MS, "a step is a minute: within one step of 295 min"


@pytest.mark.requirement("C9")
def test_c9_the_third_bolus_does_not_fit(library: DrugLibrary) -> None:
    program = external(library, "c8-external")
    perfect = ReferencePump()
    perfect.commit_program(0, program)
    perfect.start_delivery(60 * MINUTE_MS)
    assert perfect.ask_patient_bolus(300 * MINUTE_MS)
    assert perfect.ask_patient_bolus(340 * MINUTE_MS)
    window = perfect.ideal_steps(380 * MINUTE_MS) - perfect.ideal_steps(140 * MINUTE_MS)
    assert window * program.step_nl == 26_000_000
    assert window * program.step_ng + program.patient_steps * program.step_ng > 26_500_000


@pytest.mark.requirement("C10")
def test_c10_low_and_empty(library: DrugLibrary) -> None:
    program = external(library, "c10-external-low")
    assert program.on_low == "minimum_rate"
    start, low, empty = (at * MINUTE_MS for at in (60, 120, 150))
    perfect = ReferencePump()
    perfect.commit_program(0, program)
    perfect.start_delivery(start)
    assert program.reservoir_steps - perfect.ideal_steps(low) == program.low_steps
    perfect.limit_basal(low, "minimum_rate")
    assert program.reservoir_steps - perfect.ideal_steps(empty) == program.empty_steps


@pytest.mark.requirement("C11")
@pytest.mark.requirement("R4")
def test_c11_lockout(library: DrugLibrary) -> None:
    perfect = ReferencePump()
    perfect.commit_program(0, external(library, "c11-external-lockout"))
    perfect.start_delivery(60 * MINUTE_MS)
    assert perfect.ask_patient_bolus(120 * MINUTE_MS)
    assert not perfect.ask_patient_bolus(123 * MINUTE_MS)
    assert [item.steps for item in perfect.given] == [10]


@pytest.mark.requirement("C15")
def test_c15_pulses(library: DrugLibrary) -> None:
    coarse, fine = external(library, "c15-pulses-coarse"), external(library, "c15-pulses-fine")
    assert 1 / coarse.rate == 18_000
    assert 1 / fine.rate == 180_000
    assert fine.prime_steps_max == 52
    assert 1 / fine.prime_rate == 1000


@pytest.mark.requirement("C6")
@pytest.mark.requirement("R14")
def test_c6_minutes_for_hours(library: DrugLibrary) -> None:
    result = check_regimen(EXAMPLES / "c6-slip.toml", library)
    assert codes(result.errors) == ["dose-hard-max", "cap-below-basal", "cap-below-basal"]
    (slip,) = result.warnings
    assert slip.code == "slip-time"
    assert '"6 min" makes 240 boluses and 2400 ug a day, "6 h" would make 4 boluses and 40 ug a day' in slip.message


@pytest.mark.requirement("C6")
def test_c6_the_pump_refuses_by_its_daily_cap(bench: Bench, pump: SimpleNamespace) -> None:
    text = (EXAMPLES / "c6-slip.toml").read_text(encoding="utf-8").replace('"6 min"', '"6 h"')
    meant = bench.check(text)
    assert meant.program is not None
    device = pump.Profile(load.load_profile("implant-40").device_config())
    assert pump.Therapy(meant.program.encode_program()).check(device) == (0, 0)
    slip = replace(meant.program, periodic_ms=6 * MINUTE_MS)
    reason = pump.Therapy(slip.encode_program()).check(device)
    assert reason == (47, 0), "cap_below_basal"
