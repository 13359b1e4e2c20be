"""Flash: bits, torn writes, cuts."""

from __future__ import annotations

import pytest
from dosebench.profile.parts import ERASE_US, SECTOR_BYTES, WRITE_US_PER_PAGE
from dosebench.twin.flash import CutPlan, Flash, PowerCut
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
