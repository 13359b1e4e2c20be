"""Scenario files: times, values, events in order, and every mistake at its line."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from commandline import EXAMPLES
from dosebench.base.errors import DosebenchError
from dosebench.regimen.drugs import DrugLibrary
from dosebench.simulation.scenario_file import (
    ACTS,
    BELONGS,
    COMMANDS,
    EVENTS_MAX,
    SAMPLES,
    EventTable,
    Scenario,
    ScenarioError,
    load_scenario,
    time_ms,
)
from programs import example

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000


class Files:
    """Writes scenarios and reads them."""

    def __init__(self, directory: Path, library: DrugLibrary) -> None:
        self.directory = directory
        self._library = library

    def load(self, text: str, head: str = 'format = 1\nlength = "3 days"\n') -> Scenario:
        path = self.directory / "scenario.toml"
        path.write_text(head + text)
        return load_scenario(path, example(), "implant-40", self._library)

    def mistakes(self, text: str, head: str = 'format = 1\nlength = "3 days"\n') -> list[tuple[int, str, str]]:
        """(line within `text`, key, code) of every mistake."""
        with pytest.raises(ScenarioError) as caught:
            self.load(text, head)
        return [(one.line - head.count("\n"), one.key, one.code) for one in caught.value.problems]


@pytest.fixture
def files(tmp_path: Path, library: DrugLibrary) -> Files:
    return Files(tmp_path, library)


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("100 min", 100 * MINUTE_MS),
        ("day 30", 30 * DAY_MS),
        ("day 412 + 3 h", 412 * DAY_MS + 3 * HOUR_MS),
        ("1 h + 30 min + 1 ms", 90 * MINUTE_MS + 1),
        ("0 s", 0),
        ("1.5 h", 90 * MINUTE_MS),
    ],
)
def test_times(text: str, ms: int) -> None:
    assert time_ms(text) == ms


@pytest.mark.parametrize("text", ["0.5 ms", "30", "day", "day x", "5 ug", 30, None, "", "1 h +"])
def test_what_is_no_time(text: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        time_ms(text)


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ({"clear": "all"}, "clear", ()),
        ({"clear": "leak"}, "clear", ("leak",)),
        ({"clear": ["leak", "occlusion"]}, "clear", ("leak", "occlusion")),
        ({"fault": "occlusion=20"}, "fault", (("occlusion", "20"),)),
        ({"fault": ["stall", "occlusion=20"]}, "fault", (("stall", None), ("occlusion", "20"))),
        ({"mend": "all"}, "mend", ("none",)),
        ({"mend": ["stall"]}, "mend", ("stall",)),
        ({"withdrawn": "measured"}, "withdrawn", "measured"),
        ({"expect": "refused: lockout"}, "expect", "refused: lockout"),
        ({"expect": "refused:lockout"}, "expect", "refused: lockout"),
        ({"expect": "done"}, "expect", "done"),
        ({"set_clock": True}, "set_clock", True),
        ({"set_clock": "2026-03-29T03:00"}, "set_clock", datetime(2026, 3, 29, 3)),
        ({"brown_out": "90 s"}, "brown_out", 90_000),
        ({"for": "2 h"}, "lasting", 2 * HOUR_MS),
    ],
)
def test_values_are_read_as_people_write_them(table: dict[str, Any], key: str, value: Any) -> None:
    assert getattr(EventTable.model_validate(table), key) == value


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('clear = "leek"', "leak"),
        ('fault = "ocklusion"', "occlusion"),
        ('mend = "occlusion=20"', "alone"),
        ('expect_alarm = "lek"', "leak"),
        ('expect = "maybe"', "refused"),
        ('expect = "refused: lockut"', "lockout"),
        ('set_clock = "noon"', "local time"),
        ("stop = false", "true"),
        ('silence = "0 s"', "."),
        ('bolus = "5 min"', "."),
        ('expect_state = "asleep"', "."),
    ],
)
def test_a_value_that_is_wrong_is_named_at_its_line(files: Files, line: str, words: str) -> None:
    with pytest.raises(ScenarioError, match=words) as caught:
        files.load(f'[[event]]\nat = "1 h"\n{line}\n')
    assert 5 in [one.line for one in caught.value.problems]


def test_a_scenario_with_all_of_it(files: Files) -> None:
    made = files.load(
        'title = "A day"\nsample = "10 min"\nalarms = ["leak"]\nstarts_at = "1 h"\n'
        '[[event]]\nat = "3 h"\nbolus = "5 ug"\nexpect = "done"\n'
        '[[event]]\nat = "1 h"\nnote = "begins"\n'
        '[[event]]\nat = "2 h"\nevery = "1 h"\nuntil = "4 h"\npatient_bolus = true\n'
    )
    assert (made.title, made.length_ms, made.starts_at_ms) == ("A day", 3 * DAY_MS, HOUR_MS)
    assert (made.sample_ms, made.alarms) == (10 * MINUTE_MS, {"leak"})
    assert [(one.at_ms // HOUR_MS, one.act) for one in made.events] == [
        (0, ""),
        (1, "patient_bolus"),
        (2, "bolus"),
        (2, "patient_bolus"),
        (3, "patient_bolus"),
    ]
    assert [one.line for one in made.events] == [11, 14, 7, 14, 14]


def test_a_scenario_that_does_not_say_how_often_has_a_thousand_samples_a_minute_apart_at_least(files: Files) -> None:
    assert files.load("").sample_ms == 3 * DAY_MS // SAMPLES
    assert files.load("", 'format = 1\nlength = "1 h"\n').sample_ms == MINUTE_MS
    assert files.load("").title == ""


def test_an_event_repeats_to_the_end_where_nothing_else_is_said(files: Files) -> None:
    made = files.load('[[event]]\nat = "1 day"\nevery = "12 h"\nstop = true\n')
    assert [one.at_ms / DAY_MS for one in made.events] == [1, 1.5, 2, 2.5, 3]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[[event]]\nstop = true\n", [(1, "event[0]", "missing")]),
        ('[[event]]\nat = "1 h"\nstop = true\nstart = true\n', [(1, "event[0]", "acts")]),
        ('[[event]]\nat = "1 h"\n', [(1, "event[0]", "acts")]),
        ('[[event]]\nat = "1 h"\nsquare = "5 ug"\n', [(1, "event[0]", "missing")]),
        ('[[event]]\nat = "1 h"\nfault = "stall"\nexpect = "done"\n', [(4, "event[0].expect", "alone")]),
        ('[[event]]\nat = "1 h"\nnote = "x"\nexpect = "done"\n', [(4, "event[0].expect", "alone")]),
        ('[[event]]\nat = "4 days"\nstop = true\n', [(2, "event[0].at", "range")]),
        ('[[event]]\nat = "1 h"\nuntil = "30 min"\nevery = "1 h"\nstop = true\n', [(3, "event[0].until", "range")]),
        (
            '[[event]]\nat = "1 h"\nevery = "1 ms"\nstop = true\n',
            [(1, "event", "range"), (3, "event[0].every", "range")],
        ),
        ('starts_at = "2 h"\n[[event]]\nat = "1 h"\nstop = true\n', [(3, "event[0].at", "range")]),
        ('[[event]]\nat = "1 h"\nstopp = true\n', [(3, "event[0].stopp", "unknown-key"), (1, "event[0]", "acts")]),
        ("colour = 1\n", [(1, "colour", "unknown-key")]),
        (
            '[[event]]\nat = "1 h"\nexpect_delivered = "5 ug"\ntolerance = "1 ug/day"\n',
            [(4, "event[0].tolerance", "unit")],
        ),
        ('[[event]]\nat = "1 h"\nexpect_rate = "5 ug/day"\ntolerance = "1 ug"\n', [(4, "event[0].tolerance", "unit")]),
    ],
)
def test_mistakes(files: Files, text: str, wanted: list[tuple[int, str, str]]) -> None:
    found = files.mistakes(text)
    assert sorted(found) == sorted(wanted)


@pytest.mark.parametrize(("name", "owners"), BELONGS.items())
def test_keys_that_mean_nothing_alone(files: Files, name: str, owners: tuple[str, ...]) -> None:
    values = {"withdrawn": '"1 mL"', "truly": '"1 mL"', "tolerance": '"1 ug"'}
    text = f'[[event]]\nat = "1 h"\nnote = "x"\n{name} = {values.get(name, chr(34) + "2 h" + chr(34))}\n'
    assert (4, f"event[0].{name}", "alone") in files.mistakes(text)
    assert owners


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        ('length = "3 days"\n', ("format", "missing")),
        ("format = 1\n", ("length", "missing")),
        ('format = 1\nlength = "21 years"\n', ("length", "range")),
    ],
)
def test_what_every_scenario_has(files: Files, head: str, wanted: tuple[str, str]) -> None:
    if "years" in head:
        head = head.replace("21 years", f"{21 * 366} days")
    assert wanted in [(key, code) for _, key, code in files.mistakes("", head)]


def test_too_many_events_are_refused(files: Files) -> None:
    each = EVENTS_MAX // 2 + 1
    every = Fraction(3 * DAY_MS, each)
    text = f'[[event]]\nat = "0 s"\nevery = "{int(every)} ms"\nstop = true\n' * 2
    assert ("event", "range") in [(key, code) for _, key, code in files.mistakes(text)]


def test_a_file_of_another_kind_is_named(files: Files) -> None:
    assert [code for _, _, code in files.mistakes("[drug]\n", "")] == ["file-kind"]
    assert [code for _, _, code in files.mistakes("= =", "")] == ["not-toml"]


def test_a_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DosebenchError, match="gone"):
        load_scenario(tmp_path / "gone.toml", example(), "implant-40")


# Changes of therapy


def test_programs_are_checked_against_the_one_before(files: Files) -> None:
    other = (EXAMPLES / "c5-baclofen-800.toml").read_text().replace("800 ug/day", "700 ug/day")
    (files.directory / "less.toml").write_text(other)
    made = files.load('[[event]]\nat = "1 h"\nprogram = "less.toml"\n')
    (event,) = made.events
    assert event.act == "program"
    assert event.program is not None
    assert event.program.daily_ng == 700_000


@pytest.mark.parametrize(
    ("name", "words"), [("gone.toml", "gone"), ("bad.toml", "mistake"), ("pump.toml", "implant-20")]
)
def test_a_regimen_with_mistakes_or_for_another_pump_is_a_mistake_of_the_event(
    files: Files, name: str, words: str
) -> None:
    text = (EXAMPLES / "c5-baclofen-800.toml").read_text()
    (files.directory / "bad.toml").write_text(text.replace("800 ug/day", "800 ug"))
    changed = text.replace("implant-40", "implant-20").replace('"40 mL"', '"20 mL"')
    (files.directory / "pump.toml").write_text(changed)
    with pytest.raises(ScenarioError, match=words) as caught:
        files.load(f'[[event]]\nat = "1 h"\nprogram = "{name}"\n')
    assert [one.code for one in caught.value.problems] == ["regimen"]


def test_commands_are_the_acts_that_a_pump_can_refuse() -> None:
    assert set(ACTS) - COMMANDS == {"fault", "mend", "brown_out"}
    assert all(act in EventTable.model_fields for act in ACTS)


@pytest.mark.parametrize("path", sorted((EXAMPLES / "scenarios").glob("c*.toml")), ids=lambda path: path.stem)
def test_the_examples_are_right(path: Path, library: DrugLibrary) -> None:
    assert load_scenario(path, example(), "implant-40", library).events
