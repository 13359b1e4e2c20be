"""Run a scenario: a simulated pump, what the bench does to it over time, and the record that is kept of all of it.

The pump runs the real firmware and is reached through its serial port; faults, power cuts and the true content of the
reservoir are the bench's. The journal is pulled long before it would wrap, so that the whole chain is held at the end.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import timedelta
from fractions import Fraction
from functools import partial
from typing import Any, Final

from dosebench_protocol.records import Record, decode_records, hash_head

from dosebench.base import units
from dosebench.base.units import MINUTE_MS
from dosebench.journal.history import DAY_MS, build_history
from dosebench.link.client import PumpClient, RefusedError
from dosebench.simulation import expectations
from dosebench.simulation.deviation import Disturbance, Stretch, judge_stretches
from dosebench.simulation.run import CALENDAR, FLASH_MS, Progress, VirtualRun, power_pump
from dosebench.simulation.scenario_file import Event, Scenario
from dosebench.simulation.scenario_journal import (
    alarm_spans,
    boots_of,
    held_back,
    is_chain_intact,
    safe_stops,
    timed_by_bench,
)
from dosebench.simulation.scenario_result import Done, Sample, ScenarioResult, Verdict
from dosebench.therapy.program import Program
from dosebench.twin.runtimes import RuntimeName
from dosebench.twin.twin import Twin

CLOSE_LOOKS_MS: Final = tuple(MINUTE_MS * 2**n for n in range(12))
"""Samples after what the bench breaks or mends, besides the regular ones: up to a day and a half later."""
PULL_SHARE: Final = 4
"""The journal is pulled when a quarter of what it holds is new."""
SECTOR_SLOTS: Final = 102
"""Journal records that a sector has room for (docs/FIRMWARE.md)."""
MOTOR_FAULTS: Final = {"stall", "slip", "runaway", "driver_stuck", "hang"}
"""Faults with which the motor does not turn as it is told."""


def run_scenario(
    scenario: Scenario,
    program: Program,
    profile: str,
    runtime: RuntimeName | None = None,
    seed: int = 0,
    *,
    progress: Progress | None = None,
) -> ScenarioResult:
    """Run a scenario on a simulated pump.

    Args:
        scenario: What happens.
        program: The therapy that it begins with, built for `profile`.
        profile: Name of the pump profile.
        runtime: Interpreter of the firmware; None takes the best that is installed.
        seed: Decides noise; the same seed gives the same journal on every runtime.
        progress: Called with days done and days in all.

    Raises:
        DosebenchError: The pump refused the first therapy, or reads it differently.
    """
    with power_pump(program, profile, runtime, seed) as (twin, client):
        return _Run(twin, client, program, scenario, progress).run_all(profile)


class _Run(VirtualRun):
    """One scenario under way."""

    def __init__(
        self, twin: Twin, client: PumpClient, program: Program, scenario: Scenario, progress: Progress | None
    ) -> None:
        super().__init__(twin, client, program, scenario.length_ms, progress=progress)
        self.scenario = scenario
        self.delivered_before = (0, 0.0, 0.0)
        self.journal: list[bytes] = []
        self.programs: list[tuple[int, Program]] = []
        self.known: dict[bytes, Program] = {}
        self.samples: list[Sample] = []
        self.acts: list[Done] = []
        self.verdicts: list[Verdict] = []
        self.disturbed: list[Disturbance] = []
        self.motor_fault: tuple[int, str] | None = None

    # The course of time

    def run_all(self, profile: str) -> ScenarioResult:
        self.connect_pump()
        self._start_delivery()
        began = time.perf_counter()
        for at_ms, act in self._build_timeline():
            self.advance_to(self.start_ms + at_ms)
            act()
        self.advance_to(self.end_ms)
        self._take_sample()
        return self._make_result(profile, time.perf_counter() - began)

    def _start_delivery(self) -> None:
        self.begin_therapy()
        self.client.set_clock(CALENDAR)
        if self.twin.machine.config["service_months"]:
            self.client.record_implant(CALENDAR.date())
        self.start_ms = self.record_ms(self.client.start_delivery()) + self.shift_ms()
        plant = self.twin.plant
        now_us = self.twin.machine.now_us
        self.delivered_before = (plant.read_encoder(), plant.delivered_nl(now_us), plant.lost_nl)
        self.programs.append((0, self.program))
        self._take_sample()

    def put_in_force(self, program: Program) -> dict[str, Any]:
        self.known[hash_head(program.program_hash())] = program
        return super().put_in_force(program)

    def _build_timeline(self) -> list[tuple[int, Callable[[], None]]]:
        """What is due when, since the start of delivery.

        At the same moment: a look at the physics before the bench changes them, ends of faults, events, samples.
        """
        length = self.length_ms
        plan: list[tuple[int, int, Callable[[], None]]] = []
        changes: set[int] = set()
        for event in self.scenario.events:
            plan.append((event.at_ms, 1, partial(self._run_event, event)))
            if event.act in ("fault", "mend", "brown_out"):
                changes.add(event.at_ms)
            lasting = event.table.lasting
            if lasting is not None and event.at_ms + lasting <= length:
                plan.append((event.at_ms + lasting, 0, partial(self._mend_after, event)))
                changes.add(event.at_ms + lasting)
        looks = set(range(self.scenario.sample_ms, length, self.scenario.sample_ms))
        looks |= {at_ms + later for at_ms in changes for later in CLOSE_LOOKS_MS}
        plan += [(at_ms, 2, self._take_sample) for at_ms in looks if at_ms < length]
        plan += [(at_ms, -1, self._take_sample) for at_ms in changes]
        return [(at_ms, act) for at_ms, _, act in sorted(plan, key=lambda item: item[:2])]

    @property
    def now_ms(self) -> int:
        """Time since the start of delivery."""
        return self.twin.machine.now_us // 1000 - self.start_ms

    # The record

    def _take_sample(self) -> None:
        status, plant = self.client.read_status(), self.twin.plant
        now_us = self.twin.machine.now_us
        steps, delivered, lost = self.delivered_before
        level = [row["value"] for row in self.client.read_sensors() if row["sensor"] == "level"]
        step_nl = float(self.program.step_nl)
        reckoned = status["reservoir_steps"] if status["reservoir_known"] else None
        self.samples.append(
            Sample(
                at_ms=self.now_ms,
                true_nl=plant.reservoir_nl(),
                reckoned_nl=None if reckoned is None else reckoned * step_nl,
                measured_nl=level[0] * step_nl if level and level[0] is not None else None,
                battery_mv=status["battery_mv"],
                battery_left=max(0.0, 1 - plant.used_uah(now_us) / plant.settings.battery_uah),
                pressure_kpa=plant.pressure_kpa(now_us),
                steps_per_day=status["rate_num"] / status["rate_den"] * DAY_MS,
                steps=plant.read_encoder() - steps,
                delivered_nl=plant.delivered_nl(now_us) - delivered,
                lost_nl=plant.lost_nl - lost,
                held_nl=plant.held_at(now_us),
                delivery=str(status["delivery"]),
            )
        )
        held = self.client.journal_info()["next"] - len(self.journal)
        if held > self.twin.machine.config["flash_sectors"] * SECTOR_SLOTS // PULL_SHARE:
            self._pull_records()

    def _pull_records(self) -> None:
        self.journal += self.client.read_journal(len(self.journal))

    # Acts

    def _run_event(self, event: Event) -> None:
        outcome = "done"
        details: dict[str, Any] = {}
        at_ms = self.now_ms
        if event.act:
            try:
                details = getattr(self, f"_do_{event.act}")(event) or {}
            except RefusedError as error:
                outcome = f"refused: {error.reason}"
        self.acts.append(Done(at_ms, event.act or "note", event, outcome, details))
        self.verdicts += expectations.of_outcome(event, at_ms, outcome)
        if expectations.looks_at_pump(event.table):
            self.verdicts += expectations.of_state(event, self._read_pump())

    def _read_pump(self) -> expectations.Seen:
        status = self.client.read_status()
        rate = Fraction(status["rate_num"], status["rate_den"])
        steps = self.twin.plant.read_encoder() - self.delivered_before[0]
        return expectations.Seen(self.now_ms, str(status["delivery"]), rate, steps, self.program)

    def _do_patient_bolus(self, event: Event) -> dict[str, Any]:
        del event
        return {"steps": self.client.patient_bolus()["accepted"]}

    def _do_bolus(self, event: Event) -> dict[str, Any]:
        assert event.table.bolus is not None
        return {"steps": self.client.give_bolus(self._to_steps(event.table.bolus))["accepted"]}

    def _do_square(self, event: Event) -> dict[str, Any]:
        assert event.table.square is not None
        assert event.table.over is not None
        return {"steps": self.client.square_bolus(self._to_steps(event.table.square), event.table.over)["accepted"]}

    def _do_cancel(self, event: Event) -> None:
        (self.client.square_cancel if event.table.cancel == "square" else self.client.bolus_cancel)()

    def _do_refill(self, event: Event) -> dict[str, Any]:
        table, plant = event.table, self.twin.plant
        assert table.refill is not None
        before_nl, withdrawn = plant.reservoir_nl(), None
        if table.withdrawn is not None:
            taken = before_nl if table.withdrawn == "measured" else float(table.withdrawn.value)
            withdrawn = int(taken / float(self.program.step_nl))
        said = int(table.refill.value / self.program.step_nl)
        truly = table.refill if table.truly is None else table.truly
        plant.refill_reservoir(float(truly.value), self.twin.machine.now_us)
        status = self.client.read_status()
        details = {
            "expected_nl": float(status["reservoir_steps"] * self.program.step_nl),
            "withdrawn_nl": None if withdrawn is None else float(withdrawn * self.program.step_nl),
            "filled_nl": float(said * self.program.step_nl),
            "truly_nl": float(truly.value),
        }
        self.client.record_refill(said, withdrawn)
        return details

    def _do_set_clock(self, event: Event) -> dict[str, Any]:
        local = event.table.set_clock
        if local is True or local is None:
            local = CALENDAR + timedelta(milliseconds=self.now_ms)
        self.client.set_clock(local)
        return {"local_time": local.isoformat(timespec="seconds")}

    def _do_start(self, event: Event) -> None:
        del event
        self.client.start_delivery()

    def _do_stop(self, event: Event) -> None:
        del event
        self.client.stop_delivery()

    def _do_program(self, event: Event) -> dict[str, Any]:
        assert event.program is not None
        before = self.program
        self.put_in_force(event.program)
        self.program = event.program
        self.programs.append((self.now_ms, self.program))
        return {"before_ug": float(before.daily_ng / 1000), "after_ug": float(self.program.daily_ng / 1000)}

    def _do_clear(self, event: Event) -> dict[str, Any]:
        names = list(event.table.clear or self.client.read_status()["alarms"])
        self.client.alarm_clear(names)
        return {"alarms": names}

    def _do_silence(self, event: Event) -> None:
        assert event.table.silence is not None
        self.client.alarm_silence(event.table.silence)

    def _do_fault(self, event: Event) -> None:
        for name, value in event.table.fault or ():
            self.twin.set_fault(name, value)
        self._follow_motor(", ".join(name for name, _ in event.table.fault or ()))

    def _do_mend(self, event: Event) -> dict[str, Any]:
        return self._mend_faults(event.table.mend or ())

    def _mend_after(self, event: Event) -> None:
        at_ms = self.now_ms
        details = self._mend_faults([name for name, _ in event.table.fault or ()])
        self.acts.append(Done(at_ms, "mend", event, "done", details))

    def _mend_faults(self, names: Sequence[str]) -> dict[str, Any]:
        plant, now_us = self.twin.plant, self.twin.machine.now_us
        held = plant.held_at(now_us)
        ended = sorted(plant.faults.list_present() if "none" in names else set(names))
        for name in ended:
            self.twin.set_fault(name, "off")
        self._follow_motor("")
        return {"held_nl": held, "faults": ended}

    def _follow_motor(self, names: str) -> None:
        """Keep from when to when the motor does not turn as it is told."""
        broken = MOTOR_FAULTS & set(self.twin.plant.faults.list_present())
        now = self.twin.machine.now_us // 1000
        if broken and self.motor_fault is None:
            self.motor_fault = now, names
        elif not broken and self.motor_fault is not None:
            since, why = self.motor_fault
            self.disturbed.append(Disturbance(since, now, why))
            self.motor_fault = None

    def _do_brown_out(self, event: Event) -> dict[str, Any]:
        assert event.table.brown_out is not None
        self._pull_records()
        self.twin.power_cycle(event.table.brown_out / 1000)
        status = self.client.read_status()
        return {"off_ms": event.table.brown_out, "low": status["low_steps"], "high": status["high_steps"]}

    def _to_steps(self, amount: units.Quantity) -> int:
        worth = self.program.step_ng if amount.dimension is units.MASS else self.program.step_nl
        return int(amount.value / worth)

    # The end

    def _make_result(self, profile: str, wall_s: float) -> ScenarioResult:
        self._pull_records()
        twin, plant = self.twin, self.twin.plant
        raw = decode_records(b"".join(self.journal))
        boots = boots_of(raw, twin.machine.boots_us)
        history = build_history(raw, self.known.get)
        assert history is not None
        timed = timed_by_bench(raw, boots, self.start_ms)
        self._close_disturbances(timed)
        steps = array("q", (at // 1000 for at in plant.steps_us))
        steps = steps[: bisect_right(steps, self.end_ms)]
        disturbed = sorted(self.disturbed, key=lambda d: d.from_ms)
        stretches = judge_stretches(history.expected, boots, steps, self.end_ms, disturbed)
        status = self.client.read_status()
        alarms = alarm_spans(timed)
        self.verdicts += expectations.of_alarms(self.scenario.events, alarms)
        return ScenarioResult(
            scenario=self.scenario,
            profile=profile,
            runtime=twin.runtime_name,
            seed=twin.settings.seed,
            runtime_version=self.runtime_version,
            firmware=self.firmware,
            programs=self.programs,
            records=timed,
            journal_whole=is_chain_intact(raw),
            samples=self.samples,
            acts=self.acts,
            alarms=alarms,
            verdicts=sorted(self.verdicts, key=lambda verdict: verdict.at_ms),
            stretches=[
                Stretch(each.from_ms - self.start_ms, each.to_ms - self.start_ms, each.deviation, each.why)
                for each in stretches
            ],
            limit=history.expected.allowed_deviation(int(twin.machine.config["step_ms"]) + FLASH_MS),
            history=history,
            charges_uah=plant.charges_uah(twin.machine.now_us),
            battery_uah=plant.settings.battery_uah,
            counted_steps=(status["low_steps"], status["high_steps"]),
            made_steps=plant.read_encoder(),
            wall_s=wall_s,
        )

    def _close_disturbances(self, timed: list[tuple[int, Record]]) -> None:
        if self.motor_fault is not None:
            since, why = self.motor_fault
            self.disturbed.append(Disturbance(since, self.end_ms, why))
        self.disturbed += held_back(timed, self.start_ms, self.end_ms)
        self.disturbed += safe_stops(timed, self.start_ms)


