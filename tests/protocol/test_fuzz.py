"""The fuzzer's corpus, run again; with atheris a short run from there on; and that the target would notice."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dosebench_protocol import codec, delta
from dosebench_protocol.frame import Deframer
from wire_helpers import ROOT

from campaigns.fuzz import corpus, target


def test_the_corpus_runs() -> None:
    runs = [target.one_input(data) for data in [*corpus.seeds(), *corpus.kept()]]
    assert len(corpus.kept()) >= 300
    assert sum(runs) > 1_000
    assert target.one_input(b"") == 0


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="no atheris: pip install '.[campaign]'")
def test_a_short_run_finds_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "campaigns.fuzz", "--runs", "4000", "--work", str(tmp_path / "work")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "decoder runs without more" in done.stdout


def _wrong_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = Deframer.feed
    monkeypatch.setattr(Deframer, "feed", lambda self, data: feed(self, data)[:-1])


def _wrong_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    unpack = codec.plans.unpack

    def one_less(name: str, runs: Any, data: bytes) -> dict[str, Any]:
        fields = unpack(name, runs, data)
        return {key: value - 1 if isinstance(value, int) and value else value for key, value in fields.items()}

    monkeypatch.setattr(codec.plans, "unpack", one_less)


def _lax_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    unpack = codec.plans.unpack
    monkeypatch.setattr(codec.plans, "unpack", lambda name, runs, data: unpack(name, runs, data + bytes(9)))


def _wrong_delta(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta, "DAY_MS", delta.DAY_MS + 1)


@pytest.mark.parametrize("break_it", [_wrong_frames, _wrong_fields, _lax_lengths, _wrong_delta])
def test_a_codec_that_is_wrong_is_noticed(
    break_it: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    target.judge_typed_body.cache_clear()
    break_it(monkeypatch)
    noticed = 0
    for data in [*corpus.seeds(), *corpus.kept()]:
        try:
            target.one_input(data)
        except target.DifferentError:
            noticed += 1
    target.judge_typed_body.cache_clear()
    assert noticed > 0
