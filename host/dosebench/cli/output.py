"""Output that commands share: JSON, rows, times and numbers as people read them. Imports nothing heavy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from datetime import datetime
    from fractions import Fraction

    from dosebench.link.client import PumpClient


def print_json(values: Mapping[str, Any]) -> None:
    """Print one JSON object, with bytes as hex, tuples as lists and times in ISO 8601."""
    click.echo(json.dumps(values, indent=2, default=to_plain))


def print_answer(as_json: bool, values: dict[str, Any], sentence: str) -> None:
    """Print the values as JSON, or the sentence."""
    if as_json:
        print_json(values)
    else:
        click.echo(sentence)


def to_plain(value: Any) -> Any:
    """A value that JSON does not know, as one that it does."""
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)


def print_rows(pairs: list[tuple[str, str]]) -> None:
    """Print label and value in two columns."""
    width = max((len(label) for label, _ in pairs), default=0)
    for label, value in pairs:
        click.echo(f"{label:<{width}}  {value}".rstrip())


def make_interruptible() -> None:
    """Let SIGTERM from a script end a command that runs until Ctrl-C as Ctrl-C does."""
    import signal  # noqa: PLC0415

    signal.signal(signal.SIGTERM, signal.default_int_handler)


def read_sensor(client: PumpClient, sensor: str) -> int | None:
    """What a sensor reads, in the unit of the message `sensors`; None where it is not fitted or cannot be believed.

    Raises LinkError.
    """
    believed = (row["value"] for row in client.read_sensors() if row["sensor"] == sensor and row["state"] == "ok")
    return next(believed, None)


def local_time(days: int, ms: int) -> datetime:
    """A local time of the protocol (days since 2000-01-01, milliseconds of the day) as a datetime without a zone."""
    from datetime import timedelta  # noqa: PLC0415

    from dosebench.link.client import EPOCH  # noqa: PLC0415

    return EPOCH + timedelta(days=days, milliseconds=ms)


def time_of_day(ms: int) -> str:
    """A time in ms since midnight as HH:MM:SS, rounded down."""
    seconds = ms // 1000
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def lasts_days(state: dict[str, Any]) -> float | None:
    """Days until the reservoir is empty at the rate of this status (R25); None where nothing flows or is known."""
    from dosebench_protocol.tables import COUNT_MAX  # noqa: PLC0415

    minutes = int(state["empty_minutes"])
    return None if minutes == COUNT_MAX else minutes / 1440


def describe_lasting(days: float | None) -> str:
    """`lasts_days` as a sentence with a space before it; empty where it is not known."""
    return "" if days is None else f" The reservoir is empty in {format_span(days)} at this rate."


def format_span(days: float) -> str:
    """A length of time: days, or hours below two days."""
    return f"{shown_number(days, 3)} days" if days >= 2 else f"{shown_number(days * 24, 3)} h"


def parse_moment(value: str) -> datetime:
    """A local time that the pump's calendar knows: "now", or ISO 8601. Raises a usage error."""
    from datetime import datetime  # noqa: PLC0415

    if value == "now":
        return datetime.now()
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise click.UsageError(f"{value} is no time; write 2026-03-01T08:00, or now") from None
    if not 2000 <= parsed.year < 2170:
        raise click.UsageError(f"the pump's calendar goes from 2000 to 2169, not to {parsed.year}")
    return parsed


def shown_number(value: Fraction | float, digits: int = 6) -> str:
    """A number with at most `digits` significant digits, never in powers of ten for what pumps hold."""
    number = float(value)
    text = f"{number:.{digits}g}"
    return f"{number:.0f}" if "e" in text and abs(number) >= 1 else text


def title_of(figures: Mapping[str, Any]) -> str:
    """One line that names a checked regimen by its summary, such as "baclofen 800 ug/day from 2000 ug/mL"."""
    dose, concentration = shown_number(figures["daily_dose_ug"]), shown_number(figures["concentration_ug_per_ml"])
    return f"{figures['drug']} {dose} ug/day from {concentration} ug/mL"
