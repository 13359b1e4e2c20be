"""Options and arguments that commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dosebench.link import ports

if TYPE_CHECKING:
    from dosebench.profile.model import Profile

F = TypeVar("F", bound=Callable[..., Any])
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
SUFFIXES = (".png", ".svg", ".pdf")
bench_option = click.option(
    "--bench", type=FILE, help="Bench file of the pump: doses are counted in the step that was calibrated."
)


def load_library(directory: Path | None) -> Any:
    """The drug library with the files of a directory before its own; None for the usual one."""
    if directory is None:
        return None
    from dosebench.regimen import drugs  # noqa: PLC0415

    return drugs.load_drugs([directory])


def pump_of(bench: Path | None) -> Profile | None:
    """The pump of a bench file, with its calibrated step; None without one. Raises BenchError."""
    if bench is None:
        return None
    from dosebench.bench.file import load_bench  # noqa: PLC0415

    return load_bench(bench).calibrated_profile()


def json_option(function: F) -> F:
    """The option `--json`, as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON; docs/CLI.md lists the keys.")(function)


def port_options_with(meaning: str) -> Callable[[F], F]:
    """The options `--port`, with what it means, and `--baud`."""
    baud = click.option(
        "--baud", type=click.IntRange(min=1), default=ports.BAUD, show_default=True, help="Baud rate of the port."
    )
    port = click.option("-p", "--port", envvar=ports.PORT_VARIABLE, show_envvar=True, metavar="PORT", help=meaning)
    return lambda function: port(baud(function))


port_options = port_options_with(
    "Device, pyserial URL (socket://HOST:PORT), USB serial number, or sim://NAME. "
    "Default: the only board that is plugged in."
)


def figure_path(path: Path) -> Path:
    """The path, if a figure can be written to it. Raises a usage error."""
    if path.suffix.lower() not in SUFFIXES:
        raise click.UsageError(f"{path}: a figure is one of {', '.join(SUFFIXES)}")
    return path
