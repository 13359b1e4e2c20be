"""The ports that a live simulation gives to other programs: a pseudo-terminal, and TCP."""

from __future__ import annotations

import os
import socket
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from dosebench.link.endpoint import LiveError, PtyEndpoint, TcpEndpoint

SECOND = 1.0
pytestmark = pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo-terminals here")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[PtyEndpoint]:
    endpoint = PtyEndpoint(tmp_path / "pump")
    yield endpoint
    endpoint.close()


@pytest.fixture
def tcp() -> Iterator[TcpEndpoint]:
    endpoint = TcpEndpoint("127.0.0.1", 0)
    yield endpoint
    endpoint.close()


def dial(endpoint: TcpEndpoint) -> socket.socket:
    address, port = endpoint.name.removeprefix("socket://").split(":")
    peer = socket.create_connection((address, int(port)), timeout=SECOND)
    endpoint.receive_bytes(SECOND)
    return peer


def test_bytes_pass_a_pseudo_terminal_unchanged_both_ways(terminal: PtyEndpoint) -> None:
    other = os.open(terminal.name, os.O_RDWR | os.O_NOCTTY)
    os.write(other, bytes(range(256)))
    heard = b""
    while len(heard) < 256:
        heard += terminal.receive_bytes(SECOND)
    assert heard == bytes(range(256))
    assert terminal.send_bytes(b"\x00\r\n\x03\x04\xff") == 6
    assert os.read(other, 100) == b"\x00\r\n\x03\x04\xff"
    assert terminal.receive_bytes(0) == b""
    os.close(other)


def test_a_reader_that_does_not_read_holds_nothing_up(terminal: PtyEndpoint) -> None:
    sent = [terminal.send_bytes(b"x" * 4096) for _ in range(64)]
    assert sent[-1] == 0
    assert 0 < sum(sent) < 64 * 4096


def test_the_baud_rate_is_that_of_the_other_program(terminal: PtyEndpoint) -> None:
    other = os.open(terminal.name, os.O_RDWR | os.O_NOCTTY)
    for code, rate in ((termios.B115200, 115_200), (termios.B9600, 9_600), (termios.B0, None)):
        mode = termios.tcgetattr(other)
        mode[4] = mode[5] = code
        termios.tcsetattr(other, termios.TCSANOW, mode)
        assert terminal.read_baud() == rate
    os.close(other)


def test_a_link_keeps_its_name_and_goes_with_the_port(tmp_path: Path) -> None:
    link = tmp_path / "pump"
    link.symlink_to(tmp_path / "of an earlier run")
    endpoint = PtyEndpoint(link)
    assert os.readlink(link) == endpoint.name
    endpoint.close()
    assert not link.is_symlink()


def test_a_file_in_the_place_of_the_link_is_left_alone(tmp_path: Path) -> None:
    link = tmp_path / "pump"
    link.write_text("mine")
    with pytest.raises(LiveError, match="exists"):
        PtyEndpoint(link)
    assert link.read_text() == "mine"


def test_without_a_link_closing_removes_nothing() -> None:
    endpoint = PtyEndpoint()
    endpoint.close()
    assert Path("/dev/ptmx").exists()


def test_tcp_serves_one_program_at_a_time_and_the_next_after_it(tcp: TcpEndpoint) -> None:
    first = dial(tcp)
    first.sendall(b"hello")
    assert tcp.receive_bytes(SECOND) == b"hello"
    second = dial(tcp)
    assert second.recv(1) == b"", "turned away"
    assert tcp.send_bytes(b"answer") == 6
    assert first.recv(100) == b"answer"
    first.close()
    assert tcp.receive_bytes(SECOND) == b""
    third = dial(tcp)
    tcp.send_bytes(b"again")
    assert third.recv(100) == b"again"
    second.close()
    third.close()


def test_without_a_program_what_is_sent_is_gone(tcp: TcpEndpoint) -> None:
    assert tcp.send_bytes(b"nobody hears it") == 15
    assert tcp.receive_bytes(0) == b""
    assert tcp.read_baud() is None
    peer = dial(tcp)
    tcp.send_bytes(b"!")
    assert peer.recv(100) == b"!"
    peer.close()


def test_a_port_that_is_taken_is_said(tcp: TcpEndpoint) -> None:
    number = int(tcp.name.rsplit(":", 1)[1])
    with pytest.raises(LiveError, match=str(number)) as caught:
        TcpEndpoint("127.0.0.1", number)
    assert "--tcp" in str(caught.value.hint)
