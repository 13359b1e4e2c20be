"""Live values of a pump: subscribe to fields of its table and take the samples as they come.

The pump says what it can tell (`table_of`), takes a sample every so often, and stops by itself when nobody renews the
subscription. Samples carry a number, so that lost ones are counted here, and how many the pump skipped because the line
was busy or a step was near.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dosebench_protocol.plans import named_value
from dosebench_protocol.tables import ENUMS
from dosebench_protocol.telemetry import TelemetryField, checksum, read_table

from dosebench.base.errors import DosebenchError
from dosebench.link.client import LinkError, SilentError

if TYPE_CHECKING:
    from dosebench.link.client import PumpClient

LASTS_MS: Final = 15_000
"""How long a subscription lasts; it is renewed after a third of that (chosen)."""
RENEW_S: Final = LASTS_MS / 3000
SILENCE_S: Final = 3.0
"""Without a sample for five times so long, and fifteen periods, the pump is gone; it is asked again all the time."""
SILENCES_MAX: Final = 5


class FieldError(DosebenchError):
    """The pump has no such field."""


@dataclass(frozen=True)
class Sample:
    """One sample.

    Attributes:
        number: From 0 on, since the subscription began.
        lost: Samples before it that did not arrive.
        skipped: Samples that the pump did not take, since the subscription began.
        day, ms: Pump time.
        values: By field; those of an enumeration by name.
    """

    number: int
    lost: int
    skipped: int
    day: int
    ms: int
    values: dict[str, Any]


def table_of(client: PumpClient) -> tuple[TelemetryField, ...]:
    """What the pump can tell. Raises LinkError."""
    return _read_fields(client)[0]


def _read_fields(client: PumpClient) -> tuple[tuple[TelemetryField, ...], bytes]:
    reply = client.telemetry_table()
    if checksum(reply["text"]) != reply["checksum"]:
        raise LinkError("the table of telemetry fields does not fit its checksum", hint="try again")
    return read_table(reply["text"]), reply["checksum"]


def watch_samples(client: PumpClient, names: Sequence[str] = (), period_ms: int = 1000) -> Iterator[Sample]:
    """Samples of the named fields (default: all), for as long as somebody takes them.

    Raises FieldError, SilentError, and RefusedError(too_often) for a period that the pump does not keep.
    """
    table, told = _read_fields(client)
    known = [field.name for field in table]
    if wrong := [name for name in names if name not in known]:
        raise FieldError(f"the pump has no field {wrong[0]}", hint=f"it has {', '.join(known)}")
    chosen = [at for at, name in enumerate(known) if not names or name in names]
    subscription = {"checksum": told, "fields": sum(1 << at for at in chosen), "period_ms": period_ms}
    yield from _receive_samples(client, [table[at] for at in chosen], subscription | {"lasts_ms": LASTS_MS})


def _receive_samples(
    client: PumpClient, fields: list[TelemetryField], subscription: dict[str, Any]
) -> Iterator[Sample]:
    patience = SILENCE_S + 3 * subscription["period_ms"] / 1000
    numbers: list[int] = []
    following = 0
    renew_at = heard_at = client.clock()
    while True:
        now = client.clock()
        if now >= renew_at:
            numbers = [*numbers[-1:], client.send_request("telemetry_subscribe", **subscription)]
            renew_at = now + RENEW_S
        replies = client.receive_replies("telemetry_subscribe", numbers, max(0.05, renew_at - now))
        if replies:
            heard_at = client.clock()
        elif client.clock() - heard_at > SILENCES_MAX * patience:
            raise SilentError("the pump sends no samples any more", hint="is it powered, and is this its port?")
        for reply in replies:
            number = reply["number"]
            # A pump that was reset, or forgot the subscription, begins anew.
            lost = number - following if number >= following else 0
            following = number + 1
            values = {
                field.name: _convert_value(field, row["value"])
                for field, row in zip(fields, reply["values"], strict=True)
            }
            yield Sample(number, lost, reply["skipped"], reply["day"], reply["ms"], values)


def _convert_value(field: TelemetryField, value: int) -> Any:
    return named_value(field.type, value) if field.type in ENUMS else value
