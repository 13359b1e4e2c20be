"""The pump's reading of a program beside the host's own."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from dosebench.base.errors import DosebenchError
from dosebench.therapy.program import DrugReading, Program, Reading


def reading_json(reading: Reading) -> dict[str, Any]:
    """The reading as JSON values: ids in hex, the figures of the first drug beside those of the therapy."""
    values = {name: value for name, value in asdict(reading).items() if name != "drugs"}
    first = {name: value for name, value in asdict(reading.drug).items() if name != "name"}
    drugs = [{**asdict(drug), "name": drug.name.decode(errors="replace")} for drug in reading.drugs]
    named = {name: value.hex() if isinstance(value, bytes) else value for name, value in (values | first).items()}
    return named | {"drug": drugs[0]["name"], "drugs": drugs, "caps": list(values["caps"])}


def list_disagreements(own: Reading, device: Reading) -> list[str]:
    """Names of the figures in which the pump's reading of a program differs from the host's: any is a fault."""
    names = [name for name, value in vars(own).items() if name != "drugs" and getattr(device, name) != value]
    if len(own.drugs) != len(device.drugs):
        return [*names, "drugs"]
    pairs = list(zip(own.drugs, device.drugs, strict=True))
    doses = [field.name for field in fields(DrugReading)]
    return names + [name for name in doses if any(getattr(one, name) != getattr(other, name) for one, other in pairs)]


def same_reading(program: Program, answer: dict[str, Any]) -> Reading:
    """The pump's reading of a staged program, when it is the host's.

    Args:
        program: What was staged.
        answer: The reply to `program_verify`.

    Raises:
        DosebenchError: Host and pump read it differently; names the figures.
    """
    theirs = Reading.from_answer(answer)
    if names := list_disagreements(program.expected_reading(), theirs):
        raise DosebenchError(f"host and pump read the program differently: {', '.join(names)}")
    return theirs
