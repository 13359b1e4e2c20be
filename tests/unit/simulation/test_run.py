"""What runs in virtual time have in common: the therapy before a bridge, slices of time, and times of records."""

from __future__ import annotations

from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import pytest
from dosebench.base.errors import DosebenchError
from dosebench.simulation.run import SETTLED_MS, VirtualRun, before_bridge
from dosebench.therapy.program import Program, from_bytes
from journals import named
from programs import example
from scenario_runs import DAY_MS
from scripted_pump import blank


class Twin:
    """Virtual time alone."""

    def __init__(self) -> None:
        self.machine = SimpleNamespace(now_us=0, booted_us=2_000_000)
        self.moves: list[int] = []

    def advance_us(self, until_us: int) -> None:
        self.machine.now_us = until_us
        self.moves.append(until_us // 1000)


class Client:
    """A pump that takes any program, and reads it as it is told to."""

    def __init__(self, reading: Any = None) -> None:
        self.staged: list[bytes] = []
        self.committed: list[bytes] = []
        self._reading = reading

    def connect(self) -> dict[str, Any]:
        return blank("hello", runtime=b"a runtime", firmware_minor=2, firmware_patch=5)

    def stage_program(self, data: bytes) -> dict[str, Any]:
        self.staged.append(data)
        return self._reading(data)

    def commit_program(self, data: bytes) -> dict[str, Any]:
        self.committed.append(data)
        return {"record": len(self.committed)}

    def boot_ms(self) -> int:
        return 500

    def read_journal(self, first: int) -> Any:
        yield named("lease", 7 * first + 3 * DAY_MS).to_bytes()


def reading_of(program: Program) -> dict[str, Any]:
    made = asdict(program.expected_reading())
    names = [doses.pop("name") for doses in made["drugs"]]
    drugs = [{"name_bytes": len(name)} | doses for name, doses in zip(names, made["drugs"], strict=True)]
    return made | {"drugs": drugs, "drug_names": b"".join(names)}


def virtual_run(program: Program | None = None, client: Client | None = None, **more: Any) -> VirtualRun:
    chosen = client or Client(lambda data: reading_of(from_bytes(data)))
    return VirtualRun(Twin(), chosen, program or example(), 10 * DAY_MS, progress=more.get("progress"))  # type: ignore[arg-type]


def test_a_greeting_notes_who_answers_and_lets_time_settle() -> None:
    run = virtual_run()
    run.connect_pump()
    assert (run.runtime_version, run.firmware) == ("a runtime", "0.2.5")
    assert run.twin.machine.now_us == SETTLED_MS * 1000


def test_a_program_is_staged_read_back_and_committed() -> None:
    run = virtual_run()
    assert run.begin_therapy() == {"record": 1}
    assert run.client.committed == run.client.staged == [example().encode_program()]  # type: ignore[attr-defined]


def test_a_reading_that_differs_is_not_committed() -> None:
    client = Client(lambda _: reading_of(example()) | {"daily_steps": 5})
    with pytest.raises(DosebenchError):
        virtual_run(client=client).begin_therapy()
    assert client.committed == []


def test_a_bridge_needs_the_old_drug_in_the_pump_first() -> None:
    program = example("c7-bridge")
    run = virtual_run(program)
    run.begin_therapy()
    before, after = run.client.committed  # type: ignore[attr-defined]
    assert (before, after) == (before_bridge(program).encode_program(), program.encode_program())


def test_the_therapy_before_a_bridge_holds_the_old_drug_and_delivers_nothing() -> None:
    program = example("c7-bridge")
    made = before_bridge(program)
    assert (made.mode, made.bridge_steps, made.periodic_steps) == ("stopped", 0, 0)
    assert made.step_ng == program.bridge_ng
    ratio = program.bridge_ng / program.step_ng
    assert [cap.ng for cap in made.caps] == [int(cap.ng * ratio) for cap in program.caps]
    assert [cap.minutes for cap in made.caps] == [cap.minutes for cap in program.caps]


def test_time_passes_in_slices_with_progress() -> None:
    told: list[tuple[float, float]] = []
    run = virtual_run(progress=lambda done, whole: told.append((done, whole)))
    run.start_ms = DAY_MS // 2
    run.advance_to(5 * DAY_MS // 2)
    assert run.twin.moves == [DAY_MS, 2 * DAY_MS, 5 * DAY_MS // 2]  # type: ignore[attr-defined]
    assert told == [(0.5, 10.0), (1.5, 10.0), (2.0, 10.0)]
    run.advance_to(DAY_MS)
    assert len(told) == 3, "time does not go back"
    assert run.end_ms == 10 * DAY_MS + DAY_MS // 2


def test_pump_time_is_behind_by_what_the_boot_took() -> None:
    assert virtual_run().shift_ms() == 2_000 - 500


def test_a_command_took_effect_at_the_time_of_its_record() -> None:
    assert virtual_run().record_ms({"record": 4}) == 28 + 3 * DAY_MS
