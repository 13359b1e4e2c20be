"""`dosebench bundle`: what a bug report needs, in one file."""

from __future__ import annotations

from pathlib import Path

import click

from dosebench.base.errors import DosebenchError
from dosebench.cli import options, pump
from dosebench.cli import output as common
from dosebench.link import ports
from dosebench.report.bug_report import Bundle, add_pump, add_simulation, add_versions
from dosebench.twin.persistent import SimOptions, sims_dir


@click.command()
@options.port_options
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("dosebench-report.zip"),
    show_default=True,
    help="The zip file to write.",
)
@options.json_option
def bundle(port: str | None, baud: int, *, output: Path, as_json: bool) -> None:
    """Pack versions, the pump's answers, its journal and the last frames into a zip file, for a bug report.

    Keys are never in it. Without a pump that answers it holds what there is, and says what is missing.
    """
    made = Bundle()
    add_versions(made)
    try:
        _add_pump(made, port, baud)
    except DosebenchError as error:
        made.problems.append(f"pump: {error}")
        _add_transcript(made, getattr(error, "transcript", ()))
    made.write_zip(output)
    values = {"file": str(output), "files": sorted(made.files), "problems": made.problems}
    missing = "".join(f"\nmissing: {problem}" for problem in made.problems)
    common.print_answer(as_json, values, f"{output}: {', '.join(sorted(made.files))}{missing}")


def _add_pump(made: Bundle, port: str | None, baud: int) -> None:
    chosen = ports.choose_port(port)
    with pump.connect_pump(chosen, baud) as client:
        add_pump(made, client)
        _add_transcript(made, client.read_transcript())
    if chosen.startswith("sim:"):
        _add_simulation(made, chosen)


def _add_simulation(made: Bundle, url: str) -> None:
    name = SimOptions.parse_url(url).name
    if name:
        made.try_part("simulated board", lambda: add_simulation(made, sims_dir() / name))


def _add_transcript(made: Bundle, lines: tuple[str, ...]) -> None:
    if lines:
        made.files["transcript.txt"] = "".join(f"{line}\n" for line in lines).encode()
