"""`why`: which reasons hold delivery back, in which order, for each state of a pump."""

from __future__ import annotations

from typing import Any

import pytest
from dosebench.link.why import HOUR_MS, format_span, list_reasons, lower_first
from dosebench_protocol.alarms import ALARMS
from dosebench_protocol.tables import ENUMS
from scripted_pump import blank

THERAPY: dict[str, Any] = {"mode": "continuous", "on_low": "minimum_rate", "on_cap": "minimum_rate"}
ONE_OF = {
    effect: next(name for name, row in ALARMS.items() if row.effect == effect) for effect in ("block", "halt", "safe")
}


def state(**fields: Any) -> dict[str, Any]:
    return blank("status", delivery="running", clock_known=1, **fields)


def names(found: dict[str, Any], therapy: dict[str, Any] | None = THERAPY) -> list[str]:
    return [one.name for one in list_reasons(found, therapy)]


def test_nothing_holds_back_a_pump_that_delivers_what_was_asked() -> None:
    assert names(state()) == []
    assert names(state(alarms=("battery_low",))) == []


@pytest.mark.parametrize("therapy", [None, THERAPY])
def test_a_pump_without_a_therapy(therapy: dict[str, Any] | None) -> None:
    assert names(state() | {"delivery": "unprogrammed"}, therapy) == ["not_programmed"]
    assert names(state(), None) == ["not_programmed"]


def test_a_lost_therapy_is_told_as_the_alarm_that_it_is() -> None:
    found = list_reasons(state(alarms=("therapy_lost",)) | {"delivery": "safe"}, None)
    assert [one.name for one in found] == ["therapy_lost"]
    assert "safe" in found[0].sentence


def test_in_the_safe_state_only_alarms_that_keep_it_there_count() -> None:
    alarms = tuple(sorted(ONE_OF.values()))
    found = list_reasons(state(alarms=alarms) | {"delivery": "safe"}, THERAPY)
    assert [one.name for one in found] == [ONE_OF["safe"]]
    assert ALARMS[ONE_OF["safe"]].remedy in found[0].sentence


def test_a_stopped_pump_tells_alarms_that_stop_it_first_then_those_that_refuse_a_start_then_the_stop() -> None:
    alarms = tuple(sorted((ONE_OF["block"], ONE_OF["halt"])))
    stopped = state(alarms=alarms, stop_reason="fault", stopped_ms=60_000) | {"delivery": "stopped"}
    assert names(stopped) == [ONE_OF["halt"], ONE_OF["block"], "fault"]


@pytest.mark.parametrize("reason", [name for name in ENUMS["StopReason"] if name != "none"])
def test_every_stop_reason_is_named_and_most_have_a_sentence_with_their_time(reason: str) -> None:
    (one,) = list_reasons(state(stop_reason=reason, stopped_ms=3 * HOUR_MS) | {"delivery": "stopped"}, THERAPY)
    assert one.name == reason
    assert ("3.0 h" in one.sentence) == (reason in ("command", "never_started", "reservoir_empty", "fault"))
    assert "dosebench start" in one.sentence


def test_a_stop_reason_of_a_newer_firmware_is_named() -> None:
    (one,) = list_reasons(state(stop_reason="unknown_9") | {"delivery": "stopped"}, THERAPY)
    assert one.name == "unknown_9"
    assert "unknown_9" in one.sentence


@pytest.mark.parametrize(
    ("fields", "therapy", "wanted"),
    [
        ({}, {"mode": "stopped"}, ["mode_stopped"]),
        ({"alarms": ("dose_cap",)}, {}, ["dose_cap"]),
        ({"alarms": ("over_infusion",)}, {}, ["over_infusion"]),
        ({"alarms": ("reservoir_low",)}, {}, ["reservoir_low"]),
        ({"alarms": ("reservoir_low",)}, {"on_low": "keep"}, []),
        ({"clock_known": 0}, {}, []),
        ({"clock_known": 0}, {"mode": "flex"}, ["clock_unknown"]),
        ({"clock_known": 0, "pattern_lag_ms": 5}, {"mode": "flex"}, ["clock_unknown"]),
        ({"pattern_lag_ms": 60_000}, {"mode": "flex"}, ["pattern_lag"]),
        ({"pattern_lag_ms": 60_000}, {}, []),
        ({"bridge_left_steps": 3}, {}, ["bridge"]),
        (
            {"alarms": ("dose_cap", "over_infusion", "reservoir_low"), "bridge_left_steps": 1, "pattern_lag_ms": 1},
            {"mode": "flex"},
            ["dose_cap", "over_infusion", "reservoir_low", "pattern_lag", "bridge"],
        ),
    ],
)
def test_what_slows_a_running_pump(fields: dict[str, Any], therapy: dict[str, Any], wanted: list[str]) -> None:
    assert names(state() | fields, THERAPY | therapy) == wanted


@pytest.mark.parametrize(("falls", "words"), [("minimum_rate", "minimum rate"), ("stop", "nothing")])
def test_the_fallback_of_the_therapy_is_named(falls: str, words: str) -> None:
    (cap,) = list_reasons(state(alarms=("dose_cap",)), THERAPY | {"on_cap": falls})
    (low,) = list_reasons(state(alarms=("reservoir_low",)), THERAPY | {"on_low": falls})
    assert words in cap.sentence
    assert words in low.sentence


def test_one_step_of_a_bridge_is_a_step() -> None:
    assert "1 step " in list_reasons(state(bridge_left_steps=1), THERAPY)[0].sentence
    assert "2 steps " in list_reasons(state(bridge_left_steps=2), THERAPY)[0].sentence


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 min"),
        (59 * 60_000, "59 min"),
        (HOUR_MS - 1, "60 min"),
        (HOUR_MS, "1.0 h"),
        (47.9 * HOUR_MS, "47.9 h"),
        (48 * HOUR_MS, "2.0 days"),
    ],
)
def test_a_time_is_told_in_the_unit_that_fits(ms: float, text: str) -> None:
    assert format_span(ms) == text


def test_a_sentence_within_another_begins_small() -> None:
    assert lower_first("The pump. It") == "the pump. It"
    assert lower_first("") == ""
