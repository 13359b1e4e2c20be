"""Where this host keeps what must outlive a command."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest
from dosebench.base.paths import STATE_VARIABLE, examples_dir, state_dir


def test_the_environment_names_the_state_directory_which_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = tmp_path / "a" / "b"
    monkeypatch.setenv(STATE_VARIABLE, str(wanted))
    assert not wanted.exists()
    assert state_dir() == wanted
    assert wanted.is_dir()
    (wanted / "kept").touch()
    assert state_dir() == wanted
    assert (wanted / "kept").exists()


@pytest.mark.parametrize("given", [None, ""])
def test_without_it_the_platform_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None) -> None:
    if given is None:
        monkeypatch.delenv(STATE_VARIABLE)
    else:
        monkeypatch.setenv(STATE_VARIABLE, given)
    monkeypatch.setattr(platformdirs, "user_state_dir", lambda name, **_: str(tmp_path / name))
    assert state_dir() == tmp_path / "dosebench"
    assert (tmp_path / "dosebench").is_dir()


def test_the_examples_lie_in_the_tree() -> None:
    names = {path.name for path in examples_dir().glob("*.toml")}
    assert "c5-baclofen-800.toml" in names
