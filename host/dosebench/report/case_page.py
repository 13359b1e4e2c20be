"""A case history as a page (HTML, with its figures in it) and as Markdown, which a terminal shows as well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

from dosebench_protocol.alarms import ALARMS

from dosebench.base import units
from dosebench.base.errors import DosebenchError
from dosebench.report.case_figures import close_up_svg, overview_svg
from dosebench.report.case_history import CaseHistory, format_drug, format_length, format_moment, name_of
from dosebench.simulation.scenario_result import ScenarioResult

NEVER: Final = "A bench simulation. It is not about a person, and never for use on people."
SUFFIXES: Final = (".html", ".md")
SPILL_FAULTS: Final = {"step_volume_factor", "occlusion", "leak", "disconnect", "free_flow", "air"}
"""Faults with which the steps are right and what leaves the catheter is not."""
ROWS_MAX: Final = 400
"""Most rows of a table: what comes every hour for years is cut, and the page says so."""

Row = tuple[str, ...]


@dataclass(frozen=True)
class ReportTable:
    """A table of the report; `numbers` are the places of columns with figures."""

    title: str
    columns: tuple[str, ...]
    rows: list[Row]
    numbers: tuple[int, ...] = ()
    note: str = ""


def check_path(path: Path) -> None:
    """Raise DosebenchError for a file of which the report has no format."""
    if path.suffix not in SUFFIXES:
        raise DosebenchError(f"a report is {' or '.join(SUFFIXES)}, not {path.suffix or path.name}")


def write_report(history: CaseHistory, path: Path) -> None:
    """Write the report; its suffix chooses the format."""
    check_path(path)
    text = render_html(history) if path.suffix == ".html" else render_markdown(history)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def render_html(history: CaseHistory) -> str:
    """The report as one page that needs no other file."""
    from jinja2 import Environment, PackageLoader  # noqa: PLC0415

    environment = Environment(loader=PackageLoader("dosebench.report"), autoescape=True, trim_blocks=False)
    return environment.get_template("casehistory.html.j2").render(
        history=history,
        never=NEVER,
        version=version("dosebench"),
        verdict=state_verdict(history.run),
        judged=state_judged(history.run),
        faults=history.run.list_faults(),
        overview=overview_svg(history),
        chapters=[(chapter, close_up_svg(history, chapter)) for chapter in history.chapters],
        tables=list(build_tables(history)),
        when=partial(format_moment, run=history.run),
    )


def render_markdown(history: CaseHistory) -> str:
    """The report as Markdown, without figures."""
    run = history.run
    out = [f"# {history.title}", "", f"**{NEVER}**", ""]
    out += [f"- {name}: {text}" for name, text in history.header]
    out += ["", f"**{state_verdict(run)}** {state_judged(run)}", ""]
    out += [f"- {fault}" for fault in run.list_faults()]
    out += ["", "## The case", ""]
    for chapter in history.chapters:
        if chapter.quiet:
            out += [
                f"*{format_moment(chapter.from_ms, run)} to {format_moment(chapter.to_ms, run)}: "
                f"{chapter.lines[0].text}*",
                "",
            ]
            continue
        out += [f"### {format_moment(chapter.from_ms, run)}: {chapter.title}", ""]
        out += [f"- {format_moment(line.at_ms, run)}: {line.text}" for line in chapter.lines] + [""]
    for table in build_tables(history):
        out += [f"## {table.title}", ""]
        if table.rows:
            out += ["| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
            out += ["| " + " | ".join(row) + " |" for row in table.rows]
        else:
            out.append("None.")
        out += ["", *([table.note, ""] if table.note else [])]
    return "\n".join(out)


def state_verdict(run: ScenarioResult) -> str:
    """One sentence: whether the scenario came out as it says."""
    faults, asked = run.list_faults(), len(run.verdicts)
    expected = f"{asked} expectation{'s' * (asked != 1)} met" if asked else "no expectations in the file"
    return f"As the scenario says: {expected}." if not faults else "NOT as the scenario says."


def state_judged(run: ScenarioResult) -> str:
    """What was held against the exact schedule, and what was not: never more than is true."""
    worst = f"{units.format_decimal(run.worst, 4)} steps off at most, {units.format_decimal(run.limit, 4)} allowed"
    text = f"Every motor step was held against the exact schedule ({worst})"
    away = run.not_judged
    if away:
        spent = sum(each.to_ms - each.from_ms for each in away)
        reasons = ", ".join(dict.fromkeys(name_of(each.why) for each in away))
        text += f", except {format_length(spent)} in {len(away)} part{'s' * (len(away) > 1)} ({reasons})"
    text += "."
    if run.stops:
        times = "A stop" if len(run.stops) == 1 else f"{len(run.stops)} stops"
        text += f" {times} by a fault may have withheld the step that was due."
    spilled = _spilled_rows(run)
    if spilled:
        text += (
            f" The steps are the motor's: with {', '.join(map(name_of, spilled))} what left the catheter's tip is not "
            "what they say, and the table of years has both."
        )
    return text


def _spilled_rows(run: ScenarioResult) -> list[str]:
    set_faults = [name for done in run.acts if done.act == "fault" for name, _ in done.event.table.fault or ()]
    return [name for name in dict.fromkeys(set_faults) if name in SPILL_FAULTS]


def build_tables(history: CaseHistory) -> Iterator[ReportTable]:
    """All tables, in the order of the page."""
    yield _expectation_table(history)
    yield _alarm_table(history)
    yield _year_table(history)
    yield _refill_table(history)
    if history.boluses:
        rows: list[Row] = [(name, str(given), str(refused)) for name, given, refused in history.boluses]
        yield ReportTable("Boluses", ("kind", "given", "refused"), rows, (1, 2))
    yield _reset_table(history)
    yield ReportTable("Dates of service", ("what", "when"), [*history.dates])
    yield _battery_table(history)


def _expectation_table(history: CaseHistory) -> ReportTable:
    rows: list[Row] = [
        (format_moment(verdict.at_ms, history.run), verdict.asked, verdict.found, "yes" if verdict.met else "NO")
        for verdict in history.run.verdicts
    ]
    return ReportTable("Expectations", ("when", "expected", "found", "met"), rows[:ROWS_MAX], note=_describe_cut(rows))


def _alarm_table(history: CaseHistory) -> ReportTable:
    run = history.run
    rows: list[Row] = []
    for span in history.alarms:
        lasted = format_length((run.length_ms if span.to_ms is None else span.to_ms) - span.from_ms)
        how = {"ended": "ended by itself", "cleared": "cleared", "displaced": "displaced", "on": "still on"}[span.ended]
        plan = ALARMS[span.name]
        rows.append((format_moment(span.from_ms, run), name_of(span.name), plan.priority, lasted, how))
    columns = ("raised", "alarm", "priority", "was on for", "how it ended")
    return ReportTable("Alarms", columns, rows[:ROWS_MAX], note=_describe_cut(rows))


def _describe_cut(rows: list[Row]) -> str:
    return f"{len(rows) - ROWS_MAX} more are in the journal." if len(rows) > ROWS_MAX else ""


def _year_table(history: CaseHistory) -> ReportTable:
    rows: list[Row] = []
    for year in history.years:
        share = f"{100 * year.stepped_ug / year.ordered_ug:.2f} %" if year.ordered_ug else ""
        tip = f"{100 * year.tip_ug / year.ordered_ug:.2f} %" if year.ordered_ug else ""
        amounts = (format_drug(year.ordered_ug), format_drug(year.stepped_ug), share, format_drug(year.tip_ug), tip)
        rows.append((str(year.number), f"{year.days:.4g}", *amounts))
    columns = ("year", "days", "ordered", "by the steps", "of ordered", "at the catheter's tip", "of ordered")
    note = (
        "Ordered: the therapy's daily dose for every day, standstills included, and the boluses that were accepted. "
        "By the steps: what the motor made. At the tip: what truly left the catheter."
    )
    title = "Delivered by year" if len(rows) > 1 else "Delivered"
    return ReportTable(title, columns, rows, (0, 1, 2, 3, 4, 5, 6), note)


def _refill_table(history: CaseHistory) -> ReportTable:
    rows: list[Row] = []
    for refill in history.refills:
        withdrawn = "" if refill.withdrawn_ml is None else f"{refill.withdrawn_ml:.3f}"
        ratio = "" if refill.ratio is None else f"{refill.ratio:.3f}"
        figures = (f"{refill.expected_ml:.3f}", withdrawn, f"{refill.filled_ml:.3f}", ratio)
        rows.append((format_moment(refill.at_ms, history.run), *figures, refill.flag))
    columns = ("when", "expected [mL]", "withdrawn [mL]", "filled to [mL]", "ratio", "the pump's finding")
    note = "Ratio: what left the reservoir over what the steps say; the pump flags it outside of 0.855 to 1.145 (R23)."
    return ReportTable("Refills", columns, rows[:ROWS_MAX], (1, 2, 3, 4), note if rows else "")


def _reset_table(history: CaseHistory) -> ReportTable:
    rows: list[Row] = [
        (
            format_moment(reset.at_ms, history.run),
            reset.cause,
            f"0 to {reset.unsure_steps} steps",
            f"0 to {format_drug(reset.unsure_ug)}",
        )
        for reset in history.resets
    ]
    note = (
        "What an open lease may or may not have delivered counts as delivered for every limit, and is never repeated."
    )
    return ReportTable("Resets", ("when", "cause", "lost", "drug"), rows[:ROWS_MAX], note=note if rows else "")


def _battery_table(history: CaseHistory) -> ReportTable:
    rows: list[Row] = [
        (name.replace("_", " "), f"{mah:.1f}", f"{100 * share:.1f} %") for name, mah, share in history.charges
    ]
    total = sum(mah for _, mah, _ in history.charges)
    of = history.run.battery_uah / 1000
    rows.append(("all", f"{total:.1f}", f"{100 * total / of:.1f} %"))
    note = f"A fresh battery holds {of:.0f} mAh. By the bench's own count, over {format_length(history.run.length_ms)}."
    return ReportTable("Battery by consumer", ("what", "mAh", "of the battery"), rows, (1, 2), note)


def summary_rows(history: CaseHistory) -> list[tuple[str, str]]:
    """Label and text of each line of the table that a terminal shows."""
    run = history.run
    stepped, ordered = sum(y.stepped_ug for y in history.years), sum(y.ordered_ug for y in history.years)
    tip = sum(year.tip_ug for year in history.years)
    met = sum(verdict.met for verdict in run.verdicts)
    alarms = ", ".join(dict.fromkeys(name_of(span.name) for span in run.alarms)) or "none"
    flagged = [refill for refill in history.refills if refill.flag in ("too little", "too much")]
    return [
        ("ordered", format_drug(ordered)),
        ("by the steps", format_drug(stepped)),
        ("at the tip", format_drug(tip)),
        ("exactness", state_judged(run)),
        ("expectations", f"{met} of {len(run.verdicts)} met"),
        ("alarms", alarms),
        ("refills", f"{len(history.refills)}, {len(flagged)} of them flagged" if history.refills else "none"),
        *[(name, text) for name, text in history.dates[1:]],
        ("journal", f"{len(run.records)} records, hash chain {'whole' if run.journal_whole else 'BROKEN'}"),
        (
            "speed",
            f"{format_length(run.length_ms)} in {run.wall_s:.3g} s on {run.runtime_version} ({run.runtime})",
        ),
    ]
