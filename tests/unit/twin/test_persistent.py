"""Named simulations: their URLs and options."""

from __future__ import annotations

import pytest
from dosebench.link.ports import PortError, open_port
from dosebench.twin.persistent import NamedTwin, SimOptions


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


def test_set_keys_needs_an_open_board() -> None:
    with pytest.raises(Exception, match="is not open"):
        NamedTwin(SimOptions.parse_url(BENCH)).set_keys({})
