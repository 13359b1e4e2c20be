"""The pump on a board, before it is flashed and after: what it does, what must not be cut, and which code runs."""

from __future__ import annotations

import time

import pytest
from dosebench.flashing.running import (
    WINDOW_S,
    BolusRunningError,
    NoHelloError,
    OtherFirmwareError,
    Running,
    ask_running,
    check_code,
    check_no_bolus,
    firmware_of,
    hello_after_reset,
)
from dosebench.link.exchange import TRIES, NotGenuineError
from dosebench.link.ports import PortError
from scripted_pump import DEVICE, ROLE_KEYS, Refusal, ScriptedPump, blank

CODE = bytes.fromhex("a1b2c3d4e5f60718")


def answering(**status: object) -> ScriptedPump:
    pump = ScriptedPump()
    pump.answers["status"] = blank("status", **status)
    pump.answers["selftest"] = {"boot_ms": 1, "retest_ms": 1, "results": [_row(CODE)]}
    pump.keys = ROLE_KEYS  # type: ignore[attr-defined]
    pump.timeout = 9.0  # type: ignore[attr-defined]
    return pump


def _row(code: bytes, test: str = "code") -> dict[str, object]:
    return {"test": test, "result": "passed", "detail": int.from_bytes(code[:3], "big")}


# Before


def test_a_pump_says_what_it_does() -> None:
    found = ask_running(answering(delivery="running", bolus_left_steps=3, square_left_steps=4))
    assert found == Running(DEVICE, "0.0.0", "running", 7)


@pytest.mark.parametrize("answers", [{"hello": b">>> \r\n"}, {"status": Refusal("busy")}, {"hello": blank("hello")}])
def test_what_speaks_another_protocol_is_none(answers: dict[str, object]) -> None:
    pump = answering()
    pump.answers |= answers
    assert ask_running(pump) is None


def test_nobody_is_waited_for_longer_than_one_try_and_the_port_keeps_its_patience() -> None:
    pump = answering()
    pump.lost_requests["hello"] = TRIES
    assert ask_running(pump) is None
    assert pump.lost_requests["hello"] == TRIES - 1
    assert pump.timeout == 9.0  # type: ignore[attr-defined]


def test_a_bolus_is_not_cut() -> None:
    check_no_bolus(None)
    check_no_bolus(Running(DEVICE, "0.2.0", "running", 0))
    with pytest.raises(BolusRunningError, match="1 step ") as caught:
        check_no_bolus(Running(DEVICE, "0.2.0", "running", 1))
    assert DEVICE.hex() in str(caught.value)


# After


def test_the_code_that_runs_is_told_by_its_self_test() -> None:
    check_code({"results": [_row(CODE), _row(b"xyz", "flash")]}, CODE)
    check_code({"results": []}, CODE)
    with pytest.raises(OtherFirmwareError):
        check_code({"results": [_row(b"xyz")]}, CODE)


def test_a_version_in_words() -> None:
    assert firmware_of(blank("hello", firmware_major=1, firmware_minor=20, firmware_patch=3)) == "1.20.3"


def test_after_the_selectors_window_the_pump_answers_and_proves_its_key(clock: object) -> None:
    pump = answering()
    began = time.monotonic()
    hello = hello_after_reset(lambda: pump, 30, code=CODE, proves_keys=True)
    assert hello["device_id"] == DEVICE
    assert time.monotonic() - began >= WINDOW_S
    opened = [fields["role"] for name, fields in pump.asked if name == "session_open"]
    assert opened == ["service"]
    assert not pump.is_open
    assert clock


@pytest.mark.usefixtures("clock")
def test_keys_are_proved_only_where_they_were_written() -> None:
    pump = answering()
    hello_after_reset(lambda: pump, 30, code=CODE, proves_keys=False)
    assert "session_open" not in pump.names()
    wrong = answering()
    wrong.role_keys = wrong.role_keys | {"service": b"x" * 32}
    with pytest.raises(NotGenuineError):
        hello_after_reset(lambda: wrong, 30, code=CODE, proves_keys=True)


@pytest.mark.usefixtures("clock")
def test_a_port_that_is_not_back_and_a_pump_that_is_silent_are_waited_for() -> None:
    pump = answering()
    tries: list[int] = []

    def reach() -> ScriptedPump:
        tries.append(1)
        if len(tries) < 4:
            raise PortError("not back yet")
        return pump

    pump.lost_requests["hello"] = TRIES
    assert hello_after_reset(reach, 30, code=CODE, proves_keys=False)
    assert len(tries) == 5


@pytest.mark.usefixtures("clock")
def test_patience_ends_with_the_last_reason() -> None:
    def never() -> ScriptedPump:
        raise PortError("not back yet")

    with pytest.raises(NoHelloError, match="not back yet"):
        hello_after_reset(never, 5, code=CODE, proves_keys=False)


@pytest.mark.usefixtures("clock")
def test_the_other_slot_answers() -> None:
    with pytest.raises(OtherFirmwareError):
        hello_after_reset(answering, 5, code=b"another hash", proves_keys=False)
