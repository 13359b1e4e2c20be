"""Why a pump is not delivering what was asked, in one sentence (R40)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from dosebench_protocol.alarms import ALARMS, ordered

from dosebench.base.words import count_noun

HOUR_MS: Final = 3_600_000

_FALLBACK: Final = {"minimum_rate": "the minimum rate", "stop": "nothing"}


@dataclass(frozen=True, slots=True)
class Why:
    """One reason.

    Attributes:
        name: An alarm, a stop reason, or `not_programmed`, `mode_stopped`, `clock_unknown`, `bridge`, `pattern_lag`.
        sentence: For people, with what to do about it.
    """

    name: str
    sentence: str


def list_reasons(state: dict[str, Any], therapy: dict[str, Any] | None) -> list[Why]:
    """All reasons, the one that holds delivery back most first; empty where what was asked for is delivered.

    Args:
        state: Fields of a `status` reply.
        therapy: Fields of the therapy in force, None where there is none.
    """
    if therapy is None or state["delivery"] == "unprogrammed":
        lost = "therapy_lost" in state["alarms"]
        return [*_alarm_reasons(state, "safe")] if lost else [Why("not_programmed", _NOT_PROGRAMMED)]
    if state["delivery"] == "safe":
        return [*_alarm_reasons(state, "safe")]
    if state["delivery"] == "stopped":
        return [*_alarm_reasons(state, "halt"), *_alarm_reasons(state, "block"), *_stopped_reasons(state)]
    return [*_slowed_reasons(state, therapy)]


_NOT_PROGRAMMED: Final = "The pump has no therapy: run `dosebench program FILE`."


def _alarm_reasons(state: dict[str, Any], effect: str) -> Iterator[Why]:
    does = {"safe": "is in its safe state", "halt": "is stopped", "block": "refuses to start"}[effect]
    for name in ordered(state["alarms"]):
        row = ALARMS.get(name)
        if row is not None and row.effect == effect:
            yield Why(name, f"The pump {does} because of the alarm {name}: {lower_first(row.cause)} {row.remedy}")


def lower_first(sentence: str) -> str:
    """A sentence as the end of another one."""
    return sentence[:1].lower() + sentence[1:]


def _stopped_reasons(state: dict[str, Any]) -> Iterator[Why]:
    reason, ago = state["stop_reason"], format_span(state["stopped_ms"])
    sentences = {
        "command": f"The pump was stopped by a command {ago} ago: run `dosebench start`.",
        "never_started": f"The pump was programmed {ago} ago and never started: run `dosebench start`.",
        "reservoir_empty": f"The reservoir was empty {ago} ago, and nobody has started the pump since: run "
        "`dosebench start`.",
        "fault": f"An alarm stopped the pump {ago} ago, and nobody has started it since: see `dosebench log show "
        "--faults`, then run `dosebench start`.",
    }
    yield Why(reason, sentences.get(reason, f"The pump is stopped ({reason}): run `dosebench start`."))


def format_span(ms: float) -> str:
    """A time for people: minutes, hours or days."""
    if ms < HOUR_MS:
        return f"{ms / 60_000:.0f} min"
    return f"{ms / HOUR_MS:.1f} h" if ms < 48 * HOUR_MS else f"{ms / HOUR_MS / 24:.1f} days"


def _slowed_reasons(state: dict[str, Any], therapy: dict[str, Any]) -> Iterator[Why]:
    alarms = state["alarms"]
    if therapy["mode"] == "stopped":
        yield Why("mode_stopped", "The therapy in force has the mode stopped: boluses only, no basal.")
    if "dose_cap" in alarms:
        yield Why("dose_cap", _describe_cap(therapy))
    if "over_infusion" in alarms:
        yield Why(
            "over_infusion",
            "The basal runs at the minimum rate because more flowed than was commanded: check calibration and flow "
            "sensor, then `dosebench clear over_infusion`.",
        )
    if "reservoir_low" in alarms and therapy["on_low"] != "keep":
        yield Why(
            "reservoir_low",
            f"The reservoir is low, and the therapy then gives {_FALLBACK[therapy['on_low']]}: refill it, and run "
            "`dosebench refill`.",
        )
    if therapy["mode"] == "flex":
        yield from _clock_reasons(state)
    if state["bridge_left_steps"]:
        yield Why(
            "bridge",
            "A bridge is under way: the old solution goes on at the bridge's rate until it is out of the path "
            f"({count_noun(state['bridge_left_steps'], 'step')} to go).",
        )


def _describe_cap(therapy: dict[str, Any]) -> str:
    falls = {"minimum_rate": "at the minimum rate", "stop": "at nothing"}[therapy["on_cap"]]
    return (
        f"A dose cap was reached, so the basal runs {falls}, as far as every window has room, until the alarm is "
        "cleared: see `dosebench status` for the windows, then `dosebench clear dose_cap`."
    )


def _clock_reasons(state: dict[str, Any]) -> Iterator[Why]:
    if not state["clock_known"]:
        yield Why(
            "clock_unknown",
            "The pump does not know what time it is, so its day pattern waits at the minimum rate: run `dosebench "
            "clock --set now`.",
        )
    elif state["pattern_lag_ms"]:
        yield Why(
            "pattern_lag",
            f"The clock was set, and the day pattern is still {format_span(state['pattern_lag_ms'])} from it: "
            f"each step "
            "comes once, faster or slower, until they agree.",
        )
