"""Sixty alarms on a pump that latches sixteen: which give way, what a checkpoint carries on, and how they are cleared.

The pump runs from a copy of the firmware whose table of alarms is twice as long, and in which a request that silences
the tones for N ms raises alarm N instead. The model beside it knows the rule alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from dosebench.image.source import OTHER_FIRMWARE, code_hash, firmware_dir
from dosebench.link.client import RefusedError
from dosebench.twin.runtimes import RUNTIMES, RuntimeName
from dosebench_protocol.alarms import TRAITS, trait_bytes
from dosebench_protocol.records import Record
from dosebench_protocol.tables import ENUMS, LATCHED_MAX
from pumpside import PumpSide, pump

ALARMS: Final = 60
SMALL: Final = {"flash_sectors": 6, "fault_sectors": 2}
"""Two sectors in the journal: what wraps is known from a checkpoint alone."""
SLOTS: Final = 102
LOW, MEDIUM, HIGH = 0x10, 0x20, 0x30
NEW: Final = (LOW, HIGH | TRAITS["SAFE"], MEDIUM, HIGH, MEDIUM | TRAITS["FALLBACK"], HIGH | TRAITS["HALT"])
TRAITS_OF: Final = trait_bytes() + bytes(NEW[at % len(NEW)] for at in range(ALARMS + 1 - len(trait_bytes())))
STOPPING: Final = frozenset(
    alarm for alarm, traits in enumerate(TRAITS_OF) if traits & (TRAITS["SAFE"] | TRAITS["HALT"])
)
HOLDING: Final = frozenset(
    alarm
    for alarm, traits in enumerate(TRAITS_OF)
    if traits & (TRAITS["SAFE"] | TRAITS["HALT"] | TRAITS["BLOCK"] | TRAITS["FALLBACK"])
)
NAMES: Final = {number: name for name, number in ENUMS["Alarm"].items()}
LASTING: Final = {ENUMS["Alarm"][name] for name in ("pump_stopped", "therapy_unfit")}
"""Alarms that a person cannot clear."""
MENDED: Final = {ENUMS["Alarm"][name] for name in ("battery_low", "battery_empty", "therapy_unfit")}
"""Alarms whose cause a boot looks for, and does not find."""


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The copy."""
    root = tmp_path_factory.mktemp("sixty") / "firmware"
    shutil.copytree(firmware_dir(), root, ignore=shutil.ignore_patterns("__pycache__"))
    wire, orders = root / "pump/wire.py", root / "pump/orders.py"
    table = f"ALARM_TRAITS = {TRAITS_OF!r}\n"
    wire.write_text(wire.read_text() + table)
    orders.write_text(orders.read_text() + "\n\nOrders.silence_alarms = lambda self, session, fields: (\n"
        "    self._effects.raise_alarm(fields[1], 0), self._command_shown(session, wire.RECORD_SILENCE, fields, 1))\n")
    return root


@contextmanager
def many(runtime: RuntimeName, firmware: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PumpSide]:
    """A pump of the copy, programmed and started."""
    if runtime == "cpython":
        # It lives in this process, where the firmware of the tree is loaded already.
        from pump import wire  # noqa: PLC0415
        from pump.orders import Orders  # noqa: PLC0415

        def raise_alarm(self: Any, session: Any, fields: Any) -> None:
            self._effects.raise_alarm(fields[1], 0)
            self._command_shown(session, wire.RECORD_SILENCE, fields, 1)

        monkeypatch.setattr(wire, "ALARM_TRAITS", TRAITS_OF)
        monkeypatch.setattr(Orders, "silence_alarms", raise_alarm)
    else:
        monkeypatch.setenv(OTHER_FIRMWARE, str(firmware))
    code_hash.cache_clear()
    try:
        with pump(runtime, **SMALL) as side:
            side.program()
            side.start()
            yield side
    finally:
        monkeypatch.undo()
        code_hash.cache_clear()


@dataclass
class Model:
    """Which alarms are latched, in the order of raising, and which gave way to which."""

    latched: list[int] = field(default_factory=list)
    displaced: list[tuple[int, int]] = field(default_factory=list)

    def raise_alarm(self, alarm: int) -> None:
        if alarm in self.latched:
            return
        self.latched.append(alarm)
        if len(self.latched) > LATCHED_MAX:
            # The oldest of the least urgent that hold no delivery back; the new one only where all others are more
            # urgent, or hold it back.
            able = [one for one in self.latched if one not in HOLDING]
            if not able and alarm in STOPPING:
                # One that stops the pump comes before those that only lower its rate or its start.
                able = [one for one in self.latched if one not in STOPPING]
            able = able or [alarm]
            gone = min(able, key=lambda one: (TRAITS_OF[one] & HIGH, self.latched.index(one)))
            self.latched.remove(gone)
            self.displaced.append((gone, alarm))


def named(alarms: list[int]) -> list[str]:
    return [NAMES.get(alarm, f"unknown_{alarm}") for alarm in alarms]


