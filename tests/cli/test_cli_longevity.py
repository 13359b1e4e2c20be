"""`dosebench longevity`, and the battery's dates in the other commands."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from commandline import EXAMPLES, Run
from dosebench.therapy.energy import add_months

HIGH = (EXAMPLES / "c5-baclofen-800.toml").read_text().replace('dose = "800 ug/day"', 'dose = "1900 ug/day"')


@pytest.fixture
def hungry(tmp_path: Path) -> Path:
    """0.95 mL/day: ERI long before seven years."""
    path = tmp_path / "hungry.toml"
    path.write_text(HIGH)
    return path


@pytest.mark.requirement("R33")
def test_the_curve_of_a_profile(run: Run) -> None:
    ran = run("longevity", "implant-40", "--json")
    years = {point["ml_per_day"]: point["years_to_low"] for point in ran.json["curve"]}
    assert (min(years), max(years)) == (0.048, 6)
    assert 9.9 < years[0.1] < 10.3
    assert ran.json["regimen"] is None
    assert ran.json["battery"] == {"capacity_uah": 1_200_000, "reserve": 0.05, "service_years": 7}
    text = run("longevity", "implant-40").out
    assert "until ERI" in text
    assert "Service ends after 7 calendar years" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_profile_file_and_a_pump_that_is_not_implanted(run: Run, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('format = 1\nname = "own"\nextends = "implant-40"\n[energy]\nservice_years = 10\n')
    assert "after 10 calendar years" in run("longevity", own).out
    assert "until low" in run("longevity", "external-mlh").out
    assert "the battery is empty" in run("longevity", EXAMPLES / "c8-external.toml").out


@pytest.mark.requirement("R31")
def test_a_regimen_is_a_point_with_dates(run: Run, hungry: Path, c5: Path) -> None:
    told = run("longevity", hungry, "--implanted", "2024-02-29", "--json").json["regimen"]
    assert told["ml_per_day"] == pytest.approx(0.95)
    assert told["limited_by"] == "eri"
    low = date.fromisoformat(told["low"])
    assert date.fromisoformat(told["service_ends"]) == low + timedelta(days=90)
    assert (low - date(2024, 2, 29)).days == pytest.approx(told["years_to_low"] * 365.25, abs=1)
    long_lived = run("longevity", c5, "--implanted", "2024-02-29", "--json").json["regimen"]
    assert (long_lived["service_ends"], long_lived["limited_by"]) == ("2031-02-28", "service_life")
    assert "if service lasted so long" in run("longevity", c5, "--implanted", "2024-02-29").out


def test_a_figure_is_drawn_and_a_wrong_name_is_usage(run: Run, c5: Path, tmp_path: Path) -> None:
    figure = tmp_path / "deep" / "life.png"
    assert run("longevity", c5, "--plot", figure, "--json").json["figure"] == str(figure)
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert run("longevity", c5, "--plot", tmp_path / "life.txt").code == 2
    wrong = run("longevity", "implant-41")
    assert (wrong.code, 'did you mean "implant-40"' in wrong.err) == (1, True)


@pytest.mark.requirement("R63")
def test_check_and_diff_show_the_battery(run: Run, c5: Path, hungry: Path) -> None:
    assert "battery        low about 7.6 years after a fresh one" in run("check", c5).out
    told = run("check", hungry, "--json").json["battery"]
    assert told["limited_by"] == "eri"
    rows = {row["name"]: row for row in run("diff", c5, hungry, "--json").json["review"]}
    assert rows["battery_years"]["ratio"] == pytest.approx(told["years_to_low"] / 7.574, abs=0.01)
    assert rows["battery_low_date"]["new"] == told["low_date"]
    assert rows["service_end_date"]["old"] == add_months(date.today(), 84).isoformat()
    assert rows["service_end_date"]["new"] == told["service_ends"]


@pytest.mark.requirement("R63")
def test_a_pump_that_has_run_has_less_left_than_a_new_one(run: Run, programmed: str, c5: Path) -> None:
    name = programmed.removeprefix("sim://")
    fresh = {row["name"]: row["new"] for row in run("diff", c5, c5, "--json").json["review"]}
    assert run("sim", name, "--advance", "12 days").code == 0
    used = {row["name"]: row["new"] for row in run("diff", "device", c5, "-p", programmed, "--json").json["review"]}
    earlier = date.fromisoformat(fresh["battery_low_date"]) - date.fromisoformat(used["battery_low_date"])
    # Twelve days of nearly the same therapy are gone, and the service life began twelve days ago.
    assert 11 <= earlier.days <= 13
    assert used["service_end_date"] == add_months(date.today() - timedelta(days=12), 84).isoformat()
    ran = run("program", c5, "-p", programmed, "--yes")
    assert ran.code == 0
    assert used["service_end_date"] in ran.out
