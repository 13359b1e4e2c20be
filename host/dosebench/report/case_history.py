"""What a scenario showed, told in order of time: chapters, and the tables that go with them. For people.

Nothing here judges; `scenario` and `expectations` have done that. Volumes become mL and uL, times "day 412, 09:30" by
the bench's calendar, whose day 0 is the day of the start.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from importlib.metadata import version
from typing import Final

from dosebench_protocol.alarms import ALARMS, EFFECTS
from dosebench_protocol.records import Record

from dosebench.base import units
from dosebench.base.units import DAY_MS, HOUR_MS
from dosebench.base.words import count_noun
from dosebench.simulation.scenario_result import AlarmSpan, Done, ScenarioResult, calendar_of, day_of
from dosebench.therapy.energy import ERI_DAYS
from dosebench.therapy.program import Program
from dosebench.twin.faults import KINDS

YEAR_MS: Final = 365 * DAY_MS
TOGETHER_SHARE: Final = 400
"""Events closer than this share of the whole length are told in one chapter; at most `TOGETHER_MS` apart."""
TOGETHER_MS: Final = 3 * DAY_MS
SHORT_MS: Final = 2 * DAY_MS
"""Up to this length a scenario is told in minutes."""
QUIET_ACTS: Final = {"refill", "patient_bolus", "bolus", "square"}
"""Acts of which a chapter is not made where nothing else happens: tables and the calm between chapters have them."""
LATE_MS: Final = 60_000
"""A sample that is due together with an act is taken after it."""
CAUSED: Final = {
    *("occlusion", "leak", "free_flow", "over_infusion", "under_infusion", "air", "over_temperature", "sensor_fault"),
    *("motor_stall", "motor_runaway", "reservoir_disagrees", "refill_mismatch", "selftest_failed"),
}
"""Alarms that a fault of the bench may have caused: told with the time since it."""
LINES_MAX: Final = 40
"""Most lines of one chapter; what comes over and over is counted instead."""


@dataclass(frozen=True)
class Line:
    """A sentence of a chapter. `kind`: "bench", "pump", "note", or "wrong" for an expectation that was not met."""

    at_ms: int
    text: str
    kind: str


@dataclass
class Chapter:
    """What belongs together: `title` names it, `lines` tell it."""

    title: str
    from_ms: int
    to_ms: int
    lines: list[Line] = field(default_factory=list)
    quiet: bool = False


@dataclass(frozen=True)
class Refill:
    """A refill: what the pump expected and what was withdrawn and filled, in mL; the ratio of delivered to reckoned."""

    at_ms: int
    expected_ml: float
    withdrawn_ml: float | None
    filled_ml: float
    ratio: float | None
    flag: str


@dataclass(frozen=True)
class Reset:
    """A loss of power: why, and between how many steps and how much drug nobody knows whether it was delivered."""

    at_ms: int
    cause: str
    unsure_steps: int
    unsure_ug: float


@dataclass(frozen=True)
class Year:
    """Drug of one year, in ug: ordered, delivered by the motor's steps, and what left the catheter's tip."""

    number: int
    days: float
    ordered_ug: float
    stepped_ug: float
    tip_ug: float


@dataclass(frozen=True)
class CaseHistory:
    """A scenario as a case history; `run` is what it was made from."""

    run: ScenarioResult
    title: str
    header: list[tuple[str, str]]
    chapters: list[Chapter]
    refills: list[Refill]
    resets: list[Reset]
    years: list[Year]
    dates: list[tuple[str, str]]
    boluses: list[tuple[str, int, int]]
    charges: list[tuple[str, float, float]]

    @property
    def alarms(self) -> list[AlarmSpan]:
        """Every alarm, in order of time."""
        return self.run.alarms


def write_history(run: ScenarioResult, title: str, regimen: str) -> CaseHistory:
    """The case history of a run.

    Args:
        run: What happened.
        title: One line that names the therapy.
        regimen: The regimen's file.
    """
    scenario = run.scenario
    header = [
        ("scenario", f"{scenario.title} ({scenario.file})" if scenario.title else scenario.file),
        ("regimen", f"{title} ({regimen})"),
        ("pump", f"profile {run.profile}, seed {run.seed}"),
        ("firmware", f"{run.firmware} on {run.runtime_version} ({run.runtime})"),
        ("dosebench", version("dosebench")),
        ("watched", f"{format_length(scenario.length_ms)}, from {calendar_of(0)}"),
    ]
    story = _Story(run)
    return CaseHistory(
        run=run,
        title=scenario.title or title,
        header=header,
        chapters=story.build_chapters(),
        refills=_list_refills(run),
        resets=_list_resets(run),
        years=_list_years(run),
        dates=_list_dates(run),
        boluses=_count_boluses(run),
        charges=_list_charges(run),
    )


# Words


def format_moment(at_ms: int, run: ScenarioResult) -> str:
    """A moment of a run: "minute 295.5" in a short one, else "day 412, 09:30" by the bench's calendar."""
    if run.length_ms <= SHORT_MS:
        return f"minute {(at_ms + run.scenario.starts_at_ms) / 60_000:.4g}"
    return f"day {day_of(at_ms)}, {calendar_of(at_ms)[11:]}"


