"""The table of faults: names, values, refusals."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from dosebench.twin.faults import COMPLETE, KINDS, FaultError, Faults, check_value, format_faults, parse_fault


def test_every_fault_can_be_set_by_its_name_and_ended() -> None:
    faults = Faults()
    for name, kind in KINDS.items():
        faults.set_fault(name)
        assert faults.list_present() == {name: kind.usual}
        assert kind.off != kind.usual
        assert kind.meaning.endswith(".")
        faults.set_fault(name, "off")
        assert faults.list_present() == {}
    for name in KINDS:
        faults.set_fault(name)
    assert set(faults.list_present()) == set(KINDS)
    faults.set_fault("none")
    assert faults == Faults()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("oclusion", 'did you mean "occlusion"?'),
        ("non", 'did you mean "none"?'),
        ("slip=often", "1 to 1e+06 steps, not 'often'"),
        ("slip=2.5", "whole numbers"),
        ("slip=-1", "takes 1 to"),
        ("leak=1.5", "takes 0 to 1, not"),
        ("occlusion=nan", "takes 1 to"),
        ("occlusion=0.5", "takes 1 to"),
        ("stall=2", "on or off"),
        ("level_stuck=maybe", "on or off"),
        ("none=1", 'no fault "none"'),
    ],
)
def test_a_wrong_fault_is_explained(text: str, words: str) -> None:
    with pytest.raises(FaultError) as caught:
        parse_fault(text)
    assert words in str(caught.value)


def test_values_are_read_as_people_write_them() -> None:
    assert check_value("stall", "yes") is True
    assert check_value("occlusion", "on") == COMPLETE
    assert check_value("step_volume_factor", "off") == 1.0
    assert check_value("level_offset", "-150") == -150
    assert format_faults({"occlusion": COMPLETE, "slip": 10, "stall": True}) == "occlusion, slip=10, stall"
    assert format_faults({}) == "no faults"


def test_a_mistyped_attribute_is_no_fault() -> None:
    with pytest.raises(AttributeError):
        Faults().oclusion = 3  # type: ignore[attr-defined]


def test_the_page_of_the_twin_lists_every_fault_as_it_is() -> None:
    page = (Path(__file__).parents[3] / "docs" / "TWIN.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| .*? \| (.*) \|$", page.split("## Faults")[1], re.MULTILINE))
    assert rows == {name: kind.meaning for name, kind in KINDS.items()}
