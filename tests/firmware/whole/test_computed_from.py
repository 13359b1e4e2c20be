"""Doses name the program and the drug that they were computed from, refills the volume of a step."""

from __future__ import annotations

from typing import Any

import pytest
from dosebench.link.client import program_hash
from dosebench.twin.runtimes import RuntimeName
from pumpside import computed, pump, therapy
from sessions import RUNTIMES, line, set_running

DOSES: dict[str, dict[str, Any]] = {
    "bolus": {"steps": 3},
    "square_bolus": {"steps": 3, "duration_ms": 600_000},
}


@pytest.mark.requirement("R14")
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", DOSES)
def test_a_dose_of_another_program_or_amount_is_refused(runtime: RuntimeName, name: str) -> None:
    with line(runtime) as pump:
        set_running(pump.twin)
        session = pump.open()
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"program_hash": program_hash(therapy(basal_den=55_000))[:8]}, "program_differs"),
            ({"program_hash": bytes(8)}, "program_differs"),
            ({"ng": 1_499}, "amount_differs"),
            ({"ng": 1_501}, "amount_differs"),
            ({"ng": 0}, "amount_differs"),
            ({"ng": 0xFFFFFFFF}, "amount_differs"),
        ]
        for counter, (fields, reason) in enumerate(wrong, 1):
            assert pump.ask(session, name, counter=counter, **DOSES[name] | fields)["reason"] == reason
        assert pump.ask(session, name, counter=50, **DOSES[name])["reason"] == "done"
        assert [record.kind for record in pump.records()].count("refused") == len(wrong)


def test_what_no_step_count_holds_is_rounded_down() -> None:
    caps = [{"minutes": 60, "ng": 2_000_000}, {"minutes": 1440, "ng": 12_000_000}]
    program = therapy(step_ng_num=1_001, step_ng_den=2, caps=caps)
    assert computed(program, 3)["ng"] == 1_501
    with line() as pump:
        set_running(pump.twin, step_ng_num=1_001, step_ng_den=2, caps=caps)
        session = pump.open()
        asked = computed(program, 3)
        assert pump.ask(session, "bolus", counter=1, steps=3, **asked | {"ng": 1_502})["reason"] == "amount_differs"
        assert pump.ask(session, "bolus", counter=2, steps=3, **asked)["reason"] == "done"


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_refill_in_steps_of_another_volume_is_refused(runtime: RuntimeName) -> None:
    with line(runtime) as pump:
        session = pump.open()
        for counter, (num, den) in enumerate([(251, 1), (249, 1), (0, 0), (250, 0), (0xFFFFFFFF, 1), (501, 2)], 1):
            fields = {"step_nl_num": num, "step_nl_den": den}
            assert pump.ask(session, "refill", counter=counter, steps=5, **fields)["reason"] == "step_volume_differs"
        assert pump.status()["reservoir_known"] == 0
        assert pump.ask(session, "refill", counter=50, steps=5, step_nl_num=500, step_nl_den=2)["reason"] == "done"


def test_a_priming_bolus_names_its_program_too() -> None:
    priming = {"prime_steps_max": 52, "prime_num": 1, "prime_den": 1_000, "path_version": 3}
    with pump() as side:
        side.program(**priming)
        side.client.prime_arm(52, 3)
        ask, right = side.client._ask_in_session, computed(therapy(**priming), 52)
        wrong = [({"program_hash": bytes(8)}, "program_differs"), ({"ng": 25_999}, "amount_differs")]
        # What is refused does not disarm it.
        for counter, (fields, reason) in enumerate([*wrong, ({}, "done")], 900):
            assert ask("prime", "programmer", counter=counter, steps=52, **right | fields)["reason"] == reason


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_end_of_a_bolus_says_why_and_how_much(runtime: RuntimeName) -> None:
    with pump(runtime) as side:
        side.program(hour_ng_max=80 * 500)
        side.start()
        side.client.give_bolus(20)
        side.client.square_bolus(10, 300_000)
        side.twin.advance_time(900)
        side.client.give_bolus(90)
        side.twin.advance_time(1_800)
        ends = [record for record in side.records() if record.kind in ("bolus_end", "square_end")]
        whole, square, cut = sorted(ends, key=lambda record: (record.asked_steps == 90, record.kind))
        assert (whole.bolus_kind, whole.end_reason, whole.delivered_low_steps) == ("clinician", "completed", 20)
        assert (square.end_reason, square.delivered_low_steps, square.asked_steps) == ("completed", 10, 10)
        assert (cut.end_reason, cut.asked_steps) == ("cap", 90)
        assert cut.delivered_low_steps == cut.delivered_high_steps
        assert 0 < cut.delivered_low_steps < 90


def test_after_a_reset_the_end_of_a_bolus_has_its_bounds() -> None:
    with pump() as side:
        side.program()
        side.start()
        side.client.give_bolus(400)
        side.twin.advance_time(60)
        side.reset()
        end = next(record for record in side.records() if record.kind == "bolus_end")
        assert (end.end_reason, end.delivered_low_steps, end.delivered_high_steps, end.asked_steps) == (
            "reset",
            0,
            400,
            400,
        )


PRIMING: dict[str, Any] = {"prime_steps_max": 100, "prime_num": 1, "prime_den": 900, "path_version": 3}


@pytest.mark.requirement("R9")
@pytest.mark.parametrize("between", ["stop", "stop of a stranger", "commit"])
def test_what_was_armed_before_a_stop_or_another_program_is_not_primed(between: str) -> None:
    new = therapy(**PRIMING | {"path_version": 4, "prime_steps_max": 10})
    with line(watchdog_ms=0) as pump:
        set_running(pump.twin, **PRIMING)
        session = pump.open()
        pump.ask(session, "stop", counter=100)
        pump.ask(session, "prime_arm", counter=101, steps=100, path_version=3)
        program = therapy(**PRIMING)
        if between == "stop":
            pump.ask(session, "stop", counter=102)
        elif between == "commit":
            program = new
            pump.ask(session, "program_begin", length=len(new), program_hash=program_hash(new))
            pump.ask(session, "program_chunk", offset=0, data=new)
            pump.ask(session, "program_verify")
            pump.ask(session, "program_commit", counter=102, program_hash=program_hash(new))
        else:
            pump.answer(pump.frame("stop"))
        before = pump.status()["high_steps"]
        asked = pump.ask(session, "prime", counter=103, steps=100, **computed(program, 100))
        assert asked["reason"] == "priming_not_armed"
        pump.twin.advance_time(600)
        assert pump.status()["high_steps"] == before


@pytest.mark.requirement("R16")
def test_a_periodic_bolus_whose_record_is_gone_comes_late_and_never_early() -> None:
    daily = {"periodic_steps": 50, "periodic_num": 1, "periodic_den": 9_000, "periodic_ms": 86_400_000}
    with line(watchdog_ms=0, flash_sectors=6, fault_sectors=2) as pump:
        set_running(pump.twin, **daily)
        pump.twin.advance_time(25 * 3_600)
        session = pump.open()
        for counter in range(1_000, 1_250):
            assert pump.ask(session, "bolus", counter=counter, steps=1, ng=0)["reason"] == "program_differs"
        assert "periodic_bolus" not in [record.kind for record in pump.records()], "the ring has wrapped"
        last = pump.status()["journal_next"]
        pump.reset()
        pump.twin.advance_time(20 * 3_600)
        assert "periodic_bolus" not in [record.kind for record in pump.records(last)]
        pump.twin.advance_time(5 * 3_600)
        assert "periodic_bolus" in [record.kind for record in pump.records(last)]
