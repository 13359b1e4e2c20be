"""Sessions: opened when needed, proved by the pump, opened again when lost, and tied to the journal's head."""

from __future__ import annotations

import pytest
from dosebench.link.command_ids import MemoryIds
from dosebench.link.exchange import TRIES, NotGenuineError, RefusedError
from dosebench.link.keys import KeyStore
from dosebench.link.queries import Queries
from dosebench.link.sessions import SESSIONS_MAX, NotPairedError, RolledBackError, SessionRefusedError
from scripted_pump import DEVICE, ROLE_KEYS, OneKey, Refusal, ScriptedPump, blank, records

PUMP = DEVICE + b"pair"


def connected(pump: ScriptedPump, ids: MemoryIds | None = None, keys: OneKey | None = None) -> Queries:
    link = Queries(pump, ids or MemoryIds(), keys or OneKey())
    link.connect()
    return link


def test_questions_need_no_session_until_one_is_open() -> None:
    pump = ScriptedPump()
    link = connected(pump)
    link.read_status()
    assert link.session is None
    assert pump.names() == ["hello", "status"]


def test_a_request_that_needs_a_role_opens_a_session_in_the_least_role_with_a_key() -> None:
    pump = ScriptedPump()
    link = connected(pump)
    link._ask_question("program_abort")
    assert pump.names() == ["hello", "session_open", "program_abort"]
    assert link.session is not None
    assert link.session.role == "programmer"
    link._ask_question("program_abort")
    assert pump.names().count("session_open") == 1


def test_a_session_serves_lesser_roles_and_is_opened_anew_for_a_greater_one() -> None:
    pump = ScriptedPump()
    link = connected(pump)
    assert link.open_session("observer").role == "operator"
    assert link.open_session("operator").role == "operator"
    assert link.open_session("programmer").role == "programmer"
    assert link.open_session("operator").role == "programmer"
    assert pump.names().count("session_open") == 2


def test_the_nonce_of_each_session_is_new() -> None:
    pump = ScriptedPump()
    link = connected(pump)
    for _ in range(4):
        link.open_session("operator")
        link._session = None
    nonces = [fields["nonce"] for name, fields in pump.asked if name == "session_open"]
    assert len(set(nonces)) == 4
    assert {fields["host"] for name, fields in pump.asked if name == "session_open"} == {b"demo"}


def test_a_pump_with_another_key_is_not_genuine() -> None:
    pump = ScriptedPump(role_keys=ROLE_KEYS | {"operator": b"x" * 32})
    link = connected(pump)
    with pytest.raises(NotGenuineError, match=DEVICE.hex()):
        link.open_session("operator")
    assert link.session is None
    assert pump.names().count("session_open") == TRIES


def test_a_proof_that_was_changed_on_its_way_is_asked_for_again() -> None:
    pump = ScriptedPump()
    link = connected(pump)
    forged = blank("session_open", nonce=b"n" * 16)
    pump.answers["session_open"] = [forged]
    assert link.open_session("operator").role == "operator"
    assert pump.names().count("session_open") == 2


@pytest.mark.parametrize("roles", [{}, {"service": b"s" * 32}])
def test_without_a_key_nothing_is_sent(roles: dict[str, bytes]) -> None:
    pump = ScriptedPump()
    link = connected(pump, keys=OneKey(roles))
    if roles:
        assert link.open_session("operator").role == "service", "a greater role may do it too"
        return
    with pytest.raises(NotPairedError, match=DEVICE.hex()):
        link.open_session("operator")
    assert pump.names() == ["hello"]


def test_keys_of_another_pump_do_not_serve() -> None:
    class Elsewhere(OneKey):
        def get_keys(self, device: bytes) -> None:
            assert device == DEVICE

    with pytest.raises(NotPairedError):
        connected(ScriptedPump(), keys=Elsewhere()).open_session("operator")


