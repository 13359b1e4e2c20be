"""The frame codec: what it takes, what it refuses, and how it finds its place again."""

from __future__ import annotations

from binascii import crc32
from collections.abc import Iterator
from dataclasses import asdict, replace
from random import Random

import pytest
from cobs import cobs
from dosebench_protocol import frame as fr
from dosebench_protocol.errors import ProtocolError
from dosebench_protocol.frame import Deframer, Frame, FrameError, decode, encode
from dosebench_protocol.generate.vectors import frame_bytes, golden_frames
from dosebench_protocol.schema import messages
from dosebench_protocol.schema.model import schema
from dosebench_protocol.schema.terms import BODY_BYTES_MAX
from hypothesis import given, settings
from hypothesis import strategies as st

GOLDEN = {title: Frame(**fields) for title, fields in golden_frames(schema())}

FRAMES = st.builds(
    Frame,
    type=st.integers(0, 255),
    device=st.binary(min_size=4, max_size=4),
    session=st.binary(min_size=4, max_size=4),
    sequence=st.integers(0, 2**32 - 1),
    body=st.binary(max_size=300) | st.integers(0, BODY_BYTES_MAX).map(bytes),
    tag=st.just(b"") | st.binary(min_size=16, max_size=16),
    version=st.integers(0, 255),
)


@settings(deadline=None)
@given(FRAMES)
def test_round_trip(frame: Frame) -> None:
    wire = encode(frame)
    assert wire.index(0) == len(wire) - 1 < fr.FRAME_BYTES_MAX
    assert decode(wire[:-1]) == frame


def test_the_longest_frame_has_the_stated_length() -> None:
    frame = GOLDEN["longest, no zero byte"]
    assert len(encode(frame)) == fr.FRAME_BYTES_MAX
    assert decode(encode(frame)[:-1]) == frame


@settings(deadline=None)
@given(FRAMES)
def test_a_frame_has_the_header_of_the_schema(frame: Frame) -> None:
    assert encode(frame) == frame_bytes(asdict(frame))
    header = messages.Header.parse(cobs.decode(encode(frame)[:-1]))
    assert (header.version, header.type, header.device) == (frame.version, frame.type, frame.device)
    assert (header.session, header.sequence, header.length) == (frame.session, frame.sequence, len(frame.body))
    assert messages.Header.sizeof() == fr.HEADER_BYTES


def _flips(wire: bytes) -> Iterator[bytes]:
    for bit in range(8 * len(wire)):
        changed = bytearray(wire)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


SHORT = [title for title, frame in GOLDEN.items() if len(frame.body) < 200]


@pytest.mark.parametrize("title", SHORT)
def test_every_bit_flip_of_a_golden_frame_is_refused(title: str) -> None:
    wire = encode(GOLDEN[title])
    for changed in _flips(wire):
        deframer = Deframer()
        assert deframer.feed(changed) == []
        assert deframer.bad_frames + bool(deframer.held_bytes) > 0
    for changed in _flips(wire[:-1]):
        with pytest.raises(FrameError):
            decode(changed)


@settings(deadline=None)
@given(FRAMES, st.data())
def test_every_bit_flip_of_any_frame_is_refused(frame: Frame, data: st.DataObject) -> None:
    changed = bytearray(encode(frame)[:-1])
    bit = data.draw(st.integers(0, 8 * len(changed) - 1))
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(FrameError):
        decode(bytes(changed))


@settings(deadline=None)
@given(st.binary(max_size=1200))
def test_decode_raises_nothing_but_frame_errors(raw: bytes) -> None:
    with pytest.raises(FrameError):
        decode(raw)


def _sealed(plain: bytes) -> bytes:
    return bytes(cobs.encode(plain + crc32(plain).to_bytes(4, "little")))


HEADER = bytes([1, 1]) + bytes(12)


