"""The journal as a stream: windows, lost frames, resets of the pump, and the way back to batches."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from dosebench.journal.download import (
    FRAME_RECORDS,
    MISFITS_MAX,
    STALLS_MAX,
    WHOLE_BAUD,
    WINDOW_FRAMES,
    download_records,
)
from dosebench.link.client import PumpClient, SilentError
from dosebench_protocol.records import GENESIS_CHAIN
from dosebench_protocol.tables import RECORD_BYTES
from hypothesis import given
from hypothesis import strategies as st
from scripted_pump import Refusal, ScriptedPump, joined, records

PER_FRAME = FRAME_RECORDS["whole"]


class Streaming:
    """Answers `journal_stream` with frames of whole records; `spoil` changes or drops each, by its number from 0."""

    def __init__(self, pump: ScriptedPump, spoil: Callable[[int, dict[str, Any]], dict[str, Any] | None]) -> None:
        self.pump = pump
        self.spoil = spoil
        self.frames = 0
        pump.answers["journal_stream"] = self.answer
        self.sequence = 0
        self.on_their_way: list[tuple[int, dict[str, Any]]] = []
        hear, read = pump._hear, pump.read

        def one_frame(size: int = 1) -> bytes:
            if not pump.in_waiting and self.on_their_way:
                sequence, fields = self.on_their_way.pop(0)
                pump.say("journal_stream", sequence, **fields)
            return read(size)

        pump.read = one_frame  # type: ignore[method-assign]

        def numbered(frame: Any) -> None:
            self.sequence = frame.sequence
            hear(frame)

        pump._hear = numbered  # type: ignore[method-assign]

    def answer(self, fields: dict[str, Any]) -> None:
        held = self.pump.journal
        offset = self.pump._first()
        for first in range(fields["first"], fields["until"], PER_FRAME):
            raw = held[first - offset : min(first + PER_FRAME, fields["until"]) - offset]
            reply = {"stream": fields["stream"], "first": first, "chain": raw[-1][-8:], "data": joined(raw)}
            changed = self.spoil(self.frames, reply)
            self.frames += 1
            if changed is not None:
                self.on_their_way.append((self.sequence, changed))


def streaming(
    count: int,
    spoil: Callable[[int, dict[str, Any]], dict[str, Any] | None] = lambda _, reply: reply,
    first: int = 0,
) -> tuple[ScriptedPump, PumpClient]:
    pump = ScriptedPump(journal=records(count, first), baudrate=WHOLE_BAUD)
    Streaming(pump, spoil)
    client = PumpClient(pump)
    client.connect()
    return pump, client


def asked(pump: ScriptedPump) -> list[dict[str, Any]]:
    return [fields for name, fields in pump.asked if name == "journal_stream"]


@pytest.mark.parametrize("count", [0, 1, PER_FRAME, PER_FRAME + 1, 20 * PER_FRAME, 47 * PER_FRAME + 3])
def test_all_records_come_in_windows(count: int) -> None:
    pump, client = streaming(count)
    progress: list[tuple[int, int]] = []
    assert list(download_records(client, progress=lambda at, end: progress.append((at, end)))) == pump.journal
    assert "journal_read" not in pump.names()
    for fields in asked(pump):
        assert fields["until"] - fields["first"] <= WINDOW_FRAMES * PER_FRAME
    assert [at for at, _ in progress] == sorted({at for at, _ in progress})
    assert not count or progress[-1] == (count, count)


def test_the_window_moves_before_it_is_used_up() -> None:
    pump, client = streaming(47 * PER_FRAME)
    list(download_records(client))
    windows = asked(pump)
    assert len(windows) > 2
    assert all(later["first"] < earlier["until"] for earlier, later in pairwise(windows))
    assert len({fields["stream"] for fields in windows}) == 1, "nothing was lost, so no stream began anew"


@pytest.mark.parametrize(("first", "wanted"), [(None, 7), (7, 7), (3, 7), (20, 20), (46, 46), (47, None), (99, None)])
def test_a_download_begins_where_it_is_asked_to(first: int | None, wanted: int | None) -> None:
    pump, client = streaming(40, first=7)
    found = [int.from_bytes(raw[:4], "little") for raw in download_records(client, first)]
    assert found == (list(range(wanted, 47)) if wanted is not None else [])
    assert pump.names().count("journal_read") == (1 if wanted is not None else 0), "one record brings the chain value"


def test_a_known_chain_value_saves_that_record() -> None:
    pump, client = streaming(40, first=7)
    assert list(download_records(client, 20, before=pump.journal[12][-8:])) == pump.journal[13:]
    assert "journal_read" not in pump.names()


@pytest.mark.parametrize("lost", [{0}, {1}, {3, 4}, {0, 1, 2, 3, 4, 5}])
def test_a_lost_frame_begins_a_new_stream_at_the_missing_record(lost: set[int]) -> None:
    pump, client = streaming(20 * PER_FRAME, lambda number, reply: None if number in lost else reply)
    assert list(download_records(client)) == pump.journal
    assert len({fields["stream"] for fields in asked(pump)}) > 1
    assert "journal_read" not in pump.names()


@given(st.sets(st.integers(0, 60)))
def test_whatever_frames_are_lost_all_records_come_once_and_in_order(lost: set[int]) -> None:
    pump, client = streaming(9 * PER_FRAME + 5, lambda number, reply: None if number in lost else reply)
    if len(lost) > STALLS_MAX:
        lost = set(sorted(lost)[:STALLS_MAX])
    assert list(download_records(client)) == pump.journal


def test_frames_of_another_download_are_passed_over() -> None:
    def double(number: int, reply: dict[str, Any]) -> dict[str, Any]:
        if number % 2:
            return reply | {"stream": (reply["stream"] + 9) % 256, "data": b"x" * 40}
        return reply

    pump, client = streaming(2 * PER_FRAME, lambda number, reply: double(number, reply) if number < 6 else reply)
    assert list(download_records(client)) == pump.journal


@pytest.mark.parametrize(
    "spoil",
    [
        lambda reply: reply | {"data": b"\x01" + reply["data"][1:]},
        lambda reply: reply | {"data": reply["data"][: -RECORD_BYTES // 2]},
        lambda reply: reply | {"chain": bytes(8)},
        lambda reply: reply | {"data": b""},
        lambda reply: reply | {"data": reply["data"][:20] + b"\x77" + reply["data"][21:]},
    ],
)
def test_records_that_never_fit_the_chain_are_read_in_batches(spoil: Callable[[Any], Any]) -> None:
    pump, client = streaming(3 * PER_FRAME, lambda _, reply: spoil(reply))
    assert list(download_records(client)) == pump.journal
    assert len(asked(pump)) == MISFITS_MAX
    assert "journal_read" in pump.names()


def test_a_pump_that_was_reset_meanwhile_misfits_once_and_is_asked_again() -> None:
    pump, client = streaming(3 * PER_FRAME, lambda number, reply: reply | {"chain": bytes(8)} if number == 1 else reply)
    assert list(download_records(client)) == pump.journal
    assert "journal_read" not in pump.names()


def test_a_journal_that_does_not_end_at_the_head_that_was_told_is_not_believed() -> None:
    pump, client = streaming(30)
    pump.answers["journal_info"] = {"first": 0, "next": 30, "chain": b"another!"}
    assert list(download_records(client)) == pump.journal, "the batches say what the pump holds; the store checks it"
    assert "journal_read" in pump.names()


def test_a_pump_that_cannot_stream_is_read_in_batches() -> None:
    pump = ScriptedPump(journal=records(60), baudrate=WHOLE_BAUD, answers={"journal_stream": Refusal("unknown_type")})
    client = PumpClient(pump)
    client.connect()
    assert list(download_records(client)) == pump.journal


def test_a_pump_that_stops_sending_is_given_up_after_some_time() -> None:
    pump, client = streaming(3 * PER_FRAME, lambda _, __: None)
    began = pump.now_s
    with pytest.raises(SilentError, match="record 0"):
        list(download_records(client))
    assert 5 < pump.now_s - began < 20
    assert len(asked(pump)) == STALLS_MAX + 1


def test_what_the_pump_writes_meanwhile_is_left_for_the_next_download() -> None:
    whole = records(24)

    def longer(_: int, reply: dict[str, Any]) -> dict[str, Any]:
        return reply | {"data": joined(whole), "chain": whole[-1][-8:]}

    pump, client = streaming(20, longer)
    assert list(download_records(client)) == pump.journal == whole[:20]
    assert "journal_read" not in pump.names()


@pytest.mark.parametrize(("baud", "coding"), [(115_200, "delta"), (WHOLE_BAUD - 1, "delta"), (WHOLE_BAUD, "whole")])
def test_a_slow_line_gets_coded_records(baud: int, coding: str) -> None:
    pump = ScriptedPump(journal=records(3), baudrate=baud, answers={"journal_stream": Refusal("busy")})
    client = PumpClient(pump)
    client.connect()
    list(download_records(client))
    assert asked(pump)[0]["coding"] == coding
    assert asked(pump)[0]["chain"] == GENESIS_CHAIN
    pump.asked.clear()
    list(download_records(client, coding="whole"))
    assert asked(pump)[0]["coding"] == "whole"
