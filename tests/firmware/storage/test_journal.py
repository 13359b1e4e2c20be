"""The journal: gap-free, chained, and whole after any cut or flip."""

from __future__ import annotations

import hashlib

import pytest
from dosebench.link.client import RefusedError
from dosebench.twin.flash import CutPlan, Flash, PowerCut
from dosebench.twin.runtimes import RUNTIMES, RuntimeName
from dosebench_protocol.records import GENESIS_CHAIN, decode_records, verify_chain
from hypothesis import given, settings
from hypothesis import strategies as st
from pump.clock import Clock
from pump.storage.journal import Journal
from pumpside import examples, pump

SECTORS = 3
PER_SECTOR = 102


class Board:
    """The flash part of a board."""

    def __init__(self, flash: Flash) -> None:
        self.flash = flash

    def flash_read(self, address: int, buffer: bytearray) -> None:
        buffer[:] = self.flash.read(address, len(buffer))

    def flash_write(self, address: int, data: bytes) -> None:
        self.flash.write(address, bytes(data))

    def flash_erase(self, address: int) -> None:
        self.flash.erase(address)


def journal(flash: Flash) -> Journal:
    return Journal(Board(flash), Clock(0), 0, SECTORS)


def reopened(flash: Flash) -> tuple[Journal, list[int]]:
    """A journal after a reset, and the payloads that it found."""
    found: list[int] = []
    again = journal(flash)
    again.scan(lambda fields: found.append(fields[5]))
    return again, found


def append(made: Journal, number: int) -> int:
    if made.needs_sector():
        assert made.open_sector()
    return int(made.append(67, 0, number, 0, 0, 0, 0))


def filled(count: int, seed: int = 0) -> tuple[Flash, Journal]:
    flash = Flash(SECTORS, seed=seed)
    made = journal(flash)
    for number in range(count):
        assert append(made, number) == number
    return flash, made


@pytest.mark.requirement("R55")
@pytest.mark.parametrize("count", [0, 1, 101, 102, 103, 204, 306, 307, 408, 1_000])
def test_a_reset_finds_what_the_ring_holds(count: int) -> None:
    flash, made = filled(count)
    again, found = reopened(flash)
    assert again.next == made.next == count
    assert found == list(range(made.first(), count))
    assert again.first() == made.first()
    assert count - made.first() >= min(count, (SECTORS - 1) * PER_SECTOR)
    assert (again.voids, again.damaged) == (0, 0)
    assert append(again, count) == count


def test_records_read_back_chain_from_the_first() -> None:
    _, made = filled(150)
    raw = bytearray()
    record = bytearray(40)
    for sequence in range(150):
        assert made.read(sequence, record)
        raw += record
    records = decode_records(bytes(raw))
    verify_chain(records, GENESIS_CHAIN)
    assert [entry.slots_voided for entry in records] == list(range(150))
    assert records[-1].chain == made.chain()
    assert not made.read(150, record)


@pytest.mark.requirement("R55")
@settings(max_examples=examples(300), deadline=None)
@given(
    st.integers(95, 330),
    st.integers(0, 400),
    st.sampled_from(["before", "torn", "after"]),
    st.integers(0, 1_000),
    st.integers(0, 3),
)
def test_a_power_cut_loses_nothing_that_was_reported(count: int, at: int, when: str, seed: int, later: int) -> None:
    flash = Flash(SECTORS, seed=seed)
    flash.cut = CutPlan(at, when)  # type: ignore[arg-type]
    made = journal(flash)
    reported = -1
    try:
        for number in range(count):
            append(made, number)
            reported = number
    except PowerCut:
        pass
    flash.cut = None
    again, found = reopened(flash)
    assert found == list(range(again.first(), again.next))
    assert again.next in (reported + 1, reported + 2)
    assert again.damaged == 0
    for number in range(again.next, again.next + later):
        assert append(again, number) == number
    third, found = reopened(flash)
    assert (third.next, third.damaged) == (again.next, 0)
    assert found == list(range(third.first(), third.next))


@settings(max_examples=examples(300), deadline=None)
@given(st.integers(2, 250), st.data())
def test_a_flipped_bit_is_noticed(count: int, data: st.DataObject) -> None:
    flash, made = filled(count)
    sequence = data.draw(st.integers(made.first(), count - 2))
    sector = next(s for s in range(SECTORS) if 0 <= sequence - made._firsts[s] < PER_SECTOR)
    address = made._slot_address(sector, sequence - made._firsts[sector])
    bit = data.draw(st.integers(0, 319))
    flash.data[address + bit // 8] ^= 1 << bit % 8
    again, found = reopened(flash)
    assert again.damaged >= 1
    assert again.next == count
    assert set(range(made.first(), count)) - set(found) <= {sequence}


# The journal of an earlier version


def as_before(flash: Flash, sectors: range) -> None:
    """Make the headers of these sectors those of the releases up to 0.2."""
    for sector in sectors:
        at = sector * 4096
        content = bytes(flash.data[at + 4 : at + 16])
        if content != b"\xff" * 12:
            flash.data[at : at + 4] = hashlib.sha256(b"DBJ2" + content).digest()[:4]


@pytest.mark.requirement("R53")
@pytest.mark.parametrize("count", [1, 102, 150, 1_000])
def test_the_journal_of_an_earlier_version_is_left_as_it_is(count: int) -> None:
    flash, _ = filled(count)
    as_before(flash, range(SECTORS))
    before = bytes(flash.data)
    again, found = reopened(flash)
    assert again.foreign
    assert (found, again.next) == ([], 0)
    assert not again.needs_sector()
    assert again.append(67, 0, 1, 0, 0, 0, 0) < 0
    assert bytes(flash.data) == before


@pytest.mark.requirement("R53")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_pump_with_the_journal_of_an_earlier_version_does_nothing_and_says_why(runtime: RuntimeName) -> None:
    with pump(runtime) as side:
        side.program()
        side.start()
        side.twin.advance_time(3_600)
        side.twin.power_off()
        as_before(side.twin.flash, range(2, len(side.twin.flash.data) // 4096))
        before, made = bytes(side.twin.flash.data), side.twin.plant.read_encoder()
        side.twin.power_on("brown_out")
        assert side.client.connect()["firmware_minor"] == 3
        status = side.client.read_status()
        assert (status["delivery"], status["generation"], set(status["alarms"])) == ("safe", 0, {"selftest_failed"})
        with pytest.raises(RefusedError) as refused:
            side.client.open_session("programmer")
        assert refused.value.reason == "journal_of_another_version"
        side.twin.advance_time(7_200)
        assert bytes(side.twin.flash.data) == before
        assert side.twin.plant.read_encoder() == made
