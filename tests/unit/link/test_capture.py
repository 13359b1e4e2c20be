"""Captures of a line: no byte is lost or moved."""

from __future__ import annotations

from pathlib import Path

import pytest
from captures import packets_of
from dosebench.link.capture import PACKET_BYTES_MAX, Capture
from hypothesis import given
from hypothesis import strategies as st


def test_noise_with_a_delimiter_at_its_end_is_cut_too(tmp_path: Path) -> None:
    path = tmp_path / "noise.pcap"
    with path.open("wb") as file:
        Capture(file).feed_bytes(0.0, "RX", b"\x01" * (2 * PACKET_BYTES_MAX) + b"\0")
    assert [len(packet) for _, packet in packets_of(path)] == [PACKET_BYTES_MAX, PACKET_BYTES_MAX]
    assert b"".join(packet for _, packet in packets_of(path)) == b"\x01" * (2 * PACKET_BYTES_MAX)


@given(pieces=st.lists(st.tuples(st.sampled_from(["TX", "RX"]), st.binary(max_size=40)), max_size=20))
def test_no_byte_of_a_direction_is_lost_or_moved(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[str, bytes]]
) -> None:
    path = tmp_path_factory.mktemp("capture") / "x.pcap"
    with path.open("wb") as file:
        capture = Capture(file)
        for number, (direction, data) in enumerate(pieces):
            capture.feed_bytes(float(number), direction, data)
        capture.feed_bytes(99.0, "TX", b"\x01" * (PACKET_BYTES_MAX + 5))
    sent = {way: b"".join(data for direction, data in pieces if direction == way) for way in ("TX", "RX")}
    sent["TX"] += b"\x01" * (PACKET_BYTES_MAX + 5)
    wanted = sum(len([piece for piece in sent[way].split(b"\0")[:-1] if piece]) for way in sent)
    found = packets_of(path)
    rest = len(sent["TX"].rpartition(b"\0")[2])
    assert len(found) == capture.packets == wanted + (rest > PACKET_BYTES_MAX)
    assert all(len(packet) <= PACKET_BYTES_MAX for _, packet in found)
