"""Ports: which one is meant, and what is said when it cannot be opened."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import serial
from dosebench.base.errors import DosebenchError
from dosebench.link import ports
from dosebench.link.ports import PortError, choose_port, list_candidates, open_port, register_sim
from serial.tools import list_ports


def plug(monkeypatch: pytest.MonkeyPatch, *found: tuple[str, str | None, int | None]) -> None:
    """Ports of this machine: device, serial number, USB vendor."""
    made = [
        SimpleNamespace(device=name, serial_number=number, vid=vid, description="board") for name, number, vid in found
    ]
    monkeypatch.setattr(list_ports, "comports", lambda: made)


def test_only_usb_ports_are_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch, ("/dev/ttyS0", None, None), ("/dev/ttyACM0", "E66", 0x2E8A), ("/dev/ttyUSB0", None, 0x10C4))
    assert list_candidates() == [("/dev/ttyACM0", "E66", "board"), ("/dev/ttyUSB0", "", "board")]


@pytest.mark.parametrize("given", ["/dev/ttyACM7", "socket://localhost:4000", "sim://bench", "COM4", "com4"])
def test_a_port_that_is_given_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    def never() -> None:
        raise AssertionError("no need to look")

    monkeypatch.setattr(list_ports, "comports", never)
    monkeypatch.setenv("DOSEBENCH_PORT", "/dev/other")
    assert choose_port(given) == given


def test_the_environment_names_the_port_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOSEBENCH_PORT", "/dev/other")
    assert choose_port(None) == "/dev/other"


def test_a_serial_number_names_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch, ("/dev/ttyACM0", "E66", 1), ("/dev/ttyACM1", "E67", 1))
    assert choose_port("E67") == "/dev/ttyACM1"
    assert choose_port("E68") == "E68", "what opens it then says that there is no such port"


def test_the_only_board_is_used_and_several_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch, ("/dev/ttyACM0", "E66", 1))
    assert choose_port(None) == "/dev/ttyACM0"
    plug(monkeypatch)
    with pytest.raises(PortError) as none:
        choose_port(None)
    assert "DOSEBENCH_PORT" in str(none.value.hint)
    plug(monkeypatch, ("/dev/ttyACM0", "E66", 1), ("/dev/ttyUSB0", None, 1))
    with pytest.raises(PortError, match=r"ttyACM0 \(E66\), /dev/ttyUSB0 \(board\)"):
        choose_port(None)


def test_an_open_port_has_a_short_timeout_and_a_given_baud_rate() -> None:
    with open_port("loop://", 9_600) as port:
        assert (port.baudrate, port.timeout) == (9_600, ports.READ_TIMEOUT_S)
    with open_port("loop://") as port:
        assert port.baudrate == 115_200


def test_the_scheme_of_simulations_is_taught_once() -> None:
    register_sim()
    register_sim()
    assert serial.protocol_handler_packages.count("dosebench.twin.urlhandlers") == 1


def test_a_port_that_does_not_exist_is_said_with_those_that_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plug(monkeypatch, ("/dev/ttyACM0", "E66", 1))
    with pytest.raises(PortError, match=str(tmp_path / "gone")) as caught:
        open_port(str(tmp_path / "gone"))
    assert "/dev/ttyACM0" in str(caught.value.hint)
    plug(monkeypatch)
    with pytest.raises(PortError) as caught:
        open_port(str(tmp_path / "gone"))
    assert "none" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (serial.SerialException("Could not exclusively lock port"), "in use"),
        (OSError(errno.EBUSY, "Device or resource busy"), "in use"),
        (OSError(errno.EAGAIN, "x"), "in use"),
        (OSError(errno.EACCES, "x"), "permission"),
        (serial.SerialException("[Errno 13] Permission denied"), "permission"),
        (serial.SerialException("could not open port: FileNotFoundError"), "port"),
        (OSError(errno.ECONNREFUSED, "Connection refused"), "listens"),
        (ValueError("invalid URL, protocol 'x' not known"), "protocol 'x' not known"),
    ],
)
def test_each_failure_has_its_sentence(monkeypatch: pytest.MonkeyPatch, error: Exception, words: str) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(serial, "serial_for_url", fail)
    with pytest.raises(PortError, match=words) as caught:
        open_port("the-port")
    assert "the-port" in str(caught.value)
    assert caught.value.__cause__ is error


def test_an_error_of_dosebench_below_pyserial_is_the_one_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise serial.SerialException("outer") from DosebenchError("inner", hint="do this")

    monkeypatch.setattr(serial, "serial_for_url", fail)
    with pytest.raises(PortError, match="inner") as caught:
        open_port("sim://x")
    assert caught.value.hint == "do this"
