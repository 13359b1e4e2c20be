"""`bench.set_fault`: the surroundings of a pump under test, broken and mended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dosebench.twin import persistent
from dosebench.twin.faults import FaultError
from dosebench_hil.bench import Bench, FeatureMissingError, PortBench, TwinBench, TwinOptions


@pytest.fixture(params=["twin", "kept"])
def bench(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A twin of its own, and a simulation that is kept."""
    monkeypatch.setenv("DOSEBENCH_STATE", str(tmp_path))
    twin = request.param == "twin"
    made: Bench = TwinBench(TwinOptions(runtime="cpython")) if twin else PortBench("sim://bench?runtime=cpython")
    yield made
    made.close()
    for name in persistent.list_names():
        persistent.remove_twin(name)


def test_a_fault_lasts_as_long_as_its_block(bench: Bench) -> None:
    faults = bench.get_twin("faults").plant.faults
    bench.set_fault("slip", 10)
    with bench.set_fault("occlusion"), bench.set_fault("slip", "off"):
        assert faults.list_present() == {"occlusion": 1e9}
    assert faults.list_present() == {"slip": 10}
    with bench.set_fault("none"):
        assert faults.list_present() == {}
    assert faults.list_present() == {"slip": 10}
    bench.no_faults()
    assert faults.list_present() == {}
    with pytest.raises(FaultError):
        bench.set_fault("oclusion")


def test_the_known_state_is_a_whole_pump_with_a_full_reservoir(bench: Bench) -> None:
    bench.set_fault("free_flow", 1_000)
    bench.set_fault("level_stuck")
    bench.advance_time(3_600)
    bench.reset_pump()
    assert bench.get_twin("faults").plant.faults.list_present() == {}
    assert bench.reservoir_nl() == 40_000_000


def test_a_board_has_no_faults_to_give(bench: Bench) -> None:
    bench.features = frozenset()
    with pytest.raises(FeatureMissingError, match="leave out --hil-port"):
        bench.set_fault("stall")
    bench.features = frozenset({"faults"})
