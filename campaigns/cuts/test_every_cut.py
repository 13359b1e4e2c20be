"""The power fails at every flash operation of three scenarios, 32 torn patterns each, and again in the next boot."""

from __future__ import annotations

import pytest
from cuts import Scenario, cut_once, cut_twice

SEEDS = range(32)
"""Torn patterns of each operation."""
SEEDS_TWICE = range(3)


@pytest.fixture(scope="module", params=(0, 1, 2))
def scenario(request: pytest.FixtureRequest) -> Scenario:
    made = Scenario(request.param)
    made.run()
    return made


def test_a_cut_at_every_flash_operation(scenario: Scenario, record_property: pytest.RecordProperty) -> None:
    states = cut_once(scenario, 1, SEEDS)
    print(f"variant {scenario.variant}: {len(states)} distinct flash states")
    record_property("flash_states", len(states))
    assert len(states) >= len(scenario.operations)


def test_a_second_cut_at_every_flash_operation_of_the_next_boot(
    scenario: Scenario, record_property: pytest.RecordProperty
) -> None:
    states = cut_twice(scenario, 1, SEEDS_TWICE)
    print(f"variant {scenario.variant}: {len(states)} distinct flash states at depth two")
    record_property("flash_states", len(states))
    assert len(states) >= 2 * sum(operation.opens_or_commits for operation in scenario.operations)
