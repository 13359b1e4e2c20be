"""Programming: stage, verify, commit, read back; and every way in which it must not work."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from dosebench.link.client import RefusedError, program_hash
from dosebench.therapy.program import Cap
from dosebench_protocol.tables import CAP_MINUTES_MAX, PROGRAM_BYTES_MAX, PROGRAM_FORMAT

from dosebench_hil.contract.helpers import next_command, put_in_force, reading_of, unwritten_status

if TYPE_CHECKING:
    from dosebench.link.client import PumpClient
    from dosebench.therapy.program import Program

    from dosebench_hil.bench import Bench


def test_the_pump_reads_the_program_as_the_host_does(dut: PumpClient, program: Program) -> None:
    assert reading_of(dut.stage_program(program.encode_program())) == program.expected_reading()


def test_a_committed_program_is_read_back_equal(dut: PumpClient, program: Program) -> None:
    before = dut.read_status()["generation"]
    outcome = put_in_force(dut, program)
    assert dut.read_program() == (before + 1, program.encode_program())
    assert outcome["accepted"] == before + 1
    status = dut.read_status()
    assert (status["delivery"], status["therapy_id"]) == ("stopped", program.therapy_id)
    assert (status["mode"], status["staged_bytes"]) == (program.mode, 0)


def test_nothing_is_in_force_before_the_commit(dut: PumpClient, program: Program) -> None:
    before = dut.read_status()
    dut.stage_program(replace(program, therapy_id=b"not-yet!").encode_program())
    after = dut.read_status()
    assert after["staged_bytes"] == len(program.encode_program())
    assert (after["generation"], after["therapy_id"]) == (before["generation"], before["therapy_id"])


def test_an_abort_drops_the_stage(dut: PumpClient, program: Program) -> None:
    dut.stage_program(program.encode_program())
    dut.abort_stage()
    assert dut.read_status()["staged_bytes"] == 0
    with pytest.raises(RefusedError) as refused:
        dut.commit_program(program.encode_program())
    assert refused.value.reason == "no_stage"


def test_a_new_begin_replaces_the_stage(dut: PumpClient, program: Program) -> None:
    other = replace(program, therapy_id=b"another!")
    dut.stage_program(other.encode_program())
    put_in_force(dut, program)
    assert dut.read_program()[1] == program.encode_program()


def test_a_gap_is_refused_and_says_where(bench: Bench, program: Program) -> None:
    wire, data = bench.wire, program.encode_program()
    wire.ask_pump("program_begin", length=len(data), program_hash=program_hash(data))
    wire.ask_pump("program_chunk", offset=0, data=data[:20])
    with pytest.raises(RefusedError) as refused:
        wire.ask_pump("program_chunk", offset=30, data=data[30:40])
    assert (refused.value.reason, refused.value.detail) == ("stage_gap", 20)


def test_repeated_chunks_are_accepted(bench: Bench, program: Program) -> None:
    wire, data = bench.wire, program.encode_program()
    wire.ask_pump("program_begin", length=len(data), program_hash=program_hash(data))
    for start, end in ((0, 50), (0, 50), (20, 70), (70, len(data))):
        wire.ask_pump("program_chunk", offset=start, data=data[start:end])
    assert reading_of(wire.ask_pump("program_verify")) == program.expected_reading()


def test_an_incomplete_stage_is_not_verified(bench: Bench, program: Program) -> None:
    wire, data = bench.wire, program.encode_program()
    wire.ask_pump("program_begin", length=len(data), program_hash=program_hash(data))
    wire.ask_pump("program_chunk", offset=0, data=data[:-1])
    with pytest.raises(RefusedError) as refused:
        wire.ask_pump("program_verify")
    assert (refused.value.reason, refused.value.detail) == ("stage_incomplete", len(data) - 1)


def test_a_stage_with_another_hash_is_not_verified(bench: Bench, program: Program) -> None:
    wire, data = bench.wire, program.encode_program()
    wire.ask_pump("program_begin", length=len(data), program_hash=bytes(16))
    wire.ask_pump("program_chunk", offset=0, data=data)
    with pytest.raises(RefusedError) as refused:
        wire.ask_pump("program_verify")
    assert refused.value.reason == "stage_hash"


def test_chunks_beyond_the_announced_length_are_refused(bench: Bench, program: Program) -> None:
    wire, data = bench.wire, program.encode_program()
    wire.ask_pump("program_begin", length=len(data), program_hash=program_hash(data))
    with pytest.raises(RefusedError) as refused:
        wire.ask_pump("program_chunk", offset=0, data=data + b"\x00")
    assert refused.value.reason == "too_long"


@pytest.mark.parametrize("length", [0, PROGRAM_BYTES_MAX + 1, 0xFFFF])
def test_impossible_lengths_are_refused(bench: Bench, length: int) -> None:
    with pytest.raises(RefusedError) as refused:
        bench.wire.ask_pump("program_begin", length=length, program_hash=bytes(16))
    assert (refused.value.reason, refused.value.detail) == ("too_long", PROGRAM_BYTES_MAX)


def test_an_unverified_stage_is_not_committed(bench: Bench, program: Program) -> None:
    wire, data = bench.wire, program.encode_program()
    before = bench.client.read_status()["generation"]
    wire.ask_pump("program_begin", length=len(data), program_hash=program_hash(data))
    wire.ask_pump("program_chunk", offset=0, data=data)
    with pytest.raises(RefusedError) as refused:
        bench.client.commit_program(data)
    assert refused.value.reason == "not_verified"
    assert bench.client.read_status()["generation"] == before


def test_a_chunk_after_the_verification_voids_it(bench: Bench, program: Program) -> None:
    data = program.encode_program()
    bench.client.stage_program(data)
    bench.wire.ask_pump("program_chunk", offset=0, data=data[:1])
    with pytest.raises(RefusedError) as refused:
        bench.client.commit_program(data)
    assert refused.value.reason == "not_verified"


def test_a_commit_of_another_hash_is_refused(bench: Bench, program: Program) -> None:
    bench.client.stage_program(program.encode_program())
    outcome = bench.wire.ask_pump("program_commit", counter=next_command(bench), program_hash=bytes(16))
    assert outcome["reason"] == "stage_hash"


def _too_slow(_program: Program, bench: Bench) -> dict[str, Any]:
    slow = bench.profile.count_steps(bench.profile.delivery.rate_min) * Fraction(999, 1000)
    return {"basal_num": slow.numerator, "basal_den": slow.denominator}


def _too_fast(_program: Program, bench: Bench) -> dict[str, Any]:
    fast = bench.profile.count_steps(bench.profile.delivery.rate_max) * Fraction(1001, 1000)
    return {"basal_num": fast.numerator, "basal_den": fast.denominator}


def _bolus_too_fast(_program: Program, bench: Bench) -> dict[str, Any]:
    fast = bench.profile.count_steps(bench.profile.delivery.rate_max) * Fraction(1001, 1000)
    return {"bolus_num": fast.numerator, "bolus_den": fast.denominator}


def _bolus_too_large(_program: Program, bench: Bench) -> dict[str, Any]:
    return {"bolus_steps_max": int(bench.profile.count_steps(bench.profile.caps.bolus)) + 1}


def _other_step(program: Program, _bench: Bench) -> dict[str, Any]:
    return {"step_nl_num": program.step_nl_num + program.step_nl_den}


def _too_full(_program: Program, bench: Bench) -> dict[str, Any]:
    return {"reservoir_steps": int(bench.profile.count_steps(bench.profile.reservoir.capacity)) + 1}


def _levels_turned(program: Program, _bench: Bench) -> dict[str, Any]:
    return {"low_steps": program.empty_steps - 1}


def _no_cap(program: Program, _bench: Bench) -> dict[str, Any]:
    return {"caps": program.caps[:1]}


def _no_drug_at_all(program: Program, _bench: Bench) -> dict[str, Any]:
    return _with_cap(program, 1440, 0)


def _long_window(program: Program, _bench: Bench) -> dict[str, Any]:
    return {"caps": (*program.caps, Cap(CAP_MINUTES_MAX + 1, program.caps[-1].ng))}


def _cap_below_basal(program: Program, _bench: Bench) -> dict[str, Any]:
    return _with_cap(program, 1440, int(program.daily_ng))


def _cap_above_hard(program: Program, bench: Bench) -> dict[str, Any]:
    hard = int(bench.profile.count_steps(bench.profile.caps.hour))
    return _with_cap(program, 60, int((hard + 1) * program.step_ng) + 1)


def _with_cap(program: Program, minutes: int, ng: int) -> dict[str, Any]:
    return {"caps": tuple(replace(cap, ng=ng) if cap.minutes == minutes else cap for cap in program.caps)}


def _zero_denominator(_program: Program, _bench: Bench) -> dict[str, Any]:
    return {"basal_den": 0}


def _large_fraction(_program: Program, _bench: Bench) -> dict[str, Any]:
    return {"basal_num": (1 << 29) + 1, "basal_den": 1 << 29}


def _later_format(_program: Program, _bench: Bench) -> dict[str, Any]:
    return {"format": PROGRAM_FORMAT + 1}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_too_slow, "rate_below_minimum"),
        (_too_fast, "rate_above_maximum"),
        (_bolus_too_fast, "bolus_rate"),
        (_bolus_too_large, "bolus_size"),
        (_other_step, "step_volume"),
        (_too_full, "reservoir_size"),
        (_levels_turned, "level_order"),
        (_no_cap, "cap_missing"),
        (_no_drug_at_all, "cap_missing"),
        (_long_window, "cap_window"),
        (_cap_below_basal, "cap_below_basal"),
        (_cap_above_hard, "cap_above_hard"),
        (_zero_denominator, "therapy_fraction"),
        (_large_fraction, "therapy_fraction"),
        (_later_format, "therapy_format"),
    ],
)
def test_an_impossible_program_is_refused_by_the_pump_itself(
    bench: Bench, program: Program, change: Any, reason: str
) -> None:
    before = bench.client.read_status()
    bad = replace(program, **change(program, bench))
    with pytest.raises(RefusedError) as refused:
        bench.client.stage_program(bad.encode_program())
    assert refused.value.reason == reason
    bench.client.abort_stage()
    after = bench.client.read_status()
    assert unwritten_status(after) == unwritten_status(before)


@pytest.mark.parametrize("data", [b"\x01", b"\x01" * 77, b"\xff" * 200], ids=["short", "cut", "noise"])
def test_bytes_that_are_no_program_are_refused(dut: PumpClient, data: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        dut.stage_program(data)
    assert refused.value.reason in ("malformed", "therapy_format", "therapy_mode", "therapy_fraction")


def test_the_old_therapy_goes_on_under_a_refused_one(dut: PumpClient, program: Program) -> None:
    put_in_force(dut, program)
    dut.start_delivery()
    with pytest.raises(RefusedError):
        dut.stage_program(replace(program, basal_den=0).encode_program())
    status = dut.read_status()
    assert (status["delivery"], status["therapy_id"]) == ("running", program.therapy_id)
    assert dut.read_program()[1] == program.encode_program()


def test_a_stage_without_an_end_times_out(bench: Bench, program: Program) -> None:
    data = program.encode_program()
    bench.wire.ask_pump("program_begin", length=len(data), program_hash=program_hash(data))
    bench.wire.ask_pump("program_chunk", offset=0, data=data[:40])
    assert bench.client.read_status()["staged_bytes"] == 40
    assert bench.wait_until(lambda: bench.client.read_status()["staged_bytes"] == 0, within_s=180, every_s=20)
