"""A journal as history: volumes of a pump that was calibrated, and the alarms that are on."""

from __future__ import annotations

from fractions import Fraction

import pytest
from dosebench.journal.history import Calendar, History, Point, _Walk
from dosebench.therapy.expected_delivery import Expected
from dosebench_protocol.alarms import ALARMS
from dosebench_protocol.records import Record, make_record


def _history(*points: Point) -> History:
    return History(Expected(), points, None, (), 0, ())


def test_a_step_counts_as_what_it_was_when_it_was_made() -> None:
    old, new = Fraction(250), Fraction(260)
    history = _history(Point(0, 5, 5, old), Point(1, 15, 15, old), Point(2, 15, 20, new), Point(3, 35, 40, new))
    assert [delivered for delivered, _ in history.volumes_nl()] == [0, 2500, 2500, 2500 + 20 * 260]


@pytest.mark.parametrize("step_nl", [None, Fraction(250)])
def test_what_nobody_knows_is_no_volume(step_nl: Fraction | None) -> None:
    history = _history(Point(0, 0, 0, step_nl), Point(1, 4, 4, step_nl))
    assert history.volumes_nl()[-1][0] == (0 if step_nl is None else 1000)


def raised(name: str) -> Record:
    return make_record("alarm_raised", alarm=name, priority="high")


def alarms_after(*records: Record) -> set[str]:
    """Alarms that are on after these records."""
    walk = _Walk(lambda _: None)
    for record in records:
        walk.apply_record(record)
    return walk.alarms


def test_alarms_are_on_from_their_raising_to_their_end() -> None:
    assert alarms_after(raised("leak"), raised("air"), raised("leak")) == {"leak", "air"}
    assert alarms_after(raised("leak"), raised("air"), make_record("alarm_ended", alarm="air")) == {"leak"}
    assert alarms_after(raised("leak"), make_record("alarm_cleared", alarms=["leak", "air"])) == set()


def test_a_list_counts_with_the_clearing_that_follows() -> None:
    on = [raised(name) for name in ("leak", "air", "occlusion", "free_flow", "dose_cap")]
    more = make_record("clear_list", alarms=["occlusion", "free_flow"])
    assert len(alarms_after(*on, more)) == 5
    assert alarms_after(*on, more, make_record("alarm_cleared", alarms=["leak", "air"])) == {"dose_cap"}


def test_an_alarm_gives_way_to_another_or_never_was_on() -> None:
    gone = make_record("alarm_displaced", alarm="leak", by_alarm="air")
    assert alarms_after(raised("leak"), raised("air"), gone) == {"air"}
    never = make_record("alarm_displaced", alarm="air", by_alarm="air")
    assert alarms_after(raised("leak"), raised("air"), never) == {"leak"}


@pytest.mark.parametrize("count", [0, 1, 15, 16])
def test_a_checkpoint_says_which_alarms_are_on(count: int) -> None:
    names = list(ALARMS)[:count]
    records = [raised("pump_stopped"), make_record("state", alarm_count=count)]
    records += [make_record("latched", place=at, alarms=names[at : at + 15]) for at in range(0, count, 15)]
    assert alarms_after(*records) == set(names)
    # Nothing ends while the checkpoint is being written.
    assert count == 0 or alarms_after(*records[:-1]) == {"pump_stopped"}


def test_local_time_is_what_the_clock_was_set_to_and_what_passed_since() -> None:
    calendar = Calendar()
    assert calendar.local_time(make_record("boot", day=1)) is None
    unset = make_record("calendar", day=1, clock_known=0, local_days=5)
    assert calendar.local_time(unset) is None
    told = make_record("clock", day=1, local_days=10, local_ms=3_600_000)
    assert str(calendar.local_time(told)) == "2000-01-11 01:00:00"
    assert str(calendar.local_time(make_record("lease", day=2))) == "2000-01-12 01:00:00"
    known = make_record("calendar", day=2, clock_known=1, local_days=20)
    assert str(calendar.local_time(known)) == "2000-01-21 00:00:00"
