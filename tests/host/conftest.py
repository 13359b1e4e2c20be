"""Fixtures of the host's tests: the drug library, a bench for regimen files, and the firmware's own classes."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from dosebench.regimen import drugs
from dosebench.regimen.drugs import DrugLibrary
from regimens import ROOT, Bench


@pytest.fixture(scope="session")
def library() -> DrugLibrary:
    return drugs.load_drugs([])


@pytest.fixture
def bench(tmp_path: Path, library: DrugLibrary) -> Bench:
    return Bench(tmp_path, library)


@pytest.fixture(scope="session")
def pump() -> SimpleNamespace:
    """The firmware's own classes, from the very files that run on the pump."""
    sys.path.insert(0, str(ROOT / "firmware"))
    try:
        return SimpleNamespace(
            checksum=importlib.import_module("pump.profile").checksum,
            Profile=importlib.import_module("pump.profile").Profile,
            Therapy=importlib.import_module("pump.dosing.therapy").Therapy,
            Program=importlib.import_module("pump.guard.program").Program,
        )
    finally:
        sys.path.remove(str(ROOT / "firmware"))
