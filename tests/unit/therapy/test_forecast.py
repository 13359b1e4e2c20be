"""Plans: the coming days of a program, exactly."""

from __future__ import annotations

import datetime
import json
from fractions import Fraction
from itertools import pairwise

import pytest
from dosebench.base.errors import DosebenchError
from dosebench.base.units import DAY_MS, HOUR_MS, MINUTE_MS
from dosebench.profile.load import load_profile
from dosebench.regimen.check import check_regimen
from dosebench.regimen.drugs import DrugLibrary
from dosebench.therapy.forecast import Forecast, forecast_delivery
from dosebench.therapy.program import Program
from hypothesis import given, settings
from hypothesis import strategies as st
from orders import programs
from regimens import EXAMPLES

MONDAY = datetime.datetime(2024, 1, 1)


def example(library: DrugLibrary, name: str) -> Program:
    result = check_regimen(EXAMPLES / f"{name}.toml", library)
    assert result.program is not None
    return result.program


def test_a_week_of_flex(library: DrugLibrary) -> None:
    made = forecast_delivery(example(library, "flex-weekdays"), MONDAY, 7)
    assert made.totals[-1].ng == 3_352_500
    assert made.totals[-1].nl == 1_676_250
    # Five steps from Monday to Friday, three at the weekend; the rate of 22:00 goes on over midnight.
    assert len(made.rates) == 5 * 5 + 2 * 3 - 6
    at = [(rate.t_ms // MINUTE_MS, float(rate.ng * HOUR_MS / 1000)) for rate in made.rates[:3]]
    assert at == [(0, 15), (330, 30), (540, 20)]
    assert (made.low_ms, made.empty_ms, made.bridge_ms, made.boluses) == (None, None, None, ())
    from_noon = forecast_delivery(example(library, "flex-weekdays"), MONDAY + datetime.timedelta(hours=12), 7)
    assert from_noon.totals[-1].ng == 3_352_500
    assert from_noon.rates[0].ng * HOUR_MS == 20_000


def test_boluses_of_a_day(library: DrugLibrary) -> None:
    program = example(library, "patient-bolus")
    alone = forecast_delivery(program, MONDAY, 2)
    assert [(bolus.kind, bolus.t_ms, float(bolus.ng)) for bolus in alone.boluses] == [
        ("periodic", at * HOUR_MS, 200_000) for at in (12, 24, 36, 48)
    ]
    taken = forecast_delivery(program, MONDAY, 2, patient=True)
    patient = [bolus.t_ms for bolus in taken.boluses if bolus.kind == "patient"]
    assert patient[:4] == [0, 3 * HOUR_MS, 6 * HOUR_MS, 9 * HOUR_MS]
    assert patient[4] > DAY_MS, "the periodic bolus of 24 h comes first"
    assert len(patient) == 8
    assert taken.totals[-1].ng - alone.totals[-1].ng == 8 * 200_000


@pytest.mark.requirement("C7")
def test_c7_the_dose_stays_the_same_over_the_bridge(library: DrugLibrary) -> None:
    made = forecast_delivery(example(library, "c7-bridge"), MONDAY, 3)
    assert [float(rate.nl * DAY_MS) for rate in made.rates] == [600_000, 150_000]
    assert [rate.ng * DAY_MS for rate in made.rates] == [300_000] * 2
    assert made.bridge_ms == 136 * HOUR_MS // 10 - 18_000, "with its last step, half of which is ahead of the ideal"
    assert made.totals[-1].ng == 900_000


@pytest.mark.requirement("C5")
def test_c5_when_low_and_when_empty(library: DrugLibrary) -> None:
    made = forecast_delivery(example(library, "c5-baclofen-800"), MONDAY, 100)
    assert made.low_ms == 95 * DAY_MS
    assert made.empty_ms == Fraction(975, 10) * DAY_MS
    assert made.to_json()["reservoir_low"] == "2024-04-05T00:00:00"


def test_json_is_whole(library: DrugLibrary) -> None:
    data = forecast_delivery(example(library, "patient-bolus"), MONDAY, 1, patient=True).to_json()
    json.dumps(data, allow_nan=False)
    assert set(data) == {
        "drug",
        "start",
        "end",
        "rates",
        "boluses",
        "totals",
        "reservoir_low",
        "reservoir_empty",
        "bridge_through",
    }
    page = (EXAMPLES.parent / "docs" / "REGIMEN.md").read_text(encoding="utf-8")
    for name in data:
        assert f"`{name}`" in page, name


@pytest.mark.parametrize(
    ("start", "days"), [(MONDAY, 0), (MONDAY, 367), (MONDAY, -1), (datetime.datetime(1999, 12, 31), 1)]
)
def test_what_cannot_be_forecast(library: DrugLibrary, start: datetime.datetime, days: int) -> None:
    with pytest.raises(DosebenchError):
        forecast_delivery(example(library, "c5-baclofen-800"), start, days)


@settings(deadline=None, max_examples=60)
@given(programs(load_profile("implant-40")), st.integers(0, 14 * DAY_MS), st.integers(1, 9), st.booleans())
def test_a_forecast_adds_up(program: Program, start_ms: int, days: int, patient: bool) -> None:
    start = MONDAY + datetime.timedelta(milliseconds=start_ms)
    made: Forecast = forecast_delivery(program, start, days, patient=patient)
    json.dumps(made.to_json(), allow_nan=False)
    assert all(a.t_ms < b.t_ms and a.nl <= b.nl and a.ng <= b.ng for a, b in pairwise(made.totals))
    basal = sum(((end - rate.t_ms) * rate.nl for rate, end in zip(made.rates, ends(made), strict=True)), Fraction(0))
    boluses = sum((bolus.nl for bolus in made.boluses), Fraction(0))
    running = made.boluses[-1].nl if made.boluses else 0
    assert basal <= made.totals[-1].nl <= basal + boluses
    assert made.totals[-1].nl >= basal + boluses - running


def ends(made: Forecast) -> list[int]:
    return [*(rate.t_ms for rate in made.rates[1:]), made.length_ms]
