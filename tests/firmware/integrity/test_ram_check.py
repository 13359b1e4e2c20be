"""What RAM holds: every attribute is declared as checked, or excused; a flipped bit of what is declared is noticed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from excused import EXCUSED, excused
from pump.integrity.checksums import fold
from pumpside import PumpSide, pump

BITS = (0, 7, 13, 29)


class Names:
    """Stands for an object, and remembers the names of the attributes that are read."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __getattr__(self, name: str) -> int:
        self.read.append(name)
        return 0


def declared(owner: type) -> list[str]:
    """Attributes that a class declares as checked."""
    names = Names()
    if hasattr(owner, "checked"):
        owner.checked(names)  # type: ignore[attr-defined]
    return names.read


def is_part(value: object) -> bool:
    """Whether an attribute leads to another object of the pump or of its board, or to a function."""
    return type(value).__module__.split(".")[0] in ("pump", "boards") or callable(value)


def parts(value: object, seen: dict[int, object]) -> None:
    """All objects of the pump that can be reached, by id."""
    if isinstance(value, list | tuple):
        for one in value:
            parts(one, seen)
    elif type(value).__module__.startswith("pump.") and not callable(value) and id(value) not in seen:
        seen[id(value)] = value
        for one in vars(value).values():
            parts(one, seen)


@pytest.fixture(scope="module")
def side() -> Iterator[PumpSide]:
    """A pump that runs a program with a cap, while a bolus and a square bolus are on."""
    with pump() as side:
        side.client.record_refill(100_000)
        side.program(basal_num=7, basal_den=400_001)
        side.start()
        side.client.give_bolus(60)
        side.client.square_bolus(40, 3_600_000)
        side.twin.advance_time(30)
        yield side


def running_pump(side: PumpSide) -> Any:
    return side.twin._runtime.pump  # type: ignore[union-attr]


@pytest.mark.requirement("R56")
def test_every_attribute_is_declared_as_checked_or_excused(side: PumpSide) -> None:
    found: dict[int, object] = {}
    parts(running_pump(side), found)
    missing = set()
    for part in found.values():
        known = excused(type(part).__name__) | set(declared(type(part)))
        if "*" not in known:
            missing |= {f"{type(part).__name__}.{name}" for name, value in vars(part).items() if not is_part(value)} - {
                f"{type(part).__name__}.{name}" for name in known
            }
    assert not missing


def test_nothing_is_excused_that_a_class_declares_or_does_not_have(side: PumpSide) -> None:
    found: dict[int, object] = {}
    parts(running_pump(side), found)
    by_name: dict[str, set[str]] = {}
    for part in found.values():
        by_name.setdefault(type(part).__name__, set()).update(vars(part))
        assert not excused(type(part).__name__) & set(declared(type(part)))
    for name in EXCUSED.keys() & by_name.keys():
        assert excused(name) - {"*"} <= by_name[name], name


@pytest.mark.requirement("R56")
def test_a_flipped_bit_of_anything_declared_is_noticed(side: PumpSide) -> None:
    whole = running_pump(side)
    delivery, ledger = whole.delivery, whole.ledger
    check = delivery.ram_check
    assert check.is_intact()
    flipped = 0
    rows = [delivery.therapy, delivery.plan, delivery.schedule, delivery.guard, whole.profile]
    for part in [*rows, ledger.facts, ledger.outcomes, *ledger.outcomes.hosts, ledger.journal]:
        for name in declared(type(part)):
            value = getattr(part, name)
            if not isinstance(value, int):
                continue
            for bit in BITS:
                setattr(part, name, int(value) ^ 1 << bit)
                assert not check.is_intact(), (name, bit)
                flipped += 1
            setattr(part, name, value)
    assert check.is_intact()
    assert flipped > 4 * 120


def test_a_fold_sees_each_bit_of_a_number_of_any_size() -> None:
    class Part:
        def __init__(self, value: Any) -> None:
            self.value = value

        def checked(self) -> tuple[Any, ...]:
            return (5, self.value, True, None)

    for value in (0, 1, 1_073_741_788, 1_073_741_789, 2**30, 2**31 - 1, 0xFFFFFFFF):
        folds = {fold(Part(value ^ 1 << bit)) for bit in range(32)}
        assert fold(Part(value)) not in folds
        assert all(abs(one) < 2**30 for one in folds)
    row = (2**29 - 1, 2**29, 7)
    for at in range(3):
        for bit in range(30):
            assert fold(Part((*row[:at], row[at] ^ 1 << bit, *row[at + 1 :]))) != fold(Part(row))
