"""Command ids of a host that forgets."""

from __future__ import annotations

from dosebench.link.command_ids import MemoryIds, OpenCommand

ONE, OTHER = b"pump-one", b"pump-two"


def test_counters_grow_over_all_pumps_and_above_what_a_pump_knows() -> None:
    ids = MemoryIds(b"host")
    assert ids.host_id == b"host"
    given = [ids.next_id(ONE, "bolus", 0), ids.next_id(OTHER, "bolus", 0), ids.next_id(ONE, "stop", 40)]
    assert given == [(b"host", 1), (b"host", 2), (b"host", 41)]
    assert ids.next_id(ONE, "stop", 7) == (b"host", 42)


def test_a_command_is_open_until_it_is_settled_at_its_own_pump() -> None:
    ids = MemoryIds(b"host")
    ids.next_id(ONE, "bolus", 0)
    ids.next_id(ONE, "stop", 0)
    ids.close_command(OTHER, 1)
    assert ids.open_commands(ONE) == [OpenCommand(b"host", 1, "bolus"), OpenCommand(b"host", 2, "stop")]
    ids.close_command(ONE, 1)
    assert ids.open_commands(ONE) == [OpenCommand(b"host", 2, "stop")]
    assert ids.open_commands(OTHER) == []


def test_what_is_returned_is_a_copy() -> None:
    ids = MemoryIds()
    ids.next_id(ONE, "bolus", 0)
    ids.open_commands(ONE).clear()
    assert len(ids.open_commands(ONE)) == 1


def test_a_head_is_kept_per_pump_and_can_be_forgotten() -> None:
    ids = MemoryIds()
    ids.keep_head(ONE, (4, b"chain"))
    assert ids.known_head(ONE) == (4, b"chain")
    assert ids.known_head(OTHER) is None
    ids.keep_head(ONE, None)
    ids.keep_head(ONE, None)
    assert ids.known_head(ONE) is None


def test_two_hosts_share_nothing() -> None:
    one, other = MemoryIds(), MemoryIds()
    one.next_id(ONE, "bolus", 0)
    one.keep_head(ONE, (1, b"c"))
    assert (other.counter, other.open_commands(ONE), other.known_head(ONE)) == (0, [], None)