@pytest.mark.parametrize(
    ("raw", "error", "text"),
    [
        (b"", fr.ShortFrameError, "0 bytes"),
        (b"\x05\x01", fr.CobsError, "no COBS"),
        (b"\x01\x00\x01", fr.CobsError, "no COBS"),
        (_sealed(b"abc"), fr.ShortFrameError, "7 bytes"),
        (b"\x02" * fr.FRAME_BYTES_MAX, fr.LongFrameError, "at most 1066"),
        (encode(GOLDEN["status_request"])[:-2] + b"\x7f", fr.CrcError, "CRC-32 is"),
        (_sealed(HEADER + b"\x05\x00abc"), fr.LengthError, "leaves -2 bytes"),
        (_sealed(HEADER + b"\x02\x00abc"), fr.LengthError, "leaves 1 bytes"),
        (_sealed(HEADER + b"\x03\x00abc" + bytes(15)), fr.LengthError, "leaves 15 bytes"),
        (_sealed(HEADER + b"\x03\x00abc" + bytes(17)), fr.LengthError, "leaves 17 bytes"),
        (_sealed(HEADER + b"\x01\x04" + bytes(1025)), fr.LengthError, "says 1025"),
    ],
)
def test_a_bad_frame_says_what_is_wrong(raw: bytes, error: type[FrameError], text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        decode(raw)
    assert isinstance(caught.value, ProtocolError)


@pytest.mark.parametrize(
    "change",
    [
        {"body": bytes(BODY_BYTES_MAX + 1)},
        {"tag": bytes(15)},
        {"device": b"abc"},
        {"session": b"abcde"},
        {"sequence": 2**32},
        {"sequence": -1},
        {"type": 256},
        {"version": 256},
    ],
)
def test_what_does_not_fit_is_not_encoded(change: dict[str, object]) -> None:
    with pytest.raises(FrameError):
        encode(replace(GOLDEN["status_request"], **change))  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.lists(FRAMES, max_size=6), st.integers(1, 400), st.booleans())
def test_deframer_finds_all_frames_however_the_bytes_arrive(frames: list[Frame], step: int, idle: bool) -> None:
    stream = (b"\0\0" if idle else b"").join(map(encode, frames))
    deframer, found = Deframer(), []
    for start in range(0, len(stream), step):
        found += deframer.feed(stream[start : start + step])
    assert found == frames
    assert (deframer.good_frames, deframer.bad_frames, deframer.held_bytes) == (len(frames), 0, 0)


@settings(deadline=None)
@given(st.binary(max_size=5000), st.integers(1, 2000), FRAMES)
def test_deframer_finds_its_place_after_noise(noise: bytes, step: int, frame: Frame) -> None:
    deframer = Deframer()
    for start in range(0, len(noise), step):
        assert deframer.feed(noise[start : start + step]) == []
        assert deframer.held_bytes < fr.FRAME_BYTES_MAX
    assert deframer.feed(b"\0" + encode(frame)) == [frame]
    assert deframer.bad_bytes == len(noise) - noise.count(0)
    assert deframer.bad_frames == sum(deframer.bad_reasons.values()) == sum(map(bool, noise.split(b"\0")))


def test_deframer_stays_small_on_endless_noise() -> None:
    random, deframer = Random(1), Deframer()
    for _ in range(200):
        deframer.feed(random.randbytes(10_000).replace(b"\0", b"\1"))
        assert deframer.held_bytes < fr.FRAME_BYTES_MAX
    frame = GOLDEN["hello_reply"]
    assert deframer.feed(b"\0" + encode(frame)) == [frame]
    assert deframer.bad_reasons == {"long": 1}
    assert deframer.bad_bytes == 2_000_000
    assert isinstance(deframer.last_error, fr.LongFrameError)


def test_reset_forgets_the_unfinished_frame_only() -> None:
    wire = encode(GOLDEN["hello_reply"])
    deframer = Deframer()
    deframer.feed(b"\1\1\0" + wire[:10])
    deframer.reset()
    assert deframer.feed(wire) == [GOLDEN["hello_reply"]]
    assert (deframer.good_frames, deframer.bad_frames) == (1, 1)
