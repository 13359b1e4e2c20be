"""`dosebench sim --fault`: break a kept board between commands, mend it, fill it."""

from __future__ import annotations

import pytest
from commandline import Run


def test_faults_are_kept_between_commands_and_mended(run: Run) -> None:
    ran = run("sim", "bench", "--runtime", "cpython", "--fault", "occlusion", "--fault", "slip=10", "--json")
    assert ran.json["faults"] == {"slip": 10, "occlusion": 1e9}
    assert (ran.json["advanced_s"], ran.json["steps"]) == (0, 0)
    assert run("sim", "bench", "--advance", "1 min", "--json").json["faults"] == ran.json["faults"]
    assert "slip=10, occlusion; 40 mL" in run("sim", "bench", "--advance", "1 min").out
    assert run("sim", "bench", "--fault", "slip=off", "--json").json["faults"] == {"occlusion": 1e9}
    assert run("sim", "bench", "--fault", "none", "--json").json["faults"] == {}
    assert "no faults" in run("sim", "bench", "--fault", "none").out


def test_a_fault_acts_before_time_passes_and_a_fill_is_true(run: Run) -> None:
    assert run("sim", "bench", "--runtime", "cpython", "--fault", "stall").code == 0
    emptied = run("sim", "bench", "--fault", "free_flow=1000", "--advance", "1 h", "--json").json
    assert emptied["reservoir_ml"] == pytest.approx(36.4)
    filled = run("sim", "bench", "--fault", "none", "--fill", "20 mL", "--json").json
    assert (filled["reservoir_ml"], filled["faults"]) == (20, {})


def test_a_stalled_board_says_so_itself(run: Run, c5: object) -> None:
    assert run("program", c5, "--yes", "--start", "--port", "sim://bench").code == 0
    assert run("sim", "bench", "--fault", "stall", "--advance", "10 min").code == 0
    assert "motor_stall" in run("status", "--port", "sim://bench", "--json").json["alarms"]


def test_a_mistake_leaves_the_board_as_it_was(run: Run) -> None:
    ran = run("sim", "bench", "--fault", "stall", "--fault", "oclusion")
    assert ran.code == 1
    assert 'did you mean "occlusion"?' in ran.err
    assert "dosebench sim --faults" in ran.err
    assert run("sim", "--list").out == "no named simulations\n"
    assert "volume" in run("sim", "bench", "--fill", "20 mg").err


def test_the_list_says_what_each_fault_does_and_takes(run: Run) -> None:
    text, listed = run("sim", "--faults").out, run("sim", "--faults", "--json").json["known_faults"]
    by_name = {row["fault"]: row for row in listed}
    assert by_name["stall"] == {"fault": "stall", "meaning": "The motor does not turn.", "takes": None}
    assert by_name["free_flow"]["takes"] == {"low": 0, "high": 1e6, "usual": 1_000, "unit": "nL/s"}
    assert [line.split()[0] for line in text.splitlines()] == [*by_name, "none"]
    assert run("sim", "--faults", "--list").code == 2


@pytest.mark.requirement("R47")
def test_a_sensor_that_never_gave_a_value_tells_none(run: Run) -> None:
    broken = ("pressure_open", "temperature_short", "level_open")
    assert run("sim", "bench", "--runtime", "cpython", *(f"--fault={name}" for name in broken)).code == 0
    assert run("sim", "--stop", "bench").code == 0
    ran = run("sensors", "--port", "sim://bench", "--json")
    assert ran.code == 1
    values = {row["sensor"]: row["value"] for row in ran.json["sensors"] if row["state"] != "ok"}
    assert values == {"pressure": None, "temperature": None, "level": None}
    lines = {line.split()[0]: line for line in run("sensors", "--port", "sim://bench").out.splitlines()}
    assert lines["temperature"].endswith("no value")
    assert run("status", "--port", "sim://bench", "--json").json["measured_ml"] is None
