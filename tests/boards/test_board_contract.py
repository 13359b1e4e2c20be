"""One contract for all boards: that of the bench bus, and the board files of chips on fake hardware."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from dosebench.twin.persistent import profile_settings
from dosebench.twin.runtimes import ProcessRuntime, RuntimeName, list_available
from dosebench.twin.twin import Twin, one_core
from fakemachine import FAKES, FAMILIES, board_twin, words

PARTS = ["who", "time", "motor", "flash", "senses", "heap", "line"]


@contextmanager
def contract_twin(board: str, runtime: RuntimeName) -> Iterator[Twin]:
    settings = profile_settings("implant-40", runtime, seed=1)
    if board in FAMILIES:
        twin = board_twin(settings, board, "contract_chip.py", runtime)
    else:
        twin = Twin(settings)
        twin.booter = lambda: ProcessRuntime.start_child(twin.machine, runtime, FAKES / "contract_bus.py")
    with one_core():
        try:
            yield twin
        finally:
            twin.power_off()


@pytest.mark.parametrize("runtime", ["wasm", "unix"])
@pytest.mark.parametrize("board", ["bus", *FAMILIES])
def test_every_board_keeps_the_contract(board: str, runtime: RuntimeName) -> None:
    if not list_available()[runtime]:
        pytest.skip(f"the {runtime} runtime is not installed here")
    with contract_twin(board, runtime) as twin:
        twin.power_on()
        twin.advance_time(80)
        said = words(twin)
        assert said[-1] == ["listening"], said
        twin.host_write(b"\x03\x00\x04\xffx")
        twin.advance_time(3)
        said += words(twin)
        assert [line[1] for line in said if line[0] == "holds"] == PARTS
        assert ["kept"] not in said
        twin.power_cycle()
        twin.advance_time(80)
        assert ["kept"] in words(twin)
