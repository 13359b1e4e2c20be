"""`dosebench why`."""

from __future__ import annotations

import click

from dosebench.cli import options, output, pump
from dosebench.link.why import list_reasons, lower_first


@click.command()
@options.port_options
@options.json_option
def why(port: str | None, baud: int, as_json: bool) -> int:
    """Say in one sentence why the pump is not delivering what was asked, and in one more each what else holds it back.

    The exit code is 0 when it is, and 1 when something holds it back.
    """
    with pump.connect_pump(port, baud) as client:
        state, therapy = client.read_status(), pump.therapy_of(client)
    found = list_reasons(state, therapy)
    first = found[0].sentence if found else "The pump delivers what was asked."
    others = [f"Besides: {lower_first(each.sentence)}" for each in found[1:]]
    values = {
        "delivers": not found,
        "sentence": first,
        "reasons": [{"reason": each.name, "sentence": each.sentence} for each in found],
    }
    output.print_answer(as_json, values, "\n".join([first, *others]))
    return 1 if found else 0