@pytest.mark.parametrize(
    ("reason", "error"),
    [("unpaired", NotPairedError), ("session_busy", SessionRefusedError), ("backing_off", SessionRefusedError)],
)
def test_a_pump_that_opens_no_session_is_told_apart(reason: str, error: type[Exception]) -> None:
    pump = ScriptedPump(answers={"session_open": Refusal(reason, 9_000)})
    with pytest.raises(error) as caught:
        connected(pump).open_session("operator")
    if isinstance(caught.value, SessionRefusedError):
        assert (caught.value.reason, caught.value.detail) == (reason, 9_000)


def test_a_session_that_the_pump_lost_is_opened_again_and_the_request_sent_in_it() -> None:
    pump = ScriptedPump()
    link = connected(pump)
    before = link.open_session("programmer")
    pump.forget_sessions()
    link._ask_question("program_abort")
    assert pump.names()[-3:] == ["program_abort", "session_open", "program_abort"]
    assert link.session is not None
    assert link.session.id != before.id


def test_a_question_falls_back_to_no_session_when_it_is_lost() -> None:
    pump = ScriptedPump()
    link = connected(pump)
    link.open_session("operator")
    pump.forget_sessions()
    assert link.read_status()["delivery"] == "unprogrammed"
    assert link.session is None
    assert pump.names()[-2:] == ["status", "status"]


def test_a_session_that_is_lost_again_and_again_is_given_up() -> None:
    pump = ScriptedPump(answers={"program_abort": Refusal("bad_tag", is_sealed=False)})
    link = connected(pump)
    with pytest.raises(NotGenuineError, match="program_abort"):
        link._ask_question("program_abort")
    assert pump.names().count("session_open") == SESSIONS_MAX
    assert link.session is None


def test_a_refusal_with_a_tag_is_the_pumps_own() -> None:
    pump = ScriptedPump(answers={"program_abort": Refusal("bad_tag")})
    with pytest.raises(RefusedError) as caught:
        connected(pump)._ask_question("program_abort")
    assert caught.value.reason == "bad_tag"
    assert pump.names().count("session_open") == 1


# The journal's head


def seen(pump: ScriptedPump, ids: MemoryIds) -> Queries:
    """A host that has opened a session once, and closed it."""
    link = connected(pump, ids)
    link.open_session("operator")
    link._end_session()
    return link


def test_how_far_the_journal_has_come_is_remembered_at_both_ends_of_a_session() -> None:
    pump, ids = ScriptedPump(journal=records(3)), MemoryIds()
    link = connected(pump, ids)
    assert ids.known_head(PUMP) is None
    link.open_session("operator")
    assert ids.known_head(PUMP) == (3, pump.journal[-1][-8:])
    pump.journal += records(2, 3, pump.journal[-1][-8:])
    link._end_session()
    assert ids.known_head(PUMP) == (5, pump.journal[-1][-8:])
    assert link.session is None


def test_a_journal_that_goes_on_is_accepted() -> None:
    pump, ids = ScriptedPump(journal=records(3)), MemoryIds()
    seen(pump, ids)
    pump.journal += records(4, 3, pump.journal[-1][-8:])
    link = connected(pump, ids)
    link.open_session("operator")
    assert pump.asked[-1] == ("journal_read", {"first": 2, "count": 1})
    assert ids.known_head(PUMP) == (7, pump.journal[-1][-8:])


@pytest.mark.parametrize("change", ["shorter", "other", "other and longer"])
def test_a_journal_that_went_back_stops_every_command(change: str) -> None:
    pump, ids = ScriptedPump(journal=records(4)), MemoryIds()
    seen(pump, ids)
    head = ids.known_head(PUMP)
    pump.journal = {
        "shorter": pump.journal[:3],
        "other": records(4, low_steps=1),
        "other and longer": records(9, low_steps=1),
    }[change]
    link = connected(pump, ids)
    for _ in range(2):
        with pytest.raises(RolledBackError) as caught:
            link.open_session("operator")
        assert caught.value.exit_code == 3
    assert ids.known_head(PUMP) == head, "what was seen stays until a person accepts the journal"


