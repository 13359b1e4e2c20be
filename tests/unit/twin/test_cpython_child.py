"""The bench bus of a firmware in a CPython of its own: whole words and payloads, however they arrive."""

from __future__ import annotations

from array import array
from types import SimpleNamespace

import pytest
from dosebench.twin import cpython_child
from dosebench.twin.bus import WORDS
from dosebench.twin.cpython_child import _StdioLink


class Stdio:
    """Standard input and output that give and take a few bytes at a time."""

    def __init__(self, incoming: bytes, piece: int) -> None:
        self.incoming = incoming
        self.outgoing = b""
        self.piece = piece

    def read(self, number: int, length: int) -> bytes:
        assert number == 0
        data, self.incoming = self.incoming[: min(length, self.piece)], self.incoming[min(length, self.piece) :]
        return data

    def write(self, number: int, data: bytes) -> int:
        assert number == 1
        self.outgoing += bytes(data[: self.piece])
        return min(len(data), self.piece)


def linked(monkeypatch: pytest.MonkeyPatch, incoming: bytes, piece: int) -> Stdio:
    stdio = Stdio(incoming, piece)
    monkeypatch.setattr(cpython_child, "os", SimpleNamespace(read=stdio.read, write=stdio.write))
    return stdio


@pytest.mark.parametrize("piece", [1, 7, 1_000])
def test_a_call_sends_its_words_and_payload_and_reads_those_of_the_reply(
    monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    stdio = linked(monkeypatch, WORDS.pack(0, 3, 1_000, 42, 7) + b"abc" + b"next", piece)
    reply, into = array("i", [0] * 5), bytearray(b"........")
    _StdioLink().exchange(array("i", [5, 4, 0, 0, 0]), b"data", reply, into)
    assert stdio.outgoing == WORDS.pack(5, 4, 0, 0, 0) + b"data"
    assert list(reply) == [0, 3, 1_000, 42, 7]
    assert into == b"abc....."
    assert stdio.incoming == b"next", "no byte of what follows is taken"


def test_a_call_without_payloads(monkeypatch: pytest.MonkeyPatch) -> None:
    stdio = linked(monkeypatch, WORDS.pack(0, 0, 1, 2, 3), 100)
    reply = array("i", [0] * 5)
    _StdioLink().exchange(array("i", [1, 0, 250, 0, 0]), None, reply, None)
    assert len(stdio.outgoing) == 20
    assert list(reply) == [0, 0, 1, 2, 3]


def test_when_the_power_is_cut_the_process_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    linked(monkeypatch, b"\0" * 7, 100)
    with pytest.raises(SystemExit):
        _StdioLink().exchange(array("i", [1, 0, 0, 0, 0]), None, array("i", [0] * 5), None)