def on(side: PumpSide) -> list[str]:
    return list(side.client.read_status()["alarms"])


def raise_all(side: PumpSide, model: Model, alarms: list[int]) -> None:
    for alarm in alarms:
        side.client.alarm_silence(alarm)
        model.raise_alarm(alarm)
        assert on(side) == named(model.latched)


def numbers(records: list[Record], kind: str, *fields: str) -> list[Any]:
    """Numbers of the alarms that records of a kind name."""
    rows = []
    for record in records:
        if record.kind == kind:
            row = [record.fields[name] for name in fields]
            rows.append(tuple(ENUMS["Alarm"].get(name) or int(name.removeprefix("unknown_")) for name in row))
    return rows


def refuse_many(side: PumpSide) -> None:
    """Write records until the first sectors are gone."""
    for _ in range(2 * SLOTS):
        with pytest.raises(RefusedError):
            side.client.give_bolus(1)
    assert side.client.read_status()["journal_first"] > 0


@pytest.mark.requirement("R40")
@pytest.mark.requirement("R53")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_sixty_alarms_come_go_last_and_are_cleared(
    runtime: RuntimeName, firmware: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alarms = [alarm for alarm in range(1, ALARMS + 1) if alarm not in LASTING]
    Random(5).shuffle(alarms)
    model = Model()
    with many(runtime, firmware, monkeypatch) as side:
        first = side.client.read_status()["journal_next"]
        raise_all(side, model, alarms)
        records = side.records(first)
        # Each left its record, and one that stops the pump was never displaced by another.
        assert {one for (one,) in numbers(records, "alarm_raised", "alarm")} >= set(alarms)
        displaced = numbers(records, "alarm_displaced", "alarm", "by_alarm")
        assert displaced == model.displaced
        assert all(gone == by for gone, by in displaced if gone in STOPPING)
        assert all(gone == by or by in STOPPING for gone, by in displaced if gone in HOLDING)
        assert side.client.read_status()["delivery"] == "safe"
        refuse_many(side)
        assert on(side) == named(model.latched)
        side.reset()
        model.latched = [alarm for alarm in model.latched if alarm not in MENDED]
        assert on(side) == named(model.latched)
        clear_all(side, model)
        side.reset()
        assert on(side) == []
        side.start()
        side.twin.advance_time(600)
        assert side.client.read_status()["delivery"] == "running"


def clear_all(side: PumpSide, model: Model) -> None:
    """All in one command, which takes more than one record."""
    first = side.client.read_status()["journal_next"]
    outcome = side.client.alarm_clear(named(model.latched))
    assert outcome["accepted"] == len(model.latched) > 12
    records = [record for record in side.records(first) if record.kind in ("clear_list", "alarm_cleared")]
    assert records[-1].kind == "alarm_cleared"
    cleared = [name for record in records for name in record.alarms]
    assert sorted(cleared) == sorted(named(model.latched))
    assert on(side) == []


@pytest.mark.requirement("R40")
def test_one_that_stops_the_pump_does_so_without_a_place(firmware: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopping = sorted(STOPPING - LASTING)
    spare, others = stopping[-1], [alarm for alarm in range(31, ALARMS + 1) if alarm not in STOPPING][:2]
    with many("cpython", firmware, monkeypatch) as side:
        model = Model()
        for alarm in stopping[:LATCHED_MAX]:
            side.client.alarm_silence(alarm)
            model.raise_alarm(alarm)
        first = side.client.read_status()["journal_next"]
        for alarm in (spare, *others):
            # A cause that lasts is found again and again, and recorded once.
            for _ in range(3):
                side.client.alarm_silence(alarm)
            model.raise_alarm(alarm)
        assert on(side) == named(model.latched)
        records = side.records(first)
        assert numbers(records, "alarm_raised", "alarm") == [(spare,), *((alarm,) for alarm in others)]
        assert numbers(records, "alarm_displaced", "alarm", "by_alarm") == [(one, one) for one in (spare, *others)]


@pytest.mark.requirement("R44")
def test_an_alarm_that_gave_way_comes_back_when_there_is_room(firmware: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    low = [alarm for alarm in range(31, ALARMS + 1) if TRAITS_OF[alarm] == LOW]
    others = [alarm for alarm in range(1, ALARMS + 1) if alarm not in STOPPING | LASTING | MENDED]
    others = [alarm for alarm in others if TRAITS_OF[alarm] & HIGH != LOW]
    with many("cpython", firmware, monkeypatch) as side:
        model = Model()
        raise_all(side, model, [low[0], *others[: LATCHED_MAX - 1], others[LATCHED_MAX - 1]])
        assert model.displaced == [(low[0], others[LATCHED_MAX - 1])]
        side.client.alarm_silence(low[0])
        assert named(low[:1])[0] not in on(side)
        side.client.alarm_clear(named(others[:1]))
        side.client.alarm_silence(low[0])
        assert on(side)[-1] == named(low[:1])[0]
