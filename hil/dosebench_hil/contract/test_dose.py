"""Dosing: the basal against its exact schedule, and the clinician bolus."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from dosebench.link.client import RefusedError, program_hash
from dosebench.therapy.timeline import Bolus, Segment, Timeline
from dosebench_protocol.records import UNKNOWN_STEPS
from dosebench_protocol.tables import HASH_HEAD_BYTES

from dosebench_hil.contract.helpers import (
    DAY_MS,
    dose_fields,
    next_command,
    pump_ms,
    put_in_force,
    record_at,
    records_from,
    seconds_for,
)

if TYPE_CHECKING:
    from dosebench.link.client import PumpClient
    from dosebench.therapy.program import Program

    from dosebench_hil.bench import Bench

HALF_A_STEP = Fraction(1, 2)
ONE_STEP = Fraction(1)


def start_ms(dut: PumpClient, record: int) -> int:
    """The pump's time of a record, in milliseconds."""
    found = record_at(dut, record)
    return found.day * DAY_MS + found.ms


@pytest.mark.hil_feature("fresh_device")
def test_a_pump_without_therapy_does_not_start(dut: PumpClient) -> None:
    with pytest.raises(RefusedError) as refused:
        dut.start_delivery()
    assert refused.value.reason == "not_programmed"


def test_steps_come_when_they_are_due(bench: Bench, program: Program) -> None:
    dut = bench.client
    put_in_force(dut, program)
    before = dut.read_status()
    started = start_ms(dut, dut.start_delivery()["record"])
    for _ in range(12):
        bench.advance_time(seconds_for(1, program.rate) * 0.9)
        status = dut.read_status()
        ideal = program.rate * (pump_ms(status) - started)
        # A pump that has run before carries on with the fraction of a step that it had reached.
        assert abs(status["low_steps"] - before["low_steps"] - ideal) < ONE_STEP
        assert status["high_steps"] >= status["low_steps"]
    after = dut.read_status()
    assert after["low_steps"] > before["low_steps"] + 8
    assert after["missed_steps"] == before["missed_steps"]


@pytest.mark.hil_feature("step_counter")
@pytest.mark.hil_feature("fresh_device")
@pytest.mark.hil_feature("virtual_time")
def test_every_step_of_a_day_is_within_half_a_step_of_the_schedule(bench: Bench, program: Program) -> None:
    dut = bench.client
    put_in_force(dut, program)
    started = start_ms(dut, dut.start_delivery()["record"])
    bench.advance_time(86_400)
    end = pump_ms(dut.read_status())
    timeline = Timeline((Segment(started, program.rate),))
    assert bench.count_steps() == pytest.approx(float(program.rate * (end - started)), abs=0.5)
    assert timeline.max_deviation(bench.steps_ms(), started, end) <= HALF_A_STEP


@pytest.mark.hil_feature("step_counter")
def test_the_pump_counts_the_steps_that_its_motor_makes(bench: Bench, program: Program) -> None:
    dut = bench.client
    put_in_force(dut, program)
    counted, true = dut.read_status()["low_steps"], bench.count_steps()
    dut.start_delivery()
    bench.advance_time(seconds_for(20, program.rate))
    status = dut.read_status()
    assert status["low_steps"] - counted == status["high_steps"] - counted == bench.count_steps() - true > 0


@pytest.mark.hil_feature("reservoir_level")
@pytest.mark.hil_feature("fresh_device")
def test_what_is_delivered_is_gone_from_the_reservoir(bench: Bench, program: Program) -> None:
    dut = bench.client
    put_in_force(dut, program)
    full, told = bench.reservoir_nl(), dut.read_status()["reservoir_steps"]
    dut.start_delivery()
    bench.advance_time(seconds_for(20, program.rate))
    gone = told - dut.read_status()["reservoir_steps"]
    assert gone >= 19
    assert full - bench.reservoir_nl() == pytest.approx(gone * float(program.step_nl))


def test_a_bolus_adds_exactly_its_steps(bench: Bench, program: Program) -> None:
    dut = bench.client
    put_in_force(dut, program)
    dut.start_delivery()
    outcome = dut.give_bolus(10)
    assert outcome["accepted"] == 10
    assert bench.wait_until(
        lambda: dut.read_status()["bolus_left_steps"] == 0, within_s=4 * seconds_for(10, program.bolus_rate)
    )
    dut.stop_delivery()
    ends = [record for record in records_from(dut, outcome["record"]) if record.kind == "bolus_end"]
    assert [(end.delivered_low_steps, end.asked_steps) for end in ends] == [(10, 10)]


@pytest.mark.hil_feature("step_counter")
@pytest.mark.hil_feature("fresh_device")
def test_basal_and_bolus_together_keep_to_the_schedule(bench: Bench, program: Program) -> None:
    dut = bench.client
    put_in_force(dut, program)
    started = start_ms(dut, dut.start_delivery()["record"])
    bench.advance_time(seconds_for(5, program.rate))
    given = start_ms(dut, dut.give_bolus(program.bolus_steps_max)["record"])
    bench.advance_time(seconds_for(40, program.rate))
    end = pump_ms(dut.read_status())
    timeline = Timeline((Segment(started, program.rate),), (Bolus(given, program.bolus_steps_max, program.bolus_rate),))
    # Half a step for each of the two streams.
    assert timeline.max_deviation(bench.steps_ms(), started, end) <= 2 * HALF_A_STEP


