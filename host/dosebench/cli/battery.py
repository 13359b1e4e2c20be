"""What a connected pump tells of its battery."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from dosebench.base.errors import DosebenchError
from dosebench.profile import load as pump_profile
from dosebench.therapy.energy import BatteryState

if TYPE_CHECKING:
    from dosebench.link.client import PumpClient
    from dosebench.profile.model import Profile


def profile_of(client: PumpClient) -> Profile | None:
    """The profile that a pump names; None where there is none of that name here."""
    try:
        return pump_profile.load_profile(client.hello_reply["profile"].decode(errors="replace"))
    except DosebenchError:
        return None


def battery_of(client: PumpClient, profile: Profile) -> BatteryState:
    """What was taken from a pump's battery by its own count, today."""
    return BatteryState.by_pump(profile, date.today(), client.read_status(), client.read_counters())
