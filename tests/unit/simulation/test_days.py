"""Simulated days: orders of boluses, what a result says is wrong, its figures, and boluses that disagree."""

from __future__ import annotations

import json
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest
from dosebench.link.client import RefusedError
from dosebench.simulation.days import BolusOrder, Refused, SimulationError, _Run, patient_orders, simulate_days
from journals import chained, named
from programs import example
from scenario_runs import DAY_MS, EVERY_MS, HOUR_MS, simulated


def test_a_patient_asks_again_and_again_until_the_end() -> None:
    times = [order.after_ms for order in patient_orders(6 * HOUR_MS, 1)]
    assert times == [6 * HOUR_MS, 12 * HOUR_MS, 18 * HOUR_MS]
    assert {order.kind for order in patient_orders(HOUR_MS, 0.5)} == {"patient"}
    assert list(patient_orders(2 * DAY_MS, 2)) == []


@pytest.mark.parametrize("days", [0, -1])
def test_no_days_are_no_simulation(days: float) -> None:
    with pytest.raises(SimulationError):
        simulate_days(example(), "implant-40", days)


# Results


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_deviation": Fraction(3, 4)}, "0.75"),
        ({"alarms": [("leak", 5)]}, "leak"),
        ({"counted_steps": (1, 2)}, "1 to 2"),
        ({"journal_whole": False}, "hash chain"),
        ({"disagreements": ["a bolus was refused"]}, "a bolus was refused"),
    ],
)
def test_each_fault_is_a_sentence(changes: dict[str, Any], words: str) -> None:
    assert simulated().list_faults() == []
    (only,) = simulated(**changes).list_faults()
    assert words in only


def test_a_dose_cap_is_told_as_drug_that_was_held_back() -> None:
    assert len(simulated(alarms=[("dose_cap", 5)]).list_faults()) == 2
    assert simulated(alarms=[("dose_cap", 5)], expected_alarms=frozenset({"dose_cap"})).list_faults() == []