def format_length(ms: float) -> str:
    """A length of time for people."""
    return units.show_span(Fraction(round(ms)))


def format_volume(nl: float) -> str:
    """A volume for people, in the unit that fits."""
    return f"{nl / 1e6:.4g} mL" if abs(nl) >= 1e6 else f"{nl / 1e3:.3g} uL"


def format_drug(ug: float) -> str:
    """An amount of drug for people."""
    return f"{ug / 1000:.4g} mg" if abs(ug) >= 10_000 else f"{ug:.4g} ug"


def name_of(alarm: str) -> str:
    """An alarm's name without underscores."""
    return alarm.replace("_", " ")


def _faults_shown(done: Done) -> str:
    return ", ".join(name_of(name) + (f" = {value}" if value else "") for name, value in done.event.table.fault or ())


# Chapters

Told = tuple[Line, str, bool]
"""A line, a word for the title of its chapter, and whether it makes a chapter."""
class _Story:
    """Everything that is worth a line, sorted into chapters."""

    def __init__(self, run: ScenarioResult) -> None:
        self.run = run
        self.short = run.length_ms <= SHORT_MS
        self.stops = list(_list_stops(run))
        self.faults = [(_faults_shown(done), done.at_ms) for done in run.acts if done.act == "fault"]

    def build_chapters(self) -> list[Chapter]:
        events = sorted(self._list_events(), key=lambda event: event[0].at_ms)
        apart = min(TOGETHER_MS, self.run.length_ms // TOGETHER_SHARE) if not self.short else HOUR_MS
        groups: list[list[Told]] = []
        for event in events:
            if groups and event[0].at_ms - groups[-1][-1][0].at_ms <= apart:
                groups[-1].append(event)
            else:
                groups.append([event])
        return list(
            self._with_calm([self._build_chapter(group) for group in groups if any(loud for _, _, loud in group)])
        )

    def _build_chapter(self, group: Sequence[Told]) -> Chapter:
        names = list(dict.fromkeys(word for _, word, _ in group if word))
        title = ", ".join(names[:4]) + (" and more" if len(names) > 4 else "")
        lines = [line for line, _, _ in group]
        if len(lines) > LINES_MAX:
            more = len(lines) - LINES_MAX
            lines = [*lines[:LINES_MAX], Line(lines[-1].at_ms, f"{more} more lines like these.", "note")]
        return Chapter(title or "as planned", lines[0].at_ms, lines[-1].at_ms, lines)

    def _with_calm(self, chapters: Sequence[Chapter]) -> Iterator[Chapter]:
        """The chapters with what lies between them in a sentence."""
        at = 0
        for chapter in chapters:
            yield from self._calm_chapters(at, chapter.from_ms)
            yield chapter
            at = chapter.to_ms
        yield from self._calm_chapters(at, self.run.length_ms)

    def _calm_chapters(self, from_ms: int, to_ms: int) -> Iterator[Chapter]:
        if to_ms - from_ms < self.run.length_ms / 50:
            return
        told = [done for done in self.run.acts if from_ms < done.at_ms < to_ms and done.outcome == "done"]
        counts = Counter(done.act.replace("_", " ") for done in told if done.act in QUIET_ACTS)
        steps = self._steps_in(from_ms, to_ms)
        program = _program_at(self.run, from_ms)
        made = f"{format_volume(float(steps * program.step_nl))} in {count_noun(steps, 'step')}"
        what = made if steps else "the pump stands still"
        also = "".join(f", {count_noun(count, name)}" for name, count in counts.items())
        text = f"{format_length(to_ms - from_ms)} without incident: {what}{also}."
        yield Chapter("calm", from_ms, to_ms, [Line(from_ms, text, "note")], quiet=True)

    def _steps_in(self, from_ms: int, to_ms: int) -> int:
        times = [sample.at_ms for sample in self.run.samples]
        first = self.run.samples[max(bisect_right(times, from_ms) - 1, 0)]
        last = self.run.samples[min(bisect_left(times, to_ms), len(times) - 1)]
        return last.steps - first.steps

    def _list_events(self) -> Iterator[Told]:
        for done in self.run.acts:
            yield from self._describe_act(done)
        proof = False
        for at_ms, record in self.run.records:
            # The bite that proves the watchdog is no reset that anybody needs to hear of.
            if at_ms >= 0 and not (record.kind == "boot" and proof):
                yield from self._describe_record(at_ms, record)
            proof = record.kind == "watchdog_test"
        for verdict in self.run.verdicts:
            if not verdict.met:
                text = f"Expected {verdict.asked}, but {verdict.found}."
                yield Line(verdict.at_ms, text, "wrong"), "not as expected", True

    def _describe_act(self, done: Done) -> Iterator[Told]:
        table = done.event.table
        if table.note and done.act != "mend":
            yield Line(done.at_ms, table.note, "note"), "", False
        if done.act == "note":
            return
        if done.outcome != "done":
            reason = done.outcome.removeprefix("refused: ")
            word = done.act.replace("_", " ")
            yield Line(done.at_ms, f"The pump refuses: {word} ({reason}).", "pump"), f"{word} refused", True
            return
        teller = getattr(self, f"_describe_act_{done.act}", None)
        if teller is not None:
            text, word = teller(done)
            yield Line(done.at_ms, text, "bench"), word, self.short or done.act not in QUIET_ACTS

    def _describe_act_patient_bolus(self, done: Done) -> tuple[str, str]:
        return f"The patient asks for a bolus and gets it: {self._describe_dose(done)}.", self._title_word(
            "patient bolus"
        )

    def _describe_act_bolus(self, done: Done) -> tuple[str, str]:
        return f"A clinician's bolus: {self._describe_dose(done)}.", self._title_word("bolus")

    def _describe_act_square(self, done: Done) -> tuple[str, str]:
        return (
            f"A square bolus: {self._describe_dose(done)} over {format_length(done.event.table.over or 0)}.",
            self._title_word("square bolus"),
        )

    def _describe_dose(self, done: Done) -> str:
        steps = int(done.details["steps"])
        return (
            f"{format_drug(float(steps * _program_at(self.run, done.at_ms).step_ng / 1000))} "
            f"({count_noun(steps, 'step')})"
        )

    def _describe_act_refill(self, done: Done) -> tuple[str, str]:
        found = done.details
        text = f"Refill to {format_volume(found['filled_nl'])}; {format_volume(found['expected_nl'])} were expected"
        if found["withdrawn_nl"] is not None:
            text += f", {format_volume(found['withdrawn_nl'])} were withdrawn"
        if found["truly_nl"] != found["filled_nl"]:
            text += f"; in truth it holds {format_volume(found['truly_nl'])}"
        return f"{text}.", self._title_word("refill")

    def _title_word(self, word: str) -> str:
        """A word for a title where every act has a chapter."""
        return word if self.short else ""

    def _describe_act_fault(self, done: Done) -> tuple[str, str]:
        table = done.event.table
        names = [name for name, _ in table.fault or ()]
        lasting = f", for {format_length(table.lasting)}" if table.lasting else ""
        meaning = " ".join(KINDS[name].meaning for name in names)
        return f"The bench breaks something: {_faults_shown(done)}{lasting}. {meaning}", ", ".join(map(name_of, names))

    def _describe_act_mend(self, done: Done) -> tuple[str, str]:
        names = ", ".join(map(name_of, done.details["faults"])) or "nothing was broken"
        text, word = f"Mended by the bench: {names}.", f"{names} mended"
        held = done.details["held_nl"]
        if held >= 1_000:
            text += f" The line held {format_volume(held)} back, which leave now."
        return text, word

    def _describe_act_clear(self, done: Done) -> tuple[str, str]:
        names = ", ".join(map(name_of, done.details["alarms"]))
        return f"A person clears {names or 'all alarms'}.", "cleared"

    def _describe_act_start(self, done: Done) -> tuple[str, str]:
        text = "Delivery is started."
        for from_ms, to_ms in self.stops:
            if to_ms is not None and abs(to_ms - done.at_ms) < 2_000:
                missed = float(_program_at(self.run, from_ms).daily_ng / 1000) * (to_ms - from_ms) / DAY_MS
                text = (
                    f"Delivery is started; it stood still for {format_length(to_ms - from_ms)}: "
                    f"{format_drug(missed)} were missed."
                )
        return text, ""

    def _describe_act_stop(self, done: Done) -> tuple[str, str]:
        del done
        return "Delivery is stopped.", "stopped"

    def _describe_act_set_clock(self, done: Done) -> tuple[str, str]:
        return f"The calendar is set to {done.details['local_time'].replace('T', ' ')}.", ""

    def _describe_act_silence(self, done: Done) -> tuple[str, str]:
        return f"The tones are silenced for {format_length(done.event.table.silence or 0)}.", ""

    def _describe_act_program(self, done: Done) -> tuple[str, str]:
        before, after = done.details["before_ug"], done.details["after_ug"]
        return (
            f"A new therapy: {format_drug(after)} a day in place of {format_drug(before)} "
            f"({done.event.table.program}).",
            "new therapy",
        )

    def _describe_act_brown_out(self, done: Done) -> tuple[str, str]:
        return f"The power fails for {units.show_time(done.details['off_ms'])}.", "brown-out"

    def _describe_record(self, at_ms: int, record: Record) -> Iterator[Told]:
        teller = getattr(self, f"_record_{record.kind}", None)
        if teller is not None:
            yield from teller(at_ms, record)

    def _record_alarm_raised(self, at_ms: int, record: Record) -> Iterator[Told]:
        name, priority = record.alarm, record.priority
        plan = ALARMS[name]
        if plan.escalates == priority != plan.priority:
            yield Line(at_ms, f"{name_of(name)} has lasted so long that it is {priority} now.", "pump"), "", True
            return
        effect = "" if name == "pump_stopped" else f": {EFFECTS[plan.effect]}"
        text = f"The pump raises {name_of(name)} ({priority}){effect}."
        fault = max((each for each in self.faults if each[1] <= at_ms), key=lambda each: each[1], default=None)
        if fault is not None and name in CAUSED:
            text += f" That is {format_length(at_ms - fault[1])} after {fault[0]}."
        yield Line(at_ms, text, "pump"), name_of(name), True

    def _record_alarm_ended(self, at_ms: int, record: Record) -> Iterator[Told]:
        yield Line(at_ms, f"Ended by itself: {name_of(record.alarm)}.", "pump"), "", False

    def _record_alarm_displaced(self, at_ms: int, record: Record) -> Iterator[Told]:
        text = f"More alarms are on than the pump can show: {name_of(record.alarm)} gives way."
        yield Line(at_ms, text, "pump"), "", True

    def _record_boot(self, at_ms: int, record: Record) -> Iterator[Told]:
        fields = record.fields
        low, high, cause = fields["low_steps"], fields["high_steps"], fields["reset_cause"]
        unsure = high - low
        ug = format_drug(float(unsure * _program_at(self.run, at_ms).step_ng / 1000))
        text = f"The pump starts ({name_of(cause)}) and counts {low} to {high} steps in its life: {ug} are unsure."
        yield Line(at_ms, text, "pump"), "" if cause in ("brown_out", "power_on") else name_of(cause), False

    def _record_missed(self, at_ms: int, record: Record) -> Iterator[Told]:
        fields = record.fields
        steps = fields["missed_now_steps"]
        text = f"{count_noun(steps, 'step')} that came due {'was' if steps == 1 else 'were'} not made."
        yield Line(at_ms, text, "pump"), "", False

    def _record_refill_check(self, at_ms: int, record: Record) -> Iterator[Told]:
        fields = record.fields
        flag, permille = fields["flag"], fields["ratio_permille"]
        if flag in ("too_little", "too_much"):
            ratio = "" if permille is None else f", {permille / 1000:.3f} of what the steps say"
            yield (
                Line(at_ms, f"The refill shows that {flag.replace('_', ' ')} was delivered{ratio}.", "pump"),
                "refill",
                True,
            )

    def _record_service(self, at_ms: int, record: Record) -> Iterator[Told]:
        fields = record.fields
        if fields["battery_mv"]:
            text = f"The battery is at {fields['battery_mv']} mV, the level of its elective replacement."
            yield Line(at_ms, text, "pump"), "elective replacement", True


# Tables


def _program_at(run: ScenarioResult, at_ms: int) -> Program:
    return [program for since, program in run.programs if since <= max(at_ms, 0)][-1]


def _list_stops(run: ScenarioResult) -> Iterator[tuple[int, int | None]]:
    """(from, to) of every standstill after the first start; None where it lasts."""
    since: int | None = None
    for at_ms, record in run.records:
        if record.kind in ("close", "stop") and at_ms > 0 and since is None:
            since = at_ms
        elif record.kind == "start" and since is not None:
            yield since, at_ms
            since = None
    if since is not None:
        yield since, None


def _list_refills(run: ScenarioResult) -> list[Refill]:
    checks = [(at_ms, record.fields) for at_ms, record in run.records if record.kind == "refill_check"]
    found = []
    for done in run.acts:
        if done.act != "refill" or done.outcome != "done":
            continue
        near = [fields for at_ms, fields in checks if done.at_ms - 1_000 <= at_ms <= done.at_ms + 10_000]
        permille = near[0]["ratio_permille"] if near else None
        details = done.details
        found.append(
            Refill(
                at_ms=done.at_ms,
                expected_ml=details["expected_nl"] / 1e6,
                withdrawn_ml=None if details["withdrawn_nl"] is None else details["withdrawn_nl"] / 1e6,
                filled_ml=details["filled_nl"] / 1e6,
                ratio=None if permille is None else permille / 1000,
                flag=str(near[0]["flag"]).replace("_", " ") if near else "not withdrawn",
            )
        )
    return found


def _list_resets(run: ScenarioResult) -> list[Reset]:
    found, before, proof = [], 0, False
    for at_ms, record in run.records:
        if record.kind == "boot":
            unsure = record.fields["high_steps"] - record.fields["low_steps"]
            if at_ms > 0 and not proof:
                ug = float((unsure - before) * _program_at(run, at_ms).step_ng / 1000)
                found.append(Reset(at_ms, name_of(record.fields["reset_cause"]), unsure - before, ug))
            before = unsure
        proof = record.kind == "watchdog_test"
    return found


def _list_years(run: ScenarioResult) -> list[Year]:
    years = []
    times = [sample.at_ms for sample in run.samples]
    for number in range(-(-run.length_ms // YEAR_MS)):
        from_ms, to_ms = number * YEAR_MS, min((number + 1) * YEAR_MS, run.length_ms)
        first = max(bisect_right(times, from_ms + LATE_MS) - 1, 0)
        last = max(bisect_right(times, to_ms + LATE_MS) - 1, 0)
        stepped, tip = _drug_between(run, first, last)
        years.append(Year(number + 1, (to_ms - from_ms) / DAY_MS, _ordered_drug(run, from_ms, to_ms), stepped, tip))
    return years


def _drug_between(run: ScenarioResult, first: int, last: int) -> tuple[float, float]:
    """Drug by steps and at the tip between two samples, in ug, each at the concentration of its time."""
    stepped = tip = 0.0
    for before, after in zip(run.samples[first:last], run.samples[first + 1 : last + 1], strict=True):
        program = _program_at(run, before.at_ms)
        stepped += (after.steps - before.steps) * float(program.step_ng / 1000)
        tip += (after.delivered_nl - before.delivered_nl) * float(program.concentration / 1000)
    return stepped, tip


def _ordered_drug(run: ScenarioResult, from_ms: int, to_ms: int) -> float:
    """Drug of the therapies' days and of the boluses that were accepted, in ug."""
    total, ends = 0.0, [since for since, _ in run.programs[1:]] + [run.length_ms]
    for (since, program), until in zip(run.programs, ends, strict=True):
        spent = max(0, min(until, to_ms) - max(since, from_ms))
        total += float(program.daily_ng / 1000) * spent / DAY_MS
    for done in run.acts:
        if from_ms <= done.at_ms < to_ms and "steps" in done.details:
            total += float(done.details["steps"] * _program_at(run, done.at_ms).step_ng / 1000)
    return total


def _list_dates(run: ScenarioResult) -> list[tuple[str, str]]:
    found = [("implant and start", calendar_of(0)[:10])]
    for span in run.alarms:
        if span.name == "elective_replacement":
            begin = calendar_of(span.from_ms)
            found.append(("elective replacement indicator", f"{begin} (day {day_of(span.from_ms)})"))
            latest = date.fromisoformat(begin[:10]) + timedelta(days=ERI_DAYS)
            found.append((f"{ERI_DAYS} days after it", latest.isoformat()))
        if span.name == "end_of_service":
            found.append(("end of service", f"{calendar_of(span.from_ms)} (day {day_of(span.from_ms)})"))
    return found


def _count_boluses(run: ScenarioResult) -> list[tuple[str, int, int]]:
    """(kind, given, refused) of every kind that was asked for."""
    rows = []
    for act in ("patient_bolus", "bolus", "square"):
        asked = [done for done in run.acts if done.act == act]
        given = sum(done.outcome == "done" for done in asked)
        if asked:
            rows.append(({"bolus": "clinician bolus"}.get(act, act.replace("_", " ")), given, len(asked) - given))
    periodic = sum(given.kind == "periodic" for given in run.history.expected.given)
    return [*rows, *([("periodic bolus", periodic, 0)] if periodic else [])]


def _list_charges(run: ScenarioResult) -> list[tuple[str, float, float]]:
    """(what took it, mAh, share of the fresh battery), the largest first."""
    rows = [(name, uah / 1000, uah / run.battery_uah) for name, uah in run.charges_uah.items() if uah > 0]
    return sorted(rows, key=lambda row: -row[1])
