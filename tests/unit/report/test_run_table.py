"""The table of a simulation, and the journal as a log file."""

from __future__ import annotations

import io
import json
from fractions import Fraction
from pathlib import Path

import pytest
from dosebench.report.run_table import QUIET_KINDS, simulation_rows, simulation_table, write_log
from dosebench_protocol.tables import RECORD_KINDS
from journals import chained, named
from programs import example
from rich.console import Console
from scenario_runs import DAY_MS, HOUR_MS, simulated


def test_rows_say_what_was_delivered_and_expected_as_volume_and_drug() -> None:
    rows = dict(simulation_rows(simulated()))
    assert rows["delivered"] == "0.4 mL = 800 ug"
    assert rows["expected"] == rows["delivered"]
    assert rows["steps"].startswith("1600 made, 1600 due")
    assert rows["largest deviation"] == "0.5 steps = 0.125 uL"
    assert rows["allowed"] == "0.5 steps"
    assert rows["charge"] == "0.15 mAh used, 0.151 mAh estimated"
    assert rows["alarms"] == "none"
    assert "2.0 pump days per second" in rows["speed"]


def test_bookkeeping_is_left_out_of_the_events() -> None:
    assert dict(simulation_rows(simulated()))["events"] == "boot, start"
    records = chained([named("boot"), named("stop"), named("stop"), *(named(kind) for kind in sorted(QUIET_KINDS))])
    result = simulated(journal=[record.to_bytes() for record in records])
    assert dict(simulation_rows(result))["events"] == "boot, 2 stop"
    assert set(RECORD_KINDS) >= QUIET_KINDS


def test_boluses_and_alarms_have_rows_where_there_are_some() -> None:
    assert "boluses" not in dict(simulation_rows(simulated()))
    result = simulated(alarms=[("leak", DAY_MS // 2), ("occlusion", DAY_MS)])
    result.expected.pump.ask_bolus(DAY_MS, 40)
    rows = dict(simulation_rows(result))
    assert rows["boluses"] == "1 clinician"
    assert rows["alarms"] == "leak on day 0.5, occlusion on day 1.0"


def test_the_next_refill_is_told_from_the_end() -> None:
    days = example().expected_reading().refill_days
    assert dict(simulation_rows(simulated()))["next refill"].endswith(f"in {days - 1:.1f} days")
    assert dict(simulation_rows(simulated(days=0.5)))["next refill"].startswith(f"day {days} (")
    assert "ago" in dict(simulation_rows(simulated(days=days + 2)))["next refill"]


@pytest.mark.parametrize(("whole", "words"), [(True, "4 records, hash chain whole"), (False, "BROKEN")])
def test_the_journal_is_whole_or_broken(whole: bool, words: str) -> None:
    assert words in dict(simulation_rows(simulated(journal_whole=whole)))["journal"]


def shown(**changes: object) -> str:
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(simulation_table(simulated(**changes), "A title"))
    return console.export_text()


def test_the_verdict_is_the_last_word_and_names_every_fault() -> None:
    good, bad = shown(), shown(max_deviation=Fraction(2), journal_whole=False)
    assert "A title" in good
    assert "as ordered" in good
    assert "NOT" not in good
    assert "NOT as ordered" in bad
    assert "2 steps off" in bad
    assert "chain" in bad.split("NOT as ordered")[1]


def test_a_log_has_a_record_a_line_with_both_times(tmp_path: Path) -> None:
    records = chained(
        [
            named("boot", boot_count=4),
            named("clock", 2 * HOUR_MS, local_days=1, local_ms=HOUR_MS),
            named("start", 3 * HOUR_MS, host=b"host", counter=9),
            named("boot", 4 * HOUR_MS),
        ]
    )
    path = tmp_path / "deep" / "log.jsonl"
    write_log(path, records)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["kind"] for row in rows] == ["boot", "clock", "start", "boot"]
    assert [row["local_time"] for row in rows] == [None, "2000-01-02T01:00:00.000", "2000-01-02T02:00:00.000", None]
    assert rows[0]["fields"]["boot_count"] == 4
    assert rows[2]["fields"]["host"] == b"host".hex()
    assert [row["sequence"] for row in rows] == [0, 1, 2, 3]
    assert rows[3]["chain"] == records[3].chain.hex()
