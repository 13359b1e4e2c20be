"""The serial port of a twin: virtual time belongs to the reader, and bytes have their time and their baud rate."""

from __future__ import annotations

import pytest
from dosebench.twin.bus import Op
from dosebench.twin.machine import Machine
from dosebench.twin.serial_port import BLOCKING_READ_S, POLL_US, Serial
from dosebench.twin.twin import derived_keys
from scripted_firmware import ask, echo, scripted
from serial import SerialException

BYTE_S = 10 / 115_200


def port_to(turn=echo, baud: int = 115_200, timeout: float | None = 0.5) -> Serial:
    return Serial(twin=scripted(turn)[0], baudrate=baud, timeout=timeout)


def test_a_read_moves_time_to_the_bytes_and_no_further() -> None:
    port = port_to()
    began = port.monotonic()
    assert port.write(b"hello") == 5
    assert port.monotonic() == began, "writing takes no time of the writer's"
    assert port.read(5) == b"hello"
    # A byte wakes the board at its next millisecond.
    assert 5 * BYTE_S < port.monotonic() - began < 10 * BYTE_S + 0.003


def test_a_read_that_gets_too_little_takes_its_timeout() -> None:
    port = port_to()
    began = port.monotonic()
    port.write(b"abc")
    assert port.read(9) == b"abc"
    assert port.monotonic() - began == pytest.approx(0.5)
    assert port.read(1) == b""
    assert port.monotonic() - began == pytest.approx(1.0)


def test_a_read_without_a_timeout_ends_after_a_day_with_an_error() -> None:
    port = port_to(timeout=None)
    began = port.monotonic()
    with pytest.raises(SerialException, match="86400"):
        port.read(1)
    assert port.monotonic() - began == pytest.approx(BLOCKING_READ_S)


def test_asking_what_waits_costs_a_little_time_when_nothing_does() -> None:
    port = port_to()
    began = port.monotonic()
    assert port.in_waiting == 0
    assert port.monotonic() - began == pytest.approx(POLL_US / 1e6)
    port.write(b"abc")
    while port.in_waiting < 3:
        assert port.monotonic() - began < 1
    now = port.monotonic()
    assert port.in_waiting == 3
    assert port.monotonic() == now
    port.reset_input_buffer()
    assert port.read(1) == b""


def test_a_flush_waits_until_all_bytes_have_arrived() -> None:
    port = port_to()
    began = port.monotonic()
    port.write(bytes(100))
    port.flush()
    assert port.monotonic() - began == pytest.approx(100 * BYTE_S, rel=0.01)
    now = port.monotonic()
    port.flush()
    port.reset_output_buffer()
    assert port.monotonic() == now


def test_another_baud_rate_garbles_both_ways() -> None:
    heard: list[bytes] = []

    def listen(machine: Machine) -> int:
        heard.append(machine.handle_operation(Op.UART_READ, 100, 0, 0, b"")[1])
        ask(machine, Op.UART_WRITE, payload=b"says this")
        return 60_000

    port = port_to(listen, baud=9_600)
    port.write(b"hello")
    port.flush()
    assert b"hello" not in b"".join(heard)
    assert b"says this" not in port.read(1_000)


def test_random_bytes_repeat_and_the_keys_are_those_of_the_board() -> None:
    one, other = port_to(), port_to()
    assert one.nonce(16) == other.nonce(16) != one.nonce(16)
    assert one.twin is not None
    assert one.keys == derived_keys(one.twin.machine.device_id)


def test_a_kept_board_has_real_random_bytes_and_its_keys_elsewhere() -> None:
    one, other = port_to(), port_to()
    one._kept = other._kept = True
    assert one.nonce(16) != other.nonce(16)
    assert one.keys is None


def test_a_closed_port_gives_its_twin_back_once_and_is_closed() -> None:
    released: list[int] = []
    port = port_to()
    port._release = lambda: released.append(1)
    port.close()
    port.close()
    assert released == [1]
    for act in (port.read, lambda: port.write(b"x"), lambda: port.in_waiting, port.flush, port.monotonic):
        with pytest.raises(SerialException):
            act()


def test_an_open_port_is_not_opened_again() -> None:
    with pytest.raises(SerialException, match="already open"):
        port_to().open()


def test_a_url_that_cannot_be_opened_is_an_error_of_pyserial() -> None:
    port = Serial()
    port.port = "sim://?runtime=jython"
    with pytest.raises(SerialException, match="jython"):
        port.open()
    assert not port.is_open


def test_it_has_no_control_wires() -> None:
    port = port_to()
    assert (port.cts, port.dsr, port.cd, port.ri, port.out_waiting) == (True, True, True, False, 0)
    port.rts = False
    port.dtr = False
