"""Properties of the whole way from host to pump and back, through the serial link, by hypothesis.

One twin serves all examples of a test and is brought into the known state for each of them by `Bench.reset_pump`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import pytest
from dosebench.profile.load import load_profile
from dosebench.profile.model import Profile
from dosebench.therapy.program import Cap, Drug, FlexStep, Program, Rate, TitrationStep, from_bytes
from dosebench.therapy.timeline import Segment, Timeline
from dosebench.twin.runtimes import RuntimeName
from dosebench_hil.bench import Bench, TwinBench, TwinOptions
from dosebench_hil.contract.helpers import (
    DAY_MS,
    lasting_status,
    pump_ms,
    put_in_force,
    reading_of,
    record_at,
    records_from,
    unwritten_status,
)
from dosebench_hil.therapies import build_program, write_regimen
from dosebench_protocol.codec import MESSAGES
from dosebench_protocol.frame import DELIMITER, Frame, FrameError, decode, encode
from dosebench_protocol.tables import (
    CAP_MINUTES_MAX,
    COUNT_MAX,
    FLEX_STEPS_MAX,
    FRACTION_MAX,
    PATTERNS_MAX,
    PROGRAM_FORMAT,
    PROTOCOL_VERSION,
)
from hypothesis import HealthCheck, assume, example, given, note, settings
from hypothesis import strategies as st

PROFILE = load_profile("implant-40")
KNOWN_TYPES = {message.type for message in MESSAGES}
TIMES = 50 if os.environ.get("DOSEBENCH_LONG") else 1
MANY, FEW = 200 * TIMES, 12 * TIMES
"""Examples of a property, on CPython and on the MicroPythons; fifty times as many where DOSEBENCH_LONG is set."""
NOISE_BYTES_MAX = 300
STEPS_WATCHED = 30

Draw = Callable[[st.SearchStrategy[Any]], Any]


@pytest.fixture(scope="module", params=["cpython", "unix", "wasm"])
def shared(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """One twin for all examples on one runtime."""
    runtime: RuntimeName = request.param
    bench = TwinBench(TwinOptions(runtime=runtime))
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The small therapy of the bench."""
    return build_program(write_regimen(PROFILE, tmp_path_factory.mktemp("regimen") / "bench.toml"))


@contextmanager
def recorded(bench: Bench) -> Iterator[None]:
    """Show the last frames of the example that fails."""
    try:
        yield
    except BaseException:
        note("\n".join(bench.line.read_transcript()))
        raise


def examples(bench: Bench) -> int:
    """How many examples a runtime is worth: CPython is ten times faster."""
    return MANY if bench.client.hello_reply["runtime"].startswith(b"cpython") else FEW


def run(bench: Bench, test: Callable[[Any], None], strategy: st.SearchStrategy[Any]) -> None:
    """Run `test` on examples of `strategy`, many or few by the runtime of `bench`."""
    quiet = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    chosen = settings(max_examples=examples(bench), deadline=None, suppress_health_check=quiet)
    chosen(given(strategy)(test))()


# Therapies


