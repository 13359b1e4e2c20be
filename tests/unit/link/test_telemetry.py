"""Telemetry: the pump's table, subscriptions that are renewed, and samples that were lost or skipped."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from dosebench.link.client import LinkError, PumpClient, RefusedError, SilentError
from dosebench.link.telemetry import (
    LASTS_MS,
    RENEW_S,
    SILENCE_S,
    SILENCES_MAX,
    FieldError,
    Sample,
    table_of,
    watch_samples,
)
from dosebench_protocol.alarms import ALARMS
from dosebench_protocol.tables import ENUMS
from dosebench_protocol.telemetry import FIELDS, TelemetryField, checksum, text_of
from scripted_pump import Refusal, ScriptedPump, blank

TEXT = text_of(FIELDS)
NAMES = [field.name for field in FIELDS]


def subscribed(samples: Iterator[dict[str, Any]] | None = None, text: bytes = TEXT) -> tuple[ScriptedPump, PumpClient]:
    """A pump that tells its table, and answers each read of the line with the next sample while there are some."""
    pump = ScriptedPump()
    pump.answers["telemetry_table"] = blank("telemetry_table", checksum=checksum(text), text=text)
    pump.answers["telemetry_subscribe"] = lambda _: None
    client = PumpClient(pump)
    client.connect()
    hear = client.receive_replies

    def feeding(name: str, numbers: Any, within_s: float) -> list[dict[str, Any]]:
        if samples is not None and (fields := next(samples, None)) is not None:
            pump.say("telemetry_subscribe", numbers[-1], **fields)
        return hear(name, numbers, within_s)

    client.receive_replies = feeding  # type: ignore[method-assign]
    return pump, client


def values(*numbers: int) -> list[dict[str, int]]:
    return [{"value": number} for number in numbers]


def subscriptions(pump: ScriptedPump) -> list[dict[str, Any]]:
    return [fields for name, fields in pump.asked if name == "telemetry_subscribe"]


def test_the_table_is_read_and_its_checksum_checked() -> None:
    pump, client = subscribed()
    assert table_of(client) == FIELDS
    pump.answers["telemetry_table"] = blank("telemetry_table", checksum=b"\0\0\0\1", text=TEXT)
    with pytest.raises(LinkError, match="checksum"):
        table_of(client)


def test_a_field_that_the_pump_does_not_have_is_named_with_those_that_it_has() -> None:
    pump, client = subscribed()
    with pytest.raises(FieldError, match="colour") as caught:
        next(watch_samples(client, ["battery", "colour"]))
    assert "battery" in str(caught.value.hint)
    assert subscriptions(pump) == []


def test_a_subscription_names_fields_by_their_bits_and_values_come_in_order_of_the_table() -> None:
    pump, client = subscribed(iter([{"values": values(9, 3_500), "day": 2, "ms": 5}]))
    sample = next(watch_samples(client, ["battery", "low_steps"], 250))
    assert sample == Sample(0, 0, 0, 2, 5, {"low_steps": 9, "battery": 3_500})
    bits = 1 << NAMES.index("battery") | 1 << NAMES.index("low_steps")
    asked = {"checksum": checksum(TEXT), "fields": bits, "period_ms": 250, "lasts_ms": LASTS_MS}
    assert subscriptions(pump) == [asked]


def test_without_names_all_fields_are_asked_for_and_enumerations_are_named() -> None:
    numbers = [0] * len(FIELDS)
    numbers[NAMES.index("delivery")] = ENUMS["Delivery"]["running"]
    numbers[NAMES.index("worst_alarm")] = ENUMS["Alarm"]["leak"]
    pump, client = subscribed(iter([{"values": values(*numbers)}]))
    sample = next(watch_samples(client))
    assert list(sample.values) == NAMES
    assert sample.values["delivery"] == "running"
    assert sample.values["worst_alarm"] == "leak"
    assert "leak" in ALARMS
    assert subscriptions(pump)[0]["fields"] == (1 << len(FIELDS)) - 1


def test_a_table_of_another_firmware_is_used_as_it_is() -> None:
    text = text_of((TelemetryField("new", "mV", "u32"),))
    _, client = subscribed(iter([{"values": values(5)}]), text)
    assert next(watch_samples(client)).values == {"new": 5}


def test_lost_samples_are_counted_and_a_pump_that_begins_anew_lost_none() -> None:
    said = [{"number": number, "skipped": number // 2, "values": values(1)} for number in (0, 1, 4, 0, 2)]
    _, client = subscribed(iter(said))
    found = list(islice(watch_samples(client, ["battery"]), 5))
    assert [(one.number, one.lost, one.skipped) for one in found] == [
        (0, 0, 0),
        (1, 0, 0),
        (4, 2, 2),
        (0, 0, 0),
        (2, 1, 1),
    ]


def test_a_subscription_is_renewed_before_it_ends() -> None:
    pump, client = subscribed()
    began = pump.now_s
    with pytest.raises(SilentError):
        next(watch_samples(client, ["battery"], 100))
    lasted = pump.now_s - began
    wanted = SILENCES_MAX * (SILENCE_S + 0.3)
    assert wanted < lasted < wanted + RENEW_S + 1
    assert lasted / RENEW_S - 1 <= len(subscriptions(pump)) <= lasted / RENEW_S + 1
    assert RENEW_S < LASTS_MS / 1000


def test_a_slow_period_is_waited_for() -> None:
    pump, client = subscribed()
    began = pump.now_s
    with pytest.raises(SilentError):
        next(watch_samples(client, ["battery"], 60_000))
    assert pump.now_s - began > 15 * 60


def test_replies_to_the_subscription_before_the_newest_still_count() -> None:
    pump, client = subscribed()
    samples = watch_samples(client, ["battery"], 100)
    numbers: list[list[int]] = []
    told = iter([4, 4, 4])

    def hear(name: str, given: list[int], within_s: float) -> list[dict[str, Any]]:
        numbers.append(list(given))
        pump.now_s += within_s
        number = next(told)
        return [blank(name, number=number, values=values(1))]

    client.receive_replies = hear  # type: ignore[method-assign,assignment]
    for _ in range(3):
        next(samples)
    assert [len(one) for one in numbers] == [1, 2, 2]
    assert numbers[2][0] == numbers[1][1]


def test_a_refused_period_is_raised() -> None:
    pump, client = subscribed()
    pump.answers["telemetry_subscribe"] = Refusal("too_often", 50)
    with pytest.raises(RefusedError) as caught:
        next(watch_samples(client, period_ms=1))
    assert caught.value.reason == "too_often"
