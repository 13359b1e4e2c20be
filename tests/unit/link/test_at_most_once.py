"""Commands at most once: lost requests, lost answers, repeats, and what a host finds out before it goes on."""

from __future__ import annotations

from typing import Any

import pytest
from dosebench.link.at_most_once import CommandOutcome, EarlierCommandError, UnknownOutcomeError
from dosebench.link.client import PumpClient
from dosebench.link.command_ids import MemoryIds
from dosebench.link.exchange import TRIES, RefusedError, SilentError
from dosebench.link.ports import PortError
from dosebench.link.sessions import NotPairedError
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_pump import DEVICE, OneKey, Refusal, ScriptedPump, blank, records

PUMP = DEVICE + b"pair"


def client_of(pump: ScriptedPump, ids: MemoryIds | None = None) -> PumpClient:
    client = PumpClient(pump, ids if ids is not None else MemoryIds(), OneKey())
    client.connect()
    return client


def made(pump: ScriptedPump) -> list[tuple[bytes, int]]:
    """Ids of the commands that the pump carried out."""
    return list(pump.outcomes)


def test_a_command_has_an_id_of_its_own_and_is_settled_by_its_answer() -> None:
    pump, ids = ScriptedPump(), MemoryIds(b"host")
    client = client_of(pump, ids)
    assert client.give_bolus(4)["counter"] == 1
    assert client.give_bolus(4)["counter"] == 2
    assert made(pump) == [(b"host", 1), (b"host", 2)]
    assert ids.open_commands(PUMP) == []
    assert "outcome" not in pump.names(), "nothing was open, so nothing is asked"


@pytest.mark.parametrize("which", ["lost_requests", "lost_replies"])
@pytest.mark.parametrize("lost", [1, TRIES - 1])
def test_every_retry_carries_the_same_id(which: str, lost: int) -> None:
    pump = ScriptedPump(**{which: {"bolus": lost}})
    client = client_of(pump)
    assert client.give_bolus(4)["reason"] == "done"
    assert {fields["counter"] for name, fields in pump.asked if name == "bolus"} == {1}
    assert len(made(pump)) == 1


def test_an_answer_that_was_lost_for_good_is_asked_for() -> None:
    pump, ids = ScriptedPump(lost_replies={"bolus": TRIES}), MemoryIds()
    assert client_of(pump, ids).give_bolus(4)["record"] == 1
    assert pump.names()[-2:] == ["bolus", "outcome"]
    assert len(made(pump)) == 1
    assert ids.open_commands(PUMP) == []


def test_a_request_that_never_arrived_was_not_carried_out_and_that_is_said() -> None:
    pump, ids = ScriptedPump(lost_requests={"bolus": TRIES}), MemoryIds()
    with pytest.raises(SilentError, match="bolus"):
        client_of(pump, ids).give_bolus(4)
    assert made(pump) == []
    assert ids.open_commands(PUMP) == []
    assert client_of(pump, ids).give_bolus(4)["counter"] == 2


def test_a_refusal_is_an_outcome() -> None:
    pump, ids = ScriptedPump(answers={"bolus": Refusal("not_running")}), MemoryIds()
    with pytest.raises(RefusedError) as caught:
        client_of(pump, ids).give_bolus(4)
    assert (caught.value.reason, caught.value.request) == ("not_running", "bolus")
    assert ids.open_commands(PUMP) == []


def test_a_reply_whose_reason_is_a_refusal_is_one() -> None:
    pump = ScriptedPump(answers={"bolus": blank("bolus", reason="bolus_over_cap", record=3)})
    with pytest.raises(RefusedError) as caught:
        client_of(pump).give_bolus(4)
    assert caught.value.reason == "bolus_over_cap"


def test_when_the_pump_cannot_be_asked_the_outcome_is_unknown_and_stays_open() -> None:
    pump, ids = ScriptedPump(lost_replies={"bolus": TRIES, "outcome": TRIES}), MemoryIds()
    with pytest.raises(UnknownOutcomeError, match="bolus") as caught:
        client_of(pump, ids).give_bolus(4)
    assert caught.value.transcript
    assert [(one.name, one.counter) for one in ids.open_commands(PUMP)] == [("bolus", 1)]