def test_a_bolus_does_not_change_the_basal(bench: Bench, program: Program) -> None:
    dut = bench.client
    put_in_force(dut, program)
    before = dut.read_status()["low_steps"]
    started = start_ms(dut, dut.start_delivery()["record"])
    dut.give_bolus(6)
    assert bench.wait_until(
        lambda: dut.read_status()["bolus_left_steps"] == 0, within_s=4 * seconds_for(6, program.bolus_rate)
    )
    bench.advance_time(seconds_for(4, program.rate))
    status = dut.read_status()
    assert (status["rate_num"], status["rate_den"]) == (program.basal_num, program.basal_den)
    assert abs(status["low_steps"] - before - 6 - program.rate * (pump_ms(status) - started)) < ONE_STEP


@pytest.mark.parametrize(("more", "reason"), [(1, "bolus_over_maximum"), (1 << 20, "bolus_over_maximum")])
def test_a_bolus_above_the_maximum_is_refused(dut: PumpClient, program: Program, more: int, reason: str) -> None:
    put_in_force(dut, program)
    dut.start_delivery()
    with pytest.raises(RefusedError) as refused:
        dut.give_bolus(program.bolus_steps_max + more)
    assert refused.value.reason == reason
    assert dut.read_status()["bolus_left_steps"] == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"program_hash": bytes(HASH_HEAD_BYTES)}, "program_differs"), ({"ng": 1}, "amount_differs")],
)
def test_a_bolus_that_was_computed_from_something_else_is_refused(
    bench: Bench, program: Program, changes: dict[str, Any], reason: str
) -> None:
    dut = bench.client
    put_in_force(dut, program)
    dut.start_delivery()
    outcome = bench.wire.ask_pump("bolus", counter=next_command(bench), **dose_fields(program, 4) | changes)
    assert outcome["reason"] == reason
    assert dut.read_status()["bolus_left_steps"] == 0
    assert bench.wire.ask_pump("bolus", counter=next_command(bench), **dose_fields(program, 4))["reason"] == "done"


def test_a_bolus_names_the_program_that_the_client_knows(bench: Bench, program: Program) -> None:
    dut = bench.client
    put_in_force(dut, program)
    dut.start_delivery()
    data = replace(program, therapy_id=b"changed!").encode_program()
    dut.stage_program(data)
    # Behind the back of the client, as another program on this host would do it.
    bench.wire.ask_pump("program_commit", counter=next_command(bench), program_hash=program_hash(data))
    with pytest.raises(RefusedError) as refused:
        dut.give_bolus(4)
    assert refused.value.reason == "program_differs"
    dut.read_program()
    assert dut.give_bolus(4)["accepted"] == 4


def test_a_refill_that_was_computed_with_another_step_volume_is_refused(bench: Bench, program: Program) -> None:
    dut = bench.client
    before = dut.read_status()
    fields = {"steps": program.low_steps, "withdrawn_steps": UNKNOWN_STEPS, "step_nl_den": before["step_nl_den"]}
    outcome = bench.wire.ask_pump(
        "refill", counter=next_command(bench), **fields, step_nl_num=before["step_nl_num"] + before["step_nl_den"]
    )
    assert outcome["reason"] == "step_volume_differs"
    assert dut.read_status()["reservoir_steps"] == before["reservoir_steps"]


def test_a_bolus_of_nothing_is_refused(dut: PumpClient, program: Program) -> None:
    put_in_force(dut, program)
    dut.start_delivery()
    with pytest.raises(RefusedError) as refused:
        dut.give_bolus(0)
    assert refused.value.reason == "bolus_zero"


def test_a_bolus_on_a_stopped_pump_is_refused(dut: PumpClient, program: Program) -> None:
    put_in_force(dut, program)
    with pytest.raises(RefusedError) as refused:
        dut.give_bolus(3)
    assert refused.value.reason == "not_running"


def test_a_second_bolus_is_refused_while_one_runs(dut: PumpClient, program: Program) -> None:
    put_in_force(dut, program)
    dut.start_delivery()
    dut.give_bolus(program.bolus_steps_max)
    with pytest.raises(RefusedError) as refused:
        dut.give_bolus(1)
    assert refused.value.reason == "bolus_running"
    assert 0 < dut.read_status()["bolus_left_steps"] <= program.bolus_steps_max


def test_a_cancelled_bolus_ends_and_the_basal_goes_on(bench: Bench, program: Program) -> None:
    dut = bench.client
    put_in_force(dut, program)
    dut.start_delivery()
    dut.give_bolus(program.bolus_steps_max)
    dut.bolus_cancel()
    status = dut.read_status()
    assert (status["bolus_left_steps"], status["delivery"]) == (0, "running")
    with pytest.raises(RefusedError) as refused:
        dut.bolus_cancel()
    assert refused.value.reason == "no_bolus"
    before = status["low_steps"]
    bench.advance_time(seconds_for(3, program.rate))
    assert 2 <= dut.read_status()["low_steps"] - before <= 4


def test_a_second_start_is_refused(dut: PumpClient, program: Program) -> None:
    put_in_force(dut, program)
    dut.start_delivery()
    with pytest.raises(RefusedError) as refused:
        dut.start_delivery()
    assert refused.value.reason == "already_running"
    assert dut.read_status()["delivery"] == "running"
