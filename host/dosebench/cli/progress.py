"""A progress bar on standard error, drawn with rich, and only where somebody looks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[float, float], None]


@contextmanager
def show_progress(label: str, unit: str, quiet: bool = False) -> Iterator[Advance]:
    """A bar that is moved by calling what this yields with (done, total); nothing where standard error is no terminal.

    Args:
        label: What is being done.
        unit: What is counted.
        quiet: Draw nothing, whatever standard error is.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn(f"{{task.completed:.0f}} of {{task.total:.0f}} {unit}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=1)
        yield lambda done, total: progress.update(task, completed=done, total=total)
