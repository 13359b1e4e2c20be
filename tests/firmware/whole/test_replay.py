"""Recorded and altered frames: sent again, in any order, later, after resets and to others, they change nothing."""

from __future__ import annotations

import json
from binascii import crc32
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from cobs import cobs
from dosebench.link.command_ids import MemoryIds
from dosebench.twin.runtimes import RuntimeName
from dosebench.twin.serial_port import Serial
from dosebench_protocol.codec import by_name, decode_frame
from dosebench_protocol.frame import DELIMITER, decode, encode
from dosebench_protocol.records import Record
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pumpside import therapy
from sessions import RUNTIMES, Line, Wiretap, client_of, line, set_running

STOP = by_name("stop").type
HOUR_S = 3600
GOLDEN = Path(__file__).parents[3] / "protocol" / "golden" / "vectors.json"
BY_ITSELF = {"lease", "distrusted"}
"""Records that a pump writes which delivers and is sent nothing that it trusts."""


def transcript(pump: Line) -> list[bytes]:
    """Every frame of a host that did a little of everything; the pump is stopped at its end."""
    tap = Wiretap(Serial(twin=pump.twin, baudrate=pump.twin.machine.baud, timeout=0.1))
    client = client_of(pump.twin, MemoryIds(b"host"), port=tap)
    client.set_clock(datetime(2026, 3, 1, 8))
    client.record_refill(160_000)
    client.stage_program(therapy(square_steps_max=50, prime_steps_max=20, prime_num=1, prime_den=9_000, path_version=1))
    client.commit_program(
        therapy(square_steps_max=50, prime_steps_max=20, prime_num=1, prime_den=9_000, path_version=1)
    )
    client.prime_arm(5, 1)
    client.start_delivery()
    client.give_bolus(3)
    client.bolus_cancel()
    client.square_bolus(10, 600_000)
    client.square_cancel()
    client.stop_delivery()
    client.start_delivery()
    client.alarm_clear(["dose_cap"])
    client.read_status()
    client._end_session()
    client.stop_delivery()
    return tap.frames


def is_stop(frame: bytes) -> bool:
    """Whether the pump would take these bytes for a stop."""
    return decode(frame[:-1]).type == STOP


@contextmanager
def unmoved(pump: Line) -> Iterator[None]:
    """A pump that runs, and runs on as if nothing had been said."""
    before = pump.status()
    yield
    after = pump.status()
    same = ("delivery", "generation", "therapy_id", "alarms", "missed_steps", "rate_num", "rate_den", "staged_bytes")
    assert [after[name] for name in same] == [before[name] for name in same]
    assert (after["delivery"], after["bolus_left_steps"], after["square_left_steps"]) == ("running", 0, 0)
    assert {record.kind for record in pump.records(before["journal_next"])} <= BY_ITSELF


def noted(records: list[Record]) -> list[Record]:
    return [record for record in records if record.kind == "distrusted"]


def seconds(record: Record) -> float:
    return record.day * 86_400 + record.ms / 1000


# Replay


@pytest.mark.requirement("R62")
@pytest.mark.requirement("C18")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_whole_transcript_again_and_again(runtime: RuntimeName) -> None:
    """In the same session's time, in a later session, after a reset, and while another session is open."""
    with line(runtime) as pump:
        recorded = transcript(pump)
        frames = [frame for frame in recorded if not is_stop(frame)]
        assert len(frames) > 15
        set_running(pump.twin)
        occasions: list[Callable[[], object]] = [
            lambda: None,
            lambda: pump.open(host=b"else"),
            pump.reset,
            lambda: pump.open(host=b"host"),
        ]
        for occasion in occasions:
            occasion()
            with unmoved(pump):
                for frame in frames:
                    pump.send(frame)


@pytest.mark.requirement("C18")
def test_a_transcript_sent_to_another_pump() -> None:
    with line(seed=1) as pump, line(seed=2) as other:
        frames = transcript(pump)
        other.twin.machine.keys = pump.twin.machine.keys
        other.reset()
        set_running(other.twin)
        with unmoved(other):
            for frame in frames:
                # Its stops too: they name the pump that they are for.
                other.send(frame)


@pytest.mark.requirement("R62")
@pytest.mark.requirement("C18")
def test_parts_of_a_transcript_in_any_order() -> None:
    # The safe state after many resets in a short time (R58) is another test's.
    with line(resets_max=1_000_000) as pump:
        frames = [frame for frame in transcript(pump) if not is_stop(frame)]
        set_running(pump.twin)

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.lists(st.sampled_from(frames), max_size=25), st.sampled_from(["", "reset", "session"]))
        def check(parts: list[bytes], occasion: str) -> None:
            if occasion == "reset":
                pump.reset()
            elif occasion == "session":
                pump.open(host=b"host")
            with unmoved(pump):
                for frame in parts:
                    pump.send(frame)

        check()


@pytest.mark.requirement("C18")
def test_a_recorded_stop_stops_again() -> None:
    with line() as pump:
        stops = [frame for frame in transcript(pump) if is_stop(frame)]
        assert len(stops) == 2
        for frame in stops:
            set_running(pump.twin)
            pump.send(frame)
            status = pump.status()
            assert (status["delivery"], status["stop_reason"]) == ("stopped", "command")


