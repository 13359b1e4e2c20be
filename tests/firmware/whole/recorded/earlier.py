"""What a recording that was made in the first formats says in the words of the second: the same events, other fields.

Alarms were bits of a mask, and one record could hold several; the runs never raised two in one. What cleared alarms
held all that the host had named, on or not. A STOP without a session named a host. A recording in the formats of now is
left as it is.
"""

from __future__ import annotations

from typing import Any, Final

from reading import Event

_MESSAGES: Final = {"therapy_commit": "program_commit"}
_OF_THE_DRUG: Final = ("drug", "step_ng_num", "step_ng_den", "bridge_ng_num", "bridge_ng_den")


def as_of_now(recording: dict[str, Any]) -> dict[str, Any]:
    """The recording in the words of the formats of now."""
    state = recording["state"]
    return recording | {
        "answers": [answer.replace("settled therapy_", "settled program_") for answer in recording["answers"]],
        "events": _events(recording["events"]),
        "fault_events": _events(recording["fault_events"]),
        "state": state | {"therapy": _therapy(state["therapy"]), "status": _status(state["status"])},
    }


def _events(events: list[Event]) -> list[Event]:
    made: list[Event] = []
    on: set[str] = set()
    for day, ms, kind, held in events:
        fields = dict(held)
        if kind in ("alarm_raised", "alarm_ended"):
            on = set(fields["alarms"])
        elif "cleared" in fields:
            fields["cleared"] = [alarm for alarm in fields["cleared"] if alarm in on]
            on -= set(fields["cleared"])
        made.append([day, ms, kind, _fields(kind, fields)])
    return made


def _fields(kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    if kind == "alarm_raised" and "raised" in fields:
        (alarm,) = fields.pop("raised")
        fields = {"alarm": alarm} | fields
        if alarm == "alarm_repeated":
            # Which alarm it was that came again: its bit then, its number now.
            fields["detail"] = fields["detail"].bit_length()
    elif kind == "alarm_ended" and "ended" in fields:
        (alarm,) = fields.pop("ended")
        fields = {"alarm": alarm} | fields
    elif kind == "alarm_cleared" and "cleared" in fields:
        fields["alarms"] = fields.pop("cleared")
    elif kind == "bolus_end" and "kind" in fields:
        fields = {"bolus_kind": fields.pop("kind")} | fields
    elif kind == "worth":
        fields = {"drug": 0} | fields
    elif kind == "stop" and fields["role"] == "none":
        fields |= {"host": "00000000", "counter": 0}
    elif kind == "refused":
        fields["message"] = _MESSAGES.get(fields["message"], fields["message"])
    if "delivered_steps" in fields:
        fields["delivered_low_steps"] = fields.pop("delivered_steps")
    return fields


def _therapy(held: Any) -> Any:
    if not isinstance(held, dict) or "drugs" in held:
        return held
    kept = {name: value for name, value in held.items() if name not in _OF_THE_DRUG}
    drug = {name: held[name] for name in _OF_THE_DRUG[1:]} | {"name_bytes": len(held["drug"]) // 2}
    caps = [{"drug": 0} | cap for cap in held["caps"]]
    return kept | {"drugs": [drug], "drug_names": held["drug"], "caps": caps, "path_nl": 0, "stall_retry_minutes": 0}


def _status(held: dict[str, Any]) -> dict[str, Any]:
    rows = [{"drug": 0} | row for row in held["window_ng"]]
    return held | {"window_ng": rows, "path_nl": 0, "path_filled_nl": 0, "old_left_steps": 0}

