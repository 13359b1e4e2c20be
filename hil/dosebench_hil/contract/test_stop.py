"""Stop, and commands that are carried out at most once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dosebench.link.client import RefusedError
from dosebench_protocol.codec import decode_frame

from dosebench_hil.contract.helpers import (
    OTHER_HOST,
    lasting_outcome,
    next_command,
    put_in_force,
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


def test_a_pump_starts_again_after_a_stop(running: Bench, program: Program) -> None:
    running.client.stop_delivery()
    running.client.start_delivery()
    assert delivered_within(running, seconds_for(3, program.rate)) >= 2


def test_a_repeated_stop_stops_again(running: Bench) -> None:
    counter = next_command(running)
    first = running.wire.ask_pump("stop", host=OTHER_HOST, counter=counter)
    running.client.start_delivery()
    again = running.wire.ask_pump("stop", host=OTHER_HOST, counter=counter)
    assert lasting_outcome(again) == lasting_outcome(first)
    assert running.client.read_status()["delivery"] == "stopped"


def test_a_stop_with_an_old_counter_stops_nevertheless(running: Bench, program: Program) -> None:
    counter = next_command(running)
    running.wire.ask_pump("stop", host=OTHER_HOST, counter=counter)
    running.client.start_delivery()
    with pytest.raises(RefusedError) as refused:
        running.wire.ask_pump("stop", host=OTHER_HOST, counter=counter - 1)
    assert (refused.value.reason, refused.value.detail) == ("counter_old", counter)
    assert running.client.read_status()["delivery"] == "stopped"
    assert delivered_within(running, seconds_for(2, program.rate)) == 0


def test_a_repeated_bolus_is_given_once(running: Bench, program: Program) -> None:
    counter = next_command(running)
    first = running.wire.ask_pump("bolus", host=OTHER_HOST, counter=counter, steps=5)
    assert (first["reason"], first["accepted"]) == ("done", 5)
    assert lasting_outcome(
        running.wire.ask_pump("bolus", host=OTHER_HOST, counter=counter, steps=5)
    ) == lasting_outcome(first)
    ended = running.wait_until(
        lambda: running.client.read_status()["bolus_left_steps"] == 0, within_s=4 * seconds_for(5, program.bolus_rate)
    )
    assert ended
    assert lasting_outcome(
        running.wire.ask_pump("bolus", host=OTHER_HOST, counter=counter, steps=5)
    ) == lasting_outcome(first)
    assert running.client.read_status()["bolus_left_steps"] == 0
    kinds = [record.kind for record in records_from(running.client, first["record"])]
    assert kinds.count("bolus") == 1


def test_a_repeat_that_asks_for_more_gets_no_more(running: Bench) -> None:
    counter = next_command(running)
    first = running.wire.ask_pump("bolus", host=OTHER_HOST, counter=counter, steps=2)
    again = decode_frame(
        running.wire.exchange_frames(running.wire.make_frame("bolus", host=OTHER_HOST, counter=counter, steps=20))
    )
    if again.name == "rejected":
        assert (again.fields["reason"], again.fields["detail"]) == ("counter_used", counter)
    else:
        # After a reset the pump knows the type of the command, not what it asked for.
        assert lasting_outcome(again.fields) == lasting_outcome(first)
    assert running.client.read_status()["bolus_left_steps"] <= 2


def test_an_older_counter_is_never_carried_out(running: Bench) -> None:
    counter = next_command(running)
    running.wire.ask_pump("clock_set", host=OTHER_HOST, counter=counter, local_days=9000, local_ms=0)
    with pytest.raises(RefusedError) as refused:
        running.wire.ask_pump("bolus", host=OTHER_HOST, counter=counter - 1, steps=5)
    assert (refused.value.reason, refused.value.detail) == ("counter_old", counter)
    assert running.client.read_status()["bolus_left_steps"] == 0


def test_a_used_counter_does_not_serve_another_command(running: Bench) -> None:
    counter = next_command(running)
    first = running.wire.ask_pump("clock_set", host=OTHER_HOST, counter=counter, local_days=9000, local_ms=0)
    bolus = running.wire.make_frame("bolus", host=OTHER_HOST, counter=counter, steps=5)
    answer = decode_frame(running.wire.exchange_frames(bolus))
    if answer.name == "rejected":
        assert (answer.fields["reason"], answer.fields["detail"]) == ("counter_used", counter)
    else:
        # A new sector of the journal carries an outcome on without the name of its command.
        assert lasting_outcome(answer.fields) == lasting_outcome(first)
    assert running.client.read_status()["bolus_left_steps"] == 0


def test_hosts_count_for_themselves(running: Bench) -> None:
    counter = next_command(running)
    running.wire.ask_pump("bolus", host=OTHER_HOST, counter=counter, steps=1)
    running.wire.ask_pump("clock_set", host=b"nbr\x01", counter=1 + counter, local_days=9000, local_ms=0)
    assert running.wire.ask_pump("outcome", host=OTHER_HOST, counter=counter)["accepted"] == 1


def test_a_refused_command_stays_refused(running: Bench) -> None:
    counter = next_command(running)
    first = running.wire.ask_pump("start", host=OTHER_HOST, counter=counter)
    assert first["reason"] == "already_running"
    running.client.stop_delivery()
    assert lasting_outcome(running.wire.ask_pump("start", host=OTHER_HOST, counter=counter)) == lasting_outcome(first)
    assert running.client.read_status()["delivery"] == "stopped"


def test_the_pump_tells_what_became_of_a_command(running: Bench) -> None:
    counter = next_command(running)
    outcome = running.wire.ask_pump("bolus", host=OTHER_HOST, counter=counter, steps=4)
    assert lasting_outcome(running.wire.ask_pump("outcome", host=OTHER_HOST, counter=counter)) == lasting_outcome(
        outcome
    )
    with pytest.raises(RefusedError) as refused:
        running.wire.ask_pump("outcome", host=OTHER_HOST, counter=counter + 1)
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
    assert [record.fields["steps"] for record in records if record.kind == "bolus"] == [4]
    assert [record.fields["delivered_steps"] for record in records if record.kind == "bolus_end"] == [4]


def test_a_lost_request_is_sent_again_and_doses_once(running: Bench) -> None:
    mark = running.client.read_status()["journal_next"]
    running.line.lose_requests(1)
    assert running.client.give_bolus(3)["accepted"] == 3
    assert [record.kind for record in records_from(running.client, mark)].count("bolus") == 1
