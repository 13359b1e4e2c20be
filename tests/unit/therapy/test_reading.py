"""The pump's reading of a program equals the host's."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest
from dosebench.profile import load
from dosebench.profile.model import Profile
from dosebench.regimen.compile import compile_order
from dosebench.therapy.program import Reading
from hypothesis import given, settings
from hypothesis import strategies as st
from orders import BACLOFEN, programs


@pytest.fixture(scope="session")
def implant() -> Profile:
    return load.load_profile("implant-40")


@pytest.mark.requirement("R57")
@pytest.mark.requirement("R63")
@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_the_pump_reads_a_program_as_the_host_does(
    implant: Profile, pump: SimpleNamespace, data: st.DataObject
) -> None:
    item = data.draw(programs(implant))
    own = dataclasses.asdict(item.expected_reading())
    device = pump.Reading(item.encode_program()).figures()
    limits = {"volume": 0, "stability": 1, "cap": 2}
    assert device.pop("refill") == (own["refill_days"], limits[own["refill_limit"]])
    assert device == {name: own[name] for name in device}
    assert set(device) > {"daily_steps", "weekly_dose_ng", "periodic_dose_ng", "patient_dose_ng", "bridge_ms"}


def test_a_reading_from_the_devices_answer(implant: Profile) -> None:
    own = compile_order(BACLOFEN, implant).expected_reading()
    answer = dataclasses.asdict(own) | {"caps": [{"minutes": 60, "ng": 117_667}, {"minutes": 1440, "ng": 1_051_000}]}
    assert Reading.from_answer(answer) == own
