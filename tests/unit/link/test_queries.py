"""Queries to a pump: the handshake, values that are unknown, therapies and records in pieces."""

from __future__ import annotations

from typing import Any

import pytest
from dosebench.base.errors import DosebenchError
from dosebench.link.queries import DAY_MS, RECORDS_PER_READ, MismatchError, Queries
from dosebench_protocol.records import UNKNOWN_STEPS
from dosebench_protocol.tables import PROTOCOL_VERSION, SCHEMA_HASH
from scripted_pump import DEVICE, OneKey, Refusal, ScriptedPump, blank, joined, records


def connected(pump: ScriptedPump) -> Queries:
    link = Queries(pump)
    link.connect()
    return link


def test_hello_is_said_to_whoever_listens_and_names_the_pump() -> None:
    pump = ScriptedPump()
    link = Queries(pump)
    assert link.hello_reply == {}
    reply = link.connect()
    assert link.hello_reply == reply
    assert link.device_id == reply["device_id"] == DEVICE
    assert pump.asked == [("hello", {"protocol_min": PROTOCOL_VERSION, "protocol_max": PROTOCOL_VERSION})]


@pytest.mark.parametrize(
    "change", [{"protocol": PROTOCOL_VERSION + 1}, {"schema_hash": bytes(8)}, {"protocol": PROTOCOL_VERSION - 1}]
)
def test_another_release_is_refused_with_both_sides(change: dict[str, Any]) -> None:
    good = {"protocol": PROTOCOL_VERSION, "schema_hash": SCHEMA_HASH, "firmware_minor": 7}
    pump = ScriptedPump(answers={"hello": blank("hello", **good | change)})
    with pytest.raises(MismatchError, match=r"0\.7\.0") as caught:
        Queries(pump).connect()
    assert SCHEMA_HASH.hex() in str(caught.value)


def test_connecting_again_forgets_the_session() -> None:
    pump = ScriptedPump()
    link = Queries(pump, keys=OneKey())
    link.connect()
    link.open_session("operator")
    link.connect()
    assert link.session is None


def test_a_value_that_the_pump_does_not_know_is_none() -> None:
    row = {"sensor": "level", "state": "ok", "raw_mv": 1_200, "value": 5}
    rows = [row, row | {"value": UNKNOWN_STEPS}, row | {"value": 0}]
    pump = ScriptedPump(answers={"sensors": {"sensors": rows}})
    assert [one["value"] for one in connected(pump).read_sensors()] == [5, None, 0]
    pump.answers["service"] = blank("service", implant_days=UNKNOWN_STEPS, cap_days=12)
    told = connected(pump).read_service()
    assert (told["implant_days"], told["cap_days"]) == (None, 12)


@pytest.mark.parametrize(
    ("name", "method"),
    [(name, f"read_{name}") for name in ("status", "selftest", "counters", "memory")]
    + [(name, name) for name in ("telemetry_table", "journal_info")],
)
def test_each_question_is_the_message_of_its_name(name: str, method: str) -> None:
    pump = ScriptedPump()
    assert getattr(connected(pump), method)() == blank(name)
    assert pump.names() == ["hello", name]


@pytest.mark.parametrize("length", [1, 99, 100, 101, 250])
def test_a_therapy_is_read_in_pieces(length: int) -> None:
    program = bytes(at % 251 for at in range(length))

    def piece(fields: dict[str, Any]) -> dict[str, Any]:
        at = fields["offset"]
        return blank("program_read", generation=3, length=length, offset=at, data=program[at : at + 100])

    pump = ScriptedPump(answers={"program_read": piece})
    assert connected(pump).read_program() == (3, program)
    assert pump.names().count("program_read") == -(-length // 100)


# Records


@pytest.mark.parametrize("count", [0, 1, RECORDS_PER_READ, RECORDS_PER_READ + 1, 60])
@pytest.mark.parametrize("first", [0, 7])
def test_the_journal_is_read_in_frames_of_records(count: int, first: int) -> None:
    pump = ScriptedPump(journal=records(count, first))
    seen: list[tuple[int, int]] = []
    assert list(connected(pump).read_journal(progress=lambda at, end: seen.append((at, end)))) == pump.journal
    assert pump.names().count("journal_read") == -(-count // RECORDS_PER_READ)
    assert [at for at, _ in seen] == sorted({at for at, _ in seen})
    if count:
        assert seen[-1] == (first + count, first + count)


@pytest.mark.parametrize(("asked", "given"), [(0, 5), (5, 5), (6, 6), (9, 9), (10, None), (99, None)])
def test_reading_begins_at_the_record_that_was_asked_for_or_the_oldest_held(asked: int, given: int | None) -> None:
    pump = ScriptedPump(journal=records(5, 5))
    found = [int.from_bytes(raw[:4], "little") for raw in connected(pump).read_journal(asked)]
    assert found == (list(range(given, 10)) if given is not None else [])


def test_a_pump_that_gives_fewer_records_than_it_was_asked_for_is_asked_on() -> None:
    pump = ScriptedPump(journal=records(10))
    whole = pump._journal_read

    def few(fields: dict[str, Any]) -> Any:
        return whole(fields | {"count": min(fields["count"], 4)})

    # The size of a record is that of the batch over its count: a short batch must not be cut in other places.
    pump.answers["journal_read"] = lambda fields: few(fields) if fields["count"] <= 4 else whole(fields)
    assert joined(connected(pump).read_journal()) == joined(pump.journal)


def test_the_fault_ring_has_messages_of_its_own() -> None:
    raw = records(2, 3)
    pump = ScriptedPump(answers={"fault_info": blank("fault_info", first=3, next=5)})
    pump.answers["fault_read"] = blank("fault_read", first=3, records=joined(raw))
    link = connected(pump)
    assert link.fault_info()["next"] == 5
    assert list(link.read_faults()) == raw
    assert pump.asked[-1] == ("fault_read", {"first": 3, "count": 2})


def test_one_record() -> None:
    pump = ScriptedPump(journal=records(4))
    assert connected(pump).read_record(2) == pump.journal[2]
    with pytest.raises(DosebenchError) as caught:
        connected(pump).read_record(4)
    assert caught.value.reason == "record_future"  # type: ignore[attr-defined]


def journal_with_boots(count: int, *boots: int) -> list[bytes]:
    made, before = [], bytes(8)
    for at in range(count):
        made += records(1, at, before, kind="boot" if at in boots else "lease", day=1)
        before = made[-1][-8:]
    return made


@pytest.mark.parametrize(("boots", "newest"), [((0,), 0), ((0, 3), 3), ((10, 59), 59), ((2, 5), 5)])
def test_the_last_boot_is_found_near_the_end_or_anywhere(boots: tuple[int, ...], newest: int) -> None:
    pump = ScriptedPump(journal=journal_with_boots(60, *boots))
    assert connected(pump).boot_ms() == DAY_MS + newest


def test_a_journal_without_a_boot_is_an_error() -> None:
    with pytest.raises(DosebenchError, match="boot"):
        connected(ScriptedPump(journal=records(30))).boot_ms()


def test_a_refused_question_is_raised() -> None:
    pump = ScriptedPump(answers={"program_read": Refusal("not_programmed")})
    with pytest.raises(DosebenchError) as caught:
        connected(pump).read_program()
    assert caught.value.reason == "not_programmed"  # type: ignore[attr-defined]
