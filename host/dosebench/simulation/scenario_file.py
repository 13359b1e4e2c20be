"""Scenario files: what happens to a simulated pump, and when, as TOML that a clinician or a teacher could read.

A scenario has no therapy of its own: it is run on a regimen. `load_scenario` gives its events in order of time, or
every mistake at once, each with its line. `docs/SCENARIOS.md` describes the format key by key.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from dosebench_protocol.tables import ENUMS
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from dosebench.base import toml_file, units
from dosebench.base.errors import DosebenchError
from dosebench.base.file_kinds import of_another_kind
from dosebench.base.toml_file import Key, Problem, TomlFile, TomlFileError
from dosebench.base.units import DAY_MS, MINUTE_MS, Quantity
from dosebench.base.words import count_noun
from dosebench.regimen.check import check_regimen
from dosebench.regimen.drugs import DrugLibrary
from dosebench.therapy.program import Program
from dosebench.twin import faults

EVENTS_MAX: Final = 20_000
"""Most events of a scenario, repeated ones counted each time."""
LENGTH_MS_MAX: Final = 20 * 366 * DAY_MS
"""Longest scenario: twice the ten years of the longest service life."""
SAMPLES: Final = 1_000
"""How many samples a scenario has that does not say how often."""

ALARMS: Final = tuple(name for name in ENUMS["Alarm"] if name != "none")
REASONS: Final = tuple(ENUMS["Reason"])


class ScenarioError(TomlFileError):
    """A scenario with mistakes; all of them are in `problems`."""


# Values


def _suggest_name(name: object, known: Iterable[str], what: str) -> str:
    names = list(known)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    guess = f'; did you mean "{near[0]}"?' if near else f"; there are {', '.join(names)}"
    return f'there is no {what} "{name}"{guess}'


def time_ms(text: object) -> int:
    """Whole milliseconds of a time such as "100 min", "day 30", or "day 412 + 3 h". Raises ValueError."""
    if not isinstance(text, str):
        raise ValueError(f'{text!r} is no time; write it with a unit, such as "100 min" or "day 30"')
    total = Fraction(0)
    for part in text.split("+"):
        words = part.split()
        if len(words) == 2 and words[0] == "day":
            words = [words[1], "days"]
        total += units.parse_value(" ".join(words), units.DURATION)
    if total.denominator != 1:
        raise ValueError(f'"{text}" is no whole number of milliseconds')
    return int(total)


def _parse_duration(text: object) -> int:
    found = time_ms(text)
    if found <= 0:
        raise ValueError("must be more than no time")
    return found


def _parse_withdrawn(text: object) -> object:
    return text if text == "measured" else units.parse_quantity(text, units.VOLUME)


def _parse_alarm(name: object) -> object:
    if name not in ALARMS:
        raise ValueError(_suggest_name(name, ALARMS, "alarm"))
    return name


def _parse_cleared(value: object) -> object:
    names = [] if value == "all" else value if isinstance(value, list) else [value]
    return tuple(_parse_alarm(name) for name in names)


def _parse_faults(value: object) -> object:
    names = value if isinstance(value, list) else [value]
    try:
        return tuple(faults.parse_fault(name if isinstance(name, str) else repr(name)) for name in names)
    except faults.FaultError as error:
        raise ValueError(str(error)) from None


def _parse_mended(value: object) -> object:
    parsed = _parse_faults(["none"] if value == "all" else value)
    assert isinstance(parsed, tuple)
    if any(given is not None for _, given in parsed):
        raise ValueError('takes names of faults alone, or "all"')
    return tuple(name for name, _ in parsed)


def _parse_expected(text: object) -> object:
    if text in ("done", "refused"):
        return text
    word, colon, reason = str(text).partition(":")
    if not isinstance(text, str) or word.strip() != "refused" or not colon:
        raise ValueError(f'{text!r} is no outcome; write "done", "refused", or "refused: lockout"')
    if reason.strip() not in REASONS:
        raise ValueError(_suggest_name(reason.strip(), REASONS, "reason"))
    return f"refused: {reason.strip()}"


def _parse_local(value: object) -> object:
    if value is True or isinstance(value, datetime):
        return value
    if isinstance(value, str):
        with suppress(ValueError):
            return datetime.fromisoformat(value)
    raise ValueError(f'{value!r} is no local time; write true, or such as "2026-03-29T03:00"')


def _parse_yes(value: object) -> object:
    if value is not True:
        raise ValueError(f"takes true, not {value!r}; leave the key out where it does not happen")
    return value


def _quantity_reader(*dimensions: units.Dimension) -> BeforeValidator:
    return BeforeValidator(lambda text: units.parse_quantity(text, *dimensions))


AMOUNTS: Final = (units.MASS, units.VOLUME)
RATES: Final = (units.MASS_RATE, units.VOLUME_RATE)

Yes = Annotated[bool | None, BeforeValidator(_parse_yes)]
Time = Annotated[int | None, BeforeValidator(time_ms)]
Span = Annotated[int | None, BeforeValidator(_parse_duration)]
Amount = Annotated[Quantity | None, _quantity_reader(*AMOUNTS)]
Volume = Annotated[Quantity | None, _quantity_reader(units.VOLUME)]
RateOf = Annotated[Quantity | None, _quantity_reader(*RATES)]
Tolerance = Annotated[Quantity | None, _quantity_reader(*AMOUNTS, *RATES)]
Alarm = Annotated[str, BeforeValidator(_parse_alarm)]


class Table(BaseModel):
    """A table whose keys may be absent."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class EventTable(Table):
    """`[[event]]`: when, one act at most, and what is expected."""

    at: Time = None
    every: Span = None
    until: Time = None
    note: Annotated[str, Field(max_length=400)] = ""
    # Acts
    patient_bolus: Yes = None
    bolus: Amount = None
    square: Amount = None
    over: Span = None
    cancel: Literal["bolus", "square"] | None = None
    refill: Volume = None
    withdrawn: Annotated[Quantity | Literal["measured"] | None, BeforeValidator(_parse_withdrawn)] = None
    truly: Volume = None
    set_clock: Annotated[datetime | Literal[True] | None, BeforeValidator(_parse_local)] = None
    start: Yes = None
    stop: Yes = None
    program: Annotated[str | None, Field(min_length=1)] = None
    clear: Annotated[tuple[str, ...] | None, BeforeValidator(_parse_cleared)] = None
    silence: Span = None
    fault: Annotated[tuple[tuple[str, str | None], ...] | None, BeforeValidator(_parse_faults)] = None
    lasting: Annotated[int | None, BeforeValidator(_parse_duration), Field(alias="for")] = None
    mend: Annotated[tuple[str, ...] | None, BeforeValidator(_parse_mended)] = None
    brown_out: Span = None
    # Expectations
    expect: Annotated[str | None, BeforeValidator(_parse_expected)] = None
    expect_alarm: Alarm | None = None
    within: Span = None
    expect_state: Literal["unprogrammed", "stopped", "running", "safe"] | None = None
    expect_rate: RateOf = None
    expect_delivered: Amount = None
    tolerance: Tolerance = None


