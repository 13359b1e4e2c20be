"""Findings: where a rule's problem stands, whether it refuses, and how rates are told."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pytest
from dosebench.base.units import DAY_MS
from dosebench.regimen.facts import Facts
from dosebench.regimen.findings import Finding, collect_findings, dose_and_volume, make_error, make_warning, volume_rate
from rules import Rules, order


@pytest.fixture
def facts(rules: Rules) -> Facts:
    return rules.facts(order())


@pytest.mark.parametrize("key", ["therapy.dose", ("therapy", "dose")])
def test_an_error_stands_at_its_key_and_refuses(facts: Facts, key: str | tuple[str, ...]) -> None:
    found = make_error(facts, key, "is wrong", "some-code")
    line = order().splitlines().index('dose = "200 ug/day"') + 1
    assert (found.problem.key, found.problem.line) == ("therapy.dose", line)
    assert (found.problem.message, found.problem.code) == ("is wrong", "some-code")
    assert found.is_error
    assert not found.problem.needs_confirm


@pytest.mark.parametrize("confirm", [True, False])
def test_a_warning_asks_unless_it_only_tells(facts: Facts, confirm: bool) -> None:
    found = make_warning(facts, "drug", "is odd", "some-code", confirm=confirm)
    assert not found.is_error
    assert found.problem.needs_confirm is confirm
    assert make_warning(facts, "drug", "is odd", "some-code").problem.needs_confirm


def test_a_key_that_the_file_lacks_is_told_at_its_table(facts: Facts) -> None:
    found = make_error(facts, "reservoir.low", "is missing", "x")
    assert (found.problem.key, found.problem.line) == ("reservoir.low", order().splitlines().index("[reservoir]") + 1)


def test_rules_are_asked_in_their_order(facts: Facts) -> None:
    def twice(given: Facts) -> Iterator[Finding]:
        assert given is facts
        yield make_error(given, "drug", "a", "first")
        yield make_warning(given, "drug", "b", "second")

    def never(_: Facts) -> Iterator[Finding]:
        return iter(())

    found = list(collect_findings(facts, (twice, never, twice)))
    assert [one.problem.code for one in found] == ["first", "second", "first", "second"]


def test_rates_of_implants_are_told_by_the_day_and_fast_ones_by_the_hour() -> None:
    assert volume_rate(Fraction(47_000_000, DAY_MS)) == "47 mL/day"
    assert volume_rate(Fraction(48_000_000, DAY_MS)) == "2 mL/h"
    assert volume_rate(Fraction(0)) == "0 mL/day"


def test_a_rate_is_told_as_dose_where_the_concentration_is_known(rules: Rules) -> None:
    rate = Fraction(200_000, DAY_MS)
    assert dose_and_volume(rules.facts(order()), rate) == "200 ug/day (0.2 mL/day)"
    assert dose_and_volume(rules.facts(order(concentration="0 ug/mL")), rate) == "0.2 mL/day"
