"""Fixtures of the unit tests: a state directory, the drugs, a bench for regimen files, the firmware's classes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from dosebench.regimen import drugs
from dosebench.regimen.drugs import DrugLibrary
from pump.dosing.therapy import Therapy
from pump.guard.reading import Reading
from pump.profile import Profile, checksum
from regimens import Bench
from rules import Rules


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty state directory, which does not exist yet."""
    directory = tmp_path / "state"
    monkeypatch.setenv("DOSEBENCH_STATE", str(directory))
    monkeypatch.delenv("DOSEBENCH_PORT", raising=False)
    return directory


@pytest.fixture(scope="session")
def library() -> DrugLibrary:
    return drugs.load_drugs([])


@pytest.fixture
def bench(tmp_path: Path, library: DrugLibrary) -> Bench:
    return Bench(tmp_path, library)


@pytest.fixture
def rules(bench: Bench) -> Rules:
    return Rules(bench)


@pytest.fixture(scope="session")
def pump() -> SimpleNamespace:
    """The firmware's own classes, from the very files that run on the pump."""
    return SimpleNamespace(checksum=checksum, Profile=Profile, Therapy=Therapy, Reading=Reading)
