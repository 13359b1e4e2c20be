"""How long one activation of the motor may be, whatever the scheduler asks for."""

from __future__ import annotations

from typing import Any

import pytest
from dosebench.twin.bus import Op
from dosebench.twin.machine import Machine
from dosebench.twin.runtimes import RUNTIMES, RuntimeName
from pumpside import pump

STEPS_MAX, ON_MS_MAX = 4, 600
"""`activation_steps_max` and `activation_time_max` of the implants."""


@pytest.mark.requirement("R52")
@pytest.mark.parametrize("asked", [5, 160_000])
def test_a_scheduler_that_asks_for_too_much_gets_one_bounded_activation(asked: int) -> None:
    with pump() as side:
        motor = side.twin._runtime.pump.delivery.motor  # type: ignore[union-attr]
        began_us = side.twin.machine.now_us
        assert motor.activate(asked) == STEPS_MAX
        assert side.twin.plant.read_encoder() == STEPS_MAX
        assert side.twin.machine.now_us - began_us <= ON_MS_MAX * 1000


@pytest.mark.requirement("R52")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_activation_of_a_fast_bolus_is_within_both_bounds(
    runtime: RuntimeName, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pump(runtime) as side:
        asked: list[tuple[int, int]] = []
        handle = Machine.handle_operation

        def noted(machine: Machine, op: int, *given: Any) -> tuple[bytes, bytes]:
            if op == Op.MOTOR:
                asked.append((given[0], given[2]))
            return handle(machine, op, *given)

        monkeypatch.setattr(Machine, "handle_operation", noted)
        # A step every 1.5 s of bolus on a basal of one every 9 s: now and then two are due at once.
        side.program(basal_den=9_000, bolus_den=1_500)
        side.start()
        side.bolus(400)
        side.twin.advance_time(900)
        assert side.twin.plant.read_encoder() >= 400
        assert {on_ms for _, on_ms in asked} == {ON_MS_MAX}
        assert 1 <= max(steps for steps, _ in asked) <= STEPS_MAX


@pytest.mark.requirement("R52")
def test_a_driver_that_is_told_too_many_steps_is_off_when_its_time_is_over() -> None:
    with pump() as side:
        began_us = side.twin.machine.now_us
        side.twin.machine.handle_operation(Op.MOTOR, 1_000, 100, ON_MS_MAX, b"")
        assert side.twin.machine.now_us - began_us == ON_MS_MAX * 1000
        assert side.twin.plant.read_encoder() == ON_MS_MAX // 100
