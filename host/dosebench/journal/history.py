"""What a journal says was asked for and delivered, as an exact expectation and as counted steps.

The pump's records carry its lifetime step count as an interval [low, high], which is a single number except after a
loss of power. Its commands, and the programs that its commits name, are told to a perfect pump (`expected`): that gives
the schedule that it should have followed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from dosebench_protocol.records import Record

from dosebench.therapy.expected_delivery import HALF, Expected

if TYPE_CHECKING:
    from dosebench.therapy.program import Program

DAY_MS: Final = 86_400_000
LATE_MS: Final = 1_000
"""How late a step may be while a bolus runs: one motor serves all streams, and records are written between steps."""
EPOCH: Final = datetime(2000, 1, 1)
EVENTS: Final = frozenset(
    {"bolus", "patient_bolus", "square", "prime", "patency", "refill", "commit", "stop", "start", "boot"}
    | {"alarm_raised"}
)
"""Record kinds that a figure marks."""
CARRIED: Final = frozenset({"host_done", "host_refused", "filled"})
"""Record kinds that repeat what an older record said of a command or a refill, its counts included."""


class Calendar:
    """Local time of records: what the journal's own clock records say. Feed it all records, in order."""

    def __init__(self) -> None:
        self._zero: datetime | None = None

    def local_time(self, record: Record) -> datetime | None:
        """Local time of this record, None where the pump's clock was not set since it last lost its power."""
        passed = timedelta(days=record.day, milliseconds=record.ms)
        if record.kind == "boot":
            self._zero = None
        elif record.kind == "clock" or (record.kind == "calendar" and record.clock_known):
            try:
                self._zero = EPOCH + timedelta(days=record.local_days, milliseconds=record.local_ms) - passed
            except OverflowError:
                # No calendar has this date, so no firmware wrote it.
                self._zero = None
        return self._zero + passed if self._zero is not None else None


def record_json(record: Record, local: datetime | None) -> dict[str, Any]:
    """A record as JSON values: its number, both times, kind, fields by name, chain value in hex."""
    return {
        "sequence": record.sequence,
        "day": record.day,
        "ms": record.ms,
        "local_time": local.isoformat(timespec="milliseconds") if local else None,
        "kind": record.kind,
        "fields": json_fields(record.fields),
        "chain": record.chain.hex(),
    }


