"""Bad frames: whatever comes in on the line, nothing changes and the next good frame is answered."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from dosebench_protocol.frame import DELIMITER, Frame, encode
from dosebench_protocol.tables import COUNT_MAX, FRAME_BYTES_MAX, PROTOCOL_VERSION

from dosebench_hil.contract.helpers import (
    next_command,
    put_in_force,
    records_from,
    unwritten_status,
    written_kinds,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dosebench.therapy.program import Program

    from dosebench_hil.bench import Bench

DEAF_S = 2.0
"""Longest time that the pump may need to get over anything, in seconds."""


@pytest.fixture
def unmoved(bench: Bench, program: Program) -> Iterator[Bench]:
    """A programmed, stopped pump that must be exactly as it was, and answer, when the test is over."""
    put_in_force(bench.client, program)
    before = bench.client.read_status()
    yield bench
    bench.advance_time(DEAF_S)
    after = bench.client.read_status()
    assert unwritten_status(after) == unwritten_status(before)
    # That it was sent what it must not trust is all that it may write down, and once.
    kinds = [record.kind for record in records_from(bench.client, before["journal_next"])]
    assert written_kinds(kinds) in ([], ["distrusted"])
    assert (after["day"], after["ms"]) > (before["day"], before["ms"])


def command(bench: Bench) -> Frame:
    """A frame that would start the pump, were it taken."""
    return bench.wire.make_frame("start", counter=next_command(bench))


def bad_frames(bench: Bench) -> int:
    """How many bad frames the pump has counted."""
    return int(bench.client.read_status()["bad_frames"])


@pytest.mark.parametrize("seed", range(4))
def test_random_bytes(unmoved: Bench, seed: int) -> None:
    unmoved.put_noise(Random(seed).randbytes(700))


def test_random_bytes_without_a_delimiter(unmoved: Bench) -> None:
    random = Random(7)
    unmoved.put_noise(bytes(random.randrange(1, 256) for _ in range(3 * FRAME_BYTES_MAX)))


def test_noise_right_before_a_frame_costs_one_retry_at_most(bench: Bench) -> None:
    bench.put_noise(b"\x05\x31\x41\x59")
    assert bench.client.read_status()["bolus_left_steps"] == 0


def test_truncated_frames(unmoved: Bench) -> None:
    wire = encode(command(unmoved))
    before = bad_frames(unmoved)
    unmoved.put_noise(b"".join(wire[:end] + DELIMITER for end in range(1, len(wire) - 1)))
    assert unmoved.wire.receive_frames() == []
    assert bad_frames(unmoved) == before + len(wire) - 2


def test_a_frame_without_its_beginning(unmoved: Bench) -> None:
    wire = encode(command(unmoved))
    unmoved.put_noise(b"".join(DELIMITER + wire[start:] for start in range(1, len(wire) - 1)))
    assert unmoved.wire.receive_frames() == []


def test_every_flipped_bit_of_a_command(unmoved: Bench) -> None:
    wire = encode(command(unmoved))[:-1]
    flips = (1 << bit for bit in range(8 * len(wire)))
    number = int.from_bytes(wire, "little")
    for flip in flips:
        unmoved.put_noise(DELIMITER + (number ^ flip).to_bytes(len(wire), "little") + DELIMITER)
        unmoved.advance_time(0.05)
    assert unmoved.wire.receive_frames() == []


def test_a_wrong_checksum(unmoved: Bench) -> None:
    wire = bytearray(encode(command(unmoved)))
    wire[-2] ^= 0x55 if wire[-2] != 0x55 else 0x2A
    before = bad_frames(unmoved)
    unmoved.put_noise(DELIMITER + bytes(wire))
    assert unmoved.wire.receive_frames() == []
    assert bad_frames(unmoved) == before + 1


def test_another_protocol_version(unmoved: Bench) -> None:
    frame = unmoved.wire.alter_frame(command(unmoved), version=PROTOCOL_VERSION + 1)
    assert unmoved.wire.expect_refusal(frame) == ("wrong_version", PROTOCOL_VERSION)


@pytest.mark.parametrize("device", [bytes(4), b"\x12\x34\x56\x78"], ids=["anybody", "another"])
def test_another_device(unmoved: Bench, device: bytes) -> None:
    frame = unmoved.wire.alter_frame(command(unmoved), device=device)
    assert unmoved.wire.expect_refusal(frame)[0] == "wrong_device"


def test_a_session_that_was_never_opened(unmoved: Bench) -> None:
    frame = unmoved.wire.alter_frame(command(unmoved), session=b"sess")
    assert unmoved.wire.expect_refusal(frame)[0] == "no_session"


def test_a_tag_without_a_session(unmoved: Bench) -> None:
    frame = unmoved.wire.alter_frame(command(unmoved), session=bytes(4), tag=bytes(range(16)))
    assert unmoved.wire.expect_refusal(frame)[0] == "no_session"


def test_a_wrong_tag(unmoved: Bench) -> None:
    frame = unmoved.wire.alter_frame(command(unmoved), tag=bytes(range(16)))
    assert unmoved.wire.expect_refusal(frame)[0] == "bad_tag"


def test_a_command_without_session_and_tag(unmoved: Bench) -> None:
    frame = unmoved.wire.make_bare("start", counter=next_command(unmoved))
    assert unmoved.wire.expect_refusal(frame)[0] == "no_session"


@pytest.mark.parametrize("number", [0x00, 0x0F, 0x3F, 0x7F, 0x80, 0xB0, 0xFF])
def test_unknown_types(unmoved: Bench, number: int) -> None:
    frame = unmoved.wire.alter_frame(command(unmoved), type=number)
    assert unmoved.wire.expect_refusal(frame) == ("unknown_type", number)


@pytest.mark.parametrize("length", [0, 1, 3])
def test_a_body_that_is_too_short(unmoved: Bench, length: int) -> None:
    frame = command(unmoved)
    short = unmoved.wire.alter_frame(frame, body=frame.body[:length])
    assert unmoved.wire.expect_refusal(short)[0] == "malformed"


def test_a_counter_that_no_host_can_have(unmoved: Bench) -> None:
    frame = unmoved.wire.make_frame("start", counter=COUNT_MAX + 1)
    assert unmoved.wire.expect_refusal(frame)[0] == "malformed"


def test_bytes_behind_the_last_field_are_ignored(bench: Bench) -> None:
    frame = bench.wire.make_frame("journal_info")
    longer = bench.wire.alter_frame(frame, body=b"from a newer host")
    assert bench.wire.exchange_frames(longer).body == bench.wire.exchange_frames(frame).body


def test_frames_of_zero_length(unmoved: Bench) -> None:
    before = bad_frames(unmoved)
    unmoved.put_noise(DELIMITER * 300)
    assert unmoved.wire.receive_frames() == []
    assert bad_frames(unmoved) == before


def test_a_frame_that_is_too_long(unmoved: Bench) -> None:
    before = bad_frames(unmoved)
    unmoved.put_noise(b"\x01" * (2 * FRAME_BYTES_MAX) + DELIMITER)
    assert unmoved.wire.receive_frames() == []
    assert bad_frames(unmoved) > before


def test_the_longest_body_is_read(unmoved: Bench) -> None:
    frame = unmoved.wire.alter_frame(unmoved.wire.make_frame("journal_info"), body=bytes(range(256)) * 4)
    assert unmoved.wire.exchange_frames(frame).type == frame.type | 0x80


def test_two_frames_in_a_row_are_both_answered(bench: Bench) -> None:
    frames = [bench.wire.make_frame("status") for _ in range(2)]
    wire = bench.wire
    wire.send_bytes(b"".join(encode(wire.alter_frame(frame, sequence=70 + at)) for at, frame in enumerate(frames)))
    assert [reply.sequence for reply in wire.receive_frames()] == [70, 71]


def test_a_frame_in_two_halves_is_answered(bench: Bench) -> None:
    wire = bench.wire
    frame = wire.make_frame("status")
    data = encode(frame)
    wire.send_bytes(data[:9])
    bench.advance_time(1)
    wire.send_bytes(data[9:])
    assert [reply.sequence for reply in wire.receive_frames()] == [frame.sequence]