class ScenarioFile(Table):
    """The content of a scenario file."""

    format: Literal[1] | None = None
    title: Annotated[str, Field(max_length=120)] = ""
    length: Span = None
    starts_at: Time = None
    sample: Span = None
    alarms: list[Alarm] = []
    event: list[EventTable] = []


ACTS: Final = (
    *("patient_bolus", "bolus", "square", "cancel", "refill", "set_clock", "start", "stop", "program"),
    *("clear", "silence", "fault", "mend", "brown_out"),
)
"""Keys of which an event has one at most."""
EXPECTATIONS: Final = ("expect_alarm", "expect_state", "expect_rate", "expect_delivered")
COMMANDS: Final = frozenset(ACTS) - {"fault", "mend", "brown_out"}
"""Acts that the pump can refuse."""
BELONGS: Final = {
    "over": ("square",),
    "withdrawn": ("refill",),
    "truly": ("refill",),
    "for": ("fault",),
    "within": ("expect_alarm",),
    "tolerance": ("expect_delivered", "expect_rate"),
    "until": ("every",),
}
"""Keys that mean nothing without one of others."""
_KEYS: Final = [("for" if name == "lasting" else name) for name in EventTable.model_fields]


@dataclass(frozen=True)
class Event:
    """Something that happens once.

    Attributes:
        at_ms: When, since the start of delivery.
        line: Line of its table in the file.
        act: Name of its act (`ACTS`); empty where it only expects.
        table: What the file says.
        program: Of the act `program`: the therapy.
    """

    at_ms: int
    line: int
    act: str
    table: EventTable
    program: Program | None = None


