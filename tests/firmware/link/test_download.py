"""The journal stream: what it gives is what the flash holds, whatever the line loses."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from dosebench.journal.download import Coding, download_records
from dosebench.link.client import SilentError
from dosebench.link.command_ids import MemoryIds
from dosebench.profile.device_config import seal_config
from dosebench.twin.persistent import profile_settings
from dosebench.twin.serial_port import Serial
from dosebench.twin.twin import Twin
from dosebench_protocol.codec import by_name, encode_reply, encode_struct
from dosebench_protocol.delta import DeltaDecoder, DeltaError
from dosebench_protocol.frame import Deframer, Frame, encode
from dosebench_protocol.records import GENESIS_CHAIN, chain, decode_records, verify_chain
from dosebench_protocol.tables import BODY_BYTES_MAX, RECORD_BYTES
from hypothesis import given, settings
from hypothesis import strategies as st
from pump.link.journal_stream import Coder
from pumpside import Client, therapy

CODINGS: tuple[Coding, ...] = ("whole", "delta")


class Tap:
    """A port that counts what is asked, and changes what the pump says."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self._cut = Deframer()
        self.asked: list[int] = []
        self.frames: list[Frame] = []
        self.lose = lambda _frame: False
        self.inserted = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def write(self, data: bytes) -> int:
        self.asked += [frame.type for frame in Deframer().feed(data)]
        return int(self._port.write(data))

    def read(self, size: int = 1) -> bytes:
        kept = self.inserted
        for frame in self._cut.feed(self._port.read(size)):
            self.frames.append(frame)
            kept += b"" if self.lose(frame) else encode(frame)
        return kept

    def count(self, name: str) -> int:
        return self.asked.count(by_name(name).type)


def grown(days: int, baud: int = 115_200, **config: int) -> Twin:
    """A pump that has delivered for some days, with a bolus each day."""
    options = profile_settings("implant-40", "cpython", 0, baud)
    options.config = seal_config(options.config | {"watchdog_ms": 0} | config)
    twin = Twin(options).power_on()
    client, _ = client_of(twin)
    client.stage_program(therapy())
    client.commit_program(therapy())
    client.start_delivery()
    for day in range(days):
        twin.advance_time(86_400)
        client.give_bolus(20 + day % 50)
    client.close()
    return twin


def client_of(twin: Twin) -> tuple[Client, Tap]:
    tap = Tap(Serial(twin=twin, baudrate=twin.machine.baud, timeout=0.1))
    client = Client(tap, MemoryIds())
    client.connect()
    return client, tap


@pytest.fixture(scope="module")
def twin() -> Iterator[Twin]:
    with grown(16) as made:
        yield made


@pytest.mark.parametrize("coding", CODINGS)
def test_it_gives_what_the_flash_holds_in_few_frames(twin: Twin, coding: Coding) -> None:
    client, tap = client_of(twin)
    wanted = list(client.read_journal())
    before = len(tap.frames)
    told: list[tuple[int, int]] = []
    assert list(download_records(client, coding=coding, progress=lambda at, end: told.append((at, end)))) == wanted
    assert verify_chain(decode_records(b"".join(wanted))) == client.journal_info()["chain"]
    assert told[-1] == (len(wanted), len(wanted))
    assert [at for at, _ in told] == sorted(at for at, _ in told)
    frames = [frame for frame in tap.frames[before:] if frame.type == by_name("journal_stream").type | 0x80]
    # Full frames but for the last, and fewer requests than frames.
    assert all(len(frame.body) > BODY_BYTES_MAX - RECORD_BYTES for frame in frames[:-1])
    assert tap.count("journal_stream") <= 1 + len(frames) // 4
    assert sum(len(frame.body) for frame in frames) < (1.05 if coding == "whole" else 0.4) * len(b"".join(wanted))


@pytest.mark.parametrize("coding", CODINGS)
def test_it_goes_on_where_it_was_left(twin: Twin, coding: Coding) -> None:
    client, tap = client_of(twin)
    wanted = list(client.read_journal())
    tap.asked.clear()
    rest = list(download_records(client, 100, before=wanted[99][-8:], coding=coding))
    assert rest == wanted[100:]
    assert tap.count("journal_read") == 0
    assert list(download_records(client, len(wanted), coding=coding)) == []
    assert list(download_records(client, len(wanted) - 1, coding=coding)) == wanted[-1:]


