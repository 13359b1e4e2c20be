"""The power fails at flash operations of a scenario: nothing is lost that was reported, nothing happens twice."""

from __future__ import annotations

import pytest
from cuts import Scenario, cut_once, cut_twice, fresh
from dosebench.twin.flash import Flash
from pumpside import computed, pump, therapy

STRIDE = 4
"""Every fourth operation; `make cuts` takes all (campaigns/cuts)."""
STRIDE_TWICE = 24
BOLUS = 40


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    made = Scenario(0)
    made.run()
    return made


def test_the_scenario_erases_sectors_of_both_rings_and_of_the_therapy(scenario: Scenario) -> None:
    assert len(scenario.operations) >= 150
    erased = {operation.address // 4096 for operation in scenario.operations if operation.data is None}
    assert {0, 1} < erased
    assert erased & {2, 3}
    assert erased & {4, 5}
    assert max(scenario.told.records) > 2 * 102
    assert max(scenario.told.faults) > 2 * 102


@pytest.mark.requirement("R53")
@pytest.mark.requirement("R54")
@pytest.mark.requirement("R55")
@pytest.mark.requirement("R61")
def test_a_cut_at_every_fourth_flash_operation(scenario: Scenario) -> None:
    assert len(cut_once(scenario, STRIDE, (0,))) >= len(scenario.operations) // STRIDE


@pytest.mark.requirement("R53")
@pytest.mark.requirement("R54")
@pytest.mark.requirement("R55")
def test_a_second_cut_at_every_flash_operation_of_the_next_boot(scenario: Scenario) -> None:
    first = [operation for operation in scenario.operations if operation.opens_or_commits]
    assert len(cut_twice(scenario, STRIDE_TWICE, (0,))) >= 2 * len(first[::STRIDE_TWICE])


@pytest.mark.requirement("R53")
@pytest.mark.parametrize("copies", [(0,), (1,), (0, 1)])
def test_a_damaged_therapy_copy_is_mended_and_two_are_noticed(copies: tuple[int, ...]) -> None:
    with pump() as side:
        side.program()
        side.start()
        for copy in copies:
            side.twin.flash.data[copy * 4096 + 50] ^= 4
        side.twin.power_cycle()
        side.client.connect()
        status = side.client.read_status()
        if len(copies) == 1:
            assert (status["delivery"], status["generation"]) == ("running", 1)
            assert side.twin.flash.data[50] == side.twin.flash.data[4096 + 50]
            mended = [record.fields for record in side.records() if record.kind == "mended"]
            assert mended == [{"copy": copies[0], "generation": 1}]
        else:
            assert status["delivery"] == "safe"
            assert "therapy_lost" in status["alarms"]
            before = side.twin.plant.read_encoder()
            side.twin.advance_time(86_400)
            assert side.twin.plant.read_encoder() == before


@pytest.mark.requirement("R53")
def test_a_flash_that_something_else_emptied_is_noticed() -> None:
    with pump() as side:
        side.program()
        side.start()
        side.twin.advance_time(3_600)
        side.twin.power_off()
        side.twin.machine.flash = Flash(side.twin.flash.sectors)
        side.twin.power_on()
        side.client.connect()
        status = side.client.read_status()
        assert status["delivery"] == "safe"
        assert "therapy_lost" in status["alarms"]
        before = side.twin.plant.read_encoder()
        side.twin.advance_time(86_400)
        assert side.twin.plant.read_encoder() == before


def test_an_older_therapy_never_runs() -> None:
    """Both copies of an older generation, whole, are no therapy once a newer one was committed."""
    with pump() as side:
        side.program()
        old = bytes(side.twin.flash.data[:8192])
        side.program(basal_den=60_000)
        side.start()
        side.twin.power_off()
        side.twin.flash.data[:8192] = old
        side.twin.power_on()
        side.client.connect()
        status = side.client.read_status()
        assert (status["delivery"], status["generation"]) == ("safe", 2)
        assert "therapy_lost" in status["alarms"]


@pytest.mark.requirement("R61")
def test_a_reset_keeps_what_commands_became() -> None:
    with pump() as side:
        side.program()
        side.start()
        outcome = side.client.give_bolus(BOLUS)
        side.twin.advance_time(3_600)
        side.twin.power_cycle()
        side.client.connect()
        again = side.client._ask_question("outcome", counter=outcome["counter"])
        assert again == outcome
        before = side.twin.plant.read_encoder()
        same = computed(therapy(), BOLUS)
        repeated = side.client._ask_question("bolus", counter=outcome["counter"], steps=BOLUS, **same)
        assert repeated == outcome
        side.twin.advance_time(60)
        assert side.twin.plant.read_encoder() - before <= 2


def test_a_new_pump_with_an_empty_flash_is_no_loss() -> None:
    with fresh() as side:
        side.twin.power_on()
        side.client.connect()
        assert side.client.read_status()["alarms"] == ()
        assert therapy() not in bytes(side.twin.flash.data)
