"""The pump's reading of a program equals the host's."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest
from dosebench.profile import load
from dosebench.profile.model import Profile
from dosebench.regimen.compile import compile_order
from dosebench.therapy.fractions import ProgramError
from dosebench.therapy.program import Reading
from dosebench.therapy.reading import list_disagreements
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
    doses = [tuple(drug.values()) for drug in own["drugs"]]
    assert device.pop("doses") == [(len(name), *amounts) for name, *amounts in doses]
    assert device == {name: own[name] for name in ("daily_steps", "daily_volume_nl", "bridge_ms")}


def test_a_reading_from_the_devices_answer(implant: Profile) -> None:
    own = compile_order(BACLOFEN, implant).expected_reading()
    (doses,) = dataclasses.asdict(own)["drugs"]
    answer = dataclasses.asdict(own) | {
        "drugs": [{"name_bytes": len(doses.pop("name"))} | doses],
        "drug_names": b"baclofen",
        "caps": [{"drug": 0, "minutes": 60, "ng": 117_667}, {"drug": 0, "minutes": 1440, "ng": 1_051_000}],
    }
    assert Reading.from_answer(answer) == own
    with pytest.raises(ProgramError, match="names 1 drugs with 9 bytes of names"):
        Reading.from_answer(answer | {"drug_names": b"baclofens"})


def test_what_differs_is_named_by_its_figure(implant: Profile) -> None:
    own = compile_order(BACLOFEN, implant).expected_reading()
    less = dataclasses.replace(own.drug, weekly_dose_ng=1, daily_dose_ng=1)
    assert list_disagreements(own, own) == []
    assert list_disagreements(own, dataclasses.replace(own, bridge_ms=1)) == ["bridge_ms"]
    assert list_disagreements(own, dataclasses.replace(own, drugs=(less,))) == ["daily_dose_ng", "weekly_dose_ng"]
    assert list_disagreements(own, dataclasses.replace(own, drugs=(own.drug, own.drug))) == ["drugs"]
