"""`dosebench watch`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from dosebench.base import units
from dosebench.cli import options, output, pump
from dosebench.link.telemetry import table_of, watch_samples

if TYPE_CHECKING:
    from dosebench.link.telemetry import Sample


@click.command()
@options.port_options
@click.option("--field", "fields", multiple=True, metavar="NAME", help="Only this field; may be repeated.")
@click.option("--period", default="1 s", show_default=True, metavar="DURATION", help="How often, at least 50 ms apart.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after N samples. Default: with Ctrl-C.")
@click.option("--fields", "list_fields", is_flag=True, help="List what the pump can tell and end.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each sample, one a line.")
def watch(
    port: str | None,
    baud: int,
    fields: tuple[str, ...],
    period: str,
    count: int | None,
    *,
    list_fields: bool,
    as_json: bool,
) -> None:
    """Show live values of the pump, a line for each sample.

    The pump takes the samples; it skips one rather than delay a step, and stops when nobody listens any more.
    """
    period_ms = round(units.parse_value(period, units.DURATION))
    with pump.connect_pump(port, baud) as client:
        if list_fields:
            table = table_of(client)
            if as_json:
                output.print_json({"fields": [field._asdict() for field in table]})
            else:
                output.print_rows([(field.name, field.unit if field.unit != "-" else field.type) for field in table])
            return
        for taken, sample in enumerate(watch_samples(client, fields, period_ms), 1):
            _show_sample(sample, taken, as_json)
            if taken == count:
                return


def _show_sample(sample: Sample, taken: int, as_json: bool) -> None:
    if as_json:
        told: dict[str, Any] = {"number": sample.number, "lost": sample.lost, "skipped": sample.skipped}
        told |= {"day": sample.day, "ms": sample.ms, "values": sample.values}
        click.echo(json.dumps(told, default=output.to_plain))
        return
    widths = {name: max(len(name), 9) for name in sample.values}
    if taken % 25 == 1:
        click.echo(f"{'pump time':>17}  " + "  ".join(f"{name:>{width}}" for name, width in widths.items()))
    if sample.lost:
        click.echo(f"{sample.lost} samples were lost")
    when = f"{sample.day} {output.time_of_day(sample.ms)}.{sample.ms % 1000:03}"
    line = "  ".join(f"{_format_value(sample.values[name]):>{width}}" for name, width in widths.items())
    click.echo(f"{when:>17}  {line}")


def _format_value(value: Any) -> str:
    return "+".join(value) or "none" if isinstance(value, tuple) else str(value)
