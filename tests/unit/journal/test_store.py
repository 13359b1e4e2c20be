"""The store: counters that are never given out twice, journals that must fit, and what another release left."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from dosebench.journal.store import FILE, Store, StoreError, find_gaps, verify_held
from dosebench_protocol.records import GENESIS_CHAIN, RecordError, chain, decode_records, make_record

PUMP = b"\x01\x02\x03\x04"


def _records(count: int, first: int = 0, before: bytes = GENESIS_CHAIN, ms: int = 0) -> list[bytes]:
    raw = []
    for sequence in range(first, first + count):
        blank = make_record("lease", sequence=sequence, ms=ms + sequence).to_bytes()
        before = chain(before, blank)
        raw.append(blank[:-8] + before)
    return raw


def test_the_host_id_is_drawn_once() -> None:
    with Store.open() as store:
        first = store.host_id
    with Store.open() as store:
        assert store.host_id == first
        assert len(first) == 4


def test_counters_grow_and_are_durable() -> None:
    with Store.open() as store:
        assert [store.next_id(PUMP, "bolus", 0)[1] for _ in range(3)] == [1, 2, 3]
    with Store.open() as store:
        assert store.next_id(b"else", "stop", 0) == (store.host_id, 4)


def test_counters_end() -> None:
    with Store.open() as store:
        store._db.execute("UPDATE host SET counter = (1 << 30) - 1")
        with pytest.raises(StoreError, match="used up"):
            store.next_id(PUMP, "bolus", 0)


def test_records_are_kept_as_they_are() -> None:
    raw = _records(5)
    with Store.open() as store:
        journal = store.begin_epoch(PUMP)
        assert store.add_records(journal, raw[:3]) == 3
        assert store.add_records(journal, raw[1:]) == 2
        assert store.add_records(journal, []) == 0
        assert store.raw_records(journal) == b"".join(raw)
        held = store.newest_journal(PUMP)
        assert held is not None
        assert (held.epoch, held.count, held.first, held.last) == (1, 5, 0, 4)


@pytest.mark.parametrize("at", [0, 1, 3])
def test_a_changed_record_is_refused_with_all_its_company(at: int) -> None:
    raw = _records(4)
    raw[at] = raw[at][:12] + b"\x07" + raw[at][13:]
    with Store.open() as store:
        journal = store.begin_epoch(PUMP)
        with pytest.raises(StoreError, match="is not whole"):
            store.add_records(journal, raw)
        assert store.raw_records(journal) == b""


def test_another_history_is_refused() -> None:
    with Store.open() as store:
        journal = store.begin_epoch(PUMP)
        store.add_records(journal, _records(3))
        with pytest.raises(StoreError, match="differs from the one that is held"):
            store.add_records(journal, _records(3, ms=9))
        with pytest.raises(StoreError, match="does not fit the chain"):
            store.add_records(journal, _records(2, first=3))


def test_what_the_pump_overwrote_is_a_gap() -> None:
    raw = _records(10)
    with Store.open() as store:
        journal = store.begin_epoch(PUMP)
        store.add_records(journal, raw[:3])
        store.add_records(journal, raw[6:])
        held = store.raw_records(journal)
    assert find_gaps(held) == [(3, 5)]
    verify_held(decode_records(held))
    with pytest.raises(RecordError):
        verify_held(decode_records(held[:-80] + _records(1, first=8)[0] + held[-40:]))


def test_a_jump_within_one_delivery_is_refused() -> None:
    raw = _records(10)
    with Store.open() as store:
        journal = store.begin_epoch(PUMP)
        with pytest.raises(StoreError):
            store.add_records(journal, [raw[5], raw[7]])


def test_programs_are_found_by_their_hash() -> None:
    with Store.open() as store:
        assert store.get_program(PUMP, b"head") is None
        store.add_program(PUMP, b"head", b"therapy", "a.toml")
        store.add_program(PUMP, b"head", b"therapy", "b.toml")
        assert store.get_program(PUMP, b"head") == b"therapy"
        assert store._db.execute("SELECT COUNT(*) FROM programs").fetchone() == (1,)


@pytest.mark.parametrize("version", [1, 2])
def test_the_store_of_an_earlier_release_is_refused_and_left_as_it_is(state: Path, version: int) -> None:
    state.mkdir(exist_ok=True)
    file = state / FILE
    with sqlite3.connect(file) as old:
        old.execute("CREATE TABLE host (id BLOB NOT NULL, counter INTEGER NOT NULL)")
        old.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(StoreError, match=r"written by dosebench 0\.2\.0, whose journals") as caught:
        Store.open()
    assert "move the file away" in str(caught.value.hint)
    assert sqlite3.connect(file).execute("PRAGMA user_version").fetchone() == (version,)
    file.rename(state / "kept.sqlite3")
    with Store.open() as store:
        assert len(store.host_id) == 4


def test_a_locked_store_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dosebench.journal.store.BUSY_S", 0.01)
    with Store.open() as first, Store.open() as second:
        first._db.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="database is locked"):
            second.next_id(PUMP, "bolus", 0)


def test_a_store_that_cannot_be_opened_is_an_error_with_a_hint(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(sqlite3, "connect", full)
    with pytest.raises(StoreError, match="cannot be used") as caught:
        Store.open()
    assert "DOSEBENCH_STATE" in str(caught.value.hint)
    del state
