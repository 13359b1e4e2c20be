"""Writes the page of the alarm table."""

from __future__ import annotations

from typing import Final

from dosebench_protocol.alarms import ALARMS, EFFECTS
from dosebench_protocol.schema.model import Schema

HEAD: Final = """\
<!-- Generated from protocol/dosebench_protocol/alarms.py, do not edit; `make gen` -->

# Alarms

For benches, teaching and research. Never for use on people.

`dosebench alarms` shows the alarms that are on, each with its cause and remedy; `dosebench alarms --table` prints
this table. Most alarms stay on until a person clears them (`dosebench clear`), which is possible once the cause is
gone; the others end with their cause. All survive a reset. The most urgent one is annunciated.

At most 16 alarms are on at once. When another one comes, the least urgent alarm that holds no delivery back gives way,
of several the oldest, and the journal records it. An alarm that stops delivery is never dropped for another one.

The tone is critical (two tones, 3 s) for high priority and non-critical (one tone, 1 s) for the others; it is repeated
as the pump profile says (`[alarms]`: about hourly). `dosebench silence` silences it for a while, at most two minutes
while an alarm of high priority is on; a new alarm, or a reset, ends the silence.

## What the pump does

"""


def alarms_page(plan: Schema) -> str:
    """The page as Markdown, alarms in order of their number."""
    numbers = {name: value for enum in plan.enums if enum.name == "Alarm" for name, value in enum.members}
    lines = [HEAD + "| effect | while such an alarm is on |", "| --- | --- |"]
    lines += [f"| {effect} | {text} |" for effect, text in EFFECTS.items()]
    lines += ["", "## The table", "", "| number | alarm | priority | effect | ends | cause | remedy | rules |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, row in ALARMS.items():
        priority = f"{row.priority}, later {row.escalates}" if row.escalates else row.priority
        ends = "when it is cleared" if row.needs_clearing else "with its cause"
        cells = (str(numbers.get(name, 0)), f"`{name}`", priority, row.effect, ends, row.cause, row.remedy)
        lines.append("| " + " | ".join((*cells, ", ".join(row.rules))) + " |")
    return "\n".join(lines) + "\n"
