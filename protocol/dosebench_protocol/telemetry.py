"""What a host can subscribe to: the table of contents that a pump tells, and whose checksum a subscription names.

Fields are added at the end. The number of a field is its place in the table, and its bit in a subscription.
"""

from __future__ import annotations

from binascii import crc32
from typing import Final, NamedTuple

from .errors import ProtocolError


class TelemetryField(NamedTuple):
    """One field: its name, its unit (`-` for none), and its type, `u32` or the name of an enumeration."""

    name: str
    unit: str
    type: str


FIELDS: Final = (
    TelemetryField("delivery", "-", "Delivery"),
    TelemetryField("worst_alarm", "-", "Alarm"),
    TelemetryField("low_steps", "steps", "u32"),
    TelemetryField("high_steps", "steps", "u32"),
    TelemetryField("missed_steps", "steps", "u32"),
    TelemetryField("rate", "steps/day", "u32"),
    TelemetryField("bolus_left", "steps", "u32"),
    TelemetryField("square_left", "steps", "u32"),
    TelemetryField("reservoir", "steps", "u32"),
    TelemetryField("battery", "mV", "u32"),
    TelemetryField("lease_left", "steps", "u32"),
    TelemetryField("journal_next", "records", "u32"),
    TelemetryField("bad_frames", "frames", "u32"),
    TelemetryField("alarm_count", "alarms", "u32"),
)
"""The table of this release's firmware. `worst_alarm` is the newest of the most urgent alarms that are on."""


def text_of(fields: tuple[TelemetryField, ...]) -> bytes:
    """The table as a pump tells it: a line for each field."""
    return "".join(f"{' '.join(field)}\n" for field in fields).encode()


def checksum(text: bytes) -> bytes:
    """What a subscription names a table by: its CRC-32, four bytes."""
    return crc32(text).to_bytes(4, "little")


def read_table(text: bytes) -> tuple[TelemetryField, ...]:
    """The fields of a table that a pump has told.

    Raises:
        ProtocolError: It is no table.
    """
    rows = [line.split() for line in text.decode("ascii", "replace").splitlines()]
    if any(len(row) != 3 for row in rows) or len(rows) > 32:
        raise ProtocolError("what the pump told is no table of telemetry fields")
    return tuple(TelemetryField(*row) for row in rows)
