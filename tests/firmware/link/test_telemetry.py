"""Subscriptions: what is chosen, every so often, for so long, and never at a step's expense."""

from __future__ import annotations

from itertools import islice, pairwise
from typing import Any

import pytest
from dosebench.link.client import LinkError, RefusedError, SilentError
from dosebench.link.command_ids import MemoryIds
from dosebench.link.telemetry import LASTS_MS, FieldError, table_of, watch_samples
from dosebench.twin.serial_port import Serial
from dosebench.twin.twin import Twin
from dosebench_protocol.codec import by_name
from dosebench_protocol.errors import ProtocolError
from dosebench_protocol.frame import Deframer, Frame, encode
from dosebench_protocol.telemetry import FIELDS, checksum, read_table, text_of
from pump.link import telemetry
from pumpside import Client, PumpSide, pump

SAMPLE = by_name("telemetry_subscribe").type | 0x80


class Tap:
    """A port that shows every frame to `keep`, which says whether the client hears it."""

    def __init__(self, twin: Twin) -> None:
        self._port = Serial(twin=twin, baudrate=twin.machine.baud, timeout=0.1)
        self._cut = Deframer()
        self.frames: list[Frame] = []
        self.lost: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def read(self, size: int = 1) -> bytes:
        kept = b""
        for frame in self._cut.feed(self._port.read(size)):
            if frame.type == SAMPLE:
                self.frames.append(frame)
            kept += b"" if frame.type == SAMPLE and len(self.frames) in self.lost else encode(frame)
        return kept


def tapped(side: PumpSide) -> tuple[Client, Tap]:
    tap = Tap(side.twin)
    client = Client(tap, MemoryIds())
    client.connect()
    return client, tap


def test_the_table_says_what_there_is() -> None:
    with pump() as side:
        assert table_of(side.client) == FIELDS
        told = side.client.telemetry_table()
        assert told["checksum"] == checksum(told["text"]) == checksum(text_of(FIELDS))
    assert len({field.name for field in FIELDS}) == len(FIELDS) == telemetry._FIELDS <= 30
    for text in (b"battery mV\n", b"a b c d\n", b"a b c\n" * 33, b"\xff"):
        with pytest.raises(ProtocolError):
            read_table(text)


def test_a_sample_says_what_the_status_says() -> None:
    with pump() as side:
        side.program()
        side.start()
        side.twin.advance_time(3 * 3600)
        side.bolus(40)
        side.twin.advance_time(10)
        sample = next(watch_samples(side.client))
        status = side.client.read_status()
        for name in ("delivery", "low_steps", "high_steps", "missed_steps", "journal_next", "bad_frames"):
            assert sample.values[name] == status[name], name
        assert (sample.values["worst_alarm"], sample.values["alarm_count"]) == ("none", len(status["alarms"]))
        assert sample.values["battery"] == status["battery_mv"]
        assert sample.values["reservoir"] == status["reservoir_steps"]
        assert sample.values["bolus_left"] == status["bolus_left_steps"]
        assert sample.values["square_left"] == status["square_left_steps"] == 0
        assert sample.values["lease_left"] > sample.values["bolus_left"]
        assert sample.values["rate"] == 1600
        assert (sample.day, sample.lost, sample.number) == (status["day"], 0, 0)
        assert 0 <= status["ms"] - sample.ms < 1000


def test_samples_come_at_their_period_for_as_long_as_they_are_taken() -> None:
    with pump() as side:
        client, tap = tapped(side)
        samples = list(islice(watch_samples(client, ("low_steps", "battery"), 250), 200))
        assert [sample.number for sample in samples] == list(range(200))
        assert [b.ms - a.ms for a, b in pairwise(samples)] == [250] * 199
        assert set(samples[0].values) == {"low_steps", "battery"}
        heard = len(tap.frames)
        # Nobody renews it: it ends.
        side.twin.advance_time(LASTS_MS / 1000 + 60)
        tap.read(1 << 16)
        last = len(tap.frames)
        assert last - heard <= LASTS_MS // 250 + 1
        side.twin.advance_time(60)
        tap.read(1 << 16)
        assert len(tap.frames) == last


def test_lost_samples_are_counted() -> None:
    with pump() as side:
        client, tap = tapped(side)
        tap.lost = {3, 4, 7}
        samples = list(islice(watch_samples(client, ("battery",), 100), 8))
        assert [sample.number for sample in samples] == [0, 1, 4, 5, 7, 8, 9, 10]
        assert [sample.lost for sample in samples] == [0, 0, 2, 0, 1, 0, 0, 0]


def test_a_slow_line_skips_samples_and_counts_them() -> None:
    with pump() as side:
        machine = side.twin.machine
        machine.baud = machine.to_host.baud = machine.to_device.baud = 4800
        client, tap = tapped(side)
        samples = list(islice(watch_samples(client, ("battery",), 50), 150))
        # A frame of 41 bytes takes 85 ms; the transmit buffer holds a while of them.
        assert [sample.number for sample in samples] == list(range(150))
        late = samples[120:]
        assert 80 <= (late[-1].ms - late[0].ms) / 29 <= 90
        assert 15 <= late[-1].skipped - late[0].skipped <= 29
        assert all(len(encode(frame)) < 60 for frame in tap.frames)


def test_no_step_is_delayed() -> None:
    times = []
    for watched in (False, True):
        with pump() as side:
            side.program()
            side.start()
            side.settle()
            began = side.twin.machine.now_us
            if watched:
                samples = watch_samples(side.client, (), 50)
                while side.twin.machine.now_us < began + 300_000_000:
                    next(samples)
            side.twin.advance_us(began + 400_000_000)
            times.append(side.twin.step_times_ms())
    assert times[0] == times[1]
    assert len(times[0]) >= 7


def test_after_a_reset_the_watch_goes_on() -> None:
    with pump() as side:
        samples = watch_samples(side.client, ("battery",), 500)
        before = next(samples)
        side.twin.power_cycle(off_s=1)
        after = next(samples)
        assert (before.number, after.number, after.lost) == (0, 0, 0)


def test_what_is_refused() -> None:
    with pump() as side:
        with pytest.raises(FieldError, match="no field pulse"):
            next(watch_samples(side.client, ("pulse",)))
        with pytest.raises(RefusedError) as refused:
            next(watch_samples(side.client, (), 20))
        assert refused.value.reason == "too_often"
        side.client.send_request("telemetry_subscribe", checksum=b"none", fields=1, period_ms=1000, lasts_ms=1000)
        number = side.client.next_sequence() - 1
        with pytest.raises(RefusedError) as refused:
            side.client.receive_replies("telemetry_subscribe", [number], 1.0)
        assert refused.value.reason == "table_differs"


def test_a_pump_that_is_gone_is_told() -> None:
    with pump() as side:
        samples = watch_samples(side.client, ("battery",), 500)
        next(samples)
        side.twin.power_off()
        with pytest.raises(SilentError, match="no samples any more"):
            next(samples)


def test_a_table_that_does_not_fit_its_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    with pump() as side:
        told = side.client.telemetry_table()
        monkeypatch.setattr(side.client, "telemetry_table", lambda: told | {"checksum": b"none"})
        with pytest.raises(LinkError, match="checksum"):
            table_of(side.client)
