"""The pump at the other end of the port, and what commands read from it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from dosebench.base.errors import DosebenchError
from dosebench.cli import output
from dosebench.link import ports

if TYPE_CHECKING:
    from dosebench.link.client import PumpClient

if TYPE_CHECKING:
    from dosebench.journal.store import Journal, Store
    from dosebench.link.client import PumpClient
    from dosebench.link.command_ids import CommandIds

_STEPS: Final = re.compile(r"\s*([0-9]+)\s*steps?\s*")


@contextmanager
def connect_pump(port: str | None, baud: int, ids: CommandIds | None = None) -> Iterator[PumpClient]:
    """The pump at `port`, after hello. Raises PortError and LinkError.

    Args:
        port: As given; None takes the environment's or the only board.
        baud: Bits per second.
        ids: Source of command ids; None for commands that change nothing.
    """
    from dosebench.link.client import PumpClient  # noqa: PLC0415

    with PumpClient(ports.open_port(ports.choose_port(port), baud), ids) as client:
        client.connect()
        yield client


@contextmanager
def open_commands(port: str | None, baud: int) -> Iterator[PumpClient]:
    """As `connect_pump`, with the command counter of this host."""
    from dosebench.journal.store import Store  # noqa: PLC0415

    with Store.open() as store, connect_pump(port, baud, store) as client:
        yield client


def program_bytes(client: PumpClient) -> bytes | None:
    """The encoded program in force; None where the pump has none. Raises LinkError."""
    from dosebench.link.client import RefusedError  # noqa: PLC0415

    try:
        return client.read_program()[1]
    except RefusedError as refused:
        if refused.reason == "not_programmed":
            return None
        raise


def therapy_of(client: PumpClient) -> dict[str, Any] | None:
    """Fields of the program in force (`Program` of the protocol); None where the pump has none. Raises LinkError.

    The fields of its first drug stand among them, and its name as `drug`: a pump delivers a solution of one drug.
    """
    from dosebench_protocol import codec  # noqa: PLC0415

    data = program_bytes(client)
    if data is None:
        return None
    program = codec.decode_struct("program", data)
    first = program["drugs"][0]
    return {**program, **first, "drug": program["drug_names"][: first["name_bytes"]]}


class AmountError(DosebenchError):
    """An amount that cannot be turned into motor steps of this pump."""


def read_therapy(client: PumpClient) -> dict[str, Any]:
    """Fields of the therapy in force. Raises RefusedError(not_programmed)."""
    from dosebench.link.client import RefusedError  # noqa: PLC0415

    therapy = therapy_of(client)
    if therapy is None:
        raise RefusedError("not_programmed")
    return therapy


def dose_steps(dose: str, therapy: dict[str, Any]) -> int:
    """Whole motor steps of a dose of drug ("25 ug"), a volume ("10 uL") or a count ("50 steps"), rounded down.

    Args:
        dose: The text.
        therapy: Fields of the therapy in force.

    Raises:
        UnitError: It is no such text.
        AmountError: It is less than one step.
    """
    if counted := _STEPS.fullmatch(dose):
        steps = int(counted[1])
    else:
        from dosebench.base import units  # noqa: PLC0415

        amount = units.parse_quantity(dose, units.MASS, units.VOLUME)
        unit = "ng" if amount.dimension is units.MASS else "nl"
        steps = math.floor(amount.value * therapy[f"step_{unit}_den"] / therapy[f"step_{unit}_num"])
    if steps < 1:
        step_ug = float(Fraction(therapy["step_ng_num"], therapy["step_ng_den"]) / 1000)
        raise AmountError(f"{dose} is less than one motor step ({output.shown_number(step_ug)} ug)")
    return steps


def step_nl(client: PumpClient) -> Fraction:
    """Volume of a step in nL, by the pump's settings."""
    state = client.read_status()
    return Fraction(state["step_nl_num"], state["step_nl_den"])


def volume_steps(volume: str, step_nl: Fraction) -> int:
    """Whole motor steps of a volume ("40 mL") or a count ("160000 steps"), rounded down. Raises UnitError."""
    if counted := _STEPS.fullmatch(volume):
        return int(counted[1])
    from dosebench.base import units  # noqa: PLC0415

    return math.floor(units.parse_value(volume, units.VOLUME) / step_nl)


class NoJournalError(DosebenchError):
    """This host holds no journal of the pump that was asked for."""


def held_journal(store: Store, device: str | None, *, faults: bool = False) -> Journal:
    """The newest journal of the pump whose id begins with `device`, or of the only one. Raises NoJournalError."""
    newest = {journal.device: journal for journal in store.list_journals(faults=faults) if journal.count}
    found = [journal for name, journal in newest.items() if name.hex().startswith((device or "").lower())]
    if len(found) == 1:
        return found[0]
    if not found:
        kind = "fault records" if faults else "journal"
        what = f"no {kind} of a pump {device}" if device else f"no {kind}"
        raise NoJournalError(f"this host holds {what}", hint="run `dosebench log pull` first")
    listed = ", ".join(journal.device.hex() for journal in found)
    raise NoJournalError(f"this host holds journals of several pumps: {listed}", hint="choose one with --device")


def outcome_json(client: PumpClient, outcome: dict[str, Any]) -> dict[str, Any]:
    """What every command to a pump prints of its outcome."""
    names = ("accepted", "low_steps", "high_steps", "record")
    return {"device_id": client.device_id} | {name: outcome[name] for name in names}
