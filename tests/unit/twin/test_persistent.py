"""Named simulations: their URLs and options."""

from __future__ import annotations

import json

import pytest
from dosebench.link.ports import PortError, open_port
from dosebench.twin.persistent import NamedTwin, SimError, SimOptions, sims_dir


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sim://a/b", "letters, digits"),
        ("sim://?runtime=perl", "unix, wasm, cpython"),
        ("sim://?colour=red", "unknown option 'colour'"),
        ("sim://?seed=x", "whole numbers"),
        ("sim://?profile=implant-4", "implant-4"),
    ],
)
def test_a_wrong_url_is_explained(url: str, words: str) -> None:
    with pytest.raises(PortError) as caught:
        open_port(url)
    assert words in str(caught.value)


BENCH = "sim://bench"


@pytest.mark.parametrize("made_by", [{"format": 4}, {}])
def test_a_simulation_of_another_release_is_refused_with_what_to_do(made_by: dict[str, int]) -> None:
    directory = sims_dir() / "bench"
    directory.mkdir(parents=True)
    (directory / "twin.json").write_text(json.dumps(made_by))
    with pytest.raises(SimError, match="another release, and this firmware cannot read its journal") as caught:
        NamedTwin(SimOptions.parse_url(BENCH)).open_twin()
    assert "dosebench sim --remove bench" in str(caught.value.hint)
    assert json.loads((directory / "twin.json").read_text()) == made_by


def test_set_keys_needs_an_open_board() -> None:
    with pytest.raises(Exception, match="is not open"):
        NamedTwin(SimOptions.parse_url(BENCH)).set_keys({})
