"""Boards that are plugged in: told by their USB ids, surest first, chosen by any of their names."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from dosebench.flashing import finding
from dosebench.flashing.finding import USB_IDS, Found, as_json, choose_port, find_boards, same_board
from dosebench.link.ports import PortError
from serial.tools import list_ports

PICO = {"device": "/dev/ttyACM0", "vid": 0x2E8A, "pid": 0x0005, "serial_number": "E66", "location": "1-1"}
OTHER_PICO = {"device": "/dev/ttyACM1", "vid": 0x2E8A, "pid": 0x0005, "serial_number": "E67", "location": "1-2"}
PROBE = {"device": "/dev/ttyACM2", "vid": 0x2E8A, "pid": 0x000C, "serial_number": "P1", "location": "1-3"}
CH34X = {"device": "/dev/ttyUSB0", "vid": 0x1A86, "pid": 0x7523, "serial_number": None, "location": "2-1"}
MOUSE = {"device": "/dev/ttyUSB9", "vid": 0x1234, "pid": 1, "serial_number": "M", "location": "2-9"}
BUILT_IN = {"device": "/dev/ttyS0", "vid": None, "pid": None, "serial_number": None, "location": None}


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("DOSEBENCH_PORT", raising=False)

    def ports(*found: dict[str, Any]) -> None:
        made = [SimpleNamespace(description="x", **one) for one in found]
        monkeypatch.setattr(list_ports, "comports", lambda: made)

    return ports


def test_ids_tell_a_board_and_the_rest_is_none(plug: Any) -> None:
    plug(CH34X, MOUSE, BUILT_IN, PROBE, PICO)
    assert [(one.device, one.family) for one in find_boards()] == [
        ("/dev/ttyACM0", finding.RP2),
        ("/dev/ttyACM2", finding.BRIDGE),
        ("/dev/ttyUSB0", finding.BRIDGE),
    ]


def test_a_product_that_is_not_known_is_told_by_its_vendor(plug: Any) -> None:
    plug(PICO | {"pid": 0x9999}, PICO | {"device": "/dev/x", "vid": 0x303A, "pid": 0x9999})
    assert [one.what for one in find_boards()] == [USB_IDS[0x2E8A, None][1], USB_IDS[0x303A, None][1]]


def test_a_board_in_words() -> None:
    assert str(Found("/dev/a", "E66", "1-1", "rp2", "a Pico")) == "/dev/a (a Pico, E66, 1-1)"
    assert str(Found("/dev/a", "", "", "rp2", "a Pico")) == "/dev/a (a Pico)"


def test_the_only_board_is_the_one_that_is_meant(plug: Any) -> None:
    plug(PICO, MOUSE)
    assert choose_port(None) == "/dev/ttyACM0"


@pytest.mark.parametrize("name", ["/dev/ttyACM1", "E67", "1-2"])
def test_any_of_its_names_will_do(plug: Any, name: str) -> None:
    plug(PICO, OTHER_PICO)
    assert choose_port(name) == "/dev/ttyACM1"


def test_a_url_is_used_as_it_is(plug: Any) -> None:
    plug()
    assert choose_port("socket://localhost:4000") == "socket://localhost:4000"


def test_without_a_board_it_is_said_how_a_new_one_shows_up(plug: Any) -> None:
    plug(MOUSE)
    with pytest.raises(PortError) as caught:
        choose_port(None)
    assert "BOOTSEL" in str(caught.value.hint)


def test_several_are_listed_with_all_their_names(plug: Any) -> None:
    plug(PICO, OTHER_PICO)
    with pytest.raises(PortError, match="E66, 1-1") as caught:
        choose_port(None)
    assert str(caught.value).count("\n") == 2


def test_the_location_leads_to_a_board_whose_port_vanishes(plug: Any) -> None:
    plug(PICO, CH34X | {"location": None})
    assert same_board("/dev/ttyACM0") == "1-1"
    assert same_board("/dev/ttyUSB0") == "/dev/ttyUSB0"
    assert same_board("socket://x") == "socket://x"
    plug(PICO | {"device": "/dev/ttyACM7"})
    assert choose_port("1-1") == "/dev/ttyACM7"


def test_boards_for_scripts(plug: Any) -> None:
    plug(PICO)
    (one,) = as_json()
    assert set(one) == {"device", "serial_number", "location", "family", "what"}
