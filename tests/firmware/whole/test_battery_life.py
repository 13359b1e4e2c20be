"""The estimate of a battery's life against the charge that the twin's plant really counted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import pytest
from dosebench.base.units import DAY_MS
from dosebench.link.client import PumpClient
from dosebench.profile import load as pump_profile
from dosebench.profile.power import charges_uah
from dosebench.regimen.compile import compile_order
from dosebench.regimen.order import DoseCap, Order
from dosebench.therapy.energy import estimate_life, usage_by, usage_of
from dosebench.therapy.program import Program
from dosebench.twin.battery import voltage_left
from dosebench.twin.persistent import profile_settings
from dosebench.twin.serial_port import Serial
from dosebench.twin.twin import Twin

LONG = bool(os.environ.get("DOSEBENCH_LONG"))
DAYS = 60 if LONG else 5
"""Two months in `make campaign`, with a refill where it is due."""
CLOSE = 0.01
"""What the estimate may be off, as a share; R33 allows 0.25."""
PUMP = "implant-40"
IMPLANT = pump_profile.load_profile(PUMP)
USUAL = Order(
    title="",
    profile=PUMP,
    drug="saline",
    concentration=Fraction(1),
    filled=Fraction(40_000_000),
    low=Fraction(2_000_000),
    empty=Fraction(1_000_000),
    mode="continuous",
    basal=Fraction(0),
    minimum=IMPLANT.delivery.rate_min,
    bolus_max=Fraction(0),
    bolus_rate=IMPLANT.caps.bolus_rate,
    caps=(DoseCap(60, Fraction(1_000_000)), DoseCap(1440, Fraction(6_000_000))),
    stability_days=0,
    on_low="keep",
    on_cap="minimum_rate",
)


def program_at(ml_per_day: Fraction) -> Program:
    return compile_order(replace(USUAL, basal=ml_per_day * 1_000_000 / DAY_MS), IMPLANT)


@pytest.fixture
def twin() -> Iterator[Twin]:
    with Twin(profile_settings(PUMP, "cpython", seed=1)).power_on() as made:
        yield made


def deliver(twin: Twin, program: Program, days: int) -> PumpClient:
    """Program and start, and let days pass, with a refill whenever the reservoir would be low."""
    client = PumpClient(Serial(twin=twin, baudrate=twin.machine.baud, timeout=0.1))
    client.connect()
    client.stage_program(program.encode_program())
    client.commit_program(program.encode_program())
    client.start_delivery()
    for _ in range(days):
        twin.advance_time(86_400)
        if twin.plant.reservoir_nl() < 12_000_000:
            twin.plant.refill_reservoir(40_000_000)
            client.record_refill(160_000)
    return client


def used_uah(twin: Twin) -> float:
    return twin.plant.used_uah(twin.machine.now_us)


@pytest.mark.requirement("R33")
@pytest.mark.parametrize("ml_per_day", [Fraction(1, 10), Fraction(1, 2), Fraction(4)], ids=str)
def test_the_estimate_is_what_the_plant_counts(twin: Twin, ml_per_day: Fraction) -> None:
    program = program_at(ml_per_day)
    expected = estimate_life(IMPLANT, usage_of(IMPLANT, program))
    deliver(twin, program, DAYS)
    days = twin.machine.now_us / 1000 / DAY_MS
    assert used_uah(twin) == pytest.approx(days * expected.day_uah, rel=CLOSE)


@pytest.mark.requirement("R33")
def test_what_the_pump_tells_of_its_life_is_what_the_plant_counts(twin: Twin) -> None:
    client = deliver(twin, program_at(Fraction(1)), DAYS)
    told = charges_uah(IMPLANT, usage_by(IMPLANT, client.read_status(), client.read_counters()))
    assert sum(told.values()) == pytest.approx(used_uah(twin), rel=CLOSE)


def test_every_consumer_is_counted_by_both(twin: Twin) -> None:
    """Not only the sum: what takes charge in the plant is in the estimate under some name, and as much of it."""
    program = program_at(Fraction(1))
    deliver(twin, program, 0)
    before = twin.plant.charges_uah(twin.machine.now_us)
    twin.advance_time(DAYS * 86_400)
    seen = {name: all_uah - before[name] for name, all_uah in twin.plant.charges_uah(twin.machine.now_us).items()}
    told = {name: DAYS * charge for name, charge in charges_uah(IMPLANT, usage_of(IMPLANT, program)).items()}
    assert told["idle"] + told["listening"] + told["self_discharge"] == pytest.approx(seen["idle"], rel=1e-6)
    assert told["delivery_wakes"] + told["sensor_wakes"] == pytest.approx(seen["wakes"], rel=CLOSE)
    assert told["steps"] + told["flash"] == pytest.approx(seen["steps"] + seen["awake"] + seen["flash"], rel=CLOSE)
    # An hour's lease is a record; whether one sector more or less begins in a few days is a matter of chance.
    assert told["flash"] == pytest.approx(seen["flash"], rel=0.5)


@pytest.mark.parametrize("name", pump_profile.builtin_names())
def test_the_level_of_a_low_battery_leaves_the_reserve(name: str) -> None:
    """The twin's cell shows the low level when the share of its charge is left that the estimate reckons with."""
    pump = pump_profile.load_profile(name)
    battery = pump.battery
    left = voltage_left(battery.cell, 1 - float(pump.energy.reserve))
    assert float(battery.stop + (battery.start - battery.stop) * Fraction(left)) == pytest.approx(battery.low, abs=10)
