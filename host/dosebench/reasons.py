"""Sentences for reason codes: what the pump refused, and what to do about it."""

from __future__ import annotations

from typing import Final

SENTENCES: Final = {
    "done": "done",
    "malformed": "the pump could not read the request: host and firmware may be of different releases",
    "unknown_type": "the pump does not know this request: its firmware is older than this host; update it",
    "wrong_device": "the request was for another pump: connect again",
    "wrong_version": "the pump speaks protocol version {detail}: put the same release on both sides",
    "role": "this needs a role that the session does not have",
    "too_long": "it is longer than the pump takes ({detail} bytes)",
    "busy": "the pump is busy: try again",
    "no_session": "the pump does not know this session: connect again",
    "counter_used": "this command id was used for another command: the host's counter file was copied or reset",
    "counter_old": "this command id is older than the newest of this host ({detail}): it is never carried out again",
    "outcome_unknown": "the pump knows no outcome for this command id: it was never carried out",
    "no_stage": "no program is staged: it may have timed out; program again",
    "stage_gap": "a part of the program is missing from byte {detail} on; program again",
    "stage_incomplete": "only {detail} bytes of the program have arrived; program again",
    "stage_hash": "the program does not have the announced hash; program again",
    "not_verified": "the program was not verified before the commit; program again",
    "therapy_format": "the pump does not know this therapy format ({detail}): update the firmware",
    "therapy_fraction": "a rate or factor of the program is no fraction that the pump can count in (number {detail})",
    "therapy_mode": "the pump does not know this infusion mode ({detail}): update the firmware",
    "rate_below_minimum": "the rate is below the lowest that this pump can deliver",
    "rate_above_maximum": "the rate is above the highest that this pump can deliver",
    "step_volume": "the program was made for another step volume than this pump's: choose the right profile",
    "reservoir_size": "the volume is more than this pump's reservoir holds",
    "bolus_size": "the largest bolus is more than this pump's limit of {detail} steps",
    "bolus_rate": "the bolus rate is above the highest that this pump can deliver",
    "cap_missing": "the dose limits per hour and per day are missing or out of range",
    "cap_below_basal": "a dose limit is so low that the basal rate alone would pass it",
    "cap_above_hard": "a dose limit is above the hard limit of this pump",
    "concentration": "the concentration is out of range",
    "level_order": "the reservoir levels must be: empty <= low < filled",
    "not_programmed": "the pump has no therapy: run `dosebench program FILE` first",
    "already_running": "the pump delivers already",
    "already_stopped": "the pump is stopped already",
    "not_running": "the pump does not deliver: run `dosebench start` first",
    "safe_state": "the pump is in its safe state after a fault: see `dosebench status`, put the cause right, then "
    "`dosebench clear`",
    "reservoir_empty": "the reservoir is empty, or nobody said what it holds: run `dosebench refill`",
    "bolus_running": "a bolus is running: wait for its end, or `dosebench bolus --cancel`",
    "bolus_over_maximum": "the bolus is larger than the therapy allows at once",
    "bolus_over_cap": "the dose limit per hour or per day is reached: no bolus can be given now",
    "bolus_zero": "a bolus of less than one motor step was asked for",
    "no_bolus": "no bolus is running",
    "clock_value": "that is no time of day",
    "record_gone": "that record was overwritten: the oldest is {detail}",
    "record_future": "that record does not exist yet: the next is {detail}",
    "alarm_present": "the cause of this alarm is still there",
    "flash_failed": "the pump's flash did not take the data: replace the board",
}
"""By name of the protocol's `Reason`; a test holds that none is missing."""


def sentence(reason: str, detail: int = 0) -> str:
    """What to tell the user for a reason code; unknown ones are named as they are."""
    text = SENTENCES.get(reason)
    if text is None:
        return f"the pump refused with the reason {reason} ({detail}), which this host does not know"
    return text.format(detail=detail)