def fraction_between(low: Fraction, high: Fraction) -> st.SearchStrategy[tuple[int, int]]:
    """Numerator and denominator, each at most FRACTION_MAX and not always reduced, of a value in [low, high]."""
    least_den = -(-low.denominator // low.numerator)

    def numerators(den: int) -> st.SearchStrategy[tuple[int, int]]:
        first, last = -(-low * den // 1), min(high * den // 1, FRACTION_MAX)
        return st.tuples(st.integers(int(first), int(last)), st.just(den))

    inside = st.integers(least_den, FRACTION_MAX).flatmap(numerators)
    return st.sampled_from([(low.numerator, low.denominator), (high.numerator, high.denominator)]) | inside


def any_fraction() -> st.SearchStrategy[tuple[int, int]]:
    """Any numerator and denominator that the firmware takes."""
    return st.tuples(st.integers(1, FRACTION_MAX), st.integers(1, FRACTION_MAX))


def unused() -> dict[str, Any]:
    """Every figure of a program that may be nothing, as nothing."""
    lists = {"weekdays": bytes(7), "rates": (), "flex": (), "titration": (), "caps": (), "drugs": ()}
    return {field.name: 0 for field in fields(Program)} | lists


@st.composite
def programs(draw: Draw, profile: Profile = PROFILE) -> Program:
    """Any program that a pump of `profile` must take: also those that no regimen file would lead to."""
    made = unused() | {"format": PROGRAM_FORMAT, "therapy_id": draw(st.binary(min_size=8, max_size=8))}
    made |= draw_rates(draw, profile)
    made |= draw_boluses(draw, profile)
    made |= draw_worth(draw, profile)
    made["caps"] = draw_caps(draw, profile, made)
    made |= draw_volumes(draw, profile)
    return Program(**made)


def draw_rates(draw: Draw, profile: Profile) -> dict[str, Any]:
    """Mode and rates; the basal in force stays below half the hard cap of a day, and all leave boluses room."""
    rate_min, rate_max = profile.count_steps(profile.delivery.rate_min), profile.count_steps(profile.delivery.rate_max)
    day = profile.count_steps(profile.caps.day) / 2
    sustained = min(rate_max, Fraction(int(day), DAY_MS + DAY_MS // 240))
    mode = draw(st.sampled_from(["continuous", "minimum_rate", "stopped", "flex", "titration"]))
    basal = draw(fraction_between(rate_min, sustained) if mode == "continuous" else any_fraction() | st.just((0, 0)))
    minimum = draw(fraction_between(rate_min, sustained if mode == "minimum_rate" else rate_max / 2))
    made: dict[str, Any] = {
        "mode": mode,
        "basal_num": basal[0],
        "basal_den": basal[1],
        "minimum_num": minimum[0],
        "minimum_den": minimum[1],
    }
    if mode in ("flex", "titration"):
        table = draw(st.lists(fraction_between(rate_min, sustained), min_size=1, max_size=6))
        made["rates"] = tuple(Rate(num, den) for num, den in table)
        made |= draw_patterns(draw, len(table)) if mode == "flex" else draw_ramp(draw, len(table))
    return made


def draw_patterns(draw: Draw, rates: int) -> dict[str, Any]:
    """One to seven day patterns of up to 48 steps, and which weekday has which."""
    count = draw(st.integers(1, PATTERNS_MAX))
    steps = []
    for pattern in range(count):
        minutes = draw(st.sets(st.integers(1, 1439), max_size=FLEX_STEPS_MAX - 1))
        steps += [FlexStep(pattern, minute, draw(st.integers(0, rates - 1))) for minute in (0, *sorted(minutes))]
    days = draw(st.lists(st.integers(0, count - 1), min_size=7, max_size=7))
    return {"flex": tuple(steps), "weekdays": bytes(days)}


def draw_ramp(draw: Draw, rates: int) -> dict[str, Any]:
    """A titration without a bound on its changes."""
    days = draw(st.sets(st.integers(1, 255), max_size=20))
    return {"titration": tuple(TitrationStep(day, draw(st.integers(0, rates - 1))) for day in (0, *sorted(days)))}


def draw_boluses(draw: Draw, profile: Profile) -> dict[str, Any]:
    """Boluses of every kind, at rates that leave room for the basal, and priming."""
    rate_min, rate_max = profile.count_steps(profile.delivery.rate_min), profile.count_steps(profile.delivery.rate_max)
    most = int(profile.count_steps(profile.caps.bolus))
    made = {"bolus_steps_max": draw(st.integers(0, most)), "square_steps_max": draw(st.integers(0, most))}
    made |= zip(("bolus_num", "bolus_den"), draw(fraction_between(rate_min / 1000, rate_max / 2)), strict=True)
    if draw(st.booleans()):
        made |= {"patient_steps": draw(st.integers(1, 100)), "patient_num": 1, "patient_den": 9_000}
        made |= {"patient_lockout_ms": draw(st.integers(900_000, DAY_MS)), "patient_per_day": draw(st.integers(1, 24))}
    if draw(st.booleans()):
        made |= {"periodic_steps": draw(st.integers(1, 10)), "periodic_num": 1, "periodic_den": 9_000}
        made["periodic_ms"] = draw(st.integers(900_000, FRACTION_MAX))
    if draw(st.booleans()):
        made |= {"prime_steps_max": draw(st.integers(1, most)), "prime_num": 1, "prime_den": 9_000}
        made["path_version"] = draw(st.integers(1, 0xFFFF))
    return made


def draw_worth(draw: Draw, profile: Profile) -> dict[str, Any]:
    """What a step is worth: its volume as the profile says, its drug such that the hard caps can be counted in ng."""
    name = draw(st.binary(max_size=31) | st.binary(min_size=200, max_size=255))
    step_nl = profile.delivery.step_volume
    scale = draw(st.integers(1, FRACTION_MAX // max(step_nl.numerator, step_nl.denominator)))
    highest = Fraction(COUNT_MAX - 1, int(profile.count_steps(profile.caps.day)) + 1)
    step_ng = draw(fraction_between(Fraction(1, 100), highest.limit_denominator(FRACTION_MAX // int(highest + 1))))
    return {
        "step_nl_num": step_nl.numerator * scale,
        "step_nl_den": step_nl.denominator * scale,
        "drugs": (Drug(name, *step_ng),),
    }


def draw_caps(draw: Draw, profile: Profile, made: dict[str, Any]) -> tuple[Cap, ...]:
    """Caps between what comes by itself and what the pump permits: of an hour, of a day, and perhaps two more."""
    program = Program(**made | {"caps": ()})
    step_ng = program.drugs[0].step_ng
    hour, day = int(profile.count_steps(profile.caps.hour)), int(profile.count_steps(profile.caps.day))
    others = draw(st.sets(st.integers(1, CAP_MINUTES_MAX), max_size=2)) - {60, 1440}
    caps = []
    for minutes in (60, 1440, *others):
        span_ms = minutes * 60_000
        hard = hour if minutes <= 60 else day if minutes <= 1440 else 2 * day
        # The least and the most nanograms whose whole steps lie in the permitted range.
        least = -(-program.window_steps(span_ms) * step_ng // 1)
        most = min(-(-(hard + 1) * step_ng // 1) - 1, COUNT_MAX)
        assume(1 <= least <= most)
        caps.append(Cap(minutes, draw(st.integers(int(least), int(most)))))
    return tuple(caps)


def draw_volumes(draw: Draw, profile: Profile) -> dict[str, Any]:
    """Levels in their order, stability, and what a low reservoir and a reached cap do."""
    reservoir = draw(st.integers(1, int(profile.count_steps(profile.reservoir.capacity))))
    low = draw(st.integers(0, reservoir - 1))
    return {
        "reservoir_steps": reservoir,
        "low_steps": low,
        "empty_steps": draw(st.integers(0, low)),
        "stability_days": draw(st.integers(0, 400) | st.just(0xFFFF)),
        "path_nl": draw(st.integers(0, COUNT_MAX)),
        "on_low": draw(st.sampled_from(["keep", "minimum_rate", "stop"])),
        "on_cap": draw(st.sampled_from(["minimum_rate", "stop"])),
    }


def test_any_valid_therapy_is_read_back_equal(shared: Bench) -> None:
    dut = shared.client

    def check(program: Program) -> None:
        with recorded(shared):
            shared.reset_pump()
            data = program.encode_program()
            generation = dut.read_status()["generation"]
            assert reading_of(dut.stage_program(data)) == program.expected_reading()
            assert dut.commit_program(data)["accepted"] == generation + 1
            assert dut.read_program() == (generation + 1, data)
            assert from_bytes(data) == program

    run(shared, check, programs())


# Noise


def is_no_frame(data: bytes) -> bool:
    """Whether nothing in `data`, delimited on both sides, is a frame."""
    for piece in data.split(DELIMITER):
        try:
            decode(piece)
        except FrameError:
            continue
        return False
    return True


def damaged(wire: bytes) -> st.SearchStrategy[bytes]:
    """Pieces, repetitions and flips of a frame, delimiters included."""
    cut = st.tuples(st.integers(0, len(wire)), st.integers(0, len(wire))).map(lambda at: wire[min(at) : max(at)])
    flip = st.tuples(st.integers(0, len(wire) - 1), st.integers(1, 255)).map(
        lambda at: wire[: at[0]] + bytes([wire[at[0]] ^ at[1]]) + wire[at[0] + 1 :]
    )
    return cut | flip


def noise(wire: bytes) -> st.SearchStrategy[list[bytes]]:
    """Bursts of bytes that are no frame, some of them made of the frame `wire`."""
    burst = st.binary(max_size=NOISE_BYTES_MAX) | damaged(wire) | st.just(DELIMITER)
    return st.lists(burst, max_size=8).filter(lambda bursts: is_no_frame(b"".join(bursts)))


def strangers(device_id: bytes) -> st.SearchStrategy[Frame]:
    """Sound frames that this pump must not obey: for others, of unknown type, of another version or session."""
    body = st.binary(max_size=64)
    sequence = st.integers(0, 1 << 20)
    any_type = st.integers(0, 255)
    other_device = st.binary(min_size=4, max_size=4).filter(lambda device: device not in (device_id, bytes(4)))
    session = st.binary(min_size=4, max_size=4).filter(any)
    unknown = any_type.filter(lambda number: number not in KNOWN_TYPES)
    ours = st.just(device_id)
    other_version = st.integers(0, 255).filter(lambda version: version != PROTOCOL_VERSION)
    none = st.just(bytes(4))
    return st.one_of(
        st.builds(Frame, any_type, other_device, none, sequence, body),
        st.builds(Frame, unknown, ours, none, sequence, body),
        st.builds(Frame, any_type, ours, session, sequence, body),
        st.builds(Frame, any_type, ours, none, sequence, body, version=other_version),
        st.builds(Frame, any_type, ours, none, sequence, body, tag=st.binary(min_size=16, max_size=16)),
    )


def start_frame(bench: Bench) -> bytes:
    """The bytes of a command that would start the pump."""
    return encode(bench.wire.make_frame("start", counter=1))


def answered_at_once(bench: Bench) -> dict[str, Any]:
    """The status, in reply to one single frame."""
    return bench.wire.ask_pump("status")


@pytest.fixture
def programmed(shared: Bench, program: Program) -> Bench:
    """The shared pump, programmed and stopped."""
    shared.reset_pump()
    put_in_force(shared.client, program)
    return shared


def test_random_bytes_change_nothing_and_the_next_frame_is_answered(programmed: Bench) -> None:
    def check(bursts: list[bytes]) -> None:
        with recorded(programmed):
            programmed.reset_pump()
            before = programmed.client.read_status()
            for burst in bursts:
                programmed.put_noise(burst)
            assert lasting_status(answered_at_once(programmed)) == lasting_status(before)
            programmed.advance_time(2)
            assert lasting_status(answered_at_once(programmed)) == lasting_status(before)

    run(programmed, check, noise(start_frame(programmed)))


def test_sound_frames_that_are_not_for_it_change_nothing(programmed: Bench) -> None:
    def check(frames: list[Frame]) -> None:
        with recorded(programmed):
            programmed.reset_pump()
            before = programmed.client.read_status()
            for frame in frames:
                programmed.put_noise(encode(frame))
                programmed.advance_time(0.2)
            assert unwritten_status(answered_at_once(programmed)) == unwritten_status(before)
            written = {record.kind for record in records_from(programmed.client, before["journal_next"])}
            assert written <= {"distrusted"}

    run(programmed, check, st.lists(strangers(programmed.client.device_id), max_size=6))


def test_an_answer_to_a_stranger_is_not_taken_for_the_next_one(programmed: Bench) -> None:
    wire = programmed.wire
    asked = wire.make_bare("status")
    programmed.put_noise(encode(replace(asked, version=PROTOCOL_VERSION + 1, sequence=asked.sequence + 1)))
    programmed.advance_time(0.2)
    assert wire.ask_pump("status")["delivery"] == "stopped"


def test_bodies_of_any_length_and_content_are_refused_or_read_but_never_crash(programmed: Bench) -> None:
    reading = sorted(message.type for message in MESSAGES if not message.changes_state)

    def check(asked: tuple[int, bytes]) -> None:
        with recorded(programmed):
            programmed.reset_pump()
            before = programmed.client.read_status()
            frame = programmed.wire.alter_frame(programmed.wire.make_frame("status"), type=asked[0], body=asked[1])
            reply = programmed.wire.exchange_frames(frame)
            assert reply.type in (asked[0] | 0x80, 0xFF)
            programmed.client.abort_stage()
            after = programmed.client.read_status()
            assert unwritten_status(after) == unwritten_status(before)

    run(programmed, check, st.tuples(st.sampled_from(reading), st.binary(max_size=80)))


def test_noise_does_not_move_a_step(programmed: Bench, program: Program) -> None:
    wire = start_frame(programmed)

    def check(bursts: list[bytes]) -> None:
        with recorded(programmed):
            programmed.renew_pump()
            dut = programmed.client
            put_in_force(dut, program)
            start = record_at(dut, dut.start_delivery()["record"])
            started = start.day * DAY_MS + start.ms
            for burst in bursts:
                programmed.put_noise(burst)
                programmed.advance_time(float(STEPS_WATCHED / program.rate) / 1000 / (len(bursts) or 1))
            ended = pump_ms(answered_at_once(programmed))
            timeline = Timeline((Segment(started, program.rate),))
            assert timeline.max_deviation(programmed.steps_ms(), started, ended) <= Fraction(1, 2)

    run(programmed, check, noise(wire))


@given(data=st.binary(max_size=40))
@example(data=b"")
def test_the_strategy_knows_a_frame_in_noise(data: bytes) -> None:
    assert is_no_frame(data)
    assert not is_no_frame(data + DELIMITER + encode(Frame(type=0x10)) + data)
