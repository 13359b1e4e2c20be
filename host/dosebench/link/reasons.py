"""Sentences for reason codes: what the pump refused, and what to do about it."""

from __future__ import annotations

from typing import Final

SENTENCES: Final = {
    "done": "done",
    "malformed": "the pump could not read the request: host and firmware may be of different releases",
    "unknown_type": "the pump does not know this request: its firmware is older than this host; update it",
    "wrong_device": "the request was for another pump: connect again",
    "wrong_version": "the pump speaks protocol version {detail}: put the same release on both sides",
    "role": "this needs a greater role (number {detail}) than the session has",
    "too_long": "it is longer than the pump takes ({detail} bytes)",
    "busy": "the pump is busy: try again",
    "no_session": "the pump does not know this session: connect again",
    "bad_tag": "the tag of the request does not fit: it was changed on its way, or made with another key",
    "replayed": "a request with this number, or a later one, was taken already: somebody repeats what was sent before",
    "unpaired": "the pump has no keys: it takes nothing but questions and stop",
    "session_busy": "another host has a session with this pump, for {detail} ms more: try again then",
    "backing_off": "the pump got too many requests with bad tags and opens no session for {detail} ms: try again then",
    "not_supported": "this firmware does not do that yet",
    "counter_used": "this command id was used for another command: the host's counter file was copied or reset",
    "counter_old": "this command id is not above the newest that the pump knows ({detail}): it is not carried out",
    "outcome_unknown": "the pump knows no outcome for this command id: it was never carried out",
    "no_stage": "no program is staged: it may have timed out; program again",
    "stage_gap": "a part of the program is missing from byte {detail} on; program again",
    "stage_incomplete": "only {detail} bytes of the program have arrived; program again",
    "stage_hash": "the program does not have the announced hash; program again",
    "not_verified": "the program was not verified before the commit; program again",
    "therapy_format": "the pump does not know this therapy format ({detail}): update the firmware",
    "therapy_fraction": "a rate or factor of the program is no fraction that the pump can count in (number {detail})",
    "drug_count": "the program has {detail} drugs: this firmware delivers a solution of one",
    "therapy_mode": "the pump does not know this infusion mode ({detail}): update the firmware",
    "rate_below_minimum": "the rate is below the lowest that this pump can deliver",
    "rate_above_maximum": "the rate is above the highest that this pump can deliver",
    "step_volume": "the program was made for another step volume than this pump's: choose the right profile, and "
    "give --bench where the pump was calibrated",
    "reservoir_size": "the volume is more than this pump's reservoir holds",
    "bolus_size": "the largest bolus is more than this pump's limit of {detail} steps",
    "bolus_rate": "the bolus rate is above the highest that this pump can deliver",
    "cap_missing": "the dose limits of an hour and of 24 hours are missing, or one is out of range (number {detail})",
    "cap_below_basal": "a dose limit is so low that the basal rate alone would pass it",
    "cap_above_hard": "a dose limit is above the hard limit of this pump",
    "concentration": "the concentration is out of range",
    "level_order": "the reservoir levels must be: empty <= low < filled",
    "flex_order": "the day patterns must each begin at 00:00 and go on in order, with at most 48 steps (step {detail})",
    "flex_rate": "a step of the patterns or titration names a rate that the program does not have (number {detail})",
    "titration_order": "the titration must begin after 0 days and go on in order, in at most 64 steps ({detail})",
    "titration_change": "a step of the titration rises more than the program itself allows (step {detail})",
    "bridge": "the bridge does not fit: the therapy in force must hold the old drug that it names",
    "cap_window": "a dose limit has a window that is not 1 minute to 48 hours long (number {detail})",
    "patient_bolus": "the patient bolus takes longer than its lockout, or lockout or count are out of range",
    "periodic_bolus": "the periodic bolus takes longer than its period, or the period is out of range",
    "priming": "the priming volume is more than this pump's limit of {detail} steps",
    "weekday": "a weekday names a day pattern that the program does not have (day {detail}, Monday is 0)",
    "readings_differ": "scheduler and dose guard of the pump read the program differently: do not use it, report it",
    "not_programmed": "the pump has no therapy: run `dosebench program FILE` first",
    "already_running": "the pump delivers already",
    "already_stopped": "the pump is stopped already",
    "not_running": "the pump does not deliver: run `dosebench start` first",
    "safe_state": "the pump is in its safe state after a fault: see `dosebench status`, put the cause right, then "
    "`dosebench clear`",
    "reservoir_empty": "the reservoir is empty, or nobody said what it holds: run `dosebench refill`",
    "bolus_running": "a bolus is running: wait for its end, or `dosebench bolus --cancel`",
    "bolus_over_maximum": "the bolus is larger than the therapy allows at once",
    "bolus_over_cap": "a dose limit leaves no room for this bolus now: `dosebench status` shows each window",
    "bolus_zero": "a bolus of less than one motor step was asked for",
    "no_bolus": "no bolus is running",
    "program_differs": "the program in force is not the one that the dose was computed from: look at it with "
    "`dosebench status`, then give the command again",
    "amount_differs": "by the program in force the steps do not hold the amount of drug that was asked for: look at "
    "`dosebench status`, then give the command again",
    "step_volume_differs": "a step of this pump does not have the volume that the content was computed with: look at "
    "`dosebench status`, then give the command again",
    "lockout": "the last patient bolus was too short a time ago: `dosebench status` shows what is left of the lockout",
    "patient_count": "all patient boluses of the last 24 hours were taken: `dosebench status` shows how many are left",
    "no_patient_bolus": "the therapy has no patient bolus",
    "square_running": "a square bolus is under way: wait for its end, or `dosebench bolus --cancel --square`",
    "square_over_maximum": "the square bolus is larger than the therapy allows at once",
    "square_rate": "the square bolus is too fast for this pump on top of the basal, or takes longer than 6 days",
    "no_square": "no square bolus is under way",
    "priming_not_armed": "no priming is armed: run `dosebench prime --arm VOLUME` first, less than a minute before",
    "priming_volume": "the volume is not the one that was armed, or more than the therapy allows",
    "priming_path": "the pump was programmed with another version of the path table: program it again",
    "still_running": "the pump still delivers, or a bridge is under way: priming needs a stopped pump",
    "clock_value": "that is no time of day",
    "record_gone": "that record was overwritten: the oldest is {detail}",
    "record_future": "that record does not exist yet: the next is {detail}",
    "alarm_present": "the cause of this alarm is still there",
    "implanted": "the date of implant was stated before; it is stated once",
    "implant_date": "the date of implant lies after the pump's today, or its calendar is not set: run `dosebench clock "
    "--set now` first",
    "journal_of_another_version": "the pump's flash holds a journal of dosebench 0.2.0, which this firmware does not "
    "read: pull it with that release, then run `dosebench unflash` and `dosebench flash`",
    "flash_failed": "the pump's flash did not take the data: replace the board",
    "silence_time": "the tones can be silenced for {detail} ms at most while these alarms are on",
    "start_blocked": "an alarm that is on forbids it: see `dosebench alarms`, put its cause right, then "
    "`dosebench clear`",
    "no_alarm": "no alarm is on",
    "chain_differs": "record {detail} has another chain value than this host holds: the journal was replaced",
    "table_differs": "the pump's table of telemetry fields is another one: read it again",
    "too_often": "samples come at most every {detail} ms, and at least once a minute",
}
"""By name of the protocol's `Reason`; a test holds that none is missing."""


def explain_reason(reason: str, detail: int = 0) -> str:
    """What to tell the user for a reason code; unknown ones are named as they are."""
    text = SENTENCES.get(reason)
    if text is None:
        return f"the pump refused with the reason {reason} ({detail}), which this host does not know"
    return text.format(detail=detail)
