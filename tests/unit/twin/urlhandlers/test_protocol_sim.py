"""`sim://` for pyserial: the handler that it finds by its name is the twin's port."""

from __future__ import annotations

import importlib

import pytest
import serial
from dosebench.link.ports import register_sim
from dosebench.twin.serial_port import Serial


def test_pyserial_finds_the_handler_in_the_registered_package() -> None:
    register_sim()
    found = importlib.import_module(f"{serial.protocol_handler_packages[-1]}.protocol_sim")
    assert found.Serial is Serial


def test_a_url_makes_a_port_that_is_not_open_yet() -> None:
    register_sim()
    port = serial.serial_for_url("sim://?profile=implant-20", do_not_open=True, baudrate=9_600)
    assert isinstance(port, Serial)
    assert not port.is_open
    assert (port.baudrate, port.twin) == (9_600, None)
    with pytest.raises(serial.SerialException, match="not open"):
        port.read()
