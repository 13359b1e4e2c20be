"""Frames to a pump and back: retries, replies that count, and what is wrong when none comes."""

from __future__ import annotations

import pytest
from dosebench.link.client import PumpClient
from dosebench.link.exchange import (
    RECORDED_FRAMES,
    REPLY_S,
    TRIES,
    Exchange,
    GarbledError,
    NotGenuineError,
    RefusedError,
    SilentError,
)
from dosebench.link.ports import PortError
from dosebench_protocol.frame import Frame, encode
from scripted_pump import DEVICE, OneKey, Refusal, ScriptedPump, blank


@pytest.fixture
def pump() -> ScriptedPump:
    return ScriptedPump()


@pytest.fixture
def exchange(pump: ScriptedPump) -> Exchange:
    return Exchange(pump)


def test_a_reply_is_returned_by_its_fields(pump: ScriptedPump, exchange: Exchange) -> None:
    pump.answers["status"] = blank("status", battery_mv=3_512)
    assert exchange._ask_plainly("status", DEVICE)["battery_mv"] == 3_512
    assert pump.names() == ["status"]


@pytest.mark.parametrize("lost", [1, TRIES - 1])
def test_a_lost_request_or_reply_costs_a_try_and_nothing_else(lost: int) -> None:
    for which in ("lost_requests", "lost_replies"):
        pump = ScriptedPump(**{which: {"status": lost}})
        began = pump.now_s
        assert Exchange(pump)._ask_plainly("status", DEVICE)["delivery"] == "unprogrammed"
        assert pump.now_s - began == pytest.approx(lost * REPLY_S, abs=0.2)
        assert len(pump.asked) == (1 if which == "lost_requests" else lost + 1)


def test_after_the_last_try_the_pump_is_silent(pump: ScriptedPump, exchange: Exchange) -> None:
    pump.lost_replies["status"] = TRIES
    with pytest.raises(SilentError) as caught:
        exchange._ask_plainly("status", DEVICE)
    assert len(pump.asked) == TRIES
    assert "scripted" in str(caught.value)
    assert [line.split()[1:3] for line in caught.value.transcript] == [[">", "status"]] * TRIES


def test_bytes_that_are_no_frames_are_not_silence(pump: ScriptedPump, exchange: Exchange) -> None:
    pump.answers["status"] = b">>> \r\n"
    with pytest.raises(GarbledError, match=f"{TRIES * 6} bytes") as caught:
        exchange._ask_plainly("status", DEVICE)
    assert "115200" in str(caught.value.hint)


def test_each_try_has_a_number_of_its_own_and_a_late_reply_to_an_earlier_one_will_do(pump: ScriptedPump) -> None:
    exchange = Exchange(pump)
    first = exchange.next_sequence()

    def late(fields: dict[str, object]) -> None:
        del fields
        if len(pump.asked) == 2:
            pump.say("status", first + 1, battery_mv=7)

    pump.answers["status"] = late
    assert exchange._ask_plainly("status", DEVICE)["battery_mv"] == 7
    assert exchange.next_sequence() == first + 3


def test_replies_to_other_numbers_and_of_other_types_are_passed_over(pump: ScriptedPump, exchange: Exchange) -> None:
    sequence = exchange.next_sequence() + 1
    pump.say("status", sequence + 40, battery_mv=1)
    pump.say("counters", sequence)
    pump.answers["status"] = blank("status", battery_mv=2)
    assert exchange._ask_plainly("status", DEVICE)["battery_mv"] == 2


def test_a_refusal_has_its_reason_its_detail_and_the_request(pump: ScriptedPump, exchange: Exchange) -> None:
    pump.answers["status"] = Refusal("session_busy", 1_234)
    with pytest.raises(RefusedError, match="1234") as caught:
        exchange._ask_plainly("status", DEVICE)
    assert (caught.value.reason, caught.value.detail, caught.value.request) == ("session_busy", 1_234, "status")
    assert len(pump.asked) == 1


def test_the_flight_recorder_keeps_the_last_frames_of_both_directions(pump: ScriptedPump, exchange: Exchange) -> None:
    for _ in range(RECORDED_FRAMES):
        exchange._ask_plainly("counters", DEVICE)
    lines = exchange.read_transcript()
    assert len(lines) == RECORDED_FRAMES
    assert lines[-2].split()[1:3] == [">", "counters"]
    assert lines[-1].split()[1:4] == ["<", "type", "0xe1"]
    assert f"seq {RECORDED_FRAMES}" in lines[-1]
    assert float(lines[-1].split()[0]) == pump.now_s


def test_noise_before_a_request_does_not_join_it(pump: ScriptedPump, exchange: Exchange) -> None:
    pump.write(b"\x05half a frame")
    assert exchange._ask_plainly("status", DEVICE)
    assert pump.names() == ["status"]


def test_waiting_drops_what_arrives(pump: ScriptedPump, exchange: Exchange) -> None:
    began = pump.now_s
    pump.say("status", 1)
    exchange.wait_time(2)
    assert pump.now_s == pytest.approx(began + 2, abs=0.11)
    assert pump.in_waiting == 0


def test_a_port_that_is_lost_is_a_port_error(pump: ScriptedPump, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> bytes:
        raise OSError("device disconnected")

    for act in ("write", "read"):
        with monkeypatch.context() as patch:
            patch.setattr(pump, act, gone, raising=False)
            with pytest.raises(PortError, match="device disconnected"):
                Exchange(pump)._ask_plainly("status", DEVICE)


def test_a_refusal_without_a_tag_is_believed_only_where_it_costs_a_new_session() -> None:
    pump = ScriptedPump()
    client = PumpClient(pump, keys=OneKey())
    client.connect()
    client.open_session("operator")
    pump.answers["status"] = Refusal("safe_state", is_sealed=False)
    with pytest.raises(NotGenuineError):
        client.read_status()
    assert pump.names().count("status") == TRIES
    pump.answers["status"] = [Refusal("replayed", is_sealed=False), blank("status", generation=4)]
    assert client.read_status()["generation"] == 4
    assert client.session is None


def test_a_changed_tag_is_as_good_as_no_reply() -> None:
    pump = ScriptedPump()
    client = PumpClient(pump, keys=OneKey())
    client.connect()
    session = client.open_session("operator")
    good = Frame(0x90, DEVICE, session.id, 3, tag=b"x" * 16)
    assert not client._is_reply(good, 0x10, [3], session)
    assert client._is_reply(good, 0x10, [3], None)
    assert encode(good).endswith(b"\x00")
