"""The journal: without gaps, chained, and everything that happened is in it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from dosebench.link.client import RefusedError
from dosebench_protocol.records import GENESIS_CHAIN, decode_records, verify_chain

from dosebench_hil.contract.helpers import (
    count_boots,
    put_in_force,
    records_from,
    seconds_for,
    story_kinds,
    written_kinds,
)

if TYPE_CHECKING:
    from dosebench.link.client import PumpClient
    from dosebench.therapy.program import Program

    from dosebench_hil.bench import Bench

RECORDS_PER_SECTOR = 102
SECTORS = 2


@pytest.fixture
def lived(bench: Bench, program: Program) -> tuple[Bench, int]:
    """A pump that has done a little of everything, and the first record of it."""
    dut = bench.client
    mark = int(dut.read_status()["journal_next"])
    put_in_force(dut, program)
    dut.start_delivery()
    dut.give_bolus(2)
    assert bench.wait_until(
        lambda: dut.read_status()["bolus_left_steps"] == 0, within_s=4 * seconds_for(2, program.bolus_rate)
    )
    dut.give_bolus(program.bolus_steps_max)
    dut.bolus_cancel()
    with pytest.raises(RefusedError):
        dut.give_bolus(0)
    dut.stop_delivery()
    return bench, mark


def test_everything_that_happened_is_in_it(lived: tuple[Bench, int]) -> None:
    bench, mark = lived
    kinds = [record.kind for record in records_from(bench.client, mark)]
    assert story_kinds(kinds) == ["commit", "start", "bolus", "bolus_end", "bolus", "bolus_cancel", "refused", "stop"]
    assert "lease" in kinds
    assert kinds[-1] == "close"


def test_records_name_the_command_that_caused_them(lived: tuple[Bench, int]) -> None:
    bench, mark = lived
    named = {record.kind: record.fields for record in records_from(bench.client, mark)}
    hosts = {named[kind]["host"] for kind in ("commit", "start", "bolus", "bolus_cancel", "refused", "stop")}
    assert len(hosts) == 1
    assert named["refused"]["reason"] == "bolus_zero"
    assert named["refused"]["message"] == "bolus"


def test_sequence_and_chain_hold(lived: tuple[Bench, int]) -> None:
    bench, mark = lived
    records = records_from(bench.client, mark)
    assert [record.sequence for record in records] == list(range(mark, mark + len(records)))
    info = bench.client.journal_info()
    assert verify_chain(records[1:], records[0].chain) == info["chain"]
    assert info["next"] == records[-1].sequence + 1


@pytest.mark.hil_feature("fresh_device")
def test_the_chain_begins_at_the_first_boot(lived: tuple[Bench, int]) -> None:
    records = decode_records(b"".join(lived[0].client.read_journal()))
    assert records[0].sequence == 0
    assert next(record for record in records if record.kind != "state").kind in ("boot", "lease")
    assert count_boots(records) == 1
    verify_chain(records, GENESIS_CHAIN)


def test_reading_again_gives_the_same_bytes(lived: tuple[Bench, int]) -> None:
    bench, mark = lived
    assert list(bench.client.read_journal(mark)) == list(bench.client.read_journal(mark))


def test_a_download_goes_on_where_it_was_broken_off(lived: tuple[Bench, int]) -> None:
    bench, mark = lived
    whole = list(bench.client.read_journal(mark))
    for at in (1, len(whole) // 2, len(whole) - 1):
        assert list(bench.client.read_journal(mark + at)) == whole[at:]


def test_delivered_steps_never_go_back(lived: tuple[Bench, int]) -> None:
    bench, mark = lived
    # These carry on what was true at an old command, or at the last refill.
    carried = ("host_done", "host_refused", "filled")
    records = [record.fields for record in records_from(bench.client, mark) if record.kind not in carried]
    lows = [fields["low_steps"] for fields in records if "low_steps" in fields]
    assert lows == sorted(lows)


def test_times_never_go_back(lived: tuple[Bench, int]) -> None:
    bench, mark = lived
    times = [(record.day, record.ms) for record in records_from(bench.client, mark)]
    assert times == sorted(times)


def test_a_record_of_the_future_is_refused(bench: Bench) -> None:
    following = bench.client.journal_info()["next"]
    with pytest.raises(RefusedError) as refused:
        bench.wire.ask_pump("journal_read", first=following, count=1)
    assert (refused.value.reason, refused.value.detail) == ("record_future", following)


def test_asking_for_more_than_there_is_gives_what_there_is(dut: PumpClient, bench: Bench) -> None:
    following = dut.journal_info()["next"]
    reply = bench.wire.ask_pump("journal_read", first=following - 2, count=255)
    assert [record.sequence for record in decode_records(reply["records"])] == [following - 2, following - 1]


def test_asking_for_no_records_gives_none(bench: Bench) -> None:
    following = bench.client.journal_info()["next"]
    assert bench.wire.ask_pump("journal_read", first=following - 1, count=0)["records"] == b""


def test_reading_writes_nothing(dut: PumpClient) -> None:
    before = dut.journal_info()
    list(dut.read_journal(max(0, before["next"] - 30)))
    dut.read_status()
    dut.connect()
    assert dut.journal_info() == before


def test_the_chain_holds_from_sector_to_sector(bench: Bench) -> None:
    dut = bench.client
    mark = dut.journal_info()["next"]
    for _ in range(SECTORS * RECORDS_PER_SECTOR):
        dut.set_clock(datetime(2030, 1, 1))
    records = records_from(dut, mark)
    kinds = [record.kind for record in records]
    assert verify_chain(records[1:], records[0].chain) == dut.journal_info()["chain"]
    assert written_kinds(kinds) == ["clock"] * (SECTORS * RECORDS_PER_SECTOR)
    assert kinds.count("state") == kinds.count("identity") >= SECTORS