@pytest.mark.requirement("C18")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_flood_is_counted_and_written_down_once_an_hour(runtime: RuntimeName) -> None:
    with line(runtime) as pump:
        frames = [frame for frame in transcript(pump) if not is_stop(frame)]
        set_running(pump.twin)
        session = pump.open(host=b"host")
        forged = pump.sealed(session, "refill", counter=99, steps=1)
        first = pump.status()
        hours = 5
        for _ in range(hours * 6):
            for frame in frames[::3]:
                pump.send(frame)
            pump.send(encode(forged)[:-3] + b"\x01" + encode(forged)[-2:])
            pump.twin.advance_time(HOUR_S / 6)
        pump.twin.advance_time(HOUR_S)
        written = noted(pump.records(first["journal_next"]))
        status = pump.status()
        assert hours <= len(written) <= hours + 2
        assert all(seconds(later) - seconds(one) >= HOUR_S for one, later in pairwise(written))
        totals = {name: sum(record.fields[name] for record in noted(pump.records())) for name in COUNTS}
        assert totals == {name: status[name] for name in COUNTS}
        assert totals["sessionless"] > 100


COUNTS = ("bad_tags", "replays", "sessionless")


@pytest.mark.requirement("C18")
def test_resets_do_not_shorten_the_hour() -> None:
    with line() as pump:
        frames = [frame for frame in transcript(pump) if not is_stop(frame)]
        set_running(pump.twin)
        for _ in range(20):
            pump.send(frames[5])
            pump.reset()
        assert len(noted(pump.records())) == 1


# Bits


def golden_frames() -> list[bytes]:
    """The golden frames, as they are before COBS, without the CRC."""
    vectors = json.loads(GOLDEN.read_text())
    return [cobs.decode(bytes.fromhex(frame["wire"])[:-1])[:-4] for frame in vectors["frames"]]


def on_the_wire(plain: bytes, good_crc: bool = True) -> bytes:
    checked = plain + (crc32(plain) ^ (0 if good_crc else 1)).to_bytes(4, "little")
    return bytes(cobs.encode(checked)) + DELIMITER


def flips(data: bytes, stride: int = 1) -> Iterator[bytes]:
    for bit in range(0, 8 * len(data), stride):
        yield data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]


def stops(plain: bytes, device: bytes) -> bool:
    """Whether it is a STOP that reaches the device: in any version, and also for the device id of zeros."""
    return plain[1] == STOP and plain[2:6] in (device, bytes(4))


@pytest.mark.requirement("R60")
@pytest.mark.requirement("R62")
@pytest.mark.parametrize("repaired", [False, True], ids=["as the line flips it", "with a checksum that fits"])
def test_every_flipped_bit_of_every_golden_frame(repaired: bool) -> None:
    """The two longest frames, all alike inside, are flipped at every 29th bit."""
    device = golden_frames()[0][2:6]
    with line() as pump:
        pump.twin.machine.device_id = pump.device = device
        pump.reset()
        set_running(pump.twin)
        sent = 0
        with unmoved(pump):
            for plain in golden_frames():
                assert len(plain) > 15
                stride = 29 if len(plain) > 600 else 1
                if repaired:
                    altered = [on_the_wire(one) for one in flips(plain, stride) if not stops(one, device)]
                else:
                    altered = [one + DELIMITER for one in flips(on_the_wire(plain)[:-1], stride)]
                sent += len(altered)
                for at in range(0, len(altered), 32):
                    pump.send(b"".join(altered[at : at + 32]), wait_ms=1)
            pump.twin.advance_time(1)
        status = pump.status()
        assert sent > 18_000
        assert pump.twin.machine.to_device.lost == 0
        assert status["bad_frames"] > (100 if repaired else 20_000)
        assert status["sessionless"] > 2_000 if repaired else status["sessionless"] == 0


@pytest.mark.requirement("R62")
@pytest.mark.parametrize("runtime", ["cpython", "wasm"])
def test_every_flipped_bit_of_a_command_in_an_open_session(runtime: RuntimeName) -> None:
    """Header, body and tag, with a checksum that fits: not one bit may be another, and then the true one is taken."""
    with line(runtime) as pump:
        set_running(pump.twin)
        session = pump.open(host=b"host")
        true = pump.sealed(session, "bolus", counter=77, steps=5)
        plain = cobs.decode(encode(true)[:-1])[:-4]
        with unmoved(pump):
            for one in flips(plain):
                if not stops(one, pump.device):
                    pump.send(on_the_wire(one), wait_ms=5)
        assert pump.status()["bad_tags"] > 200
        answer = pump.answer(true)
        assert session.is_ours(answer)
        assert decode_frame(answer).fields["accepted"] == 5


@pytest.mark.requirement("R62")
def test_pieces_of_sealed_frames_put_together_anew() -> None:
    """Header of one frame, body or tag of another, with a checksum that fits."""
    with line() as pump:
        set_running(pump.twin)
        session = pump.open(host=b"host")
        pieces = []
        for counter, steps in enumerate((1, 2, 3), 50):
            frame = pump.sealed(session, "bolus", counter=counter, steps=steps)
            plain = cobs.decode(encode(frame)[:-1])[:-4]
            pieces.append((plain[:16], plain[16:-16], plain[-16:]))
        mixed = [(a[0], b[1], c[2]) for a in pieces for b in pieces for c in pieces if not a is b is c]
        Random(1).shuffle(mixed)
        with unmoved(pump):
            for parts in mixed:
                pump.send(on_the_wire(b"".join(parts)))
