"""The faults of the serial line by their names, and a receiver that is deaf while flash is written."""

from __future__ import annotations

from random import Random

import pytest
from dosebench.journal.download import download_records
from dosebench.link.client import GarbledError, SilentError
from dosebench.twin.faults import KINDS
from dosebench.twin.uart import Line, Noise
from dosebench_hil.bench import TwinBench, TwinOptions
from dosebench_protocol.frame import encode
from hypothesis import given
from hypothesis import strategies as st
from pumpside import pump, therapy

NOISES = ("line_flip", "line_drop", "line_insert", "line_repeat")


@pytest.mark.parametrize("name", NOISES)
def test_noise_costs_time_and_nothing_else(name: str) -> None:
    with pump() as side:
        side.program()
        side.start()
        side.twin.advance_time(86_400)
        wanted = side.client.read_record(5)
        side.twin.set_fault(name, 2.0)
        for _ in range(12):
            assert side.client.read_record(5) == wanted
        assert list(download_records(side.client))[5] == wanted
        side.client.stop_delivery()
        assert side.client.read_status()["delivery"] == "stopped"
        side.twin.set_fault("none")
        assert side.client.read_status()["bad_frames"] > 0


def test_a_cut_line_is_silent_and_comes_back() -> None:
    with pump() as side:
        side.program()
        side.start()
        side.twin.set_fault("line_cut")
        with pytest.raises(SilentError):
            side.client.read_status()
        side.twin.set_fault("line_cut", False)
        assert side.client.read_status()["delivery"] == "running"


def test_another_baud_rate_is_no_frames() -> None:
    with pump() as side:
        side.twin.set_fault("line_baud", 1.02)
        side.client.read_status()
        side.twin.set_fault("line_baud")
        with pytest.raises((GarbledError, SilentError)):
            side.client.read_status()


def test_a_delay_is_waited_for() -> None:
    with pump() as side:
        before = side.twin.now_s
        side.client.read_status()
        usual = side.twin.now_s - before
        side.twin.set_fault("line_delay", 700)
        before = side.twin.now_s
        side.client.read_status()
        assert 1.3 <= side.twin.now_s - before - usual <= 1.6


def test_the_client_waits_longer_than_the_worst_flash_freezes() -> None:
    """A commit erases two sectors or more; at 400 ms each nobody is heard meanwhile, and nothing is done twice."""
    with pump() as side:
        side.twin.set_fault("erase_time")
        side.twin.set_fault("rx_overrun")
        asked = side.client.next_sequence()
        side.program()
        assert side.twin.plant.flash_us > 800_000
        commits = [record for record in side.records() if record.kind == "commit"]
        assert len(commits) == 1
        # hello and journal_info come on top of the messages of a programming: no try was lost.
        assert side.client.next_sequence() - asked <= 14


def test_what_arrives_while_flash_is_erased_is_lost_and_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with pump() as side:
        side.program()
        side.twin.set_fault("rx_overrun")
        machine = side.twin.machine
        side.twin.set_fault("erase_time")
        side.client.stage_program(therapy(therapy_id=b"test-two"))
        # Half a second of bytes right behind each request.
        write = side.twin.host_write
        monkeypatch.setattr(side.twin, "host_write", lambda data: write(data + bytes(6_000)))
        lost = machine.to_device.lost
        side.client.commit_program(therapy(therapy_id=b"test-two"))
        assert machine.to_device.lost > lost
        assert side.client.read_status()["therapy_id"] == b"test-two"
        assert [record.kind for record in side.records()].count("commit") == 2


def test_of_an_overrun_the_first_bytes_are_kept() -> None:
    line = Line(10_000)
    line.send_bytes(0, bytes(range(50)))
    # A byte takes a millisecond.
    line.drop_overrun(10_000, 30_000, 8)
    assert line.take_bytes(100_000, 100) == bytes([*range(18), *range(30, 50)])
    assert line.lost == 12


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    read=st.integers(0, 60),
    since=st.integers(0, 80),
    length=st.integers(0, 80),
    hold=st.integers(1, 20),
)
def test_an_overrun_loses_what_it_says(sizes: list[int], read: int, since: int, length: int, hold: int) -> None:
    line, plain = Line(10_000), Line(10_000)
    sent = 0
    for size in sizes:
        data = bytes(range(sent, sent + size))
        for one in (line, plain):
            one.send_bytes(0, data)
        sent += size
    began = since * 1000
    for one in (line, plain):
        assert one.take_bytes(began, read) is not None
    taken = min(read, since, sent)
    line.drop_overrun(began, began + length * 1000, hold)
    arrived = range(since, min(sent, since + length))
    expected = [at for at in range(taken, sent) if at not in arrived or at < since + hold]
    assert list(line.take_bytes(1_000_000, 1000)) == expected
    assert line.lost == max(0, len(arrived) - hold)
    assert line.count_arrived(2_000_000) == 0


def test_noise_is_as_much_as_it_says() -> None:
    data = bytes(100_000)
    rng = Random(1)
    assert abs(len(Noise(drop=0.1).hurt_bytes(data, rng)) - 90_000) < 600
    assert abs(len(Noise(insert=0.1).hurt_bytes(data, rng)) - 110_000) < 600
    assert abs(len(Noise(repeat=0.1).hurt_bytes(data, rng)) - 110_000) < 600
    flipped = Noise(flip=0.1).hurt_bytes(data, rng)
    assert abs(sum(byte.bit_count() for byte in flipped) - 10_000) < 600
    assert max(byte.bit_count() for byte in flipped) == 1
    assert not Noise()
    assert {name for name in KINDS if name.startswith("line_")} == {*NOISES, "line_cut", "line_baud", "line_delay"}


def test_frames_that_arrive_at_once_are_all_answered() -> None:
    # So fast a line has brought them all before the first is looked at; no byte comes after them.
    bench = TwinBench(TwinOptions(runtime="cpython", baud=2_000_000))
    wire = bench.wire
    frame = wire.make_frame("status")
    wire.send_bytes(b"".join(encode(wire.alter_frame(frame, sequence=70 + at)) for at in range(5)))
    assert [reply.sequence for reply in wire.receive_frames()] == [70, 71, 72, 73, 74]
    bench.close()
