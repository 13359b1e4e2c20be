"""What a journal of a scenario tells: boots, alarms, stops, and what a cap held back."""

from __future__ import annotations

import pytest
from dosebench.base.errors import DosebenchError
from dosebench.simulation.deviation import Boot, Disturbance
from dosebench.simulation.scenario_journal import (
    alarm_spans,
    boots_of,
    held_back,
    is_chain_intact,
    safe_stops,
    timed_by_bench,
)
from dosebench.simulation.scenario_result import AlarmSpan
from dosebench_protocol.alarms import ALARMS
from journals import chained, named

SAFE = sorted(name for name, row in ALARMS.items() if row.effect == "safe")
START_MS = 20_000


def test_boots_have_the_time_of_the_bench_and_that_of_the_pump() -> None:
    records = [named("boot"), named("lease", 5), named("boot", 900), named("lease", 950)]
    assert boots_of(records, [3_000_999, 8_000_000]) == [Boot(3_000, 0), Boot(8_000, 900)]
    with pytest.raises(DosebenchError, match="started 1 times"):
        boots_of(records, [3_000_999])


def test_records_are_timed_by_the_boot_before_them() -> None:
    records = [named("boot"), named("lease", 600), named("boot", 900), named("lease", 950)]
    timed = timed_by_bench(records, [Boot(3_000, 0), Boot(8_000, 900)], 1_000)
    assert [at for at, _ in timed] == [2_000, 2_600, 7_000, 7_050]
    assert [record for _, record in timed] == records
    assert timed_by_bench(records[1:2], [Boot(3_000, 0)], 0)[0][0] == 3_600


def test_a_journal_is_chain_intact_from_the_first_record_of_a_life() -> None:
    made = chained([named("boot"), named("lease", 5), named("lease", 9)])
    assert is_chain_intact(made)
    assert not is_chain_intact([])
    assert not is_chain_intact(made[1:])
    assert not is_chain_intact([made[0], made[2]])
    assert not is_chain_intact([made[0], made[1]._replace(raw_code=3), made[2]])


def test_alarms_last_from_raising_to_their_end_or_clearing() -> None:
    timed = [
        (10, named("alarm_raised", alarm="leak")),
        (10, named("alarm_raised", alarm="occlusion")),
        (20, named("alarm_raised", alarm="leak")),
        (30, named("alarm_ended", alarm="occlusion")),
        (40, named("alarm_cleared", alarms=["leak"])),
        (50, named("alarm_raised", alarm="battery_low")),
        (60, named("alarm_raised", alarm="leak")),
        (70, named("alarm_ended", alarm="occlusion")),
    ]
    assert sorted(alarm_spans(timed), key=lambda one: (one.from_ms, one.name)) == [
        AlarmSpan("leak", 10, 40, "cleared"),
        AlarmSpan("occlusion", 10, 30, "ended"),
        AlarmSpan("battery_low", 50, None, "on"),
        AlarmSpan("leak", 60, None, "on"),
    ]
    assert [span.from_ms for span in alarm_spans(timed)] == [10, 10, 50, 60]


def test_alarms_end_by_a_list_before_their_clearing_and_where_they_give_way() -> None:
    timed = [
        *((10, named("alarm_raised", alarm=name)) for name in ("leak", "occlusion", "battery_low")),
        (20, named("alarm_displaced", alarm="battery_low", by_alarm="leak")),
        (30, named("clear_list", alarms=["leak"])),
        (30, named("alarm_cleared", alarms=["occlusion"])),
    ]
    assert {(one.name, one.to_ms, one.ended) for one in alarm_spans(timed)} == {
        ("battery_low", 20, "displaced"),
        ("leak", 30, "cleared"),
        ("occlusion", 30, "cleared"),
    }


def test_an_alarm_that_stops_at_once_may_withhold_a_step() -> None:
    timed = [
        (10, named("alarm_raised", alarm="battery_low")),
        (20, named("alarm_raised", alarm=SAFE[0])),
        (20, named("alarm_raised", alarm="battery_low")),
        (30, named("alarm_raised", alarm=SAFE[0])),
        (30, named("alarm_raised", alarm=SAFE[1])),
    ]
    found = safe_stops(timed, START_MS)
    assert [(one.from_ms, one.to_ms) for one in found] == [
        (START_MS + 20, START_MS + 20),
        (START_MS + 30, START_MS + 30),
    ]
    assert {one.why for one in found} <= set(SAFE)


def test_a_full_window_holds_back_only_where_steps_were_missed() -> None:
    raised, cleared = named("alarm_raised", alarm="dose_cap"), named("alarm_cleared", alarms=["dose_cap"])

    def missed(count: int):
        return named("missed", missed_now_steps=1, missed_steps=count)

    between = [(10, missed(2)), (20, raised), (30, missed(5)), (40, cleared)]
    assert held_back(between, START_MS, 99_000) == [Disturbance(START_MS + 20, START_MS + 40, "dose_cap")]
    assert held_back([(10, missed(2)), (20, raised), (40, cleared)], START_MS, 99_000) == []
    still = [(20, raised), (25, raised), (30, missed(5))]
    assert held_back(still, START_MS, 99_000) == [Disturbance(START_MS + 20, 99_000, "dose_cap")]
    assert held_back([(20, raised)], START_MS, 99_000) == []
    listed = [*between[:-1], (40, named("clear_list", alarms=["dose_cap"])), (40, named("alarm_cleared"))]
    assert held_back(listed, START_MS, 99_000) == held_back(between, START_MS, 99_000)
    twice = [*between, (50, raised), (60, missed(6)), (70, cleared)]
    assert len(held_back(twice, START_MS, 99_000)) == 2
