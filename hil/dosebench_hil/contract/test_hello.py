"""Hello and status: who is there, and how it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dosebench.link.reasons import SENTENCES
from dosebench_protocol.schema.model import schema_hash
from dosebench_protocol.tables import BODY_BYTES_MAX, PROTOCOL_VERSION

if TYPE_CHECKING:
    from dosebench.link.client import PumpClient

    from dosebench_hil.bench import Bench


def test_hello_says_who_is_there(dut: PumpClient) -> None:
    hello = dut.connect()
    assert hello["protocol"] == PROTOCOL_VERSION
    assert hello["schema_hash"] == schema_hash()
    assert hello["device_id"] == dut.device_id != bytes(4)
    assert hello["body_bytes_max"] == BODY_BYTES_MAX
    assert hello["board"]
    assert hello["runtime"]


def test_hello_names_the_profile_that_the_pump_was_given(bench: Bench) -> None:
    assert bench.client.hello_reply["profile"].decode() == bench.profile.name


def test_hello_repeated_changes_nothing_but_is_answered_each_time(dut: PumpClient) -> None:
    first = dut.connect()
    second = dut.connect()
    assert first | {"heap_free_bytes": 0} == second | {"heap_free_bytes": 0}


def test_the_known_state_is_what_docs_say(bench: Bench) -> None:
    status = bench.client.read_status()
    assert status["delivery"] in ("stopped", "unprogrammed")
    assert status["alarms"] == ()
    assert status["staged_bytes"] == 0
    assert status["clock_known"] == 1
    assert status["bolus_left_steps"] == 0
    assert (status["rate_num"], status["reservoir_known"]) == (0, 1)
    assert status["reservoir_steps"] == bench.profile.count_steps(bench.profile.reservoir.capacity)


@pytest.mark.hil_feature("fresh_device")
def test_a_fresh_pump_is_unprogrammed_at_its_first_boot(dut: PumpClient) -> None:
    status = dut.read_status()
    assert (status["delivery"], status["generation"]) == ("unprogrammed", 0)
    assert (status["boot_count"], dut.hello_reply["reset_cause"]) == (1, "power_on")
    assert (status["low_steps"], status["high_steps"]) == (0, 0)


def test_time_of_the_pump_goes_on(bench: Bench) -> None:
    before = bench.client.read_status()
    bench.advance_time(2)
    after = bench.client.read_status()
    assert (after["day"], after["ms"]) > (before["day"], before["ms"])


@pytest.mark.hil_feature("virtual_time")
def test_time_of_the_pump_is_exact_over_days(bench: Bench) -> None:
    before, at = bench.client.read_status(), bench.now_s()
    bench.advance_time(13.5 * 86_400)
    after, passed = bench.client.read_status(), bench.now_s() - at
    counted = (after["day"] - before["day"]) * 86_400 + (after["ms"] - before["ms"]) / 1000
    assert counted == pytest.approx(passed, abs=0.01)


def test_every_reason_has_a_sentence() -> None:
    assert all(SENTENCES.values())
