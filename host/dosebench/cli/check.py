"""`dosebench check`."""

from __future__ import annotations

from pathlib import Path

import click

from dosebench.cli import options, output
from dosebench.cli.check_result import show_check
from dosebench.cli.options import FILE, bench_option, load_library, pump_of
from dosebench.regimen.check import check_regimen
from dosebench.regimen.summary import summarize_check


@click.command()
@click.argument("file", type=FILE)
@click.option("--previous", type=FILE, help="Regimen that this one replaces: the change is checked too.")
@click.option("--drugs", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Directory of drug files.")
@bench_option
@click.option("--confirm", is_flag=True, help="Take the warnings that need it as confirmed.")
@options.json_option
def check(
    file: Path, *, previous: Path | None, drugs: Path | None, bench: Path | None, confirm: bool, as_json: bool
) -> int:
    """Check a regimen file and show what it would deliver.

    Exit code 1 when the file has mistakes, or warnings that a person must confirm (--confirm does).
    """
    result = check_regimen(file, load_library(drugs), previous, pump=pump_of(bench))
    if as_json:
        output.print_json(summarize_check(result))
    else:
        show_check(result)
    return 0 if result.ok and (confirm or not result.needs_confirm) else 1
