"""The line of the twin: order, time, baud rates."""

from __future__ import annotations

import json
import random

from dosebench.twin.uart import Line, garble_bytes
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.tuples(st.integers(0, 5_000), st.binary(min_size=1, max_size=40)), max_size=12), st.data())
def test_a_line_keeps_order_and_takes_its_time(sends: list[tuple[int, bytes]], data: st.DataObject) -> None:
    line = Line(115_200)
    now = 0
    got = b""
    for wait, piece in sends:
        now += wait
        line.send_bytes(now, piece)
        limit = data.draw(st.integers(1, 50))
        count = min(limit, line.count_arrived(now))
        taken = line.take_bytes(now, limit)
        assert len(taken) == count
        got += taken
    sent = b"".join(piece for _, piece in sends)
    assert sent.startswith(got)
    end = line.idle_us()
    assert end >= len(sent) * 10_000_000 // 115_200
    if rest := line.count_arrived(end):
        assert line.next_us() is not None
        got += line.take_bytes(end, rest)
    assert got == sent
    assert line.next_us() is None


def test_a_line_survives_being_saved() -> None:
    line = Line(9_600, buffer_bytes=8)
    line.send_bytes(0, b"0123456789")
    assert line.lost == 2
    line.take_bytes(3_000, 2)
    again = Line(9_600, buffer_bytes=8)
    again.restore_state(json.loads(json.dumps(line.save_state())))
    assert again.next_us() == line.next_us()
    assert again.take_bytes(10**9, 100) == line.take_bytes(10**9, 100)


def test_only_close_baud_rates_understand_each_other() -> None:
    rng = random.Random(1)
    assert garble_bytes(b"hello", 115_200, 117_000, rng) == b"hello"
    assert garble_bytes(b"hello", 115_200, 9_600, rng) != b"hello"
