"""Old and new therapy side by side, and the pump's reading beside the host's."""

from __future__ import annotations

import datetime
import json

import pytest
from dosebench.regimen import review
from dosebench.regimen import review as diff
from dosebench.regimen.check import check_regimen
from dosebench.regimen.drugs import DrugLibrary
from dosebench.therapy import reading
from dosebench.therapy.program import Program
from regimens import BACLOFEN, EXAMPLES, Bench


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


def external(library: DrugLibrary, name: str) -> Program:
    result = check_regimen(EXAMPLES / f"{name}.toml", library)
    assert result.program is not None
    return result.program


@pytest.mark.requirement("R63")
def test_review_of_the_new_modes(library: DrugLibrary) -> None:
    old, new = external(library, "c5-baclofen-800"), external(library, "flex-weekdays")
    rows = {row.name: row for row in review.compare_programs(old, new, datetime.date(2026, 1, 1)).rows}
    assert rows["schedule"].new.startswith("mon tue wed thu fri (502.5 ug): 00:00 15 ug/h, 05:30 30 ug/h")
    assert rows["weekly_dose_ug"].ratio == pytest.approx(3352.5 / 5600)
    assert "bridge" not in rows
    bridge = {row.name: row for row in review.compare_programs(old, external(library, "c7-bridge")).rows}["bridge"]
    assert bridge.new == "0.34 mL of 500 ug/mL at 0.6 mL/day for 13.6 h"
    ramp = {row.name: row for row in review.compare_programs(None, external(library, "titration-morphine")).rows}[
        "schedule"
    ]
    assert ramp.new == "400 ug/day after 0 d, 500 ug/day after 3 d, 600 ug/day after 6 d, 720 ug/day after 9 d"
    rows = {row.name: row for row in review.compare_programs(old, external(library, "patient-bolus")).rows}
    assert rows["patient_bolus"].new == "200 ug over 15 min, lockout 3 h, 4 a day"
    assert rows["periodic_bolus"].new == "200 ug over 30 min, every 12 h"
    assert rows["other_caps"].new == "1600 ug in any 4 h"
    assert rows["patient_dose_ug"].new == "800 ug"
