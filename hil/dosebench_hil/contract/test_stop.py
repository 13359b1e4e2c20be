"""Stop, and commands that are carried out at most once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from dosebench.link.client import RefusedError
from dosebench_protocol.codec import decode_frame
from dosebench_protocol.tables import PROTOCOL_VERSION

from dosebench_hil.contract.helpers import (
    dose_fields,
    lasting_outcome,
    next_command,
    other_host,
    put_in_force,
    record_at,
    records_from,
    seconds_for,
)

if TYPE_CHECKING:
    from dosebench.link.client import PumpClient
    from dosebench.therapy.program import Program

    from dosebench_hil.bench import Bench


@pytest.fixture
def running(bench: Bench, program: Program) -> Bench:
    """A bench whose pump delivers."""
    put_in_force(bench.client, program)
    bench.client.start_delivery()
    return bench


def delivered_within(bench: Bench, seconds: float) -> int:
    """Steps that the pump counts in the next `seconds` of its time."""
    before = int(bench.client.read_status()["low_steps"])
    bench.advance_time(seconds)
    return int(bench.client.read_status()["low_steps"]) - before


def test_stop_stops(running: Bench, program: Program) -> None:
    running.client.stop_delivery()
    status = running.client.read_status()
    assert (status["delivery"], status["stop_reason"], status["rate_num"]) == ("stopped", "command", 0)
    assert delivered_within(running, seconds_for(3, program.rate)) == 0


def test_stop_ends_a_bolus(running: Bench, program: Program) -> None:
    running.client.give_bolus(program.bolus_steps_max)
    running.client.stop_delivery()
    assert running.client.read_status()["bolus_left_steps"] == 0
    assert delivered_within(running, seconds_for(4, program.bolus_rate)) == 0


def test_stop_of_a_stopped_pump_is_done_again(dut: PumpClient) -> None:
    assert dut.stop_delivery()["reason"] == dut.stop_delivery()["reason"] == "done"
    assert dut.read_status()["delivery"] in ("stopped", "unprogrammed")


@pytest.mark.parametrize(
    "changes",
    [{}, {"device": bytes(4)}, {"version": PROTOCOL_VERSION + 1}, {"body": b"from a later version"}],
    ids=["plain", "any device", "another version", "more bytes"],
)
def test_a_stop_without_a_session_is_accepted_from_anyone(
    running: Bench, program: Program, changes: dict[str, Any]
) -> None:
    wire = running.wire
    frame = wire.alter_frame(wire.make_bare("stop"), **changes)
    outcome = decode_frame(wire.exchange_frames(frame)).fields
    assert (outcome["reason"], outcome["counter"]) == ("done", 0)
    assert running.client.read_status()["delivery"] == "stopped"
    assert delivered_within(running, seconds_for(3, program.rate)) == 0


def test_a_stop_without_a_session_belongs_to_no_host(running: Bench) -> None:
    wire = running.wire
    stopped = decode_frame(wire.exchange_frames(wire.make_bare("stop"))).fields
    record = record_at(running.client, stopped["record"])
    assert (record.kind, record.host, record.counter) == ("stop", bytes(4), 0)
    before = running.client.journal_info()
    again = decode_frame(wire.exchange_frames(wire.make_bare("stop"))).fields
    assert again["reason"] == "done"
    assert running.client.journal_info() == before


def test_a_pump_starts_again_after_a_stop(running: Bench, program: Program) -> None:
    running.client.stop_delivery()
    running.client.start_delivery()
    assert delivered_within(running, seconds_for(3, program.rate)) >= 2


def test_a_repeated_stop_stops_again(running: Bench) -> None:
    counter = next_command(running)
    with other_host(running) as wire:
        first = wire.ask_pump("stop", counter=counter)
    running.client.start_delivery()
    with other_host(running) as wire:
        again = wire.ask_pump("stop", counter=counter)
    assert lasting_outcome(again) == lasting_outcome(first)
    assert running.client.read_status()["delivery"] == "stopped"


def test_a_stop_with_an_old_counter_stops_nevertheless(running: Bench, program: Program) -> None:
    counter = next_command(running)
    with other_host(running) as wire:
        wire.ask_pump("stop", counter=counter)
    running.client.start_delivery()
    with other_host(running) as wire, pytest.raises(RefusedError) as refused:
        wire.ask_pump("stop", counter=counter - 1)
    assert (refused.value.reason, refused.value.detail) == ("counter_old", counter)
    assert running.client.read_status()["delivery"] == "stopped"
    assert delivered_within(running, seconds_for(2, program.rate)) == 0


def test_a_repeated_bolus_is_given_once(running: Bench, program: Program) -> None:
    counter = next_command(running)
    first = running.wire.ask_pump("bolus", counter=counter, **dose_fields(program, 5))
    assert (first["reason"], first["accepted"]) == ("done", 5)
    assert lasting_outcome(
        running.wire.ask_pump("bolus", counter=counter, **dose_fields(program, 5))
    ) == lasting_outcome(first)
    ended = running.wait_until(
        lambda: running.client.read_status()["bolus_left_steps"] == 0, within_s=4 * seconds_for(5, program.bolus_rate)
    )
    assert ended
    assert lasting_outcome(
        running.wire.ask_pump("bolus", counter=counter, **dose_fields(program, 5))
    ) == lasting_outcome(first)
    assert running.client.read_status()["bolus_left_steps"] == 0
    kinds = [record.kind for record in records_from(running.client, first["record"])]
    assert kinds.count("bolus") == 1


def test_a_repeat_that_asks_for_more_gets_no_more(running: Bench, program: Program) -> None:
    counter = next_command(running)
    first = running.wire.ask_pump("bolus", counter=counter, **dose_fields(program, 2))
    again = decode_frame(
        running.wire.exchange_frames(running.wire.make_frame("bolus", counter=counter, **dose_fields(program, 20)))
    )
    if again.name == "rejected":
        assert (again.fields["reason"], again.fields["detail"]) == ("counter_used", counter)
    else:
        # After a reset the pump knows the type of the command, not what it asked for.
        assert lasting_outcome(again.fields) == lasting_outcome(first)
    assert running.client.read_status()["bolus_left_steps"] <= 2


def test_an_older_counter_is_never_carried_out(running: Bench, program: Program) -> None:
    counter = next_command(running)
    running.wire.ask_pump("clock_set", counter=counter, local_days=9000, local_ms=0)
    with pytest.raises(RefusedError) as refused:
        running.wire.ask_pump("bolus", counter=counter - 1, **dose_fields(program, 5))
    assert (refused.value.reason, refused.value.detail) == ("counter_old", counter)
    assert running.client.read_status()["bolus_left_steps"] == 0


def test_a_used_counter_does_not_serve_another_command(running: Bench, program: Program) -> None:
    counter = next_command(running)
    first = running.wire.ask_pump("clock_set", counter=counter, local_days=9000, local_ms=0)
    bolus = running.wire.make_frame("bolus", counter=counter, **dose_fields(program, 5))
    answer = decode_frame(running.wire.exchange_frames(bolus))
    if answer.name == "rejected":
        assert (answer.fields["reason"], answer.fields["detail"]) == ("counter_used", counter)
    else:
        # A new sector of the journal carries an outcome on without the name of its command.
        assert lasting_outcome(answer.fields) == lasting_outcome(first)
    assert running.client.read_status()["bolus_left_steps"] == 0


def test_hosts_count_for_themselves(running: Bench, program: Program) -> None:
    counter = next_command(running)
    running.wire.ask_pump("bolus", counter=counter, **dose_fields(program, 1))
    with other_host(running) as wire:
        wire.ask_pump("clock_set", counter=1 + counter, local_days=9000, local_ms=0)
    assert running.wire.ask_pump("outcome", counter=counter)["accepted"] == 1


def test_a_refused_command_stays_refused(running: Bench) -> None:
    counter = next_command(running)
    with other_host(running) as wire:
        first = wire.ask_pump("start", counter=counter)
    assert first["reason"] == "already_running"
    running.client.stop_delivery()
    with other_host(running) as wire:
        assert lasting_outcome(wire.ask_pump("start", counter=counter)) == lasting_outcome(first)
    assert running.client.read_status()["delivery"] == "stopped"


def test_the_pump_tells_what_became_of_a_command(running: Bench, program: Program) -> None:
    counter = next_command(running)
    outcome = running.wire.ask_pump("bolus", counter=counter, **dose_fields(program, 4))
    assert lasting_outcome(running.wire.ask_pump("outcome", counter=counter)) == lasting_outcome(outcome)
    with pytest.raises(RefusedError) as refused:
        running.wire.ask_pump("outcome", counter=counter + 1)
    assert (refused.value.reason, refused.value.detail) == ("outcome_unknown", counter)


def test_a_lost_reply_doses_once(running: Bench, program: Program) -> None:
    mark = running.client.read_status()["journal_next"]
    running.line.lose_replies(1)
    outcome = running.client.give_bolus(4)
    assert outcome["accepted"] == 4
    running.wait_until(
        lambda: running.client.read_status()["bolus_left_steps"] == 0, within_s=4 * seconds_for(4, program.bolus_rate)
    )
    records = records_from(running.client, mark)
    assert [record.steps for record in records if record.kind == "bolus"] == [4]
    assert [record.delivered_low_steps for record in records if record.kind == "bolus_end"] == [4]


def test_a_lost_request_is_sent_again_and_doses_once(running: Bench) -> None:
    mark = running.client.read_status()["journal_next"]
    running.line.lose_requests(1)
    assert running.client.give_bolus(3)["accepted"] == 3
    assert [record.kind for record in records_from(running.client, mark)].count("bolus") == 1
