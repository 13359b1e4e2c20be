"""One flipped bit anywhere, at any moment: the pump does as if it had not been, or it says so and stands still."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, NamedTuple

import pytest
from cuts import ALARMS, CONFIG, Scenario, fresh
from dosebench.link.client import RefusedError
from dosebench.profile.device_config import seal_config
from dosebench.twin.flash import Flash
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from pumpside import PumpSide, examples, pump

QUICK = [Phase.explicit, Phase.reuse, Phase.generate]
NOTICED = {"selftest_failed", "guard_disagrees", "therapy_lost", "journal_damaged", "motor_runaway", "motor_stall"}
RATE = {"basal_num": 7, "basal_den": 400_001}
SLOTS = 102
"""Records of a sector."""
LEASE_STEPS = 64
BOLUS = 60
WRONG_STEPS_MAX = LEASE_STEPS + BOLUS
"""What a flip in RAM can move wrongly at most before it is noticed: what an hour's lease and an open bolus may move."""


# Flash


@pytest.fixture(scope="module")
def used() -> Scenario:
    scenario = Scenario(0)
    scenario.run()
    return scenario


def booted(scenario: Scenario, at: int, flip: int | None) -> tuple[dict[str, Any], set[str], list[str]]:
    """What a pump knows after a boot from the flash before operation `at`, its alarms, and the records of that boot."""
    operation = scenario.operations[at]
    data = bytearray(operation.before)
    if flip is not None:
        data[flip // 8] ^= 1 << flip % 8
    with fresh(Flash(len(data) // 4096, data=data), operation.steps_us, operation.now_us) as side:
        side.twin.power_on("brown_out")
        side.client.connect()
        status = side.client.read_status()
        records = [record.kind for record in side.records()]
        known = {name: status[name] for name in ("generation", "therapy_id", "low_steps", "high_steps", "delivery")}
        known |= {name: status[name] for name in ("reservoir_steps", "boot_count", "titration_day", "missed_steps")}
        ledger = side.twin._runtime.pump.ledger  # type: ignore[union-attr]
        known |= {"hosts": [vars(outcome) | {"record": 0} for outcome in ledger.outcomes.hosts]}
        known |= {"patient": ledger.facts.patient_times}
        known |= {"program": side.twin._runtime.pump.store.program, "windows": status["window_ng"]}  # type: ignore[union-attr]
        return known, set(status["alarms"]), records


@pytest.mark.requirement("R53")
@pytest.mark.requirement("R55")
@settings(max_examples=examples(75, 100), deadline=None, phases=QUICK)
@given(st.integers(0, 158), st.integers(0, 8 * 4096 * CONFIG["flash_sectors"] - 1))
@example(108, 8 * 4 * 4096 - 1)
def test_a_flip_in_flash_is_put_right_or_stops_the_pump(used: Scenario, at: int, flip: int) -> None:
    known, alarms, known_records = booted(used, at, None)
    assert not alarms & NOTICED
    flipped, flipped_alarms, flipped_records = booted(used, at, flip)
    if len(flipped_records) < len(known_records) - SLOTS // 2:
        # The flip met the slot that the boot was about to write, the last of its sector: a new sector is opened, the
        # oldest is gone, and what it told of the windows is carried on as one sum, which never counts too little.
        sums = [[window.pop("ng") for window in one["windows"]] for one in (flipped, known)]
        assert all(after >= before for after, before in zip(*sums, strict=True))
    if "therapy_lost" in flipped_alarms:
        # In the middle of a commit there is one whole copy, and the flip met that one.
        assert used.operations[at].told.act.startswith("program")
        assert flipped["delivery"] == "safe"
        return
    assert flipped == known
    assert flipped_alarms - {"journal_damaged"} == alarms
    if in_use(used.operations[at].before, flip):
        assert "journal_damaged" in flipped_alarms or "mended" in since_boot(flipped_records)


def since_boot(records: list[str]) -> list[str]:
    """The kinds of the records of the last boot; writing them may have wrapped the ring."""
    return records[len(records) - records[::-1].index("boot") :]


def in_use(data: bytes, flip: int) -> bool:
    """Whether a bit lies in a record, header or therapy copy: not in what is erased, or in a page behind a program."""
    at = flip // 8
    sector, offset = divmod(at, 4096)
    if sector < 2:
        if data[sector * 4096 : sector * 4096 + 4] != b"DBTH":
            # A copy that was cut short has no header yet: whatever it holds is written again.
            return False
        length = int.from_bytes(data[sector * 4096 + 8 : sector * 4096 + 10], "little")
        return offset < 10 or 16 <= offset < 32 + length
    start = sector * 4096 + (0 if offset < 16 else 16 + (offset - 16) // 40 * 40)
    length = 16 if offset < 16 else 40
    return data[start : start + length] not in (b"\xff" * length, bytes(length)) and last_but_one(data, sector, start)


def last_but_one(data: bytes, sector: int, start: int) -> bool:
    """Whether another record follows: a bit that is missing in the last one is programmed again and not reported."""
    follows = start + (40 if start % 4096 else 16)
    return follows % 4096 >= 16 and follows + 40 <= (sector + 1) * 4096 and data[follows : follows + 40] != b"\xff" * 40


# Settings


@pytest.mark.requirement("R50")
@pytest.mark.requirement("R56")
@settings(max_examples=examples(60), deadline=None, phases=QUICK)
@given(st.data())
def test_a_flip_in_the_settings_is_the_safe_state_and_touches_no_flash(data: st.DataObject) -> None:
    with pump() as side:
        side.program()
        side.start()
        side.twin.advance_time(600)
        side.twin.power_off()
        config = dict(side.twin.machine.config)
        name = data.draw(st.sampled_from(sorted(config)))
        value = config[name]
        if isinstance(value, int):
            config[name] = value ^ 1 << data.draw(st.integers(0, 29))
        else:
            at = data.draw(st.integers(0, len(value) - 1))
            config[name] = value[:at] + chr(ord(value[at]) ^ 1 << data.draw(st.integers(0, 6))) + value[at + 1 :]
        side.twin.machine.config = config
        before, made = bytes(side.twin.flash.data), side.twin.plant.read_encoder()
        side.twin.start_firmware(_boot(side), "power_on")
        side.client.connect()
        status = side.client.read_status()
        assert status["delivery"] == "safe"
        assert "selftest_failed" in status["alarms"]
        side.twin.advance_time(7_200)
        assert bytes(side.twin.flash.data) == before
        assert side.twin.plant.read_encoder() == made


@pytest.mark.requirement("R50")
@pytest.mark.parametrize(("flash_sectors", "fault_sectors"), [(15, 12), (12, 12), (64, 1), (2, 0), (4, 2)])
def test_settings_that_leave_a_ring_no_room_are_the_safe_state_and_touch_no_flash(
    flash_sectors: int, fault_sectors: int
) -> None:
    with pump() as side:
        side.program()
        side.twin.power_off()
        sectors = {"flash_sectors": flash_sectors, "fault_sectors": fault_sectors}
        side.twin.machine.config = seal_config(side.twin.machine.config | sectors)
        before = bytes(side.twin.flash.data)
        side.twin.start_firmware(_boot(side), "power_on")
        side.client.connect()
        status = side.client.read_status()
        assert (status["delivery"], "selftest_failed" in status["alarms"]) == ("safe", True)
        side.twin.advance_time(3_700)
        assert bytes(side.twin.flash.data) == before


def _boot(side: PumpSide) -> Any:
    from dosebench.twin.runtimes import boot_firmware  # noqa: PLC0415

    return boot_firmware(side.twin.machine, "cpython")


# RAM


class Place(NamedTuple):
    """A number in RAM: how to reach what holds it, its name or index, and how many bits it has."""

    holder: Callable[[Any], Any]
    name: str | int
    bits: int = 30


def places() -> dict[str, Place]:
    """Everything that decides what moves, by name."""
    found: dict[str, Place] = {}

    def add(prefix: str, holder: Callable[[Any], Any], names: str, bits: int = 30) -> None:
        found.update({f"{prefix}.{name}": Place(holder, name, bits) for name in names.split()})

    add("basal", lambda p: p.delivery.schedule.basal, "num den acc _crumb _check", 29)
    add("bolus", lambda p: p.delivery.schedule.bolus, "num den acc _crumb _check", 29)
    add("schedule", lambda p: p.delivery.schedule, "bolus_left bolus_made square_left square_made")
    add("schedule", lambda p: p.delivery.schedule, "periodic_ms periodic_waits _period_ms _periodic_passed")
    add("schedule", lambda p: p.delivery.schedule, "_periodic_steps _periodic_num _periodic_den")
    add("plan", lambda p: p.delivery.plan, "num den _basal_num _basal_den _minimum_num _minimum_den", 29)
    add("plan", lambda p: p.delivery.plan, "bridge_left _bridge_num", 29)
    add("plan", lambda p: p.delivery.plan, "titration_day _titration_ms _mode _at _day_number lag", 29)
    for window in ("_hour", "_day"):
        add(window, lambda p, w=window: getattr(p.delivery.guard, w), "sum _limit _check _at _into_ms bucket_ms")
    add("cap", lambda p: p.delivery.guard._caps[0], "sum _limit _check _at _into_ms bucket_ms")
    add("guard", lambda p: p.delivery.guard, "_allowance _check_allowance _prime_left _prime_max _bridge_left _bridged")
    add("facts", lambda p: p.ledger.facts, "low high allowance reservoir generation hash_head")
    add("facts", lambda p: p.ledger.facts, "traits priority", 8)
    add("facts", lambda p: p.ledger.facts, "commit_high boot_count")
    add("clock", lambda p: p.clock, "day ms _offset_days _offset_ms", 26)
    add("motor", lambda p: p.delivery.motor, "_step_ms _steps_max _on_ms_max _position")
    add("therapy", lambda p: p.delivery.therapy, "low_steps empty_steps basal_num basal_den")
    add("therapy", lambda p: p.delivery.therapy, "bolus_num bolus_den bolus_steps_max")
    add("profile", lambda p: p.profile, "lease_ms rate_max_num rate_max_den step_ms retest_ms bolus_steps_max")
    for at in (0, 17, 240):
        found[f"hour.counts[{at}]"] = Place(lambda p: p.delivery.guard._hour._counts, at, 16)
        found[f"cap.counts[{at}]"] = Place(lambda p: p.delivery.guard._caps[0]._counts, at, 16)
    return found


PLACES = places()


def test_every_place_is_one_that_a_pump_has() -> None:
    with pump() as side:
        side.program()
        for name, place in PLACES.items():
            holder = place.holder(side.twin._runtime.pump)  # type: ignore[union-attr]
            value = holder[place.name] if isinstance(place.name, int) else getattr(holder, place.name)
            assert isinstance(value, int), name


def flip_in(pump_object: Any, place: Place, bit: int) -> None:
    holder = place.holder(pump_object)
    if isinstance(place.name, int):
        holder[place.name] ^= 1 << bit % place.bits
    else:
        setattr(holder, place.name, getattr(holder, place.name) ^ 1 << bit % place.bits)


def run_on(side: PumpSide, seconds: float) -> None:
    """Let time pass; a program that an index throws out of its array is reset by the watchdog."""
    end = side.twin.now_s + seconds
    while side.twin.now_s < end:
        try:
            side.twin.advance_time(end - side.twin.now_s)
        except (IndexError, ZeroDivisionError, OverflowError):
            side.twin.power_cycle(cause="watchdog")


def delivered(place: Place | None, bit: int, wait_s: int, with_bolus: bool) -> tuple[list[int], set[str], str]:
    """Step times of a pump whose bit flips after `wait_s`, its alarms, and how it delivers in the end."""
    with pump() as side:
        side.client.set_clock(datetime(2026, 3, 4, 5, 6, 7))
        side.program(**RATE)
        side.start()
        if with_bolus:
            side.client.give_bolus(BOLUS)
        side.twin.advance_time(wait_s)
        side.settle()
        if place is not None:
            flip_in(side.twin._runtime.pump, place, bit)  # type: ignore[union-attr]
        run_on(side, 3 * 3_600)
        if not side.twin.powered:
            side.twin.power_on("watchdog")
        side.client.connect()
        status = side.client.read_status()
        low, high = status["low_steps"], status["high_steps"]
        if place is None or place.name != "_position":
            assert low <= len(side.twin.plant.steps_us) <= high, (low, len(side.twin.plant.steps_us), high)
        return side.twin.step_times_ms(), set(status["alarms"]), status["delivery"]


@pytest.mark.requirement("R56")
@pytest.mark.requirement("R57")
@settings(max_examples=examples(60, 100), deadline=None, phases=QUICK)
@given(st.sampled_from(sorted(PLACES)), st.integers(0, 29), st.sampled_from([10, 170, 2_000, 3_590]), st.booleans())
def test_a_flip_in_ram_changes_nothing_or_is_noticed_within_a_lease(
    name: str, bit: int, wait_s: int, with_bolus: bool
) -> None:
    right, alarms, _ = delivered(None, 0, wait_s, with_bolus)
    assert not alarms & NOTICED
    made, flipped_alarms, delivery = delivered(PLACES[name], bit, wait_s, with_bolus)
    if made == right:
        return
    excess = max((at + 1 - bisect_right(right, time) for at, time in enumerate(made)), default=0)
    assert excess <= WRONG_STEPS_MAX, excess
    reset = delivery == "running" and "clock_unknown" in flipped_alarms
    assert flipped_alarms & NOTICED or reset, (flipped_alarms, len(made), len(right))
    assert delivery == "safe" or reset


def _flipped_moment(moment: tuple[int, int], bit: int) -> tuple[int, int]:
    return (moment[0] ^ 1 << bit, moment[1]) if bit < 15 else (moment[0], moment[1] ^ 1 << bit - 15)


FACTS = ("filled_steps", "filled_low", "filled_high", "filled_day", "replacement_local", "implant_days")
MOMENTS = ("stopped_since", "replacement_since")


@pytest.mark.requirement("R56")
@pytest.mark.parametrize("name", FACTS + MOMENTS)
def test_a_flip_in_what_refill_service_and_stop_left_is_noticed_before_it_is_made_durable(name: str) -> None:
    with pump() as side:
        side.client.set_clock(datetime(2026, 3, 4, 5, 6, 7))
        side.client.record_implant(date(2026, 3, 4))
        side.client.record_refill(1_000)
        side.program(**RATE)
        ledger = side.twin._runtime.pump.ledger  # type: ignore[union-attr]
        # A battery that cannot be changed and is low: its day is a fact for ever.
        side.twin._runtime.pump.service.record_replacement(2_700)  # type: ignore[union-attr]
        assert ledger.is_intact()
        for bit in range(30):
            right = getattr(ledger.facts, name)
            setattr(ledger.facts, name, _flipped_moment(right, bit) if name in MOMENTS else right ^ 1 << bit)
            assert not ledger.is_intact(), bit
            setattr(ledger.facts, name, right)
        assert ledger.is_intact()
        setattr(ledger.facts, name, _flipped_moment(right, 3) if name in MOMENTS else right ^ 8)
        with pytest.raises(RefusedError):
            side.client.start_delivery()
        status = side.client.read_status()
        assert (status["delivery"], "selftest_failed" in status["alarms"]) == ("safe", True)


@pytest.mark.requirement("R56")
def test_every_bit_of_the_accumulator_is_looked_at_before_the_next_step() -> None:
    for name in ("basal.num", "basal.den", "basal.acc", "basal._crumb"):
        for bit in range(29):
            with pump() as side:
                side.program(**RATE)
                side.start()
                side.twin.advance_time(600)
                before = len(side.twin.plant.steps_us)
                flip_in(side.twin._runtime.pump, PLACES[name], bit)  # type: ignore[union-attr]
                side.twin.advance_time(4_000)
                assert len(side.twin.plant.steps_us) == before
                side.client.connect()
                status = side.client.read_status()
                assert status["delivery"] == "safe"
                assert "selftest_failed" in status["alarms"]


@pytest.mark.requirement("R56")
def test_a_flip_in_the_program_bytes_is_noticed_within_an_hour() -> None:
    with pump() as side:
        side.program(**RATE)
        side.start()
        store = side.twin._runtime.pump.store  # type: ignore[union-attr]
        data = bytearray(store.program)
        data[40] ^= 16
        store.program = bytes(data)
        side.twin.advance_time(3_700)
        side.client.connect()
        status = side.client.read_status()
        assert (status["delivery"], "selftest_failed" in status["alarms"]) == ("safe", True)
        with pytest.raises(RefusedError):
            side.client.alarm_clear(["selftest_failed"])
        side.twin.power_cycle()
        side.client.connect()
        side.client.alarm_clear(["selftest_failed"])
        side.client.start_delivery()
        assert side.client.read_program()[1] != bytes(data)


def test_a_flip_in_a_therapy_copy_is_mended_while_the_pump_runs() -> None:
    with pump() as side:
        side.program(**RATE)
        side.start()
        for copy in (0, 1):
            side.twin.flash.data[4096 * copy + 100] ^= 8
            side.twin.advance_time(3_700)
            assert [record.fields["copy"] for record in side.records() if record.kind == "mended"][-1] == copy
        assert side.client.read_status()["alarms"] == ()
        assert side.client.read_memory()["program_mended"] == 2


def test_alarm_names_are_those_of_the_protocol() -> None:
    assert set(ALARMS.values()) >= NOTICED
