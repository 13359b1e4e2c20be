"""The parts of the twin: flash, line, plant, time."""

from __future__ import annotations

import json
import random
from array import array

import pytest
from dosebench.profile.parts import ERASE_US, SECTOR_BYTES, WRITE_US_PER_PAGE
from dosebench.twin.flash import CutPlan, Flash, PowerCut
from dosebench.twin.plant import HOUR_US, Plant, PlantSettings
from dosebench.twin.uart import Line, garble_bytes
from hypothesis import given
from hypothesis import strategies as st


def test_flash_clears_bits_and_only_an_erase_sets_them() -> None:
    flash = Flash(2)
    assert flash.write(10, b"\xf0") == WRITE_US_PER_PAGE
    flash.write(10, b"\x3c")
    assert flash.read(10, 1) == b"\x30"
    assert flash.erase(4_095) == ERASE_US
    assert flash.read(10, 1) == b"\xff"
    assert flash.erases == [1, 0]
    assert flash.write(250, bytes(10)) == 2 * WRITE_US_PER_PAGE


@given(st.binary(min_size=1, max_size=64), st.integers(0, 1_000))
def test_a_torn_write_clears_no_bit_that_was_to_stay(data: bytes, seed: int) -> None:
    flash = Flash(1, seed=seed)
    flash.cut = CutPlan(0, "torn")
    with pytest.raises(PowerCut):
        flash.write(0, data)
    written = flash.read(0, len(data))
    for got, wanted in zip(written, data, strict=True):
        assert got & wanted == wanted


def test_a_torn_write_stops_at_a_byte_or_lacks_bits_anywhere_or_nearly_none() -> None:
    data = bytes(64)
    kinds = set()
    for seed in range(200):
        flash = Flash(1, seed=seed)
        flash.cut = CutPlan(0, "torn")
        with pytest.raises(PowerCut):
            flash.write(0, data)
        missing = [byte.bit_count() for byte in flash.data[: len(data)]]
        touched = [at for at, bits in enumerate(missing) if bits]
        if missing[touched[0] + 1 :] == [8] * (63 - touched[0]) and len(touched) > 1:
            kinds.add("stopped at a byte")
        elif len(touched) == 1 and missing[touched[0]] <= 3:
            kinds.add("unstable" if flash.unstable else "nearly done")
        else:
            # Half of the bits of all bytes, give or take four standard deviations.
            assert 166 <= sum(missing) <= 346
            kinds.add("none for long enough")
        assert flash.data[len(data) :] == b"\xff" * (SECTOR_BYTES - len(data))
    assert kinds == {"stopped at a byte", "none for long enough", "nearly done", "unstable"}


@given(st.lists(st.tuples(st.integers(0, 5_000), st.binary(min_size=1, max_size=40)), max_size=12), st.data())
def test_a_line_keeps_order_and_takes_its_time(sends: list[tuple[int, bytes]], data: st.DataObject) -> None:
    line = Line(115_200)
    now = 0
    got = b""
    for wait, piece in sends:
        now += wait
        line.send_bytes(now, piece)
        limit = data.draw(st.integers(1, 50))
        count = min(limit, line.count_arrived(now))
        taken = line.take_bytes(now, limit)
        assert len(taken) == count
        got += taken
    sent = b"".join(piece for _, piece in sends)
    assert sent.startswith(got)
    end = line.idle_us()
    assert end >= len(sent) * 10_000_000 // 115_200
    if rest := line.count_arrived(end):
        assert line.next_us() is not None
        got += line.take_bytes(end, rest)
    assert got == sent
    assert line.next_us() is None


def test_a_line_survives_being_saved() -> None:
    line = Line(9_600, buffer_bytes=8)
    line.send_bytes(0, b"0123456789")
    assert line.lost == 2
    line.take_bytes(3_000, 2)
    again = Line(9_600, buffer_bytes=8)
    again.restore_state(json.loads(json.dumps(line.save_state())))
    assert again.next_us() == line.next_us()
    assert again.take_bytes(10**9, 100) == line.take_bytes(10**9, 100)


def test_only_close_baud_rates_understand_each_other() -> None:
    rng = random.Random(1)
    assert garble_bytes(b"hello", 115_200, 117_000, rng) == b"hello"
    assert garble_bytes(b"hello", 115_200, 9_600, rng) != b"hello"


def test_the_plant_keeps_volume() -> None:
    plant = Plant(PlantSettings(step_nl=250, fill_nl=1_000, catheter_tau_s=10))
    for second in range(4):
        plant.make_step(second * 1_000_000)
    assert plant.read_encoder() == 4
    assert plant.reservoir_nl() == 0
    assert 0 < plant.delivered_nl(3_000_000) < 1_000
    assert plant.delivered_nl(600_000_000) == pytest.approx(1_000)
    assert plant.pressure_kpa(3_000_000) > plant.pressure_kpa(60_000_000) > 0
    plant.refill_reservoir(5_000)
    assert plant.reservoir_nl() == 5_000


def test_a_stalled_or_slipping_motor_moves_less_than_it_is_told() -> None:
    plant = Plant()
    plant.faults.slip = 3
    for _ in range(9):
        plant.make_step(0)
    assert (plant.commanded, plant.read_encoder()) == (9, 6)
    plant.faults.stall = True
    plant.make_step(0)
    assert plant.read_encoder() == 6


def test_the_battery_sinks_with_time_and_steps() -> None:
    plant = Plant(PlantSettings(battery_uah=1_000, idle_ua=1, step_uah=1, wake_uah=0, battery_noise_mv=0))
    full = plant.battery_mv(0)
    later = plant.battery_mv(500 * HOUR_US)
    plant.commanded = 500
    assert full > later > plant.battery_mv(500 * HOUR_US) == pytest.approx(plant.settings.battery_empty_mv, abs=1)


def test_a_plant_survives_being_saved() -> None:
    plant = Plant(seed=4)
    plant.make_step(5)
    plant.sound_tone(1, 5)
    again = Plant.restore_state(json.loads(json.dumps(plant.save_state())), array("q", plant.steps_us))
    assert again == plant
    assert again.battery_mv(100) == plant.battery_mv(100)