def test_a_port_that_is_lost_leaves_the_outcome_unknown() -> None:
    pump, ids = ScriptedPump(), MemoryIds()

    def gone(_: Any) -> None:
        raise PortError("unplugged")

    pump.answers["bolus"] = gone
    with pytest.raises(UnknownOutcomeError, match="unplugged"):
        client_of(pump, ids).give_bolus(4)
    assert len(ids.open_commands(PUMP)) == 1


@pytest.mark.requirement("R60")
def test_the_next_command_resolves_the_open_one_and_is_not_sent() -> None:
    pump, ids = ScriptedPump(lost_replies={"bolus": TRIES, "outcome": TRIES}), MemoryIds()
    client = client_of(pump, ids)
    with pytest.raises(UnknownOutcomeError):
        client.give_bolus(4)
    with pytest.raises(EarlierCommandError) as caught:
        client.give_bolus(5)
    (one,) = caught.value.outcomes
    assert (one.command, one.counter, one.carried_out, one.reason, one.record) == ("bolus", 1, True, "done", 1)
    assert [fields["steps"] for name, fields in pump.asked if name == "bolus"] == [4] * TRIES
    assert client.give_bolus(5)["counter"] == 2
    assert len(made(pump)) == 2


def test_commands_of_earlier_processes_are_resolved_oldest_first() -> None:
    pump, ids = ScriptedPump(), MemoryIds(b"host")
    for name in ("bolus", "stop", "refill"):
        ids.next_id(PUMP, name, 0)
    pump.outcomes[b"host", 1] = blank("outcome", counter=1, record=8)
    pump.outcomes[b"host", 2] = blank("outcome", counter=2, record=9, reason="already_stopped")
    with pytest.raises(EarlierCommandError) as caught:
        client_of(pump, ids).start_delivery()
    assert [one[:5] for one in caught.value.outcomes] == [
        ("bolus", 1, True, "done", 8),
        ("stop", 2, False, "already_stopped", 9),
        ("refill", 3, False, "outcome_unknown", None),
    ]
    assert made(pump) == [(b"host", 1), (b"host", 2)]
    assert "start" not in pump.names()


def test_settling_with_nothing_open_asks_nothing_but_opens_the_session() -> None:
    pump = ScriptedPump()
    assert client_of(pump).resolve_commands() == ()
    assert pump.names() == ["hello", "session_open"]


def test_counters_begin_above_the_newest_that_the_pump_knows() -> None:
    pump = ScriptedPump(newest_counter=41)
    assert client_of(pump).give_bolus(4)["counter"] == 42


# Where the pump's memory of outcomes is too short, the journal tells


def journal_with_bolus(host: bytes, counter: int, first: int = 0) -> list[bytes]:
    """Three records, the second of them that of a bolus."""
    before, after = records(1, first), records(1, first + 2)
    return [*before, *records(1, first + 1, kind="bolus", host=host, counter=counter), *after]


@pytest.mark.parametrize(
    ("journal", "wanted"),
    [
        (journal_with_bolus(b"host", 1), ("bolus", 1, True, "done", 1)),
        (journal_with_bolus(b"else", 1), ("bolus", 1, False, "outcome_unknown", None)),
        (journal_with_bolus(b"host", 2), ("bolus", 1, False, "outcome_unknown", None)),
        (journal_with_bolus(b"else", 1, first=5), ("bolus", 1, None, "record_gone", None)),
        ([], ("bolus", 1, False, "outcome_unknown", None)),
    ],
)
def test_an_old_counter_is_looked_up_in_the_journal(journal: list[bytes], wanted: tuple[Any, ...]) -> None:
    pump, ids = ScriptedPump(journal=journal, answers={"outcome": Refusal("counter_old", 3)}), MemoryIds(b"host")
    ids.next_id(PUMP, "bolus", 0)
    (one,) = client_of(pump, ids).resolve_commands()
    assert one[:5] == wanted
    assert one.outcome is None
    assert ids.open_commands(PUMP) == []


def test_a_command_that_only_the_journal_knows_ends_with_what_it_says() -> None:
    pump = ScriptedPump(lost_replies={"bolus": TRIES}, answers={"outcome": Refusal("counter_old", 3)})
    pump.journal = journal_with_bolus(b"host", 1)
    with pytest.raises(EarlierCommandError) as caught:
        client_of(pump, MemoryIds(b"host")).give_bolus(4)
    assert [(one.carried_out, one.record) for one in caught.value.outcomes] == [(True, 1)]


