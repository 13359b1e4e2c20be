"""What a journal says was asked for and delivered, as an exact timeline and as counted steps.

The pump's records carry its lifetime step count as an interval [low, high], which is a single number except after a
loss of power. Together with the programs that its commits name they give the schedule that it should have followed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from dosebench_protocol.records import Record

from dosebench.reference import Bolus, Segment, Timeline

if TYPE_CHECKING:
    from dosebench.program import Program

DAY_MS: Final = 86_400_000
EPOCH: Final = datetime(2000, 1, 1)
EVENTS: Final = frozenset({"bolus", "refill", "commit", "stop", "start", "boot", "alarm_raised"})
"""Record kinds that a figure marks."""


class Calendar:
    """Local time of records: what the journal's own clock records say. Feed it all records, in order."""

    def __init__(self) -> None:
        self._zero: datetime | None = None

    def local(self, record: Record) -> datetime | None:
        """Local time of this record, None where the pump's clock was not set since it last lost its power."""
        passed = timedelta(days=record.day, milliseconds=record.ms)
        if record.kind == "boot":
            self._zero = None
        elif record.kind == "clock":
            fields = record.fields
            set_to = EPOCH + timedelta(days=fields["local_days"], milliseconds=fields["local_ms"])
            self._zero = set_to - passed
        return self._zero + passed if self._zero is not None else None


def record_json(record: Record, local: datetime | None) -> dict[str, Any]:
    """A record as JSON values: its number, both times, kind, fields by name, chain value in hex."""
    fields = {name: value.hex() if isinstance(value, bytes) else value for name, value in record.fields.items()}
    return {
        "sequence": record.sequence,
        "day": record.day,
        "ms": record.ms,
        "local_time": local.isoformat(timespec="milliseconds") if local else None,
        "kind": record.kind,
        "fields": fields,
        "chain": record.chain.hex(),
    }


def pump_ms(record: Record) -> int:
    """Pump time of a record, in milliseconds since commissioning."""
    return record.day * DAY_MS + record.ms


@dataclass(frozen=True)
class Point:
    """The pump's count at one record: lifetime steps are between `low` and `high` at `t_ms` of pump time."""

    t_ms: int
    low: int
    high: int


@dataclass(frozen=True)
class History:
    """A journal as a schedule and as what was counted.

    Attributes:
        timeline: What the pump was asked for, in pump time.
        points: What it counted, in order of time; never empty.
        program: The newest program that could be found.
        marks: Events for a figure: (pump time in ms, label).
        missed_steps: Steps that were due and that the pump says it did not make.
        unknown_programs: Heads of program hashes that nobody on this host knows; their time counts as no delivery.
    """

    timeline: Timeline
    points: tuple[Point, ...]
    program: Program | None
    marks: tuple[tuple[int, str], ...]
    missed_steps: int
    unknown_programs: tuple[bytes, ...]

    @property
    def start_ms(self) -> int:
        """Pump time of the first point."""
        return self.points[0].t_ms

    def expected_steps(self, t_ms: int) -> Fraction:
        """Steps that a perfect pump would have made since the first point."""
        return self.timeline.ideal_steps(t_ms) - self.timeline.ideal_steps(self.start_ms)

    def deviations(self) -> list[Fraction]:
        """Counted (the low end) less expected steps at every point."""
        base = self.points[0].low
        return [point.low - base - self.expected_steps(point.t_ms) for point in self.points]


@dataclass
class _Walk:
    """State while the records are read."""

    program_of: Callable[[bytes], Program | None]
    program: Program | None = None
    running: bool = False
    low_level: bool = False
    segments: list[Segment] = field(default_factory=list)
    boluses: list[Bolus] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    marks: list[tuple[int, str]] = field(default_factory=list)
    unknown: list[bytes] = field(default_factory=list)
    missed: int = 0

    def take(self, record: Record) -> None:
        fields, t_ms = record.fields, pump_ms(record)
        self._programs(record.kind, fields)
        self._running(record.kind, fields)
        self._bolus(record.kind, fields, t_ms)
        rate = self._rate()
        if rate != (self.segments[-1].rate if self.segments else Fraction(0)):
            self.segments.append(Segment(t_ms, rate))
        # A `host` record carries the counts of an old command; some others only one end.
        if record.kind != "host" and "low_steps" in fields and "high_steps" in fields:
            self.points.append(Point(t_ms, fields["low_steps"], fields["high_steps"]))
        self.missed = fields.get("missed_steps", self.missed)
        if record.kind in EVENTS:
            self.marks.append((t_ms, _label(record.kind, fields)))

    def _programs(self, kind: str, fields: dict[str, Any]) -> None:
        if kind == "commit" or (kind == "identity" and self.program is None):
            head = fields["program_hash_head"]
            self.program = self.program_of(head) if any(head) else None
            if self.program is None and any(head) and head not in self.unknown:
                self.unknown.append(head)

    def _running(self, kind: str, fields: dict[str, Any]) -> None:
        if kind == "start":
            self.running = True
        elif kind in ("stop", "close"):
            self.running = False
        elif kind == "state":
            self.running = fields["running"]
        alarms = fields.get("alarms")
        if alarms is not None:
            self.low_level = "reservoir_low" in alarms
        elif kind == "alarm_cleared" and "reservoir_low" in fields["cleared"]:
            self.low_level = False

    def _bolus(self, kind: str, fields: dict[str, Any], t_ms: int) -> None:
        if kind == "bolus" and self.program is not None and self.program.bolus_rate:
            self.boluses.append(Bolus(t_ms, fields["steps"], self.program.bolus_rate))
        elif self.boluses and kind == "bolus_end":
            self._shorten(fields["delivered_steps"])
        elif self.boluses and kind == "bolus_cancel":
            self._shorten(self.boluses[-1].steps - fields["steps_not_delivered"])
        elif self.boluses and kind in ("stop", "close"):
            self._shorten(round(self.boluses[-1].ideal_steps(Fraction(t_ms))))

    def _shorten(self, steps: int) -> None:
        self.boluses[-1] = replace(self.boluses[-1], steps=min(steps, self.boluses[-1].steps))

    def _rate(self) -> Fraction:
        program = self.program
        if program is None or not self.running:
            return Fraction(0)
        if self.low_level and program.on_low == "minimum_rate":
            return Fraction(program.minimum_num, program.minimum_den)
        return Fraction(0) if self.low_level and program.on_low == "stop" else program.rate


def build(records: Iterable[Record], program_of: Callable[[bytes], Program | None]) -> History | None:
    """The history that records tell.

    Args:
        records: In order.
        program_of: The program whose hash begins with these four bytes; None where it is not known.

    Returns:
        The history; None when no record holds a step count.
    """
    walk = _Walk(program_of)
    for record in records:
        walk.take(record)
    if not walk.points:
        return None
    return History(
        Timeline(tuple(walk.segments), tuple(walk.boluses)),
        tuple(walk.points),
        walk.program,
        tuple(walk.marks),
        walk.missed,
        tuple(walk.unknown),
    )


def _label(kind: str, fields: dict[str, Any]) -> str:
    if kind == "alarm_raised":
        return ", ".join(name.replace("_", " ") for name in fields["raised"])
    if kind == "bolus":
        return f"bolus {fields['steps']}"
    return {"commit": "program"}.get(kind, kind)