def test_a_session_with_a_journal_that_went_back_keeps_no_new_head_when_it_ends() -> None:
    pump, ids = ScriptedPump(journal=records(4)), MemoryIds()
    seen(pump, ids)
    head = ids.known_head(PUMP)
    pump.journal = records(4, low_steps=1)
    link = connected(pump, ids)
    with pytest.raises(RolledBackError):
        link.open_session("operator")
    link._end_session()
    assert ids.known_head(PUMP) == head


def test_what_was_seen_may_have_been_overwritten() -> None:
    pump, ids = ScriptedPump(journal=records(3)), MemoryIds()
    seen(pump, ids)
    pump.journal = records(20, first=40, before=b"12345678")
    connected(pump, ids).open_session("operator")
    assert ids.known_head(PUMP) == (60, pump.journal[-1][-8:])


def test_the_same_head_is_no_question() -> None:
    pump, ids = ScriptedPump(journal=records(3)), MemoryIds()
    seen(pump, ids)
    connected(pump, ids).open_session("operator")
    assert "journal_read" not in pump.names()


def test_when_the_look_at_the_journal_fails_the_next_request_looks_again() -> None:
    pump, ids = ScriptedPump(journal=records(3)), MemoryIds()
    seen(pump, ids)
    pump.journal += records(1, 3, pump.journal[-1][-8:])
    pump.answers["journal_read"] = [Refusal("busy")]
    link = connected(pump, ids)
    with pytest.raises(RefusedError):
        link.open_session("operator")
    assert link.session is None
    assert link.open_session("operator")


def test_with_new_keys_it_is_another_pump() -> None:
    pump, ids = ScriptedPump(journal=records(4)), MemoryIds()
    seen(pump, ids)
    pump.journal = records(1, low_steps=5)
    assert connected(pump, ids, OneKey(pairing=b"new.")).open_session("operator")


def test_a_board_that_ends_with_its_port_is_not_remembered() -> None:
    pump, ids = ScriptedPump(journal=records(4)), MemoryIds()
    pump.keys = ROLE_KEYS  # type: ignore[attr-defined]
    link = Queries(pump, ids)
    link.connect()
    link.open_session("operator")
    link._end_session()
    assert ids._heads == {}


def test_a_goodbye_that_is_not_answered_ends_the_session_all_the_same() -> None:
    pump = ScriptedPump()
    link = connected(pump)
    link.open_session("operator")
    pump.lost_replies["session_close"] = 1
    began = pump.now_s
    link._end_session()
    assert link.session is None
    assert pump.now_s - began < 1
    link._end_session()
    assert pump.names().count("session_close") == 1


# Streams


def test_a_stream_is_one_request_and_many_replies() -> None:
    pump = ScriptedPump(answers={"telemetry_subscribe": lambda _: None})
    link = connected(pump)
    number = link.send_request("telemetry_subscribe", checksum=b"1234", fields=1, period_ms=100, lasts_ms=9)
    for at in (0, 1):
        pump.say("telemetry_subscribe", number, number=at)
    pump.say("telemetry_subscribe", number + 1, number=7)
    assert [reply["number"] for reply in link.receive_replies("telemetry_subscribe", [number], 1)] == [0, 1]
    began = pump.now_s
    assert link.receive_replies("telemetry_subscribe", [number], 1) == []
    assert pump.now_s - began == pytest.approx(1, abs=0.11)


def test_a_refused_stream_raises() -> None:
    pump = ScriptedPump(answers={"telemetry_subscribe": Refusal("too_often", 50)})
    link = connected(pump)
    number = link.send_request("telemetry_subscribe", checksum=b"1234", fields=1, period_ms=1, lasts_ms=9)
    with pytest.raises(RefusedError, match="50"):
        link.receive_replies("telemetry_subscribe", [number], 1)


def test_keys_are_looked_for_on_this_host_where_nothing_else_gives_them() -> None:
    pump = ScriptedPump()
    link = Queries(pump)
    link.connect()
    with pytest.raises(NotPairedError):
        link.open_session("operator")
    KeyStore().put_keys(DEVICE, ROLE_KEYS, secret=False)
    link.connect()
    assert link.open_session("operator").role == "operator"
