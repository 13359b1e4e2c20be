"""`dosebench simulate --scenario`: run what a file says, judge its expectations, write the case history."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dosebench.base.words import count_noun
from dosebench.cli import output
from dosebench.cli.output import title_of
from dosebench.cli.progress import show_progress
from dosebench.regimen.summary import summarize_check
from dosebench.report import case_figures, case_page
from dosebench.report.case_history import format_moment, write_history
from dosebench.report.case_page import NEVER, state_verdict, summary_rows
from dosebench.report.run_table import write_log
from dosebench.simulation import scenario
from dosebench.simulation.scenario_file import ScenarioError, load_scenario

if TYPE_CHECKING:
    from dosebench.regimen.check import CheckResult
    from dosebench.report.case_history import CaseHistory, Chapter
    from dosebench.simulation.scenario_result import AlarmSpan

DAY_MS = 86_400_000


@dataclass(frozen=True)
class Files:
    """What is written, each where it is wanted."""

    log: Path | None
    figure: Path | None
    report: Path | None


def run_scenario(
    result: CheckResult, file: Path, files: Files, runtime: Any, seed: int, *, drugs: Any, as_json: bool
) -> int:
    """Run the scenario in `file` on a checked regimen; the exit code."""
    assert result.program is not None
    assert result.profile_name is not None
    profile = result.profile_name
    if files.report is not None:
        case_page.check_path(files.report)
    try:
        read = load_scenario(file, result.program, profile, drugs)
    except ScenarioError as error:
        _show_mistakes(error, as_json)
        return 1
    with show_progress("living", "days", as_json) as advance:
        run = scenario.run_scenario(read, result.program, profile, runtime, seed, progress=advance)
    history = write_history(run, title_of(summarize_check(result)), result.file)
    _write_files(history, files)
    if as_json:
        output.print_json({"file": result.file} | run_json(history) | _list_written(files))
    else:
        _show_history(history)
    return 1 if run.list_faults() else 0


def _show_mistakes(error: ScenarioError, as_json: bool) -> None:
    if as_json:
        problems = [{"line": p.line, "key": p.key, "message": p.message, "code": p.code} for p in error.problems]
        output.print_json({"ok": False, "scenario": error.name, "errors": problems})
        return
    for problem in error.problems:
        click.echo(f"{error.name}:{problem.line}: {click.style('error', fg='red')}: {problem.message}")
    count = len(error.problems)
    click.echo(f"{error.name}: {count_noun(count, 'mistake')}; nothing was run")


def _write_files(history: CaseHistory, files: Files) -> None:
    if files.log is not None:
        write_log(files.log, [record for _, record in history.run.records])
    if files.figure is not None:
        case_figures.draw_overview(history, files.figure)
    if files.report is not None:
        case_page.write_report(history, files.report)


def _list_written(files: Files) -> dict[str, str | None]:
    named = {"log": files.log, "figure": files.figure, "report": files.report}
    return {name: None if path is None else str(path) for name, path in named.items()}


def _show_history(history: CaseHistory) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    console, run = Console(), history.run
    console.print(f"[bold]{history.title}[/]\n[dim]{NEVER}[/]", highlight=False)
    for chapter in history.chapters:
        begin = format_moment(chapter.from_ms, run)
        if chapter.quiet:
            console.print(f"[dim]{begin}: {chapter.lines[0].text}[/]", highlight=False)
            continue
        console.print(f"[bold]{begin}: {chapter.title}[/]", highlight=False)
        for line in chapter.lines:
            colour = {"wrong": "red", "note": "italic", "pump": "cyan"}.get(line.kind, "default")
            console.print(f"  {format_moment(line.at_ms, run)}: [{colour}]{line.text}[/]", highlight=False)
    table = Table(show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for label, text in summary_rows(history):
        table.add_row(label, text)
    table.add_section()
    faults = run.list_faults()
    table.add_row("verdict", f"[{'red' if faults else 'green'}]{state_verdict(run)}[/]")
    for fault in faults:
        table.add_row("", f"[red]{fault}[/]")
    console.print(table)


def run_json(history: CaseHistory) -> dict[str, Any]:
    """A case history as JSON values under stable keys; docs/CLI.md lists them."""
    run = history.run
    journal = b"".join(record.to_bytes() for _, record in run.records)
    faults = run.list_faults()
    return {
        "ok": not faults,
        "faults": faults,
        "scenario": run.scenario.file,
        "title": history.title,
        "runtime": run.runtime,
        "runtime_version": run.runtime_version,
        "firmware": run.firmware,
        "dosebench": version("dosebench"),
        "seed": run.seed,
        "days": run.length_ms / DAY_MS,
        "steps": run.samples[-1].steps,
        "max_deviation_steps": float(run.worst),
        "max_deviation_exact": str(run.worst),
        "limit_steps": float(run.limit),
        "not_judged": [
            {"from_day": each.from_ms / DAY_MS, "to_day": each.to_ms / DAY_MS, "why": each.why}
            for each in run.not_judged
        ],
        "counted_steps": {"low": run.counted_steps[0], "high": run.counted_steps[1]},
        "journal_hash": hashlib.sha256(journal).hexdigest(),
        "journal_records": len(run.records),
        "journal_whole": run.journal_whole,
        "expectations": [
            {
                "day": verdict.at_ms / DAY_MS,
                "line": verdict.line,
                "expected": verdict.asked,
                "found": verdict.found,
                "met": verdict.met,
            }
            for verdict in run.verdicts
        ],
        "alarms": [_alarm_json(span) for span in run.alarms],
        "unexpected_alarms": sorted({span.name for span in run.unexpected_alarms()}),
        "chapters": [_chapter_json(chapter) for chapter in history.chapters],
        "refills": [vars(refill) for refill in history.refills],
        "resets": [vars(reset) for reset in history.resets],
        "years": [vars(year) for year in history.years],
        "dates": dict(history.dates),
        "charge_mah": {name: mah for name, mah, _ in history.charges},
        "pump_days_per_second": round(run.length_ms / DAY_MS / run.wall_s, 2),
        "wall_s": round(run.wall_s, 3),
    }


def _alarm_json(span: AlarmSpan) -> dict[str, Any]:
    to_day = None if span.to_ms is None else span.to_ms / DAY_MS
    return {"alarm": span.name, "from_day": span.from_ms / DAY_MS, "to_day": to_day, "ended": span.ended}


def _chapter_json(chapter: Chapter) -> dict[str, Any]:
    lines = [{"day": line.at_ms / DAY_MS, "kind": line.kind, "text": line.text} for line in chapter.lines]
    return {"title": chapter.title, "from_day": chapter.from_ms / DAY_MS, "quiet": chapter.quiet, "lines": lines}