def test_figures_of_a_day() -> None:
    made = simulated().to_json()
    json.dumps(made, allow_nan=False)
    assert (made["ok"], made["faults"]) == (True, [])
    assert (made["steps"], made["expected_steps"]) == (1_600, 1_600.0)
    assert (made["delivered_ml"], made["delivered_ug"], made["daily_dose_ug"]) == (0.4, 800.0, 800.0)
    assert (made["max_deviation_steps"], made["max_deviation_exact"], made["limit_steps"]) == (0.5, "1/2", 0.5)
    assert made["events"] == {"boot": 1, "lease": 2, "start": 1}
    assert (made["journal_records"], len(made["journal_hash"])) == (4, 64)
    assert made["pump_days_per_second"] == 2.0
    assert made["charge"] == {"used_uah": 150.0, "estimated_uah": 151.0}
    assert made["alarms"] == []
    assert simulated(alarms=[("leak", DAY_MS // 4)]).to_json()["alarms"] == [{"alarm": "leak", "day": 0.25}]


def test_a_different_journal_has_a_different_hash() -> None:
    other = [record.to_bytes() for record in chained([named("boot", 5)])]
    assert simulated(journal=other).to_json()["journal_hash"] != simulated().to_json()["journal_hash"]


def test_drug_of_a_bridge_is_the_old_one_until_it_is_out() -> None:
    program = example("c7-bridge")
    result = simulated(program=program)
    bridge, old, new = program.bridge_steps, program.bridge_ng, program.step_ng
    assert result.drug_ng(0) == 0
    assert result.drug_ng(bridge - 1) == (bridge - 1) * old
    assert result.drug_ng(bridge + 10) == bridge * old + 10 * new


def test_boluses_are_counted_by_kind() -> None:
    result = simulated()
    result.expected.pump.ask_bolus(DAY_MS, 40)
    refused = [Refused(5, BolusOrder(0, 40), "lockout")]
    boluses = simulated(expected=result.expected, refused=refused).boluses
    assert boluses == {"clinician": 1, "patient": 0, "periodic": 0, "square": 0, "refused": 1}


# A run, with a pump that only answers


class Client:
    """Accepts boluses or refuses them for `reason`; each takes effect at `at_ms`."""

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        self.asked: list[tuple[Any, ...]] = []

    def _bolus(self, *words: Any) -> dict[str, int]:
        self.asked.append(words)
        if self.reason:
            raise RefusedError(self.reason)
        return {"record": 3}

    def give_bolus(self, steps: int) -> dict[str, int]:
        return self._bolus("bolus", steps)

    def patient_bolus(self) -> dict[str, int]:
        return self._bolus("patient")

    def square_bolus(self, steps: int, duration_ms: int) -> dict[str, int]:
        return self._bolus("square", steps, duration_ms)

    def journal_info(self) -> dict[str, int]:
        return {"next": 4}

    def read_journal(self, first: int) -> Any:
        assert first == 3
        yield named("bolus", 10 * HOUR_MS).to_bytes()


def run_with(client: Client) -> _Run:
    plant = SimpleNamespace(machine=SimpleNamespace(config={"stopped_ms": DAY_MS}))
    run = _Run(plant, client, example(), DAY_MS, progress=None)  # type: ignore[arg-type]
    run.expected.pump.commit_program(0, example())
    run.expected.pump.start_delivery(0)
    run.booted_shift_ms = 7
    return run


@pytest.mark.parametrize(
    ("order", "asked"),
    [
        (BolusOrder(0, 40), ("bolus", 40)),
        (BolusOrder(0, kind="patient"), ("patient",)),
        (BolusOrder(0, 40, "square", 900), ("square", 40, 900)),
    ],
)
def test_each_order_asks_for_its_bolus(order: BolusOrder, asked: tuple[Any, ...]) -> None:
    run = run_with(Client())
    run._ask_bolus(order)
    assert run.client.asked == [asked]  # type: ignore[attr-defined]
    assert run.asked.given == [(10 * HOUR_MS + 7, order)]


def test_a_refused_order_is_kept_with_its_reason_and_time() -> None:
    run = run_with(Client("lockout"))
    run._ask_bolus(BolusOrder(0, 40))
    assert run.asked.refused == [Refused(10 * HOUR_MS + 7, BolusOrder(0, 40), "lockout")]


@pytest.mark.parametrize(("reason", "disagrees"), [("", False), ("lockout", True)])
def test_the_perfect_pump_is_asked_too(reason: str, disagrees: bool) -> None:
    run = run_with(Client())
    run._compare_bolus(HOUR_MS, BolusOrder(0, 40), reason)
    assert bool(run.disagreements) is disagrees
    assert not disagrees or "60.0 min" in run.disagreements[0]


def test_levels_of_the_reservoir_explain_their_alarms_at_their_steps() -> None:
    run = run_with(Client())
    to_low = run.program.reservoir_steps - run.program.low_steps
    steps = list(range(EVERY_MS // 2, EVERY_MS * to_low, EVERY_MS))
    assert run._replay_events(steps[:-1], 99) == set()
    assert run_with(Client())._replay_events(steps, steps[-1] + 99) == {"reservoir_low"}


def test_an_empty_reservoir_stops_and_after_a_day_alarms_again() -> None:
    run = run_with(Client())
    to_empty = run.program.reservoir_steps - run.program.empty_steps
    steps = list(range(EVERY_MS // 2, EVERY_MS * to_empty, EVERY_MS))
    run.length_ms = steps[-1] + DAY_MS
    assert run._replay_events(steps, run.end_ms) == {"reservoir_low", "reservoir_empty", "pump_stopped"}
    assert not run.expected.pump.running
    short = run_with(Client())
    short.length_ms = steps[-1] + DAY_MS - 1
    assert short._replay_events(steps, short.end_ms) == {"reservoir_low", "reservoir_empty"}


def test_a_bolus_over_a_cap_is_an_alarm_that_is_explained() -> None:
    run = run_with(Client())
    run.asked.refused.append(Refused(HOUR_MS, BolusOrder(0, 40), "bolus_over_cap"))
    assert run._replay_events([], DAY_MS) == {"dose_cap"}
    assert run.disagreements == []
