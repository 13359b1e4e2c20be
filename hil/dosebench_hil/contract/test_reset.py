"""Power cuts: delivery resumes, the count stays true, nothing is given twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dosebench.link.client import RefusedError, program_hash
from dosebench_protocol.records import GENESIS_CHAIN, decode_records, verify_chain

from dosebench_hil.contract.helpers import (
    count_boots,
    dose_fields,
    lasting_outcome,
    next_command,
    put_in_force,
    records_from,
    seconds_for,
)

if TYPE_CHECKING:
    from dosebench.therapy.program import Program

    from dosebench_hil.bench import Bench

pytestmark = [pytest.mark.hil_feature("power_cycle"), pytest.mark.hil_feature("step_counter")]

CHIPS = (b"rp2", b"esp32")
"""MicroPython does not tell a brown-out from power-on there."""


@pytest.fixture
def running(bench: Bench, program: Program) -> Bench:
    """A bench whose pump delivers."""
    put_in_force(bench.client, program)
    bench.client.start_delivery()
    return bench


def lease_steps(bench: Bench, program: Program) -> int:
    """Most steps that one lease of the basal allows."""
    return max(1, int(bench.profile.delivery.lease * program.rate))


def cut(bench: Bench) -> None:
    """Cut the power for a second and connect again."""
    bench.power_cycle()
    bench.client.connect()


def test_a_running_pump_resumes(running: Bench, program: Program) -> None:
    boots = running.client.read_status()["boot_count"]
    running.advance_time(seconds_for(30, program.rate))
    cut(running)
    status = running.client.read_status()
    assert (status["delivery"], status["boot_count"]) == ("running", boots + 1)
    told = running.client.hello_reply
    assert told["reset_cause"] == ("power_on" if told["board"] in CHIPS else "brown_out")
    true = running.count_steps()
    running.advance_time(seconds_for(10, program.rate))
    assert 9 <= running.count_steps() - true <= 11


def test_a_stopped_pump_stays_stopped(running: Bench, program: Program) -> None:
    running.advance_time(seconds_for(3, program.rate))
    running.client.stop_delivery()
    true = running.count_steps()
    cut(running)
    running.advance_time(seconds_for(5, program.rate))
    status = running.client.read_status()
    assert (status["delivery"], running.count_steps()) == ("stopped", true)
    assert status["low_steps"] == status["high_steps"] == true


@pytest.mark.parametrize("steps", [0, 1, 17, 400])
def test_the_interval_holds_the_true_count_and_loses_one_lease_at_most(
    running: Bench, program: Program, steps: int
) -> None:
    running.advance_time(seconds_for(steps, program.rate))
    for _ in range(3):
        cut(running)
        status, true = running.client.read_status(), running.count_steps()
        assert status["low_steps"] <= true <= status["high_steps"]
        running.advance_time(seconds_for(2, program.rate))
    status = running.client.read_status()
    assert status["high_steps"] - status["low_steps"] <= 3 * lease_steps(running, program)


def test_a_bolus_is_not_repeated(running: Bench, program: Program) -> None:
    true = running.count_steps()
    mark = running.client.give_bolus(program.bolus_steps_max)["record"]
    running.advance_time(seconds_for(5, program.bolus_rate))
    cut(running)
    status = running.client.read_status()
    assert status["bolus_left_steps"] == 0
    assert status["low_steps"] <= running.count_steps() <= status["high_steps"]
    running.advance_time(seconds_for(2 * program.bolus_steps_max, program.bolus_rate))
    basal = program.rate * 1000 * int(seconds_for(2 * program.bolus_steps_max + 6, program.bolus_rate) + 3)
    assert running.count_steps() - true <= 6 + basal + 2
    kinds = [record.kind for record in records_from(running.client, mark)]
    assert (kinds.count("bolus"), kinds.count("bolus_end")) == (1, 1)


def test_a_command_is_known_after_a_reset(running: Bench, program: Program) -> None:
    counter = next_command(running)
    first = running.wire.ask_pump("bolus", counter=counter, **dose_fields(program, 3))
    cut(running)
    assert lasting_outcome(
        running.wire.ask_pump("bolus", counter=counter, **dose_fields(program, 3))
    ) == lasting_outcome(first)
    assert running.client.read_status()["bolus_left_steps"] == 0
    with pytest.raises(RefusedError) as refused:
        running.wire.ask_pump("bolus", counter=counter - 1, **dose_fields(program, 3))
    assert refused.value.reason == "counter_old"


def test_the_therapy_survives_and_the_stage_does_not(running: Bench, program: Program) -> None:
    data = program.encode_program()
    running.wire.ask_pump("program_begin", length=len(data), program_hash=program_hash(data))
    running.wire.ask_pump("program_chunk", offset=0, data=data)
    cut(running)
    assert running.client.read_program()[1] == data
    assert running.client.read_status()["staged_bytes"] == 0


def test_the_chain_goes_on_across_resets(running: Bench, program: Program) -> None:
    for _ in range(3):
        running.advance_time(seconds_for(2, program.rate))
        cut(running)
    records = decode_records(b"".join(running.client.read_journal()))
    assert count_boots(records) == 4
    verify_chain(records, GENESIS_CHAIN)


def test_a_clock_that_stood_still_is_an_alarm_until_it_is_set(running: Bench) -> None:
    cut(running)
    status = running.client.read_status()
    assert (status["clock_known"], status["alarms"]) == (0, ("clock_unknown",))
    running.reset_pump()
    assert running.client.read_status()["clock_known"] == 1