@pytest.mark.parametrize("coding", CODINGS)
def test_a_host_that_saw_another_journal_reads_it_batch_by_batch(twin: Twin, coding: Coding) -> None:
    client, tap = client_of(twin)
    wanted = list(client.read_journal())
    tap.asked.clear()
    assert list(download_records(client, 100, before=b"another!", coding=coding)) == wanted[100:]
    assert tap.count("journal_stream") == 1
    assert tap.count("journal_read") > 10


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32), share=st.sampled_from([0.05, 0.2, 0.5]), coding=st.sampled_from(CODINGS))
def test_frames_that_are_lost_come_again_from_the_missing_record(
    twin: Twin, seed: int, share: float, coding: Coding
) -> None:
    client, tap = client_of(twin)
    wanted = list(client.read_journal())
    rng = Random(seed)
    stream = by_name("journal_stream").type | 0x80
    tap.frames.clear()
    tap.lose = lambda frame: frame.type == stream and rng.random() < share
    assert list(download_records(client, coding=coding)) == wanted
    # What was sent twice is less than two windows a loss.
    sent = sum(frame.type == stream for frame in tap.frames)
    assert sent <= 60 * len(wanted) // 25


def test_a_lost_frame_costs_the_frames_on_the_line_and_no_more(twin: Twin) -> None:
    client, tap = client_of(twin)
    wanted = list(client.read_journal())
    stream = by_name("journal_stream").type | 0x80
    tap.frames.clear()
    lost: list[Frame] = []
    tap.lose = lambda frame: frame.type == stream and len(tap.frames) == 8 and not lost.append(frame)
    assert list(download_records(client, coding="whole")) == wanted
    assert len(lost) == 1
    sent = [frame for frame in tap.frames if frame.type == stream]
    assert len(sent) <= -(-len(wanted) // 25) + 5


@pytest.mark.parametrize("coding", CODINGS)
def test_a_reset_in_the_middle(coding: Coding) -> None:
    with grown(5) as twin:
        client, _ = client_of(twin)
        wanted = list(client.read_journal())
        records = download_records(client, coding=coding)
        got = [next(records) for _ in range(30)]
        twin.power_cycle(off_s=0.1)
        assert got + list(records) == wanted


@pytest.mark.parametrize("coding", CODINGS)
def test_records_that_are_written_meanwhile_are_left_for_the_next_time(coding: Coding) -> None:
    with grown(5) as twin:
        client, _ = client_of(twin)
        held = len(list(client.read_journal()))
        records = download_records(client, coding=coding)
        got = [next(records)]
        client.stop_delivery()
        got += records
        assert len(got) >= held
        assert got == list(client.read_journal())[: len(got)]


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("place", [3, 40, 2048, 4096 + 16 + 40 * 7 + 33, 16 + 40 * 101])
def test_a_flipped_bit_in_flash_changes_nothing_of_what_is_given(coding: Coding, place: int) -> None:
    with grown(5) as twin:
        client, _ = client_of(twin)
        sound = list(client.read_journal())
        twin.flash.data[2 * 4096 + place] ^= 0x10
        # What follows is the pump's own record of the damage.
        assert list(download_records(client, coding=coding))[: len(sound)] == sound


@pytest.mark.parametrize("coding", CODINGS)
def test_torn_records_are_passed_over(coding: Coding) -> None:
    with grown(4) as twin:
        for _ in range(4):
            twin.cut_at(twin.flash_operations + 3, "torn")
            twin.advance_time(6 * 3600)
            twin.power_on("brown_out")
        client, _ = client_of(twin)
        wanted = list(client.read_journal())
        assert decode_records(wanted[-1])[0].sequence == len(wanted) - 1
        assert list(download_records(client, coding=coding)) == wanted


@pytest.mark.parametrize("coding", CODINGS)
def test_a_journal_that_has_overwritten_its_beginning(coding: Coding) -> None:
    with grown(8, flash_sectors=6, fault_sectors=2) as twin:
        client, _ = client_of(twin)
        wanted = list(client.read_journal())
        assert decode_records(wanted[0])[0].sequence > 0
        assert list(download_records(client, 0, coding=coding)) == wanted


@pytest.mark.parametrize("coding", CODINGS)
def test_steps_come_when_they_are_due_while_it_runs(coding: Coding) -> None:
    with grown(2) as twin, grown(2) as quiet:
        for one in (twin, quiet):
            client, _ = client_of(one)
            one.advance_us((one.machine.now_us // 3_600_000_000 + 2) * 3_600_000_000)
            client.give_bolus(5)
            began = one.machine.now_us
            while one is twin and one.machine.now_us < began + 38_000_000:
                list(download_records(client, coding=coding))
            one.advance_us(began + 55_000_000)
        assert twin.step_times_ms() == quiet.step_times_ms()
        assert twin.step_times_ms()[-1] > began // 1000


@pytest.mark.parametrize("coding", CODINGS)
def test_a_slow_line_is_waited_for(coding: Coding) -> None:
    """At 4800 baud a frame takes longer than a line is silent that has lost something."""
    with grown(4, baud=4800) as twin:
        client, tap = client_of(twin)
        wanted = list(client.read_journal())
        tap.frames.clear()
        assert list(download_records(client, coding=coding)) == wanted
        assert len({frame.body[0] for frame in tap.frames[1:]}) == 1


BODY = {"day": 1, "ms": 1, "kind": "lease", "code": 0, "a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "chain": bytes(8)}
U32 = st.one_of(st.integers(0, 300), st.integers(0, 2**32 - 1), st.sampled_from([0, 2**32 - 1, 2**31, 2**16]))
RECORDS = st.lists(
    st.tuples(
        st.integers(0, 65_535) | st.integers(0, 3),
        st.integers(0, 86_399_999),
        *(st.integers(0, 255) for _ in range(2)),
        *(U32 for _ in range(5)),
    ),
    max_size=40,
)


@given(rows=RECORDS)
def test_the_coder_loses_nothing(rows: list[tuple[int, ...]]) -> None:
    raw = b""
    before = GENESIS_CHAIN
    for number, (day, ms, kind, code, *numbers) in enumerate(rows):
        values = dict(zip("abcde", numbers, strict=True)) | {"day": day, "ms": ms, "kind": kind, "code": code}
        record = encode_struct("record", sequence=number, **(BODY | values))
        before = chain(before, record)
        raw += record[:-8] + before
    out = bytearray(34 * len(rows) + 1)
    coder, end = Coder(), 0
    for at in range(0, len(raw), RECORD_BYTES):
        start, end = end, coder.code_record(raw, at, out, end)
        assert end - start <= 34
    decoder = DeltaDecoder(0, GENESIS_CHAIN)
    assert b"".join(decoder.feed(bytes(out[:end]))) == raw
    if end and len(rows) == 1:
        with pytest.raises(DeltaError, match="within a record"):
            DeltaDecoder(0, GENESIS_CHAIN).feed(bytes(out[: end - 1]))


def test_what_no_pump_sends_is_refused() -> None:
    for data in (b"\x01\x00", b"\x80\x00\x00\xff\xff\xff\xff", b"\x00\xf1", b"\x01\x00\xf0\x00\x00", b"\x80\x00"):
        with pytest.raises(DeltaError):
            DeltaDecoder(0, GENESIS_CHAIN).feed(data)


def test_a_pump_that_is_gone_is_told_with_the_record(twin: Twin) -> None:
    client, tap = client_of(twin)
    records = download_records(client, coding="whole")
    next(records)
    tap.lose = lambda _frame: True
    with pytest.raises(SilentError, match="stopped sending its journal at record"):
        list(records)


def test_an_answer_that_is_not_asked_for_is_not_taken(twin: Twin) -> None:
    client, tap = client_of(twin)
    wanted = list(client.read_journal())
    strange = encode_reply("journal_stream", stream=0, first=0, chain=bytes(8), data=bytes(40))
    frame = Frame(by_name("journal_stream").type | 0x80, client.device_id, sequence=1, body=strange)
    tap.inserted = encode(frame)
    assert list(download_records(client)) == wanted
