"""The power fails at every flash operation of a scenario: nothing is lost that was reported, nothing happens twice."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import pytest
from dosebench.client import LinkError
from dosebench.twin.flash import When
from dosebench_protocol.records import GENESIS_CHAIN, verify_chain
from pumpside import PumpSide, pump

BOLUS = 40
STRIDE = 5
"""`make test` takes every fifth operation; `make campaign` takes all (DOSEBENCH_LONG)."""
LEASE_STEPS = 11
"""Ten minutes of 1/54000 steps per millisecond: the slice that one reset may lose here."""
CONFIG = {"flash_sectors": 4, "lease_ms": 600_000}
"""Two journal sectors of 102 records, so that the scenario fills one, erases the other, and wraps."""


@dataclass
class Told:
    """What the pump had confirmed before the power failed."""

    generation: int = 0
    running: bool = False
    bolus: bool = False
    records: int = 0
    acts: list[str] = field(default_factory=list)


def scenario(side: PumpSide, told: Told) -> None:
    """Program, dose, program again, give a bolus, stop; note what was confirmed."""
    for act in ("program", "start", "wait", "reprogram", "bolus", "wait", "long", "stop"):
        told.acts.append(act)
        if act == "program":
            side.program(basal_den=54_000)
            told.generation = 1
        elif act == "start":
            side.start()
            told.running = True
        elif act == "wait":
            side.twin.advance(5_400)
        elif act == "long":
            side.twin.advance(32 * 3_600)
        elif act == "reprogram":
            side.program(basal_den=60_000)
            told.generation = 2
        elif act == "bolus":
            side.bolus(BOLUS)
            told.bolus = True
        else:
            side.stop()
            told.running = False
        told.records = side.client.journal_info()["next"]


def operations() -> int:
    """Flash operations of the whole scenario."""
    with pump(**CONFIG) as side:
        scenario(side, Told())
        return side.twin.flash_operations


def run_until_cut(side: PumpSide, at: int, when: When) -> Told:
    told = Told()
    side.twin.cut_at(at, when)
    try:
        scenario(side, told)
    except LinkError:
        assert not side.twin.powered
    return told


def check_after(side: PumpSide, told: Told) -> None:
    """What must hold on the next boot, whatever the firmware was doing."""
    true = len(side.twin.plant.steps_us)
    side.twin.power_cycle(off_s=60)
    side.client.connect()
    status = side.client.status()
    assert status["low_steps"] <= true <= status["high_steps"], told
    assert status["high_steps"] - status["low_steps"] <= LEASE_STEPS + BOLUS
    last = told.acts[-1]
    assert status["generation"] in {told.generation, told.generation + (last in ("program", "reprogram"))}
    assert status["alarms"] in ((), ("clock_unknown",))
    assert (status["delivery"] == "running") == told.running or last in ("start", "stop")
    assert status["bolus_left_steps"] == 0
    assert status["journal_next"] >= told.records
    first, *rest = side.records()
    verify_chain(rest if first.sequence else [first, *rest], first.chain if first.sequence else GENESIS_CHAIN)
    check_goes_on(side, status["delivery"] == "running")


def check_goes_on(side: PumpSide, running: bool) -> None:
    """The therapy goes on at its rate, without catching up and without the bolus."""
    before = len(side.twin.plant.steps_us)
    side.twin.advance(3_600)
    delivered = len(side.twin.plant.steps_us) - before
    assert delivered in ((60, 61, 66, 67) if running else (0,))
    status = side.client.status()
    assert status["low_steps"] <= len(side.twin.plant.steps_us) <= status["high_steps"]


@pytest.mark.requirement("R53")
@pytest.mark.requirement("R54")
@pytest.mark.requirement("R55")
@pytest.mark.parametrize("when", ["before", "torn", "after"])
def test_a_cut_at_every_flash_operation(when: When) -> None:
    count = operations()
    assert count >= 230
    for at in range(0, count, 1 if os.environ.get("DOSEBENCH_LONG") else STRIDE):
        with pump(seed=at, **CONFIG) as side:
            told = run_until_cut(side, at, when)
            if side.twin.powered:
                side.twin.power_off()
            check_after(side, told)


@pytest.mark.requirement("R53")
@pytest.mark.parametrize("copies", [(0,), (1,), (0, 1)])
def test_a_damaged_therapy_copy_is_mended_and_two_are_noticed(copies: tuple[int, ...]) -> None:
    with pump(**CONFIG) as side:
        scenario(side, Told())
        side.client.start()
        for copy in copies:
            side.twin.flash.data[copy * 4096 + 50] ^= 4
        side.twin.power_cycle()
        side.client.connect()
        status = side.client.status()
        if len(copies) == 1:
            assert (status["delivery"], status["generation"]) == ("running", 2)
            assert side.twin.flash.data[50] == side.twin.flash.data[4096 + 50]
        else:
            assert status["delivery"] == "safe"
            assert "therapy_lost" in status["alarms"]
            before = side.twin.plant.encoder()
            side.twin.advance(86_400)
            assert side.twin.plant.encoder() == before


@pytest.mark.requirement("R61")
def test_a_reset_keeps_what_commands_became() -> None:
    with pump() as side:
        side.program()
        side.start()
        outcome = side.client.bolus(BOLUS)
        side.twin.advance(3_600)
        side.twin.power_cycle()
        side.client.connect()
        again = side.client._ask("outcome", host=outcome["host"], counter=outcome["counter"])
        assert again == outcome
        before = side.twin.plant.encoder()
        repeated = side.client._ask("bolus", host=outcome["host"], counter=outcome["counter"], steps=BOLUS)
        assert repeated == outcome
        side.twin.advance(60)
        assert side.twin.plant.encoder() - before <= 2