def test_a_command_that_nobody_can_know_any_more_is_unknown() -> None:
    pump = ScriptedPump(lost_replies={"bolus": TRIES}, answers={"outcome": Refusal("counter_old", 3)})
    pump.journal = journal_with_bolus(b"else", 1, first=5)
    with pytest.raises(UnknownOutcomeError):
        client_of(pump, MemoryIds(b"host")).give_bolus(4)


def test_another_refusal_of_the_question_settles_nothing() -> None:
    pump, ids = ScriptedPump(answers={"outcome": Refusal("busy")}), MemoryIds()
    ids.next_id(PUMP, "bolus", 0)
    with pytest.raises(RefusedError, match="busy"):
        client_of(pump, ids).resolve_commands()
    assert len(ids.open_commands(PUMP)) == 1


def test_the_outcome_of_a_lost_answer_that_is_a_refusal_is_raised_as_one() -> None:
    pump = ScriptedPump(lost_replies={"bolus": TRIES})
    pump.answers["outcome"] = blank("outcome", counter=1, reason="lockout", record=5)
    with pytest.raises(RefusedError) as caught:
        client_of(pump).give_bolus(4)
    assert (caught.value.reason, caught.value.request) == ("lockout", "bolus")


def test_a_forged_refusal_is_not_believed() -> None:
    pump = ScriptedPump(answers={"bolus": Refusal("not_running", is_sealed=False)})
    with pytest.raises(SilentError):
        client_of(pump).give_bolus(4)
    assert pump.names()[-1] == "outcome"


def test_keys_that_are_taken_away_meanwhile_leave_the_outcome_unknown() -> None:
    pump, ids = ScriptedPump(lost_replies={"bolus": TRIES}), MemoryIds()
    pump.answers["outcome"] = Refusal("no_session", is_sealed=False)
    client = client_of(pump, ids)
    client.open_session("operator")
    pump.answers["session_open"] = Refusal("unpaired")
    with pytest.raises(UnknownOutcomeError):
        client.give_bolus(4)
    with pytest.raises(NotPairedError):
        client.give_bolus(4)
    assert [one.counter for one in ids.open_commands(PUMP)] == [1]


@pytest.mark.parametrize(
    ("settled", "words"),
    [
        (CommandOutcome("bolus", 1, True, "done", 7), "record 7"),
        (CommandOutcome("bolus", 1, False, "outcome_unknown"), "never carried out"),
        (CommandOutcome("bolus", 1, False, "lockout", 9), "refused"),
        (CommandOutcome("bolus", 1, None, "record_gone"), "not in the pump's journal"),
    ],
)
def test_each_outcome_has_its_sentence(settled: CommandOutcome, words: str) -> None:
    assert words in settled.describe_outcome()
    assert "bolus" in settled.describe_outcome()


LOSSES = st.integers(0, TRIES + 1)


@given(st.lists(st.tuples(LOSSES, LOSSES, LOSSES, LOSSES), min_size=1, max_size=6))
@settings(max_examples=60)
def test_whatever_the_line_loses_the_host_ends_up_knowing_what_the_pump_did(rounds: list[tuple[int, ...]]) -> None:
    pump, ids = ScriptedPump(), MemoryIds(b"host")
    client = client_of(pump, ids)
    told: dict[int, bool] = {}
    for lost in rounds:
        pump.lost_requests = {"bolus": lost[0], "outcome": lost[1]}
        pump.lost_replies = {"bolus": lost[2], "outcome": lost[3]}
        try:
            told[client.give_bolus(4)["counter"]] = True
        except EarlierCommandError as error:
            told |= {one.counter: bool(one.carried_out) for one in error.outcomes}
        except UnknownOutcomeError:
            continue
        except SilentError:
            if not ids.open_commands(PUMP):
                told[ids.counter] = False
    pump.lost_requests, pump.lost_replies = {}, {}
    told |= {one.counter: bool(one.carried_out) for one in client.resolve_commands()}
    assert ids.open_commands(PUMP) == []
    assert set(told) == set(range(1, ids.counter + 1))
    assert {(b"host", counter) for counter, done in told.items() if done} == set(pump.outcomes)
