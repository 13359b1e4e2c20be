"""Time belongs to the reader: it stands still unless somebody reads or advances."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
from dosebench.link.client import GarbledError, PumpClient, SilentError
from dosebench.link.ports import PortError, open_port
from dosebench.twin import persistent
from dosebench.twin.runtimes import RUNTIMES


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Simulations of a test live in its own directory, and end with it."""
    monkeypatch.setenv("DOSEBENCH_STATE", str(tmp_path))
    yield tmp_path
    for name in persistent.list_names():
        persistent.remove_twin(name)


def test_reading_moves_time_to_the_byte_or_to_the_timeout() -> None:
    with open_port("sim://?runtime=cpython") as port:
        before = port.monotonic()
        time.sleep(0.01)
        assert port.monotonic() == before
        port.timeout = 500
        real = time.monotonic()
        assert port.read(1) == b""
        assert port.monotonic() == pytest.approx(before + 500)
        assert time.monotonic() - real < 5
        client = PumpClient(port)
        client.connect()
        assert port.monotonic() < before + 501


def test_a_polling_program_does_not_stand_still() -> None:
    with open_port("sim://?runtime=cpython") as port:
        before = port.monotonic()
        for _ in range(100):
            assert port.in_waiting == 0
        assert port.monotonic() == pytest.approx(before + 0.1)


def test_a_wrong_baud_rate_is_said() -> None:
    with open_port("sim://?runtime=cpython&baud=9600") as port, pytest.raises((GarbledError, SilentError)) as caught:
        PumpClient(port).connect()
    assert "baud" in str(caught.value.hint)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_named_simulation_keeps_running_between_ports(runtime: str) -> None:
    for turn in range(3):
        with open_port(f"sim://bench?runtime={runtime}") as port:
            client = PumpClient(port)
            assert client.connect()["boot_count"] == 1
            assert client.read_status()["day"] == turn
            port.twin.advance_time(86_400)


def test_a_named_simulation_whose_firmware_is_gone_boots_from_its_flash() -> None:
    with open_port("sim://bench?runtime=cpython") as port:
        PumpClient(port).connect()
    assert persistent.stop_twin("bench")
    assert not persistent.stop_twin("bench")
    with open_port("sim://bench") as port:
        hello = PumpClient(port).connect()
    assert (hello["boot_count"], hello["reset_cause"]) == (2, "brown_out")


def test_a_named_simulation_is_opened_once_at_a_time() -> None:
    with open_port("sim://bench?runtime=cpython"), pytest.raises(PortError) as caught:
        open_port("sim://bench")
    assert "in use" in str(caught.value)


def test_the_same_seed_gives_the_same_run() -> None:
    def run(seed: int) -> tuple[str, list[dict[str, int]]]:
        with open_port(f"sim://?runtime=cpython&seed={seed}") as port:
            client = PumpClient(port)
            client.connect()
            statuses = []
            for _ in range(3):
                port.twin.advance_time(400)
                statuses.append(client._ask_question("sensors"))
            return client.journal_info()["chain"].hex(), statuses

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_pyserial_finds_the_scheme_by_itself_after_registration() -> None:
    with serial.serial_for_url("sim://?runtime=cpython", timeout=0) as port:
        assert port.read(10) == b""
