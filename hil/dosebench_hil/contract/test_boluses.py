"""Patient and square boluses, priming, and what a dose cap makes of a bolus."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from dosebench.link.client import RefusedError
from dosebench.therapy.cap_windows import window_steps
from dosebench.therapy.program import Cap
from dosebench_protocol.tables import PATIENT_BOLUSES_MAX, PRIME_ARMED_MS

from dosebench_hil.contract.helpers import put_in_force, records_from, seconds_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from dosebench.link.client import PumpClient
    from dosebench.therapy.program import Program

    from dosebench_hil.bench import Bench

PATIENT_STEPS: Final = 4
LOCKOUT_MS: Final = 60_000
SQUARE_STEPS: Final = 12
SQUARE_MS: Final = 120_000
PRIME_STEPS: Final = 8
PATH_VERSION: Final = 3
MINUTE_MS: Final = 60_000


@pytest.fixture
def bolused(program: Program) -> Program:
    """The small therapy, with boluses of every kind and priming."""
    return replace(
        program,
        patient_steps=PATIENT_STEPS,
        patient_num=program.bolus_num,
        patient_den=program.bolus_den,
        patient_lockout_ms=LOCKOUT_MS,
        patient_per_day=PATIENT_BOLUSES_MAX,
        square_steps_max=SQUARE_STEPS,
        prime_steps_max=PRIME_STEPS,
        prime_num=program.bolus_num,
        prime_den=program.bolus_den,
        path_version=PATH_VERSION,
    )


@pytest.fixture
def tight(bolused: Program) -> Program:
    """`bolused` with a cap of one minute that the basal just fits under, and a patient bolus that never does."""
    steps = window_steps(bolused.rate, MINUTE_MS)
    cap = Cap(1, math.ceil(steps * bolused.step_ng))
    return replace(bolused, caps=(*bolused.caps, cap), patient_steps=steps + 1)


def reason(ask: Callable[[], Any]) -> str:
    """Why the pump refuses what `ask` asks for."""
    with pytest.raises(RefusedError) as refused:
        ask()
    return refused.value.reason


def unlocked(bench: Bench, program: Program) -> PumpClient:
    """The client of a pump that delivers `program` and whose patient has waited long enough.

    A pump on a port still knows the boluses of earlier tests: lockout, count and windows survive everything.
    """
    dut = bench.client
    put_in_force(dut, program)
    assert bench.wait_until(lambda: dut.read_status()["lockout_left_ms"] == 0, within_s=2 * LOCKOUT_MS / 1000)
    dut.start_delivery()
    return dut


def ended(bench: Bench, field: str = "bolus_left_steps", within_s: float = 2 * SQUARE_MS / 1000) -> bool:
    """Let time pass until a bolus is over."""
    return bench.wait_until(lambda: bench.client.read_status()[field] == 0, within_s)


def test_a_patient_bolus_is_given_and_locks_the_button(bench: Bench, bolused: Program) -> None:
    dut = unlocked(bench, bolused)
    left = dut.read_status()["patient_left"]
    outcome = dut.patient_bolus()
    assert outcome["accepted"] == PATIENT_STEPS
    assert reason(dut.patient_bolus) == "lockout"
    status = dut.read_status()
    assert (status["bolus_kind"], status["patient_left"]) == ("patient", left - 1)
    assert 0 < status["lockout_left_ms"] <= LOCKOUT_MS
    assert ended(bench)
    ends = [record.fields for record in records_from(dut, outcome["record"]) if record.kind == "bolus_end"]
    assert [(end["bolus_kind"], end["end_reason"], end["delivered_low_steps"]) for end in ends] == [
        ("patient", "completed", PATIENT_STEPS)
    ]


def test_the_lockout_ends_by_time_alone(bench: Bench, bolused: Program) -> None:
    dut = unlocked(bench, bolused)
    dut.patient_bolus()
    assert ended(bench)
    put_in_force(dut, bolused)
    dut.stop_delivery()
    dut.start_delivery()
    assert reason(dut.patient_bolus) == "lockout"
    assert ended(bench, "lockout_left_ms")
    assert dut.patient_bolus()["accepted"] == PATIENT_STEPS


def test_the_patient_gets_so_many_in_24_hours(bench: Bench, bolused: Program) -> None:
    put_in_force(bench.client, bolused)
    taken = PATIENT_BOLUSES_MAX - bench.client.read_status()["patient_left"]
    if taken == PATIENT_BOLUSES_MAX:
        pytest.skip("this pump has given all the boluses that it counts in 24 hours")
    dut = unlocked(bench, replace(bolused, patient_per_day=taken + 1))
    dut.patient_bolus()
    assert dut.read_status()["patient_left"] == 0
    assert ended(bench, "lockout_left_ms")
    assert reason(dut.patient_bolus) == "patient_count"


def test_a_therapy_without_patient_bolus_gives_none(dut: PumpClient, program: Program) -> None:
    put_in_force(dut, program)
    dut.start_delivery()
    assert reason(dut.patient_bolus) == "no_patient_bolus"


def test_a_square_bolus_waits_for_a_patient_bolus(bench: Bench, bolused: Program) -> None:
    dut = unlocked(bench, bolused)
    first = dut.square_bolus(SQUARE_STEPS, SQUARE_MS)
    assert reason(lambda: dut.square_bolus(1, SQUARE_MS)) == "square_running"
    bench.advance_time(seconds_for(3, bolused.rate))
    dut.patient_bolus()
    waiting = set()
    while (status := dut.read_status())["bolus_left_steps"]:
        waiting.add(status["square_left_steps"])
        bench.advance_time(0.5)
    assert len(waiting) == 1
    assert 0 < waiting.pop() <= SQUARE_STEPS
    assert ended(bench, "square_left_steps")
    dut.stop_delivery()
    records = [record for record in records_from(dut, first["record"]) if record.kind in ("bolus_end", "square_end")]
    whole = [("bolus_end", PATIENT_STEPS, PATIENT_STEPS), ("square_end", SQUARE_STEPS, SQUARE_STEPS)]
    assert [(end.kind, end.delivered_low_steps, end.asked_steps) for end in records] == whole


def test_a_square_bolus_is_cancelled_alone(bench: Bench, bolused: Program) -> None:
    dut = unlocked(bench, bolused)
    assert reason(dut.square_cancel) == "no_square"
    dut.square_bolus(SQUARE_STEPS, SQUARE_MS)
    dut.give_bolus(2)
    assert 0 < dut.square_cancel()["accepted"] <= SQUARE_STEPS
    status = dut.read_status()
    assert (status["square_left_steps"], status["delivery"]) == (0, "running")
    assert status["bolus_left_steps"] > 0


@pytest.mark.parametrize(
    ("steps", "duration_ms", "why"),
    [
        (0, SQUARE_MS, "bolus_zero"),
        (SQUARE_STEPS + 1, SQUARE_MS, "square_over_maximum"),
        (SQUARE_STEPS, 0, "square_rate"),
        (SQUARE_STEPS, SQUARE_STEPS, "square_rate"),
    ],
)
def test_a_square_bolus_that_cannot_be(
    dut: PumpClient, bolused: Program, steps: int, duration_ms: int, why: str
) -> None:
    put_in_force(dut, bolused)
    dut.start_delivery()
    assert reason(lambda: dut.square_bolus(steps, duration_ms)) == why
    assert dut.read_status()["square_left_steps"] == 0


def test_priming_takes_two_acts(bench: Bench, bolused: Program) -> None:
    dut = bench.client
    put_in_force(dut, bolused)
    before = dut.read_status()
    assert reason(lambda: dut.give_priming(PRIME_STEPS)) == "priming_not_armed"
    dut.prime_arm(PRIME_STEPS, PATH_VERSION)
    bench.advance_time(2)
    assert dut.read_status()["high_steps"] == before["high_steps"]
    assert reason(lambda: dut.give_priming(PRIME_STEPS - 1)) == "priming_volume"
    dut.give_priming(PRIME_STEPS)
    assert dut.read_status()["bolus_kind"] == "priming"
    assert ended(bench)
    after = dut.read_status()
    assert after["low_steps"] - before["low_steps"] == PRIME_STEPS
    assert after["delivery"] == "stopped"
    assert reason(lambda: dut.give_priming(PRIME_STEPS)) == "priming_not_armed"


def test_priming_is_no_dose(bench: Bench, bolused: Program) -> None:
    dut = bench.client
    put_in_force(dut, bolused)
    held = [row["ng"] for row in dut.read_status()["window_ng"]]
    dut.prime_arm(PRIME_STEPS, PATH_VERSION)
    dut.give_priming(PRIME_STEPS)
    assert ended(bench)
    assert all(row["ng"] <= before for row, before in zip(dut.read_status()["window_ng"], held, strict=True))


def test_a_priming_does_not_stay_armed(bench: Bench, bolused: Program) -> None:
    dut = bench.client
    put_in_force(dut, bolused)
    dut.prime_arm(PRIME_STEPS, PATH_VERSION)
    bench.advance_time(PRIME_ARMED_MS / 1000 + 2)
    assert reason(lambda: dut.give_priming(PRIME_STEPS)) == "priming_not_armed"
    assert dut.read_status()["bolus_left_steps"] == 0


def test_a_priming_that_cannot_be(dut: PumpClient, bolused: Program) -> None:
    put_in_force(dut, bolused)
    assert reason(lambda: dut.prime_arm(PRIME_STEPS + 1, PATH_VERSION)) == "priming_volume"
    assert reason(lambda: dut.prime_arm(PRIME_STEPS, PATH_VERSION + 1)) == "priming_path"
    dut.prime_arm(PRIME_STEPS, PATH_VERSION)
    dut.start_delivery()
    assert reason(lambda: dut.prime_arm(PRIME_STEPS, PATH_VERSION)) == "still_running"
    assert reason(lambda: dut.give_priming(PRIME_STEPS)) == "still_running"


def test_a_patient_bolus_over_a_cap_is_refused_whole(bench: Bench, tight: Program) -> None:
    dut = unlocked(bench, tight)
    mark = dut.read_status()["journal_next"]
    assert reason(dut.patient_bolus) == "bolus_over_cap"
    status = dut.read_status()
    assert (status["bolus_left_steps"], status["delivery"]) == (0, "running")
    assert "dose_cap" in status["alarms"]
    assert status["lockout_left_ms"] == 0
    assert "patient_bolus" not in [record.kind for record in records_from(dut, mark)]


def test_a_clinician_bolus_is_cut_at_a_cap(bench: Bench, tight: Program) -> None:
    dut = bench.client
    put_in_force(dut, tight)
    assert bench.wait_until(
        lambda: dut.read_status()["window_ng"][-1]["ng"] == 0, within_s=2 * MINUTE_MS / 1000, every_s=5
    )
    dut.start_delivery()
    asked = tight.bolus_steps_max
    first = dut.give_bolus(asked)
    fullest = 0
    while (status := dut.read_status())["bolus_left_steps"]:
        fullest = max(fullest, status["window_ng"][-1]["ng"])
        bench.advance_time(0.5)
    assert max(fullest, status["window_ng"][-1]["ng"]) <= tight.caps[-1].ng
    assert "dose_cap" in status["alarms"]
    ends = [record.fields for record in records_from(dut, first["record"]) if record.kind == "bolus_end"]
    assert [(end["end_reason"], end["asked_steps"]) for end in ends] == [("cap", asked)]
    assert 0 < ends[0]["delivered_low_steps"] == ends[0]["delivered_high_steps"] < asked
