"""`dosebench log` and `plot`: the journal on this host."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from commandline import Run

BENCH = "sim://bench"


def test_without_a_pull_there_is_nothing_to_show(run: Run) -> None:
    for command in (("log", "show"), ("log", "verify"), ("plot",)):
        ran = run(*command)
        assert ran.code == 1
        assert ran.err == "error: this host holds no journal\nhint: run `dosebench log pull` first\n"


def test_a_pull_takes_what_is_new(run: Run, programmed: str) -> None:
    first = run("log", "pull", "-p", programmed, "--json").json
    assert first["pulled"] == first["held"] == first["last"] + 1
    run("sim", "bench", "--advance", "3 h")
    second = run("log", "pull", "-p", programmed, "--json").json
    assert second["pulled"] == 3
    assert second["held"] == first["held"] + 3
    assert run("log", "verify").out.endswith("the chain is whole\n")


def test_records_are_shown_with_their_meaning(run: Run, programmed: str) -> None:
    run("bolus", "25 ug", "-p", programmed)
    run("sim", "bench", "--advance", "1 h")
    run("log", "pull", "-p", programmed)
    shown = run("log", "show").out.splitlines()
    ended = "end_reason completed, "
    delivered = "delivered_low_steps 50, delivered_high_steps 50, asked_steps 50"
    assert any(" bolus_end " in line and ended in line and delivered in line for line in shown)
    assert len(run("log", "show", "--last", 2).out.splitlines()) == 2
    bolus = run("log", "show", "--kind", "bolus", "--json").json["records"]
    assert [record["fields"]["steps"] for record in bolus] == [50]
    assert bolus[0]["local_time"] is not None
    assert run("log", "show", "--kind", "nonsense").code == 2
    assert run("log", "show", "--device", "ffff").code == 1


@pytest.mark.requirement("R55")
def test_faults_are_pulled_and_shown_apart(run: Run, programmed: str) -> None:
    assert run("log", "show", "--faults").code == 1
    run("refill", "1 mL", "-p", programmed)
    run("refill", "40 mL", "-p", programmed)
    pulled = run("log", "pull", "-p", programmed, "--json").json
    assert pulled["pulled_faults"] >= 2
    assert run("log", "pull", "-p", programmed, "--json").json["pulled_faults"] == 0
    faults = run("log", "show", "--faults", "--json").json["records"]
    assert len(faults) == pulled["pulled_faults"]
    assert {record["kind"] for record in faults} <= {"alarm_raised", "alarm_ended", "alarm_cleared"}
    journal = {record["sequence"]: record for record in run("log", "show", "--json").json["records"]}
    for record in faults:
        source = journal[record["fields"]["journal_record"]]
        assert (source["kind"], source["ms"], source["local_time"]) == (
            record["kind"],
            record["ms"],
            record["local_time"],
        )
    assert "alarm_raised" in run("log", "show", "--faults").out
    assert run("log", "verify", "--faults").out.endswith("the chain is whole\n")


def test_status_tells_how_the_flash_wears(run: Run, programmed: str) -> None:
    run("sim", "bench", "--advance", "10 days")
    told = run("status", "--memory", "-p", programmed, "--json").json
    assert (told["routine"]["sectors"], told["fault"]["sectors"]) == (50, 12)
    assert told["routine"]["life_years"] > 100
    assert told["therapy"]["generation"] == 1
    shown = run("status", "--memory", "-p", programmed).out
    assert "journal wear" in shown
    assert "all sound" in shown


def test_a_pump_that_was_made_anew_begins_a_new_journal(run: Run, programmed: str) -> None:
    run("log", "pull", "-p", programmed)
    run("sim", "--remove", "bench")
    ran = run("log", "pull", "-p", BENCH)
    assert ran.code == 0
    assert "does not continue the one held here" in ran.out
    assert run("log", "pull", "-p", BENCH, "--json").json["epoch"] == 2


def test_two_pumps_are_told_apart(run: Run, c5: Path) -> None:
    ids = []
    for port in (BENCH, "sim://other"):
        run("program", c5, "-p", port, "--yes")
        ids.append(run("log", "pull", "-p", port, "--json").json["device_id"])
    ran = run("log", "show")
    assert ran.code == 1
    assert "choose one with --device" in ran.err
    assert run("log", "show", "--device", ids[0][:4]).code == 0


def test_a_changed_record_is_found(run: Run, programmed: str, state: Path) -> None:
    run("log", "pull", "-p", programmed)
    store = sqlite3.connect(state / "dosebench.sqlite3")
    (data,) = store.execute("SELECT data FROM records WHERE sequence = 4").fetchone()
    store.execute("UPDATE records SET data = ? WHERE sequence = 4", (data[:12] + bytes([data[12] ^ 1]) + data[13:],))
    store.commit()
    store.close()
    ran = run("log", "verify")
    assert ran.code == 1
    assert "record 4 does not fit the chain" in ran.out


def test_a_plot_of_what_was_pulled(run: Run, programmed: str, c5: Path, tmp_path: Path) -> None:
    run("sim", "bench", "--advance", "1 day")
    less = tmp_path / "less.toml"
    less.write_text(c5.read_text().replace("800 ug/day", "700 ug/day"))
    run("program", less, "-p", programmed, "--yes", "--confirm")
    run("bolus", "25 ug", "-p", programmed)
    run("sim", "bench", "--advance", "10 h")
    run("stop", "-p", programmed)
    run("log", "pull", "-p", programmed)
    figure = tmp_path / "delivery.png"
    ran = run("plot", "--out", figure, "--json")
    assert ran.code == 0
    assert ran.json["max_deviation_steps"] <= 1
    assert ran.json["delivered_steps"] == pytest.approx(ran.json["expected_steps"], abs=1)
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert run("plot", "--out", tmp_path / "delivery.docx").code == 2


def test_a_plot_of_more_than_a_sector_does_not_take_what_is_carried_on_for_the_count(
    run: Run, programmed: str, tmp_path: Path
) -> None:
    # A sector begins with the counts of the last filling and of the newest command of each host.
    run("sim", "bench", "--advance", "5 days")
    run("log", "pull", "-p", programmed)
    carried = {record["kind"] for record in run("log", "show", "--json").json["records"] if record["sequence"] > 102}
    assert {"filled", "host_done"} <= carried
    ran = run("plot", "--out", tmp_path / "delivery.svg", "--json")
    assert ran.code == 0
    assert ran.json["max_deviation_steps"] <= 1


def test_steps_that_the_pump_withheld_show_in_the_plot(run: Run, programmed: str, c5: Path, tmp_path: Path) -> None:
    run("sim", "bench", "--advance", "1 day")
    # What was given in the last 24 h is more than the new cap: the pump holds basal steps back, with an alarm.
    less = tmp_path / "less.toml"
    limits = '\n[limits]\nper_hour = "100 ug"\nper_day = "400 ug"\n'
    less.write_text(c5.read_text().replace("800 ug/day", "300 ug/day") + limits)
    run("program", less, "-p", programmed, "--yes", "--confirm")
    run("sim", "bench", "--advance", "3 h")
    run("log", "pull", "-p", programmed)
    assert run("plot", "--out", tmp_path / "delivery.svg").code == 1
    run("stop", "-p", programmed)
    run("log", "pull", "-p", programmed)
    ran = run("plot", "--out", tmp_path / "delivery.svg", "--json")
    assert ran.code == 1
    assert ran.json["missed_steps"] > 1
    assert ran.json["delivered_steps"] < ran.json["expected_steps"] - 1
    assert ran.json["max_deviation_steps"] > 1


def test_a_pump_that_another_host_programmed_can_be_plotted(
    run: Run, programmed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: Path
) -> None:
    run("sim", "bench", "--advance", "5 h")
    (state / "dosebench.sqlite3").rename(tmp_path / "of-another-host.sqlite3")
    for name in ("dosebench.sqlite3-wal", "dosebench.sqlite3-shm"):
        (state / name).unlink(missing_ok=True)
    run("log", "pull", "-p", programmed)
    monkeypatch.chdir(tmp_path)
    assert run("plot").code == 0
    assert (tmp_path / "delivery.png").exists()