def json_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of a record as JSON values: ids and hashes in hex."""
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in fields.items()}


def pump_ms(record: Record) -> int:
    """Pump time of a record, in milliseconds since commissioning."""
    return record.day * DAY_MS + record.ms


@dataclass(frozen=True)
class Point:
    """The pump's count at one record: lifetime steps are between `low` and `high` at `t_ms` of pump time.

    A step that was made up to it, since the point before, has `step_nl` nL; None where the journal does not say.
    """

    t_ms: int
    low: int
    high: int
    step_nl: Fraction | None = None


@dataclass(frozen=True)
class History:
    """A journal as a schedule and as what was counted.

    Attributes:
        expected: What a perfect pump did that was asked for the same, in pump time.
        points: What it counted, in order of time; never empty.
        program: The newest program that could be found.
        marks: Events for a figure: (pump time in ms, label).
        missed_steps: Steps that were due and that the pump says it did not make.
        unknown_programs: Heads of program hashes that nobody on this host knows; their time counts as no delivery.
        disagreements: Patient boluses that the pump gave or refused against its lockout and count, as sentences.
    """

    expected: Expected
    points: tuple[Point, ...]
    program: Program | None
    marks: tuple[tuple[int, str], ...]
    missed_steps: int
    unknown_programs: tuple[bytes, ...]
    disagreements: tuple[str, ...] = ()

    @property
    def start_ms(self) -> int:
        """Pump time of the first point."""
        return self.points[0].t_ms

    def expected_steps(self, t_ms: int) -> Fraction:
        """Steps that a perfect pump would have made since the first point."""
        return self.expected.ideal_steps(t_ms) - self.expected.ideal_steps(self.start_ms)

    @property
    def limit(self) -> Fraction:
        """How far a sound pump's count may be from the expected one, in steps.

        A step, whose fraction the first point cuts off; more where boluses ran, and half a step for each reset.
        """
        boluses = self.expected.allowed_deviation(LATE_MS) if self.expected.given else Fraction(1)
        return max(Fraction(1), boluses) + self.expected.resets * HALF

    def volumes_nl(self) -> list[tuple[Fraction, Fraction]]:
        """Delivered (the low end) and expected volume since the first point, at every point, in nL.

        Each step counts as what it was when it was made: a pump that was calibrated meanwhile has other steps. What the
        journal does not say is the step of the newest program; without one there is no volume.
        """
        default = self.program.step_nl if self.program else Fraction(0)
        delivered = expected = Fraction(0)
        volumes = [(delivered, expected)]
        due = [self.expected_steps(point.t_ms) for point in self.points]
        for at, (before, point) in enumerate(pairwise(self.points)):
            step_nl = default if point.step_nl is None else point.step_nl
            delivered += (point.low - before.low) * step_nl
            expected += (due[at + 1] - due[at]) * step_nl
            volumes.append((delivered, expected))
        return volumes

    def list_deviations(self) -> list[Fraction]:
        """Counted (the low end) less expected steps at every point."""
        base = self.points[0].low
        return [point.low - base - self.expected_steps(point.t_ms) for point in self.points]


@dataclass
class _Walk:
    """State while the records are read."""

    program_of: Callable[[bytes], Program | None]
    expected: Expected = field(default_factory=Expected)
    program: Program | None = None
    running: bool = False
    alarms: set[str] = field(default_factory=set)
    clearing: set[str] = field(default_factory=set)
    latched: list[str] = field(default_factory=list)
    alarm_count: int = 0
    points: list[Point] = field(default_factory=list)
    marks: list[tuple[int, str]] = field(default_factory=list)
    unknown: list[bytes] = field(default_factory=list)
    missed: int = 0
    titration_day: int = 0
    commit_high: int = 0
    period_from: int = 0
    period_begins: bool = False
    whole: bool = False
    step_nl: Fraction | None = None
    disagreements: list[str] = field(default_factory=list)

    def apply_record(self, record: Record) -> None:
        fields, kind, t_ms = record.fields, record.kind, pump_ms(record)
        self.whole = self.whole or record.sequence == 0
        self.expected.advance_to(t_ms)
        self._apply_program(kind, fields, t_ms)
        self._apply_running(kind, fields, t_ms)
        self._apply_bolus(kind, fields, t_ms)
        self._apply_clock(kind, fields, t_ms)
        self._apply_alarm(kind, fields, t_ms)
        # Some records carry the counts of an old command; some others only one end.
        if kind not in CARRIED and "low_steps" in fields and "high_steps" in fields:
            self.points.append(Point(t_ms, fields["low_steps"], fields["high_steps"], self.step_nl))
        elif kind == "calibration":
            self._apply_calibration(fields)
        self.missed = fields.get("missed_steps", self.missed)
        self.titration_day = fields.get("titration_day", self.titration_day)
        if kind in EVENTS:
            self.marks.append((t_ms, _label_record(kind, fields)))

    def _apply_calibration(self, fields: dict[str, Any]) -> None:
        """From here on a step has another volume; all before the first such record had the old one."""
        if self.step_nl is None:
            old = Fraction(fields["old_nl_num"], fields["old_nl_den"])
            self.points = [replace(point, step_nl=old) for point in self.points]
        self.step_nl = Fraction(fields["step_nl_num"], fields["step_nl_den"])

    def _apply_program(self, kind: str, fields: dict[str, Any], t_ms: int) -> None:
        if kind == "worth":
            self.period_begins = fields["period_begins"]
        elif kind == "identity":
            self.commit_high = fields["commit_high_steps"]
        elif kind == "commit":
            self.commit_high, self.titration_day = fields["high_steps"], 0
            if self.period_begins:
                self.period_from = t_ms
        if kind == "commit" or (kind == "identity" and self.program is None):
            head = fields["program_hash_head"]
            self.program = self.program_of(head) if any(head) else None
            if self.program is None and any(head) and head not in self.unknown:
                self.unknown.append(head)
            self._put_in_force(t_ms)

    def _put_in_force(self, t_ms: int) -> None:
        pump = self.expected.pump
        if self.program is None:
            pump.stop_delivery(t_ms)
            return
        pump.commit_program(t_ms, self.program)
        if self.running and not pump.running:
            pump.start_delivery(t_ms)

    def _apply_running(self, kind: str, fields: dict[str, Any], t_ms: int) -> None:
        pump, before = self.expected.pump, self.running
        if kind == "start":
            self.running, self.period_from = True, t_ms
        elif kind in ("stop", "close"):
            self.running = False
            pump.stop_delivery(t_ms)
        elif kind == "state":
            self.running = fields["running"]
        elif kind == "boot" and self.program is not None:
            self._apply_reset(fields["high_steps"], t_ms)
        if self.running and not before and self.program is not None and not pump.running:
            pump.start_delivery(t_ms)

    def _apply_reset(self, high: int, t_ms: int) -> None:
        assert self.program is not None
        bridge_left = max(0, self.program.bridge_steps - (high - self.commit_high))
        periodic_ms = max(1, self.program.periodic_ms - (t_ms - self.period_from))
        self.expected.record_reset(
            t_ms, titration_day=self.titration_day, bridge_left=bridge_left, periodic_ms=periodic_ms
        )

    def _apply_bolus(self, kind: str, fields: dict[str, Any], t_ms: int) -> None:
        pump = self.expected.pump
        if kind == "bolus":
            pump.ask_bolus(t_ms, fields["steps"])
        elif kind == "patient_bolus":
            self._apply_patient(pump.ask_patient_bolus(t_ms), t_ms, "")
        elif kind == "refused" and fields["reason"] in ("lockout", "patient_count"):
            self._apply_patient(pump.patient_wait_ms == 0, t_ms, fields["reason"])
        elif kind == "prime":
            pump.ask_priming(t_ms, fields["steps"])
        elif kind == "patency":
            pump.ask_patency(t_ms, fields["steps"], fields["step_every_ms"])
        elif kind == "square":
            pump.ask_square_bolus(t_ms, fields["steps"], fields["duration_ms"])
        elif kind == "periodic_bolus":
            self.period_from = t_ms
        elif kind == "bolus_cancel" or (kind == "bolus_end" and _is_cut_short(fields)):
            pump.cancel_bolus(t_ms)
        elif kind == "square_cancel" or (kind == "square_end" and _is_cut_short(fields)):
            pump.cancel_square(t_ms)

    def _apply_patient(self, may: bool, t_ms: int, reason: str) -> None:
        """Whether a patient's bolus was due, and why the pump refused it; empty where it gave it."""
        if may == bool(reason) and self.program is not None:
            what = f"was refused ({reason}) and should have been given" if reason else "should have been refused"
            self.disagreements.append(f"the patient bolus on pump day {t_ms / DAY_MS:.3f} {what}")

    def _apply_clock(self, kind: str, fields: dict[str, Any], t_ms: int) -> None:
        pump = self.expected.pump
        if kind != "clock" and not (kind == "calendar" and self._begins_pattern(fields)):
            return
        if self.program is not None and self.program.mode == "flex" and not (self.whole or pump.pattern_clock.known):
            # The beginning of the journal is gone, and with it the time of day that the patterns went by.
            self.points.clear()
        self.whole = True
        pump.set_clock(t_ms, fields["local_days"], fields["local_ms"])

    def _begins_pattern(self, fields: dict[str, Any]) -> bool:
        """Whether a checkpoint tells the time that the patterns go by, which nothing before it did."""
        return fields["clock_known"] and not fields["pattern_lag_ms"] and not self.expected.pump.pattern_clock.known

    def _apply_alarm(self, kind: str, fields: dict[str, Any], t_ms: int) -> None:
        before = frozenset(self.alarms)
        if kind == "alarm_raised":
            self.alarms.add(fields["alarm"])
        elif kind in ("alarm_ended", "alarm_displaced"):
            self.alarms.discard(fields["alarm"])
        elif kind in ("clear_list", "alarm_cleared"):
            self._apply_clearing(kind, fields)
        elif kind in ("state", "latched"):
            self._apply_latched(kind, fields)
        if before != self.alarms or kind == "commit":
            self.expected.apply_alarms(t_ms, self.alarms)

    def _apply_clearing(self, kind: str, fields: dict[str, Any]) -> None:
        """The alarms of a `clear_list` are cleared by the `alarm_cleared` that follows."""
        self.clearing |= set(fields["alarms"])
        if kind == "alarm_cleared":
            self.alarms -= self.clearing
            self.clearing = set()

    def _apply_latched(self, kind: str, fields: dict[str, Any]) -> None:
        """A checkpoint says how many alarms are latched, then which. Nothing changes before all of them are known."""
        if kind == "state":
            self.alarm_count, self.latched = fields["alarm_count"], []
        else:
            self.latched += fields["alarms"]
        if len(self.latched) == self.alarm_count:
            self.alarms = set(self.latched)


def _is_cut_short(fields: dict[str, Any]) -> bool:
    """Whether a bolus ended before its time: at a cap, or by a loss of power."""
    return bool(fields["end_reason"] != "completed")


def build_history(records: Iterable[Record], program_of: Callable[[bytes], Program | None]) -> History | None:
    """The history that records tell.

    Args:
        records: In order.
        program_of: The program of a hash with this head (`records.hash_head`); None where it is not known.

    Returns:
        The history; None when no record holds a step count.
    """
    walk = _Walk(program_of)
    for record in records:
        walk.apply_record(record)
    if not walk.points:
        return None
    return History(
        walk.expected,
        tuple(walk.points),
        walk.program,
        tuple(walk.marks),
        walk.missed,
        tuple(walk.unknown),
        tuple(walk.disagreements),
    )


def _label_record(kind: str, fields: dict[str, Any]) -> str:
    if kind == "alarm_raised":
        return str(fields["alarm"]).replace("_", " ")
    if "steps" in fields and kind != "refill":
        return f"{kind.replace('_bolus', '')} {fields['steps']}"
    return {"commit": "program"}.get(kind, kind)