@dataclass(frozen=True)
class Scenario:
    """A scenario as read.

    Attributes:
        file, title: Where it is from and what it calls itself.
        length_ms: How long delivery is watched.
        starts_at_ms: What the scenario's own time is when delivery starts; the times of its events count from there.
        sample_ms: How often the pump and its physics are sampled for the record.
        alarms: Alarms that may come besides those that its events expect.
        events: In order of time; times since the start of delivery.
    """

    file: str
    title: str
    length_ms: int
    starts_at_ms: int
    sample_ms: int
    alarms: frozenset[str]
    events: tuple[Event, ...]


def load_scenario(path: Path, first: Program, profile: str, drugs: DrugLibrary | None = None) -> Scenario:
    """Read a scenario file.

    Args:
        path: The file.
        first: The therapy that it begins with; changes of therapy are checked against the one before.
        profile: Name of the pump profile of `first`.
        drugs: Drug library for regimens that the scenario names; None for the usual one.

    Raises:
        DosebenchError: It cannot be read.
        ScenarioError: It has mistakes; all are in `problems`.
    """
    try:
        file = toml_file.read_toml(path)
    except TomlFileError as error:
        raise ScenarioError(error.name, error.problems) from None
    if other := of_another_kind(file, "scenario"):
        raise ScenarioError(file.name, [other])
    content, problems = _read_content(file)
    problems += _check_file(file, content)
    for place, table in enumerate(content.event):
        problems += _check_event(file, place, table, content)
    events, more = _expand_events(file, content, _Programs(path.parent, first, profile, drugs))
    problems += more
    if problems:
        raise ScenarioError(file.name, sorted(problems, key=lambda problem: problem.line))
    assert content.length is not None
    return Scenario(
        file=file.name,
        title=content.title,
        length_ms=content.length,
        starts_at_ms=content.starts_at or 0,
        sample_ms=content.sample or max(MINUTE_MS, content.length // SAMPLES),
        alarms=frozenset(content.alarms),
        events=events,
    )


def _read_content(file: TomlFile) -> tuple[ScenarioFile, list[Problem]]:
    """What could be read, and every mistake of form; keys with one are absent."""
    data = deepcopy(file.data)
    try:
        return ScenarioFile.model_validate(data), []
    except ValidationError as error:
        problems = toml_file.from_validation(file, error, partial(_report_unknown, file))
        for item in error.errors():
            _remove_key(data, item["loc"])
        return ScenarioFile.model_validate(data), problems


def _report_unknown(file: TomlFile, key: Key) -> Problem:
    known = _KEYS if key[0] == "event" and len(key) > 1 else list(ScenarioFile.model_fields)
    return file.make_problem(key, toml_file.unknown_key(str(key[-1]), known), "unknown-key")


def _remove_key(data: dict[str, Any], key: tuple[str | int, ...]) -> None:
    table = data
    if len(key) > 2 and key[0] == "event" and isinstance(key[1], int):
        table, key = data["event"][key[1]], key[2:]
    if isinstance(table, dict):
        table.pop(str(key[0]), None)
    else:
        data.pop("event", None)


def _check_file(file: TomlFile, content: ScenarioFile) -> list[Problem]:
    found = []
    if "format" not in file.data:
        found.append(file.make_problem(("format",), "missing; write: format = 1", "missing"))
    if "length" not in file.data:
        found.append(file.make_problem(("length",), 'missing; how long it is, e.g. length = "30 days"', "missing"))
    elif content.length is not None and content.length > LENGTH_MS_MAX:
        found.append(file.make_problem(("length",), "longer than 20 years", "range"))
    return found


def _check_event(file: TomlFile, place: int, table: EventTable, content: ScenarioFile) -> Iterator[Problem]:
    """What keys of one event say against each other. Keys that are wrong in themselves are told of already."""
    given = file.data["event"][place]
    key = ("event", place)
    acts = [name for name in ACTS if name in given]
    if "at" not in given:
        yield file.make_problem(key, 'missing: when it happens, e.g. at = "day 30"', "missing")
    if len(acts) > 1:
        yield file.make_problem(key, f"an event has one act, not {' and '.join(acts)}; write two events", "acts")
    if not acts and not any(name in given for name in EXPECTATIONS) and "note" not in given:
        yield file.make_problem(
            key, f"nothing happens: it has none of {', '.join(ACTS)}, no expectation and no note", "acts"
        )
    for name, owners in BELONGS.items():
        if name in given and not any(owner in given for owner in owners):
            yield file.make_problem((*key, name), f"means nothing without {' or '.join(owners)}", "alone")
    if "square" in given and "over" not in given:
        yield file.make_problem(key, 'a square bolus needs its time, e.g. over = "4 h"', "missing")
    if "expect" in given and acts and acts[0] not in COMMANDS:
        yield file.make_problem((*key, "expect"), f"the pump cannot refuse {acts[0]}", "alone")
    if "expect" in given and not acts:
        yield file.make_problem((*key, "expect"), "there is no act whose outcome it could be", "alone")
    if table.tolerance is not None:
        yield from _check_tolerance(file, key, table.tolerance, given)
    yield from _check_times(file, key, table, content)


def _check_tolerance(file: TomlFile, key: Key, tolerance: Quantity, given: Mapping[str, Any]) -> Iterator[Problem]:
    """A rate is as far off as a rate, what was delivered as an amount."""
    if tolerance.dimension in RATES:
        owner, other, such = "expect_rate", "expect_delivered", "0.1 mL"
    else:
        owner, other, such = "expect_delivered", "expect_rate", "1 ug/day"
    if owner not in given and other in given:
        yield file.make_problem((*key, "tolerance"), f'is no tolerance of {other}; write one such as "{such}"', "unit")


def _check_times(file: TomlFile, key: Key, table: EventTable, content: ScenarioFile) -> Iterator[Problem]:
    begin = content.starts_at or 0
    if table.at is not None and table.at < begin:
        yield file.make_problem((*key, "at"), "is before delivery starts", "range")
    if table.at is not None and content.length is not None and table.at > begin + content.length:
        yield file.make_problem((*key, "at"), "is after the scenario has ended: see its length", "range")
    if table.every is not None and content.length is not None and content.length // table.every > EVENTS_MAX:
        yield file.make_problem((*key, "every"), f"comes more than {EVENTS_MAX} times", "range")
    if table.at is not None and table.until is not None and table.until < table.at:
        yield file.make_problem((*key, "until"), "is before its first time", "range")


@dataclass
class _Programs:
    """Regimens that a scenario names, each checked against the one before."""

    directory: Path
    current: Program
    profile: str
    drugs: DrugLibrary | None

    def next_program(self, name: str) -> Program:
        """The program of a regimen file. Raises DosebenchError, which says what is wrong with it."""
        path = self.directory / name
        result = check_regimen(path, self.drugs, self.current)
        if result.program is None:
            count = len(result.errors)
            raise DosebenchError(f"{path} has {count_noun(count, 'mistake')}: run `dosebench check {path}`")
        if result.profile_name != self.profile:
            raise DosebenchError(f"{path} is for the pump {result.profile_name}, not for {self.profile}")
        self.current = result.program
        return result.program


def _expand_events(
    file: TomlFile, content: ScenarioFile, programs: _Programs
) -> tuple[tuple[Event, ...], list[Problem]]:
    """Every event as often as it happens, in order of time; mistakes of the regimens that it names."""
    begin, found = content.starts_at or 0, []
    for place, table in enumerate(content.event):
        act = next((name for name in ACTS if getattr(table, name) is not None), "")
        for at in _event_times(table, begin + (content.length or 0)):
            found.append(Event(at - begin, file.find_line(("event", place)), act, table))
    found.sort(key=lambda event: event.at_ms)
    problems: dict[int, Problem] = {}
    events = []
    for event in found[: EVENTS_MAX + 1]:
        program = None
        if event.table.program is not None:
            try:
                program = programs.next_program(event.table.program)
            except DosebenchError as error:
                problems[event.line] = Problem("event.program", event.line, str(error), "regimen")
        events.append(Event(event.at_ms, event.line, event.act, event.table, program))
    if len(found) > EVENTS_MAX:
        problems[1] = file.make_problem(("event",), f"more than {EVENTS_MAX} events", "range")
    return tuple(events), list(problems.values())


def _event_times(table: EventTable, end_ms: int) -> Sequence[int]:
    if table.at is None:
        return ()
    if table.every is None:
        return (table.at,)
    last = end_ms if table.until is None else min(table.until, end_ms)
    return range(table.at, last + 1, table.every)[: EVENTS_MAX + 1]
